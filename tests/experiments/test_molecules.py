"""Molecules: QM9 as packaged, other files, and molecules taken apart."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch

from tfngen.experiments import molecules as data
from tfngen.experiments.holes import MoleculeSet
from tfngen.experiments.missing_atom_models import ELEMENTS

WATER = data.Molecule(
    "water",
    torch.tensor([8, 1, 1]),
    torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]], dtype=torch.float64),
)
HCN = data.Molecule(
    "hydrogen cyanide",
    torch.tensor([6, 7, 1]),
    torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.16], [0.0, 0.0, -1.07]], dtype=torch.float64),
)


@pytest.fixture(scope="module")
def qm9():
    return data.read(None)


def test_qm9_is_all_there(qm9):
    assert len(qm9) == 130_831  # of 133,885, those that kept their connectivity: qm9pack's own count
    assert {len(each) for each in qm9} == set(range(3, 28)) | {29}
    methane = qm9[0]
    assert methane.numbers.tolist() == [6, 1, 1, 1, 1]
    lengths = (methane.positions[1:] - methane.positions[0]).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((4,), 1.092, dtype=torch.float64), atol=1e-3, rtol=0)


def test_no_two_atoms_of_qm9_are_in_one_place(qm9):
    """Numbers like 1.2*^-6 and 3. were read as what they are: wrong powers would push atoms together."""
    for molecule in qm9[::50]:
        distances = torch.pdist(molecule.positions)
        assert 0.9 < distances.min() < 1.6
        assert distances.max() < 16


@pytest.mark.parametrize(("text", "value"), [("1.2*^-6", 1.2e-6), ("3.", 3.0), ("-0.5", -0.5), ("0.", 0.0)])
def test_numbers_as_mathematica_writes_them(text, value):
    assert data._number(text) == value


def qm9_file(tmp_path, rows):
    head = "XYZ_file,N_atoms,Elements,XYZ_Ang\n"
    (tmp_path / "part.csv").write_text(head + "\n".join(rows))
    return tmp_path / "part.csv"


def test_a_damaged_qm9_names_file_and_line(tmp_path):
    good = '''"a.xyz",2,"['C','H']","[[0.,0.,0.],[1.2*^-1,0.,1.]]"'''
    assert len(list(data._qm9_rows(qm9_file(tmp_path, [good])))) == 1
    for bad in (
        good[:-12],  # cut off
        good.replace("'H'", "'X'"),
        good.replace(",2,", ",3,"),
        good.replace("1.]]", "one]]"),
        '"a.xyz",2',
    ):
        with pytest.raises(ValueError, match=r"^data: .*part\.csv, line 3"):
            list(data._qm9_rows(qm9_file(tmp_path, [good, bad])))


def test_without_qm9pack_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tfngen\[experiments\]'.*--data"):
        data.read(None)


def test_extended_xyz(tmp_path):
    text = "3\nProperties=species:S:1:pos:R:3\nO 0 0 0.1\nH 0 0.8 -0.5\nH 0 -0.8 -0.5\n"
    (tmp_path / "water.xyz").write_text(2 * text)
    found = data.read(tmp_path / "water.xyz")
    assert len(found) == 2
    assert found[1].name == "water.xyz, structure 1"
    assert torch.equal(found[0].numbers, WATER.numbers)
    torch.testing.assert_close(found[0].positions, WATER.positions)


def test_npz_of_one_and_of_many_structures(tmp_path):
    one = {"z": WATER.numbers.numpy(), "pos": WATER.positions.numpy().astype(np.float32)}
    np.savez(tmp_path / "one.npz", **one)
    assert data.read(tmp_path / "one.npz")[0].numbers.tolist() == [8, 1, 1]
    padded = np.array([[8, 1, 1, 0], [6, 7, 1, 0]])
    places = np.zeros((2, 4, 3))
    places[0, :3], places[1, :3] = WATER.positions, HCN.positions
    np.savez(tmp_path / "many.npz", nuclear_charges=padded, coords=places)
    water, hcn = data.read(tmp_path / "many.npz")
    assert hcn.numbers.tolist() == [6, 7, 1]
    assert torch.equal(water.positions, WATER.positions)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", b"PK not a zip", "cannot be read"),
        ("a.npz", b"", "cannot be read"),
        ("a.xyz", b"3\n\nO 0 0 0\nH 0", "cannot be read"),
        ("a.xyz", b"no number", "cannot be read"),
        ("a.unknown", gzip.compress(b"?", mtime=0), "cannot be read"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"^data: .*{name} {message}"):
        data.read(tmp_path / name)


def test_other_mistakes_in_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^data: .*nowhere\.xyz is not a file"):
        data.read(tmp_path / "nowhere.xyz")
    np.savez(tmp_path / "a.npz", z=np.array([1, 1]))
    with pytest.raises(ValueError, match=r"arrays z; one must be pos"):
        data.read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", z=np.array([1, 1]), pos=np.zeros((3, 3)))
    with pytest.raises(
        ValueError, match=r"positions of shape \(1, 3, 3\) and atomic numbers of shape \(2,\)"
    ):
        data.read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", z=np.array([1, 1]), pos=np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match=r"structure 0: a position is not finite"):
        data.read(tmp_path / "a.npz")


def test_molecules_a_model_cannot_take():
    iron = data.Molecule("iron", torch.tensor([26, 1]), torch.zeros(2, 3, dtype=torch.float64))
    with pytest.raises(
        ValueError, match=r"^data: iron has the element Z = 26; the model knows H, C, N, O, F"
    ):
        data.check([WATER, iron])
    atom = data.Molecule("atom", torch.tensor([1]), torch.zeros(1, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"^data: atom has 1 atoms"):
        data.check([atom])
    assert data.check([WATER]) == [WATER]


def test_samples_are_the_same_for_the_same_seed():
    many = [data.Molecule(str(at), WATER.numbers, WATER.positions) for at in range(20)]
    names = [[each.name for each in data.sample(many, 5, seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 5
    assert len(data.sample(many, 50, 0)) == 20


@pytest.mark.parametrize("cutoff", [None, 1.5])
def test_atoms_are_taken_out(cutoff):
    packed = MoleculeSet([WATER, HCN], ELEMENTS, cutoff, torch.float64)
    molecule, removed = packed.all_holes()
    assert molecule.tolist() == [0, 0, 0, 1, 1, 1]
    assert removed.tolist() == [0, 1, 2, 0, 1, 2]
    order = torch.tensor([4, 0, 2])
    holes = packed.without(molecule[order], removed[order])
    assert holes.graph.num_graphs == 3
    assert holes.elements.tolist() == [1, 0, 0, 0, 3, 0]  # H C N O F: C H, H H, O H
    assert holes.missing_element.tolist() == [2, 3, 0]
    assert holes.graph.by_graph.index.tolist() == [0, 0, 1, 1, 2, 2]
    # Every pair of atoms that remain and are near, both ways, and no other.
    edges = {tuple(edge) for edge in holes.graph.edge_index.T.tolist()}
    near = {(0, 1), (1, 0), (4, 5), (5, 4)}
    assert edges == (near | {(2, 3), (3, 2)} if cutoff is None else near)
    for at, original in enumerate((HCN, WATER, WATER)):
        whole = torch.cat([holes.positions[2 * at : 2 * at + 2], holes.missing_position[at : at + 1]])
        assert torch.equal(torch.pdist(whole).sort().values, torch.pdist(original.positions).sort().values)


def test_random_holes_are_every_molecule_once():
    packed = MoleculeSet([WATER, HCN] * 50, ELEMENTS)
    molecule, removed = packed.random_holes(torch.Generator().manual_seed(0))
    assert molecule.sort().values.tolist() == list(range(100))
    assert torch.bincount(removed).min() > 20
    again = packed.random_holes(torch.Generator().manual_seed(0))
    assert torch.equal(again[0], molecule)
    assert torch.equal(again[1], removed)
