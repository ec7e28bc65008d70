"""Drive the kernels of all paths over a graph from machine code, one tile after another.

With many channels the weights are most of what a convolution reads, and each path reads its own small part
of every edge's. A whole pass over the graph per path would find that part far from the processor each time;
a tile is few enough edges that their weights wait in the second-level cache while every path takes its turn,
and the kernels ask for the next tile's as they go.

A tile is whole nodes, or a piece of one node with more edges than a tile has: pieces are counted from the
node's first edge, so what a node sums, and in which order, depends neither on threads nor on other nodes.
Tiles are in parts, and a thread takes whichever part is next, so that none waits for one that is slower.

What is summed over sources while targets take their turns (`Form.scatters`) is made edge by edge, beside the
tile. Tiles are in blocks, which have sums of their own. A thread takes whichever tile of its block is next;
once all tiles before it have added their edges to the block's sums, it adds its own; and when the block has
no more tiles it goes on with the next one, where others may be at work. So every sum is that of a block's
edges in the order of targets, whoever adds them, and threads rarely write where others have written.
"""

from __future__ import annotations

from numba import njit

from tfngen.forms import AHEAD, EDGE_STRIDE, TILE_EDGES, Tile
from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.index import (
    call_kernel,
    call_plain,
    clear,
    copy_number,
    load_index,
    see_index,
    show_index,
    store_index,
    take_number,
)
from tfngen.runtime.cpu.job import (
    BASES,
    COPY_TURNS,
    EDGES_AT,
    FILTERS_AT,
    NEIGHBORS_AT,
    PATIENCE,
    POINTERS_AT,
    TURN,
    TURNS_OF_BLOCK,
    WEIGHTS_AT,
    Job,
)
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.vector import REGISTER_BYTES

LANES_32, active_32, load_32, add_32 = float32.LANES, float32.active_lanes, float32.load, float32.add
LANES_64, active_64, load_64, add_64 = float64.LANES, float64.active_lanes, float64.load, float64.add
load_whole_32, add_whole_32, add_totals_32 = float32.load_lanes, float32.add_lanes, float32.add_totals
load_whole_64, add_whole_64, add_totals_64 = float64.load_lanes, float64.add_lanes, float64.add_totals


@kernel
def drive(first, last, job):
    """Take parts of `job` while there are any: the address of a table as `Job` describes it.

    Once for each worker first ≤ … < last, whose scratch is used.
    """
    turns, parts = load_index(job, Job.TURNS), load_index(job, Job.PARTS)
    for worker in range(first, last):
        tile = load_index(job, Job.SCRATCH) + 8 * worker * load_index(job, Job.SCRATCH_LENGTH)
        calls = tile + 8 * load_index(job, Job.CALLS_AT)
        _place(job, tile, calls)
        part = take_number(turns, 0) if turns else 0
        while part < parts:
            if not _do_part(job, tile, calls, part):
                return
            part = take_number(turns, 0) if turns else part + 1


@njit(inline="always")
def _do_part(job, tile, calls, part):
    """Do a part, tile by tile; false if there was a fault."""
    pointers = load_index(job, Job.EDGE_POINTERS)
    most_edges = load_index(job, Job.MOST_EDGES)
    bounds = job + 8 * (BASES + load_index(job, Job.CALL_LENGTH) + part)
    node, stop = load_index(bounds, 0), load_index(bounds, 1)
    begin = load_index(pointers, node)
    while node < stop:
        after, end = _cut(pointers, node, stop, begin, most_edges)
        if begin == load_index(pointers, node):
            _clear_sums(job, node, after)
        fault = _lay_out(job, tile, part, node, after, begin, end)
        if fault:
            show_index(job, Job.FAULT, fault)
            return False
        _call_kernels(job, tile, calls, begin, end)
        if end == load_index(pointers, after):
            node = after
        begin = end
    return True


@kernel
def drive_in_turn(first, last, job):
    """Take tiles of `job`, block by block, while there are any; once for each part first ≤ part < last."""
    blocks, tiles = load_index(job, Job.BLOCKS), load_index(job, Job.TILE_COUNT)
    for part in range(first, last):
        tile = load_index(job, Job.SCRATCH) + 8 * part * load_index(job, Job.SCRATCH_LENGTH)
        calls = tile + 8 * load_index(job, Job.CALLS_AT)
        _place(job, tile, calls)
        begin = part * blocks // load_index(job, Job.PARTS)
        for each in range(begin, begin + blocks):
            block = each % blocks
            first_tile, tile_end = tiles * block // blocks, tiles * (block + 1) // blocks
            if not _take_tiles(job, tile, calls, block, first_tile, tile_end - first_tile):
                return


@njit(inline="always")
def _take_tiles(job, tile, calls, block, first_tile, count):
    """Take tiles of a block as long as there are any; false if there was a fault."""
    turns = load_index(job, Job.TURNS) + 8 * TURNS_OF_BLOCK * block
    row, size = load_index(job, Job.NEIGHBOR_ROW), load_index(job, Job.ITEMSIZE)
    summands, copies = tile + 8 * load_index(job, Job.SUMMANDS_AT), load_index(job, Job.COPIES)
    length = load_index(job, Job.NUM_NODES) * row * size
    sums = load_index(job, Job.SUMS) + block * length
    while True:
        number = take_number(turns, 0)
        if number >= count:
            return True
        bounds = load_index(job, Job.TILES) + 32 * (first_tile + number)
        node, after = load_index(bounds, 0), load_index(bounds, 1)
        begin, end = load_index(bounds, 2), load_index(bounds, 3)
        copy, turn = (number % copies, number // copies) if copies else (0, 0)
        fault = _lay_out(job, tile, block * copies + copy, node, after, begin, end)
        if fault:
            show_index(job, Job.FAULT, fault)
            return False
        clear(summands, (end - begin) * row * size)
        if copies and not _wait(job, turns, COPY_TURNS + copy, turn):
            return False
        _call_kernels(job, tile, calls, begin, end)
        if copies:
            show_index(turns, COPY_TURNS + copy, turn + 1)
        if not _wait(job, turns, TURN, number):
            return False
        if number == 0:
            clear(sums, length)
        for at in range(end - begin):
            to = sums + load_index(tile, NEIGHBORS_AT + at) * size
            _add_row(to, summands + at * row * size, row, size)
        show_index(turns, TURN, number + 1)


@njit(inline="always")
def _wait(job, turns, place, number):
    """Wait for the turn of that number; false if another thread has found a fault, so that it never comes."""
    looks, give_way = 0, load_index(job, Job.GIVE_WAY)
    while see_index(turns, place) != number:
        if see_index(job, Job.FAULT):
            return False
        looks += 1
        if looks > PATIENCE and give_way:
            call_plain(give_way)
    return True


@njit(inline="always")
def _add_row(to, origin, count, size):
    """Add `count` numbers at address `origin` to those at `to`."""
    if size == 4:
        whole = count // LANES_32 * LANES_32
        for at in range(0, whole, LANES_32):
            add_whole_32(to, at, load_whole_32(origin, at))
        if whole < count:
            active = active_32(count - whole)
            add_32(to, whole, load_32(origin, whole, active), active)
    else:
        whole = count // LANES_64 * LANES_64
        for at in range(0, whole, LANES_64):
            add_whole_64(to, at, load_whole_64(origin, at))
        if whole < count:
            active = active_64(count - whole)
            add_64(to, whole, load_64(origin, whole, active), active)


@kernel
def clear_bytes(first, last, address):
    """Set the bytes first ≤ … < last from `address` on to zero."""
    clear(address + first, last - first)


@kernel
def cut_tiles(pointers, nodes, edges, most_edges, tiles, count):
    """Write the rows of `Job.TILES` for a graph, and to `count` how many there are; −1 if `pointers` do not
    ascend from 0 to `edges`."""
    number, node, begin = 0, 0, load_index(pointers, 0)
    valid = begin == 0 and load_index(pointers, nodes) == edges
    for each in range(nodes):
        valid &= load_index(pointers, each) <= load_index(pointers, each + 1)
    if not valid:
        store_index(count, 0, -1)
        return
    while node < nodes:
        after, end = _cut(pointers, node, nodes, begin, most_edges)
        store_index(tiles, 4 * number, node)
        store_index(tiles, 4 * number + 1, after)
        store_index(tiles, 4 * number + 2, begin)
        store_index(tiles, 4 * number + 3, end)
        number += 1
        if end == load_index(pointers, after):
            node = after
        begin = end
    store_index(count, 0, number)


@njit(inline="always")
def _cut(pointers, node, stop, begin, most_edges):
    """The node after the last of the tile that begins with the edge `begin` of `node`, and where it ends."""
    after, end = node + 1, load_index(pointers, node + 1)
    if begin == load_index(pointers, node):
        while after < stop and after - node < TILE_EDGES:
            next_end = load_index(pointers, after + 1)
            if next_end - begin > most_edges:
                break
            after, end = after + 1, next_end
    return after, min(end, begin + most_edges)


@njit(inline="always")
def _place(job, tile, calls):
    """Turn offsets into addresses; what a part keeps for itself is in its scratch."""
    offsets, length = load_index(job, Job.CALLS), load_index(job, Job.CALL_LENGTH)
    for call in range(load_index(job, Job.CALL_COUNT)):
        for column in range(length):
            at = call * length + column
            base = load_index(job, BASES + column)
            store_index(calls, at, load_index(offsets, at) + (base if base >= 0 else tile - base))


@njit(inline="always")
def _clear_sums(job, node, after):
    """Begin the sums of the nodes node ≤ … < after at zero."""
    sums = load_index(job, Job.NODE_SUMS)
    row = load_index(job, Job.NODE_ROW) * load_index(job, Job.ITEMSIZE)
    if sums:
        clear(sums + node * row, (after - node) * row)


@njit(inline="always")
def _lay_out(job, tile, copy, node, after, begin, end):
    """Make the tile of the edges begin ≤ … < end of the order, which belong to node ≤ … < after.

    Edges that share derivatives by weights add to theirs in `copy`.

    Returns the field of a table that holds an index out of range, else 0: nothing outside an array is read.
    """
    if begin < 0 or end < begin or end > load_index(job, Job.NUM_EDGES):
        return Job.EDGE_POINTERS.value
    edges, size = end - begin, load_index(job, Job.ITEMSIZE)
    neighbors, weights = tile + 8 * NEIGHBORS_AT, tile + 8 * WEIGHTS_AT
    rows, filters = tile + 8 * EDGES_AT, tile + 8 * FILTERS_AT
    components = load_index(job, Job.COMPONENTS)
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
    store_index(tile, Tile.D_FILTER_ROW, components * REGISTER_BYTES // size)
    store_index(tile, Tile.COUPLINGS, couplings)
    store_index(tile, Tile.WRITING, load_index(job, Job.WRITING))
    store_index(tile, Tile.HELD, tile + 8 * load_index(job, Job.HELD_AT))
    store_index(tile, Tile.ROW, tile + 8 * load_index(job, Job.ROW_AT))
    store_index(tile, Tile.D_INPUT_ROW, load_index(job, Job.NEIGHBOR_ROW))

    pointers = load_index(job, Job.EDGE_POINTERS)
    previous = load_index(pointers, node)
    for each in range(node, after + 1):
        at = load_index(pointers, each)
        if at < previous or at > load_index(job, Job.NUM_EDGES):
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
            own = copy * copy_rows + row if copy_rows else edge
            store_index(rows, at, own * load_index(job, Job.EDGE_ROW))
            _turn(job, Job.FILTERS, filters, at, edge)
            _turn(job, Job.FILTER_TANGENTS, tangents, at, edge)
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
def _call_kernels(job, tile, calls, begin, end):
    """Let every path do its part for the edges begin ≤ … < end of the order."""
    length, d_filters = load_index(job, Job.CALL_LENGTH), load_index(job, Job.D_FILTERS)
    components, size = load_index(job, Job.COMPONENTS), load_index(job, Job.ITEMSIZE)
    lanes, row = tile + 8 * load_index(job, Job.LANES_AT), components * REGISTER_BYTES
    if d_filters:
        clear(lanes, (end - begin) * row)
    for call in range(load_index(job, Job.CALL_COUNT)):
        entry = calls + 8 * call * length
        call_kernel(load_index(entry, 0), tile, entry + 8)
    if d_filters:
        for at in range(end - begin):
            to = d_filters + load_index(load_index(job, Job.ORDER), begin + at) * components * size
            _add_up_lanes(to, lanes + at * row, components, size)


@njit(inline="always")
def _add_up_lanes(to, origin, count, size):
    """Write the sums over lanes of `count` vectors at address `origin` to address `to`, side by side."""
    clear(to, count * size)
    if size == 4:
        for at in range(0, count - 3, 4):
            one, two = load_whole_32(origin, at * LANES_32), load_whole_32(origin, (at + 1) * LANES_32)
            three, four = (
                load_whole_32(origin, (at + 2) * LANES_32),
                load_whole_32(origin, (at + 3) * LANES_32),
            )
            add_totals_32(to, at, (one, two, three, four))
        for at in range(count // 4 * 4, count):
            add_totals_32(to, at, (load_whole_32(origin, at * LANES_32),))
    else:
        for at in range(count):
            add_totals_64(to, at, (load_whole_64(origin, at * LANES_64),))
