"""LunaEquivariance on a GPU: its fused `TensorProductConv`, compiled by nvcc when first used.

Edges come in order of their targets, as it needs them and `build_graph` has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tfngen.bench.peers import Layout, Prepared, torch_modes
from tfngen.bench.peers.e3nn import described, odd_path_signs
from tfngen.bench.problem import Problem


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`uvu` instructions as e3nn takes them; harmonics by e3nn."""
    from e3nn import o3
    from LunaEquivariance import TensorProductConv

    ours, graph = problem.convolution, problem.graph
    multiply = TensorProductConv(
        *described(ours),
        irrep_normalization="component",
        path_normalization="none",
        internal_weights=False,
        shared_weights=False,
    ).to(problem.vectors.device)
    edges = TensorProductConv.create_graph(graph.source, graph.target, graph.num_nodes)
    degrees = [irrep.l for _, irrep in ours.irreps_filter]

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        y = o3.spherical_harmonics(degrees, vectors, normalize=True, normalization="component")
        return [multiply(features[0], y, weights, graph=edges)]

    return torch_modes.prepare(problem, forward, Layout(scale=odd_path_signs(ours)), compiled)
