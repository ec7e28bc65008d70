"""The path (0, 1, 1) over a graph, in float64: gather, product and scatter in one pass, without messages.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each kernel returns derivatives of T, or of T along tangents (Δ), for the edges of one tile (`tfngen.forms`).
Operations per edge; those of the couplings are done for a vector of edges at a time:

    kernel                strategy  per node and channel  per edge     per channel    plain sum
    output                coupling  0 mul 0 add           0 mul 0 add  4 mul 0 add    6 mul 0 add
    d_input               coupling  0 mul 0 add           0 mul 0 add  4 mul 0 add    6 mul 0 add
    d_filter              node      0 mul 0 add           0 mul 0 add  4 mul 3 add    6 mul 3 add
    d_weight              node      0 mul 0 add           0 mul 0 add  4 mul 2 add    6 mul 2 add
    d_input_weight        node      0 mul 0 add           0 mul 0 add  8 mul 2 add    12 mul 2 add
    backward              node      0 mul 0 add           0 mul 0 add  9 mul 3 add    18 mul 5 add
    d_grad                in turn   0 mul 0 add           0 mul 0 add  15 mul 6 add   15 mul 6 add
    double_backward       node      0 mul 0 add           0 mul 0 add  22 mul 12 add  33 mul 14 add
    d_input_weight_along  node      0 mul 0 add           0 mul 0 add  12 mul 5 add   24 mul 8 add
    backward_along        node      0 mul 0 add           0 mul 0 add  35 mul 20 add  51 mul 23 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float64 import (
    AHEAD,
    D_FILTER_ROW,
    D_INPUT_ROW,
    EDGE_POINTERS,
    EDGE_ROWS,
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
    WEIGHT_ROWS,
    WRITING,
    active_lanes,
    add,
    bring,
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
    channels, filter_at, input_step, grad_step, inputs, weights, outputs = load_indices(call, 7)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            output_x = zero()
            output_y = zero()
            output_z = zero()
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
                filter_0 = load_scalar(filters, filter_at + edge)
                weight = load(weights, weight_at, active)
                weighted_filter_0 = filter_0 * weight
                input_x = load(inputs, neighbor_at, active)
                output_x = output_x + input_x * weighted_filter_0
                input_y = load(inputs, neighbor_at + input_step, active)
                output_y = output_y + input_y * weighted_filter_0
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                output_z = output_z + input_z * weighted_filter_0
            node_at = node * node_row + channel
            add(outputs, node_at, output_x, active)
            add(outputs, node_at + grad_step, output_y, active)
            add(outputs, node_at + 2 * grad_step, output_z, active)


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
    channels, filter_at, grad_step, input_step, weights, grads, d_inputs = load_indices(call, 7)
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
                bring(grads, coming_at + grad_step)
                bring(grads, coming_at + 2 * grad_step)
                filter_0 = load_scalar(filters, filter_at + edge)
                weight = load(weights, weight_at, active)
                weighted_filter_0 = filter_0 * weight
                grad_x = load(grads, neighbor_at, active)
                d_input_x = d_input_x + weighted_filter_0 * grad_x
                grad_y = load(grads, neighbor_at + grad_step, active)
                d_input_y = d_input_y + weighted_filter_0 * grad_y
                grad_z = load(grads, neighbor_at + 2 * grad_step, active)
                d_input_z = d_input_z + weighted_filter_0 * grad_z
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
    channels, _filter_at, input_step, grad_step, inputs, weights, grads, d_filters = load_indices(call, 8)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 3
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_0 = load_lanes(d_filters, d_filter_at)
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
                held_at = channel * 3
                weight = load(weights, weight_at, active)
                input_x = load(inputs, neighbor_at, active)
                held_0_x = load_lanes(held, held_at)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_0_y = load_lanes(held, held_at + LANES)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_filter_0 += weight * (input_x * held_0_x + input_y * held_0_y + input_z * held_0_z)
            store_lanes(d_filters, d_filter_at, d_filter_0)


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
    channels, filter_at, input_step, grad_step, inputs, grads, d_weights = load_indices(call, 7)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 3
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
        for edge in range(begin, end):
            filter_0 = load_scalar(filters, filter_at + edge)
            neighbor_row = load_index(neighbor_rows, edge)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                held_at = channel * 3
                input_x = load(inputs, neighbor_at, active)
                held_0_x = load_lanes(held, held_at)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_0_y = load_lanes(held, held_at + LANES)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_weight = filter_0 * (input_x * held_0_x + input_y * held_0_y + input_z * held_0_z)
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
        channels, filter_at, input_step, grad_step, inputs, weights,
        grads, d_inputs, d_weights,
    ) = load_indices(call, 9)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 3
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
        for edge in range(begin, end):
            filter_0 = load_scalar(filters, filter_at + edge)
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
                held_at = channel * 3
                d_input_at = edge * d_input_row + channel
                weight = load(weights, weight_at, active)
                weighted_filter_0 = filter_0 * weight
                held_0_x = load_lanes(held, held_at)
                d_input_x = weighted_filter_0 * held_0_x
                add(d_inputs, d_input_at, d_input_x, active)
                held_0_y = load_lanes(held, held_at + LANES)
                d_input_y = weighted_filter_0 * held_0_y
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_input_z = weighted_filter_0 * held_0_z
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_x = load(inputs, neighbor_at, active)
                held_0_x = load_lanes(held, held_at)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_0_y = load_lanes(held, held_at + LANES)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_weight = filter_0 * (input_x * held_0_x + input_y * held_0_y + input_z * held_0_z)
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
        channels, filter_at, input_step, grad_step, inputs, weights,
        grads, d_filters, d_inputs, d_weights,
    ) = load_indices(call, 10)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 3
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_0 = load_lanes(d_filters, d_filter_at)
            filter_0 = load_scalar(filters, filter_at + edge)
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
                held_at = channel * 3
                d_input_at = edge * d_input_row + channel
                held_0_x = load_lanes(held, held_at)
                input_x = load(inputs, neighbor_at, active)
                held_0_x_input_x = held_0_x * input_x
                sum_held_0_x_input_x_so_far = held_0_x_input_x
                held_0_y = load_lanes(held, held_at + LANES)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_0_y_input_y = held_0_y * input_y
                sum_held_0_x_input_x_so_far_2 = sum_held_0_x_input_x_so_far + held_0_y_input_y
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_0_z_input_z = held_0_z * input_z
                sum_held_0_x_input_x = sum_held_0_x_input_x_so_far_2 + held_0_z_input_z
                weight = load(weights, weight_at, active)
                d_filter_0 += weight * sum_held_0_x_input_x
                d_weight = filter_0 * sum_held_0_x_input_x
                store_lanes(row, channel, d_weight)
                weighted_filter_0 = filter_0 * weight
                held_0_x = load_lanes(held, held_at)
                d_input_x = weighted_filter_0 * held_0_x
                add(d_inputs, d_input_at, d_input_x, active)
                held_0_y = load_lanes(held, held_at + LANES)
                d_input_y = weighted_filter_0 * held_0_y
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_input_z = weighted_filter_0 * held_0_z
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
            store_lanes(d_filters, d_filter_at, d_filter_0)
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
    (
        channels, filter_at, input_step, grad_step, inputs, weights,
        input_tangents, weight_tangents, d_grads,
    ) = load_indices(call, 9)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            d_grad_x = zero()
            d_grad_y = zero()
            d_grad_z = zero()
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
                filter_0 = load_scalar(filters, filter_at + edge)
                d_grad_x = d_grad_x + filter_0 * change_of_weighted_input_x
                weighted_input_x = input_x * weight
                filter_tangent_0 = load_scalar(filter_tangents, filter_at + edge)
                d_grad_x = d_grad_x + filter_tangent_0 * weighted_input_x
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                d_grad_y = d_grad_y + filter_0 * change_of_weighted_input_y
                weighted_input_y = input_y * weight
                d_grad_y = d_grad_y + filter_tangent_0 * weighted_input_y
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                d_grad_z = d_grad_z + filter_0 * change_of_weighted_input_z
                weighted_input_z = input_z * weight
                d_grad_z = d_grad_z + filter_tangent_0 * weighted_input_z
            node_at = node * node_row + channel
            add(d_grads, node_at, d_grad_x, active)
            add(d_grads, node_at + grad_step, d_grad_y, active)
            add(d_grads, node_at + 2 * grad_step, d_grad_z, active)


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
        channels, filter_at, input_step, grad_step, inputs, weights,
        grads, input_tangents, weight_tangents, d_filters, d_inputs, d_weights,
    ) = load_indices(call, 12)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 3
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_0 = load_lanes(d_filters, d_filter_at)
            filter_0 = load_scalar(filters, filter_at + edge)
            filter_tangent_0 = load_scalar(filter_tangents, filter_at + edge)
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
                held_at = channel * 3
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
                held_0_x = load_lanes(held, held_at)
                held_0_y = load_lanes(held, held_at + LANES)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_filter_0 += (
                    change_of_weighted_input_x * held_0_x + change_of_weighted_input_y * held_0_y
                    + change_of_weighted_input_z * held_0_z
                )
                sum_filter_tangent_0 = filter_tangent_0 * weight + filter_0 * weight_tangent
                d_input_x = held_0_x * sum_filter_tangent_0
                add(d_inputs, d_input_at, d_input_x, active)
                held_0_y = load_lanes(held, held_at + LANES)
                d_input_y = held_0_y * sum_filter_tangent_0
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_input_z = held_0_z * sum_filter_tangent_0
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_x = load(inputs, neighbor_at, active)
                held_0_x = load_lanes(held, held_at)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_0_y = load_lanes(held, held_at + LANES)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                d_weight = (
                    filter_tangent_0 * (input_x * held_0_x + input_y * held_0_y + input_z * held_0_z)
                    + filter_0 * (
                        input_tangent_x * held_0_x + input_tangent_y * held_0_y + input_tangent_z * held_0_z
                    )
                )
                store_lanes(row, channel, d_weight)
            store_lanes(d_filters, d_filter_at, d_filter_0)
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
        channels, filter_at, input_step, grad_step, inputs, weights,
        grads, grad_tangents, d_inputs, d_weights,
    ) = load_indices(call, 10)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 6
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
            grad_tangent_x = load(grad_tangents, node_at, active)
            held_tangent_0_x = grad_tangent_x
            store_lanes(held, held_at + 3 * LANES, held_tangent_0_x)
            grad_tangent_y = load(grad_tangents, node_at + grad_step, active)
            held_tangent_0_y = grad_tangent_y
            store_lanes(held, held_at + 4 * LANES, held_tangent_0_y)
            grad_tangent_z = load(grad_tangents, node_at + 2 * grad_step, active)
            held_tangent_0_z = grad_tangent_z
            store_lanes(held, held_at + 5 * LANES, held_tangent_0_z)
        for edge in range(begin, end):
            filter_0 = load_scalar(filters, filter_at + edge)
            filter_tangent_0 = load_scalar(filter_tangents, filter_at + edge)
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
                held_at = channel * 6
                d_input_at = edge * d_input_row + channel
                held_0_x = load_lanes(held, held_at)
                held_tangent_0_x = load_lanes(held, held_at + 3 * LANES)
                sum_filter_tangent_0 = filter_tangent_0 * held_0_x + filter_0 * held_tangent_0_x
                weight = load(weights, weight_at, active)
                d_input_x = weight * sum_filter_tangent_0
                add(d_inputs, d_input_at, d_input_x, active)
                input_x = load(inputs, neighbor_at, active)
                d_weight_so_far = input_x * sum_filter_tangent_0
                held_0_y = load_lanes(held, held_at + LANES)
                held_tangent_0_y = load_lanes(held, held_at + 4 * LANES)
                sum_filter_tangent_0_2 = filter_tangent_0 * held_0_y + filter_0 * held_tangent_0_y
                d_input_y = weight * sum_filter_tangent_0_2
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far_2 = d_weight_so_far + input_y * sum_filter_tangent_0_2
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_0_z = load_lanes(held, held_at + 5 * LANES)
                sum_filter_tangent_0_3 = filter_tangent_0 * held_0_z + filter_0 * held_tangent_0_z
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = d_weight_so_far_2 + input_z * sum_filter_tangent_0_3
                store_lanes(row, channel, d_weight)
                d_input_z = weight * sum_filter_tangent_0_3
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
        channels, filter_at, input_step, grad_step, inputs, weights,
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
            held_at = channel * 6
            grad_x = load(grads, node_at, active)
            held_0_x = grad_x
            store_lanes(held, held_at, held_0_x)
            grad_y = load(grads, node_at + grad_step, active)
            held_0_y = grad_y
            store_lanes(held, held_at + LANES, held_0_y)
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_0_z = grad_z
            store_lanes(held, held_at + 2 * LANES, held_0_z)
            grad_tangent_x = load(grad_tangents, node_at, active)
            held_tangent_0_x = grad_tangent_x
            store_lanes(held, held_at + 3 * LANES, held_tangent_0_x)
            grad_tangent_y = load(grad_tangents, node_at + grad_step, active)
            held_tangent_0_y = grad_tangent_y
            store_lanes(held, held_at + 4 * LANES, held_tangent_0_y)
            grad_tangent_z = load(grad_tangents, node_at + 2 * grad_step, active)
            held_tangent_0_z = grad_tangent_z
            store_lanes(held, held_at + 5 * LANES, held_tangent_0_z)
        for edge in range(begin, end):
            d_filter_at = edge * d_filter_row
            d_filter_0 = load_lanes(d_filters, d_filter_at)
            filter_0 = load_scalar(filters, filter_at + edge)
            filter_tangent_0 = load_scalar(filter_tangents, filter_at + edge)
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
                held_at = channel * 6
                d_input_at = edge * d_input_row + channel
                input_tangent_x = load(input_tangents, neighbor_at, active)
                weight = load(weights, weight_at, active)
                input_x = load(inputs, neighbor_at, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                weighted_input_x = input_x * weight
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                weighted_input_y = input_y * weight
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                weighted_input_z = input_z * weight
                held_0_x = load_lanes(held, held_at)
                held_tangent_0_x = load_lanes(held, held_at + 3 * LANES)
                held_0_y = load_lanes(held, held_at + LANES)
                held_tangent_0_y = load_lanes(held, held_at + 4 * LANES)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_0_z = load_lanes(held, held_at + 5 * LANES)
                d_filter_0 += (
                    change_of_weighted_input_x * held_0_x + weighted_input_x * held_tangent_0_x
                    + change_of_weighted_input_y * held_0_y + weighted_input_y * held_tangent_0_y
                    + change_of_weighted_input_z * held_0_z + weighted_input_z * held_tangent_0_z
                )
                sum_filter_tangent_0 = filter_tangent_0 * held_0_x + filter_0 * held_tangent_0_x
                filter_0_weight_tangent = filter_0 * weight_tangent
                d_input_x = weight * sum_filter_tangent_0 + filter_0_weight_tangent * held_0_x
                add(d_inputs, d_input_at, d_input_x, active)
                held_0_y = load_lanes(held, held_at + LANES)
                held_tangent_0_y = load_lanes(held, held_at + 4 * LANES)
                sum_filter_tangent_0_2 = filter_tangent_0 * held_0_y + filter_0 * held_tangent_0_y
                d_input_y = weight * sum_filter_tangent_0_2 + filter_0_weight_tangent * held_0_y
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_0_z = load_lanes(held, held_at + 5 * LANES)
                sum_filter_tangent_0_3 = filter_tangent_0 * held_0_z + filter_0 * held_tangent_0_z
                d_input_z = weight * sum_filter_tangent_0_3 + filter_0_weight_tangent * held_0_z
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_tangent_x = load(input_tangents, neighbor_at, active)
                held_0_x = load_lanes(held, held_at)
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                held_0_y = load_lanes(held, held_at + LANES)
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                held_0_z = load_lanes(held, held_at + 2 * LANES)
                d_weight_so_far = filter_0 * (
                    input_tangent_x * held_0_x + input_tangent_y * held_0_y + input_tangent_z * held_0_z
                )
                input_x = load(inputs, neighbor_at, active)
                d_weight_so_far_2 = d_weight_so_far + input_x * sum_filter_tangent_0
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far_3 = d_weight_so_far_2 + input_y * sum_filter_tangent_0_2
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight = d_weight_so_far_3 + input_z * sum_filter_tangent_0_3
                store_lanes(row, channel, d_weight)
            store_lanes(d_filters, d_filter_at, d_filter_0)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)
