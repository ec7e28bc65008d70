"""The path (0, 0, 0) over a graph, as a lane of a GPU sees it, in float64: one edge, one channel.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each function returns derivatives of T, or of T along tangents (Δ), added to those of earlier edges and
paths. What an edge's channels have in common is computed once, by `…_couplings`, and kept in shared memory.

    kernel                strategy  per edge     per channel   plain sum
    output                coupling  0 mul 0 add  2 mul 0 add   2 mul 0 add
    d_input               coupling  0 mul 0 add  2 mul 0 add   2 mul 0 add
    d_filter              coupling  0 mul 0 add  2 mul 1 add   2 mul 1 add
    d_weight              coupling  0 mul 0 add  2 mul 0 add   2 mul 0 add
    d_input_weight        coupling  0 mul 0 add  3 mul 0 add   4 mul 0 add
    backward              coupling  0 mul 0 add  5 mul 1 add   6 mul 1 add
    d_grad                coupling  0 mul 0 add  5 mul 2 add   5 mul 2 add
    double_backward       coupling  0 mul 0 add  9 mul 4 add   11 mul 4 add
    d_input_weight_along  coupling  0 mul 0 add  4 mul 1 add   8 mul 2 add
    backward_along        coupling  0 mul 0 add  12 mul 6 add  17 mul 7 add
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
    (input_0,) = inputs
    (output_0,) = outputs
    filter_0 = couplings[0]
    output_0 = output_0 + filter_0 * input_0 * weight
    return (output_0,)


@device
def d_input(couplings, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input"""
    (grad_0,) = grads
    (d_input_0,) = d_inputs
    filter_0 = couplings[0]
    d_input_0 = d_input_0 + filter_0 * weight * grad_0
    return (d_input_0,)


@device
def d_filter(couplings, inputs, weight, grads, d_filters):
    """d_filters += ∂T/∂filter"""
    (input_0,) = inputs
    (grad_0,) = grads
    (d_filter_0,) = d_filters
    d_filter_0 = d_filter_0 + input_0 * weight * grad_0
    return (d_filter_0,)


@device
def d_weight(couplings, inputs, grads):
    """d_weights = ∂T/∂weight"""
    (input_0,) = inputs
    (grad_0,) = grads
    filter_0 = couplings[0]
    return filter_0 * input_0 * grad_0


@device
def d_input_weight(couplings, inputs, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    (input_0,) = inputs
    (grad_0,) = grads
    (d_input_0,) = d_inputs
    filter_0 = couplings[0]
    filter_0_grad_0 = filter_0 * grad_0
    d_input_0 = d_input_0 + weight * filter_0_grad_0
    d_weight = input_0 * filter_0_grad_0
    return (d_input_0,), d_weight


@device
def backward(couplings, inputs, weight, grads, d_filters, d_inputs):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    (input_0,) = inputs
    (grad_0,) = grads
    (d_filter_0,) = d_filters
    (d_input_0,) = d_inputs
    grad_0_input_0 = grad_0 * input_0
    d_filter_0 = d_filter_0 + grad_0_input_0 * weight
    filter_0 = couplings[0]
    d_input_0 = d_input_0 + filter_0 * weight * grad_0
    d_weight = filter_0 * grad_0_input_0
    return (d_filter_0,), (d_input_0,), d_weight


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
    (input_0,) = inputs
    (input_tangent_0,) = input_tangents
    (d_grad_0,) = d_grads
    change_of_weighted_input_0 = input_tangent_0 * weight + input_0 * weight_tangent
    weighted_input_0 = input_0 * weight
    filter_0 = couplings[0]
    filter_tangent_0 = couplings[1]
    d_grad_0 = d_grad_0 + filter_0 * change_of_weighted_input_0 + filter_tangent_0 * weighted_input_0
    return (d_grad_0,)


@device
def double_backward(couplings, inputs, weight, grads, input_tangents, weight_tangent, d_filters, d_inputs):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    (input_0,) = inputs
    (grad_0,) = grads
    (input_tangent_0,) = input_tangents
    (d_filter_0,) = d_filters
    (d_input_0,) = d_inputs
    change_of_weighted_input_0 = input_tangent_0 * weight + input_0 * weight_tangent
    d_filter_0 = d_filter_0 + change_of_weighted_input_0 * grad_0
    filter_tangent_0 = couplings[1]
    filter_0 = couplings[0]
    d_input_0 = d_input_0 + grad_0 * (filter_tangent_0 * weight + filter_0 * weight_tangent)
    d_weight = grad_0 * (filter_tangent_0 * input_0 + filter_0 * input_tangent_0)
    return (d_filter_0,), (d_input_0,), d_weight


@device
def d_input_weight_along(couplings, inputs, weight, grads, grad_tangents, d_inputs):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    (input_0,) = inputs
    (grad_0,) = grads
    (grad_tangent_0,) = grad_tangents
    (d_input_0,) = d_inputs
    filter_tangent_0 = couplings[1]
    filter_0 = couplings[0]
    sum_filter_tangent_0 = filter_tangent_0 * grad_0 + filter_0 * grad_tangent_0
    d_input_0 = d_input_0 + weight * sum_filter_tangent_0
    d_weight = input_0 * sum_filter_tangent_0
    return (d_input_0,), d_weight


@device
def backward_along(
    couplings, inputs, weight, grads, input_tangents, weight_tangent, grad_tangents, d_filters, d_inputs,
):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    (input_0,) = inputs
    (grad_0,) = grads
    (input_tangent_0,) = input_tangents
    (grad_tangent_0,) = grad_tangents
    (d_filter_0,) = d_filters
    (d_input_0,) = d_inputs
    change_of_weighted_input_0 = input_tangent_0 * weight + input_0 * weight_tangent
    weighted_input_0 = input_0 * weight
    d_filter_0 = d_filter_0 + change_of_weighted_input_0 * grad_0 + weighted_input_0 * grad_tangent_0
    filter_tangent_0 = couplings[1]
    filter_tangent_0_grad_0 = filter_tangent_0 * grad_0
    filter_0 = couplings[0]
    filter_0_grad_0 = filter_0 * grad_0
    filter_0_grad_tangent_0 = filter_0 * grad_tangent_0
    sum_filter_tangent_0_grad_0 = filter_tangent_0_grad_0 + filter_0_grad_tangent_0
    d_input_0 = d_input_0 + weight * sum_filter_tangent_0_grad_0 + weight_tangent * filter_0_grad_0
    d_weight = input_0 * sum_filter_tangent_0_grad_0 + input_tangent_0 * filter_0_grad_0
    return (d_filter_0,), (d_input_0,), d_weight
