"""The harmonics' derivative as a composition of harmonics: what every order beyond the generated ones uses.

The gradient of a solid harmonic of degree l couples a vector with the harmonics of degree l − 1:

    ∂Y[l, m]/∂r_i = κ_l Σ_{m'} C^{(l, m)}_{(1, i)(l−1, m')} Y[l−1, m']

and Euler's theorem, r·∇Y_l = l Y_l, gives κ_l. So the package's own coefficients say all there is to say.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from tfngen.runtime import registry
from tfngen.runtime.dispatch import call


@lru_cache(maxsize=32)
def gradient_table(package: str, lmax: int) -> np.ndarray:
    """G[i, a, b] with ∂Y_b/∂r_i = Σ_a G[i, a, b] Y_a over packed harmonics: (3, lmax², (lmax+1)²)."""
    tables = registry.coefficients(package)
    table = np.zeros((3, lmax**2, (lmax + 1) ** 2))
    for l in range(1, lmax + 1):
        entries = [
            (m_axis + 1, m_out + (l - 1) ** 2 + l - 1, m + l**2 + l, sign * (numerator / denominator) ** 0.5)
            for m_axis, m_out, m, sign, numerator, denominator in tables.CLEBSCH_GORDAN[1, l - 1, l]
        ]
        # At the pole r = (0, 1, 0) only m = 0 is left of every degree, and only i = y of the gradient.
        pole, pole_below = _at_pole(tables, l), _at_pole(tables, l - 1)
        axial = next(c for i, a, b, c in entries if (i, a, b) == (1, l**2 - l, l**2 + l))
        kappa = l * pole / (axial * pole_below)
        for axis, a, b, coefficient in entries:
            table[axis, a, b] = kappa * coefficient
    return table


def _at_pole(tables, l: int) -> float:
    """Y[l, 0] at (0, 1, 0), up to the constant that all degrees share."""
    (value,) = (c for exponents, c in tables.HARMONICS[l, 0] if exponents == (0, l, 0))
    sign, numerator, denominator = value
    return sign * (numerator / denominator) ** 0.5


def composed_vjp(package: str, width: int, vectors: Tensor, grads: Tensor) -> Tensor:
    """``spherical_harmonics_vjp`` in operators that are all differentiable to every order.

    s (v − u (u·v)) with s = 1/|r|, u = s r and v_i = Σ G[i, a, b] Y_a grads_b; zero for zero vectors.
    """
    lmax = int(width**0.5 + 0.5) - 1
    if lmax == 0:
        return (vectors * 0) * grads
    squared = (vectors * vectors).sum(-1, keepdim=True)
    is_zero = squared == 0
    inverse_norm = torch.where(is_zero, torch.zeros_like(squared), torch.where(is_zero, 1, squared).rsqrt())
    unit = vectors * inverse_norm
    values = call("spherical_harmonics", package, width, vectors)
    gradient = torch.tensor(gradient_table(package, lmax), dtype=vectors.dtype, device=vectors.device)
    slope = torch.einsum("na,iab,nb->ni", values[:, : lmax**2], gradient, grads)
    return inverse_norm * (slope - unit * (unit * slope).sum(-1, keepdim=True))
