"""A traced function gives what the function gives, from one program for every graph."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

import tfngen
from tfngen import nn
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

CUTOFF = 3.0


def layered(kernels):
    """Two layers, a basis and an envelope that both share."""
    torch.manual_seed(0)
    return nn.TensorFieldNetwork(
        "4x0e",
        "8x0e+4x1o",
        "1x0e",
        2,
        kernels=kernels,
        basis=nn.BesselBasis(4, CUTOFF),
        envelope=nn.PolynomialCutoff(CUTOFF),
        mean_neighbors=5.0,
        radial_hidden=8,
    )


def forces_by(network):
    def forces(positions, features, graph):
        positions = positions.detach().requires_grad_()
        energy = network(graph, positions, features)["0e"].sum()
        return energy.detach(), -torch.autograd.grad(energy, positions)[0]

    return forces


@pytest.fixture(scope="module")
def network(kernels):
    return layered(kernels)


@pytest.fixture(scope="module")
def forces_of(network):
    return forces_by(network)


@pytest.fixture(scope="module")
def traced_forces(forces_of):
    """One for all tests that need not know what has been recorded before them."""
    return tfngen.trace(forces_of)


def molecule(points, seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(points, 3, generator=generator, dtype=dtype) * points ** (1 / 3)
    features = Features({"0e": torch.randn(points, 4, 1, generator=generator, dtype=dtype)})
    return positions, features, Graph.from_points(positions, CUTOFF)


def test_energies_and_forces_of_any_molecule_come_from_one_program(forces_of):
    traced = tfngen.trace(forces_of)
    for points, seed in ((9, 0), (9, 1), (12, 2), (31, 3)):
        arguments = molecule(points, seed)
        for found, wanted in zip(traced(*arguments), forces_of(*arguments), strict=True):
            assert torch.equal(found, wanted)
    assert len(traced.programs) == 1


@pytest.mark.parametrize("points", [1, 2, 3, 4, 8])
def test_a_molecule_with_as_many_points_as_something_else_there_are(forces_of, traced_forces, points):
    """Sizes that are equal by accident, and 0 or 1, which torch takes apart."""
    for arguments in (molecule(points, 5), molecule(9, 6), molecule(points, 7)):
        for found, wanted in zip(traced_forces(*arguments), forces_of(*arguments), strict=True):
            assert torch.equal(found, wanted)


def test_edges_in_any_order_and_without_opposites(forces_of):
    traced = tfngen.trace(forces_of)
    positions, features, graph = molecule(12, 2)
    order = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(0))
    shuffled = Graph(graph.edge_index[:, order], 12)
    oneway = Graph(graph.edge_index[:, graph.source < graph.target], 12)
    for each in (graph, shuffled, oneway):
        wanted = forces_of(positions, features, each)
        for found, value in zip(traced(positions, features, each), wanted, strict=True):
            torch.testing.assert_close(found, value, rtol=2e-6, atol=2e-6)
    assert len(traced.programs) == 3


def test_a_crystal_and_its_stress(network):
    def stress(positions, features, graph, cell):
        strain = torch.zeros(3, 3, requires_grad=True)
        deformed = positions @ (torch.eye(3) + strain)
        energy = network(graph, deformed, features, cell @ (torch.eye(3) + strain))["0e"].sum()
        return torch.autograd.grad(energy, strain)[0]

    traced = tfngen.trace(stress)
    for seed in (0, 1):
        positions, features, _ = molecule(5, seed)
        cell = torch.eye(3) * 4 + 0.1 * torch.randn(3, 3, generator=torch.Generator().manual_seed(seed))
        graph = Graph.from_points(positions, CUTOFF, cell, True)
        torch.testing.assert_close(
            traced(positions, features, graph, cell), stress(positions, features, graph, cell)
        )
    assert len(traced.programs) == 1


def test_a_step_of_training_sees_the_steps_before(kernels):
    """The gradient of a loss on forces, by parameters that an optimiser changes in place."""
    torch.manual_seed(1)
    network = nn.TensorFieldNetwork(
        "4x0e", "4x0e+4x1o", "1x0e", 1, kernels=kernels, basis=nn.GaussianBasis(4, CUTOFF), radial_hidden=4
    )
    parameters = list(network.parameters())

    def gradient(positions, features, graph):
        positions = positions.detach().requires_grad_()
        energy = network(graph, positions, features)["0e"].sum()
        forces = -torch.autograd.grad(energy, positions, create_graph=True)[0]
        return torch.autograd.grad(forces.square().sum(), parameters, materialize_grads=True)

    traced, optimizer = tfngen.trace(gradient), torch.optim.SGD(parameters, 0.01)
    for seed in range(3):
        arguments = molecule(9, seed)
        wanted = gradient(*arguments)
        for parameter, found, value in zip(parameters, traced(*arguments), wanted, strict=True):
            torch.testing.assert_close(found, value, rtol=1e-5, atol=1e-5)
            parameter.grad = found
        optimizer.step()
    assert len(traced.programs) == 1


def test_parameters_that_move(kernels):
    torch.manual_seed(1)
    layer = nn.SelfInteraction("4x0e+2x1o", "3x0e+2x1o")
    traced = tfngen.trace(lambda features: layer(features))
    for dtype in (torch.float32, torch.float64, torch.float32):
        layer.to(dtype)
        features = Features(
            {"0e": torch.randn(5, 4, 1, dtype=dtype), "1o": torch.randn(5, 2, 3, dtype=dtype)}
        )
        found, wanted = traced(features), layer(features)
        assert found.irreps == wanted.irreps
        assert all(torch.equal(found[irrep], wanted[irrep]) for irrep in wanted)


def test_what_is_the_same_is_computed_once(traced_forces):
    program = traced_forces.program(*molecule(9, 0))
    assert program.code.count("= tfngen_bessel") == 2  # the basis and its slopes, once for both layers
    assert program.code.count("tfngen_edges(") == 1
    assert "detach" not in program.code
    assert "torch.ops.tfngen" not in program.code


def test_results_have_no_history_and_arguments_keep_theirs(traced_forces):
    positions, features, graph = molecule(9, 0)
    positions.requires_grad_()
    energy, forces = traced_forces(positions, features, graph)
    assert not energy.requires_grad
    assert not forces.requires_grad
    assert positions.requires_grad
    assert positions.grad is None


def test_an_argument_is_differentiated_by_where_it_comes_with_a_history():
    traced = tfngen.trace(lambda x: torch.autograd.grad(x.square().sum(), x)[0])
    x = torch.randn(5, requires_grad=True)
    torch.testing.assert_close(traced(x), 2 * x.detach())


def test_random_numbers_are_drawn_in_every_call_and_not_shared():
    traced = tfngen.trace(lambda x: (torch.rand_like(x), torch.rand_like(x)))
    (a, b), (c, _) = traced(torch.zeros(8)), traced(torch.zeros(8))
    assert not torch.equal(a, b)
    assert not torch.equal(a, c)


def test_changes_in_place_stay_in_order():
    def function(x):
        total = torch.zeros_like(x)
        first = total + 1
        total.add_(x)
        second = total + 1
        return first, second, total.detach()

    x = torch.randn(4)
    for found, wanted in zip(tfngen.trace(function)(x), function(x), strict=True):
        assert torch.equal(found, wanted)


class Pair(NamedTuple):
    left: torch.Tensor
    right: int


@dataclass
class Record:
    tensor: torch.Tensor
    name: str


def test_a_number_that_is_computed_with_but_not_looked_at():
    traced = tfngen.trace(lambda x: x * x.sum().item())
    for x in (torch.randn(5), torch.randn(5)):
        assert torch.equal(traced(x), x * x.sum().item())


def test_arguments_and_results_of_every_kind():
    def function(values, record, *, scale, flag=None):
        assert isinstance(record.tensor, FakeTensor) == (not flag)
        named = Record(record.tensor + 1, record.name)
        return {"pair": Pair(values["x"][0] * scale, 3), "record": named}, [flag]

    x, y = torch.randn(3), torch.randn(2, 2)
    found = tfngen.trace(function)({"x": (x,)}, Record(y, "a"), scale=2.5)
    wanted = function({"x": (x,)}, Record(y, "a"), scale=2.5, flag=True)
    assert torch.equal(found[0]["pair"].left, wanted[0]["pair"].left)
    assert found[0]["pair"].right == 3
    assert torch.equal(found[0]["record"].tensor, wanted[0]["record"].tensor)
    assert found[0]["record"].name == "a"
    assert found[1] == [None]


def test_numbers_are_part_of_what_is_recorded():
    traced = tfngen.trace(lambda x, scale: x * scale)
    x = torch.ones(3)
    assert [float(traced(x, scale)[0]) for scale in (2, 3.0, True, 2)] == [2, 3, 1, 2]
    assert len(traced.programs) == 3


def test_views_of_other_strides_have_programs_of_their_own():
    traced = tfngen.trace(lambda x: x.view(-1) if x.is_contiguous() else x + 1)
    x = torch.randn(3, 4)
    assert torch.equal(traced(x), x.view(-1))
    assert torch.equal(traced(x.T), x.T + 1)
    rows = torch.randn(9, 4)[3:6]
    assert torch.equal(traced(rows), rows.view(-1))
    assert len(traced.programs) == 2


def test_buffers_and_arguments_that_a_function_changes_are_changed_in_every_call():
    buffer, given = torch.zeros(3), torch.zeros(3)

    @tfngen.trace
    def count(x, given):
        total = torch.zeros_like(x)
        total.add_(x)
        buffer.add_(total)
        given.mul_(2).add_(1)
        return total * 2

    for calls in (1, 2, 3):
        assert torch.equal(count(torch.ones(3), given), torch.full((3,), 2.0))
        assert torch.equal(buffer, torch.full((3,), float(calls)))
        assert torch.equal(given, torch.full((3,), 2.0**calls - 1))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x if x.sum() > 0 else -x, "depends on the values"),
        (lambda x: x[: int(x.sum())] if x.sum().item() > 1 else x, "depends on the values"),
        (lambda x: object(), "result: got object"),
        (lambda x: (x, {1, 2}), r"result\[1\]: got set"),
    ],
)
def test_functions_that_cannot_be_recorded(function, message):
    with pytest.raises(ValueError, match=message):
        tfngen.trace(function)(torch.randn(3))


def test_an_argument_that_is_none_of_those():
    with pytest.raises(ValueError, match=r"arguments\[1\]: got object"):
        tfngen.trace(lambda x, y: x)(torch.randn(3), object())


def test_gradients_that_are_added_up_in_parameters_are_refused_and_left_alone():
    layer = torch.nn.Linear(3, 2)

    def step(x):
        layer(x).sum().backward()
        return x

    with pytest.raises(ValueError, match=r"torch\.autograd\.grad"):
        tfngen.trace(step)(torch.randn(4, 3))
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_whoever_watches_sees_the_function_itself():
    calls = []

    def function(x):
        calls.append(x)
        return x + 1

    traced = tfngen.trace(function)
    with FakeTensorMode() as mode:
        assert isinstance(traced(mode.from_tensor(torch.randn(3))), FakeTensor)
    assert torch.equal(torch.func.vmap(traced)(torch.zeros(2, 3)), torch.ones(2, 3))
    assert len(calls) == 2
    assert not traced.programs


def test_under_autocast_it_is_recorded_as_autocast_has_it():
    layer = torch.nn.Linear(8, 8)
    traced, x = tfngen.trace(layer.forward), torch.randn(4, 8)
    plain = traced(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = traced(x)
    assert plain.dtype == torch.float32
    assert half.dtype == torch.bfloat16
    assert traced(x).dtype == torch.float32


def test_many_threads_and_one_program(forces_of):
    traced, arguments = tfngen.trace(forces_of), molecule(9, 0)
    wanted, found = forces_of(*arguments), []
    threads = [threading.Thread(target=lambda: found.append(traced(*arguments))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(traced.programs) == 1
    assert all(torch.equal(result[1], wanted[1]) for result in found)


def test_as_a_decorator_it_keeps_its_name():
    @tfngen.trace
    def doubled(x: torch.Tensor) -> torch.Tensor:
        """Twice."""
        return 2 * x

    assert doubled.__name__ == "doubled"
    assert doubled.__doc__ == "Twice."
    assert "doubled" in repr(doubled)


def test_a_graph_lists_its_tensors_as_it_maps_them():
    positions, _, _ = molecule(6, 0)
    cell = 4 * torch.eye(3)
    for graph in (Graph.from_points(positions, CUTOFF), Graph.from_points(positions, CUTOFF, cell, True)):
        seen = []
        graph._map(lambda tensor, seen=seen: (seen.append(tensor), tensor)[1])
        assert len(seen) == len(graph._tensors)
        assert all(a is b for a, b in zip(seen, graph._tensors, strict=True))
