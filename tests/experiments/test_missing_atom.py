"""The missing atom: symmetries of its networks, scores, small runs, runs that are stopped or shared."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import torch

from tfngen.experiments import missing_atom
from tfngen.experiments.holes import MoleculeSet
from tfngen.experiments.missing_atom_models import (
    ARCHITECTURES,
    ELEMENTS,
    PAPER,
    MissingAtomNetwork,
    loss,
    softmax_by_graph,
)
from tfngen.experiments.missing_atom_result import SETS, Score, summary
from tfngen.experiments.molecules import SYMBOLS, Molecule
from tfngen.experiments.motions import random_rotations
from tfngen.experiments.on_e3nn import on_e3nn
from tfngen.experiments.parallel import Team
from tfngen.experiments.training import parameter_count
from tfngen.nn import weights
from tfngen.runtime.graph import Graph

TOLERANCE = {"atol": 1e-10, "rtol": 1e-10}


def molecules(number, sizes, seed=0):
    """Random atoms at bond lengths: each new one 1.1 to 1.5 Å from an earlier one, no nearer to any other."""
    generator = np.random.default_rng(seed)
    made = []
    for at in range(number):
        places = [np.zeros(3)]
        while len(places) < sizes[at % len(sizes)]:
            step = generator.normal(size=3)
            new = places[generator.integers(len(places))] + generator.uniform(
                1.1, 1.5
            ) * step / np.linalg.norm(step)
            if min(np.linalg.norm(new - place) for place in places) > 1.05:
                places.append(new)
        numbers = generator.choice(ELEMENTS, size=len(places))
        made.append(Molecule(f"molecule {at}", torch.tensor(numbers), torch.tensor(np.array(places))))
    return made


def chains(number, sizes, seed=0):
    """Carbon and nitrogen in turn, in a zigzag, turned at random: what is left tells what is missing."""
    rotations = random_rotations(number, torch.Generator().manual_seed(seed))
    made = []
    for at, rotation in enumerate(rotations.double()):
        index = torch.arange(sizes[at % len(sizes)])
        zigzag = torch.stack([1.1 * index, 0.35 * (-1.0) ** index, 0.0 * index], dim=1).double()
        made.append(Molecule(f"chain {at}", 6 + index % 2, zigzag @ rotation.T))
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Chains of 5 to 8, and of 19, 23 and 25 atoms, as npz."""
    found = chains(24, (5, 6, 7, 8)) + chains(6, (19, 23, 25), seed=1)
    numbers, places = np.zeros((30, 25), dtype=int), np.zeros((30, 25, 3))
    for at, each in enumerate(found):
        numbers[at, : len(each)], places[at, : len(each)] = each.numbers, each.positions
    path = tmp_path_factory.mktemp("data") / "molecules.npz"
    np.savez(path, z=numbers, pos=places)
    return path


def network(kernels, name):
    torch.manual_seed(0)
    return MissingAtomNetwork(kernels, ARCHITECTURES[name]).double()


def some_holes(architecture, positions=lambda r: r, number=4):
    moved = [Molecule(m.name, m.numbers, positions(m.positions)) for m in molecules(number, (5, 8, 12))]
    packed = MoleculeSet(moved, ELEMENTS, architecture.cutoff, torch.float64)
    return packed.without(torch.arange(number), torch.arange(number) % 3)


# ── networks ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_papers_network_has_as_many_parameters_as_the_paper_says(tfn_l1):
    assert parameter_count(MissingAtomNetwork(tfn_l1, PAPER)) == 3126


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_predictions_move_with_the_molecule(tfn_l2, name, mirrored):
    if mirrored and name == "paper":
        pytest.skip("the paper's network counts every irrep as even: it need not commute with mirrors")
    model = network(tfn_l2, name)
    rotation = random_rotations(1, torch.Generator().manual_seed(0))[0] * (-1 if mirrored else 1)
    before = some_holes(model.architecture)
    after = some_holes(model.architecture, lambda r: r @ rotation.T)
    one, other = model(before), model(after)
    torch.testing.assert_close(other.position, one.position @ rotation.T, **TOLERANCE)
    torch.testing.assert_close(other.displacements, one.displacements @ rotation.T, **TOLERANCE)
    torch.testing.assert_close(other.scores, one.scores, **TOLERANCE)
    torch.testing.assert_close(other.votes, one.votes, **TOLERANCE)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_molecules_are_told_apart_from_their_neighbours_in_the_batch(tfn_l2, name):
    """Alone, elsewhere in space, or among others: the same answer."""
    model = network(tfn_l2, name)
    found = molecules(4, (5, 8, 12))
    shifted = [Molecule(m.name, m.numbers, m.positions + 10.0) for m in found]
    together = model(some_holes(model.architecture))
    for at, molecule in enumerate(shifted):
        alone = MoleculeSet([molecule], ELEMENTS, model.architecture.cutoff, torch.float64)
        said = model(alone.without(torch.tensor([0]), torch.tensor([at % 3])))
        torch.testing.assert_close(said.position[0], together.position[at], **TOLERANCE)
        torch.testing.assert_close(said.scores[0], together.scores[at], **TOLERANCE)


def test_votes_are_softmaxes_and_positions_their_means(tfn_l2):
    holes = some_holes(PAPER)
    said = network(tfn_l2, "paper")(holes)
    index = holes.graph.by_graph.index
    for at in range(holes.graph.num_graphs):
        here = index == at
        assert said.votes[here].sum().item() == pytest.approx(1)
        mean = (said.votes[here, None] * (holes.positions + said.displacements)[here]).sum(0)
        torch.testing.assert_close(said.position[at], mean)


def test_softmax_is_torchs_and_does_not_overflow():
    graph = Graph(torch.empty(2, 0, dtype=torch.int64), 5, batch=torch.tensor([0, 0, 1, 1, 1]))
    logits = torch.tensor([1.0, 2.0, 1000.0, -3.0, 999.0], dtype=torch.float64, requires_grad=True)
    expected = torch.cat([logits[:2].softmax(0), logits[2:].softmax(0)])
    found = softmax_by_graph(graph, logits)
    torch.testing.assert_close(found, expected)
    weight = torch.randn(5, dtype=torch.float64)
    (one,), (other,) = (torch.autograd.grad((each * weight).sum(), logits) for each in (found, expected))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_e3nn_gives_the_same_numbers_and_gradients(tfn_l2, name):
    ours = network(tfn_l2, name)
    theirs = on_e3nn(copy.deepcopy(ours))
    holes = some_holes(ours.architecture)
    for model in (ours, theirs):
        position, element = loss(model(holes), holes)
        (position + element).sum().backward()
    torch.testing.assert_close(theirs(holes).position, ours(holes).position, atol=1e-6, rtol=1e-6)
    for (key, one), (other_key, other) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert key == other_key
        scale = float(one.grad.abs().max()) + 1e-3
        torch.testing.assert_close(other.grad / scale, one.grad / scale, atol=1e-5, rtol=0)


# ── scores ──────────────────────────────────────────────────────────────────────────────────────────────


def test_scores_count_what_is_near_and_right():
    distances = torch.tensor([0.1, 0.49, 0.51, 0.1])
    score = Score.of(2, distances, torch.tensor([0, 1, 0, 0]), torch.tensor([0, 1, 0, 1]))
    assert score.accuracy == 0.5
    assert score.placed == score.named == 0.75
    assert score.mean_distance == pytest.approx(0.3)
    assert score.by_element == {"H": 0.5, "C": 0.5}
    assert score.counts == {"H": 2, "C": 2}
    assert {SYMBOLS[number] for number in ELEMENTS} == {"H", "C", "N", "O", "F"}


def results(folder, accuracy, distance, **changed):
    folder.mkdir()
    scores = {"19": {"accuracy": accuracy, "mean_distance": distance}}
    run = {"experiment": "missing-atom", "settings": {"model": "best", "seed": 0}, "sets": scores}
    (folder / "results.json").write_text(json.dumps(run | {"seconds": {"train": 60}} | changed))
    return folder


def test_several_seeds_are_a_mean_and_a_deviation(tmp_path):
    table = summary([results(tmp_path / "a", 0.9, 0.1), results(tmp_path / "b", 1.0, 0.3)])
    cells = [list(column.cells) for column in table.columns]
    assert cells[0][0] == "19"
    assert cells[1][0] == "95.00 ± 7.07 (94.7)"
    assert cells[2][0] == "0.2000 ± 0.1414 (0.15)"


def test_runs_that_cannot_be_put_together(tmp_path):
    one = results(tmp_path / "one", 0.9, 0.1)
    with pytest.raises(ValueError, match=r"^folders: 1; "):
        summary([one])
    with pytest.raises(FileNotFoundError, match=r"^folders: .*nowhere"):
        summary([one, tmp_path / "nowhere"])
    with pytest.raises(ValueError, match=r"^folders: .* another experiment"):
        summary([one, results(tmp_path / "other", 0.9, 0.1, experiment="tetris")])
    paper = results(tmp_path / "paper", 0.9, 0.1, settings={"model": "paper", "seed": 0})
    with pytest.raises(ValueError, match=r"^folders: runs of the models best, paper"):
        summary([one, paper])
    (one / "results.json").write_text("{")
    with pytest.raises(ValueError, match=r"^folders: .* damaged"):
        summary([one, paper])


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def run(tfn_l2, file, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return missing_atom.run(tfn_l2, out, source=file, passes=60, number=16, batch=8), out


def test_a_run_learns_and_writes(run, file):
    result, out = run
    assert list(result.scores) == list(SETS)
    # Four seeds: 0.02 to 0.05 and 0.38 to 0.52.
    for part, share in (("element", 0.2), ("position", 0.75)):
        losses = result.curves[part]
        assert sum(losses[-10:]) / 10 < share * sum(losses[:5]) / 5
    names = {"results.json", "weights.safetensors", "missing_atom.png"}
    assert {each.name for each in out.iterdir()} == names
    saved = json.loads((out / "results.json").read_text())
    assert saved["sets"]["19"]["holes"] == 2 * 19
    assert saved["settings"]["data"] == file.name
    assert (out / "missing_atom.png").read_bytes().startswith(b"\x89PNG")


def test_unseen_molecules_are_not_those_trained_on(file):
    sets = missing_atom._sets(missing_atom.data.read(file), 16, 0)
    names = Counter(molecule.name for found in sets.values() for molecule in found)
    assert max(names.values()) == 1
    assert len(sets["5–18 (train)"]) == 16
    assert len(sets["5–18 (unseen)"]) == 8


def test_weights_are_evaluated_as_they_were_tested(run, tfn_l2, file, tmp_path):
    result, out = run
    again = missing_atom.evaluate(out / "weights.safetensors", tfn_l2, tmp_path, file)
    assert again.scores == result.scores
    assert {each.name for each in tmp_path.iterdir()} == {"evaluation.json", "evaluation.png"}


def test_other_weights_are_refused(tfn_l1, tmp_path):
    weights.save(torch.nn.Linear(2, 2), tmp_path / "other.safetensors", experiment="tetris")
    with pytest.raises(ValueError, match=r"^path: .* was not written by the missing-atom experiment"):
        missing_atom.load_network(tmp_path / "other.safetensors", tfn_l1)
    with pytest.raises(FileNotFoundError, match=r"^path: .*nowhere"):
        missing_atom.load_network(tmp_path / "nowhere", tfn_l1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "worst"}, r"^model: 'worst'; it must be one of paper, best"),
        ({"passes": 0}, r"^passes: 0"),
        ({"batch": 1.5}, r"^batch: 1\.5"),
        ({"number": 0}, r"^number: 0"),
        ({"backend": "jax"}, r"^backend: 'jax'"),
        ({"device": "tpu"}, r"^device: 'tpu'"),
        ({"seed": -1}, r"^seed: -1"),
    ],
)
def test_bad_arguments_are_named(tmp_path, file, wrong, message):
    with pytest.raises(ValueError, match=message):
        missing_atom.run(None, tmp_path, source=file, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_file_without_small_molecules_cannot_be_trained_on(tmp_path):
    np.savez(
        tmp_path / "large.npz", z=np.ones(30, dtype=int), pos=np.random.default_rng(0).normal(size=(30, 3))
    )
    with pytest.raises(ValueError, match=r"^data: none of its 1 molecules has 5 to 18 atoms"):
        missing_atom.run(None, tmp_path / "out", source=tmp_path / "large.npz")


def test_divergence_names_the_molecules(tfn_l1, file, tmp_path, monkeypatch):
    steps = []

    def bad(prediction, holes):
        position, element = loss(prediction, holes)
        steps.append(None)
        return position * (float("nan") if len(steps) == 3 else 1), element

    monkeypatch.setattr(missing_atom, "loss", bad)
    with pytest.raises(ArithmeticError, match=r"step 3, on molecules\.npz, structure \d+ without atom \d"):
        missing_atom.run(tfn_l1, tmp_path, "paper", file, passes=3, batch=8, number=16)
    assert not (tmp_path / "weights.safetensors").exists()


# ── runs in other processes ─────────────────────────────────────────────────────────────────────────────

OPTIONS = ["--model", "paper", "--passes", "30", "--batch", "8", "--molecules", "16", "--no-picture"]


def command(file, out, *options):
    return ["-m", "tfngen", "run", "missing-atom", "--data", str(file), "--out", str(out), *OPTIONS, *options]


def saved(out):
    network, _ = missing_atom.load_network(out / "weights.safetensors")
    return torch.nn.utils.parameters_to_vector(network.parameters()).detach()


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    subprocess.run([sys.executable, *command(file, out)], check=True, capture_output=True, timeout=240)
    return out


def test_a_run_that_was_killed_is_resumed_bit_for_bit(whole, file, tmp_path):
    process = subprocess.Popen(
        [sys.executable, *command(file, tmp_path, "--checkpoint-seconds", "0")], stdout=subprocess.DEVNULL
    )
    checkpoint, deadline = tmp_path / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    assert not (tmp_path / "weights.safetensors").exists()

    refused = subprocess.run(
        [sys.executable, *command(file, tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    subprocess.run(
        [sys.executable, *command(file, tmp_path, "--resume")], check=True, capture_output=True, timeout=240
    )
    assert (tmp_path / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    assert not checkpoint.exists()


def test_two_processes_train_as_one(whole, file, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    done = subprocess.run(
        [*launcher, *command(file, tmp_path)], capture_output=True, text=True, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = saved(whole), saved(tmp_path)
    assert not torch.equal(one, two)  # sums in another order
    torch.testing.assert_close(two, one, atol=2e-3 * float(one.abs().max()), rtol=0)
    curves = [json.loads((out / "results.json").read_text())["curves"] for out in (whole, tmp_path)]
    assert curves[1]["position"] == pytest.approx(curves[0]["position"], rel=1e-2)
    assert done.stdout.count("Missing atom, model paper") == 1  # one of them tests and prints


def test_a_team_shares_work_without_overlap():
    for world in (1, 2, 3):
        for count in (1, 5, 16):
            parts = [range(count)[Team(rank, world).part(count)] for rank in range(world)]
            assert [each for part in parts for each in part] == list(range(count))
