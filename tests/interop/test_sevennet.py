"""SevenNet's own checkpoints, accelerated: the same energies, forces, stresses and gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("sevenn", reason="pip install sevenn")
from ase import units
from ase.build import bulk
from ase.md import VelocityVerlet
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from sevenn.atom_graph_data import AtomGraphData
from sevenn.calculator import SevenNetCalculator
from sevenn.train.dataload import unlabeled_atoms_to_graph

import tfngen
from tfngen.bench.model_problem import sevennet_evaluation
from tfngen.interop import accelerate

CONVOLUTIONS = [f"{layer}_convolution" for layer in range(5)]


def calculator(name: str = "7net-0") -> SevenNetCalculator:
    return SevenNetCalculator(name, device="cpu")


def salt():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.positions += np.random.default_rng(0).normal(scale=0.15, size=atoms.positions.shape)
    return atoms


def results(calculator: SevenNetCalculator, atoms) -> dict[str, np.ndarray]:
    atoms = atoms.copy()
    atoms.calc = calculator
    return {
        "energy": np.asarray(atoms.get_potential_energy()),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("name", ["7net-0", "7net-l3i5"])
def test_energies_forces_and_stresses_stay(name):
    used = calculator(name)
    wanted = results(used, salt())
    report = accelerate(used.model)
    assert [each for each in report.replaced if each.endswith("_convolution")] == CONVOLUTIONS
    used.reset()
    found = results(used, salt())
    assert relative(found["energy"], wanted["energy"]) < 1e-6
    assert relative(found["forces"], wanted["forces"]) < 1e-5
    assert relative(found["stress"], wanted["stress"]) < 1e-5


def test_an_accelerated_model_may_be_traced():
    """Energies and forces of atoms that move, from one program; graphs are sorted inside."""
    model = calculator().model
    accelerate(model)
    energy_and_forces = sevennet_evaluation(model)
    traced = tfngen.trace(energy_and_forces)
    for seed in (1, 2):
        atoms = salt()
        atoms.rattle(0.1, seed=seed)
        graph = unlabeled_atoms_to_graph(atoms, 5.0, with_shift=False)
        graph = AtomGraphData.from_numpy_dict(dict(graph))
        given = [graph[key] for key in ("atomic_numbers", "edge_index", "edge_vec")]
        given[0] = (given[0] == 17).long()
        for found, wanted in zip(traced(*given), energy_and_forces(*given), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    assert len(traced.programs) == 1


def test_virials_of_single_atoms_are_not_shared_between_them():
    """Weights shared by both directions of an edge would move virial from one atom to the other."""
    virials = []
    for accelerated in (False, True):
        used = SevenNetCalculator("7net-0", device="cpu", compute_atomic_virial=True)
        if accelerated:
            accelerate(used.model)
        atoms = salt()
        atoms.calc = used
        virials.append(atoms.get_stresses())
    assert relative(virials[1], virials[0]) < 1e-5


def test_both_directions_of_an_edge_share_their_weights(monkeypatch):
    used = calculator()
    accelerate(used.model)
    rows = []
    for name in CONVOLUTIONS:
        radial = used.model._modules[name].weight_nn
        radial.register_forward_hook(lambda module, given, weights: rows.append(weights.shape[0]))
    results(used, salt())
    edges = used.results["num_edges"]
    assert rows == [edges // 2] * 5


def test_the_convolutions_are_what_computes():
    """Not the products inside them: those would fail."""
    used = calculator()
    accelerate(used.model)

    def fail(*_):
        raise AssertionError("a message was made")

    for name in CONVOLUTIONS:
        used.model._modules[name].convolution.forward = fail
    results(used, salt())


def test_force_training_has_the_same_gradients():
    model = calculator().model.train()
    accelerated = copy.deepcopy(model)
    accelerate(accelerated)
    gradients = []
    for each in (model, accelerated):
        output = each(AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(salt(), 5.0, with_shift=False)))
        loss = output["inferred_total_energy"].sum() + output["inferred_force"].square().sum()
        each.zero_grad()
        loss.backward()
        gradients.append({n: p.grad for n, p in each.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert len(gradients[0]) > 20
    for name, wanted in gradients[0].items():
        assert float((gradients[1][name] - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max()), name


def test_a_trajectory_is_the_same_and_keeps_its_energy():
    """500 steps of 2 fs: for the first 100 the same within rounding, and energy conserved as well.

    The model as it comes takes several times as long a step and is followed for 140.
    """
    positions, energies = [], []
    for accelerated, samples in ((False, 4), (True, 40)):
        used = calculator()
        if accelerated:
            accelerate(used.model)
        atoms = salt()
        atoms.calc = used
        MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(1))
        motion = VelocityVerlet(atoms, 2 * units.fs)
        motion.run(100)
        positions.append(atoms.get_positions())
        energies.append([])
        for _ in range(samples):
            motion.run(10)
            energies[-1].append(atoms.get_total_energy())
    assert np.abs(positions[1] - positions[0]).max() < 1e-4  # Å; atoms have moved by some tenths
    assert np.abs(positions[0] - salt().get_positions()).max() > 0.1
    assert np.ptp(energies[1][:4]) < 2 * np.ptp(energies[0])
    assert np.ptp(energies[1]) < 0.02 * len(salt())  # eV


def test_a_state_dict_from_before_fits_after():
    model = calculator().model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    accelerate(model)
    model.load_state_dict(before)
    assert model.state_dict().keys() == before.keys()


def test_one_atom_without_neighbours():
    used = calculator()
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)[:1]
    atoms.set_cell(np.eye(3) * 40)
    wanted = results(used, atoms)["energy"]
    accelerate(used.model)
    used.reset()
    assert relative(results(used, atoms)["energy"], wanted) < 1e-6


def test_accelerating_twice_changes_nothing_more():
    used = calculator()
    accelerate(used.model)
    children = [id(each) for each in used.model.modules()]
    assert accelerate(used.model).replaced == []
    assert [id(each) for each in used.model.modules()] == children


def test_a_parallel_model_is_left():
    used = calculator()
    used.model._modules["0_convolution"].is_parallel = True
    assert "processes" in accelerate(used.model).left["0_convolution"]
