"""The path (1, 1, 0) over a graph, as a lane of a GPU sees it, in float64: one edge, one channel.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each function returns derivatives of T, or of T along tangents (Δ), added to those of earlier edges and
paths. What an edge's channels have in common is computed once, by `…_couplings`, and kept in shared memory.

    kernel                strategy  per edge     per channel    plain sum
    output                coupling  3 mul 0 add  4 mul 2 add    9 mul 2 add
    d_input               coupling  3 mul 0 add  4 mul 0 add    9 mul 0 add
    d_filter              coupling  3 mul 0 add  4 mul 3 add    9 mul 3 add
    d_weight              coupling  3 mul 0 add  4 mul 2 add    9 mul 2 add
    d_input_weight        coupling  3 mul 0 add  8 mul 2 add    18 mul 2 add
    backward              coupling  6 mul 0 add  11 mul 5 add   27 mul 5 add
    d_grad                coupling  6 mul 0 add  15 mul 8 add   21 mul 8 add
    double_backward       coupling  9 mul 0 add  24 mul 14 add  48 mul 14 add
    d_input_weight_along  coupling  6 mul 0 add  12 mul 5 add   36 mul 8 add
    backward_along        coupling  9 mul 0 add  35 mul 20 add  75 mul 23 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float64 import constant, device, read

SQRT_1_3 = constant(0.5773502691896257)  # √(1/3)


@device
def output_couplings(filters, couplings):
    """The 3 values of an edge for `output` and `d_weight`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    coupling_x_0 = SQRT_1_3 * filter_x
    couplings[0] = coupling_x_0
    coupling_y_0 = SQRT_1_3 * filter_y
    couplings[1] = coupling_y_0
    coupling_z_0 = SQRT_1_3 * filter_z
    couplings[2] = coupling_z_0


@device
def output(couplings, inputs, weight, outputs):
    """outputs += ∂T/∂grad, which is the convolution"""
    input_x, input_y, input_z = inputs
    (output_0,) = outputs
    coupling_x_0 = couplings[0]
    coupling_y_0 = couplings[1]
    coupling_z_0 = couplings[2]
    output_0 = output_0 + weight * (coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z)
    return (output_0,)


@device
def d_input_couplings(filters, couplings):
    """The 3 values of an edge for `d_input`, `d_input_weight` and `backward`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    coupling_0_x = SQRT_1_3 * filter_x
    couplings[0] = coupling_0_x
    coupling_0_y = SQRT_1_3 * filter_y
    couplings[1] = coupling_0_y
    coupling_0_z = SQRT_1_3 * filter_z
    couplings[2] = coupling_0_z


@device
def d_input(couplings, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input"""
    (grad_0,) = grads
    d_input_x, d_input_y, d_input_z = d_inputs
    weighted_grad_0 = grad_0 * weight
    coupling_0_x = couplings[0]
    d_input_x = d_input_x + coupling_0_x * weighted_grad_0
    coupling_0_y = couplings[1]
    d_input_y = d_input_y + coupling_0_y * weighted_grad_0
    coupling_0_z = couplings[2]
    d_input_z = d_input_z + coupling_0_z * weighted_grad_0
    return (d_input_x, d_input_y, d_input_z)


@device
def d_filter(couplings, inputs, weight, grads, d_filters):
    """d_filters += ∂T/∂filter"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    d_filter_x, d_filter_y, d_filter_z = d_filters
    weighted_grad_0 = grad_0 * weight
    sum_x = input_x * weighted_grad_0
    sum_y = input_y * weighted_grad_0
    sum_z = input_z * weighted_grad_0
    d_filter_x = d_filter_x + SQRT_1_3 * sum_x
    d_filter_y = d_filter_y + SQRT_1_3 * sum_y
    d_filter_z = d_filter_z + SQRT_1_3 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z)


@device
def d_weight(couplings, inputs, grads):
    """d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    coupling_x_0 = couplings[0]
    coupling_y_0 = couplings[1]
    coupling_z_0 = couplings[2]
    return grad_0 * (coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z)


@device
def d_input_weight(couplings, inputs, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    d_input_x, d_input_y, d_input_z = d_inputs
    weighted_grad_0 = grad_0 * weight
    coupling_0_x = couplings[0]
    d_input_x = d_input_x + coupling_0_x * weighted_grad_0
    coupling_0_y = couplings[1]
    d_input_y = d_input_y + coupling_0_y * weighted_grad_0
    coupling_0_z = couplings[2]
    d_input_z = d_input_z + coupling_0_z * weighted_grad_0
    d_weight = grad_0 * (coupling_0_x * input_x + coupling_0_y * input_y + coupling_0_z * input_z)
    return (d_input_x, d_input_y, d_input_z), d_weight


@device
def backward(couplings, inputs, weight, grads, d_filters, d_inputs):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    d_filter_x, d_filter_y, d_filter_z = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    weighted_grad_0 = grad_0 * weight
    sum_x = input_x * weighted_grad_0
    sum_y = input_y * weighted_grad_0
    sum_z = input_z * weighted_grad_0
    coupling_0_x = couplings[0]
    d_input_x = d_input_x + coupling_0_x * weighted_grad_0
    coupling_0_y = couplings[1]
    d_input_y = d_input_y + coupling_0_y * weighted_grad_0
    coupling_0_z = couplings[2]
    d_input_z = d_input_z + coupling_0_z * weighted_grad_0
    d_weight = grad_0 * (coupling_0_x * input_x + coupling_0_y * input_y + coupling_0_z * input_z)
    d_filter_x = d_filter_x + SQRT_1_3 * sum_x
    d_filter_y = d_filter_y + SQRT_1_3 * sum_y
    d_filter_z = d_filter_z + SQRT_1_3 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_x, d_input_y, d_input_z), d_weight


@device
def d_grad_couplings(filters, filter_tangents, couplings):
    """The 6 values of an edge for `d_grad`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    filter_tangent_x = read(filter_tangents, 0)
    filter_tangent_y = read(filter_tangents, 1)
    filter_tangent_z = read(filter_tangents, 2)
    coupling_x_0 = SQRT_1_3 * filter_x
    couplings[0] = coupling_x_0
    coupling_tangent_x_0 = SQRT_1_3 * filter_tangent_x
    couplings[1] = coupling_tangent_x_0
    coupling_y_0 = SQRT_1_3 * filter_y
    couplings[2] = coupling_y_0
    coupling_tangent_y_0 = SQRT_1_3 * filter_tangent_y
    couplings[3] = coupling_tangent_y_0
    coupling_z_0 = SQRT_1_3 * filter_z
    couplings[4] = coupling_z_0
    coupling_tangent_z_0 = SQRT_1_3 * filter_tangent_z
    couplings[5] = coupling_tangent_z_0


@device
def d_grad(couplings, inputs, weight, input_tangents, weight_tangent, d_grads):
    """d_grads += ∂ΔT/∂grad"""
    input_x, input_y, input_z = inputs
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    (d_grad_0,) = d_grads
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    weighted_input_x = input_x * weight
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    weighted_input_y = input_y * weight
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    weighted_input_z = input_z * weight
    coupling_x_0 = couplings[0]
    coupling_tangent_x_0 = couplings[1]
    coupling_y_0 = couplings[2]
    coupling_tangent_y_0 = couplings[3]
    coupling_z_0 = couplings[4]
    coupling_tangent_z_0 = couplings[5]
    d_grad_0 = (
        d_grad_0 + coupling_x_0 * change_of_weighted_input_x + coupling_tangent_x_0 * weighted_input_x
        + coupling_y_0 * change_of_weighted_input_y + coupling_tangent_y_0 * weighted_input_y
        + coupling_z_0 * change_of_weighted_input_z + coupling_tangent_z_0 * weighted_input_z
    )
    return (d_grad_0,)


@device
def double_backward_couplings(filters, filter_tangents, couplings):
    """The 6 values of an edge for `double_backward`, `d_input_weight_along` and `backward_along`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    filter_tangent_x = read(filter_tangents, 0)
    filter_tangent_y = read(filter_tangents, 1)
    filter_tangent_z = read(filter_tangents, 2)
    coupling_tangent_0_x = SQRT_1_3 * filter_tangent_x
    couplings[0] = coupling_tangent_0_x
    coupling_0_x = SQRT_1_3 * filter_x
    couplings[1] = coupling_0_x
    coupling_tangent_0_y = SQRT_1_3 * filter_tangent_y
    couplings[2] = coupling_tangent_0_y
    coupling_0_y = SQRT_1_3 * filter_y
    couplings[3] = coupling_0_y
    coupling_tangent_0_z = SQRT_1_3 * filter_tangent_z
    couplings[4] = coupling_tangent_0_z
    coupling_0_z = SQRT_1_3 * filter_z
    couplings[5] = coupling_0_z


@device
def double_backward(couplings, inputs, weight, grads, input_tangents, weight_tangent, d_filters, d_inputs):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    d_filter_x, d_filter_y, d_filter_z = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    sum_x = change_of_weighted_input_x * grad_0
    sum_y = change_of_weighted_input_y * grad_0
    sum_z = change_of_weighted_input_z * grad_0
    weighted_grad_0 = grad_0 * weight
    grad_0_weight_tangent = grad_0 * weight_tangent
    coupling_tangent_0_x = couplings[0]
    coupling_0_x = couplings[1]
    d_input_x = d_input_x + coupling_tangent_0_x * weighted_grad_0 + coupling_0_x * grad_0_weight_tangent
    coupling_tangent_0_y = couplings[2]
    coupling_0_y = couplings[3]
    d_input_y = d_input_y + coupling_tangent_0_y * weighted_grad_0 + coupling_0_y * grad_0_weight_tangent
    coupling_tangent_0_z = couplings[4]
    coupling_0_z = couplings[5]
    d_input_z = d_input_z + coupling_tangent_0_z * weighted_grad_0 + coupling_0_z * grad_0_weight_tangent
    d_weight = grad_0 * (
        coupling_tangent_0_x * input_x + coupling_0_x * input_tangent_x + coupling_tangent_0_y * input_y
        + coupling_0_y * input_tangent_y + coupling_tangent_0_z * input_z + coupling_0_z * input_tangent_z
    )
    d_filter_x = d_filter_x + SQRT_1_3 * sum_x
    d_filter_y = d_filter_y + SQRT_1_3 * sum_y
    d_filter_z = d_filter_z + SQRT_1_3 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_x, d_input_y, d_input_z), d_weight


@device
def d_input_weight_along(couplings, inputs, weight, grads, grad_tangents, d_inputs):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    (grad_tangent_0,) = grad_tangents
    d_input_x, d_input_y, d_input_z = d_inputs
    coupling_tangent_0_x = couplings[0]
    coupling_0_x = couplings[1]
    sum_coupling_tangent_0_x = coupling_tangent_0_x * grad_0 + coupling_0_x * grad_tangent_0
    d_input_x = d_input_x + weight * sum_coupling_tangent_0_x
    coupling_tangent_0_y = couplings[2]
    coupling_0_y = couplings[3]
    sum_coupling_tangent_0_y = coupling_tangent_0_y * grad_0 + coupling_0_y * grad_tangent_0
    d_input_y = d_input_y + weight * sum_coupling_tangent_0_y
    coupling_tangent_0_z = couplings[4]
    coupling_0_z = couplings[5]
    sum_coupling_tangent_0_z = coupling_tangent_0_z * grad_0 + coupling_0_z * grad_tangent_0
    d_input_z = d_input_z + weight * sum_coupling_tangent_0_z
    d_weight = (
        input_x * sum_coupling_tangent_0_x + input_y * sum_coupling_tangent_0_y
        + input_z * sum_coupling_tangent_0_z
    )
    return (d_input_x, d_input_y, d_input_z), d_weight


@device
def backward_along(
    couplings, inputs, weight, grads, input_tangents, weight_tangent, grad_tangents, d_filters, d_inputs,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    (grad_0,) = grads
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    (grad_tangent_0,) = grad_tangents
    d_filter_x, d_filter_y, d_filter_z = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    weighted_input_x = input_x * weight
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    weighted_input_y = input_y * weight
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    weighted_input_z = input_z * weight
    sum_x = change_of_weighted_input_x * grad_0 + weighted_input_x * grad_tangent_0
    sum_y = change_of_weighted_input_y * grad_0 + weighted_input_y * grad_tangent_0
    sum_z = change_of_weighted_input_z * grad_0 + weighted_input_z * grad_tangent_0
    coupling_tangent_0_x = couplings[0]
    coupling_0_x = couplings[1]
    sum_coupling_tangent_0_x = coupling_tangent_0_x * grad_0 + coupling_0_x * grad_tangent_0
    grad_0_weight_tangent = grad_0 * weight_tangent
    d_input_x = d_input_x + weight * sum_coupling_tangent_0_x + coupling_0_x * grad_0_weight_tangent
    coupling_tangent_0_y = couplings[2]
    coupling_0_y = couplings[3]
    sum_coupling_tangent_0_y = coupling_tangent_0_y * grad_0 + coupling_0_y * grad_tangent_0
    d_input_y = d_input_y + weight * sum_coupling_tangent_0_y + coupling_0_y * grad_0_weight_tangent
    coupling_tangent_0_z = couplings[4]
    coupling_0_z = couplings[5]
    sum_coupling_tangent_0_z = coupling_tangent_0_z * grad_0 + coupling_0_z * grad_tangent_0
    d_input_z = d_input_z + weight * sum_coupling_tangent_0_z + coupling_0_z * grad_0_weight_tangent
    d_weight = (
        grad_0 * (
            coupling_0_x * input_tangent_x + coupling_0_y * input_tangent_y + coupling_0_z * input_tangent_z
        )
        + input_x * sum_coupling_tangent_0_x + input_y * sum_coupling_tangent_0_y
        + input_z * sum_coupling_tangent_0_z
    )
    d_filter_x = d_filter_x + SQRT_1_3 * sum_x
    d_filter_y = d_filter_y + SQRT_1_3 * sum_y
    d_filter_z = d_filter_z + SQRT_1_3 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_x, d_input_y, d_input_z), d_weight
