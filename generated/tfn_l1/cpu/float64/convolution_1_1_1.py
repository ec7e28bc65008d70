"""The path (1, 1, 1) over a graph, in float64: gather, product and scatter in one pass, without messages.

The kernels are those of `path_1_1_1`; only their rows differ. Inputs belong to the edge's source, grads to
its target, and row_pointers and order list the edges of each node: of each source for d_input, of each
target for the rest. Results are added to, and every row is added to by one thread in one order.
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float64 import (
    LANES,
    active_lanes,
    add,
    add_scalar,
    constant,
    kernel,
    load,
    load_index,
    load_scalar,
    store,
    total,
    zero,
)

SQRT_1_2 = constant(0.7071067811865476)  # √(1/2)


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
            filter_x = load_scalar(filters, filter_at)
            filter_y = load_scalar(filters, filter_at + 1)
            filter_z = load_scalar(filters, filter_at + 2)
            # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
            coupling_z_x = SQRT_1_2 * filter_y
            coupling_y_x = SQRT_1_2 * filter_z
            coupling_z_y = SQRT_1_2 * filter_x
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                input_at = source * input_row + channel
                weight_at = edge * weight_row + channel
                result_at = target * result_row + channel
                weight = load(weights, weight_at, active)
                input_z = load(inputs, input_at + 2 * input_step, active)
                input_y = load(inputs, input_at + input_step, active)
                output_x = weight * (coupling_z_x * input_z - coupling_y_x * input_y)
                add(results, result_at, output_x, active)
                input_x = load(inputs, input_at, active)
                output_y = weight * (coupling_y_x * input_x - coupling_z_y * input_z)
                add(results, result_at + result_step, output_y, active)
                output_z = weight * (coupling_z_y * input_y - coupling_z_x * input_x)
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
            filter_x = load_scalar(filters, filter_at)
            filter_y = load_scalar(filters, filter_at + 1)
            filter_z = load_scalar(filters, filter_at + 2)
            # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
            coupling_z_x = SQRT_1_2 * filter_y
            coupling_y_x = SQRT_1_2 * filter_z
            coupling_z_y = SQRT_1_2 * filter_x
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                weight_at = edge * weight_row + channel
                grad_at = target * grad_row + channel
                result_at = source * result_row + channel
                weight = load(weights, weight_at, active)
                grad_z = load(grads, grad_at + 2 * grad_step, active)
                grad_y = load(grads, grad_at + grad_step, active)
                d_input_x = weight * (coupling_y_x * grad_y - coupling_z_x * grad_z)
                add(results, result_at, d_input_x, active)
                grad_x = load(grads, grad_at, active)
                d_input_y = weight * (coupling_z_y * grad_z - coupling_y_x * grad_x)
                add(results, result_at + result_step, d_input_y, active)
                d_input_z = weight * (coupling_z_x * grad_x - coupling_z_y * grad_y)
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
            moment_y_z = zero()
            moment_y_x = zero()
            moment_z_x = zero()
            moment_z_y = zero()
            moment_x_z = zero()
            moment_x_y = zero()
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                input_at = source * input_row + channel
                weight_at = edge * weight_row + channel
                grad_at = target * grad_row + channel
                input_y = load(inputs, input_at + input_step, active)
                weight = load(weights, weight_at, active)
                weighted_input_y = input_y * weight
                grad_z = load(grads, grad_at + 2 * grad_step, active)
                moment_y_z += weighted_input_y * grad_z
                grad_x = load(grads, grad_at, active)
                moment_y_x += weighted_input_y * grad_x
                input_z = load(inputs, input_at + 2 * input_step, active)
                weighted_input_z = input_z * weight
                moment_z_x += weighted_input_z * grad_x
                grad_y = load(grads, grad_at + grad_step, active)
                moment_z_y += weighted_input_z * grad_y
                input_x = load(inputs, input_at, active)
                weighted_input_x = input_x * weight
                moment_x_z += weighted_input_x * grad_z
                moment_x_y += weighted_input_x * grad_y
            # The coefficients, once, on the moments Σ_c weight · input · grad.
            d_filter_x = SQRT_1_2 * (moment_y_z - moment_z_y)
            d_filter_y = SQRT_1_2 * (moment_z_x - moment_x_z)
            d_filter_z = SQRT_1_2 * (moment_x_y - moment_y_x)
            result_at = edge * result_row
            add_scalar(results, result_at, total(d_filter_x))
            add_scalar(results, result_at + 1, total(d_filter_y))
            add_scalar(results, result_at + 2, total(d_filter_z))


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
            filter_x = load_scalar(filters, filter_at)
            filter_y = load_scalar(filters, filter_at + 1)
            filter_z = load_scalar(filters, filter_at + 2)
            # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
            coupling_y_z = SQRT_1_2 * filter_x
            coupling_x_z = SQRT_1_2 * filter_y
            coupling_x_y = SQRT_1_2 * filter_z
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                input_at = source * input_row + channel
                grad_at = target * grad_row + channel
                result_at = edge * result_row + channel
                input_y = load(inputs, input_at + input_step, active)
                grad_z = load(grads, grad_at + 2 * grad_step, active)
                input_z = load(inputs, input_at + 2 * input_step, active)
                grad_y = load(grads, grad_at + grad_step, active)
                input_x = load(inputs, input_at, active)
                grad_x = load(grads, grad_at, active)
                d_weight = (
                    coupling_y_z * (input_y * grad_z - input_z * grad_y)
                    + coupling_x_z * (input_z * grad_x - input_x * grad_z)
                    + coupling_x_y * (input_x * grad_y - input_y * grad_x)
                )
                store(results, result_at, d_weight, active)
