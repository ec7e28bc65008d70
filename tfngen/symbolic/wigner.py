"""Wigner's D matrices of the real harmonics: Y_l(R r) = D^l(R) Y_l(r).

Coupling the vector with degree l−1 to the largest degree they contain gives degree l, so with the unitary
tables C = C(1, l−1, l) every D follows from the one below it,

    D^l_{mn} = Σ_{a i b j} C_{a i m} R_ab D^{l−1}_ij C_{b j n},        D^0 = 1.

An improper rotation may stand in for R: −1 then becomes (−1)^l, the parity of Y_l. The same recursion runs
over exact numbers and over arrays of floats.

Source: the Clebsch–Gordan series, Varshalovich et al. (1988) section 4.6.1, for stretched couplings; real as
in Ivanic & Ruedenberg, J. Phys. Chem. 100 (1996) 6342.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache, lru_cache
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfngen.symbolic import arguments
from tfngen.symbolic.clebsch_gordan import clebsch_gordan
from tfngen.symbolic.surd import Surd, SurdSum

RationalMatrix = tuple[tuple[Fraction, ...], ...]
SurdMatrix = tuple[tuple[Surd, ...], ...]

Stretched = tuple[tuple[int, int, Surd], ...]
"""One component of degree l: the (axis, index in degree l−1, coefficient) in C(1, l−1, l) that make it."""

ORTHOGONALITY_TOLERANCE = 1e-5
"""How far R Rᵀ of a numeric rotation may be from 1: one that was rounded to float32 passes."""


def rational_rotation(a: int, b: int, c: int, d: int) -> RationalMatrix:
    """The rotation of the integer quaternion a + bi + cj + dk, as a 3×3 matrix of Fractions.

    R = 1 + (2/|q|²) (a [v]× + [v]×²) with v = (b, c, d) (Euler–Rodrigues): a rotation about v by an angle θ
    with tan θ/2 = |v| / a. Every rational rotation is of this form. Raises ValueError for the zero quaternion
    and for anything but integers.
    """
    named = zip("abcd", (a, b, c, d), strict=True)
    a, b, c, d = (arguments.integer(name, value, "an integer") for name, value in named)
    norm = a * a + b * b + c * c + d * d
    if norm == 0:
        raise ValueError("a, b, c, d: got the zero quaternion; at least one of them must be nonzero")
    numerators = (
        (a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)),
        (2 * (b * c + a * d), a * a - b * b + c * c - d * d, 2 * (c * d - a * b)),
        (2 * (b * d - a * c), 2 * (c * d + a * b), a * a - b * b - c * c + d * d),
    )
    return tuple(tuple(Fraction(entry, norm) for entry in row) for row in numerators)


def wigner_d(l: int, rotation: Sequence[Sequence[Fraction | int]]) -> SurdMatrix:
    """D^l(R) exactly, rows and columns in the order m = −l…l, for a rational orthogonal 3×3 matrix R.

    Every entry is a single surd. R acts on (x, y, z) and may have determinant −1. Raises ValueError unless
    0 ≤ l ≤ MAX_DEGREE and R is 3×3, of ints and Fractions, with R Rᵀ = 1 exactly.
    """
    return _wigner_d(arguments.degree("l", l), _orthogonal(rotation))


def wigner_d_numeric(l: int, rotation: ArrayLike) -> NDArray[np.float64]:
    """D^l(R) in float64, of shape (..., 2l+1, 2l+1), for an array of rotations of shape (..., 3, 3).

    Conventions as for `wigner_d`. Raises ValueError unless 0 ≤ l ≤ MAX_DEGREE, the shape fits, and every
    R Rᵀ is within `ORTHOGONALITY_TOLERANCE` of 1.
    """
    l = arguments.degree("l", l)
    array = _orthogonal_array(rotation)
    result = np.ones((*array.shape[:-2], 1, 1))
    for degree in range(1, l + 1):
        size = 3 * (2 * degree - 1)
        product = array[..., :, None, :, None] * result[..., None, :, None, :]
        table = _stretched_array(degree)
        result = table.T @ product.reshape(*array.shape[:-2], size, size) @ table
    return result


@lru_cache(maxsize=256)
def _wigner_d(l: int, rotation: RationalMatrix) -> SurdMatrix:
    if l == 0:
        return ((Surd(1, 1),),)
    below = _wigner_d(l - 1, rotation)
    rows = _stretched(l)
    return tuple(tuple(_contracted(row, rotation, below, column) for column in rows) for row in rows)


def _contracted(row: Stretched, rotation: RationalMatrix, below: SurdMatrix, column: Stretched) -> Surd:
    """Σ left_{a i} R_ab D^{l−1}_ij right_{b j}; its terms are rational multiples of one another."""
    total = SurdSum()
    for a, i, left in row:
        for b, j, right in column:
            if rotation[a][b] and below[i][j]:
                total += left * right * below[i][j] * rotation[a][b]
    return total.as_surd()


@cache
def _stretched(l: int) -> tuple[Stretched, ...]:
    """C(1, l−1, l) by output component, m = −l…l."""
    table = clebsch_gordan(1, l - 1, l)
    return tuple(
        tuple((c.m_filter + 1, c.m_input + l - 1, c.value) for c in table if c.m_output == m)
        for m in range(-l, l + 1)
    )


@cache
def _stretched_array(l: int) -> NDArray[np.float64]:
    """C(1, l−1, l) as a matrix of shape (3 (2l−1), 2l+1) with orthonormal columns."""
    table = np.zeros((3, 2 * l - 1, 2 * l + 1))
    for column, row in enumerate(_stretched(l)):
        for axis, index, value in row:
            table[axis, index, column] = float(value)
    table.flags.writeable = False
    return table.reshape(-1, 2 * l + 1)


def _orthogonal(rotation: Any) -> RationalMatrix:
    try:
        rows = tuple(tuple(row) for row in rotation)
    except TypeError:
        rows = ()
    if len(rows) != 3 or any(len(row) != 3 for row in rows):
        raise ValueError(f"rotation: got {rotation!r}; it must be a 3×3 matrix of ints and Fractions")
    for entry in (entry for row in rows for entry in row):
        if isinstance(entry, bool) or not isinstance(entry, Rational):
            raise ValueError(f"rotation: got the entry {entry!r}; every entry must be an int or a Fraction")
    exact = tuple(tuple(Fraction(int(e.numerator), int(e.denominator)) for e in row) for row in rows)
    for i in range(3):
        for j in range(3):
            product = sum(exact[i][k] * exact[j][k] for k in range(3))
            if product != (i == j):
                raise ValueError(f"rotation: rows {i} and {j} have product {product}; R Rᵀ must be exactly 1")
    return exact


def _orthogonal_array(rotation: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(rotation, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"rotation: got {rotation!r}; it must be an array of real numbers") from None
    if array.shape[-2:] != (3, 3):
        raise ValueError(f"rotation: got shape {array.shape}; it must be (..., 3, 3)")
    error = np.abs(array @ array.swapaxes(-1, -2) - np.eye(3)).max(initial=0.0)
    if not error <= ORTHOGONALITY_TOLERANCE:
        raise ValueError(
            f"rotation: R Rᵀ is {error:.2g} away from 1; it must be within {ORTHOGONALITY_TOLERANCE}"
        )
    return array
