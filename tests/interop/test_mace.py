"""MACE models of random weights, accelerated; in an environment of their own, as MACE wants an old e3nn."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("mace", reason="pip install mace-torch, which wants e3nn 0.4.4")
from ase.build import bulk
from e3nn import o3
from mace import data, modules
from mace.tools import AtomicNumberTable, torch_geometric

from tfngen.interop import accelerate

BLOCKS = sorted(
    name for name in modules.interaction_classes if name.startswith("RealAgnostic") and "Att" not in name
)


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def model(block: str):
    torch.manual_seed(0)
    return modules.ScaleShiftMACE(
        r_max=4.0, num_bessel=6, num_polynomial_cutoff=5, max_ell=3, num_interactions=2, num_elements=2,
        interaction_cls=modules.interaction_classes[block],
        interaction_cls_first=modules.interaction_classes[block],
        hidden_irreps=o3.Irreps("16x0e+16x1o"), MLP_irreps=o3.Irreps("16x0e"), atomic_energies=np.zeros(2),
        avg_num_neighbors=20.0, atomic_numbers=[11, 17], correlation=2, gate=torch.nn.functional.silu,
        radial_MLP=[16, 16], radial_type="bessel", atomic_inter_scale=1.0, atomic_inter_shift=0.0,
    )  # fmt: skip


def batch():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.positions += np.random.default_rng(0).normal(scale=0.1, size=atoms.positions.shape)
    table = AtomicNumberTable([11, 17])
    graph = data.AtomicData.from_config(data.config_from_atoms(atoms), z_table=table, cutoff=4.0)
    return next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1))).to_dict()


@pytest.mark.parametrize("block", BLOCKS)
def test_energies_and_forces_stay(block):
    used = model(block)
    wanted = used(batch())
    report = accelerate(used)
    assert {"interactions.0", "interactions.1", "spherical_harmonics"} <= set(report.replaced)
    found = used(batch())
    for name in ("energy", "forces"):
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-10, atol=1e-10)


def test_force_training_has_the_same_gradients():
    original = model("RealAgnosticResidualInteractionBlock")
    accelerated = copy.deepcopy(original)
    accelerate(accelerated)
    gradients = []
    for each in (original, accelerated):
        output = each(batch(), training=True)
        (output["energy"].sum() + output["forces"].square().sum()).backward()
        gradients.append({name: p.grad for name, p in each.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, wanted in gradients[0].items():
        torch.testing.assert_close(
            gradients[1][name], wanted, rtol=1e-9, atol=1e-9 * float(wanted.abs().max())
        )


def test_undo_leaves_the_model_as_it_was():
    used = model("RealAgnosticInteractionBlock")
    children = [id(each) for each in used.modules()]
    accelerate(used).undo()
    assert [id(each) for each in used.modules()] == children
    assert not hasattr(used.interactions[0], "conv_fusion")
