"""3×3 matrices as irreps: trace, antisymmetric part and traceless symmetric part, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

_X, _Y, _Z = 0, 1, 2


def _coupling(entries: list[dict[tuple[int, int], float]]) -> Tensor:
    """C(1, 1, l) as a float64 tensor [i, j, m] from its nonzeros, one dict of them for each m."""
    table = torch.zeros(3, 3, len(entries), dtype=torch.float64)
    for m, nonzeros in enumerate(entries):
        for (i, j), value in nonzeros.items():
            table[i, j, m] = value
    return table


_S = math.sqrt(1 / 2)
_COUPLINGS = {
    0: _coupling([{(i, i): math.sqrt(1 / 3) for i in range(3)}]),
    1: _coupling(
        [
            {(_Y, _Z): _S, (_Z, _Y): -_S},
            {(_Z, _X): _S, (_X, _Z): -_S},
            {(_X, _Y): _S, (_Y, _X): -_S},
        ]
    ),
    2: _coupling(
        [
            {(_X, _Z): _S, (_Z, _X): _S},
            {(_X, _Y): _S, (_Y, _X): _S},
            {(_Y, _Y): math.sqrt(2 / 3), (_X, _X): -math.sqrt(1 / 6), (_Z, _Z): -math.sqrt(1 / 6)},
            {(_Y, _Z): _S, (_Z, _Y): _S},
            {(_Z, _Z): _S, (_X, _X): -_S},
        ]
    ),
}
"""C(1, 1, l)[i, j, m]: l = 0 is δ_ij/√3, l = 1 is ε_ijm/√2, l = 2 the five traceless symmetric matrices."""


def cartesian_to_irreps(matrix: Tensor) -> dict[int, Tensor]:
    """Split matrices into their parts of degree 0, 1 and 2: T^(l)_m = Σ_ij C(1,1,l)_{ijm} M_ij.

    The change of basis is orthogonal: Σ_l ‖T^(l)‖² = Σ_ij M_ij². A true tensor, such as a stress, has parts
    0e, 1e and 2e.

    Args:
        matrix: (…, 3, 3), float, axes in the order x, y, z.

    Returns:
        {0: (…, 1) the trace / √3, 1: (…, 3) antisymmetric, 2: (…, 5) traceless symmetric}.

    Raises:
        ValueError: `matrix` is not a float tensor (…, 3, 3).
    """
    if matrix.shape[-2:] != (3, 3) or not matrix.is_floating_point():
        raise ValueError(
            f"matrix: {matrix.dtype} of shape {tuple(matrix.shape)}; it must be a float tensor (…, 3, 3)"
        )
    return {l: torch.einsum("...ij,ijm->...m", matrix, table.to(matrix)) for l, table in _COUPLINGS.items()}


def irreps_to_cartesian(parts: Mapping[int, Tensor]) -> Tensor:
    """The inverse of `cartesian_to_irreps`: M_ij = Σ_l Σ_m C(1,1,l)_{ijm} T^(l)_m.

    Args:
        parts: some of {0: (…, 1), 1: (…, 3), 2: (…, 5)}; a missing part is zero.

    Returns:
        (…, 3, 3).

    Raises:
        ValueError: no parts, a degree above 2, or a part of the wrong shape.
    """
    if not parts or not set(parts) <= set(_COUPLINGS):
        raise ValueError(f"parts: degrees {list(parts)}; they must be some of 0, 1, 2")
    for l, part in parts.items():
        if part.ndim == 0 or part.shape[-1] != 2 * l + 1:
            raise ValueError(f"parts[{l}]: shape {tuple(part.shape)}; it must be (…, {2 * l + 1})")
    matrices = [torch.einsum("...m,ijm->...ij", part, _COUPLINGS[l].to(part)) for l, part in parts.items()]
    return torch.stack(torch.broadcast_tensors(*matrices)).sum(0)
