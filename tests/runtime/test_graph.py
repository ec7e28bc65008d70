"""Graphs: their sorts and row pointers, neighbours against brute force, and vectors along edges."""

from __future__ import annotations

import itertools
import pickle
import sys

import pytest
import torch

from tfngen.runtime.graph import MAX_SHIFT, Graph
from tfngen.runtime.segments import gather, sum_to_nodes


def random_graph(nodes: int = 7, edges: int = 40, seed: int = 0) -> Graph:
    """Repeated edges and self-loops included; the last node has no edges."""
    generator = torch.Generator().manual_seed(seed)
    return Graph(torch.randint(0, nodes - 1, (2, edges), generator=generator), nodes)


def edge_set(graph: Graph) -> list[tuple[int, ...]]:
    shifts = torch.zeros(graph.num_edges, 3, dtype=torch.int64) if graph.shifts is None else graph.shifts
    return sorted(map(tuple, torch.cat([graph.edge_index.T, shifts], dim=1).tolist()))


@pytest.mark.parametrize("side", ["by_target", "by_source"])
def test_row_pointers_delimit_each_nodes_edges(side: str) -> None:
    graph = random_graph()
    order = getattr(graph, side)
    assert order.num_rows == graph.num_nodes
    assert sorted(order.order.tolist()) == list(range(graph.num_edges))
    for node in range(graph.num_nodes):
        edges = order.order[order.row_pointers[node] : order.row_pointers[node + 1]]
        assert sorted(edges.tolist()) == (order.index == node).nonzero().flatten().tolist()
        assert order.counts[node] == len(edges)


def test_edges_sort_by_target_then_source_then_shift_then_order_given() -> None:
    generator = torch.Generator().manual_seed(1)
    edge_index = torch.randint(0, 3, (2, 60), generator=generator)
    shifts = torch.randint(-1, 2, (60, 3), generator=generator)
    graph = Graph(edge_index, 3, shifts=shifts)
    source, target = edge_index.tolist()
    keys = [(*shift, edge) for edge, shift in enumerate(shifts.tolist())]
    assert graph.by_target.order.tolist() == sorted(range(60), key=lambda e: (target[e], source[e], *keys[e]))
    assert graph.by_source.order.tolist() == sorted(range(60), key=lambda e: (source[e], target[e], *keys[e]))


def test_the_largest_shifts_sort_without_overflow() -> None:
    corners = torch.tensor(list(itertools.product((-MAX_SHIFT, 0, MAX_SHIFT), repeat=3)))
    shuffled = corners[torch.randperm(27, generator=torch.Generator().manual_seed(0))]
    graph = Graph(torch.zeros(2, 27, dtype=torch.int64), 1, shifts=shuffled)
    assert torch.equal(shuffled[graph.by_target.order], corners)


def test_sorted_graph_has_the_same_edges_and_sorts() -> None:
    graph = random_graph()
    sorted_graph = graph.sorted_by_target
    rebuilt = Graph(sorted_graph.edge_index, graph.num_nodes)
    assert edge_set(sorted_graph) == edge_set(graph)
    assert not graph.is_sorted
    assert sorted_graph.is_sorted
    assert rebuilt.is_sorted
    assert rebuilt.sorted_by_target is rebuilt
    for side in ("by_target", "by_source"):
        for field in ("index", "order", "row_pointers"):
            assert torch.equal(
                getattr(getattr(sorted_graph, side), field), getattr(getattr(rebuilt, side), field)
            )


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_indices_of_either_width_make_the_same_graph(dtype: torch.dtype) -> None:
    edge_index = torch.tensor([[0, 2, 1], [1, 0, 2]])
    graph = Graph(edge_index.to(dtype), 3, batch=torch.zeros(3, dtype=dtype))
    assert graph.source.dtype == graph.target.dtype == graph.by_graph.index.dtype == torch.int64
    assert torch.equal(graph.edge_index, edge_index)


def test_graphs_without_nodes_or_edges_exist() -> None:
    none = torch.empty(2, 0, dtype=torch.int64)
    for nodes in (0, 3):
        graph = Graph(none, nodes)
        assert graph.by_target.row_pointers.tolist() == [0] * (nodes + 1)
        assert graph.edge_vectors(torch.zeros(nodes, 3)).shape == (0, 3)
        assert graph.is_sorted


def test_graphs_pickle_and_print_briefly() -> None:
    graph = Graph.complete([2, 3])
    assert torch.equal(pickle.loads(pickle.dumps(graph)).edge_index, graph.edge_index)
    assert repr(graph) == "Graph(5 nodes, 8 edges, 2 graphs)"
    assert graph.to("cpu") is graph


# -- complete graphs and batches ------------------------------------------------------------------------


@pytest.mark.parametrize("self_loops", [False, True])
def test_complete_joins_every_pair_of_each_graph(self_loops: bool) -> None:
    graph = Graph.complete([3, 0, 1, 2], self_loops=self_loops)
    first = [0, 3, 3, 4, 6]
    expected = [
        (source, target)
        for begin, end in itertools.pairwise(first)
        for source in range(begin, end)
        for target in range(begin, end)
        if self_loops or source != target
    ]
    assert sorted(map(tuple, graph.edge_index.T.tolist())) == expected
    assert graph.num_graphs == 4
    assert graph.is_sorted
    assert Graph.complete(4, self_loops).num_edges == (16 if self_loops else 12)


def test_batch_is_the_disjoint_union() -> None:
    one, other = random_graph(4, 9), Graph.complete([2, 3])
    union = Graph.batch([one, other])
    assert (union.num_nodes, union.num_edges, union.num_graphs) == (9, 9 + 8, 3)
    assert torch.equal(union.edge_index, torch.cat([one.edge_index, other.edge_index + 4], dim=1))
    assert union.by_graph.index.tolist() == [0] * 4 + [1] * 2 + [2] * 3


def test_batching_open_and_periodic_graphs_keeps_all_vectors() -> None:
    generator = torch.Generator().manual_seed(2)
    molecule, crystal = (torch.rand(n, 3, generator=generator, dtype=torch.float64) for n in (4, 3))
    graphs = [
        Graph.from_points(molecule, 1.0),
        Graph.from_points(crystal, 1.2, cell=torch.eye(3, dtype=torch.float64)),
    ]
    union = Graph.batch(graphs)
    separate = [graph.edge_vectors(points) for graph, points in zip(graphs, (molecule, crystal), strict=True)]
    assert torch.equal(union.edge_vectors(torch.cat([molecule, crystal])), torch.cat(separate))


# -- neighbours -----------------------------------------------------------------------------------------


def brute_force(positions: torch.Tensor, cutoff: float, cell: torch.Tensor, repeats: list[bool], reach: int):
    """Every (source, target, shift) closer than the cutoff, by trying all images up to `reach` cells away."""
    ranges = [range(-reach, reach + 1) if periodic else range(1) for periodic in repeats]
    found = []
    for shift in itertools.product(*ranges):
        offset = torch.tensor(shift, dtype=positions.dtype) @ cell
        for source, target in itertools.product(range(len(positions)), repeat=2):
            if source == target and not any(shift):
                continue
            if (positions[target] - positions[source] - offset).norm() < cutoff:
                found.append((source, target, *shift))
    return sorted(found)


@pytest.mark.parametrize(
    ("repeats", "size", "reach"),
    [
        ([False] * 3, 1.0, 0),
        ([True] * 3, 1.0, 3),
        ([True] * 3, 0.4, 5),  # a cell smaller than the cutoff: points neighbour their own images
        ([True, False, True], 0.7, 4),
    ],
)
def test_neighbours_are_those_of_brute_force(repeats: list[bool], size: float, reach: int) -> None:
    generator = torch.Generator().manual_seed(3)
    skew = torch.tensor([[1.0, 0.1, 0.0], [-0.2, 1.1, 0.05], [0.1, 0.3, 0.9]], dtype=torch.float64)
    cell = size * skew
    # Twice as wide as the cell, so that some points lie outside.
    positions = 2 * torch.rand(5, 3, generator=generator, dtype=torch.float64) @ cell
    graph = Graph.from_points(positions, 0.9, cell=cell if any(repeats) else None, pbc=repeats)
    assert edge_set(graph) == brute_force(positions, 0.9, cell, repeats, reach)
    assert (graph.edge_vectors(positions).norm(dim=1) < 0.9).all()
    assert graph.is_sorted


def test_neighbours_of_an_unsorted_batch_are_those_of_each_graph_alone() -> None:
    generator = torch.Generator().manual_seed(4)
    positions = torch.rand(12, 3, generator=generator, dtype=torch.float64)
    batch = torch.tensor([2, 0, 2, 0, 3, 2, 0, 3, 3, 2, 0, 3])  # graph 1 has no points
    cells = torch.stack([(0.5 + 0.1 * graph) * torch.eye(3, dtype=torch.float64) for graph in range(4)])
    pbc = torch.tensor([[True] * 3, [True] * 3, [False] * 3, [True, True, False]])
    graph = Graph.from_points(positions, 0.6, cell=cells, pbc=pbc, batch=batch)
    expected = []
    for index in range(4):
        member = (batch == index).nonzero().flatten().tolist()
        alone = brute_force(positions[member], 0.6, cells[index], pbc[index].tolist(), 3)
        expected += [(member[source], member[target], *shift) for source, target, *shift in alone]
    assert edge_set(graph) == sorted(expected)
    assert graph.num_graphs == 4


def test_a_crystal_has_its_coordination_numbers() -> None:
    """Face-centred cubic, lattice constant 1: 12 neighbours at 1/√2, 6 more at 1; one atom per cell."""
    cell = 0.5 * torch.tensor([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=torch.float64)
    point = torch.zeros(1, 3, dtype=torch.float64)
    assert Graph.from_points(point, 0.8, cell=cell).num_edges == 12
    assert Graph.from_points(point, 1.1, cell=cell).num_edges == 18


def test_neighbours_without_points_and_with_one() -> None:
    for points in (0, 1):
        graph = Graph.from_points(torch.zeros(points, 3), 1.0)
        assert (graph.num_nodes, graph.num_edges, graph.shifts) == (points, 0, None)


# -- vectors --------------------------------------------------------------------------------------------


def test_edge_vectors_point_from_the_sources_image_to_the_target() -> None:
    """r_ab = r_a − r_b − S · cell (arXiv:1802.08219, eq. 3): worked by hand."""
    positions = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 4.0]])
    cell = torch.tensor([[10.0, 0.0, 0.0], [5.0, 10.0, 0.0], [0.0, 0.0, 10.0]])
    shifts = torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    graph = Graph(torch.tensor([[0, 0, 1], [1, 1, 1]]), 2, shifts=shifts, cell=cell)
    expected = torch.tensor([[1.0, 2.0, 4.0], [-4.0, -8.0, 4.0], [0.0, 0.0, 0.0]])
    assert torch.equal(graph.edge_vectors(positions), expected)
    assert torch.equal(graph.sorted_by_target.edge_vectors(positions), expected)


def test_edge_vectors_differentiate_by_positions_and_cell() -> None:
    generator = torch.Generator().manual_seed(5)
    positions = torch.rand(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    cell = torch.stack([torch.eye(3), 1.5 * torch.eye(3)]).double().requires_grad_()
    graph = Graph.from_points(positions, 1.0, cell=cell, batch=torch.tensor([0, 1, 0, 1]))
    assert graph.num_edges > 8
    torch.autograd.gradcheck(graph.edge_vectors, (positions, cell))
    # A sum of squares, because the vectors themselves are linear and have no second derivative.
    energy = lambda positions, cell: graph.edge_vectors(positions, cell).square().sum()  # noqa: E731
    torch.autograd.gradgradcheck(energy, (positions, cell))


def test_gather_and_sum_are_each_others_derivative() -> None:
    graph = random_graph()
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(graph.num_nodes, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    values = torch.randn(graph.num_edges, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    gathered, summed = gather(x, graph.by_source), sum_to_nodes(values, graph.by_source)
    assert torch.equal(gathered, x[graph.source])
    torch.testing.assert_close(summed, torch.zeros_like(x).index_add(0, graph.source, values))
    torch.testing.assert_close((gathered * values).sum(), (x * summed).sum())
    (by_x,) = torch.autograd.grad(gathered, x, values, create_graph=True)
    (by_values,) = torch.autograd.grad(summed, values, x, create_graph=True)
    assert torch.equal(by_x, summed)
    assert torch.equal(by_values, gathered)
    torch.autograd.gradgradcheck(lambda x: gather(x, graph.by_source), x)
    torch.autograd.gradgradcheck(lambda values: sum_to_nodes(values, graph.by_target), values)


def test_sums_do_not_depend_on_the_order_of_the_edges() -> None:
    generator = torch.Generator().manual_seed(7)
    edges = torch.cartesian_prod(torch.arange(30), torch.arange(30)).T
    values = torch.randn(900, 5, generator=generator)
    shuffle = torch.randperm(900, generator=generator)
    one = sum_to_nodes(values, Graph(edges, 30).by_target)
    other = sum_to_nodes(values[shuffle], Graph(edges[:, shuffle], 30).by_target)
    assert torch.equal(one, other)


# -- bad input ------------------------------------------------------------------------------------------

EDGES = torch.tensor([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph([[0], [1]], 2), "edge_index: a list"),
        (lambda: Graph(EDGES.float(), 2), "edge_index: dtype torch.float32"),
        (lambda: Graph(EDGES.bool(), 2), "edge_index: dtype torch.bool"),
        (lambda: Graph(torch.zeros(3, 2).int(), 2), r"edge_index: shape \(3, 2\); it must be \(2, edges\)"),
        (lambda: Graph(EDGES[0], 2), r"edge_index: shape \(2,\); it must be \(2, edges\)"),
        (lambda: Graph(EDGES, 1), r"edge_index: holds 1; with num_nodes = 1 it must be in \[0, 1\)"),
        (lambda: Graph(EDGES - 1, 2), "edge_index: holds -1"),
        (lambda: Graph(EDGES, -1), "num_nodes: -1"),
        (lambda: Graph(EDGES, 2.0), "num_nodes: 2.0"),
        (lambda: Graph(EDGES, True), "num_nodes: True"),
        (lambda: Graph(EDGES, 2, shifts=torch.zeros(2, 3)), "shifts: dtype torch.float32"),
        (lambda: Graph(EDGES, 2, shifts=torch.zeros(3, 3).int()), r"shifts: shape \(3, 3\)"),
        (lambda: Graph(EDGES, 2, shifts=torch.full((2, 3), 2**20)), "shifts: 1048576 cells"),
        (lambda: Graph(EDGES, 2, cell=torch.eye(2)), r"cell: shape \(2, 2\)"),
        (lambda: Graph(EDGES, 2, cell=torch.eye(3).int()), "cell: dtype torch.int32"),
        (lambda: Graph(EDGES, 2, cell=torch.zeros(2, 3, 3)), r"cell: shape \(2, 3, 3\)"),
        (lambda: Graph(EDGES, 2, batch=torch.zeros(3).int()), r"batch: shape \(3,\)"),
        (lambda: Graph(EDGES, 2, batch=torch.tensor([0, 1])), "batch: an edge joins two graphs"),
        (lambda: Graph(EDGES, 2, batch=torch.tensor([1, 1]), num_graphs=1), "batch: holds 1"),
        (lambda: Graph(EDGES, 2, batch=torch.tensor([-1, -1])), "batch: holds -1"),
        (lambda: Graph(EDGES, 2, num_graphs=2), "num_graphs: 2 without batch"),
        (
            lambda: Graph(EDGES, 2, shifts=torch.zeros(2, 3, device="meta").int()),
            "shifts: on meta; edge_index is on cpu",
        ),
        (lambda: Graph.batch([]), "graphs: there are none"),
        (lambda: Graph.complete(-1), "num_points: -1"),
        (lambda: Graph.complete([2, 1.5]), "num_points: 1.5"),
        (lambda: Graph.from_points(torch.zeros(2, 2), 1.0), r"positions: \(2, 2\)"),
        (lambda: Graph.from_points(torch.zeros(2, 3).int(), 1.0), "positions: dtype torch.int32"),
        (lambda: Graph.from_points(torch.full((2, 3), torch.nan), 1.0), "positions: some are not finite"),
        (lambda: Graph.from_points(torch.zeros(2, 3), 0.0), "cutoff: 0.0"),
        (lambda: Graph.from_points(torch.zeros(2, 3), torch.inf), "cutoff: inf"),
        (lambda: Graph.from_points(torch.zeros(2, 3), 1.0, pbc=True), "pbc: True without a cell"),
        (lambda: Graph.from_points(torch.zeros(2, 3), 1.0, torch.eye(3), [True]), r"pbc: \[True\]"),
        (lambda: Graph.from_points(torch.zeros(2, 3), 1.0, torch.zeros(3, 3)), "cell: .*independent"),
        (lambda: Graph.from_points(torch.zeros(2, 3), 1.0, batch=torch.zeros(1).int()), "batch: shape"),
        (lambda: Graph(EDGES, 2).edge_vectors(torch.zeros(3, 3)), r"positions: shape \(3, 3\)"),
        (lambda: Graph(EDGES, 2).edge_vectors(torch.zeros(2, 3).int()), "positions: dtype torch.int32"),
        (lambda: Graph(EDGES, 2).edge_vectors(torch.zeros(2, 3, device="meta")), "positions: on meta"),
        (
            lambda: Graph(EDGES, 2, shifts=torch.zeros(2, 3).int()).edge_vectors(torch.zeros(2, 3)),
            "cell: this graph has shifts but no cell",
        ),
        (lambda: gather(torch.zeros(3, 1), Graph(EDGES, 2).by_target), "x: shape .* the 2 nodes"),
        (lambda: sum_to_nodes(torch.zeros(3), Graph(EDGES, 2).by_target), "values: shape .* the 2 edges"),
        (
            lambda: sum_to_nodes(torch.zeros(2).half(), Graph(EDGES, 2).by_target),
            "values: dtype torch.float16",
        ),
        (lambda: gather(torch.zeros(2).int(), Graph(EDGES, 2).by_target), "x: dtype torch.int32"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_missing_vesin_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vesin", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tfngen\[experiments\]'"):
        Graph.from_points(torch.zeros(2, 3), 1.0)
