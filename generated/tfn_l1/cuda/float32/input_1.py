"""Paths of input degree 1 over a graph, in float32, on a GPU: gather, product and scatter in one pass.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

3 paths:

    (0, 1, 1)
    (1, 1, 0)
    (1, 1, 1)

A block has a lane for each channel, or for two, and goes through the edges of one piece: some consecutive
edges of one target node (`tfngen.runtime.cuda.pieces`), of which each team of lanes takes its share. A lane
holds all of a node's output components in registers, 7 if all paths are there. Kernels are compiled for a
convolution: the last arguments are numbers then (`Kernel.fitted`), and paths that it does not have are given
a `weight_at` of −1 and leave nothing behind. What a lane reads of an edge is copied to shared memory some
edges ahead, by itself: each lane has a ring of as many places as there are edges on their way, and its own.
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float32 import (
    ALIGNED,
    MOST_EDGES,
    WARP,
    Channels,
    Floats,
    Indices,
    Int,
    Size,
    column_of,
    copy,
    cuda,
    end_copies,
    fold_all,
    fold_place,
    index,
    kept_like,
    kernel,
    let_next_begin,
    load,
    load_piece,
    number,
    offset,
    over_teams,
    pointer,
    put,
    row_of,
    shared_like,
    store,
    total_of,
    wait_for_copies,
    wait_for_last,
    within,
    zero_like,
)

from . import (
    convolution_0_1_1,
    convolution_1_1_0,
    convolution_1_1_1,
)

PATHS = ((0, 1, 1), (1, 1, 0), (1, 1, 1))
SHARED = {
    "output": (12, 0, 3, 6),
    "d_input": (12, 0, 0, 3),
    "d_filter": (0, 4, 0, 6),
    "d_weight": (12, 0, 0, 3),
    "d_input_weight": (12, 0, 0, 6),
    "backward": (12, 4, 0, 6),
    "d_grad": (20, 0, 3, 12),
    "double_backward": (20, 4, 0, 12),
    "d_input_weight_along": (20, 0, 0, 6),
    "backward_along": (20, 4, 0, 12),
}
"""By kernel, numbers of shared memory: for an edge of a tile, for an edge and warp, for a team's lane, and
for a lane and each edge on its way."""


@kernel
def output(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    outputs: Channels, output_row: Size, spares: Channels,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int, grad_adding_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int, grad_adding_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int, grad_adding_1_1_1: Int,
    by_itself: Int,
):
    """outputs[target] += ∂T/∂grad[target], which is the convolution"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, row = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    output_0_1_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
    output_1_1_0 = (zero_like(inputs),)
    output_1_1_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 12)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.output_couplings(offset(filters, edge * filter_row + filter_at_0), coupling)
            if part == 1 and has_1_1_0:
                convolution_1_1_0.output_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 1),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.output_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 4),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 6 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 6 * threads)
            coupling = offset(couplings, at * 12)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            if has_0_1_1:
                output_0_1_1 = convolution_0_1_1.output(coupling, input, weight_0_1_1, output_0_1_1)
            if has_1_1_0:
                output_1_1_0 = convolution_1_1_0.output(
                    offset(coupling, 1), input, weight_1_1_0, output_1_1_0,
                )
            if has_1_1_1:
                output_1_1_1 = convolution_1_1_1.output(
                    offset(coupling, 4), input, weight_1_1_1, output_1_1_1,
                )
        begin += tile
    wait_for_last()
    home = row_of(outputs, spares, row, output_row)
    room = offset(shared_like(outputs, couplings), lane)
    if has_0_1_1:
        if teams > 1:
            cuda.syncthreads()
            if team > 0:
                mine = offset(room, (team - 1) * 3 * lanes)
                store(mine, 0, output_0_1_1[0], True)
                store(mine, lanes, output_0_1_1[1], True)
                store(mine, 2 * lanes, output_0_1_1[2], True)
            cuda.syncthreads()
        if team == 0:
            here = offset(home, grad_at_0_1_1 + channel)
            put(
                here, 0, over_teams(output_0_1_1[0], room, 3 * lanes, teams), active,
                grad_adding_0_1_1,
            )
            put(
                here, grad_step_0_1_1,
                over_teams(output_0_1_1[1], offset(room, lanes), 3 * lanes, teams), active,
                grad_adding_0_1_1,
            )
            put(
                here, 2 * grad_step_0_1_1,
                over_teams(output_0_1_1[2], offset(room, 2 * lanes), 3 * lanes, teams), active,
                grad_adding_0_1_1,
            )
    if has_1_1_0:
        if teams > 1:
            cuda.syncthreads()
            if team > 0:
                mine = offset(room, (team - 1) * lanes)
                store(mine, 0, output_1_1_0[0], True)
            cuda.syncthreads()
        if team == 0:
            here = offset(home, grad_at_1_1_0 + channel)
            put(here, 0, over_teams(output_1_1_0[0], room, lanes, teams), active, grad_adding_1_1_0)
    if has_1_1_1:
        if teams > 1:
            cuda.syncthreads()
            if team > 0:
                mine = offset(room, (team - 1) * 3 * lanes)
                store(mine, 0, output_1_1_1[0], True)
                store(mine, lanes, output_1_1_1[1], True)
                store(mine, 2 * lanes, output_1_1_1[2], True)
            cuda.syncthreads()
        if team == 0:
            here = offset(home, grad_at_1_1_1 + channel)
            put(
                here, 0, over_teams(output_1_1_1[0], room, 3 * lanes, teams), active,
                grad_adding_1_1_1,
            )
            put(
                here, grad_step_1_1_1,
                over_teams(output_1_1_1[1], offset(room, lanes), 3 * lanes, teams), active,
                grad_adding_1_1_1,
            )
            put(
                here, 2 * grad_step_1_1_1,
                over_teams(output_1_1_1[2], offset(room, 2 * lanes), 3 * lanes, teams), active,
                grad_adding_1_1_1,
            )


@kernel
def d_input(
    pieces: Indices, order: Indices, num_edges: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    d_inputs: Channels, d_input_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, adding: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_inputs[source] += ∂T/∂input[source]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(weights, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 12)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.output_couplings(offset(filters, edge * filter_row + filter_at_0), coupling)
            if part == 1 and has_1_1_0:
                convolution_1_1_0.d_input_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 1),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.output_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 4),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 3 * threads), at + ahead
            if active and following < count:
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 0, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 2 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 3 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            weight_0_1_1 = load(mine, 0, active and has_0_1_1)
            weight_1_1_0 = load(mine, threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 2 * threads, active and has_1_1_1)
            d_input = (zero_like(weights), zero_like(weights), zero_like(weights))
            if has_0_1_1:
                d_input = convolution_0_1_1.d_input(coupling, weight_0_1_1, grad_0_1_1, d_input)
            if has_1_1_0:
                d_input = convolution_1_1_0.d_input(offset(coupling, 1), weight_1_1_0, grad_1_1_0, d_input)
            if has_1_1_1:
                d_input = convolution_1_1_1.d_input(offset(coupling, 4), weight_1_1_1, grad_1_1_1, d_input)
            here = offset(d_inputs, edge * d_input_row + input_at + channel)
            put(here, 0, d_input[0], active, adding)
            put(here, channels, d_input[1], active, adding)
            put(here, 2 * channels, d_input[2], active, adding)
        begin += tile
    wait_for_last()


@kernel
def d_filter(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, d_filter_slot: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_filters[edge] += ∂T/∂filter[edge]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    place = fold_place(lane % WARP)
    warps = lanes // WARP
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 6 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 6 * threads)
            edge = edges[at]
            coupling = couplings
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            d_filter_0 = (zero_like(inputs),)
            d_filter_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            if has_0_1_1:
                d_filter_0 = convolution_0_1_1.d_filter(coupling, input, weight_0_1_1, grad_0_1_1, d_filter_0)
            if has_1_1_0:
                d_filter_1 = convolution_1_1_0.d_filter(coupling, input, weight_1_1_0, grad_1_1_0, d_filter_1)
            if has_1_1_1:
                d_filter_1 = convolution_1_1_1.d_filter(coupling, input, weight_1_1_1, grad_1_1_1, d_filter_1)
            here = offset(couplings, tile * 0 + (at * warps + lane // WARP) * 4)
            total = fold_all(
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        m = thread % 4
        while m < 4:
            column = column_of(filter_at_0, m)
            if m >= 1:
                column = column_of(filter_at_1, m - 1)
            here = offset(d_filters, (d_filter_slot + cuda.blockIdx.y) * d_filter_tile + column)
            totals = offset(couplings, tile * 0 + m)
            at = thread // 4
            while at < count and column >= 0:
                total = total_of(offset(totals, at * warps * 4), 4, warps)
                store(here, edges[at] * d_filter_row, total, True)
                at += threads // 4
            m += 4
        begin += tile
    wait_for_last()


@kernel
def d_weight(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    grads: Channels, grad_row: Size,
    d_weights: Channels, d_weight_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_weights[edge] = ∂T/∂weight[edge]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
            coupling = offset(couplings, slot * 12)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.output_couplings(offset(filters, edge * filter_row + filter_at_0), coupling)
            if part == 1 and has_1_1_0:
                convolution_1_1_0.output_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 1),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.d_weight_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 4),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 3 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 3 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            if has_0_1_1:
                d_weight = convolution_0_1_1.d_weight(coupling, input, grad_0_1_1)
                store(d_weights_here, weight_at_0_1_1, d_weight, active)
            if has_1_1_0:
                d_weight = convolution_1_1_0.d_weight(offset(coupling, 1), input, grad_1_1_0)
                store(d_weights_here, weight_at_1_1_0, d_weight, active)
            if has_1_1_1:
                d_weight = convolution_1_1_1.d_weight(offset(coupling, 4), input, grad_1_1_1)
                store(d_weights_here, weight_at_1_1_1, d_weight, active)
        begin += tile
    wait_for_last()


@kernel
def d_input_weight(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    d_inputs: Channels, d_input_row: Size,
    d_weights: Channels, d_weight_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, adding: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 12)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.output_couplings(offset(filters, edge * filter_row + filter_at_0), coupling)
            if part == 1 and has_1_1_0:
                convolution_1_1_0.d_input_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 1),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.output_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 4),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 6 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 6 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            if has_0_1_1:
                d_input, d_weight = convolution_0_1_1.d_input_weight(
                    coupling, input, weight_0_1_1, grad_0_1_1, d_input,
                )
                store(d_weights_here, weight_at_0_1_1, d_weight, active)
            if has_1_1_0:
                d_input, d_weight = convolution_1_1_0.d_input_weight(
                    offset(coupling, 1), input, weight_1_1_0, grad_1_1_0, d_input,
                )
                store(d_weights_here, weight_at_1_1_0, d_weight, active)
            if has_1_1_1:
                d_input, d_weight = convolution_1_1_1.d_input_weight(
                    offset(coupling, 4), input, weight_1_1_1, grad_1_1_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_1, d_weight, active)
            here = offset(d_inputs, edge * d_input_row + input_at + channel)
            put(here, 0, d_input[0], active, adding)
            put(here, channels, d_input[1], active, adding)
            put(here, 2 * channels, d_input[2], active, adding)
        begin += tile
    wait_for_last()


@kernel
def backward(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    d_inputs: Channels, d_input_row: Size,
    d_weights: Channels, d_weight_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, adding: Int, d_filter_slot: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    place = fold_place(lane % WARP)
    warps = lanes // WARP
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 12)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.output_couplings(offset(filters, edge * filter_row + filter_at_0), coupling)
            if part == 1 and has_1_1_0:
                convolution_1_1_0.d_input_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 1),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.output_couplings(
                    offset(filters, edge * filter_row + filter_at_1), offset(coupling, 4),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 6 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 6 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            d_filter_0 = (zero_like(inputs),)
            d_filter_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            if has_0_1_1:
                d_filter_0, d_input, d_weight = convolution_0_1_1.backward(
                    coupling, input, weight_0_1_1, grad_0_1_1, d_filter_0, d_input,
                )
                store(d_weights_here, weight_at_0_1_1, d_weight, active)
            if has_1_1_0:
                d_filter_1, d_input, d_weight = convolution_1_1_0.backward(
                    offset(coupling, 1), input, weight_1_1_0, grad_1_1_0, d_filter_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_0, d_weight, active)
            if has_1_1_1:
                d_filter_1, d_input, d_weight = convolution_1_1_1.backward(
                    offset(coupling, 4), input, weight_1_1_1, grad_1_1_1, d_filter_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_1, d_weight, active)
            here = offset(d_inputs, edge * d_input_row + input_at + channel)
            put(here, 0, d_input[0], active, adding)
            put(here, channels, d_input[1], active, adding)
            put(here, 2 * channels, d_input[2], active, adding)
            here = offset(couplings, tile * 12 + (at * warps + lane // WARP) * 4)
            total = fold_all(
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        m = thread % 4
        while m < 4:
            column = column_of(filter_at_0, m)
            if m >= 1:
                column = column_of(filter_at_1, m - 1)
            here = offset(d_filters, (d_filter_slot + cuda.blockIdx.y) * d_filter_tile + column)
            totals = offset(couplings, tile * 12 + m)
            at = thread // 4
            while at < count and column >= 0:
                total = total_of(offset(totals, at * warps * 4), 4, warps)
                store(here, edges[at] * d_filter_row, total, True)
                at += threads // 4
            m += 4
        begin += tile
    wait_for_last()


@kernel
def d_grad(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    filter_tangents: Floats, filter_tangent_row: Size,
    input_tangents: Channels,
    weight_tangents: Channels,
    d_grads: Channels, d_grad_row: Size, spares: Channels,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int, grad_adding_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int, grad_adding_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int, grad_adding_1_1_1: Int,
    by_itself: Int,
):
    """d_grads[target] += ∂ΔT/∂grad[target]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, row = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    d_grad_0_1_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
    d_grad_1_1_0 = (zero_like(inputs),)
    d_grad_1_1_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 20)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.d_grad_couplings(
                    offset(filters, edge * filter_row + filter_at_0),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_0), coupling,
                )
            if part == 1 and has_1_1_0:
                convolution_1_1_0.d_grad_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 2),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.d_grad_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 8),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 12 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
                here = offset(input_tangents, neighbors[following] + input_at + channel)
                copy(coming, 6 * threads, here, 0, by_itself)
                copy(coming, 7 * threads, here, channels, by_itself)
                copy(coming, 8 * threads, here, 2 * channels, by_itself)
                here = offset(weight_tangents, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 9 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 10 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 11 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 12 * threads)
            coupling = offset(couplings, at * 20)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            input_tangent = (
                load(mine, 6 * threads, active),
                load(mine, 7 * threads, active),
                load(mine, 8 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            weight_tangent_0_1_1 = load(mine, 9 * threads, active and has_0_1_1)
            weight_tangent_1_1_0 = load(mine, 10 * threads, active and has_1_1_0)
            weight_tangent_1_1_1 = load(mine, 11 * threads, active and has_1_1_1)
            if has_0_1_1:
                d_grad_0_1_1 = convolution_0_1_1.d_grad(
                    coupling, input, weight_0_1_1, input_tangent, weight_tangent_0_1_1, d_grad_0_1_1,
                )
            if has_1_1_0:
                d_grad_1_1_0 = convolution_1_1_0.d_grad(
                    offset(coupling, 2), input, weight_1_1_0, input_tangent, weight_tangent_1_1_0,
                    d_grad_1_1_0,
                )
            if has_1_1_1:
                d_grad_1_1_1 = convolution_1_1_1.d_grad(
                    offset(coupling, 8), input, weight_1_1_1, input_tangent, weight_tangent_1_1_1,
                    d_grad_1_1_1,
                )
        begin += tile
    wait_for_last()
    home = row_of(d_grads, spares, row, d_grad_row)
    room = offset(shared_like(d_grads, couplings), lane)
    if has_0_1_1:
        if teams > 1:
            cuda.syncthreads()
            if team > 0:
                mine = offset(room, (team - 1) * 3 * lanes)
                store(mine, 0, d_grad_0_1_1[0], True)
                store(mine, lanes, d_grad_0_1_1[1], True)
                store(mine, 2 * lanes, d_grad_0_1_1[2], True)
            cuda.syncthreads()
        if team == 0:
            here = offset(home, grad_at_0_1_1 + channel)
            put(
                here, 0, over_teams(d_grad_0_1_1[0], room, 3 * lanes, teams), active,
                grad_adding_0_1_1,
            )
            put(
                here, grad_step_0_1_1,
                over_teams(d_grad_0_1_1[1], offset(room, lanes), 3 * lanes, teams), active,
                grad_adding_0_1_1,
            )
            put(
                here, 2 * grad_step_0_1_1,
                over_teams(d_grad_0_1_1[2], offset(room, 2 * lanes), 3 * lanes, teams), active,
                grad_adding_0_1_1,
            )
    if has_1_1_0:
        if teams > 1:
            cuda.syncthreads()
            if team > 0:
                mine = offset(room, (team - 1) * lanes)
                store(mine, 0, d_grad_1_1_0[0], True)
            cuda.syncthreads()
        if team == 0:
            here = offset(home, grad_at_1_1_0 + channel)
            put(here, 0, over_teams(d_grad_1_1_0[0], room, lanes, teams), active, grad_adding_1_1_0)
    if has_1_1_1:
        if teams > 1:
            cuda.syncthreads()
            if team > 0:
                mine = offset(room, (team - 1) * 3 * lanes)
                store(mine, 0, d_grad_1_1_1[0], True)
                store(mine, lanes, d_grad_1_1_1[1], True)
                store(mine, 2 * lanes, d_grad_1_1_1[2], True)
            cuda.syncthreads()
        if team == 0:
            here = offset(home, grad_at_1_1_1 + channel)
            put(
                here, 0, over_teams(d_grad_1_1_1[0], room, 3 * lanes, teams), active,
                grad_adding_1_1_1,
            )
            put(
                here, grad_step_1_1_1,
                over_teams(d_grad_1_1_1[1], offset(room, lanes), 3 * lanes, teams), active,
                grad_adding_1_1_1,
            )
            put(
                here, 2 * grad_step_1_1_1,
                over_teams(d_grad_1_1_1[2], offset(room, 2 * lanes), 3 * lanes, teams), active,
                grad_adding_1_1_1,
            )


@kernel
def double_backward(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    filter_tangents: Floats, filter_tangent_row: Size,
    input_tangents: Channels,
    weight_tangents: Channels,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    d_inputs: Channels, d_input_row: Size,
    d_weights: Channels, d_weight_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, adding: Int, d_filter_slot: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    place = fold_place(lane % WARP)
    warps = lanes // WARP
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 20)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.d_grad_couplings(
                    offset(filters, edge * filter_row + filter_at_0),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_0), coupling,
                )
            if part == 1 and has_1_1_0:
                convolution_1_1_0.double_backward_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 2),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.double_backward_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 8),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 12 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
                here = offset(input_tangents, neighbors[following] + input_at + channel)
                copy(coming, 6 * threads, here, 0, by_itself)
                copy(coming, 7 * threads, here, channels, by_itself)
                copy(coming, 8 * threads, here, 2 * channels, by_itself)
                here = offset(weight_tangents, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 9 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 10 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 11 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 12 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 20)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            input_tangent = (
                load(mine, 6 * threads, active),
                load(mine, 7 * threads, active),
                load(mine, 8 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            weight_tangent_0_1_1 = load(mine, 9 * threads, active and has_0_1_1)
            weight_tangent_1_1_0 = load(mine, 10 * threads, active and has_1_1_0)
            weight_tangent_1_1_1 = load(mine, 11 * threads, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            d_filter_0 = (zero_like(inputs),)
            d_filter_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            if has_0_1_1:
                d_filter_0, d_input, d_weight = convolution_0_1_1.double_backward(
                    coupling, input, weight_0_1_1, grad_0_1_1, input_tangent, weight_tangent_0_1_1,
                    d_filter_0, d_input,
                )
                store(d_weights_here, weight_at_0_1_1, d_weight, active)
            if has_1_1_0:
                d_filter_1, d_input, d_weight = convolution_1_1_0.double_backward(
                    offset(coupling, 2), input, weight_1_1_0, grad_1_1_0, input_tangent, weight_tangent_1_1_0,
                    d_filter_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_0, d_weight, active)
            if has_1_1_1:
                d_filter_1, d_input, d_weight = convolution_1_1_1.double_backward(
                    offset(coupling, 8), input, weight_1_1_1, grad_1_1_1, input_tangent, weight_tangent_1_1_1,
                    d_filter_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_1, d_weight, active)
            here = offset(d_inputs, edge * d_input_row + input_at + channel)
            put(here, 0, d_input[0], active, adding)
            put(here, channels, d_input[1], active, adding)
            put(here, 2 * channels, d_input[2], active, adding)
            here = offset(couplings, tile * 20 + (at * warps + lane // WARP) * 4)
            total = fold_all(
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        m = thread % 4
        while m < 4:
            column = column_of(filter_at_0, m)
            if m >= 1:
                column = column_of(filter_at_1, m - 1)
            here = offset(d_filters, (d_filter_slot + cuda.blockIdx.y) * d_filter_tile + column)
            totals = offset(couplings, tile * 20 + m)
            at = thread // 4
            while at < count and column >= 0:
                total = total_of(offset(totals, at * warps * 4), 4, warps)
                store(here, edges[at] * d_filter_row, total, True)
                at += threads // 4
            m += 4
        begin += tile
    wait_for_last()


@kernel
def d_input_weight_along(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    filter_tangents: Floats, filter_tangent_row: Size,
    grad_tangents: Channels,
    d_inputs: Channels, d_input_row: Size,
    d_weights: Channels, d_weight_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, adding: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grad_tangents, node * grad_row + grad_at_0_1_1 + channel)
    grad_tangent_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grad_tangents, node * grad_row + grad_at_1_1_0 + channel)
    grad_tangent_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    here = offset(grad_tangents, node * grad_row + grad_at_1_1_1 + channel)
    grad_tangent_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 20)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.d_grad_couplings(
                    offset(filters, edge * filter_row + filter_at_0),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_0), coupling,
                )
            if part == 1 and has_1_1_0:
                convolution_1_1_0.double_backward_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 2),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.double_backward_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 8),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 6 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 6 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 20)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            if has_0_1_1:
                d_input, d_weight = convolution_0_1_1.d_input_weight_along(
                    coupling, input, weight_0_1_1, grad_0_1_1, grad_tangent_0_1_1, d_input,
                )
                store(d_weights_here, weight_at_0_1_1, d_weight, active)
            if has_1_1_0:
                d_input, d_weight = convolution_1_1_0.d_input_weight_along(
                    offset(coupling, 2), input, weight_1_1_0, grad_1_1_0, grad_tangent_1_1_0, d_input,
                )
                store(d_weights_here, weight_at_1_1_0, d_weight, active)
            if has_1_1_1:
                d_input, d_weight = convolution_1_1_1.d_input_weight_along(
                    offset(coupling, 8), input, weight_1_1_1, grad_1_1_1, grad_tangent_1_1_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_1, d_weight, active)
            here = offset(d_inputs, edge * d_input_row + input_at + channel)
            put(here, 0, d_input[0], active, adding)
            put(here, channels, d_input[1], active, adding)
            put(here, 2 * channels, d_input[2], active, adding)
        begin += tile
    wait_for_last()


@kernel
def backward_along(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Channels, input_row: Size,
    weights: Channels, weight_row: Size,
    grads: Channels, grad_row: Size,
    filter_tangents: Floats, filter_tangent_row: Size,
    input_tangents: Channels,
    weight_tangents: Channels,
    grad_tangents: Channels,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    d_inputs: Channels, d_input_row: Size,
    d_weights: Channels, d_weight_row: Size,
    tile: Int, tile_bits: Int, lanes: Int, teams: Int, stages: Int, ring_at: Int,
    full: Int, channels: Int, input_at: Int, adding: Int, d_filter_slot: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
    by_itself: Int,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    let_next_begin()
    thread = cuda.threadIdx.x
    lane, team = (thread % lanes, thread // lanes) if teams > 1 else (thread, 0)
    channel = cuda.blockIdx.y * lanes + lane
    active = full > 0 or channel < channels
    threads = lanes * teams
    ring = offset(kept_like(inputs, offset(couplings, ring_at)), thread)
    node, first, last, _ = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    here = offset(grads, node * grad_row + grad_at_0_1_1 + channel)
    grad_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grad_tangents, node * grad_row + grad_at_0_1_1 + channel)
    grad_tangent_0_1_1 = (
        load(here, 0, active and has_0_1_1),
        load(here, grad_step_0_1_1, active and has_0_1_1),
        load(here, 2 * grad_step_0_1_1, active and has_0_1_1),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_0 + channel)
    grad_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grad_tangents, node * grad_row + grad_at_1_1_0 + channel)
    grad_tangent_1_1_0 = (
        load(here, 0, active and has_1_1_0),
    )
    here = offset(grads, node * grad_row + grad_at_1_1_1 + channel)
    grad_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    here = offset(grad_tangents, node * grad_row + grad_at_1_1_1 + channel)
    grad_tangent_1_1_1 = (
        load(here, 0, active and has_1_1_1),
        load(here, grad_step_1_1_1, active and has_1_1_1),
        load(here, 2 * grad_step_1_1_1, active and has_1_1_1),
    )
    place = fold_place(lane % WARP)
    warps = lanes // WARP
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = thread & (tile - 1), thread >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
            coupling = offset(couplings, slot * 20)
            if part == 0 and has_0_1_1:
                convolution_0_1_1.d_grad_couplings(
                    offset(filters, edge * filter_row + filter_at_0),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_0), coupling,
                )
            if part == 1 and has_1_1_0:
                convolution_1_1_0.double_backward_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 2),
                )
            if part == 2 and has_1_1_1:
                convolution_1_1_1.double_backward_couplings(
                    offset(filters, edge * filter_row + filter_at_1),
                    offset(filter_tangents, edge * filter_tangent_row + filter_at_1), offset(coupling, 8),
                )
        cuda.syncthreads()
        ahead, slot = (stages - 1) * teams, 0
        for at in range(team - ahead, count, teams):
            coming, following = offset(ring, slot * 12 * threads), at + ahead
            if active and following < count:
                here = offset(inputs, neighbors[following] + input_at + channel)
                copy(coming, 0, here, 0, by_itself)
                copy(coming, threads, here, channels, by_itself)
                copy(coming, 2 * threads, here, 2 * channels, by_itself)
                here = offset(weights, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 3 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 4 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 5 * threads, here, weight_at_1_1_1, by_itself)
                here = offset(input_tangents, neighbors[following] + input_at + channel)
                copy(coming, 6 * threads, here, 0, by_itself)
                copy(coming, 7 * threads, here, channels, by_itself)
                copy(coming, 8 * threads, here, 2 * channels, by_itself)
                here = offset(weight_tangents, weight_rows[following] + channel)
                if has_0_1_1:
                    copy(coming, 9 * threads, here, weight_at_0_1_1, by_itself)
                if has_1_1_0:
                    copy(coming, 10 * threads, here, weight_at_1_1_0, by_itself)
                if has_1_1_1:
                    copy(coming, 11 * threads, here, weight_at_1_1_1, by_itself)
            end_copies(by_itself)
            slot = slot + 1 if slot + 1 < stages else 0
            if at < 0:
                continue
            wait_for_copies(stages - 1, by_itself)
            mine = offset(ring, slot * 12 * threads)
            edge = edges[at]
            coupling = offset(couplings, at * 20)
            input = (
                load(mine, 0, active),
                load(mine, threads, active),
                load(mine, 2 * threads, active),
            )
            input_tangent = (
                load(mine, 6 * threads, active),
                load(mine, 7 * threads, active),
                load(mine, 8 * threads, active),
            )
            weight_0_1_1 = load(mine, 3 * threads, active and has_0_1_1)
            weight_1_1_0 = load(mine, 4 * threads, active and has_1_1_0)
            weight_1_1_1 = load(mine, 5 * threads, active and has_1_1_1)
            weight_tangent_0_1_1 = load(mine, 9 * threads, active and has_0_1_1)
            weight_tangent_1_1_0 = load(mine, 10 * threads, active and has_1_1_0)
            weight_tangent_1_1_1 = load(mine, 11 * threads, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            d_filter_0 = (zero_like(inputs),)
            d_filter_1 = (zero_like(inputs), zero_like(inputs), zero_like(inputs))
            if has_0_1_1:
                d_filter_0, d_input, d_weight = convolution_0_1_1.backward_along(
                    coupling, input, weight_0_1_1, grad_0_1_1, input_tangent, weight_tangent_0_1_1,
                    grad_tangent_0_1_1, d_filter_0, d_input,
                )
                store(d_weights_here, weight_at_0_1_1, d_weight, active)
            if has_1_1_0:
                d_filter_1, d_input, d_weight = convolution_1_1_0.backward_along(
                    offset(coupling, 2), input, weight_1_1_0, grad_1_1_0, input_tangent, weight_tangent_1_1_0,
                    grad_tangent_1_1_0, d_filter_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_0, d_weight, active)
            if has_1_1_1:
                d_filter_1, d_input, d_weight = convolution_1_1_1.backward_along(
                    offset(coupling, 8), input, weight_1_1_1, grad_1_1_1, input_tangent, weight_tangent_1_1_1,
                    grad_tangent_1_1_1, d_filter_1, d_input,
                )
                store(d_weights_here, weight_at_1_1_1, d_weight, active)
            here = offset(d_inputs, edge * d_input_row + input_at + channel)
            put(here, 0, d_input[0], active, adding)
            put(here, channels, d_input[1], active, adding)
            put(here, 2 * channels, d_input[2], active, adding)
            here = offset(couplings, tile * 20 + (at * warps + lane // WARP) * 4)
            total = fold_all(
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs), zero_like(inputs),
                zero_like(inputs),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        m = thread % 4
        while m < 4:
            column = column_of(filter_at_0, m)
            if m >= 1:
                column = column_of(filter_at_1, m - 1)
            here = offset(d_filters, (d_filter_slot + cuda.blockIdx.y) * d_filter_tile + column)
            totals = offset(couplings, tile * 20 + m)
            at = thread // 4
            while at < count and column >= 0:
                total = total_of(offset(totals, at * warps * 4), 4, warps)
                store(here, edges[at] * d_filter_row, total, True)
                at += threads // 4
            m += 4
        begin += tile
    wait_for_last()
