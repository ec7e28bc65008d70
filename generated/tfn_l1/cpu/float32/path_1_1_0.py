"""The path (1, 1, 0): filter degree 1 ⊗ input degree 1 → output degree 0, in float32.

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

C has 3 nonzero entries:

    C[x, x, 0] = √(1/3)
    C[y, y, 0] = √(1/3)
    C[z, z, 0] = √(1/3)

Each kernel is the partial derivative of T by one of the four, for the edges first ≤ edge < last.

    kernel    strategy  per edge     per channel  plain sum
    output    coupling  3 mul 0 add  4 mul 2 add  9 mul 2 add
    d_input   coupling  3 mul 0 add  4 mul 0 add  9 mul 0 add
    d_filter  coupling  3 mul 0 add  4 mul 3 add  9 mul 3 add
    d_weight  coupling  3 mul 0 add  4 mul 2 add  9 mul 2 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
    LANES,
    active_lanes,
    constant,
    kernel,
    load,
    load_scalar,
    store,
    store_scalar,
    total,
    zero,
)

SQRT_1_3 = constant(0.5773502691896257)  # √(1/3)


@kernel
def output(
    first, last, channels,
    filters, filter_row,
    inputs, input_row, input_step,
    weights, weight_row,
    results, result_row, result_step,
):
    """output[c, m_O] = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I]"""
    for edge in range(first, last):
        filter_at = edge * filter_row
        filter_x = load_scalar(filters, filter_at)
        filter_y = load_scalar(filters, filter_at + 1)
        filter_z = load_scalar(filters, filter_at + 2)
        # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
        coupling_x_0 = SQRT_1_3 * filter_x
        coupling_y_0 = SQRT_1_3 * filter_y
        coupling_z_0 = SQRT_1_3 * filter_z
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            weight_at = edge * weight_row + channel
            result_at = edge * result_row + channel
            weight = load(weights, weight_at, active)
            input_x = load(inputs, input_at, active)
            input_y = load(inputs, input_at + input_step, active)
            input_z = load(inputs, input_at + 2 * input_step, active)
            output_0 = weight * (coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z)
            store(results, result_at, output_0, active)


@kernel
def d_input(
    first, last, channels,
    filters, filter_row,
    weights, weight_row,
    grads, grad_row, grad_step,
    results, result_row, result_step,
):
    """d_input[c, m_I] = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · grad[c, m_O]"""
    for edge in range(first, last):
        filter_at = edge * filter_row
        filter_x = load_scalar(filters, filter_at)
        filter_y = load_scalar(filters, filter_at + 1)
        filter_z = load_scalar(filters, filter_at + 2)
        # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
        coupling_0_x = SQRT_1_3 * filter_x
        coupling_0_y = SQRT_1_3 * filter_y
        coupling_0_z = SQRT_1_3 * filter_z
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            weight_at = edge * weight_row + channel
            grad_at = edge * grad_row + channel
            result_at = edge * result_row + channel
            grad_0 = load(grads, grad_at, active)
            weight = load(weights, weight_at, active)
            weighted_grad_0 = grad_0 * weight
            d_input_x = coupling_0_x * weighted_grad_0
            store(results, result_at, d_input_x, active)
            d_input_y = coupling_0_y * weighted_grad_0
            store(results, result_at + result_step, d_input_y, active)
            d_input_z = coupling_0_z * weighted_grad_0
            store(results, result_at + 2 * result_step, d_input_z, active)


@kernel
def d_filter(
    first, last, channels,
    inputs, input_row, input_step,
    weights, weight_row,
    grads, grad_row, grad_step,
    results, result_row,
):
    """d_filter[m_F] = Σ C[m_F, m_I, m_O] · weight[c] · input[c, m_I] · grad[c, m_O]"""
    for edge in range(first, last):
        moment_x_0 = zero()
        moment_y_0 = zero()
        moment_z_0 = zero()
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            weight_at = edge * weight_row + channel
            grad_at = edge * grad_row + channel
            grad_0 = load(grads, grad_at, active)
            weight = load(weights, weight_at, active)
            weighted_grad_0 = grad_0 * weight
            input_x = load(inputs, input_at, active)
            moment_x_0 += weighted_grad_0 * input_x
            input_y = load(inputs, input_at + input_step, active)
            moment_y_0 += weighted_grad_0 * input_y
            input_z = load(inputs, input_at + 2 * input_step, active)
            moment_z_0 += weighted_grad_0 * input_z
        # The coefficients, once, on the moments Σ_c weight · input · grad.
        d_filter_x = SQRT_1_3 * moment_x_0
        d_filter_y = SQRT_1_3 * moment_y_0
        d_filter_z = SQRT_1_3 * moment_z_0
        result_at = edge * result_row
        store_scalar(results, result_at, total(d_filter_x))
        store_scalar(results, result_at + 1, total(d_filter_y))
        store_scalar(results, result_at + 2, total(d_filter_z))


@kernel
def d_weight(
    first, last, channels,
    filters, filter_row,
    inputs, input_row, input_step,
    grads, grad_row, grad_step,
    results, result_row,
):
    """d_weight[c] = Σ C[m_F, m_I, m_O] · filter[m_F] · input[c, m_I] · grad[c, m_O]"""
    for edge in range(first, last):
        filter_at = edge * filter_row
        filter_x = load_scalar(filters, filter_at)
        filter_y = load_scalar(filters, filter_at + 1)
        filter_z = load_scalar(filters, filter_at + 2)
        # The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.
        coupling_x_0 = SQRT_1_3 * filter_x
        coupling_y_0 = SQRT_1_3 * filter_y
        coupling_z_0 = SQRT_1_3 * filter_z
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            grad_at = edge * grad_row + channel
            result_at = edge * result_row + channel
            grad_0 = load(grads, grad_at, active)
            input_x = load(inputs, input_at, active)
            input_y = load(inputs, input_at + input_step, active)
            input_z = load(inputs, input_at + 2 * input_step, active)
            d_weight = grad_0 * (coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z)
            store(results, result_at, d_weight, active)
