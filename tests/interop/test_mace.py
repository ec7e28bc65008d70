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

import tfngen
from tfngen.interop import accelerate, mace, mace_products
from tfngen.interop.mace_products import SymmetricContraction

BLOCKS = sorted(
    name for name in modules.interaction_classes if name.startswith("RealAgnostic") and "Att" not in name
)


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def model(block: str, correlation: int = 2):
    torch.manual_seed(0)
    return modules.ScaleShiftMACE(
        r_max=4.0, num_bessel=6, num_polynomial_cutoff=5, max_ell=3, num_interactions=2, num_elements=2,
        interaction_cls=modules.interaction_classes[block],
        interaction_cls_first=modules.interaction_classes[block],
        hidden_irreps=o3.Irreps("16x0e+16x1o"), MLP_irreps=o3.Irreps("16x0e"), atomic_energies=np.zeros(2),
        avg_num_neighbors=20.0, atomic_numbers=[11, 17], correlation=correlation,
        gate=torch.nn.functional.silu, radial_MLP=[16, 16], radial_type="bessel", atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
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
    blocks = {"interactions.0", "interactions.1", "spherical_harmonics"}
    assert blocks | {f"products.{layer}.symmetric_contractions" for layer in (0, 1)} <= set(report.replaced)
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


@pytest.mark.parametrize(
    ("correlation", "irreps_out"),
    [(1, "8x0e"), (2, "8x1o"), (3, "8x0e+8x1o"), (3, "8x0e+8x1o+8x2e")],
)
def test_products_and_their_derivatives_of_two_orders(correlation, irreps_out):
    torch.manual_seed(1)
    original = modules.SymmetricContraction(
        o3.Irreps("8x0e+8x1o+8x2e+8x3o"), o3.Irreps(irreps_out), correlation, num_elements=4
    )
    standin = SymmetricContraction(original)
    x, species = torch.randn(7, 8, 16, requires_grad=True), torch.tensor([0, 3, 3, 1, 0, 3, 1])
    y = torch.nn.functional.one_hot(species, 4).to(x)
    weights = [each for each in original.parameters() if each.requires_grad]
    results = []
    for module in (original, standin):
        out = module(x, y)
        (slope,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        again = torch.autograd.grad(slope.square().sum(), [x, *weights], allow_unused=True)
        results.append([out, slope, *(each for each in again if each is not None)])
    assert len(results[0]) == len(results[1])
    for wanted, found in zip(*results, strict=True):
        scale = float(wanted.detach().abs().max())
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12 * scale)


def test_products_of_what_is_no_species_are_left_to_the_original(monkeypatch):
    original = modules.SymmetricContraction(o3.Irreps("4x0e+4x1o"), o3.Irreps("4x0e"), 3, num_elements=2)
    standin, calls = SymmetricContraction(original), []
    monkeypatch.setattr(mace_products, "symmetric_contraction", lambda *given: calls.append(given))
    x, y = torch.randn(3, 4, 4), torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    for given in ((x, y), (x[1:], 2 * y[1:]), (x[1:], y[1:].clone().requires_grad_())):
        assert torch.equal(standin(*given), original(*given))
    assert not calls
    monkeypatch.undo()
    assert standin(x[:0], y[:0]).shape == (0, 4)


def test_weights_are_made_once_for_both_directions(monkeypatch):
    used = model("RealAgnosticResidualInteractionBlock")
    accelerate(used)
    rows = []
    for each in used.interactions:
        each.conv_tp_weights.register_forward_hook(lambda _, given, made: rows.append(len(made)))
    given = batch()
    edges = given["edge_index"].shape[1]
    wanted = used(given)
    assert rows == [edges // 2] * 2
    monkeypatch.setattr(mace, "OF_LENGTHS", ())
    found = used(batch())
    assert rows[2:] == [edges] * 2
    for name in ("energy", "forces"):
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-12, atol=1e-12)


def test_in_float32_after_it_was_made_in_float64():
    original = model("RealAgnosticResidualInteractionBlock", correlation=3)
    accelerated = copy.deepcopy(original)
    accelerate(accelerated)
    state = original.state_dict()
    assert accelerated.state_dict().keys() == state.keys()
    found = []
    for each in (original, accelerated):
        each.float()
        floats = {
            name: value.float() if torch.is_tensor(value) and value.is_floating_point() else value
            for name, value in batch().items()
        }
        found.append(each(floats)["forces"])
    assert found[1].dtype == torch.float32
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5 * float(found[0].abs().max()))


def test_recorded_it_gives_the_same_of_atoms_that_have_moved():
    original = model("RealAgnosticResidualInteractionBlock", correlation=3)
    accelerated = copy.deepcopy(original)
    accelerate(accelerated)

    @tfngen.trace
    def traced(given):
        output = accelerated(given)
        return output["energy"].detach(), output["forces"].detach()

    for step in range(3):
        given = {name: each for name, each in batch().items() if torch.is_tensor(each)}
        given["positions"] = given["positions"] + 0.01 * step * torch.randn(8, 3)
        wanted = original(dict(given))
        energy, forces = traced(given)
        torch.testing.assert_close(energy, wanted["energy"], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(forces, wanted["forces"], rtol=1e-10, atol=1e-10)
