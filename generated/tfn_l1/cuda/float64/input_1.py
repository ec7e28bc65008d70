"""Paths of input degree 1 over a graph, in float64, on a GPU: gather, product and scatter in one pass.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

3 paths:

    (0, 1, 1)
    (1, 1, 0)
    (1, 1, 1)

A block has a lane for each channel and goes through the edges of one piece: some consecutive edges of one
target node (`tfngen.runtime.cuda.pieces`). A lane holds all of a node's output components, 7, in registers.
Paths that a convolution does not have are given a `weight_at` of −1.
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float64 import (
    ALIGNED,
    MOST_EDGES,
    WARP,
    Floats,
    Indices,
    Int,
    Size,
    cuda,
    fold_all,
    fold_place,
    index,
    kernel,
    load,
    load_piece,
    number,
    offset,
    pointer,
    put,
    row_of,
    store,
    within,
    write_totals,
    zero,
)

from . import (
    convolution_0_1_1,
    convolution_1_1_0,
    convolution_1_1_1,
)

PATHS = ((0, 1, 1), (1, 1, 0), (1, 1, 1))
SHARED = {
    "output": (12, 0),
    "d_input": (12, 0),
    "d_filter": (0, 4),
    "d_weight": (12, 0),
    "d_input_weight": (12, 0),
    "backward": (12, 4),
    "d_grad": (20, 0),
    "double_backward": (20, 4),
}
"""By kernel, how many numbers of shared memory it takes for an edge of a tile, and for an edge and warp."""


@kernel
def output(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size,
    weights: Floats, weight_row: Size,
    outputs: Floats, output_row: Size, spares: Floats,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """outputs[target] += ∂T/∂grad[target], which is the convolution"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
    node, first, last, row = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    output_0_1_1 = (zero(), zero(), zero())
    output_1_1_0 = (zero(),)
    output_1_1_1 = (zero(), zero(), zero())
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            coupling = offset(couplings, at * 12)
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
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
    home = row_of(outputs, spares, row, output_row)
    if has_0_1_1:
        here = offset(home, grad_at_0_1_1 + channel)
        store(here, 0, output_0_1_1[0], active)
        store(here, grad_step_0_1_1, output_0_1_1[1], active)
        store(here, 2 * grad_step_0_1_1, output_0_1_1[2], active)
    if has_1_1_0:
        here = offset(home, grad_at_1_1_0 + channel)
        store(here, 0, output_1_1_0[0], active)
    if has_1_1_1:
        here = offset(home, grad_at_1_1_1 + channel)
        store(here, 0, output_1_1_1[0], active)
        store(here, grad_step_1_1_1, output_1_1_1[1], active)
        store(here, 2 * grad_step_1_1_1, output_1_1_1[2], active)


@kernel
def d_input(
    pieces: Indices, order: Indices, num_edges: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size,
    d_inputs: Floats, d_input_row: Size, adding: Int,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_inputs[source] += ∂T/∂input[source]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
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
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            d_input = (zero(), zero(), zero())
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


@kernel
def d_filter(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    inputs: Floats, input_row: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_filters[edge] += ∂T/∂filter[edge]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
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
        slot, part = lane & (tile - 1), lane >> tile_bits
        if slot < count:
            edge = within(order[begin + slot], num_edges)
            if part == 0:
                edges[slot] = edge
                neighbors[slot] = within(sources[edge], num_nodes) * input_row
                weights_at = weight_index[edge] if weights_shared else edge
                weight_rows[slot] = within(weights_at, num_weights) * weight_row
        cuda.syncthreads()
        for at in range(count):
            edge = edges[at]
            coupling = couplings
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            d_filter_0 = (zero(),)
            d_filter_1 = (zero(), zero(), zero())
            if has_0_1_1:
                d_filter_0 = convolution_0_1_1.d_filter(coupling, input, weight_0_1_1, grad_0_1_1, d_filter_0)
            if has_1_1_0:
                d_filter_1 = convolution_1_1_0.d_filter(coupling, input, weight_1_1_0, grad_1_1_0, d_filter_1)
            if has_1_1_1:
                d_filter_1 = convolution_1_1_1.d_filter(coupling, input, weight_1_1_1, grad_1_1_1, d_filter_1)
            here = offset(couplings, tile * 0 + (at * warps + lane // WARP) * 4)
            total = fold_all(
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero(), zero(), zero(), zero(),
                zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        at = lane // WARP
        while at < count:
            totals = offset(couplings, tile * 0 + at * warps * 4)
            here = offset(d_filters, cuda.blockIdx.y * d_filter_tile + edges[at] * d_filter_row)
            if filter_at_0 >= 0:
                write_totals(offset(here, filter_at_0), totals, 4, warps, lane % WARP, 1)
            if filter_at_1 >= 0:
                write_totals(offset(here, filter_at_1), offset(totals, 1), 4, warps, lane % WARP, 3)
            at += warps
        begin += tile


@kernel
def d_weight(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size,
    grads: Floats, grad_row: Size,
    d_weights: Floats, d_weight_row: Size,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_weights[edge] = ∂T/∂weight[edge]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
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
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
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


@kernel
def d_input_weight(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size,
    d_inputs: Floats, d_input_row: Size, adding: Int,
    d_weights: Floats, d_weight_row: Size,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
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
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero(), zero(), zero())
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


@kernel
def backward(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    d_inputs: Floats, d_input_row: Size, adding: Int,
    d_weights: Floats, d_weight_row: Size,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
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
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            edge = edges[at]
            coupling = offset(couplings, at * 12)
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero(), zero(), zero())
            d_filter_0 = (zero(),)
            d_filter_1 = (zero(), zero(), zero())
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
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero(), zero(), zero(), zero(),
                zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        at = lane // WARP
        while at < count:
            totals = offset(couplings, tile * 12 + at * warps * 4)
            here = offset(d_filters, cuda.blockIdx.y * d_filter_tile + edges[at] * d_filter_row)
            if filter_at_0 >= 0:
                write_totals(offset(here, filter_at_0), totals, 4, warps, lane % WARP, 1)
            if filter_at_1 >= 0:
                write_totals(offset(here, filter_at_1), offset(totals, 1), 4, warps, lane % WARP, 3)
            at += warps
        begin += tile


@kernel
def d_grad(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size,
    weights: Floats, weight_row: Size,
    filter_tangents: Floats, filter_tangent_row: Size,
    input_tangents: Floats,
    weight_tangents: Floats,
    d_grads: Floats, d_grad_row: Size, spares: Floats,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_grads[target] += ∂ΔT/∂grad[target]"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
    node, first, last, row = load_piece(pieces, cuda.blockIdx.x)
    if node < 0:
        return
    has_0_1_1 = weight_at_0_1_1 >= 0
    has_1_1_0 = weight_at_1_1_0 >= 0
    has_1_1_1 = weight_at_1_1_1 >= 0
    d_grad_0_1_1 = (zero(), zero(), zero())
    d_grad_1_1_0 = (zero(),)
    d_grad_1_1_1 = (zero(), zero(), zero())
    begin = first
    while begin < last:
        count = min(tile, last - begin)
        cuda.syncthreads()
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            coupling = offset(couplings, at * 20)
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(input_tangents, neighbors[at] + input_at + channel)
            input_tangent = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            here = offset(weight_tangents, weight_rows[at] + channel)
            weight_tangent_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_tangent_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_tangent_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
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
    home = row_of(d_grads, spares, row, d_grad_row)
    if has_0_1_1:
        here = offset(home, grad_at_0_1_1 + channel)
        store(here, 0, d_grad_0_1_1[0], active)
        store(here, grad_step_0_1_1, d_grad_0_1_1[1], active)
        store(here, 2 * grad_step_0_1_1, d_grad_0_1_1[2], active)
    if has_1_1_0:
        here = offset(home, grad_at_1_1_0 + channel)
        store(here, 0, d_grad_1_1_0[0], active)
    if has_1_1_1:
        here = offset(home, grad_at_1_1_1 + channel)
        store(here, 0, d_grad_1_1_1[0], active)
        store(here, grad_step_1_1_1, d_grad_1_1_1[1], active)
        store(here, 2 * grad_step_1_1_1, d_grad_1_1_1[2], active)


@kernel
def double_backward(
    pieces: Indices, order: Indices, num_edges: Size,
    sources: Indices, num_nodes: Size,
    weight_index: Indices, weights_shared: Int, num_weights: Size,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size,
    filter_tangents: Floats, filter_tangent_row: Size,
    input_tangents: Floats,
    weight_tangents: Floats,
    d_filters: Floats, d_filter_row: Size, d_filter_tile: Size,
    d_inputs: Floats, d_input_row: Size, adding: Int,
    d_weights: Floats, d_weight_row: Size,
    tile: Int, tile_bits: Int, channels: Int, input_at: Int,
    filter_at_0: Int, filter_at_1: Int,
    weight_at_0_1_1: Int, grad_at_0_1_1: Int, grad_step_0_1_1: Int,
    weight_at_1_1_0: Int, grad_at_1_1_0: Int, grad_step_1_1_0: Int,
    weight_at_1_1_1: Int, grad_at_1_1_1: Int, grad_step_1_1_1: Int,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    couplings = pointer(cuda.shared.array(0, number, ALIGNED))
    edges = pointer(cuda.shared.array(MOST_EDGES, index))
    neighbors = pointer(cuda.shared.array(MOST_EDGES, index))
    weight_rows = pointer(cuda.shared.array(MOST_EDGES, index))
    lane, lanes = cuda.threadIdx.x, cuda.blockDim.x
    channel = cuda.blockIdx.y * lanes + lane
    active = channel < channels
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
        slot, part = lane & (tile - 1), lane >> tile_bits
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
        for at in range(count):
            edge = edges[at]
            coupling = offset(couplings, at * 20)
            here = offset(inputs, neighbors[at] + input_at + channel)
            input = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(input_tangents, neighbors[at] + input_at + channel)
            input_tangent = (
                load(here, 0, active),
                load(here, channels, active),
                load(here, 2 * channels, active),
            )
            here = offset(weights, weight_rows[at] + channel)
            weight_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            here = offset(weight_tangents, weight_rows[at] + channel)
            weight_tangent_0_1_1 = load(here, weight_at_0_1_1, active and has_0_1_1)
            weight_tangent_1_1_0 = load(here, weight_at_1_1_0, active and has_1_1_0)
            weight_tangent_1_1_1 = load(here, weight_at_1_1_1, active and has_1_1_1)
            d_weights_here = offset(d_weights, edge * d_weight_row + channel)
            d_input = (zero(), zero(), zero())
            d_filter_0 = (zero(),)
            d_filter_1 = (zero(), zero(), zero())
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
                d_filter_0[0], d_filter_1[0], d_filter_1[1], d_filter_1[2], zero(), zero(), zero(), zero(),
                zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(),
            )
            store(here, place, total, place < 4)
        cuda.syncthreads()
        at = lane // WARP
        while at < count:
            totals = offset(couplings, tile * 20 + at * warps * 4)
            here = offset(d_filters, cuda.blockIdx.y * d_filter_tile + edges[at] * d_filter_row)
            if filter_at_0 >= 0:
                write_totals(offset(here, filter_at_0), totals, 4, warps, lane % WARP, 1)
            if filter_at_1 >= 0:
                write_totals(offset(here, filter_at_1), offset(totals, 1), 4, warps, lane % WARP, 3)
            at += warps
        begin += tile
