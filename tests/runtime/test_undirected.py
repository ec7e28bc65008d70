"""Pairs of opposite edges: (b → a, shift) with (a → b, −shift), repeated edges one to one."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter

import pytest
import torch

from tfngen.runtime.graph import MAX_SHIFT, Graph

Edge = tuple[int, int, tuple[int, ...]]


def random_graph(periodic: bool, nodes: int = 5, pairs: int = 40, seed: int = 0) -> Graph:
    """Both directions of random edges, shuffled; edges repeat, loop, and loop to images of their own."""
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randint(0, nodes, (2, pairs), generator=generator)
    shifts = torch.randint(-1, 2, (pairs, 3), generator=generator) * periodic
    loops = (ends[0] == ends[1]) & ~shifts.any(1)  # their own opposites
    edges = torch.cat([ends, ends.flip(0)[:, ~loops]], dim=1)
    shifts = torch.cat([shifts, -shifts[~loops]])
    shuffle = torch.randperm(edges.shape[1], generator=generator)
    return Graph(edges[:, shuffle], nodes, shifts=shifts[shuffle] if periodic else None)


def listed(graph: Graph) -> list[Edge]:
    shifts = torch.zeros(graph.num_edges, 3).long() if graph.shifts is None else graph.shifts
    return list(zip(*graph.edge_index.tolist(), map(tuple, shifts.tolist()), strict=True))


def opposite(edge: Edge) -> Edge:
    source, target, shift = edge
    return target, source, tuple(-cells for cells in shift)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("periodic", [False, True])
def test_every_edge_is_in_one_pair_with_its_opposite(periodic: bool, seed: int) -> None:
    graph = random_graph(periodic, seed=seed)
    edges, pairs = listed(graph), graph.undirected
    assert len(set(edges)) < len(edges), "some repeat"
    assert any(source == target for source, target, _ in edges), "some loop"
    by_pair = pairs.by_pair
    assert by_pair.num_rows == pairs.num_pairs == len(pairs.representative)
    for pair, members in enumerate(by_pair.order.split(by_pair.counts.tolist())):
        first, *rest = members.tolist()
        assert first == pairs.representative[pair]
        assert [edges[edge] for edge in rest] == [opposite(edges[first])] * (
            edges[first] != opposite(edges[first])
        )
        assert by_pair.index[members].eq(pair).all()
    assert sorted(by_pair.order.tolist()) == list(range(graph.num_edges))
    for tensor in (by_pair.index, by_pair.order, by_pair.row_pointers, pairs.representative):
        assert tensor.dtype == torch.int64


@pytest.mark.parametrize("periodic", [False, True])
def test_pairs_are_numbered_by_target_whatever_the_order_of_the_edges(periodic: bool) -> None:
    graph = random_graph(periodic)
    shuffle = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(9))
    shuffled = Graph(graph.edge_index[:, shuffle], 5, shifts=graph.shifts[shuffle] if periodic else None)
    for each in (graph, shuffled):
        rank = torch.argsort(each.by_target.order)
        assert (rank[each.undirected.representative].diff() > 0).all()
        assert (rank[each.undirected.representative][each.undirected.by_pair.index] <= rank).all()
    edges, again = listed(graph), listed(shuffled)
    assert [edges[e] for e in graph.undirected.representative] == [
        again[e] for e in shuffled.undirected.representative
    ]
    assert [edges[e] for e in graph.undirected.by_pair.order] == [
        again[e] for e in shuffled.undirected.by_pair.order
    ]


def test_repeated_edges_match_one_to_one_in_the_order_given() -> None:
    """0 → 1 three times and 1 → 0 three times, a loop at 0 twice: by hand."""
    graph = Graph(torch.tensor([[0, 1, 0, 0, 1, 1, 0, 0], [1, 0, 0, 1, 0, 0, 1, 0]]), 2)
    pairs = graph.undirected
    assert pairs.representative.tolist() == [2, 7, 1, 4, 5]
    assert pairs.by_pair.index.tolist() == [2, 2, 0, 3, 3, 4, 4, 1]
    assert pairs.by_pair.order.tolist() == [2, 7, 1, 0, 4, 3, 5, 6]
    assert pairs.by_pair.row_pointers.tolist() == [0, 1, 2, 4, 6, 8]


def test_a_loop_pairs_with_the_image_on_the_other_side() -> None:
    shifts = torch.tensor([[0, 0, 1], [1, -1, 0], [0, 0, 0], [0, 0, -1], [-1, 1, 0]])
    pairs = Graph(torch.zeros(2, 5).long(), 1, shifts=shifts).undirected
    assert pairs.representative.tolist() == [4, 3, 2]
    assert pairs.by_pair.index.tolist() == [1, 0, 2, 1, 0]


def test_the_largest_shifts_pair() -> None:
    corners = torch.tensor(list(itertools.product((-MAX_SHIFT, -1, 0, 1, MAX_SHIFT), repeat=3)))
    pairs = Graph(torch.zeros(2, 125).long(), 1, shifts=corners).undirected
    assert pairs.num_pairs == 63
    both = corners[pairs.by_pair.order[:-1]].reshape(62, 2, 3)
    assert torch.equal(both[:, 0], -both[:, 1])


@pytest.mark.parametrize(
    ("edges", "shifts"),
    [
        ([(0, 1)], None),
        ([(0, 1), (1, 2), (2, 0)], None),  # as many edges into each node as out of it
        ([(0, 1), (0, 1), (1, 0)], None),
        ([(0, 1), (1, 0), (1, 2)], None),
        ([(0, 1), (1, 0)], [(0, 0, 1), (0, 0, 1)]),
        ([(0, 1), (1, 0)], [(0, 0, 1), (0, 0, 0)]),
        ([(0, 0)], [(1, 0, 0)]),
        ([(0, 0), (0, 0), (0, 0)], [(1, 0, 0), (1, 0, 0), (-1, 0, 0)]),
    ],
)
def test_a_graph_with_an_edge_one_way_has_no_pairs(edges: list, shifts: list | None) -> None:
    shifts = None if shifts is None else torch.tensor(shifts)
    graph = Graph(torch.tensor(edges).T, 3, shifts=shifts)
    assert graph.undirected is None
    assert graph.sorted_by_target.undirected is None
    assert graph.to("meta").undirected is None
    assert Graph.batch([graph, Graph.complete(2)]).undirected is None


def test_losing_any_edge_but_a_loop_loses_the_pairs() -> None:
    graph = random_graph(True, pairs=12)
    for lost, edge in enumerate(listed(graph)):
        kept = torch.arange(graph.num_edges) != lost
        rest = Graph(graph.edge_index[:, kept], 5, shifts=graph.shifts[kept])
        assert (rest.undirected is None) == (edge != opposite(edge))


def test_neighbours_and_complete_graphs_come_in_pairs() -> None:
    positions = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for graph in (
        Graph.complete([4, 0, 2]),
        Graph.complete(3, self_loops=True),
        Graph.from_points(positions, 0.7),
        Graph.from_points(positions, 1.2, cell=0.8 * torch.eye(3), pbc=[True, False, True]),
        Graph(torch.empty(2, 0).long(), 3),
        Graph(torch.empty(2, 0).long(), 0),
    ):
        counts = Counter(listed(graph))
        loops = sum(counts[edge] for edge in counts if edge == opposite(edge))
        assert 2 * graph.undirected.num_pairs == graph.num_edges + loops


def test_both_edges_of_a_pair_have_one_length_in_every_bit() -> None:
    generator = torch.Generator().manual_seed(2)
    graph = random_graph(True)
    cell = torch.randn(3, 3, generator=generator)
    vectors = graph.edge_vectors(torch.randn(5, 3, generator=generator), cell)
    lengths = vectors.square().sum(1)
    representatives = lengths[graph.undirected.representative]
    assert torch.equal(representatives[graph.undirected.by_pair.index], lengths)


@pytest.mark.parametrize("periodic", [False, True])
def test_sorted_copied_and_moved_graphs_keep_their_pairs(periodic: bool) -> None:
    graph = random_graph(periodic)
    rebuilt = graph.sorted_by_target
    rebuilt = Graph(rebuilt.edge_index, 5, shifts=rebuilt.shifts)
    for one, other in (
        (graph.sorted_by_target.undirected, rebuilt.undirected),
        (pickle.loads(pickle.dumps(graph)).undirected, graph.undirected),
    ):
        assert torch.equal(one.representative, other.representative)
        for field in ("index", "order", "row_pointers"):
            assert torch.equal(getattr(one.by_pair, field), getattr(other.by_pair, field))
    moved = graph.to("meta").undirected
    for tensor in (
        moved.representative,
        moved.by_pair.index,
        moved.by_pair.order,
        moved.by_pair.row_pointers,
    ):
        assert tensor.device.type == "meta"


def test_a_batch_has_the_pairs_of_its_graphs_one_after_the_other() -> None:
    graphs = [random_graph(True, seed=1), Graph.complete(3), random_graph(False, seed=2)]
    union = Graph.batch(graphs).undirected
    edges = pairs = 0
    for graph in graphs:
        part, alone = slice(edges, edges + graph.num_edges), graph.undirected
        assert torch.equal(union.by_pair.index[part], alone.by_pair.index + pairs)
        assert torch.equal(
            union.representative[pairs : pairs + alone.num_pairs], alone.representative + edges
        )
        edges, pairs = part.stop, pairs + alone.num_pairs
    assert union.num_pairs == pairs
