"""Radial functions and their derivatives by torch's operations: what GPUs do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEAR = 1.5
"""Below it sin(x)/x and its derivatives are summed as series."""
TERMS = {torch.float32: 8, torch.float64: 13}
"""Of a series."""


def bessel(distances: Tensor, cutoff: float, number: int, order: int) -> Tensor:
    """dᵐ/drᵐ √(2/c) sin(nπr/c) / r for n = 1…number: (…) → (…, number)."""
    k = torch.arange(1, number + 1, dtype=distances.dtype, device=distances.device) * (math.pi / cutoff)
    x = distances[..., None] * k
    near = x.abs() < NEAR
    safe = torch.where(near, torch.full_like(x, NEAR), x)
    sine, cosine = torch.sin(safe), torch.cos(safe) if order else safe
    far = sine / safe
    for m in range(1, order + 1):  # x s = sin x, and m times differentiated: x s⁽ᵐ⁾ + m s⁽ᵐ⁻¹⁾ = sin⁽ᵐ⁾ x
        turned = (sine, cosine, -sine, -cosine)[m % 4]
        far = (turned - m * far) / safe
    values = torch.where(near, _series(x, order), far)
    return math.sqrt(2 / cutoff) * k ** (order + 1) * values


def _series(x: Tensor, order: int) -> Tensor:
    """dᵐ/dxᵐ Σ_j (−1)ʲ x²ʲ / (2j+1)!, from the innermost bracket outwards."""
    first = (order + 1) // 2
    squared, one = x * x, torch.ones_like(x)
    series = one
    for j in reversed(range(first, first + TERMS[x.dtype])):
        left = 2 * j + 2 - order
        ratio = -(2 * j + 1) / ((2 * j + 3) * left * (left - 1))
        series = torch.addcmul(one, squared, series, value=ratio)
    series = series * ((-1) ** first / (2 * first + 1))
    return series * x if order % 2 else series


def polynomial_cutoff(distances: Tensor, cutoff: float, p: int, order: int) -> Tensor:
    """dᵐ/drᵐ of the polynomial of degree p + 2 that falls from 1 to 0 between 0 and the cutoff: (…) → (…)."""
    d = distances / cutoff
    coefficients = -(p + 1) * (p + 2) / 2, p * (p + 2), -p * (p + 1) / 2
    value = torch.full_like(d, float(order == 0))
    for power, coefficient in enumerate(coefficients, start=p):
        if power >= order:
            factor = coefficient * math.perm(power, order) / cutoff**order
            value = value + factor * d ** (power - order)
    return torch.where(d < 1, value, torch.zeros_like(d))
