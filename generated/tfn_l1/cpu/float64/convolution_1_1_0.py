"""The path (1, 1, 0) over a graph, in float64: gather, product and scatter in one pass, without messages.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each kernel returns derivatives of T, or of T along tangents (Δ), for the edges of one tile (`tfngen.forms`).
Operations per edge; those of the couplings are done for a vector of edges at a time:

    kernel                strategy  per node and channel  per edge     per channel    plain sum
    output                in turn   0 mul 0 add           3 mul 0 add  4 mul 2 add    9 mul 2 add
    d_input               in turn   0 mul 0 add           3 mul 0 add  4 mul 0 add    9 mul 0 add
    d_filter              node      1 mul 0 add           0 mul 0 add  4 mul 3 add    6 mul 3 add
    d_weight              node      1 mul 0 add           0 mul 0 add  4 mul 2 add    6 mul 2 add
    d_input_weight        node      1 mul 0 add           0 mul 0 add  8 mul 2 add    12 mul 2 add
    backward              node      1 mul 0 add           0 mul 0 add  11 mul 5 add   18 mul 5 add
    d_grad                in turn   0 mul 0 add           6 mul 0 add  15 mul 8 add   21 mul 8 add
    double_backward       node      1 mul 0 add           0 mul 0 add  24 mul 14 add  33 mul 14 add
    d_input_weight_along  node      2 mul 0 add           0 mul 0 add  12 mul 5 add   24 mul 8 add
    backward_along        node      2 mul 0 add           0 mul 0 add  35 mul 20 add  51 mul 23 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float64 import (
    AHEAD,
    COUPLINGS,
    D_FILTER_ROW,
    D_INPUT_ROW,
    EDGE_POINTERS,
    EDGE_ROWS,
    EDGE_STRIDE,
    EDGES,
    FILTER_TANGENTS,
    FILTERS,
    FIRST,
    HELD,
    LANES,
    LAST,
    NEIGHBOR_ROWS,
    NODE_ROW,
    ROW,
    SLOT,
    WEIGHT_ROWS,
    WRITING,
    active_lanes,
    add,
    bring,
    constant,
    fetch,
    kernel,
    load,
    load_index,
    load_indices,
    load_lanes,
    load_scalar,
    store_lanes,
    write_row,
    zero,
)

SQRT_1_3 = constant(0.5773502691896257)  # √(1/3)


@kernel
def output(tile, call):
    """outputs[target] += ∂T/∂grad[target], which is the convolution"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    filters = load_index(tile, FILTERS)
    couplings = load_index(tile, COUPLINGS)
    channels, filter_at, input_step, _grad_step, inputs, weights, outputs = load_indices(call, 7)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_x_0 = SQRT_1_3 * filter_x
        store_lanes(couplings, edge, coupling_x_0)
        coupling_y_0 = SQRT_1_3 * filter_y
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_y_0)
        coupling_z_0 = SQRT_1_3 * filter_z
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_z_0)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            output_0 = zero()
            for edge in range(begin, end):
                neighbor_at = load_index(neighbor_rows, edge) + channel
                weight_at = load_index(weight_rows, edge) + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(inputs, coming_at)
                bring(inputs, coming_at + input_step)
                bring(inputs, coming_at + 2 * input_step)
                coupling_x_0 = load_scalar(couplings, edge)
                input_x = load(inputs, neighbor_at, active)
                sum_0 = coupling_x_0 * input_x
                coupling_y_0 = load_scalar(couplings, edge + EDGE_STRIDE)
                input_y = load(inputs, neighbor_at + input_step, active)
                sum_0 = sum_0 + coupling_y_0 * input_y
                coupling_z_0 = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                sum_0 = sum_0 + coupling_z_0 * input_z
                weight = load(weights, weight_at, active)
                output_0 = output_0 + weight * sum_0
            node_at = node * node_row + channel
            add(outputs, node_at, output_0, active)


@kernel
def d_input(tile, call):
    """d_inputs[source] += ∂T/∂input[source]"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    filters = load_index(tile, FILTERS)
    couplings = load_index(tile, COUPLINGS)
    channels, filter_at, _grad_step, input_step, weights, grads, d_inputs = load_indices(call, 7)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_0_x = SQRT_1_3 * filter_x
        store_lanes(couplings, edge, coupling_0_x)
        coupling_0_y = SQRT_1_3 * filter_y
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_0_y)
        coupling_0_z = SQRT_1_3 * filter_z
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_0_z)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            d_input_x = zero()
            d_input_y = zero()
            d_input_z = zero()
            for edge in range(begin, end):
                neighbor_at = load_index(neighbor_rows, edge) + channel
                weight_at = load_index(weight_rows, edge) + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(grads, coming_at)
                weight = load(weights, weight_at, active)
                grad_0 = load(grads, neighbor_at, active)
                weighted_grad_0 = weight * grad_0
                coupling_0_x = load_scalar(couplings, edge)
                d_input_x = d_input_x + coupling_0_x * weighted_grad_0
                coupling_0_y = load_scalar(couplings, edge + EDGE_STRIDE)
                d_input_y = d_input_y + coupling_0_y * weighted_grad_0
                coupling_0_z = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                d_input_z = d_input_z + coupling_0_z * weighted_grad_0
            node_at = node * node_row + channel
            add(d_inputs, node_at, d_input_x, active)
            add(d_inputs, node_at + input_step, d_input_y, active)
            add(d_inputs, node_at + 2 * input_step, d_input_z, active)


@kernel
def d_filter(tile, call):
    """d_filters[edge] += ∂T/∂filter[edge]"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    d_filter_row = load_index(tile, D_FILTER_ROW)
    held = load_index(tile, HELD)
    channels, _filter_at, input_step, _grad_step, inputs, weights, grads, d_filters = load_indices(call, 8)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 1
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_x = load_lanes(d_filters, d_filter_at)
            d_filter_y = load_lanes(d_filters, d_filter_at + SLOT)
            d_filter_z = load_lanes(d_filters, d_filter_at + 2 * SLOT)
            neighbor_row = load_index(neighbor_rows, edge)
            weight_row = load_index(weight_rows, edge)
            coming_weight_row = load_index(weight_rows, edge + AHEAD)
            next_weight_row = load_index(weight_rows, edge + edges)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                weight_at = weight_row + channel
                coming_weight_at = coming_weight_row + channel
                next_weight_at = next_weight_row + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                held_at = channel * 1
                held_x_x = load_lanes(held, held_at)
                weight = load(weights, weight_at, active)
                weighted_held_x_x = held_x_x * weight
                input_x = load(inputs, neighbor_at, active)
                d_filter_x += input_x * weighted_held_x_x
                input_y = load(inputs, neighbor_at + input_step, active)
                d_filter_y += input_y * weighted_held_x_x
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_filter_z += input_z * weighted_held_x_x
            store_lanes(d_filters, d_filter_at, d_filter_x)
            store_lanes(d_filters, d_filter_at + SLOT, d_filter_y)
            store_lanes(d_filters, d_filter_at + 2 * SLOT, d_filter_z)


@kernel
def d_weight(tile, call):
    """d_weights[edge] = ∂T/∂weight[edge]"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    writing = load_index(tile, WRITING)
    held = load_index(tile, HELD)
    row = load_index(tile, ROW)
    channels, filter_at, input_step, _grad_step, inputs, grads, d_weights = load_indices(call, 7)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 1
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
        for edge in range(begin, end):
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                held_at = channel * 1
                held_x_x = load_lanes(held, held_at)
                input_x = load(inputs, neighbor_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = held_x_x * (filter_x * input_x + filter_y * input_y + filter_z * input_z)
                store_lanes(row, channel, d_weight)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)


@kernel
def d_input_weight(tile, call):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    writing = load_index(tile, WRITING)
    held = load_index(tile, HELD)
    row = load_index(tile, ROW)
    d_input_row = load_index(tile, D_INPUT_ROW)
    (
        channels, filter_at, input_step, _grad_step, inputs, weights,
        grads, d_inputs, d_weights,
    ) = load_indices(call, 9)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 1
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
        for edge in range(begin, end):
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            weight_row = load_index(weight_rows, edge)
            coming_weight_row = load_index(weight_rows, edge + AHEAD)
            next_weight_row = load_index(weight_rows, edge + edges)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                weight_at = weight_row + channel
                coming_weight_at = coming_weight_row + channel
                next_weight_at = next_weight_row + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                held_at = channel * 1
                d_input_at = edge * d_input_row + channel
                held_x_x = load_lanes(held, held_at)
                weight = load(weights, weight_at, active)
                weighted_held_x_x = held_x_x * weight
                d_input_x = filter_x * weighted_held_x_x
                add(d_inputs, d_input_at, d_input_x, active)
                d_input_y = filter_y * weighted_held_x_x
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                d_input_z = filter_z * weighted_held_x_x
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                held_x_x = load_lanes(held, held_at)
                input_x = load(inputs, neighbor_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = held_x_x * (filter_x * input_x + filter_y * input_y + filter_z * input_z)
                store_lanes(row, channel, d_weight)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)


@kernel
def backward(tile, call):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    d_filter_row = load_index(tile, D_FILTER_ROW)
    writing = load_index(tile, WRITING)
    held = load_index(tile, HELD)
    row = load_index(tile, ROW)
    d_input_row = load_index(tile, D_INPUT_ROW)
    (
        channels, filter_at, input_step, _grad_step, inputs, weights,
        grads, d_filters, d_inputs, d_weights,
    ) = load_indices(call, 10)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 1
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_x = load_lanes(d_filters, d_filter_at)
            d_filter_y = load_lanes(d_filters, d_filter_at + SLOT)
            d_filter_z = load_lanes(d_filters, d_filter_at + 2 * SLOT)
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            weight_row = load_index(weight_rows, edge)
            coming_weight_row = load_index(weight_rows, edge + AHEAD)
            next_weight_row = load_index(weight_rows, edge + edges)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                weight_at = weight_row + channel
                coming_weight_at = coming_weight_row + channel
                next_weight_at = next_weight_row + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                held_at = channel * 1
                d_input_at = edge * d_input_row + channel
                held_x_x = load_lanes(held, held_at)
                weight = load(weights, weight_at, active)
                weighted_held_x_x = held_x_x * weight
                input_x = load(inputs, neighbor_at, active)
                d_filter_x += input_x * weighted_held_x_x
                input_y = load(inputs, neighbor_at + input_step, active)
                d_filter_y += input_y * weighted_held_x_x
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_filter_z += input_z * weighted_held_x_x
                d_input_x = filter_x * weighted_held_x_x
                add(d_inputs, d_input_at, d_input_x, active)
                d_input_y = filter_y * weighted_held_x_x
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                d_input_z = filter_z * weighted_held_x_x
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                held_x_x = load_lanes(held, held_at)
                input_x = load(inputs, neighbor_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = held_x_x * (filter_x * input_x + filter_y * input_y + filter_z * input_z)
                store_lanes(row, channel, d_weight)
            store_lanes(d_filters, d_filter_at, d_filter_x)
            store_lanes(d_filters, d_filter_at + SLOT, d_filter_y)
            store_lanes(d_filters, d_filter_at + 2 * SLOT, d_filter_z)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)


@kernel
def d_grad(tile, call):
    """d_grads[target] += ∂ΔT/∂grad[target]"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    filters = load_index(tile, FILTERS)
    filter_tangents = load_index(tile, FILTER_TANGENTS)
    couplings = load_index(tile, COUPLINGS)
    (
        channels, filter_at, input_step, _grad_step, inputs, weights,
        input_tangents, weight_tangents, d_grads,
    ) = load_indices(call, 9)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        filter_tangent_x = load_lanes(filter_tangents, filter_at + edge)
        filter_tangent_y = load_lanes(filter_tangents, filter_at + edge + EDGE_STRIDE)
        filter_tangent_z = load_lanes(filter_tangents, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_x_0 = SQRT_1_3 * filter_x
        store_lanes(couplings, edge, coupling_x_0)
        coupling_tangent_x_0 = SQRT_1_3 * filter_tangent_x
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_tangent_x_0)
        coupling_y_0 = SQRT_1_3 * filter_y
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_y_0)
        coupling_tangent_y_0 = SQRT_1_3 * filter_tangent_y
        store_lanes(couplings, edge + 3 * EDGE_STRIDE, coupling_tangent_y_0)
        coupling_z_0 = SQRT_1_3 * filter_z
        store_lanes(couplings, edge + 4 * EDGE_STRIDE, coupling_z_0)
        coupling_tangent_z_0 = SQRT_1_3 * filter_tangent_z
        store_lanes(couplings, edge + 5 * EDGE_STRIDE, coupling_tangent_z_0)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            d_grad_0 = zero()
            for edge in range(begin, end):
                neighbor_at = load_index(neighbor_rows, edge) + channel
                weight_at = load_index(weight_rows, edge) + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                bring(weight_tangents, coming_weight_at)
                fetch(weight_tangents, next_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(inputs, coming_at)
                bring(inputs, coming_at + input_step)
                bring(inputs, coming_at + 2 * input_step)
                bring(input_tangents, coming_at)
                bring(input_tangents, coming_at + input_step)
                bring(input_tangents, coming_at + 2 * input_step)
                input_tangent_x = load(input_tangents, neighbor_at, active)
                weight = load(weights, weight_at, active)
                input_x = load(inputs, neighbor_at, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                coupling_x_0 = load_scalar(couplings, edge)
                d_grad_0 = d_grad_0 + coupling_x_0 * change_of_weighted_input_x
                weighted_input_x = input_x * weight
                coupling_tangent_x_0 = load_scalar(couplings, edge + EDGE_STRIDE)
                d_grad_0 = d_grad_0 + coupling_tangent_x_0 * weighted_input_x
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                coupling_y_0 = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                d_grad_0 = d_grad_0 + coupling_y_0 * change_of_weighted_input_y
                weighted_input_y = input_y * weight
                coupling_tangent_y_0 = load_scalar(couplings, edge + 3 * EDGE_STRIDE)
                d_grad_0 = d_grad_0 + coupling_tangent_y_0 * weighted_input_y
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                coupling_z_0 = load_scalar(couplings, edge + 4 * EDGE_STRIDE)
                d_grad_0 = d_grad_0 + coupling_z_0 * change_of_weighted_input_z
                weighted_input_z = input_z * weight
                coupling_tangent_z_0 = load_scalar(couplings, edge + 5 * EDGE_STRIDE)
                d_grad_0 = d_grad_0 + coupling_tangent_z_0 * weighted_input_z
            node_at = node * node_row + channel
            add(d_grads, node_at, d_grad_0, active)


@kernel
def double_backward(tile, call):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    filter_tangents = load_index(tile, FILTER_TANGENTS)
    d_filter_row = load_index(tile, D_FILTER_ROW)
    writing = load_index(tile, WRITING)
    held = load_index(tile, HELD)
    row = load_index(tile, ROW)
    d_input_row = load_index(tile, D_INPUT_ROW)
    (
        channels, filter_at, input_step, _grad_step, inputs, weights,
        grads, input_tangents, weight_tangents, d_filters, d_inputs, d_weights,
    ) = load_indices(call, 12)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 1
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_x = load_lanes(d_filters, d_filter_at)
            d_filter_y = load_lanes(d_filters, d_filter_at + SLOT)
            d_filter_z = load_lanes(d_filters, d_filter_at + 2 * SLOT)
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            filter_tangent_x = load_scalar(filter_tangents, filter_at + edge)
            filter_tangent_y = load_scalar(filter_tangents, filter_at + edge + EDGE_STRIDE)
            filter_tangent_z = load_scalar(filter_tangents, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            weight_row = load_index(weight_rows, edge)
            coming_weight_row = load_index(weight_rows, edge + AHEAD)
            next_weight_row = load_index(weight_rows, edge + edges)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                weight_at = weight_row + channel
                coming_weight_at = coming_weight_row + channel
                next_weight_at = next_weight_row + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                bring(weight_tangents, coming_weight_at)
                fetch(weight_tangents, next_weight_at)
                held_at = channel * 1
                d_input_at = edge * d_input_row + channel
                input_tangent_x = load(input_tangents, neighbor_at, active)
                weight = load(weights, weight_at, active)
                input_x = load(inputs, neighbor_at, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                held_x_x = load_lanes(held, held_at)
                d_filter_x += change_of_weighted_input_x * held_x_x
                d_filter_y += change_of_weighted_input_y * held_x_x
                d_filter_z += change_of_weighted_input_z * held_x_x
                weighted_held_x_x = held_x_x * weight
                held_x_x_weight_tangent = held_x_x * weight_tangent
                d_input_x = filter_tangent_x * weighted_held_x_x + filter_x * held_x_x_weight_tangent
                add(d_inputs, d_input_at, d_input_x, active)
                d_input_y = filter_tangent_y * weighted_held_x_x + filter_y * held_x_x_weight_tangent
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                d_input_z = filter_tangent_z * weighted_held_x_x + filter_z * held_x_x_weight_tangent
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                held_x_x = load_lanes(held, held_at)
                input_x = load(inputs, neighbor_at, active)
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                d_weight = held_x_x * (
                    filter_tangent_x * input_x + filter_x * input_tangent_x + filter_tangent_y * input_y
                    + filter_y * input_tangent_y + filter_tangent_z * input_z + filter_z * input_tangent_z
                )
                store_lanes(row, channel, d_weight)
            store_lanes(d_filters, d_filter_at, d_filter_x)
            store_lanes(d_filters, d_filter_at + SLOT, d_filter_y)
            store_lanes(d_filters, d_filter_at + 2 * SLOT, d_filter_z)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)


@kernel
def d_input_weight_along(tile, call):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    filter_tangents = load_index(tile, FILTER_TANGENTS)
    writing = load_index(tile, WRITING)
    held = load_index(tile, HELD)
    row = load_index(tile, ROW)
    d_input_row = load_index(tile, D_INPUT_ROW)
    (
        channels, filter_at, input_step, _grad_step, inputs, weights,
        grads, grad_tangents, d_inputs, d_weights,
    ) = load_indices(call, 10)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 2
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
            grad_tangent_0 = load(grad_tangents, node_at, active)
            held_tangent_x_x = SQRT_1_3 * grad_tangent_0
            store_lanes(held, held_at + LANES, held_tangent_x_x)
        for edge in range(begin, end):
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            filter_tangent_x = load_scalar(filter_tangents, filter_at + edge)
            filter_tangent_y = load_scalar(filter_tangents, filter_at + edge + EDGE_STRIDE)
            filter_tangent_z = load_scalar(filter_tangents, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            weight_row = load_index(weight_rows, edge)
            coming_weight_row = load_index(weight_rows, edge + AHEAD)
            next_weight_row = load_index(weight_rows, edge + edges)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                weight_at = weight_row + channel
                coming_weight_at = coming_weight_row + channel
                next_weight_at = next_weight_row + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                held_at = channel * 2
                d_input_at = edge * d_input_row + channel
                held_x_x = load_lanes(held, held_at)
                held_tangent_x_x = load_lanes(held, held_at + LANES)
                sum_filter_tangent_x = filter_tangent_x * held_x_x + filter_x * held_tangent_x_x
                weight = load(weights, weight_at, active)
                d_input_x = weight * sum_filter_tangent_x
                add(d_inputs, d_input_at, d_input_x, active)
                input_x = load(inputs, neighbor_at, active)
                d_weight_so_far = input_x * sum_filter_tangent_x
                held_x_x = load_lanes(held, held_at)
                held_tangent_x_x = load_lanes(held, held_at + LANES)
                sum_filter_tangent_y = filter_tangent_y * held_x_x + filter_y * held_tangent_x_x
                d_input_y = weight * sum_filter_tangent_y
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far_2 = d_weight_so_far + input_y * sum_filter_tangent_y
                held_x_x = load_lanes(held, held_at)
                held_tangent_x_x = load_lanes(held, held_at + LANES)
                sum_filter_tangent_z = filter_tangent_z * held_x_x + filter_z * held_tangent_x_x
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = d_weight_so_far_2 + input_z * sum_filter_tangent_z
                store_lanes(row, channel, d_weight)
                d_input_z = weight * sum_filter_tangent_z
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)


@kernel
def backward_along(tile, call):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    weight_rows = load_index(tile, WEIGHT_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    filter_tangents = load_index(tile, FILTER_TANGENTS)
    d_filter_row = load_index(tile, D_FILTER_ROW)
    writing = load_index(tile, WRITING)
    held = load_index(tile, HELD)
    row = load_index(tile, ROW)
    d_input_row = load_index(tile, D_INPUT_ROW)
    (
        channels, filter_at, input_step, _grad_step, inputs, weights,
        grads, input_tangents, weight_tangents, grad_tangents, d_filters, d_inputs,
        d_weights,
    ) = load_indices(call, 13)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 2
            grad_0 = load(grads, node_at, active)
            held_x_x = SQRT_1_3 * grad_0
            store_lanes(held, held_at, held_x_x)
            grad_tangent_0 = load(grad_tangents, node_at, active)
            held_tangent_x_x = SQRT_1_3 * grad_tangent_0
            store_lanes(held, held_at + LANES, held_tangent_x_x)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_x = load_lanes(d_filters, d_filter_at)
            d_filter_y = load_lanes(d_filters, d_filter_at + SLOT)
            d_filter_z = load_lanes(d_filters, d_filter_at + 2 * SLOT)
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            filter_tangent_x = load_scalar(filter_tangents, filter_at + edge)
            filter_tangent_y = load_scalar(filter_tangents, filter_at + edge + EDGE_STRIDE)
            filter_tangent_z = load_scalar(filter_tangents, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            weight_row = load_index(weight_rows, edge)
            coming_weight_row = load_index(weight_rows, edge + AHEAD)
            next_weight_row = load_index(weight_rows, edge + edges)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                weight_at = weight_row + channel
                coming_weight_at = coming_weight_row + channel
                next_weight_at = next_weight_row + channel
                bring(weights, coming_weight_at)
                fetch(weights, next_weight_at)
                bring(weight_tangents, coming_weight_at)
                fetch(weight_tangents, next_weight_at)
                held_at = channel * 2
                d_input_at = edge * d_input_row + channel
                input_tangent_x = load(input_tangents, neighbor_at, active)
                weight = load(weights, weight_at, active)
                input_x = load(inputs, neighbor_at, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                weighted_input_x = input_x * weight
                held_x_x = load_lanes(held, held_at)
                held_tangent_x_x = load_lanes(held, held_at + LANES)
                d_filter_x += change_of_weighted_input_x * held_x_x + weighted_input_x * held_tangent_x_x
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                weighted_input_y = input_y * weight
                d_filter_y += change_of_weighted_input_y * held_x_x + weighted_input_y * held_tangent_x_x
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                weighted_input_z = input_z * weight
                d_filter_z += change_of_weighted_input_z * held_x_x + weighted_input_z * held_tangent_x_x
                sum_filter_tangent_x = filter_tangent_x * held_x_x + filter_x * held_tangent_x_x
                held_x_x_weight_tangent = held_x_x * weight_tangent
                d_input_x = weight * sum_filter_tangent_x + filter_x * held_x_x_weight_tangent
                add(d_inputs, d_input_at, d_input_x, active)
                held_x_x = load_lanes(held, held_at)
                held_tangent_x_x = load_lanes(held, held_at + LANES)
                sum_filter_tangent_y = filter_tangent_y * held_x_x + filter_y * held_tangent_x_x
                d_input_y = weight * sum_filter_tangent_y + filter_y * held_x_x_weight_tangent
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_x_x = load_lanes(held, held_at)
                held_tangent_x_x = load_lanes(held, held_at + LANES)
                sum_filter_tangent_z = filter_tangent_z * held_x_x + filter_z * held_tangent_x_x
                d_input_z = weight * sum_filter_tangent_z + filter_z * held_x_x_weight_tangent
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                held_x_x = load_lanes(held, held_at)
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                d_weight_so_far = held_x_x * (
                    filter_x * input_tangent_x + filter_y * input_tangent_y + filter_z * input_tangent_z
                )
                input_x = load(inputs, neighbor_at, active)
                d_weight_so_far_2 = d_weight_so_far + input_x * sum_filter_tangent_x
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far_3 = d_weight_so_far_2 + input_y * sum_filter_tangent_y
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = d_weight_so_far_3 + input_z * sum_filter_tangent_z
                store_lanes(row, channel, d_weight)
            store_lanes(d_filters, d_filter_at, d_filter_x)
            store_lanes(d_filters, d_filter_at + SLOT, d_filter_y)
            store_lanes(d_filters, d_filter_at + 2 * SLOT, d_filter_z)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)
