"""The path (0, 0, 0) for rows of many channels, a row in every lane, in float32.

    T = Σ C[m_F, m_I, m_O] · filter[m_F] · input[m_I] · grad[m_O]

Each kernel adds the derivatives of T by one of the three (`pairs` writes them), for every channel of filters
and each of its partners among those of features: one beside it, or all. A component of a channel is a vector,
of as many rows as there are lanes; steps lead from one channel to the next. Operations for one channel of
filters, and per partner:

    kernel    strategy  per channel  per partner  plain sum
    output    direct    0 mul 0 add  1 mul 0 add  1 mul 0 add
    d_input   direct    0 mul 0 add  1 mul 0 add  1 mul 0 add
    d_filter  direct    0 mul 0 add  1 mul 1 add  1 mul 1 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
    add_lanes,
    kernel,
    load_indices,
    load_lanes,
    store_lanes,
    zero,
)


@kernel
def pairs(_batch, call):
    """outputs = ∂T/∂grad"""
    (
        channels, partners, filter_step, input_step, input_partner, grad_step, grad_partner,
        filters, inputs, outputs,
    ) = load_indices(call, 10)
    for channel in range(channels):
        filter_at = channel * filter_step
        filter_0 = load_lanes(filters, filter_at)
        for partner in range(partners):
            input_at = channel * input_step + partner * input_partner
            grad_at = channel * grad_step + partner * grad_partner
            input_0 = load_lanes(inputs, input_at)
            output_0 = filter_0 * input_0
            store_lanes(outputs, grad_at, output_0)


@kernel
def output(_batch, call):
    """outputs += ∂T/∂grad"""
    (
        channels, partners, filter_step, input_step, input_partner, grad_step, grad_partner,
        filters, inputs, outputs,
    ) = load_indices(call, 10)
    for channel in range(channels):
        filter_at = channel * filter_step
        filter_0 = load_lanes(filters, filter_at)
        for partner in range(partners):
            input_at = channel * input_step + partner * input_partner
            grad_at = channel * grad_step + partner * grad_partner
            input_0 = load_lanes(inputs, input_at)
            output_0 = filter_0 * input_0
            add_lanes(outputs, grad_at, output_0)


@kernel
def d_input(_batch, call):
    """d_inputs += ∂T/∂input"""
    (
        channels, partners, filter_step, input_step, input_partner, grad_step, grad_partner,
        filters, grads, d_inputs,
    ) = load_indices(call, 10)
    for channel in range(channels):
        filter_at = channel * filter_step
        filter_0 = load_lanes(filters, filter_at)
        for partner in range(partners):
            grad_at = channel * grad_step + partner * grad_partner
            input_at = channel * input_step + partner * input_partner
            grad_0 = load_lanes(grads, grad_at)
            d_input_0 = filter_0 * grad_0
            add_lanes(d_inputs, input_at, d_input_0)


@kernel
def d_filter(_batch, call):
    """d_filters += ∂T/∂filter"""
    (
        channels, partners, filter_step, input_step, input_partner, grad_step, grad_partner,
        inputs, grads, d_filters,
    ) = load_indices(call, 10)
    for channel in range(channels):
        filter_at = channel * filter_step
        d_filter_0 = zero()
        for partner in range(partners):
            input_at = channel * input_step + partner * input_partner
            grad_at = channel * grad_step + partner * grad_partner
            input_0 = load_lanes(inputs, input_at)
            grad_0 = load_lanes(grads, grad_at)
            d_filter_0 += input_0 * grad_0
        add_lanes(d_filters, filter_at, d_filter_0)
