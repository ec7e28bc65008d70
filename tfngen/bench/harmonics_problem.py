"""Spherical harmonics of many points: what every contender is given, and its modes as torch functions.

`values` is Y alone, `jacobian` is Y with ∂Y/∂r, `gradient` is Y and, through autograd, the gradient of
Σ cotangent · Y by r. All are component-normalised, in e3nn's order and axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.bench.peers import SAMPLE_ROWS, Prepared

MODES = ("values", "jacobian", "gradient")


@dataclass(frozen=True, slots=True)
class HarmonicsProblem:
    """Points (n, 3) and a cotangent (n, (lmax + 1)²), float32, and the package to take harmonics from."""

    lmax: int
    kernels: Any
    vectors: Tensor
    cotangent: Tensor

    def turned(self, axes: Sequence[int], scale: float) -> HarmonicsProblem:
        """For harmonics with other axes that are ours over `scale`."""
        turned = self.vectors.detach()[:, list(axes)].contiguous()
        return replace(self, vectors=turned, cotangent=scale * self.cotangent)


def draw(lmax: int, points: int, kernels: Any) -> HarmonicsProblem:
    """Normally distributed points, the same on every call."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(points, 3, generator=generator)
    return HarmonicsProblem(lmax, kernels, vectors, torch.randn(points, (lmax + 1) ** 2, generator=generator))


def moved_bytes(lmax: int, points: int, mode: str) -> int:
    """Each input and each result once, four bytes a number."""
    width = (lmax + 1) ** 2
    return 4 * points * {"values": 3 + width, "jacobian": 3 + 4 * width, "gradient": 6 + width}[mode]


def torch_harmonics(problem: HarmonicsProblem, function: Callable[[Tensor], Tensor]) -> Prepared:
    """The modes that a torch function of the points has; a Jacobian is not among them."""
    vectors = problem.vectors.detach()
    leaf = vectors.clone().requires_grad_()

    def gradient() -> Sequence[Tensor]:
        return torch.autograd.grad(function(leaf), leaf, problem.cotangent)

    def sample(mode: str, results: Sequence[Tensor]) -> list[np.ndarray]:
        return [part.detach()[:SAMPLE_ROWS].numpy() for part in results]

    return Prepared(
        {"values": lambda: [function(vectors)], "gradient": gradient},
        sample,
        {"jacobian": "it has no function that returns the Jacobian"},
    )
