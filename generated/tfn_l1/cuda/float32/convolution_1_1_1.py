"""The path (1, 1, 1) over a graph, as a lane of a GPU sees it, in float32: one edge, one channel.

    T = Σ_edges Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[source, c, m_I] · grad[target, c, m_O]

Each function returns derivatives of T, or of T along tangents (Δ), added to those of earlier edges and
paths. What an edge's channels have in common is computed once, by `…_couplings`, and kept in shared memory.

    kernel                strategy  per edge     per channel    plain sum
    output                coupling  3 mul 0 add  9 mul 3 add    18 mul 3 add
    d_input               coupling  3 mul 0 add  9 mul 3 add    18 mul 3 add
    d_filter              coupling  3 mul 0 add  9 mul 6 add    18 mul 6 add
    d_weight              coupling  3 mul 0 add  9 mul 5 add    18 mul 5 add
    d_input_weight        coupling  3 mul 0 add  12 mul 5 add   36 mul 8 add
    backward              coupling  6 mul 0 add  21 mul 11 add  54 mul 14 add
    d_grad                coupling  6 mul 0 add  21 mul 12 add  33 mul 12 add
    double_backward       coupling  9 mul 0 add  36 mul 23 add  90 mul 29 add
    d_input_weight_along  coupling  6 mul 0 add  18 mul 11 add  72 mul 20 add
    backward_along        coupling  9 mul 0 add  51 mul 35 add  141 mul 47 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float32 import constant, device, read

SQRT_1_2 = constant(0.7071067811865476)  # √(1/2)


@device
def output_couplings(filters, couplings):
    """The 3 values of an edge for `output`, `d_input`, `d_input_weight` and `backward`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    coupling_z_x = SQRT_1_2 * filter_y
    couplings[0] = coupling_z_x
    coupling_y_x = SQRT_1_2 * filter_z
    couplings[1] = coupling_y_x
    coupling_z_y = SQRT_1_2 * filter_x
    couplings[2] = coupling_z_y


@device
def output(couplings, inputs, weight, outputs):
    """outputs += ∂T/∂grad, which is the convolution"""
    input_x, input_y, input_z = inputs
    output_x, output_y, output_z = outputs
    coupling_z_x = couplings[0]
    coupling_y_x = couplings[1]
    output_x = output_x + weight * (coupling_z_x * input_z - coupling_y_x * input_y)
    coupling_z_y = couplings[2]
    output_y = output_y + weight * (coupling_y_x * input_x - coupling_z_y * input_z)
    output_z = output_z + weight * (coupling_z_y * input_y - coupling_z_x * input_x)
    return (output_x, output_y, output_z)


@device
def d_input(couplings, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input"""
    grad_x, grad_y, grad_z = grads
    d_input_x, d_input_y, d_input_z = d_inputs
    coupling_z_x = couplings[0]
    coupling_y_x = couplings[1]
    d_input_x = d_input_x + weight * (coupling_y_x * grad_y - coupling_z_x * grad_z)
    coupling_z_y = couplings[2]
    d_input_y = d_input_y + weight * (coupling_z_y * grad_z - coupling_y_x * grad_x)
    d_input_z = d_input_z + weight * (coupling_z_x * grad_x - coupling_z_y * grad_y)
    return (d_input_x, d_input_y, d_input_z)


@device
def d_filter(couplings, inputs, weight, grads, d_filters):
    """d_filters += ∂T/∂filter"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    d_filter_x, d_filter_y, d_filter_z = d_filters
    sum_x = weight * (input_y * grad_z - input_z * grad_y)
    sum_y = weight * (input_x * grad_z - input_z * grad_x)
    sum_z = weight * (input_x * grad_y - input_y * grad_x)
    d_filter_x = d_filter_x + SQRT_1_2 * sum_x
    d_filter_y = d_filter_y - SQRT_1_2 * sum_y
    d_filter_z = d_filter_z + SQRT_1_2 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z)


@device
def d_weight_couplings(filters, couplings):
    """The 3 values of an edge for `d_weight`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    coupling_y_z = SQRT_1_2 * filter_x
    couplings[0] = coupling_y_z
    coupling_x_z = SQRT_1_2 * filter_y
    couplings[1] = coupling_x_z
    coupling_x_y = SQRT_1_2 * filter_z
    couplings[2] = coupling_x_y


@device
def d_weight(couplings, inputs, grads):
    """d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    coupling_y_z = couplings[0]
    coupling_x_z = couplings[1]
    coupling_x_y = couplings[2]
    return (
        coupling_y_z * (input_y * grad_z - input_z * grad_y)
        + coupling_x_z * (input_z * grad_x - input_x * grad_z)
        + coupling_x_y * (input_x * grad_y - input_y * grad_x)
    )


@device
def d_input_weight(couplings, inputs, weight, grads, d_inputs):
    """d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    d_input_x, d_input_y, d_input_z = d_inputs
    coupling_z_x = couplings[0]
    coupling_y_x = couplings[1]
    sum_coupling_z_x = coupling_z_x * grad_z - coupling_y_x * grad_y
    d_input_x = d_input_x - weight * sum_coupling_z_x
    coupling_z_y = couplings[2]
    sum_coupling_z_y = coupling_z_y * grad_z - coupling_y_x * grad_x
    d_input_y = d_input_y + weight * sum_coupling_z_y
    sum_coupling_z_y_2 = coupling_z_y * grad_y - coupling_z_x * grad_x
    d_input_z = d_input_z - weight * sum_coupling_z_y_2
    d_weight = input_y * sum_coupling_z_y - input_z * sum_coupling_z_y_2 - input_x * sum_coupling_z_x
    return (d_input_x, d_input_y, d_input_z), d_weight


@device
def backward(couplings, inputs, weight, grads, d_filters, d_inputs):
    """d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    d_filter_x, d_filter_y, d_filter_z = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    sum_input_y = input_y * grad_z - input_z * grad_y
    sum_x = weight * sum_input_y
    sum_input_x = input_x * grad_z - input_z * grad_x
    sum_y = weight * sum_input_x
    sum_input_x_2 = input_x * grad_y - input_y * grad_x
    sum_z = weight * sum_input_x_2
    coupling_z_x = couplings[0]
    coupling_y_x = couplings[1]
    d_input_x = d_input_x + weight * (coupling_y_x * grad_y - coupling_z_x * grad_z)
    coupling_z_y = couplings[2]
    d_input_y = d_input_y + weight * (coupling_z_y * grad_z - coupling_y_x * grad_x)
    d_input_z = d_input_z + weight * (coupling_z_x * grad_x - coupling_z_y * grad_y)
    d_weight = coupling_z_y * sum_input_y - coupling_z_x * sum_input_x + coupling_y_x * sum_input_x_2
    d_filter_x = d_filter_x + SQRT_1_2 * sum_x
    d_filter_y = d_filter_y - SQRT_1_2 * sum_y
    d_filter_z = d_filter_z + SQRT_1_2 * sum_z
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
    coupling_z_x = SQRT_1_2 * filter_y
    couplings[0] = coupling_z_x
    coupling_tangent_z_x = SQRT_1_2 * filter_tangent_y
    couplings[1] = coupling_tangent_z_x
    coupling_y_x = SQRT_1_2 * filter_z
    couplings[2] = coupling_y_x
    coupling_tangent_y_x = SQRT_1_2 * filter_tangent_z
    couplings[3] = coupling_tangent_y_x
    coupling_z_y = SQRT_1_2 * filter_x
    couplings[4] = coupling_z_y
    coupling_tangent_z_y = SQRT_1_2 * filter_tangent_x
    couplings[5] = coupling_tangent_z_y


@device
def d_grad(couplings, inputs, weight, input_tangents, weight_tangent, d_grads):
    """d_grads += ∂ΔT/∂grad"""
    input_x, input_y, input_z = inputs
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    d_grad_x, d_grad_y, d_grad_z = d_grads
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    weighted_input_y = input_y * weight
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    weighted_input_z = input_z * weight
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    weighted_input_x = input_x * weight
    coupling_z_x = couplings[0]
    coupling_tangent_z_x = couplings[1]
    coupling_y_x = couplings[2]
    coupling_tangent_y_x = couplings[3]
    d_grad_x = (
        d_grad_x + coupling_z_x * change_of_weighted_input_z + coupling_tangent_z_x * weighted_input_z
        - coupling_y_x * change_of_weighted_input_y - coupling_tangent_y_x * weighted_input_y
    )
    coupling_z_y = couplings[4]
    coupling_tangent_z_y = couplings[5]
    d_grad_y = (
        d_grad_y - coupling_z_y * change_of_weighted_input_z - coupling_tangent_z_y * weighted_input_z
        + coupling_y_x * change_of_weighted_input_x + coupling_tangent_y_x * weighted_input_x
    )
    d_grad_z = (
        d_grad_z + coupling_z_y * change_of_weighted_input_y + coupling_tangent_z_y * weighted_input_y
        - coupling_z_x * change_of_weighted_input_x - coupling_tangent_z_x * weighted_input_x
    )
    return (d_grad_x, d_grad_y, d_grad_z)


@device
def double_backward_couplings(filters, filter_tangents, couplings):
    """The 6 values of an edge for `double_backward`, `d_input_weight_along` and `backward_along`."""
    filter_x = read(filters, 0)
    filter_y = read(filters, 1)
    filter_z = read(filters, 2)
    filter_tangent_x = read(filter_tangents, 0)
    filter_tangent_y = read(filter_tangents, 1)
    filter_tangent_z = read(filter_tangents, 2)
    coupling_tangent_z_x = SQRT_1_2 * filter_tangent_y
    couplings[0] = coupling_tangent_z_x
    coupling_z_x = SQRT_1_2 * filter_y
    couplings[1] = coupling_z_x
    coupling_tangent_y_x = SQRT_1_2 * filter_tangent_z
    couplings[2] = coupling_tangent_y_x
    coupling_y_x = SQRT_1_2 * filter_z
    couplings[3] = coupling_y_x
    coupling_tangent_z_y = SQRT_1_2 * filter_tangent_x
    couplings[4] = coupling_tangent_z_y
    coupling_z_y = SQRT_1_2 * filter_x
    couplings[5] = coupling_z_y


@device
def double_backward(couplings, inputs, weight, grads, input_tangents, weight_tangent, d_filters, d_inputs):
    """d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    input_tangent_x, input_tangent_y, input_tangent_z = input_tangents
    d_filter_x, d_filter_y, d_filter_z = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    sum_x = change_of_weighted_input_y * grad_z - change_of_weighted_input_z * grad_y
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    sum_y = change_of_weighted_input_x * grad_z - change_of_weighted_input_z * grad_x
    sum_z = change_of_weighted_input_x * grad_y - change_of_weighted_input_y * grad_x
    coupling_tangent_z_x = couplings[0]
    coupling_tangent_y_x = couplings[2]
    sum_coupling_tangent_z_x = coupling_tangent_z_x * grad_z - coupling_tangent_y_x * grad_y
    coupling_tangent_z_y = couplings[4]
    sum_coupling_tangent_z_y = coupling_tangent_z_y * grad_z - coupling_tangent_y_x * grad_x
    sum_coupling_tangent_z_y_2 = coupling_tangent_z_y * grad_y - coupling_tangent_z_x * grad_x
    coupling_z_x = couplings[1]
    coupling_y_x = couplings[3]
    sum_coupling_z_x = coupling_z_x * grad_z - coupling_y_x * grad_y
    d_input_x = d_input_x - weight * sum_coupling_tangent_z_x - weight_tangent * sum_coupling_z_x
    coupling_z_y = couplings[5]
    sum_coupling_z_y = coupling_z_y * grad_z - coupling_y_x * grad_x
    sum_coupling_z_y_2 = coupling_z_y * grad_y - coupling_z_x * grad_x
    d_weight = (
        input_y * sum_coupling_tangent_z_y + input_tangent_y * sum_coupling_z_y
        - input_z * sum_coupling_tangent_z_y_2 - input_tangent_z * sum_coupling_z_y_2
        - input_x * sum_coupling_tangent_z_x - input_tangent_x * sum_coupling_z_x
    )
    d_input_y = d_input_y + weight * sum_coupling_tangent_z_y + weight_tangent * sum_coupling_z_y
    d_input_z = d_input_z - weight * sum_coupling_tangent_z_y_2 - weight_tangent * sum_coupling_z_y_2
    d_filter_x = d_filter_x + SQRT_1_2 * sum_x
    d_filter_y = d_filter_y - SQRT_1_2 * sum_y
    d_filter_z = d_filter_z + SQRT_1_2 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_x, d_input_y, d_input_z), d_weight


@device
def d_input_weight_along(couplings, inputs, weight, grads, grad_tangents, d_inputs):
    """d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight"""
    input_x, input_y, input_z = inputs
    grad_x, grad_y, grad_z = grads
    grad_tangent_x, grad_tangent_y, grad_tangent_z = grad_tangents
    d_input_x, d_input_y, d_input_z = d_inputs
    coupling_tangent_z_x = couplings[0]
    coupling_z_x = couplings[1]
    coupling_tangent_y_x = couplings[2]
    coupling_y_x = couplings[3]
    sum_coupling_tangent_z_x = (
        coupling_tangent_z_x * grad_z + coupling_z_x * grad_tangent_z - coupling_tangent_y_x * grad_y
        - coupling_y_x * grad_tangent_y
    )
    d_input_x = d_input_x - weight * sum_coupling_tangent_z_x
    coupling_tangent_z_y = couplings[4]
    coupling_z_y = couplings[5]
    sum_coupling_tangent_z_y = (
        coupling_tangent_z_y * grad_z + coupling_z_y * grad_tangent_z - coupling_tangent_y_x * grad_x
        - coupling_y_x * grad_tangent_x
    )
    d_input_y = d_input_y + weight * sum_coupling_tangent_z_y
    sum_coupling_tangent_z_y_2 = (
        coupling_tangent_z_y * grad_y + coupling_z_y * grad_tangent_y - coupling_tangent_z_x * grad_x
        - coupling_z_x * grad_tangent_x
    )
    d_input_z = d_input_z - weight * sum_coupling_tangent_z_y_2
    d_weight = (
        input_y * sum_coupling_tangent_z_y - input_z * sum_coupling_tangent_z_y_2
        - input_x * sum_coupling_tangent_z_x
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
    d_filter_x, d_filter_y, d_filter_z = d_filters
    d_input_x, d_input_y, d_input_z = d_inputs
    change_of_weighted_input_y = input_tangent_y * weight + input_y * weight_tangent
    weighted_input_y = input_y * weight
    change_of_weighted_input_z = input_tangent_z * weight + input_z * weight_tangent
    weighted_input_z = input_z * weight
    change_of_weighted_input_x = input_tangent_x * weight + input_x * weight_tangent
    weighted_input_x = input_x * weight
    sum_x = (
        change_of_weighted_input_y * grad_z + weighted_input_y * grad_tangent_z
        - change_of_weighted_input_z * grad_y - weighted_input_z * grad_tangent_y
    )
    sum_y = (
        change_of_weighted_input_x * grad_z + weighted_input_x * grad_tangent_z
        - change_of_weighted_input_z * grad_x - weighted_input_z * grad_tangent_x
    )
    sum_z = (
        change_of_weighted_input_x * grad_y + weighted_input_x * grad_tangent_y
        - change_of_weighted_input_y * grad_x - weighted_input_y * grad_tangent_x
    )
    coupling_tangent_z_x = couplings[0]
    coupling_z_x = couplings[1]
    coupling_tangent_y_x = couplings[2]
    coupling_y_x = couplings[3]
    sum_coupling_tangent_z_x = (
        coupling_tangent_z_x * grad_z + coupling_z_x * grad_tangent_z - coupling_tangent_y_x * grad_y
        - coupling_y_x * grad_tangent_y
    )
    sum_coupling_z_x = coupling_z_x * grad_z - coupling_y_x * grad_y
    d_input_x = d_input_x - weight * sum_coupling_tangent_z_x - weight_tangent * sum_coupling_z_x
    coupling_tangent_z_y = couplings[4]
    coupling_z_y = couplings[5]
    sum_coupling_tangent_z_y = (
        coupling_tangent_z_y * grad_z + coupling_z_y * grad_tangent_z - coupling_tangent_y_x * grad_x
        - coupling_y_x * grad_tangent_x
    )
    sum_coupling_z_y = coupling_z_y * grad_z - coupling_y_x * grad_x
    d_input_y = d_input_y + weight * sum_coupling_tangent_z_y + weight_tangent * sum_coupling_z_y
    sum_coupling_tangent_z_y_2 = (
        coupling_tangent_z_y * grad_y + coupling_z_y * grad_tangent_y - coupling_tangent_z_x * grad_x
        - coupling_z_x * grad_tangent_x
    )
    sum_coupling_z_y_2 = coupling_z_y * grad_y - coupling_z_x * grad_x
    d_input_z = d_input_z - weight * sum_coupling_tangent_z_y_2 - weight_tangent * sum_coupling_z_y_2
    d_weight = (
        input_y * sum_coupling_tangent_z_y + input_tangent_y * sum_coupling_z_y
        - input_z * sum_coupling_tangent_z_y_2 - input_tangent_z * sum_coupling_z_y_2
        - input_x * sum_coupling_tangent_z_x - input_tangent_x * sum_coupling_z_x
    )
    d_filter_x = d_filter_x + SQRT_1_2 * sum_x
    d_filter_y = d_filter_y - SQRT_1_2 * sum_y
    d_filter_z = d_filter_z + SQRT_1_2 * sum_z
    return (d_filter_x, d_filter_y, d_filter_z), (d_input_x, d_input_y, d_input_z), d_weight
