"""The path (1, 0, 1): filter degree 1 ⊗ input degree 0 → output degree 1, in float64.

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

C has 3 nonzero entries:

    C[x, 0, x] = 1
    C[y, 0, y] = 1
    C[z, 0, z] = 1

Each kernel is the partial derivative of T by one of the four, for the edges first ≤ edge < last.

    kernel    strategy  per edge     per channel  plain sum
    output    outer     0 mul 0 add  4 mul 0 add  6 mul 0 add
    d_input   direct    0 mul 0 add  4 mul 2 add  6 mul 2 add
    d_filter  outer     0 mul 0 add  4 mul 3 add  6 mul 3 add
    d_weight  direct    0 mul 0 add  4 mul 2 add  6 mul 2 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float64 import (
    LANES,
    active_lanes,
    kernel,
    load,
    load_scalar,
    store,
    store_scalar,
    total,
    zero,
)


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
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            weight_at = edge * weight_row + channel
            result_at = edge * result_row + channel
            input_0 = load(inputs, input_at, active)
            weight = load(weights, weight_at, active)
            weighted_input_0 = input_0 * weight
            output_x = weighted_input_0 * filter_x
            store(results, result_at, output_x, active)
            output_y = weighted_input_0 * filter_y
            store(results, result_at + result_step, output_y, active)
            output_z = weighted_input_0 * filter_z
            store(results, result_at + 2 * result_step, output_z, active)


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
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            weight_at = edge * weight_row + channel
            grad_at = edge * grad_row + channel
            result_at = edge * result_row + channel
            weight = load(weights, weight_at, active)
            grad_x = load(grads, grad_at, active)
            grad_y = load(grads, grad_at + grad_step, active)
            grad_z = load(grads, grad_at + 2 * grad_step, active)
            d_input_0 = weight * (filter_x * grad_x + filter_y * grad_y + filter_z * grad_z)
            store(results, result_at, d_input_0, active)


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
        d_filter_x = zero()
        d_filter_y = zero()
        d_filter_z = zero()
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            weight_at = edge * weight_row + channel
            grad_at = edge * grad_row + channel
            input_0 = load(inputs, input_at, active)
            weight = load(weights, weight_at, active)
            weighted_input_0 = input_0 * weight
            grad_x = load(grads, grad_at, active)
            d_filter_x += weighted_input_0 * grad_x
            grad_y = load(grads, grad_at + grad_step, active)
            d_filter_y += weighted_input_0 * grad_y
            grad_z = load(grads, grad_at + 2 * grad_step, active)
            d_filter_z += weighted_input_0 * grad_z
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
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            grad_at = edge * grad_row + channel
            result_at = edge * result_row + channel
            input_0 = load(inputs, input_at, active)
            grad_x = load(grads, grad_at, active)
            grad_y = load(grads, grad_at + grad_step, active)
            grad_z = load(grads, grad_at + 2 * grad_step, active)
            d_weight = input_0 * (filter_x * grad_x + filter_y * grad_y + filter_z * grad_z)
            store(results, result_at, d_weight, active)
