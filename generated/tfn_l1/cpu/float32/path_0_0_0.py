"""The path (0, 0, 0): filter degree 0 ⊗ input degree 0 → output degree 0, in float32.

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

C has 1 nonzero entry:

    C[0, 0, 0] = 1

Each kernel is the partial derivative of T by one of the four, for the edges first ≤ edge < last.

    kernel    strategy  per edge     per channel  plain sum
    output    direct    0 mul 0 add  2 mul 0 add  2 mul 0 add
    d_input   direct    0 mul 0 add  2 mul 0 add  2 mul 0 add
    d_filter  direct    0 mul 0 add  2 mul 1 add  2 mul 1 add
    d_weight  direct    0 mul 0 add  2 mul 0 add  2 mul 0 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
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
        filter_0 = load_scalar(filters, filter_at)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            weight_at = edge * weight_row + channel
            result_at = edge * result_row + channel
            weight = load(weights, weight_at, active)
            input_0 = load(inputs, input_at, active)
            output_0 = weight * filter_0 * input_0
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
        filter_0 = load_scalar(filters, filter_at)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            weight_at = edge * weight_row + channel
            grad_at = edge * grad_row + channel
            result_at = edge * result_row + channel
            weight = load(weights, weight_at, active)
            grad_0 = load(grads, grad_at, active)
            d_input_0 = weight * filter_0 * grad_0
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
        d_filter_0 = zero()
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            weight_at = edge * weight_row + channel
            grad_at = edge * grad_row + channel
            weight = load(weights, weight_at, active)
            input_0 = load(inputs, input_at, active)
            grad_0 = load(grads, grad_at, active)
            d_filter_0 += weight * input_0 * grad_0
        result_at = edge * result_row
        store_scalar(results, result_at, total(d_filter_0))


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
        filter_0 = load_scalar(filters, filter_at)
        for channel in range(0, channels, LANES):
            active = active_lanes(channels - channel)
            input_at = edge * input_row + channel
            grad_at = edge * grad_row + channel
            result_at = edge * result_row + channel
            input_0 = load(inputs, input_at, active)
            grad_0 = load(grads, grad_at, active)
            d_weight = filter_0 * input_0 * grad_0
            store(results, result_at, d_weight, active)
