"""The path (1, 1, 1) over a graph, in float32: gather, product and scatter in one pass, without messages.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each kernel returns derivatives of T, or of T along tangents (Δ), for the edges of one tile (`tfngen.forms`).
Operations per edge; those of the couplings are done for a vector of edges at a time:

    kernel           strategy  per edge     per channel    plain sum
    output           coupling  3 mul 0 add  9 mul 3 add    18 mul 3 add
    d_input          coupling  3 mul 0 add  9 mul 3 add    18 mul 3 add
    d_filter         coupling  3 mul 0 add  9 mul 6 add    18 mul 6 add
    d_weight         coupling  3 mul 0 add  9 mul 5 add    18 mul 5 add
    d_input_weight   coupling  3 mul 0 add  12 mul 5 add   36 mul 8 add
    backward         coupling  6 mul 0 add  21 mul 11 add  54 mul 14 add
    d_grad           coupling  6 mul 0 add  21 mul 12 add  33 mul 12 add
    double_backward  coupling  9 mul 0 add  36 mul 23 add  90 mul 29 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
    AHEAD,
    COUPLINGS,
    D_FILTER_ROWS,
    EDGE_POINTERS,
    EDGE_ROWS,
    EDGE_STRIDE,
    EDGES,
    FILTER_TANGENTS,
    FILTERS,
    FIRST,
    LANES,
    LAST,
    NEIGHBOR_ROWS,
    NODE_ROW,
    WEIGHT_ROWS,
    WRITING,
    active_lanes,
    add,
    add_totals,
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
    write,
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
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                neighbor_at = load_index(neighbor_rows, edge) + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(inputs, coming_at)
                bring(inputs, coming_at + input_step)
                bring(inputs, coming_at + 2 * input_step)
                weight = load(weights, weight_at, active)
                coupling_z_x = load_scalar(couplings, edge)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                coupling_y_x = load_scalar(couplings, edge + EDGE_STRIDE)
                input_y = load(inputs, neighbor_at + input_step, active)
                output_x = output_x + weight * (coupling_z_x * input_z - coupling_y_x * input_y)
                coupling_z_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                input_x = load(inputs, neighbor_at, active)
                output_y = output_y + weight * (coupling_y_x * input_x - coupling_z_y * input_z)
                output_z = output_z + weight * (coupling_z_y * input_y - coupling_z_x * input_x)
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
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                neighbor_at = load_index(neighbor_rows, edge) + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(grads, coming_at)
                bring(grads, coming_at + grad_step)
                bring(grads, coming_at + 2 * grad_step)
                weight = load(weights, weight_at, active)
                coupling_z_x = load_scalar(couplings, edge)
                grad_z = load(grads, neighbor_at + 2 * grad_step, active)
                coupling_y_x = load_scalar(couplings, edge + EDGE_STRIDE)
                grad_y = load(grads, neighbor_at + grad_step, active)
                d_input_x = d_input_x + weight * (coupling_y_x * grad_y - coupling_z_x * grad_z)
                coupling_z_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                grad_x = load(grads, neighbor_at, active)
                d_input_y = d_input_y + weight * (coupling_z_y * grad_z - coupling_y_x * grad_x)
                d_input_z = d_input_z + weight * (coupling_z_x * grad_x - coupling_z_y * grad_y)
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
    d_filter_rows = load_index(tile, D_FILTER_ROWS)
    channels, _filter_at, input_step, grad_step, inputs, weights, grads, d_filters = load_indices(call, 8)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for edge in range(begin, end):
            sum_x = zero()
            sum_y = zero()
            sum_z = zero()
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                neighbor_at = load_index(neighbor_rows, edge) + channel
                node_at = node * node_row + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(inputs, coming_at)
                bring(inputs, coming_at + input_step)
                bring(inputs, coming_at + 2 * input_step)
                weight = load(weights, weight_at, active)
                input_y = load(inputs, neighbor_at + input_step, active)
                grad_z = load(grads, node_at + 2 * grad_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                grad_y = load(grads, node_at + grad_step, active)
                sum_x += weight * (input_y * grad_z - input_z * grad_y)
                input_x = load(inputs, neighbor_at, active)
                grad_x = load(grads, node_at, active)
                sum_y += weight * (input_x * grad_z - input_z * grad_x)
                sum_z += weight * (input_x * grad_y - input_y * grad_x)
            # The coefficients, once, on what was summed over channels.
            d_filter_x = SQRT_1_2 * sum_x
            d_filter_y = -SQRT_1_2 * sum_y
            d_filter_z = SQRT_1_2 * sum_z
            d_filter_at = load_index(d_filter_rows, edge)
            add_totals(d_filters, d_filter_at, (d_filter_x, d_filter_y, d_filter_z))


@kernel
def d_weight(tile, call):
    """d_weights[edge] = ∂T/∂weight[edge]"""
    first = load_index(tile, FIRST)
    last = load_index(tile, LAST)
    edges = load_index(tile, EDGES)
    node_row = load_index(tile, NODE_ROW)
    edge_pointers = load_index(tile, EDGE_POINTERS)
    neighbor_rows = load_index(tile, NEIGHBOR_ROWS)
    edge_rows = load_index(tile, EDGE_ROWS)
    filters = load_index(tile, FILTERS)
    couplings = load_index(tile, COUPLINGS)
    writing = load_index(tile, WRITING)
    channels, filter_at, input_step, grad_step, inputs, grads, d_weights = load_indices(call, 7)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_y_z = SQRT_1_2 * filter_x
        store_lanes(couplings, edge, coupling_y_z)
        coupling_x_z = SQRT_1_2 * filter_y
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_x_z)
        coupling_x_y = SQRT_1_2 * filter_z
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_x_y)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for edge in range(begin, end):
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                edge_at = load_index(edge_rows, edge) + channel
                neighbor_at = load_index(neighbor_rows, edge) + channel
                node_at = node * node_row + channel
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(inputs, coming_at)
                bring(inputs, coming_at + input_step)
                bring(inputs, coming_at + 2 * input_step)
                coupling_y_z = load_scalar(couplings, edge)
                input_y = load(inputs, neighbor_at + input_step, active)
                grad_z = load(grads, node_at + 2 * grad_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                grad_y = load(grads, node_at + grad_step, active)
                coupling_x_z = load_scalar(couplings, edge + EDGE_STRIDE)
                input_x = load(inputs, neighbor_at, active)
                grad_x = load(grads, node_at, active)
                coupling_x_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                d_weight = (
                    coupling_y_z * (input_y * grad_z - input_z * grad_y)
                    + coupling_x_z * (input_z * grad_x - input_x * grad_z)
                    + coupling_x_y * (input_x * grad_y - input_y * grad_x)
                )
                write(d_weights, edge_at, d_weight, active, writing)


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
    couplings = load_index(tile, COUPLINGS)
    writing = load_index(tile, WRITING)
    (
        channels, filter_at, grad_step, input_step, inputs, weights,
        grads, d_inputs, d_weights,
    ) = load_indices(call, 9)
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
        for edge in range(begin, end):
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                edge_at = load_index(edge_rows, edge) + channel
                neighbor_at = load_index(neighbor_rows, edge) + channel
                node_at = node * node_row + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(grads, coming_at)
                bring(grads, coming_at + grad_step)
                bring(grads, coming_at + 2 * grad_step)
                coupling_z_x = load_scalar(couplings, edge)
                grad_z = load(grads, neighbor_at + 2 * grad_step, active)
                coupling_y_x = load_scalar(couplings, edge + EDGE_STRIDE)
                grad_y = load(grads, neighbor_at + grad_step, active)
                sum_coupling_z_x = coupling_z_x * grad_z - coupling_y_x * grad_y
                weight = load(weights, weight_at, active)
                d_input_x = -(weight * sum_coupling_z_x)
                add(d_inputs, node_at, d_input_x, active)
                coupling_z_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                grad_x = load(grads, neighbor_at, active)
                sum_coupling_z_y = coupling_z_y * grad_z - coupling_y_x * grad_x
                d_input_y = weight * sum_coupling_z_y
                add(d_inputs, node_at + input_step, d_input_y, active)
                sum_coupling_z_y_2 = coupling_z_y * grad_y - coupling_z_x * grad_x
                d_input_z = -(weight * sum_coupling_z_y_2)
                add(d_inputs, node_at + 2 * input_step, d_input_z, active)
                input_y = load(inputs, node_at + input_step, active)
                input_z = load(inputs, node_at + 2 * input_step, active)
                input_x = load(inputs, node_at, active)
                d_weight = (
                    input_y * sum_coupling_z_y - input_z * sum_coupling_z_y_2 - input_x * sum_coupling_z_x
                )
                write(d_weights, edge_at, d_weight, active, writing)


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
    d_filter_rows = load_index(tile, D_FILTER_ROWS)
    couplings = load_index(tile, COUPLINGS)
    writing = load_index(tile, WRITING)
    (
        channels, filter_at, grad_step, input_step, inputs, weights,
        grads, d_filters, d_inputs, d_weights,
    ) = load_indices(call, 10)
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
        for edge in range(begin, end):
            sum_x = zero()
            sum_y = zero()
            sum_z = zero()
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                edge_at = load_index(edge_rows, edge) + channel
                neighbor_at = load_index(neighbor_rows, edge) + channel
                node_at = node * node_row + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(grads, coming_at)
                bring(grads, coming_at + grad_step)
                bring(grads, coming_at + 2 * grad_step)
                input_y = load(inputs, node_at + input_step, active)
                grad_z = load(grads, neighbor_at + 2 * grad_step, active)
                input_z = load(inputs, node_at + 2 * input_step, active)
                grad_y = load(grads, neighbor_at + grad_step, active)
                sum_input_y = input_y * grad_z - input_z * grad_y
                weight = load(weights, weight_at, active)
                sum_x += weight * sum_input_y
                input_x = load(inputs, node_at, active)
                grad_x = load(grads, neighbor_at, active)
                sum_input_x = input_x * grad_z - input_z * grad_x
                sum_y += weight * sum_input_x
                sum_input_x_2 = input_x * grad_y - input_y * grad_x
                sum_z += weight * sum_input_x_2
                coupling_z_x = load_scalar(couplings, edge)
                coupling_y_x = load_scalar(couplings, edge + EDGE_STRIDE)
                d_input_x = weight * (coupling_y_x * grad_y - coupling_z_x * grad_z)
                add(d_inputs, node_at, d_input_x, active)
                coupling_z_y = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                d_input_y = weight * (coupling_z_y * grad_z - coupling_y_x * grad_x)
                add(d_inputs, node_at + input_step, d_input_y, active)
                d_input_z = weight * (coupling_z_x * grad_x - coupling_z_y * grad_y)
                add(d_inputs, node_at + 2 * input_step, d_input_z, active)
                d_weight = (
                    coupling_z_y * sum_input_y - coupling_z_x * sum_input_x + coupling_y_x * sum_input_x_2
                )
                write(d_weights, edge_at, d_weight, active, writing)
            # The coefficients, once, on what was summed over channels.
            d_filter_x = SQRT_1_2 * sum_x
            d_filter_y = -SQRT_1_2 * sum_y
            d_filter_z = SQRT_1_2 * sum_z
            d_filter_at = load_index(d_filter_rows, edge)
            add_totals(d_filters, d_filter_at, (d_filter_x, d_filter_y, d_filter_z))


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
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                fetch(weight_tangents, next_weight_at)
                neighbor_at = load_index(neighbor_rows, edge) + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                bring(weight_tangents, coming_weight_at)
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
                weighted_input_y = input_y * weight
                input_tangent_z = load(input_tangents, neighbor_at + 2 * input_step, active)
                input_z = load(inputs, neighbor_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                weighted_input_z = input_z * weight
                input_tangent_x = load(input_tangents, neighbor_at, active)
                input_x = load(inputs, neighbor_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                weighted_input_x = input_x * weight
                coupling_z_x = load_scalar(couplings, edge)
                coupling_tangent_z_x = load_scalar(couplings, edge + EDGE_STRIDE)
                coupling_y_x = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                coupling_tangent_y_x = load_scalar(couplings, edge + 3 * EDGE_STRIDE)
                d_grad_x = (
                    d_grad_x + coupling_z_x * change_of_weighted_input_z
                    + coupling_tangent_z_x * weighted_input_z - coupling_y_x * change_of_weighted_input_y
                    - coupling_tangent_y_x * weighted_input_y
                )
                coupling_z_y = load_scalar(couplings, edge + 4 * EDGE_STRIDE)
                coupling_tangent_z_y = load_scalar(couplings, edge + 5 * EDGE_STRIDE)
                d_grad_y = (
                    d_grad_y - coupling_z_y * change_of_weighted_input_z
                    - coupling_tangent_z_y * weighted_input_z + coupling_y_x * change_of_weighted_input_x
                    + coupling_tangent_y_x * weighted_input_x
                )
                d_grad_z = (
                    d_grad_z + coupling_z_y * change_of_weighted_input_y
                    + coupling_tangent_z_y * weighted_input_y - coupling_z_x * change_of_weighted_input_x
                    - coupling_tangent_z_x * weighted_input_x
                )
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
    d_filter_rows = load_index(tile, D_FILTER_ROWS)
    couplings = load_index(tile, COUPLINGS)
    writing = load_index(tile, WRITING)
    (
        channels, filter_at, grad_step, input_step, inputs, weights,
        grads, input_tangents, weight_tangents, d_filters, d_inputs, d_weights,
    ) = load_indices(call, 12)
    # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
    for edge in range(0, edges, LANES):
        filter_x = load_lanes(filters, filter_at + edge)
        filter_y = load_lanes(filters, filter_at + edge + EDGE_STRIDE)
        filter_z = load_lanes(filters, filter_at + edge + 2 * EDGE_STRIDE)
        filter_tangent_x = load_lanes(filter_tangents, filter_at + edge)
        filter_tangent_y = load_lanes(filter_tangents, filter_at + edge + EDGE_STRIDE)
        filter_tangent_z = load_lanes(filter_tangents, filter_at + edge + 2 * EDGE_STRIDE)
        coupling_tangent_z_x = SQRT_1_2 * filter_tangent_y
        store_lanes(couplings, edge, coupling_tangent_z_x)
        coupling_z_x = SQRT_1_2 * filter_y
        store_lanes(couplings, edge + EDGE_STRIDE, coupling_z_x)
        coupling_tangent_y_x = SQRT_1_2 * filter_tangent_z
        store_lanes(couplings, edge + 2 * EDGE_STRIDE, coupling_tangent_y_x)
        coupling_y_x = SQRT_1_2 * filter_z
        store_lanes(couplings, edge + 3 * EDGE_STRIDE, coupling_y_x)
        coupling_tangent_z_y = SQRT_1_2 * filter_tangent_x
        store_lanes(couplings, edge + 4 * EDGE_STRIDE, coupling_tangent_z_y)
        coupling_z_y = SQRT_1_2 * filter_x
        store_lanes(couplings, edge + 5 * EDGE_STRIDE, coupling_z_y)
    for node in range(first, last):
        begin = load_index(edge_pointers, node - first)
        end = load_index(edge_pointers, node - first + 1)
        for edge in range(begin, end):
            sum_x = zero()
            sum_y = zero()
            sum_z = zero()
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                weight_at = load_index(weight_rows, edge) + channel
                next_weight_at = load_index(weight_rows, edge + edges) + channel
                fetch(weights, next_weight_at)
                fetch(weight_tangents, next_weight_at)
                edge_at = load_index(edge_rows, edge) + channel
                neighbor_at = load_index(neighbor_rows, edge) + channel
                node_at = node * node_row + channel
                coming_weight_at = load_index(weight_rows, edge + AHEAD) + channel
                bring(weights, coming_weight_at)
                bring(weight_tangents, coming_weight_at)
                coming_at = load_index(neighbor_rows, edge + AHEAD) + channel
                bring(grads, coming_at)
                bring(grads, coming_at + grad_step)
                bring(grads, coming_at + 2 * grad_step)
                input_tangent_y = load(input_tangents, node_at + input_step, active)
                weight = load(weights, weight_at, active)
                input_y = load(inputs, node_at + input_step, active)
                weight_tangent = load(weight_tangents, weight_at, active)
                change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
                input_tangent_z = load(input_tangents, node_at + 2 * input_step, active)
                input_z = load(inputs, node_at + 2 * input_step, active)
                change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
                grad_z = load(grads, neighbor_at + 2 * grad_step, active)
                grad_y = load(grads, neighbor_at + grad_step, active)
                sum_x += change_of_weighted_input_y * grad_z - change_of_weighted_input_z * grad_y
                input_tangent_x = load(input_tangents, node_at, active)
                input_x = load(inputs, node_at, active)
                change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
                grad_x = load(grads, neighbor_at, active)
                sum_y += change_of_weighted_input_x * grad_z - change_of_weighted_input_z * grad_x
                sum_z += change_of_weighted_input_x * grad_y - change_of_weighted_input_y * grad_x
                coupling_tangent_z_x = load_scalar(couplings, edge)
                coupling_tangent_y_x = load_scalar(couplings, edge + 2 * EDGE_STRIDE)
                sum_coupling_tangent_z_x = coupling_tangent_z_x * grad_z - coupling_tangent_y_x * grad_y
                coupling_tangent_z_y = load_scalar(couplings, edge + 4 * EDGE_STRIDE)
                sum_coupling_tangent_z_y = coupling_tangent_z_y * grad_z - coupling_tangent_y_x * grad_x
                sum_coupling_tangent_z_y_2 = coupling_tangent_z_y * grad_y - coupling_tangent_z_x * grad_x
                coupling_z_x = load_scalar(couplings, edge + EDGE_STRIDE)
                coupling_y_x = load_scalar(couplings, edge + 3 * EDGE_STRIDE)
                sum_coupling_z_x = coupling_z_x * grad_z - coupling_y_x * grad_y
                d_input_x = -(weight * sum_coupling_tangent_z_x) - weight_tangent * sum_coupling_z_x
                add(d_inputs, node_at, d_input_x, active)
                coupling_z_y = load_scalar(couplings, edge + 5 * EDGE_STRIDE)
                sum_coupling_z_y = coupling_z_y * grad_z - coupling_y_x * grad_x
                sum_coupling_z_y_2 = coupling_z_y * grad_y - coupling_z_x * grad_x
                d_weight = (
                    input_y * sum_coupling_tangent_z_y + input_tangent_y * sum_coupling_z_y
                    - input_z * sum_coupling_tangent_z_y_2 - input_tangent_z * sum_coupling_z_y_2
                    - input_x * sum_coupling_tangent_z_x - input_tangent_x * sum_coupling_z_x
                )
                write(d_weights, edge_at, d_weight, active, writing)
                d_input_y = weight * sum_coupling_tangent_z_y + weight_tangent * sum_coupling_z_y
                add(d_inputs, node_at + input_step, d_input_y, active)
                d_input_z = -(weight * sum_coupling_tangent_z_y_2) - weight_tangent * sum_coupling_z_y_2
                add(d_inputs, node_at + 2 * input_step, d_input_z, active)
            # The coefficients, once, on what was summed over channels.
            d_filter_x = SQRT_1_2 * sum_x
            d_filter_y = -SQRT_1_2 * sum_y
            d_filter_z = SQRT_1_2 * sum_z
            d_filter_at = load_index(d_filter_rows, edge)
            add_totals(d_filters, d_filter_at, (d_filter_x, d_filter_y, d_filter_z))
