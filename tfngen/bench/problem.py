"""What every contender is given, and the arithmetic it cannot avoid.

The function timed takes edge vectors r, features x and one weight per edge, path and channel, and gives

    out_a = Σ_b C · w(ab) · Y(r_ab) · x_b        (spherical harmonics, gather, product, sum into nodes)

`forward` is out alone. `gradient` is forward and the gradient of Σ cotangent · out by r, x and w. `forces` is
E = Σ cotangent · out, as a linear readout gives it, and −∂E/∂r. `training` is the gradient by x and w of
Σ target · (−∂E/∂r), E = ½ Σ cotangent · out², which differentiates twice, as every loss on forces does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.bench.ceiling import Work
from tfngen.bench.workloads import Workload, build_graph


@dataclass(frozen=True, slots=True)
class Problem:
    """A workload's operands, float32, drawn from fixed seeds: every process draws the same.

    Attributes:
        convolution: tfngen's, for its irreps and its list of paths.
        vectors: (edges, 3).
        features: (nodes, irreps_in.dim), block after block, within a block channel by channel, as e3nn packs.
        weights: (edges, weight_numel), path after path.
        cotangent: (nodes, Σ channels · (2l_O + 1)), path after path, within a path channel by channel.
        target: (edges, 3).
    """

    workload: Workload
    convolution: Any
    graph: Any
    vectors: Tensor
    features: Tensor
    weights: Tensor
    cotangent: Tensor
    target: Tensor


def convolution_of(workload: Workload, kernels: Any) -> Any:
    """The workload's convolution by a generated package."""
    return kernels.Convolution(workload.irreps_in, workload.irreps_filter, workload.irreps_out)


def draw(workload: Workload, kernels: Any, device: str = "cpu") -> Problem:
    """All operands of a workload, on `device`; the same numbers on every one."""
    convolution = convolution_of(workload, kernels)
    graph, vectors = build_graph(workload)
    generator = torch.Generator().manual_seed(2)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    return Problem(
        workload,
        convolution,
        graph.to(device),
        vectors.to(device),
        features=normal(graph.num_nodes, convolution.irreps_in.dim),
        cotangent=normal(graph.num_nodes, convolution.irreps_out.dim),
        target=normal(graph.num_edges, 3),
        weights=normal(graph.num_edges, convolution.weight_numel),
    )


def work(convolution: Any, workload: Workload, mode: str) -> Work:
    """The least a mode costs over the whole graph: multiplications and additions.

    Counted per edge, path and channel, with the coefficients contracted once per edge for all channels
    (which is not counted, nor are the harmonics): P pairs (m_I, m_O) that the path couples, each a
    multiplication and an addition, and W = min(2l_I + 1, 2l_O + 1) components on whichever side has fewer.

    - output: M[m_I, m_O] between x and the sum, and the weight:                     2P + W
    - one backward by x, w and Y: M·g, times w and into the sum (2W), times x (2W - 1), the
      moments Σ_c w x_mI g_mO that Y's gradient is made of (2P + W):                 4P + 4W
    - forces: output, and the moments alone:                                         4P + 2W
    - training: forces; then with N made of the gradient's gradient by Y instead of M, output
      by N for g, and N·g and M·g′ back to x and w (2 (2P + 3W)):                   10P + 9W

    Bytes count each input and each result once: the graph's two indices (8 bytes each), vectors, features and
    weights in; the sums, or the gradients of whatever the mode differentiates by, out.
    """
    factors = {"forward": (2, 1), "gradient": (6, 5), "forces": (4, 2), "training": (10, 9)}
    if mode not in factors:
        raise ValueError(f"mode: got {mode!r}; it must be one of {', '.join(factors)}")
    pairs, scalings = _pairs_and_scalings(convolution)
    per_pair, per_scaling = factors[mode]

    edges, nodes = workload.edges, workload.nodes
    vectors, weights = 3 * edges, edges * convolution.weight_numel
    features, sums = nodes * convolution.irreps_in.dim, nodes * convolution.irreps_out.dim
    moved = {
        "forward": sums,
        "gradient": sums + vectors + features + weights,  # a cotangent comes in, three gradients go out
        "forces": sums + vectors,
        "training": sums + vectors + features + weights,  # cotangent and target in, two gradients out
    }[mode]
    bytes_ = 16 * edges + 4 * (vectors + features + weights + moved)
    return Work(float(edges * (per_pair * pairs + per_scaling * scalings)), float(bytes_))


def _pairs_and_scalings(convolution: Any) -> tuple[int, int]:
    """Σ over paths of channels · nonzero (m_I, m_O), and of channels · min(2l_I + 1, 2l_O + 1)."""
    pairs = scalings = 0
    for path in convolution.paths:
        entries = convolution.kernels.CLEBSCH_GORDAN[tuple(path.path)]
        coupled = {(m_input, m_output) for _, m_input, m_output, *_ in entries}
        pairs += path.channels * len(coupled)
        scalings += path.channels * min(2 * path.path.l_input + 1, 2 * path.path.l_output + 1)
    return pairs, scalings


def input_slices(convolution: Any) -> list[slice]:
    """Where each block of `irreps_in` lies in packed features."""
    return _slices(block.dim for block in convolution.irreps_in)


def path_slices(convolution: Any) -> list[slice]:
    """Where each path's part lies in the packed output."""
    return _slices(path.channels * (2 * path.path.l_output + 1) for path in convolution.paths)


def coefficients(kernels: Any, path: Any) -> np.ndarray:
    """C of a path as an array [m_I, m_F, m_O], the input first, as peers have it."""
    found = np.zeros((2 * path.l_input + 1, 2 * path.l_filter + 1, 2 * path.l_output + 1))
    for m_filter, m_input, m_output, sign, over, under in kernels.CLEBSCH_GORDAN[tuple(path)]:
        at = (m_input + path.l_input, m_filter + path.l_filter, m_output + path.l_output)
        found[at] = sign * (over / under) ** 0.5
    return found


def _slices(widths: Any) -> list[slice]:
    found, first = [], 0
    for width in widths:
        found.append(slice(first, first + width))
        first += width
    return found
