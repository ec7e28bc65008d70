"""NequIP models of random weights, accelerated; in an environment of their own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("nequip", reason="pip install nequip")
from ase.build import bulk
from nequip.data import AtomicDataDict, compute_neighborlist_, from_ase
from nequip.model import NequIPGNNModel
from nequip.utils.global_state import set_global_state

from tfngen.interop import accelerate


@pytest.fixture(scope="module", autouse=True)
def as_nequip_wants_it():
    before = torch.get_default_dtype()
    set_global_state()
    yield
    torch.set_default_dtype(before)


def model(parity: bool):
    return NequIPGNNModel(
        seed=1, model_dtype="float64", type_names=["Na", "Cl"], r_max=4.0, num_bessels=6,
        polynomial_cutoff_p=6, num_layers=3, l_max=2, parity=parity, num_features=8, radial_mlp_depth=1,
        radial_mlp_width=16, avg_num_neighbors=20.0, per_type_energy_scales=1.0, per_type_energy_shifts=0.0,
    )  # fmt: skip


def graph():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.positions += np.random.default_rng(0).normal(scale=0.1, size=atoms.positions.shape)
    found = compute_neighborlist_(from_ase(atoms), r_max=4.0)
    found[AtomicDataDict.ATOM_TYPE_KEY] = torch.tensor([0, 1]).repeat(len(atoms) // 2)
    return found


@pytest.mark.parametrize("parity", [True, False])
def test_energies_and_forces_stay(parity):
    used = model(parity)
    wanted = used(graph())
    report = accelerate(used)
    assert sum(name.endswith("tp_scatter") for name in report.replaced) == 3
    assert sum("weights once" in entry.reason for entry in report.entries if entry.replaced) == 3
    found = used(graph())
    for name in ("total_energy", "forces"):
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-10, atol=1e-10)


def test_force_training_has_the_same_gradients():
    original = model(True).train()
    accelerated = copy.deepcopy(original)
    accelerate(accelerated)
    gradients = []
    for each in (original, accelerated):
        output = each(graph())
        (output["total_energy"].sum() + output["forces"].square().sum()).backward()
        gradients.append({name: p.grad for name, p in each.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, wanted in gradients[0].items():
        torch.testing.assert_close(
            gradients[1][name], wanted, rtol=1e-9, atol=1e-9 * float(wanted.abs().max())
        )


def test_weights_are_made_once_for_both_directions():
    used = model(True)
    accelerate(used)
    rows = []
    for name, each in used.named_modules():
        if name.endswith("edge_mlp"):
            each.register_forward_hook(lambda _, given, made: rows.append(len(made)))
    given = graph()
    edges = given[AtomicDataDict.EDGE_INDEX_KEY].shape[1]
    wanted = used(dict(given))
    assert rows == [edges // 2] * 3
    given[AtomicDataDict.EDGE_INDEX_KEY] = given[AtomicDataDict.EDGE_INDEX_KEY][:, 1:]
    shifts = AtomicDataDict.EDGE_CELL_SHIFT_KEY
    given[shifts] = given[shifts][1:]
    found = used(dict(given))
    assert rows[3:] == [edges - 1] * 3
    assert not torch.allclose(found["forces"], wanted["forces"])
