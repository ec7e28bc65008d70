"""e3nn: gather, `o3.TensorProduct` with `uvu` instructions, and `index_add`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.bench.harmonics_problem import HarmonicsProblem, torch_harmonics
from tfngen.bench.peers import Layout, Prepared, torch_modes
from tfngen.bench.problem import Problem
from tfngen.irreps import Irrep


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """As NequIP and MACE do it; normalised so that odd paths differ from ours by a sign only."""
    from e3nn import o3

    ours = problem.convolution
    multiply = product(
        str(ours.irreps_in),
        str(ours.irreps_filter),
        [(path.channels, path.irrep_output) for path in ours.paths],
        [
            (path.input_block, [irrep for _, irrep in ours.irreps_filter].index(path.irrep_filter))
            for path in ours.paths
        ],
        normalization="component",
        device=problem.vectors.device,
    )
    degrees = [irrep.l for _, irrep in ours.irreps_filter]
    sources, targets, nodes = problem.graph.source, problem.graph.target, problem.graph.num_nodes

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        y = o3.spherical_harmonics(degrees, vectors, normalize=True, normalization="component")
        messages = multiply(features[0].index_select(0, sources), y, weights)
        return [messages.new_zeros(nodes, messages.shape[1]).index_add(0, targets, messages)]

    return torch_modes.prepare(problem, forward, Layout(scale=odd_path_signs(ours)), compiled)


def harmonics(problem: HarmonicsProblem, compiled: bool) -> Prepared:
    """`o3.spherical_harmonics`."""
    from e3nn import o3

    degrees = list(range(problem.lmax + 1))
    return torch_harmonics(
        problem, lambda r: o3.spherical_harmonics(degrees, r, normalize=True, normalization="component")
    )


def described(convolution: Any) -> tuple[str, str, str, list[tuple[int, int, int, str, bool]]]:
    """Irreps in, filter and out, an output for each path, and instructions, as e3nn takes them."""
    filters = [irrep for _, irrep in convolution.irreps_filter]
    outputs = "+".join(f"{path.channels}x{path.irrep_output}" for path in convolution.paths)
    instructions = [
        (path.input_block, filters.index(path.irrep_filter), at, "uvu", True)
        for at, path in enumerate(convolution.paths)
    ]
    return str(convolution.irreps_in), str(convolution.irreps_filter), outputs, instructions


def odd_path_signs(convolution: object) -> np.ndarray:
    """Per output column: −1 on odd paths, where taking the input before the filter changes the sign."""
    signs = [
        np.full(path.channels * path.irrep_output.dim, 1 if path.path.even else -1)
        for path in convolution.paths  # type: ignore[attr-defined]
    ]
    return np.concatenate(signs)


def product(
    irreps_in: str,
    irreps_filter: str,
    irreps_out: Iterable[tuple[int, Irrep]],
    couplings: Iterable[tuple[int, int]],
    normalization: str = "none",
    device: torch.device | str = "cpu",
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """e3nn's channel-wise (uvu) product with a weight per edge, path and channel.

    Args:
        irreps_in: the features.
        irreps_filter: the filter.
        irreps_out: channels and irrep of each path's output, in the order of the paths.
        couplings: for each path the positions of its input and its filter.
        normalization: "none" gives e3nn's symbols of norm 1, "component" multiplies them by √(2l_O + 1).
        device: where it computes.
    """
    try:
        from e3nn import o3
    except ImportError:
        raise ImportError("e3nn is not installed; pip install 'tfngen[e3nn]'") from None
    multiply: Callable[[Tensor, Tensor, Tensor], Tensor] = o3.TensorProduct(
        o3.Irreps(irreps_in),
        o3.Irreps(irreps_filter),
        o3.Irreps([(channels, (irrep.l, irrep.p)) for channels, irrep in irreps_out]),
        [(at_input, at_filter, at, "uvu", True) for at, (at_input, at_filter) in enumerate(couplings)],
        irrep_normalization=normalization,
        path_normalization="none",
        shared_weights=False,
        internal_weights=False,
    )
    return multiply.to(device)  # type: ignore[attr-defined,no-any-return]
