"""The table that `tfngen.runtime.cpu.drive` works by, and how a thread's scratch is laid out."""

from __future__ import annotations

from enum import IntEnum

from tfngen.forms import AHEAD, EDGE_STRIDE, TILE_EDGES, Tile

TILE_BYTES = 2**18
"""The weights of one tile, and what is written in their shape; two tiles fit the second-level cache."""


class Job(IntEnum):
    """What there is to do, as a table of integers; arrays are their addresses, rows counted in elements."""

    PARTS = 0
    """They are done independently; behind `BASES` come the first node of each and the end of the last. Where
    tiles are taken instead, how many threads there are."""
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
    """Room for a tile and its arrays, thread after thread."""
    SCRATCH_LENGTH = 22
    """The integers of scratch that a thread has."""
    ITEMSIZE = 23
    """Bytes of a number, 4 or 8."""
    NUM_NODES = 24
    WEIGHT_ROWS = 25
    """How many rows of weights there are."""
    WRITING = 26
    """How derivatives by weights are written, a `Writing`."""
    CALLS_AT = 27
    """Where in a thread's scratch the tables of `CALLS` are, once they hold addresses."""
    COPY_ROWS = 28
    """Where edges share derivatives by weights, each part has a copy of them; the rows of one, else 0.
    A block of tiles has several, which its tiles take in turn."""
    FAULT = 29
    """Which table held an index out of range, as a field of this one; 0 while none has."""
    HELD_AT = 30
    ROW_AT = 31
    LANES_AT = 32
    SUMMANDS_AT = 33
    """Where in a thread's scratch there is room for `Tile.HELD`, for `Tile.ROW`, for a tile's derivatives by
    filters, before lanes are summed, and for its edges' rows that are to be added to `SUMS`."""
    SUMS = 34
    """What is summed over sources in the order of targets, a row per block and node."""
    TILES = 35
    """The tiles to be taken one by one, a row each: the first node and the one after the last, the first edge
    and the one after the last, as places in `ORDER`."""
    TILE_COUNT = 36
    BLOCKS = 37
    """How many blocks of consecutive tiles there are, about equally many in each."""
    TURNS = 38
    """The number of the part that is taken next, or 0 where one thread does all. Where tiles are taken, for
    each block, `TURNS_OF_BLOCK` integers apart: the number of the block's tile that is taken next, `TURN`
    behind it that of the tile whose edges are added next, and `COPY_TURNS` behind it how many tiles each of
    its copies has had. All begin at zero."""
    GIVE_WAY = 39
    """The address of a function that lets another thread run, or 0."""
    COPIES = 40
    """How many copies of derivatives by shared weights a block of tiles has."""


TURN, COPY_TURNS = 8, 16
"""Lines of the cache of their own: threads that look at one number are not slowed down by another."""
MOST_COPIES = 32
"""How many copies of derivatives by shared weights there may be, in all."""
TURNS_OF_BLOCK = COPY_TURNS + MOST_COPIES
PATIENCE = 1000
"""How often a thread looks whether its turn has come before it gives way to another."""

BASES = len(Job)
"""What is added to each column of `CALLS`, behind the job's fields: the address of an array, or 0; or, below
zero, minus so many bytes into a thread's scratch."""
POINTERS_AT = len(Tile)
NEIGHBORS_AT = POINTERS_AT + TILE_EDGES + 1
WEIGHTS_AT = NEIGHBORS_AT + TILE_EDGES + AHEAD
EDGES_AT = WEIGHTS_AT + 2 * TILE_EDGES + AHEAD
FILTERS_AT = EDGES_AT + TILE_EDGES
"""Where in a thread's scratch, in integers, the tile's arrays begin; behind filters, their tangents."""


def scratch_length(components: int, couplings: int, itemsize: int) -> int:
    """The integers of scratch that a thread needs for its tile: whole lines of the cache."""
    return -(-(FILTERS_AT + (2 * components + couplings) * EDGE_STRIDE * itemsize // 8) // 8) * 8
