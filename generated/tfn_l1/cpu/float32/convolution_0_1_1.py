"""The path (0, 1, 1) over a graph, in float32: gather, product and scatter in one pass, without messages.

The kernels are those of `path_0_1_1`; only their rows differ. Inputs belong to the edge's source, grads to
its target, and row_pointers and order list the edges of each node: of each source for d_input, of each
target for the rest. Results are added to, and every row is added to by one thread in one order.
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
    LANES,
    active_lanes,
    add,
    add_scalar,
    kernel,
    load,
    load_index,
    load_scalar,
    store,
    total,
    zero,
)


@kernel
def output(
    first, last, channels,
    row_pointers, order, sources, targets,
    filters, filter_row,
    inputs, input_row, input_step,
    weights, weight_row,
    results, result_row, result_step,
):
    """output[target, c, m_O] += Σ C · weight[edge, c] · filter[edge, m_F] · input[source, c, m_I]"""
    for node in range(first, last):
        for at in range(load_index(row_pointers, node), load_index(row_pointers, node + 1)):
            edge = load_index(order, at)
            source = load_index(sources, edge)
            target = load_index(targets, edge)
            filter_at = edge * filter_row
            filter_0 = load_scalar(filters, filter_at)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                input_at = source * input_row + channel
                weight_at = edge * weight_row + channel
                result_at = target * result_row + channel
                weight = load(weights, weight_at, active)
                weighted_filter_0 = filter_0 * weight
                input_x = load(inputs, input_at, active)
                output_x = weighted_filter_0 * input_x
                add(results, result_at, output_x, active)
                input_y = load(inputs, input_at + input_step, active)
                output_y = weighted_filter_0 * input_y
                add(results, result_at + result_step, output_y, active)
                input_z = load(inputs, input_at + 2 * input_step, active)
                output_z = weighted_filter_0 * input_z
                add(results, result_at + 2 * result_step, output_z, active)


@kernel
def d_input(
    first, last, channels,
    row_pointers, order, sources, targets,
    filters, filter_row,
    weights, weight_row,
    grads, grad_row, grad_step,
    results, result_row, result_step,
):
    """d_input[source, c, m_I] += Σ C · weight[edge, c] · filter[edge, m_F] · grad[target, c, m_O]"""
    for node in range(first, last):
        for at in range(load_index(row_pointers, node), load_index(row_pointers, node + 1)):
            edge = load_index(order, at)
            source = load_index(sources, edge)
            target = load_index(targets, edge)
            filter_at = edge * filter_row
            filter_0 = load_scalar(filters, filter_at)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                weight_at = edge * weight_row + channel
                grad_at = target * grad_row + channel
                result_at = source * result_row + channel
                weight = load(weights, weight_at, active)
                weighted_filter_0 = filter_0 * weight
                grad_x = load(grads, grad_at, active)
                d_input_x = weighted_filter_0 * grad_x
                add(results, result_at, d_input_x, active)
                grad_y = load(grads, grad_at + grad_step, active)
                d_input_y = weighted_filter_0 * grad_y
                add(results, result_at + result_step, d_input_y, active)
                grad_z = load(grads, grad_at + 2 * grad_step, active)
                d_input_z = weighted_filter_0 * grad_z
                add(results, result_at + 2 * result_step, d_input_z, active)


@kernel
def d_filter(
    first, last, channels,
    row_pointers, order, sources, targets,
    inputs, input_row, input_step,
    weights, weight_row,
    grads, grad_row, grad_step,
    results, result_row,
):
    """d_filter[edge, m_F] += Σ C · weight[edge, c] · input[source, c, m_I] · grad[target, c, m_O]"""
    for node in range(first, last):
        for at in range(load_index(row_pointers, node), load_index(row_pointers, node + 1)):
            edge = load_index(order, at)
            source = load_index(sources, edge)
            target = load_index(targets, edge)
            d_filter_0 = zero()
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                input_at = source * input_row + channel
                weight_at = edge * weight_row + channel
                grad_at = target * grad_row + channel
                weight = load(weights, weight_at, active)
                input_x = load(inputs, input_at, active)
                grad_x = load(grads, grad_at, active)
                input_y = load(inputs, input_at + input_step, active)
                grad_y = load(grads, grad_at + grad_step, active)
                input_z = load(inputs, input_at + 2 * input_step, active)
                grad_z = load(grads, grad_at + 2 * grad_step, active)
                d_filter_0 += weight * (input_x * grad_x + input_y * grad_y + input_z * grad_z)
            result_at = edge * result_row
            add_scalar(results, result_at, total(d_filter_0))


@kernel
def d_weight(
    first, last, channels,
    row_pointers, order, sources, targets,
    filters, filter_row,
    inputs, input_row, input_step,
    grads, grad_row, grad_step,
    results, result_row,
):
    """d_weight[edge, c] = Σ C · filter[edge, m_F] · input[source, c, m_I] · grad[target, c, m_O]"""
    for node in range(first, last):
        for at in range(load_index(row_pointers, node), load_index(row_pointers, node + 1)):
            edge = load_index(order, at)
            source = load_index(sources, edge)
            target = load_index(targets, edge)
            filter_at = edge * filter_row
            filter_0 = load_scalar(filters, filter_at)
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                input_at = source * input_row + channel
                grad_at = target * grad_row + channel
                result_at = edge * result_row + channel
                input_x = load(inputs, input_at, active)
                grad_x = load(grads, grad_at, active)
                input_y = load(inputs, input_at + input_step, active)
                grad_y = load(grads, grad_at + grad_step, active)
                input_z = load(inputs, input_at + 2 * input_step, active)
                grad_z = load(grads, grad_at + 2 * grad_step, active)
                d_weight = filter_0 * (input_x * grad_x + input_y * grad_y + input_z * grad_z)
                store(results, result_at, d_weight, active)
