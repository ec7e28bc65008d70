"""The path (1, 1, 0): filter degree 1 ⊗ input degree 1 → output degree 0, in float32, on a GPU.

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

C has 3 nonzero entries:

    C[x, x, 0] = √(1/3)
    C[y, y, 0] = √(1/3)
    C[z, z, 0] = √(1/3)

Each kernel is the partial derivative of T by one of the four; a warp has an edge, a lane some channels.

    kernel    strategy  per edge     per channel  plain sum
    output    coupling  3 mul 0 add  4 mul 2 add  9 mul 2 add
    d_input   coupling  3 mul 0 add  4 mul 0 add  9 mul 0 add
    d_filter  coupling  3 mul 0 add  4 mul 3 add  9 mul 3 add
    d_weight  coupling  3 mul 0 add  4 mul 2 add  9 mul 2 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float32 import (
    WARP,
    Floats,
    Int,
    Size,
    constant,
    cuda,
    fold_all,
    fold_place,
    index,
    kernel,
    load,
    read,
    store,
    zero,
)

SQRT_1_3 = constant(0.5773502691896257)  # √(1/3)


@kernel
def output(
    edges: Size, channels: Int,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size, input_step: Size,
    weights: Floats, weight_row: Size,
    results: Floats, result_row: Size, result_step: Size,
):
    """output[c, m_O] = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I]"""
    lane = cuda.threadIdx.x % WARP
    edge = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // WARP
    live = edge < edges
    if not live:
        edge = index(0)
    filter_at = edge * filter_row
    filter_x = read(filters, filter_at)
    filter_y = read(filters, filter_at + 1)
    filter_z = read(filters, filter_at + 2)
    coupling_x_0 = SQRT_1_3 * filter_x
    coupling_y_0 = SQRT_1_3 * filter_y
    coupling_z_0 = SQRT_1_3 * filter_z
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
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
    edges: Size, channels: Int,
    filters: Floats, filter_row: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size, grad_step: Size,
    results: Floats, result_row: Size, result_step: Size,
):
    """d_input[c, m_I] = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · grad[c, m_O]"""
    lane = cuda.threadIdx.x % WARP
    edge = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // WARP
    live = edge < edges
    if not live:
        edge = index(0)
    filter_at = edge * filter_row
    filter_x = read(filters, filter_at)
    filter_y = read(filters, filter_at + 1)
    filter_z = read(filters, filter_at + 2)
    coupling_0_x = SQRT_1_3 * filter_x
    coupling_0_y = SQRT_1_3 * filter_y
    coupling_0_z = SQRT_1_3 * filter_z
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
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
    edges: Size, channels: Int,
    inputs: Floats, input_row: Size, input_step: Size,
    weights: Floats, weight_row: Size,
    grads: Floats, grad_row: Size, grad_step: Size,
    results: Floats, result_row: Size,
):
    """d_filter[m_F] = Σ C[m_F, m_I, m_O] · weight[c] · input[c, m_I] · grad[c, m_O]"""
    lane = cuda.threadIdx.x % WARP
    edge = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // WARP
    live = edge < edges
    if not live:
        edge = index(0)
    moment_x_0 = zero()
    moment_y_0 = zero()
    moment_z_0 = zero()
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
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
    d_filter_x = SQRT_1_3 * moment_x_0
    d_filter_y = SQRT_1_3 * moment_y_0
    d_filter_z = SQRT_1_3 * moment_z_0
    result_at = edge * result_row
    place = fold_place(lane)
    total = fold_all(
        d_filter_x, d_filter_y, d_filter_z, zero(), zero(), zero(), zero(), zero(),
        zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(),
    )
    store(results, result_at + place, total, live and place < 3)


@kernel
def d_weight(
    edges: Size, channels: Int,
    filters: Floats, filter_row: Size,
    inputs: Floats, input_row: Size, input_step: Size,
    grads: Floats, grad_row: Size, grad_step: Size,
    results: Floats, result_row: Size,
):
    """d_weight[c] = Σ C[m_F, m_I, m_O] · filter[m_F] · input[c, m_I] · grad[c, m_O]"""
    lane = cuda.threadIdx.x % WARP
    edge = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // WARP
    live = edge < edges
    if not live:
        edge = index(0)
    filter_at = edge * filter_row
    filter_x = read(filters, filter_at)
    filter_y = read(filters, filter_at + 1)
    filter_z = read(filters, filter_at + 2)
    coupling_x_0 = SQRT_1_3 * filter_x
    coupling_y_0 = SQRT_1_3 * filter_y
    coupling_z_0 = SQRT_1_3 * filter_z
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        grad_at = edge * grad_row + channel
        result_at = edge * result_row + channel
        grad_0 = load(grads, grad_at, active)
        input_x = load(inputs, input_at, active)
        input_y = load(inputs, input_at + input_step, active)
        input_z = load(inputs, input_at + 2 * input_step, active)
        d_weight = grad_0 * (coupling_x_0 * input_x + coupling_y_0 * input_y + coupling_z_0 * input_z)
        store(results, result_at, d_weight, active)
