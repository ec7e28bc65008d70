"""A loss on forces meets a convolution twice in one backward pass; one kernel makes what both add up to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.gpu.oracle import expected
from tests.runtime.test_fused_convolution import case
from tfngen import Features
from tfngen.forms import FORMS, TANGENT
from tfngen.roles import SLOTS
from tfngen.runtime import convolution_operators
from tfngen.runtime.convolution_operators import compute, convolve
from tfngen.runtime.plan import Widths

EXACT = {"rtol": 1e-11, "atol": 1e-11}


@pytest.fixture
def computed(monkeypatch):
    """The names of the forms that are computed, one after the other."""
    names = []

    def noted(form, *arguments):
        names.append(form.name)
        return compute(form, *arguments)

    monkeypatch.setattr(convolution_operators, "compute", noted)
    return names


@pytest.mark.parametrize("sharing", [False, True], ids=["own weights", "shared weights"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("name", ["parity", "one scalar", "vectors alone"])
def test_every_form_is_a_derivative_of_the_contraction(tfn_l2, name, form, sharing):
    convolution, graph, *_ = case(tfn_l2, name, nodes=5, edges=70)
    numbers, edges = convolution._numbers, graph.edges
    if sharing:
        edges = edges.shared_by(graph.group_edges(torch.arange(70) % 4, 4))
    generator = torch.Generator().manual_seed(3)
    rows = dict(zip(SLOTS, zip(edges.rows, numbers[: len(Widths._fields)], strict=True), strict=True))
    operands = {
        each: torch.randn(rows[each.removesuffix(TANGENT)], dtype=torch.float64, generator=generator)
        for each in form.operands
    }
    found = compute(form, tfn_l2._package.fingerprint, numbers, operands, edges)
    for one, other in zip(found, expected(form, numbers, operands, edges), strict=True):
        torch.testing.assert_close(one, other, **EXACT)


class Model:
    """An energy of two convolutions, all of whose operands may depend on what stands for positions."""

    def __init__(self, kernels, name="parity", **size):
        self.convolution, self.graph, y, features, weights = case(kernels, name, **size)
        self.irreps = list(features)
        generator = torch.Generator().manual_seed(5)
        self.position = torch.randn(y.shape[0], 1, dtype=y.dtype, generator=generator).requires_grad_()
        self.parameters = [each.requires_grad_() for each in (weights, *features.values())]
        self.y = y

    def energy(self, composed, linear=False, everything=False):
        position, (weights, *values) = self.position, self.parameters
        product = self.convolution._composed if composed else self.convolution._fused
        y = self.y * torch.sin(position)
        if everything:  # as in a model's second layer: weights by distances, features by the layer before
            weights = weights * torch.cos(position)
            values = [each * position.sum().tanh() for each in values]
        sums = product(self.graph, y, Features(dict(zip(self.irreps, values, strict=True))), weights)
        self.sums = list(sums.values())
        return sum((each if linear else each.sin()).sum() for each in self.sums)

    def gradients(self, composed, loss="forces", by_position=False, **how):
        """Of a loss, by all parameters; in the order of `parameters`."""
        energy = self.energy(composed, **how)
        (force,) = torch.autograd.grad(energy, self.position, create_graph=True)
        total = force.square().sum() + (energy.square() if loss == "both" else 0)
        by = [*self.parameters, *([self.position] if by_position else [])]
        return torch.autograd.grad(total, by)


@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize("loss", ["forces", "both"])
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("name", ["parity", "one scalar"])
def test_gradients_of_a_loss_on_forces(tfn_l2, name, everything, linear, loss, by_position):
    model = Model(tfn_l2, name)
    how = {"loss": loss, "linear": linear, "everything": everything, "by_position": by_position}
    for one, other in zip(model.gradients(True, **how), model.gradients(False, **how), strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize(
    ("how", "forms"),
    [
        ({}, ["d_filter", "output", "d_input_weight_along"]),
        ({"by_position": True}, ["d_filter", "output", "backward", "d_input_weight"]),
        ({"linear": True}, ["d_filter", "d_input_weight"]),
        ({"everything": True}, ["backward", "d_grad", "backward_along"]),
        ({"everything": True, "by_position": True}, ["backward", "d_grad", "backward_along"]),
    ],
    ids=str,
)
def test_what_is_computed(tfn_l2, computed, how, forms):
    """Both at once where there are both; with everything wanted of a filter's derivative, one by one."""
    Model(tfn_l2).gradients(False, **how)
    assert computed == forms


def test_each_pass_is_on_its_own(tfn_l2):
    """The same graph of autograd again, and after a pass that came to one of the two steps alone."""
    model = Model(tfn_l2)
    wanted = model.gradients(True)
    energy = model.energy(False)
    (force,) = torch.autograd.grad(energy, model.position, create_graph=True)
    for _ in range(2):
        first = torch.autograd.grad(energy, model.parameters, retain_graph=True)
        found = torch.autograd.grad(force.square().sum(), model.parameters, retain_graph=True)
        for one, other in zip(wanted, found, strict=True):
            torch.testing.assert_close(one, other, **EXACT)
    for one, other in zip(torch.autograd.grad(model.energy(True), model.parameters), first, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_several_gradients_of_one_convolution(tfn_l2, computed):
    """Only one of them can be made with the convolution's own; the others are as before."""
    model = Model(tfn_l2)

    def gradients(composed):
        energy = model.energy(composed)
        twice = [
            torch.autograd.grad(each, model.position, create_graph=True)[0] for each in (energy, energy.exp())
        ]
        return torch.autograd.grad(sum(each.square().sum() for each in twice), model.parameters)

    for one, other in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(one, other, **EXACT)
    assert sorted(computed) == sorted(
        ["d_filter", "d_filter", "output", "d_input_weight", "output", "d_input_weight_along"]
    )


def test_leaves_get_theirs_too(tfn_l2):
    """`backward` fills every leaf's, positions among them."""
    model, found = Model(tfn_l2), []
    for composed in (True, False):
        energy = model.energy(composed, everything=True)
        (force,) = torch.autograd.grad(energy, model.position, create_graph=True)
        leaves = [*model.parameters, model.position]
        for leaf in leaves:
            leaf.grad = None
        force.square().sum().backward()
        found.append([leaf.grad.clone() for leaf in leaves])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_a_failing_pass_leaves_nothing_behind(tfn_l2):
    """What was left to a step that a pass never came to is not found by the next."""
    model = Model(tfn_l2)
    wanted = model.gradients(True)
    energy = model.energy(False)
    (force,) = torch.autograd.grad(energy, model.position, create_graph=True)

    def fail(*_):
        raise RuntimeError("on purpose")

    handle = model.sums[0].register_hook(fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        torch.autograd.grad(force.square().sum(), model.parameters, retain_graph=True)
    handle.remove()
    for one, other in zip(wanted, torch.autograd.grad(force.square().sum(), model.parameters), strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_operators_over_rows_do_it_too(tfn_l2, computed):
    """As models of other libraries call them (`tfngen.interop`)."""
    convolution, graph, y, features, weights = case(tfn_l2, "parity")
    packed = torch.cat([each.transpose(1, 2).flatten(1) for each in features.values()], dim=1)
    operands = [each.requires_grad_() for each in (y, packed, weights)]
    call = tfn_l2._package.fingerprint, convolution._numbers
    energy = convolve("output", *call, operands, graph.edges).sin().sum()
    (force,) = torch.autograd.grad(energy, y, create_graph=True)
    found = torch.autograd.grad(force.square().sum(), operands[1:])
    assert computed == ["output", "d_filter", "output", "d_input_weight_along"]

    features = {irrep: each.detach().requires_grad_() for irrep, each in features.items()}
    sums = convolution._composed(graph, y, Features(features), weights)
    energy = sum(each.sin().sum() for each in sums.values())
    (force,) = torch.autograd.grad(energy, y, create_graph=True)
    wanted = torch.autograd.grad(force.square().sum(), [*features.values(), weights])
    torch.testing.assert_close(found[1], wanted[-1], **EXACT)
    by_input = torch.cat([each.transpose(1, 2).flatten(1) for each in wanted[:-1]], dim=1)
    torch.testing.assert_close(found[0], by_input, **EXACT)


def test_passes_of_several_threads_over_one_graph_of_autograd(tfn_l2):
    """What one pass leaves is not taken by another that goes on at the same time."""
    model = Model(tfn_l2)
    wanted = model.gradients(True)
    energy = model.energy(False)
    (force,) = torch.autograd.grad(energy, model.position, create_graph=True)
    loss = force.square().sum()

    def again(_):
        return torch.autograd.grad(loss, model.parameters, retain_graph=True)

    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(again, range(40)):
            for one, other in zip(wanted, found, strict=True):
                torch.testing.assert_close(one, other, **EXACT)


def test_there_is_no_cycle_that_keeps_a_graph_of_autograd_alive(tfn_l2):
    import gc
    import weakref

    model = Model(tfn_l2)
    gc.collect()
    gc.disable()
    try:
        energy = model.energy(False, everything=True)
        (force,) = torch.autograd.grad(energy, model.position, create_graph=True)
        torch.autograd.grad(force.square().sum(), model.parameters)
        alive = weakref.ref(force)
        del energy, force
        assert alive() is None
    finally:
        gc.enable()
