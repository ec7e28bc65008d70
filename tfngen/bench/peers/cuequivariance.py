"""cuEquivariance: its channel-wise polynomial, layout ir_mul; on a CPU by the `naive` method.

The faster method, `uniform_1d`, is CUDA kernels. Gather and sum into nodes are the polynomial's own indices.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.bench.peers import Layout, Prepared, ratio, torch_modes
from tfngen.bench.problem import Problem, coefficients, input_slices, path_slices

INSTEAD = ".*[Ff]alling back to"
"""How cuEquivariance begins to say that it takes its slow method, where its kernels cannot be loaded."""


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`descriptors.channelwise_tensor_product`, whose paths are sorted by output irrep.

    Raises:
        UserWarning: on a GPU where its kernels cannot be loaded; without them nobody would use it there.
    """
    import cuequivariance as cue
    import cuequivariance_torch as cuet

    ours = problem.convolution
    irreps_in, irreps_filter = (cue.Irreps("O3", str(each)) for each in (ours.irreps_in, ours.irreps_filter))
    wanted = [cue.O3(irrep.l, irrep.p) for _, irrep in ours.irreps_out]
    descriptor = cue.descriptors.channelwise_tensor_product(irreps_in, irreps_filter, wanted)
    device = problem.vectors.device
    method = "naive" if device.type == "cpu" else "uniform_1d"
    degrees = [irrep.l for _, irrep in ours.irreps_filter]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", INSTEAD)
        polynomial = descriptor.polynomial if method == "naive" else _uniform(descriptor.polynomial, ours)
        multiply = cuet.SegmentedPolynomial(polynomial, method=method, math_dtype=torch.float32)
        harmonics = cuet.SphericalHarmonics(degrees, normalize=True, method=method).to(device)
    multiply = multiply.to(device)
    sources, targets, nodes = problem.graph.source, problem.graph.target, problem.graph.num_nodes
    shape = torch.empty(nodes, 1, device=device)

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        return multiply(
            [weights, features[0], harmonics(vectors)],
            input_indices={1: sources},
            output_shapes={0: shape},
            output_indices={0: targets},
        )

    return torch_modes.prepare(problem, forward, _layout(ours, descriptor), compiled)


def _uniform(polynomial: Any, ours: Any) -> Any:
    """The polynomial as its kernels take it: channels in parts as wide as all irreps have several of."""
    widths = {channels for channels, _ in ours.irreps_in}
    return polynomial.flatten_coefficient_modes().split_mode("u", math.gcd(*widths))


def _layout(ours: Any, descriptor: Any) -> Layout:
    """Where cuEquivariance puts each of our columns, read off its descriptor.

    Raises:
        ValueError: a path of its own that is not ours times a number.
    """
    tensor_product = descriptor.polynomial.operations[0][1]
    offsets = [operand.segment_slices() for operand in tensor_product.operands]
    filters = [irrep for _, irrep in ours.irreps_filter]
    theirs = {}
    for path in tensor_product.paths:
        at_weight, at_input, at_filter, at_output = path.indices
        dim = path.coefficients.shape[-1]
        theirs[at_input, filters[at_filter], dim] = (path.coefficients, at_weight, at_output)

    features, weights, outputs, scale = [], [], [], []
    for (channels, irrep), at in zip(ours.irreps_in, input_slices(ours), strict=True):
        features.append(at.start + _ir_mul(channels, irrep.dim))
    for path, width in zip(ours.paths, path_slices(ours), strict=True):
        dim = path.irrep_output.dim
        table, at_weight, at_output = theirs[path.input_block, path.irrep_filter, dim]
        weights.append(offsets[0][at_weight].start + np.arange(path.channels))
        outputs.append(offsets[3][at_output].start + _ir_mul(path.channels, dim))
        times = ratio("cuEquivariance", path.path, table, coefficients(ours.kernels, path.path))
        scale.append(np.full(width.stop - width.start, times))
    return Layout(*(np.concatenate(each) for each in (features, weights, outputs, scale)))


def _ir_mul(channels: int, dim: int) -> np.ndarray:
    """The position in (component, channel) order of each entry in (channel, component) order."""
    return np.arange(channels * dim).reshape(dim, channels).T.ravel()
