"""The path (1, 1, 1): filter degree 1 ⊗ input degree 1 → output degree 1, in float32, on a GPU.

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

C has 6 nonzero entries:

    C[x, y, z] = √(1/2)
    C[x, z, y] = -√(1/2)
    C[y, x, z] = -√(1/2)
    C[y, z, x] = √(1/2)
    C[z, x, y] = √(1/2)
    C[z, y, x] = -√(1/2)

Each kernel is the partial derivative of T by one of the four; a warp has an edge, a lane some channels.

    kernel    strategy  per edge     per channel  plain sum
    output    coupling  3 mul 0 add  9 mul 3 add  18 mul 3 add
    d_input   coupling  3 mul 0 add  9 mul 3 add  18 mul 3 add
    d_filter  coupling  3 mul 3 add  9 mul 6 add  18 mul 6 add
    d_weight  coupling  3 mul 0 add  9 mul 5 add  18 mul 5 add
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

SQRT_1_2 = constant(0.7071067811865476)  # √(1/2)


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
    coupling_z_x = SQRT_1_2 * filter_y
    coupling_y_x = SQRT_1_2 * filter_z
    coupling_z_y = SQRT_1_2 * filter_x
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        weight_at = edge * weight_row + channel
        result_at = edge * result_row + channel
        weight = load(weights, weight_at, active)
        input_z = load(inputs, input_at + 2 * input_step, active)
        input_y = load(inputs, input_at + input_step, active)
        output_x = weight * (coupling_z_x * input_z - coupling_y_x * input_y)
        store(results, result_at, output_x, active)
        input_x = load(inputs, input_at, active)
        output_y = weight * (coupling_y_x * input_x - coupling_z_y * input_z)
        store(results, result_at + result_step, output_y, active)
        output_z = weight * (coupling_z_y * input_y - coupling_z_x * input_x)
        store(results, result_at + 2 * result_step, output_z, active)


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
    coupling_z_x = SQRT_1_2 * filter_y
    coupling_y_x = SQRT_1_2 * filter_z
    coupling_z_y = SQRT_1_2 * filter_x
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        weight_at = edge * weight_row + channel
        grad_at = edge * grad_row + channel
        result_at = edge * result_row + channel
        weight = load(weights, weight_at, active)
        grad_z = load(grads, grad_at + 2 * grad_step, active)
        grad_y = load(grads, grad_at + grad_step, active)
        d_input_x = weight * (coupling_y_x * grad_y - coupling_z_x * grad_z)
        store(results, result_at, d_input_x, active)
        grad_x = load(grads, grad_at, active)
        d_input_y = weight * (coupling_z_y * grad_z - coupling_y_x * grad_x)
        store(results, result_at + result_step, d_input_y, active)
        d_input_z = weight * (coupling_z_x * grad_x - coupling_z_y * grad_y)
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
    moment_y_z = zero()
    moment_y_x = zero()
    moment_z_x = zero()
    moment_z_y = zero()
    moment_x_z = zero()
    moment_x_y = zero()
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        weight_at = edge * weight_row + channel
        grad_at = edge * grad_row + channel
        input_y = load(inputs, input_at + input_step, active)
        weight = load(weights, weight_at, active)
        weighted_input_y = input_y * weight
        grad_z = load(grads, grad_at + 2 * grad_step, active)
        moment_y_z += weighted_input_y * grad_z
        grad_x = load(grads, grad_at, active)
        moment_y_x += weighted_input_y * grad_x
        input_z = load(inputs, input_at + 2 * input_step, active)
        weighted_input_z = input_z * weight
        moment_z_x += weighted_input_z * grad_x
        grad_y = load(grads, grad_at + grad_step, active)
        moment_z_y += weighted_input_z * grad_y
        input_x = load(inputs, input_at, active)
        weighted_input_x = input_x * weight
        moment_x_z += weighted_input_x * grad_z
        moment_x_y += weighted_input_x * grad_y
    d_filter_x = SQRT_1_2 * (moment_y_z - moment_z_y)
    d_filter_y = SQRT_1_2 * (moment_z_x - moment_x_z)
    d_filter_z = SQRT_1_2 * (moment_x_y - moment_y_x)
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
    coupling_y_z = SQRT_1_2 * filter_x
    coupling_x_z = SQRT_1_2 * filter_y
    coupling_x_y = SQRT_1_2 * filter_z
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        grad_at = edge * grad_row + channel
        result_at = edge * result_row + channel
        input_y = load(inputs, input_at + input_step, active)
        grad_z = load(grads, grad_at + 2 * grad_step, active)
        input_z = load(inputs, input_at + 2 * input_step, active)
        grad_y = load(grads, grad_at + grad_step, active)
        input_x = load(inputs, input_at, active)
        grad_x = load(grads, grad_at, active)
        d_weight = (
            coupling_y_z * (input_y * grad_z - input_z * grad_y)
            + coupling_x_z * (input_z * grad_x - input_x * grad_z)
            + coupling_x_y * (input_x * grad_y - input_y * grad_x)
        )
        store(results, result_at, d_weight, active)
