"""tfngen itself, by its public names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from torch import Tensor

from tfngen.bench.harmonics_problem import HarmonicsProblem, torch_harmonics
from tfngen.bench.peers import Layout, Prepared, torch_modes
from tfngen.bench.problem import Problem, input_slices


def convolution(problem: Problem, compiled: bool, record: Callable[..., Any] = lambda mode: mode) -> Prepared:
    """`kernels.spherical_harmonics` and `kernels.Convolution`, features with channels side by side."""
    ours = problem.convolution
    harmonics = ours.kernels.spherical_harmonics
    irreps = [irrep for _, irrep in ours.irreps_in]

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor, graph: Any) -> list[Tensor]:
        named = dict(zip(irreps, features, strict=True))
        return list(ours(graph, harmonics(vectors), named, weights).values())

    def split(packed: Tensor, blocks: Any, slices: list[slice]) -> list[Tensor]:
        return [
            packed[:, at].unflatten(1, (channels, irrep.dim)).transpose(1, 2).contiguous().transpose(1, 2)
            for at, (channels, irrep) in zip(slices, blocks, strict=True)
        ]

    starts = np.cumsum([0, *(block.dim for block in ours.irreps_out)])
    columns = [
        starts[path.output_block] + path.output_offset * path.irrep_output.dim
        + np.arange(path.channels * path.irrep_output.dim)
        for path in ours.paths
    ]  # fmt: skip
    return torch_modes.prepare(
        problem,
        forward,
        Layout(outputs=np.concatenate(columns)),
        compiled,
        lambda packed: split(packed, ours.irreps_in, input_slices(ours)),
        lambda packed: split(packed, ours.irreps_out, [slice(a, b) for a, b in pairwise(starts)]),
        [problem.graph],
        record,
    )


def harmonics(problem: HarmonicsProblem, compiled: bool) -> Prepared:
    """`kernels.spherical_harmonics`."""
    return torch_harmonics(problem, problem.kernels.spherical_harmonics)
