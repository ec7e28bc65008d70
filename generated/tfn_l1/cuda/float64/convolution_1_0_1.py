"""The path (1, 0, 1) over a graph, as a lane of a GPU sees it, in float64: one edge, one channel.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each function returns derivatives of T, or of T along tangents (Δ), added to those of earlier edges and
paths. What an edge's channels have in common is computed once, by `…_couplings`, and kept in shared memory.

    kernel                strategy  per edge     per channel    plain sum
    output                coupling  0 mul 0 add  4 mul 0 add    6 mul 0 add
    d_input               coupling  0 mul 0 add  4 mul 2 add    6 mul 2 add
    d_filter              coupling  0 mul 0 add  4 mul 3 add    6 mul 3 add
    d_weight              coupling  0 mul 0 add  4 mul 2 add    6 mul 2 add
    d_input_weight        coupling  0 mul 0 add  5 mul 2 add    12 mul 4 add
    backward              coupling  0 mul 0 add  9 mul 5 add    18 mul 7 add
    d_grad                coupling  0 mul 0 add  9 mul 4 add    9 mul 4 add
    double_backward       coupling  0 mul 0 add  15 mul 10 add  29 mul 14 add
    d_input_weight_along  coupling  0 mul 0 add  8 mul 5 add    24 mul 10 add
    backward_along        coupling  0 mul 0 add  22 mul 16 add  45 mul 23 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float64 import device, read


@device
def output_couplings(filters, couplings):
    """The 3 values of an edge for `output`, `d_input`, `d_weight`, `d_input_weight` and `backward`."""
    filter_x = read(filters, 0)
    couplings[0] = filter_x
    filter_y = read(filters, 1)
    couplings[1] = filter_y
    filter_z = read(filters, 2)
    couplings[2] = filter_z


@device
def output(couplings, inputs, weight, outputs):
    """outputs += ∂T/∂grad, which is the convolution"""
    (input_0,) = inputs
    output_x, output_y, output_z = outputs
    weighted_input_0 = input_0 * weight
    filter_x = couplings[0]
    output_x = output_x + filter_x * weighted_input_0
    filter_y = couplings[1]
    output_y = output_y + filter_y * weighted_input_0
    filter_z = couplings[2]
    output_z = output_z + filter_z * weighted_input_0
    return (output_x, output_y, output_z)


@device
def d_input(couplings, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input"""
    grad_x, grad_y, grad_z = grads
    (d_input_0,) = d_inputs
    filter_x = couplings[0]
    filter_y = couplings[1]
    filter_z = couplings[2]
    d_input_0 = d_input_0 + weight * (filter_x * grad_x + filter_y * grad_y + filter_z * grad_z)
    return (d_input_0,)


@device
def d_filter(couplings, inputs, weight, grads, d_filters):
    """d_filters += ∂T/∂filter"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    d_filter_x, d_filter_y, d_filter_z = d_filters
    weighted_input_0 = input_0 * weight
    d_filter_x = d_filter_x + weighted_input_0 * grad_x
    d_filter_y = d_filter_y + weighted_input_0 * grad_y
    d_filter_z = d_filter_z + weighted_input_0 * grad_z
    return (d_filter_x, d_filter_y, d_filter_z)


@device
def d_weight(couplings, inputs, grads):
    """d_weights = ∂T/∂weight"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    filter_x = couplings[0]
    filter_y = couplings[1]
    filter_z = couplings[2]
    return input_0 * (filter_x * grad_x + filter_y * grad_y + filter_z * grad_z)


@device
def d_input_weight(couplings, inputs, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    (d_input_0,) = d_inputs
    filter_x = couplings[0]
    filter_y = couplings[1]
    filter_z = couplings[2]
    sum_filter_x = filter_x * grad_x + filter_y * grad_y + filter_z * grad_z
    d_input_0 = d_input_0 + weight * sum_filter_x
    d_weight = input_0 * sum_filter_x
    return (d_input_0,), d_weight


@device
def backward(couplings, inputs, weight, grads, d_filters, d_inputs):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    d_filter_x, d_filter_y, d_filter_z = d_filters
    (d_input_0,) = d_inputs
    weighted_input_0 = input_0 * weight
    d_filter_x = d_filter_x + weighted_input_0 * grad_x
    d_filter_y = d_filter_y + weighted_input_0 * grad_y
    d_filter_z = d_filter_z + weighted_input_0 * grad_z
    filter_x = couplings[0]
    filter_x_grad_x = filter_x * grad_x
    filter_y = couplings[1]
    filter_y_grad_y = filter_y * grad_y
    filter_z = couplings[2]
    filter_z_grad_z = filter_z * grad_z
    sum_filter_x_grad_x = filter_x_grad_x + filter_y_grad_y + filter_z_grad_z
    d_input_0 = d_input_0 + weight * sum_filter_x_grad_x
    d_weight = input_0 * sum_filter_x_grad_x
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_0,), d_weight


@device
def d_grad_couplings(filters, filter_tangents, couplings):
    """The 6 values of an edge for
    `d_grad`, `double_backward`, `d_input_weight_along` and `backward_along`."""
    filter_x = read(filters, 0)
    couplings[0] = filter_x
    filter_y = read(filters, 1)
    couplings[1] = filter_y
    filter_z = read(filters, 2)
    couplings[2] = filter_z
    filter_tangent_x = read(filter_tangents, 0)
    couplings[3] = filter_tangent_x
    filter_tangent_y = read(filter_tangents, 1)
    couplings[4] = filter_tangent_y
    filter_tangent_z = read(filter_tangents, 2)
    couplings[5] = filter_tangent_z


@device
def d_grad(couplings, inputs, weight, input_tangents, weight_tangent, d_grads):
    """d_grads += ∂ΔT/∂grad"""
    (input_0,) = inputs
    (input_tangent_0,) = input_tangents
    d_grad_x, d_grad_y, d_grad_z = d_grads
    change_of_weighted_input_0 = input_tangent_0 * weight + input_0 * weight_tangent
    weighted_input_0 = input_0 * weight
    filter_x = couplings[0]
    filter_tangent_x = couplings[3]
    d_grad_x = d_grad_x + filter_x * change_of_weighted_input_0 + filter_tangent_x * weighted_input_0
    filter_y = couplings[1]
    filter_tangent_y = couplings[4]
    d_grad_y = d_grad_y + filter_y * change_of_weighted_input_0 + filter_tangent_y * weighted_input_0
    filter_z = couplings[2]
    filter_tangent_z = couplings[5]
    d_grad_z = d_grad_z + filter_z * change_of_weighted_input_0 + filter_tangent_z * weighted_input_0
    return (d_grad_x, d_grad_y, d_grad_z)


@device
def double_backward(couplings, inputs, weight, grads, input_tangents, weight_tangent, d_filters, d_inputs):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    (input_tangent_0,) = input_tangents
    d_filter_x, d_filter_y, d_filter_z = d_filters
    (d_input_0,) = d_inputs
    filter_tangent_x = couplings[3]
    filter_tangent_y = couplings[4]
    filter_tangent_z = couplings[5]
    sum_filter_tangent_x = filter_tangent_x * grad_x + filter_tangent_y * grad_y + filter_tangent_z * grad_z
    filter_x = couplings[0]
    filter_y = couplings[1]
    filter_z = couplings[2]
    sum_filter_x = filter_x * grad_x + filter_y * grad_y + filter_z * grad_z
    d_input_0 = d_input_0 + weight * sum_filter_tangent_x + weight_tangent * sum_filter_x
    d_weight = input_0 * sum_filter_tangent_x + input_tangent_0 * sum_filter_x
    change_of_weighted_input_0 = input_tangent_0 * weight + input_0 * weight_tangent
    d_filter_x = d_filter_x + change_of_weighted_input_0 * grad_x
    d_filter_y = d_filter_y + change_of_weighted_input_0 * grad_y
    d_filter_z = d_filter_z + change_of_weighted_input_0 * grad_z
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_0,), d_weight


@device
def d_input_weight_along(couplings, inputs, weight, grads, grad_tangents, d_inputs):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    grad_tangent_x, grad_tangent_y, grad_tangent_z = grad_tangents
    (d_input_0,) = d_inputs
    filter_tangent_x = couplings[3]
    filter_x = couplings[0]
    filter_tangent_y = couplings[4]
    filter_y = couplings[1]
    filter_tangent_z = couplings[5]
    filter_z = couplings[2]
    sum_filter_tangent_x = (
        filter_tangent_x * grad_x + filter_x * grad_tangent_x + filter_tangent_y * grad_y
        + filter_y * grad_tangent_y + filter_tangent_z * grad_z + filter_z * grad_tangent_z
    )
    d_input_0 = d_input_0 + weight * sum_filter_tangent_x
    d_weight = input_0 * sum_filter_tangent_x
    return (d_input_0,), d_weight


@device
def backward_along(
    couplings, inputs, weight, grads, input_tangents, weight_tangent, grad_tangents, d_filters, d_inputs,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    (input_0,) = inputs
    grad_x, grad_y, grad_z = grads
    (input_tangent_0,) = input_tangents
    grad_tangent_x, grad_tangent_y, grad_tangent_z = grad_tangents
    d_filter_x, d_filter_y, d_filter_z = d_filters
    (d_input_0,) = d_inputs
    change_of_weighted_input_0 = input_tangent_0 * weight + input_0 * weight_tangent
    weighted_input_0 = input_0 * weight
    d_filter_x = d_filter_x + change_of_weighted_input_0 * grad_x + weighted_input_0 * grad_tangent_x
    d_filter_y = d_filter_y + change_of_weighted_input_0 * grad_y + weighted_input_0 * grad_tangent_y
    d_filter_z = d_filter_z + change_of_weighted_input_0 * grad_z + weighted_input_0 * grad_tangent_z
    filter_tangent_x = couplings[3]
    filter_x = couplings[0]
    filter_tangent_y = couplings[4]
    filter_y = couplings[1]
    filter_tangent_z = couplings[5]
    filter_z = couplings[2]
    sum_filter_tangent_x = (
        filter_tangent_x * grad_x + filter_x * grad_tangent_x + filter_tangent_y * grad_y
        + filter_y * grad_tangent_y + filter_tangent_z * grad_z + filter_z * grad_tangent_z
    )
    sum_filter_x = filter_x * grad_x + filter_y * grad_y + filter_z * grad_z
    d_input_0 = d_input_0 + weight * sum_filter_tangent_x + weight_tangent * sum_filter_x
    d_weight = input_0 * sum_filter_tangent_x + input_tangent_0 * sum_filter_x
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_0,), d_weight
