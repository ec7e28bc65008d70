"""The path (1, 1, 1) over a graph, in float32: gather, product and scatter in one pass, without messages.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each kernel returns derivatives of T, or of T along tangents (Δ), for the edges of one tile (`tfngen.forms`).
Operations per edge; those of the couplings are done for a vector of edges at a time:

    kernel                strategy  per node and channel  per edge     per channel    plain sum
    output                in turn   0 mul 0 add           3 mul 0 add  9 mul 3 add    18 mul 3 add
    d_input               in turn   0 mul 0 add           3 mul 0 add  9 mul 3 add    18 mul 3 add
    d_filter              node      3 mul 0 add           0 mul 0 add  9 mul 6 add    12 mul 6 add
    d_weight              node      3 mul 0 add           0 mul 0 add  9 mul 5 add    12 mul 5 add
    d_input_weight        node      3 mul 0 add           0 mul 0 add  12 mul 5 add   24 mul 8 add
    backward              node      3 mul 0 add           0 mul 0 add  21 mul 11 add  36 mul 14 add
    d_grad                in turn   0 mul 0 add           6 mul 0 add  21 mul 12 add  33 mul 12 add
    double_backward       node      3 mul 0 add           0 mul 0 add  36 mul 23 add  60 mul 29 add
    d_input_weight_along  node      6 mul 0 add           0 mul 0 add  18 mul 11 add  48 mul 20 add
    backward_along        node      6 mul 0 add           0 mul 0 add  51 mul 35 add  93 mul 47 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
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

SQRT_1_2 = constant(0.7071067811865476)  # √(1/2)


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
    channels, filter_at, input_step, grad_step, inputs, weights, outputs = load_indices(call, 7)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_z_x = SQRT_1_2 * filter_y
        store_lanes(couplings, edge, coupling_z_x)
        coupling_y_x = SQRT_1_2 * filter_z
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_y_x)
        coupling_z_y = SQRT_1_2 * filter_x
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_z_y)
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
                coupling_y_x = load_scalar(couplings, edge + EDGE_STRIDE)
                input_x = load(inputs, neighbor_at, active)
                sum_y = coupling_y_x * input_x
                coupling_z_x = load_scalar(couplings, edge)
                sum_z = -(coupling_z_x * input_x)
                input_y = load(inputs, neighbor_at + input_step, active)
                sum_x = -(coupling_y_x * input_y)
                coupling_z_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                sum_z = sum_z + coupling_z_y * input_y
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                sum_x = sum_x + coupling_z_x * input_z
                sum_y = sum_y - coupling_z_y * input_z
                weight = load(weights, weight_at, active)
                output_x = output_x + weight * sum_x
                output_y = output_y + weight * sum_y
                output_z = output_z + weight * sum_z
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
    couplings = load_index(tile, COUPLINGS)
    channels, filter_at, grad_step, input_step, weights, grads, d_inputs = load_indices(call, 7)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_z_x = SQRT_1_2 * filter_y
        store_lanes(couplings, edge, coupling_z_x)
        coupling_y_x = SQRT_1_2 * filter_z
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_y_x)
        coupling_z_y = SQRT_1_2 * filter_x
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_z_y)
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
                coupling_y_x = load_scalar(couplings, edge + EDGE_STRIDE)
                grad_x = load(grads, neighbor_at, active)
                sum_y = -(coupling_y_x * grad_x)
                coupling_z_x = load_scalar(couplings, edge)
                sum_z = coupling_z_x * grad_x
                grad_y = load(grads, neighbor_at + grad_step, active)
                sum_x = coupling_y_x * grad_y
                coupling_z_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                sum_z = sum_z - coupling_z_y * grad_y
                grad_z = load(grads, neighbor_at + 2 * grad_step, active)
                sum_x = sum_x - coupling_z_x * grad_z
                sum_y = sum_y + coupling_z_y * grad_z
                weight = load(weights, weight_at, active)
                d_input_x = d_input_x + weight * sum_x
                d_input_y = d_input_y + weight * sum_y
                d_input_z = d_input_z + weight * sum_z
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
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
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
                held_at = channel * 3
                weight = load(weights, weight_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_x_y = load_lanes(held, held_at)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_x_z = load_lanes(held, held_at + LANES)
                d_filter_x += weight * (input_y * held_x_y - input_z * held_x_z)
                input_x = load(inputs, neighbor_at, active)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                d_filter_y += weight * (input_z * held_y_z - input_x * held_x_y)
                d_filter_z += weight * (input_x * held_x_z - input_y * held_y_z)
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
    channels, filter_at, input_step, grad_step, inputs, grads, d_weights = load_indices(call, 7)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        # held[m_F, m_I] = Σ C · grad is the same for every edge.
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            node_at = node * node_row + channel
            held_at = channel * 3
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
        for edge in range(begin, end):
            filter_x = load_scalar(filters, filter_at + edge)
            filter_y = load_scalar(filters, filter_at + edge + EDGE_STRIDE)
            filter_z = load_scalar(filters, filter_at + edge + 2 * EDGE_STRIDE)
            neighbor_row = load_index(neighbor_rows, edge)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                neighbor_at = neighbor_row + channel
                held_at = channel * 3
                input_y = load(inputs, neighbor_at + input_step, active)
                held_x_y = load_lanes(held, held_at)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_x_z = load_lanes(held, held_at + LANES)
                input_x = load(inputs, neighbor_at, active)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                d_weight = (
                    filter_x * (input_y * held_x_y - input_z * held_x_z)
                    + filter_y * (input_z * held_y_z - input_x * held_x_y)
                    + filter_z * (input_x * held_x_z - input_y * held_y_z)
                )
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
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
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
                held_at = channel * 3
                d_input_at = edge * d_input_row + channel
                held_x_y = load_lanes(held, held_at)
                held_x_z = load_lanes(held, held_at + LANES)
                sum_filter_y = filter_y * held_x_y - filter_z * held_x_z
                weight = load(weights, weight_at, active)
                d_input_x = -(weight * sum_filter_y)
                add(d_inputs, d_input_at, d_input_x, active)
                held_x_y = load_lanes(held, held_at)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                sum_filter_x = filter_x * held_x_y - filter_z * held_y_z
                d_input_y = weight * sum_filter_x
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_x_z = load_lanes(held, held_at + LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                sum_filter_x_2 = filter_x * held_x_z - filter_y * held_y_z
                d_input_z = -(weight * sum_filter_x_2)
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far = input_y * sum_filter_x
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight_so_far_2 = d_weight_so_far - input_z * sum_filter_x_2
                input_x = load(inputs, neighbor_at, active)
                d_weight = d_weight_so_far_2 - input_x * sum_filter_y
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
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
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
                held_at = channel * 3
                d_input_at = edge * d_input_row + channel
                weight = load(weights, weight_at, active)
                held_x_y = load_lanes(held, held_at)
                held_x_z = load_lanes(held, held_at + LANES)
                d_input_x = weight * (filter_z * held_x_z - filter_y * held_x_y)
                add(d_inputs, d_input_at, d_input_x, active)
                held_x_y = load_lanes(held, held_at)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                d_input_y = weight * (filter_x * held_x_y - filter_z * held_y_z)
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_x_z = load_lanes(held, held_at + LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                d_input_z = weight * (filter_y * held_y_z - filter_x * held_x_z)
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                held_x_y = load_lanes(held, held_at)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                held_x_z = load_lanes(held, held_at + LANES)
                sum_input_y = input_y * held_x_y - input_z * held_x_z
                d_filter_x += weight * sum_input_y
                d_weight_so_far = filter_x * sum_input_y
                input_x = load(inputs, neighbor_at, active)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                sum_input_x = input_x * held_x_y - input_z * held_y_z
                d_filter_y += -(weight * sum_input_x)
                d_weight_so_far_2 = d_weight_so_far - filter_y * sum_input_x
                sum_input_x_2 = input_x * held_x_z - input_y * held_y_z
                d_weight = d_weight_so_far_2 + filter_z * sum_input_x_2
                store_lanes(row, channel, d_weight)
                d_filter_z += weight * sum_input_x_2
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
        channels, filter_at, input_step, grad_step, inputs, weights,
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
        coupling_z_x = SQRT_1_2 * filter_y
        store_lanes(couplings, edge, coupling_z_x)
        coupling_tangent_z_x = SQRT_1_2 * filter_tangent_y
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_tangent_z_x)
        coupling_y_x = SQRT_1_2 * filter_z
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_y_x)
        coupling_tangent_y_x = SQRT_1_2 * filter_tangent_z
        store_lanes(couplings, edge + 3 * EDGE_STRIDE, coupling_tangent_y_x)
        coupling_z_y = SQRT_1_2 * filter_x
        store_lanes(couplings, edge + 4 * EDGE_STRIDE, coupling_z_y)
        coupling_tangent_z_y = SQRT_1_2 * filter_tangent_x
        store_lanes(couplings, edge + 5 * EDGE_STRIDE, coupling_tangent_z_y)
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
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                weight = load(weights, weight_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                coupling_y_x = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                d_grad_x = d_grad_x - coupling_y_x * change_of_weighted_input_y
                coupling_z_y = load_scalar(couplings, edge + 4 * EDGE_STRIDE)
                d_grad_z = d_grad_z + coupling_z_y * change_of_weighted_input_y
                weighted_input_y = input_y * weight
                coupling_tangent_y_x = load_scalar(couplings, edge + 3 * EDGE_STRIDE)
                d_grad_x = d_grad_x - coupling_tangent_y_x * weighted_input_y
                coupling_tangent_z_y = load_scalar(couplings, edge + 5 * EDGE_STRIDE)
                d_grad_z = d_grad_z + coupling_tangent_z_y * weighted_input_y
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                coupling_z_x = load_scalar(couplings, edge)
                d_grad_x = d_grad_x + coupling_z_x * change_of_weighted_input_z
                d_grad_y = d_grad_y - coupling_z_y * change_of_weighted_input_z
                weighted_input_z = input_z * weight
                coupling_tangent_z_x = load_scalar(couplings, edge + EDGE_STRIDE)
                d_grad_x = d_grad_x + coupling_tangent_z_x * weighted_input_z
                d_grad_y = d_grad_y - coupling_tangent_z_y * weighted_input_z
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_x = load(inputs, neighbor_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                d_grad_y = d_grad_y + coupling_y_x * change_of_weighted_input_x
                d_grad_z = d_grad_z - coupling_z_x * change_of_weighted_input_x
                weighted_input_x = input_x * weight
                d_grad_y = d_grad_y + coupling_tangent_y_x * weighted_input_x
                d_grad_z = d_grad_z - coupling_tangent_z_x * weighted_input_x
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
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
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
                held_at = channel * 3
                d_input_at = edge * d_input_row + channel
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                weight = load(weights, weight_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                held_x_y = load_lanes(held, held_at)
                held_x_z = load_lanes(held, held_at + LANES)
                d_filter_x += change_of_weighted_input_y * held_x_y - change_of_weighted_input_z * held_x_z
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_x = load(inputs, neighbor_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                d_filter_y += change_of_weighted_input_z * held_y_z - change_of_weighted_input_x * held_x_y
                d_filter_z += change_of_weighted_input_x * held_x_z - change_of_weighted_input_y * held_y_z
                sum_filter_tangent_y = filter_tangent_y * held_x_y - filter_tangent_z * held_x_z
                sum_filter_y = filter_y * held_x_y - filter_z * held_x_z
                d_input_x = -(weight * sum_filter_tangent_y) - weight_tangent * sum_filter_y
                add(d_inputs, d_input_at, d_input_x, active)
                held_x_y = load_lanes(held, held_at)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                sum_filter_tangent_x = filter_tangent_x * held_x_y - filter_tangent_z * held_y_z
                sum_filter_x = filter_x * held_x_y - filter_z * held_y_z
                d_input_y = weight * sum_filter_tangent_x + weight_tangent * sum_filter_x
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far = input_y * sum_filter_tangent_x
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                d_weight_so_far_2 = d_weight_so_far + input_tangent_y * sum_filter_x
                held_x_z = load_lanes(held, held_at + LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                sum_filter_tangent_x_2 = filter_tangent_x * held_x_z - filter_tangent_y * held_y_z
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight_so_far_3 = d_weight_so_far_2 - input_z * sum_filter_tangent_x_2
                sum_filter_x_2 = filter_x * held_x_z - filter_y * held_y_z
                d_input_z = -(weight * sum_filter_tangent_x_2) - weight_tangent * sum_filter_x_2
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                d_weight_so_far_4 = d_weight_so_far_3 - input_tangent_z * sum_filter_x_2
                input_x = load(inputs, neighbor_at, active)
                d_weight_so_far_5 = d_weight_so_far_4 - input_x * sum_filter_tangent_y
                input_tangent_x = load(input_tangents, neighbor_at, active)
                d_weight = d_weight_so_far_5 - input_tangent_x * sum_filter_y
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
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
            grad_tangent_z = load(grad_tangents, node_at + 2 * grad_step, active)
            held_tangent_x_y = SQRT_1_2 * grad_tangent_z
            store_lanes(held, held_at + 3 * LANES, held_tangent_x_y)
            grad_tangent_y = load(grad_tangents, node_at + grad_step, active)
            held_tangent_x_z = SQRT_1_2 * grad_tangent_y
            store_lanes(held, held_at + 4 * LANES, held_tangent_x_z)
            grad_tangent_x = load(grad_tangents, node_at, active)
            held_tangent_y_z = SQRT_1_2 * grad_tangent_x
            store_lanes(held, held_at + 5 * LANES, held_tangent_y_z)
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
                held_at = channel * 6
                d_input_at = edge * d_input_row + channel
                held_x_y = load_lanes(held, held_at)
                held_tangent_x_y = load_lanes(held, held_at + 3 * LANES)
                held_x_z = load_lanes(held, held_at + LANES)
                held_tangent_x_z = load_lanes(held, held_at + 4 * LANES)
                sum_filter_tangent_y = (
                    filter_tangent_y * held_x_y + filter_y * held_tangent_x_y - filter_tangent_z * held_x_z
                    - filter_z * held_tangent_x_z
                )
                weight = load(weights, weight_at, active)
                d_input_x = -(weight * sum_filter_tangent_y)
                add(d_inputs, d_input_at, d_input_x, active)
                held_x_y = load_lanes(held, held_at)
                held_tangent_x_y = load_lanes(held, held_at + 3 * LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_y_z = load_lanes(held, held_at + 5 * LANES)
                sum_filter_tangent_x = (
                    filter_tangent_x * held_x_y + filter_x * held_tangent_x_y - filter_tangent_z * held_y_z
                    - filter_z * held_tangent_y_z
                )
                d_input_y = weight * sum_filter_tangent_x
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                held_x_z = load_lanes(held, held_at + LANES)
                held_tangent_x_z = load_lanes(held, held_at + 4 * LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_y_z = load_lanes(held, held_at + 5 * LANES)
                sum_filter_tangent_x_2 = (
                    filter_tangent_x * held_x_z + filter_x * held_tangent_x_z - filter_tangent_y * held_y_z
                    - filter_y * held_tangent_y_z
                )
                d_input_z = -(weight * sum_filter_tangent_x_2)
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far = input_y * sum_filter_tangent_x
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight_so_far_2 = d_weight_so_far - input_z * sum_filter_tangent_x_2
                input_x = load(inputs, neighbor_at, active)
                d_weight = d_weight_so_far_2 - input_x * sum_filter_tangent_y
                store_lanes(row, channel, d_weight)
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
            grad_z = load(grads, node_at + 2 * grad_step, active)
            held_x_y = SQRT_1_2 * grad_z
            store_lanes(held, held_at, held_x_y)
            grad_y = load(grads, node_at + grad_step, active)
            held_x_z = SQRT_1_2 * grad_y
            store_lanes(held, held_at + LANES, held_x_z)
            grad_x = load(grads, node_at, active)
            held_y_z = SQRT_1_2 * grad_x
            store_lanes(held, held_at + 2 * LANES, held_y_z)
            grad_tangent_z = load(grad_tangents, node_at + 2 * grad_step, active)
            held_tangent_x_y = SQRT_1_2 * grad_tangent_z
            store_lanes(held, held_at + 3 * LANES, held_tangent_x_y)
            grad_tangent_y = load(grad_tangents, node_at + grad_step, active)
            held_tangent_x_z = SQRT_1_2 * grad_tangent_y
            store_lanes(held, held_at + 4 * LANES, held_tangent_x_z)
            grad_tangent_x = load(grad_tangents, node_at, active)
            held_tangent_y_z = SQRT_1_2 * grad_tangent_x
            store_lanes(held, held_at + 5 * LANES, held_tangent_y_z)
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
                held_at = channel * 6
                d_input_at = edge * d_input_row + channel
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                weight = load(weights, weight_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                weighted_input_y = input_y * weight
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                weighted_input_z = input_z * weight
                held_x_y = load_lanes(held, held_at)
                held_tangent_x_y = load_lanes(held, held_at + 3 * LANES)
                held_x_z = load_lanes(held, held_at + LANES)
                held_tangent_x_z = load_lanes(held, held_at + 4 * LANES)
                d_filter_x += (
                    change_of_weighted_input_y * held_x_y + weighted_input_y * held_tangent_x_y
                    - change_of_weighted_input_z * held_x_z - weighted_input_z * held_tangent_x_z
                )
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_x = load(inputs, neighbor_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                weighted_input_x = input_x * weight
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_y_z = load_lanes(held, held_at + 5 * LANES)
                d_filter_y += (
                    change_of_weighted_input_z * held_y_z - change_of_weighted_input_x * held_x_y
                    - weighted_input_x * held_tangent_x_y + weighted_input_z * held_tangent_y_z
                )
                d_filter_z += (
                    change_of_weighted_input_x * held_x_z + weighted_input_x * held_tangent_x_z
                    - change_of_weighted_input_y * held_y_z - weighted_input_y * held_tangent_y_z
                )
                sum_filter_tangent_y = (
                    filter_tangent_y * held_x_y + filter_y * held_tangent_x_y - filter_tangent_z * held_x_z
                    - filter_z * held_tangent_x_z
                )
                sum_filter_y = filter_y * held_x_y - filter_z * held_x_z
                d_input_x = -(weight * sum_filter_tangent_y) - weight_tangent * sum_filter_y
                add(d_inputs, d_input_at, d_input_x, active)
                held_x_y = load_lanes(held, held_at)
                held_tangent_x_y = load_lanes(held, held_at + 3 * LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_y_z = load_lanes(held, held_at + 5 * LANES)
                sum_filter_tangent_x = (
                    filter_tangent_x * held_x_y + filter_x * held_tangent_x_y - filter_tangent_z * held_y_z
                    - filter_z * held_tangent_y_z
                )
                sum_filter_x = filter_x * held_x_y - filter_z * held_y_z
                d_input_y = weight * sum_filter_tangent_x + weight_tangent * sum_filter_x
                add(d_inputs, d_input_at + input_step, d_input_y, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                d_weight_so_far = input_y * sum_filter_tangent_x
                input_tangent_y = load(input_tangents, neighbor_at + input_step, active)
                d_weight_so_far_2 = d_weight_so_far + input_tangent_y * sum_filter_x
                held_x_z = load_lanes(held, held_at + LANES)
                held_tangent_x_z = load_lanes(held, held_at + 4 * LANES)
                held_y_z = load_lanes(held, held_at + 2 * LANES)
                held_tangent_y_z = load_lanes(held, held_at + 5 * LANES)
                sum_filter_tangent_x_2 = (
                    filter_tangent_x * held_x_z + filter_x * held_tangent_x_z - filter_tangent_y * held_y_z
                    - filter_y * held_tangent_y_z
                )
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                d_weight_so_far_3 = d_weight_so_far_2 - input_z * sum_filter_tangent_x_2
                sum_filter_x_2 = filter_x * held_x_z - filter_y * held_y_z
                d_input_z = -(weight * sum_filter_tangent_x_2) - weight_tangent * sum_filter_x_2
                add(d_inputs, d_input_at + 2 * input_step, d_input_z, active)
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                d_weight_so_far_4 = d_weight_so_far_3 - input_tangent_z * sum_filter_x_2
                input_x = load(inputs, neighbor_at, active)
                d_weight_so_far_5 = d_weight_so_far_4 - input_x * sum_filter_tangent_y
                input_tangent_x = load(input_tangents, neighbor_at, active)
                d_weight = d_weight_so_far_5 - input_tangent_x * sum_filter_y
                store_lanes(row, channel, d_weight)
            store_lanes(d_filters, d_filter_at, d_filter_x)
            store_lanes(d_filters, d_filter_at + SLOT, d_filter_y)
            store_lanes(d_filters, d_filter_at + 2 * SLOT, d_filter_z)
            write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)
