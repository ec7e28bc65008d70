"""The path (0, 1, 1) over a graph, as a lane of a GPU sees it, in float64: one edge, one channel.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each function returns derivatives of T, or of T along tangents (Δ), added to those of earlier edges and
paths. What an edge's channels have in common is computed once, by `…_couplings`, and kept in shared memory.

    kernel                strategy  per edge     per channel    plain sum
    output                coupling  0 mul 0 add  4 mul 0 add    6 mul 0 add
    d_input               coupling  0 mul 0 add  4 mul 0 add    6 mul 0 add
    d_filter              coupling  0 mul 0 add  4 mul 3 add    6 mul 3 add
    d_weight              coupling  0 mul 0 add  4 mul 2 add    6 mul 2 add
    d_input_weight        coupling  0 mul 0 add  8 mul 2 add    12 mul 2 add
    backward              coupling  0 mul 0 add  9 mul 3 add    18 mul 5 add
    d_grad                coupling  0 mul 0 add  15 mul 6 add   15 mul 6 add
    double_backward       coupling  0 mul 0 add  22 mul 12 add  33 mul 14 add
    d_input_weight_along  coupling  0 mul 0 add  12 mul 5 add   24 mul 8 add
    backward_along        coupling  0 mul 0 add  35 mul 20 add  51 mul 23 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float64 import device, read


@device
def output_couplings(filters, couplings):
    """The 1 values of an edge for `output`, `d_input`, `d_weight`, `d_input_weight` and `backward`."""
    filter_0 = read(filters, 0)
    couplings[0] = filter_0


@device
def output(couplings, inputs, weight, outputs):
    """outputs += ∂T/∂grad, which is the convolution"""
    input_x, input_y, input_z = inputs
    output_x, output_y, output_z = outputs
    filter_0 = couplings[0]
    weighted_filter_0 = filter_0 * weight
    output_x = output_x + input_x * weighted_filter_0
    output_y = output_y + input_y * weighted_filter_0
    output_z = output_z + input_z * weighted_filter_0
    return (output_x, output_y, output_z)


@device
def d_input(couplings, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input"""
    grad_x, grad_y, grad_z = grads
    d_input_x, d_input_y, d_input_z = d_inputs
    filter_0 = couplings[0]
    weighted_filter_0 = filter_0 * weight
    d_input_x = d_input_x + weighted_filter_0 * grad_x
    d_input_y = d_input_y + weighted_filter_0 * grad_y
    d_input_z = d_input_z + weighted_filter_0 * grad_z
    return (d_input_x, d_input_y, d_input_z)


@device
def d_filter(couplings, inputs, weight, grads, d_filters):
    """d_filters += ∂T/∂filter"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    (d_filter_0,) = d_filters
    d_filter_0 = d_filter_0 + weight * (input_x * grad_x + input_y * grad_y + input_z * grad_z)
    return (d_filter_0,)


@device
def d_weight(couplings, inputs, grads):
    """d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    filter_0 = couplings[0]
    return filter_0 * (input_x * grad_x + input_y * grad_y + input_z * grad_z)


@device
def d_input_weight(couplings, inputs, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    d_input_x, d_input_y, d_input_z = d_inputs
    filter_0 = couplings[0]
    weighted_filter_0 = filter_0 * weight
    d_input_x = d_input_x + weighted_filter_0 * grad_x
    d_input_y = d_input_y + weighted_filter_0 * grad_y
    d_input_z = d_input_z + weighted_filter_0 * grad_z
    d_weight = filter_0 * (input_x * grad_x + input_y * grad_y + input_z * grad_z)
    return (d_input_x, d_input_y, d_input_z), d_weight


@device
def backward(couplings, inputs, weight, grads, d_filters, d_inputs):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    (d_filter_0,) = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    grad_x_input_x = grad_x * input_x
    grad_y_input_y = grad_y * input_y
    grad_z_input_z = grad_z * input_z
    sum_grad_x_input_x = grad_x_input_x + grad_y_input_y + grad_z_input_z
    d_filter_0 = d_filter_0 + weight * sum_grad_x_input_x
    filter_0 = couplings[0]
    weighted_filter_0 = filter_0 * weight
    d_input_x = d_input_x + weighted_filter_0 * grad_x
    d_input_y = d_input_y + weighted_filter_0 * grad_y
    d_input_z = d_input_z + weighted_filter_0 * grad_z
    d_weight = filter_0 * sum_grad_x_input_x
    return (d_filter_0,), (d_input_x, d_input_y, d_input_z), d_weight


@device
def d_grad_couplings(filters, filter_tangents, couplings):
    """The 2 values of an edge for
    `d_grad`, `double_backward`, `d_input_weight_along` and `backward_along`."""
    filter_0 = read(filters, 0)
    couplings[0] = filter_0
    filter_tangent_0 = read(filter_tangents, 0)
    couplings[1] = filter_tangent_0


@device
def d_grad(couplings, inputs, weight, input_tangents, weight_tangent, d_grads):
    """d_grads += ∂ΔT/∂grad"""
    input_x, input_y, input_z = inputs
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    d_grad_x, d_grad_y, d_grad_z = d_grads
    weighted_input_x = input_x * weight
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    filter_0 = couplings[0]
    filter_tangent_0 = couplings[1]
    d_grad_x = d_grad_x + filter_0 * change_of_weighted_input_x + filter_tangent_0 * weighted_input_x
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    weighted_input_y = input_y * weight
    d_grad_y = d_grad_y + filter_0 * change_of_weighted_input_y + filter_tangent_0 * weighted_input_y
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    weighted_input_z = input_z * weight
    d_grad_z = d_grad_z + filter_0 * change_of_weighted_input_z + filter_tangent_0 * weighted_input_z
    return (d_grad_x, d_grad_y, d_grad_z)


@device
def double_backward(couplings, inputs, weight, grads, input_tangents, weight_tangent, d_filters, d_inputs):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    (d_filter_0,) = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    d_filter_0 = (
        d_filter_0 + change_of_weighted_input_x * grad_x + change_of_weighted_input_y * grad_y
        + change_of_weighted_input_z * grad_z
    )
    filter_tangent_0 = couplings[1]
    filter_0 = couplings[0]
    sum_filter_tangent_0 = filter_tangent_0 * weight + filter_0 * weight_tangent
    d_input_x = d_input_x + grad_x * sum_filter_tangent_0
    d_input_y = d_input_y + grad_y * sum_filter_tangent_0
    d_input_z = d_input_z + grad_z * sum_filter_tangent_0
    d_weight = (
        filter_tangent_0 * (input_x * grad_x + input_y * grad_y + input_z * grad_z)
        + filter_0 * (input_tangent_x * grad_x + input_tangent_y * grad_y + input_tangent_z * grad_z)
    )
    return (d_filter_0,), (d_input_x, d_input_y, d_input_z), d_weight


@device
def d_input_weight_along(couplings, inputs, weight, grads, grad_tangents, d_inputs):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    grad_tangent_x, grad_tangent_y, grad_tangent_z = grad_tangents
    d_input_x, d_input_y, d_input_z = d_inputs
    filter_tangent_0 = couplings[1]
    filter_0 = couplings[0]
    sum_filter_tangent_0 = filter_tangent_0 * grad_x + filter_0 * grad_tangent_x
    d_input_x = d_input_x + weight * sum_filter_tangent_0
    sum_filter_tangent_0_2 = filter_tangent_0 * grad_y + filter_0 * grad_tangent_y
    d_input_y = d_input_y + weight * sum_filter_tangent_0_2
    sum_filter_tangent_0_3 = filter_tangent_0 * grad_z + filter_0 * grad_tangent_z
    d_input_z = d_input_z + weight * sum_filter_tangent_0_3
    d_weight = (
        input_x * sum_filter_tangent_0 + input_y * sum_filter_tangent_0_2 + input_z * sum_filter_tangent_0_3
    )
    return (d_input_x, d_input_y, d_input_z), d_weight


@device
def backward_along(
    couplings, inputs, weight, grads, input_tangents, weight_tangent, grad_tangents, d_filters, d_inputs,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    grad_tangent_x, grad_tangent_y, grad_tangent_z = grad_tangents
    (d_filter_0,) = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    weighted_input_x = input_x * weight
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    weighted_input_y = input_y * weight
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    weighted_input_z = input_z * weight
    d_filter_0 = (
        d_filter_0 + change_of_weighted_input_x * grad_x + weighted_input_x * grad_tangent_x
        + change_of_weighted_input_y * grad_y + weighted_input_y * grad_tangent_y
        + change_of_weighted_input_z * grad_z + weighted_input_z * grad_tangent_z
    )
    filter_tangent_0 = couplings[1]
    filter_0 = couplings[0]
    sum_filter_tangent_0 = filter_tangent_0 * grad_x + filter_0 * grad_tangent_x
    filter_0_weight_tangent = filter_0 * weight_tangent
    d_input_x = d_input_x + weight * sum_filter_tangent_0 + filter_0_weight_tangent * grad_x
    sum_filter_tangent_0_2 = filter_tangent_0 * grad_y + filter_0 * grad_tangent_y
    d_input_y = d_input_y + weight * sum_filter_tangent_0_2 + filter_0_weight_tangent * grad_y
    sum_filter_tangent_0_3 = filter_tangent_0 * grad_z + filter_0 * grad_tangent_z
    d_input_z = d_input_z + weight * sum_filter_tangent_0_3 + filter_0_weight_tangent * grad_z
    d_weight = (
        filter_0 * (input_tangent_x * grad_x + input_tangent_y * grad_y + input_tangent_z * grad_z)
        + input_x * sum_filter_tangent_0 + input_y * sum_filter_tangent_0_2 + input_z * sum_filter_tangent_0_3
    )
    return (d_filter_0,), (d_input_x, d_input_y, d_input_z), d_weight
