"""FlashTP on a GPU: its fused `uvu_TP`, sums by atomics. It is at github.com/SNU-ARC/flashTP, not on PyPI."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tfngen.bench.peers import Layout, Prepared, torch_modes
from tfngen.bench.peers.e3nn import described, odd_path_signs
from tfngen.bench.problem import Problem

WARP = 32
"""The channels that FlashTP takes together."""


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`uvu` instructions as e3nn takes them, normalised as e3nn does by default; harmonics by e3nn.

    Raises:
        ValueError: channels that are not a multiple of `WARP`.
    """
    ours, device = problem.convolution, problem.vectors.device
    if any(channels % WARP for channels, _ in ours.irreps_in):
        raise ValueError(f"FlashTP takes channels in multiples of {WARP}; the features are {ours.irreps_in}")
    from e3nn import o3
    from flashTP_e3nn import uvu_TP

    *irreps, instructions = described(ours)
    # Of GPUs other than the A100 and the H100 it would take 48 kB, whatever they have.
    memory = torch.cuda.get_device_properties(device).shared_memory_per_block_optin // 1024
    multiply = uvu_TP(
        *map(o3.Irreps, irreps), instructions, smem_size=memory, device=device, dtype=torch.float32
    )
    degrees = [irrep.l for _, irrep in ours.irreps_filter]
    sources, targets = problem.graph.source.int(), problem.graph.target.int()

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        y = o3.spherical_harmonics(degrees, vectors, normalize=True, normalization="component")
        return [multiply(features[0], y, weights, sources, targets)]

    return torch_modes.prepare(problem, forward, Layout(scale=odd_path_signs(ours)), compiled)
