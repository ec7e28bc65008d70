"""Radial functions once for both directions of an edge: the same numbers, for half the work."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.reference import assert_same_bits, largest_difference, random_features
from tfngen.nn import (
    BesselBasis,
    Convolution,
    GaussianBasis,
    Geometry,
    PolynomialCutoff,
    Pooling,
    TensorFieldNetwork,
)
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

CUTOFF, IN = 2.0, "2x0e+1x1o"
CELL = torch.tensor([[1.1, 0.1, 0.0], [-0.2, 1.3, 0.0], [0.1, 0.3, 1.5]], dtype=torch.float64)


def points(count: int) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def periodic_graph() -> Graph:
    """Points beside their own images, and three of the pairs twice."""
    once = Graph.from_points(points(3), 1.4, cell=CELL)
    assert (once.source == once.target).any()
    listed = torch.cat([torch.arange(once.num_edges), once.undirected.by_pair.order[:6]])
    return Graph(once.edge_index[:, listed], 3, shifts=once.shifts[listed], cell=CELL)


GRAPHS = {
    "open": lambda: Graph.from_points(points(5), CUTOFF),
    "with loops": lambda: Graph.complete(4, self_loops=True),
    "periodic": periodic_graph,
}


def convolution(kernels: Kernels) -> Convolution:
    torch.manual_seed(1)
    basis = BesselBasis(4, CUTOFF)
    layer = Convolution(
        IN, "0e+1o", "0e+1o", kernels=kernels, basis=basis, hidden=8, envelope=PolynomialCutoff(CUTOFF)
    )
    return layer.double()


def evaluations(model: torch.nn.Module) -> list[int]:
    """How many distances each radial network of `model` is given, from now on."""
    rows: list[int] = []
    for module in model.modules():
        if isinstance(module, Convolution):
            module.radial.register_forward_hook(lambda _, arguments, result: rows.append(len(result)))
    return rows


@pytest.mark.parametrize("graph", GRAPHS)
def test_radial_functions_are_computed_once_per_pair(kernels: Kernels, graph: str) -> None:
    graph = GRAPHS[graph]()
    layer = convolution(kernels)
    rows = evaluations(layer)
    features, positions = random_features(IN, graph.num_nodes), points(graph.num_nodes)
    geometry = Geometry.measure(graph, positions, kernels)
    assert geometry.distances.shape == (graph.num_edges,)
    layer(graph, features, geometry)
    layer(graph, features, Geometry(geometry.distances, geometry.harmonics))  # that come in pairs is not said
    assert rows == [graph.undirected.num_pairs, graph.num_edges]
    assert rows[0] < rows[1]


def test_radial_functions_of_a_directed_graph_are_computed_per_edge(kernels: Kernels) -> None:
    complete = Graph.complete(5)
    directed = Graph(complete.edge_index[:, 1:], 5)
    model = TensorFieldNetwork(IN, IN, IN, kernels=kernels, basis=BesselBasis(4, CUTOFF)).double()
    rows = evaluations(model)
    for graph in (complete, directed):
        model(graph, points(5), random_features(IN, 5))
    assert rows == [10, 10, 19, 19]


@pytest.mark.parametrize("graph", GRAPHS)
def test_values_forces_and_their_training_are_those_without_pairs(kernels: Kernels, graph: str) -> None:
    """By positions, cell and parameters, and the parameters' derivatives of the squared force."""
    graph = GRAPHS[graph]()
    layer = convolution(kernels)
    features = random_features(IN, graph.num_nodes)
    results = []
    for in_pairs in (True, False):
        positions = points(graph.num_nodes).requires_grad_()
        cell = CELL.clone().requires_grad_() if graph.shifts is not None else None
        geometry = Geometry.measure(graph, positions, kernels, cell)
        if not in_pairs:
            geometry = dataclasses.replace(geometry, pairs=None)
        result = layer(graph, features, geometry).packed()
        motions = [positions] if cell is None else [positions, cell]
        first = torch.autograd.grad(result.sin().sum(), motions, create_graph=True)
        trained = [*layer.radial.parameters(), *motions]
        second = torch.autograd.grad(sum(each.square().sum() for each in first), trained)
        results.append((result, *first, *second))
    for one, other in zip(*results, strict=True):
        # float64 sums of some hundred terms, in another order
        assert (one - other).abs().max() <= 1e-12 * other.abs().max().clamp(min=1.0)
        assert other.abs().max() > 1e-3


@pytest.mark.parametrize("graph", GRAPHS)
def test_forces_and_their_derivatives_are_those_of_the_energy(kernels: Kernels, graph: str) -> None:
    graph, layer = GRAPHS[graph](), convolution(kernels)
    features = random_features(IN, graph.num_nodes)

    def energy(positions: torch.Tensor) -> torch.Tensor:
        return layer(graph, features, Geometry.measure(graph, positions, kernels)).packed().sin().sum()

    positions = points(graph.num_nodes).requires_grad_()
    torch.autograd.gradcheck(energy, positions)
    torch.autograd.gradgradcheck(energy, positions)


@pytest.mark.parametrize("graph", GRAPHS)
def test_nothing_depends_on_the_order_of_edges_in_any_bit(kernels: Kernels, graph: str) -> None:
    """float32; values, forces, and the derivatives of the squared force by all parameters."""
    graph = GRAPHS[graph]()
    torch.manual_seed(2)
    model = TensorFieldNetwork(IN, IN, "1x0e", kernels=kernels, basis=BesselBasis(4, CUTOFF), radial_hidden=8)
    features = random_features(IN, graph.num_nodes, torch.float32)
    shuffle = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(3))
    shifts = None if graph.shifts is None else graph.shifts[shuffle]
    shuffled = Graph(graph.edge_index[:, shuffle], graph.num_nodes, shifts=shifts, cell=graph.cell)
    results = []
    for listed in (graph, shuffled, graph):
        positions = points(graph.num_nodes).float().requires_grad_()
        energy = Pooling()(listed, model(listed, positions, features))["0e"].sum()
        (force,) = torch.autograd.grad(energy, positions, create_graph=True)
        loss = force.square().sum() + energy
        results.append((energy, force, *torch.autograd.grad(loss, list(model.parameters()))))
    for other in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(results[0], other, strict=True))


def test_layers_alone_give_each_edge_its_pairs_weights(kernels: Kernels) -> None:
    """Without sorting the edges first, and for any harmonics."""
    graph = Graph.from_points(points(5), CUTOFF)
    shuffle = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(4))
    shuffled = Graph(graph.edge_index[:, shuffle], 5)
    layer, features = convolution(kernels), random_features(IN, 5)

    def convolved(graph: Graph) -> Features:
        return layer(graph, features, Geometry.measure(graph, points(5), kernels))

    assert_same_bits(convolved(graph), convolved(shuffled))


def test_a_batch_with_a_directed_graph_gives_each_graphs_own_result(kernels: Kernels) -> None:
    layer = convolution(kernels)
    complete = Graph.complete(3)
    graphs = [complete, Graph(complete.edge_index[:, 1:], 3)]
    alone = []
    for graph in graphs:
        alone.append(layer(graph, random_features(IN, 3), Geometry.measure(graph, points(3), kernels)))
    union = Graph.batch(graphs)
    geometry = Geometry.measure(union, torch.cat([points(3)] * 2), kernels)
    together = layer(union, Features.cat_points([random_features(IN, 3)] * 2), geometry)
    assert largest_difference(together, Features.cat_points(alone)) < 1e-13


def test_other_lengths_are_not_taken_for_those_before():
    geometry = Geometry(torch.tensor([1.0, 2.0]), torch.zeros(2, 1))
    basis = GaussianBasis(3, 2.0)
    assert geometry.of_lengths(basis) is geometry.of_lengths(basis)
    moved = dataclasses.replace(geometry, distances=torch.tensor([0.5, 1.5]))
    assert torch.equal(moved.of_lengths(basis), basis(moved.distances))


def test_what_was_computed_without_a_history_is_computed_again_with_one():
    distances = torch.tensor([1.0, 2.0], requires_grad=True)
    geometry, basis = Geometry(distances, torch.zeros(2, 1)), GaussianBasis(3, 2.0)
    with torch.no_grad():
        geometry.of_lengths(basis)
    assert geometry.of_lengths(basis).requires_grad
