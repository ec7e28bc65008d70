"""The path (1, 1, 0) for rows of many channels, a row in every lane, in float64.

    T = Σ C[m_F, m_I, m_O] · filter[m_F] · input[m_I] · grad[m_O]

Each kernel adds the derivatives of T by one of the three (`pairs` writes them), for every channel of filters
and each of its partners among those of features: one beside it, or all. A component of a channel is a vector,
of as many rows as there are lanes; steps lead from one channel to the next. Operations for one channel of
filters, and per partner:

    kernel    strategy  per channel  per partner  plain sum
    output    coupling  3 mul 0 add  3 mul 2 add  6 mul 2 add
    d_input   coupling  3 mul 0 add  3 mul 0 add  6 mul 0 add
    d_filter  coupling  3 mul 0 add  3 mul 3 add  6 mul 3 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float64 import (
    LANES,
    add_lanes,
    constant,
    kernel,
    load_indices,
    load_lanes,
    store_lanes,
    zero,
)

SQRT_1_3 = constant(0.5773502691896257)  # √(1/3)


@kernel
def pairs(_batch, call):
    """outputs = ∂T/∂grad"""
    (
        channels, partners, filter_step, input_step, input_partner, grad_step, grad_partner,
        filters, inputs, outputs,
    ) = load_indices(call, 10)
    for channel in range(channels):
        filter_at = channel * filter_step
        filter_x = load_lanes(filters, filter_at)
        filter_y = load_lanes(filters, filter_at + LANES)
        filter_z = load_lanes(filters, filter_at + 2 * LANES)
        # The coupling M[m_I, m_O] = Σ C · filter is the same for all partners.
        coupling_x_0 = SQRT_1_3 * filter_x
        coupling_y_0 = SQRT_1_3 * filter_y
        coupling_z_0 = SQRT_1_3 * filter_z
        for partner in range(partners):
            input_at = channel * input_step + partner * input_partner
            grad_at = channel * grad_step + partner * grad_partner
            input_x = load_lanes(inputs, input_at)
            input_y = load_lanes(inputs, input_at + LANES)
            input_z = load_lanes(inputs, input_at + 2 * LANES)
            output_0 = coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z
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
        filter_x = load_lanes(filters, filter_at)
        filter_y = load_lanes(filters, filter_at + LANES)
        filter_z = load_lanes(filters, filter_at + 2 * LANES)
        # The coupling M[m_I, m_O] = Σ C · filter is the same for all partners.
        coupling_x_0 = SQRT_1_3 * filter_x
        coupling_y_0 = SQRT_1_3 * filter_y
        coupling_z_0 = SQRT_1_3 * filter_z
        for partner in range(partners):
            input_at = channel * input_step + partner * input_partner
            grad_at = channel * grad_step + partner * grad_partner
            input_x = load_lanes(inputs, input_at)
            input_y = load_lanes(inputs, input_at + LANES)
            input_z = load_lanes(inputs, input_at + 2 * LANES)
            output_0 = coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z
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
        filter_x = load_lanes(filters, filter_at)
        filter_y = load_lanes(filters, filter_at + LANES)
        filter_z = load_lanes(filters, filter_at + 2 * LANES)
        # The coupling M[m_I, m_O] = Σ C · filter is the same for all partners.
        coupling_0_x = SQRT_1_3 * filter_x
        coupling_0_y = SQRT_1_3 * filter_y
        coupling_0_z = SQRT_1_3 * filter_z
        for partner in range(partners):
            grad_at = channel * grad_step + partner * grad_partner
            input_at = channel * input_step + partner * input_partner
            grad_0 = load_lanes(grads, grad_at)
            d_input_x = coupling_0_x * grad_0
            add_lanes(d_inputs, input_at, d_input_x)
            d_input_y = coupling_0_y * grad_0
            add_lanes(d_inputs, input_at + LANES, d_input_y)
            d_input_z = coupling_0_z * grad_0
            add_lanes(d_inputs, input_at + 2 * LANES, d_input_z)


@kernel
def d_filter(_batch, call):
    """d_filters += ∂T/∂filter"""
    (
        channels, partners, filter_step, input_step, input_partner, grad_step, grad_partner,
        inputs, grads, d_filters,
    ) = load_indices(call, 10)
    for channel in range(channels):
        filter_at = channel * filter_step
        moment_x_0 = zero()
        moment_y_0 = zero()
        moment_z_0 = zero()
        for partner in range(partners):
            input_at = channel * input_step + partner * input_partner
            grad_at = channel * grad_step + partner * grad_partner
            input_x = load_lanes(inputs, input_at)
            grad_0 = load_lanes(grads, grad_at)
            moment_x_0 += input_x * grad_0
            input_y = load_lanes(inputs, input_at + LANES)
            moment_y_0 += input_y * grad_0
            input_z = load_lanes(inputs, input_at + 2 * LANES)
            moment_z_0 += input_z * grad_0
        # The coefficients, once, on what was summed over partners.
        d_filter_x = SQRT_1_3 * moment_x_0
        d_filter_y = SQRT_1_3 * moment_y_0
        d_filter_z = SQRT_1_3 * moment_z_0
        add_lanes(d_filters, filter_at, d_filter_x)
        add_lanes(d_filters, filter_at + LANES, d_filter_y)
        add_lanes(d_filters, filter_at + 2 * LANES, d_filter_z)
