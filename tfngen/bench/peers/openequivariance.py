"""OpenEquivariance on a GPU: its fused `TensorProductConv`, sums by atomics as comes by default.

A row of its adjacency matrix is a target, a column a source; weights are in the order of the instructions.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tfngen.bench.peers import Layout, Prepared, torch_modes
from tfngen.bench.peers.e3nn import described, odd_path_signs
from tfngen.bench.problem import Problem


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`uvu` instructions as e3nn takes them; harmonics by e3nn."""
    import openequivariance as oeq
    from e3nn import o3

    ours = problem.convolution
    options = {"irrep_normalization": "component", "path_normalization": "none"}
    wanted = oeq.TPProblem(*described(ours), **options, shared_weights=False, internal_weights=False)
    multiply = oeq.TensorProductConv(wanted, deterministic=False)
    degrees = [irrep.l for _, irrep in ours.irreps_filter]
    sources, targets = problem.graph.source, problem.graph.target

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        y = o3.spherical_harmonics(degrees, vectors, normalize=True, normalization="component")
        return [multiply(features[0], y, weights, targets, sources)]

    return torch_modes.prepare(problem, forward, Layout(scale=odd_path_signs(ours)), compiled)
