"""Drive the kernels of all paths over a graph from machine code, one tile after another.

With many channels the weights are most of what a convolution reads, and each path reads its own small part
of every edge's. A whole pass over the graph per path would find that part far from the processor each time;
a tile is few enough edges that their weights wait in the second-level cache while every path takes its turn,
and the kernels ask for the next tile's as they go.

A tile is whole nodes, or a piece of one node with more edges than a tile has: pieces are counted from the
node's first edge, so what a node sums, and in which order, depends neither on threads nor on other nodes.
"""

from __future__ import annotations

from enum import IntEnum

from numba import njit

from tfngen.forms import AHEAD, EDGE_STRIDE, TILE_EDGES, Tile
from tfngen.runtime.cpu.index import call_kernel, clear, copy_number, load_index, store_index
from tfngen.runtime.cpu.kernel import kernel

TILE_BYTES = 2**18
"""The weights of one tile, and what is written in their shape; two tiles fit the second-level cache."""


class Job(IntEnum):
    """What there is to do, as a table of integers; arrays are their addresses, rows counted in elements."""

    PARTS = 0
    """They are done independently; behind `BASES` come the first node of each and the end of the last."""
    EDGE_POINTERS = 1
    """Where each node's edges begin in `ORDER`."""
    ORDER = 2
    """The edges, node by node."""
    NUM_EDGES = 3
    NEIGHBORS = 4
    """The node at the other end of each edge."""
    NEIGHBOR_ROW = 5
    NODE_SUMS = 6
    """The result with a row per node, or 0: its rows are set to zero before they are added to."""
    NODE_ROW = 7
    FILTERS = 8
    FILTER_ROW = 9
    COMPONENTS = 10
    """The filter's length; those of its tangents and derivatives are the same."""
    FILTER_TANGENTS = 11
    FILTER_TANGENT_ROW = 12
    D_FILTERS = 13
    """The result with a filter's row per edge, or 0."""
    WEIGHT_ROW = 14
    WEIGHT_INDEX = 15
    """The row of weights each edge has, or 0: then it is the edge's own."""
    EDGE_ROW = 16
    """The length of a row of weights in a result."""
    MOST_EDGES = 17
    """How many edges a tile may have."""
    CALLS = 18
    """A table for each path, one behind the other: a kernel's address, and what it is called with, arrays as
    offsets in bytes from those in `BASES`."""
    CALL_COUNT = 19
    CALL_LENGTH = 20
    SCRATCH = 21
    """Room for a tile and its arrays, part after part."""
    SCRATCH_LENGTH = 22
    """The integers of scratch in one part."""
    ITEMSIZE = 23
    """Bytes of a number, 4 or 8."""
    NUM_NODES = 24
    WEIGHT_ROWS = 25
    """How many rows of weights there are."""
    WRITING = 26
    """How derivatives by weights are written, a `Writing`."""
    CALLS_AT = 27
    """Where in a part's scratch the tables of `CALLS` are, once they hold addresses."""
    COPY_ROWS = 28
    """Where edges share derivatives by weights, each part has a copy of them; the rows of one, else 0."""
    FAULT = 29
    """Which table held an index out of range, as a field of this one; 0 while none has."""


BASES = len(Job)
"""What is added to each column of `CALLS`, behind the job's fields: the address of an array, or 0."""
POINTERS_AT = len(Tile)
NEIGHBORS_AT = POINTERS_AT + TILE_EDGES + 1
WEIGHTS_AT = NEIGHBORS_AT + TILE_EDGES + AHEAD
EDGES_AT = WEIGHTS_AT + 2 * TILE_EDGES + AHEAD
D_FILTERS_AT = EDGES_AT + TILE_EDGES
FILTERS_AT = D_FILTERS_AT + TILE_EDGES
"""Where in a part's scratch, in integers, the tile's arrays begin; behind filters, their tangents."""


def scratch_length(components: int, couplings: int, itemsize: int) -> int:
    """The integers of scratch that a part needs ahead of its calls."""
    return FILTERS_AT + (2 * components + couplings) * EDGE_STRIDE * itemsize // 8


@kernel
def drive(first, last, job):
    """Do the parts first ≤ part < last of `job`: the address of a table as `Job` describes it."""
    pointers = load_index(job, Job.EDGE_POINTERS)
    most_edges = load_index(job, Job.MOST_EDGES)
    parts = BASES + load_index(job, Job.CALL_LENGTH)
    for part in range(first, last):
        tile = load_index(job, Job.SCRATCH) + 8 * part * load_index(job, Job.SCRATCH_LENGTH)
        calls = tile + 8 * load_index(job, Job.CALLS_AT)
        _place(job, calls)
        node = load_index(job, parts + part)
        stop = load_index(job, parts + part + 1)
        begin = load_index(pointers, node)
        while node < stop:
            after = node + 1
            end = load_index(pointers, after)
            if begin == load_index(pointers, node):
                while after < stop and after - node < TILE_EDGES:
                    next_end = load_index(pointers, after + 1)
                    if next_end - begin > most_edges:
                        break
                    after, end = after + 1, next_end
                _clear_sums(job, node, after)
            fault = 0
            if begin < 0 or end < begin or end > load_index(job, Job.NUM_EDGES):
                fault = Job.EDGE_POINTERS.value
            else:
                end = min(end, begin + most_edges)
                fault = _lay_out(job, tile, part, node, after, begin, end)
            if fault:
                store_index(job, Job.FAULT, fault)
                return
            _call_kernels(job, tile, calls)
            if end == load_index(pointers, after):
                node = after
            begin = end


@njit(inline="always")
def _place(job, calls):
    """Turn offsets into addresses."""
    offsets, length = load_index(job, Job.CALLS), load_index(job, Job.CALL_LENGTH)
    for call in range(load_index(job, Job.CALL_COUNT)):
        for column in range(length):
            at = call * length + column
            store_index(calls, at, load_index(offsets, at) + load_index(job, BASES + column))


@njit(inline="always")
def _clear_sums(job, node, after):
    """Begin the sums of the nodes node ≤ … < after at zero."""
    sums = load_index(job, Job.NODE_SUMS)
    row = load_index(job, Job.NODE_ROW) * load_index(job, Job.ITEMSIZE)
    if sums:
        clear(sums + node * row, (after - node) * row)


@njit(inline="always")
def _lay_out(job, tile, part, node, after, begin, end):
    """Make the tile of the edges begin ≤ … < end of the order, which belong to node ≤ … < after.

    Returns the field of a table that holds an index out of range, else 0: nothing outside an array is read.
    """
    edges, size = end - begin, load_index(job, Job.ITEMSIZE)
    neighbors, weights = tile + 8 * NEIGHBORS_AT, tile + 8 * WEIGHTS_AT
    rows, d_filter_rows, filters = tile + 8 * EDGES_AT, tile + 8 * D_FILTERS_AT, tile + 8 * FILTERS_AT
    components, d_filters = load_index(job, Job.COMPONENTS), load_index(job, Job.D_FILTERS)
    length = components * EDGE_STRIDE * size
    tangents, couplings = filters + length, filters + 2 * length
    store_index(tile, Tile.FIRST, node)
    store_index(tile, Tile.LAST, after)
    store_index(tile, Tile.EDGES, edges)
    store_index(tile, Tile.NODE_ROW, load_index(job, Job.NODE_ROW))
    store_index(tile, Tile.EDGE_POINTERS, tile + 8 * POINTERS_AT)
    store_index(tile, Tile.NEIGHBOR_ROWS, neighbors)
    store_index(tile, Tile.WEIGHT_ROWS, weights)
    store_index(tile, Tile.EDGE_ROWS, rows)
    store_index(tile, Tile.FILTERS, filters)
    store_index(tile, Tile.FILTER_TANGENTS, tangents)
    store_index(tile, Tile.D_FILTER_ROWS, d_filter_rows)
    store_index(tile, Tile.COUPLINGS, couplings)
    store_index(tile, Tile.WRITING, load_index(job, Job.WRITING))

    pointers = load_index(job, Job.EDGE_POINTERS)
    previous = load_index(pointers, node)
    for each in range(node, after + 1):
        at = load_index(pointers, each)
        if at < previous:
            return Job.EDGE_POINTERS.value
        store_index(tile, POINTERS_AT + each - node, min(max(at, begin), end) - begin)
        previous = at
    order, last_edge = load_index(job, Job.ORDER), load_index(job, Job.NUM_EDGES) - 1
    index, weight_row = load_index(job, Job.WEIGHT_INDEX), load_index(job, Job.WEIGHT_ROW)
    copy_rows = load_index(job, Job.COPY_ROWS)
    for at in range(max(2 * edges, edges + AHEAD)):
        edge = load_index(order, min(begin + at, last_edge))
        if edge < 0 or edge > last_edge:
            return Job.ORDER.value
        row = load_index(index, edge) if index else edge
        if row < 0 or row >= load_index(job, Job.WEIGHT_ROWS):
            return Job.WEIGHT_INDEX.value
        store_index(weights, at, row * weight_row)
        if at < edges + AHEAD:
            neighbor = load_index(load_index(job, Job.NEIGHBORS), edge)
            if neighbor < 0 or neighbor >= load_index(job, Job.NUM_NODES):
                return Job.NEIGHBORS.value
            store_index(neighbors, at, neighbor * load_index(job, Job.NEIGHBOR_ROW))
        if at < edges:
            own = part * copy_rows + row if copy_rows else edge
            store_index(rows, at, own * load_index(job, Job.EDGE_ROW))
            _turn(job, Job.FILTERS, filters, at, edge)
            _turn(job, Job.FILTER_TANGENTS, tangents, at, edge)
            if d_filters:
                store_index(d_filter_rows, at, edge * components)
                clear(d_filters + edge * components * size, components * size)
    return 0


@njit(inline="always")
def _turn(job, field, to, at, edge):
    """Put the components of an edge's filter among those of the tile's other edges, if there are any."""
    filters, row = load_index(job, field), load_index(job, field + 1)
    size = load_index(job, Job.ITEMSIZE)
    if filters:
        for component in range(load_index(job, Job.COMPONENTS)):
            origin = filters + (edge * row + component) * size
            copy_number(to + (component * EDGE_STRIDE + at) * size, origin, size)


@njit(inline="always")
def _call_kernels(job, tile, calls):
    """Let every path do its part."""
    length = load_index(job, Job.CALL_LENGTH)
    for call in range(load_index(job, Job.CALL_COUNT)):
        entry = calls + 8 * call * length
        call_kernel(load_index(entry, 0), tile, entry + 8)
