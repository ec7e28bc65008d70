"""OpenEquivariance on a GPU: its fused `TensorProductConv`, deterministic or not, harmonics by e3nn."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tfngen.bench.peers import Layout, Prepared, torch_modes
from tfngen.bench.peers.e3nn import odd_path_signs
from tfngen.bench.problem import Problem


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`uvu` instructions as e3nn takes them; sums into nodes by atomics, as comes by default."""
    import openequivariance as oeq
    from e3nn import o3

    ours = problem.convolution
    filters = [irrep for _, irrep in ours.irreps_filter]
    outputs = "+".join(f"{path.channels}x{path.irrep_output}" for path in ours.paths)
    instructions = [
        (path.input_block, filters.index(path.irrep_filter), at, "uvu", True)
        for at, path in enumerate(ours.paths)
    ]
    described = oeq.TPProblem(
        str(ours.irreps_in),
        str(ours.irreps_filter),
        outputs,
        instructions,
        irrep_normalization="component",
        path_normalization="path",
        shared_weights=False,
        internal_weights=False,
    )
    multiply = oeq.TensorProductConv(described, deterministic=False)
    degrees = [irrep.l for irrep in filters]
    sources, targets = problem.graph.source, problem.graph.target

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        y = o3.spherical_harmonics(degrees, vectors, normalize=True, normalization="component")
        return [multiply(features[0], y, weights, targets, sources)]

    return torch_modes.prepare(problem, forward, Layout(scale=odd_path_signs(ours)), compiled)
