"""The path (0, 0, 0): filter degree 0 ⊗ input degree 0 → output degree 0, in float32, on a GPU.

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

C has 1 nonzero entry:

    C[0, 0, 0] = 1

Each kernel is the partial derivative of T by one of the four; a warp has an edge, a lane some channels.

    kernel    strategy  per edge     per channel  plain sum
    output    direct    0 mul 0 add  2 mul 0 add  2 mul 0 add
    d_input   direct    0 mul 0 add  2 mul 0 add  2 mul 0 add
    d_filter  direct    0 mul 0 add  2 mul 1 add  2 mul 1 add
    d_weight  direct    0 mul 0 add  2 mul 0 add  2 mul 0 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float32 import (
    WARP,
    Floats,
    Int,
    Size,
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
    filter_0 = read(filters, filter_at)
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        weight_at = edge * weight_row + channel
        result_at = edge * result_row + channel
        weight = load(weights, weight_at, active)
        input_0 = load(inputs, input_at, active)
        output_0 = weight * filter_0 * input_0
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
    filter_0 = read(filters, filter_at)
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        weight_at = edge * weight_row + channel
        grad_at = edge * grad_row + channel
        result_at = edge * result_row + channel
        weight = load(weights, weight_at, active)
        grad_0 = load(grads, grad_at, active)
        d_input_0 = weight * filter_0 * grad_0
        store(results, result_at, d_input_0, active)


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
    d_filter_0 = zero()
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        weight_at = edge * weight_row + channel
        grad_at = edge * grad_row + channel
        weight = load(weights, weight_at, active)
        input_0 = load(inputs, input_at, active)
        grad_0 = load(grads, grad_at, active)
        d_filter_0 += weight * input_0 * grad_0
    result_at = edge * result_row
    place = fold_place(lane)
    total = fold_all(
        d_filter_0, zero(), zero(), zero(), zero(), zero(), zero(), zero(),
        zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(),
    )
    store(results, result_at + place, total, live and place < 1)


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
    filter_0 = read(filters, filter_at)
    for first in range(0, channels, WARP):
        channel = first + lane
        active = live and channel < channels
        input_at = edge * input_row + channel
        grad_at = edge * grad_row + channel
        result_at = edge * result_row + channel
        input_0 = load(inputs, input_at, active)
        grad_0 = load(grads, grad_at, active)
        d_weight = filter_0 * input_0 * grad_0
        store(results, result_at, d_weight, active)
