"""Sums over sources while threads take the tiles of targets in turn: the same bits, no waiting in vain."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tfngen import Graph
from tfngen.forms import FORM, TILE_EDGES
from tfngen.runtime.convolution_operators import compute
from tfngen.runtime.cpu import convolve
from tfngen.runtime.cpu.drive import cut_tiles
from tfngen.runtime.cpu.memory import address_of

NODES, EDGES = 60, 6000


@pytest.fixture
def threads():
    """Sets how many threads torch has, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def package(tfn_l2):
    return tfn_l2._package.fingerprint


@pytest.fixture(scope="module")
def plan(tfn_l2):
    return tuple(tfn_l2.Convolution("8x0e+8x1e+8x2e", "0e+1e+2e", "0e+1e+2e")._numbers)


def backward(package, plan, edges):
    """d_filter, d_input and d_weight, always of the same operands."""
    filters, inputs, weights, grads = plan[:4]
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "filter": (EDGES, filters),
        "input": (NODES, inputs),
        "weight": (edges.weight_rows, weights),
        "grad": (NODES, grads),
    }
    operands = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return compute(FORM["backward"], package, plan, operands, edges)


def some_graph():
    generator = torch.Generator().manual_seed(1)
    return Graph(torch.randint(0, NODES, (2, EDGES), generator=generator), NODES)


def launch_of(package, plan):
    return convolve._launch(package, "backward", plan, torch.float32)


@pytest.mark.parametrize("shared", [False, True])
def test_the_same_bits_whoever_has_which_turn(package, plan, threads, shared):
    """Blocks help each other out at their ends, with more threads than there are cores, too."""
    graph = some_graph()
    edges = graph.edges
    if shared:
        edges = edges.shared_by(graph.group_edges(torch.arange(EDGES) % 3, 3))
    assert launch_of(package, plan).blocks(edges) > 1
    found = []
    for count in (1, 2, 3, 8):
        threads(count)
        found += [backward(package, plan, edges) for _ in range(5)]
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert torch.equal(one, two)


def test_there_are_as_many_blocks_however_many_threads(package, plan, threads):
    edges, found = some_graph().edges, set()
    for count in (1, 2, 7):
        threads(count)
        found.add(launch_of(package, plan).blocks(edges))
    assert len(found) == 1


@pytest.mark.parametrize("at", [0, EDGES // 2, EDGES - 1])
def test_a_fault_leaves_nobody_waiting(package, plan, threads, at):
    """A source that is no node, at the beginning, in the middle and at the end of the order."""
    threads(3)
    edges = some_graph().edges
    sources = edges.sources.clone()
    sources[edges.by_target.order[at]] = NODES
    with pytest.raises(ValueError, match="neighbors: holds an index out of range"):
        backward(package, plan, edges._replace(sources=sources))


def test_a_copy_of_a_graph_does_not_look_at_the_tiles_of_another(package, plan):
    """What was kept with the edges' order came with a copy; the addresses in it are those of the original."""
    edges = some_graph().edges
    expected = backward(package, plan, edges)
    order = edges.by_target.order
    order._tfngen_jobs = {
        key: (graph, job, tiles if tiles is None else tiles.copy())
        for key, (graph, job, tiles) in order._tfngen_jobs.items()
    }
    before = [job for _, job, _ in order._tfngen_jobs.values()]
    for one, two in zip(expected, backward(package, plan, edges), strict=True):
        assert torch.equal(one, two)
    assert all(job is not old for (_, job, _), old in zip(order._tfngen_jobs.values(), before, strict=True))


def tiles_of(pointers, edges, most):
    tiles = np.empty((len(pointers) + edges // most, 4), dtype=np.int64)
    count, table = array("q", [0]), array("q", pointers)
    addresses = address_of(tiles), count.buffer_info()[0]
    cut_tiles(table.buffer_info()[0], len(pointers) - 1, edges, most, *addresses)
    return count[0], tiles[: max(count[0], 0)].tolist()


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=300), st.integers(1, 50))
def test_tiles_are_whole_nodes_or_pieces_of_one(degrees, most):
    pointers = [0, *np.cumsum(degrees).tolist()]
    count, tiles = tiles_of(pointers, pointers[-1], most)
    assert count == len(tiles)
    assert [edge for *_, begin, end in tiles for edge in range(begin, end)] == list(range(pointers[-1]))
    assert {node for first, after, *_ in tiles for node in range(first, after)} == set(range(len(degrees)))
    for first, after, begin, end in tiles:
        assert end - begin <= most
        assert 1 <= after - first <= TILE_EDGES
        whole = (begin, end) == (pointers[first], pointers[after])
        assert whole or (after == first + 1 and pointers[first] <= begin < end <= pointers[after])
        assert whole or begin == pointers[first] or (begin - pointers[first]) % most == 0


@pytest.mark.parametrize("pointers", [[0, 5, 3, 9], [1, 5, 9], [0, 4, 8], [0, 4, 10], [-1, 4, 9]])
def test_pointers_that_do_not_ascend_to_all_edges_are_not_cut(pointers):
    assert tiles_of(pointers, 9, 4) == (-1, [])
