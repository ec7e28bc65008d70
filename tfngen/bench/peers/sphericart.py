"""sphericart-torch: `SphericalHarmonics`, its axes and normalisation turned into e3nn's."""

from __future__ import annotations

import math

import numpy as np
import torch

from tfngen.bench.harmonics_problem import HarmonicsProblem, torch_harmonics
from tfngen.bench.peers import SAMPLE_ROWS, Prepared

_AXES = [2, 0, 1]
"""e3nn's polar axis is y, sphericart's is z: what it calls (x, y, z) is our (z, x, y)."""


def harmonics(problem: HarmonicsProblem, compiled: bool) -> Prepared:
    """As a user has it who turned the axes beforehand; the constant √4π is not charged to sphericart."""
    import sphericart.torch

    calculator = sphericart.torch.SphericalHarmonics(problem.lmax)
    turned = problem.turned(_AXES, math.sqrt(4 * math.pi))
    prepared = torch_harmonics(turned, calculator)
    back = np.argsort(_AXES)

    def jacobian() -> tuple[torch.Tensor, ...]:
        found: tuple[torch.Tensor, ...] = calculator.compute_with_gradients(turned.vectors.detach())
        return found

    def sample(mode: str, results: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
        scale = math.sqrt(4 * math.pi)
        if mode == "values":
            return [scale * results[0].detach()[:SAMPLE_ROWS].numpy()]
        if mode == "jacobian":
            values, slopes = (part[:SAMPLE_ROWS].numpy() for part in results)
            return [scale * values, scale * slopes[:, back]]
        return [results[0].detach()[:SAMPLE_ROWS].numpy()[:, back]]

    return Prepared({**prepared.run, "jacobian": jacobian}, sample, {})
