"""Real spherical harmonics as polynomials: definition, factorised form, gradients.

Conventions (e3nn's): y is the polar axis and z + ix = r sinθ e^{iφ}; orders run m = −l…l, cosines for m ≥ 0
and sines for m < 0, without the Condon–Shortley phase, so that degree 1 is a positive multiple of (x, y, z).
On the unit sphere, with P_l the Legendre polynomial and P_l^{(m)} its m-th derivative,

    Y_lm = N_l √((2 − δ_m0) (l−|m|)! / (l+|m|)!) · P_l^{(|m|)}(y) · { Re (z+ix)^m,     m ≥ 0
                                                                    { Im (z+ix)^|m|,   m < 0

Off the sphere this is continued as a homogeneous polynomial of degree l (a solid harmonic). N_l is the
normalisation:

    component   √(2l+1)        ‖Y_l‖² = 2l+1, every component has mean square 1 over the sphere
    norm        1              ‖Y_l‖² = 1
    integral    √((2l+1)/4π)   orthonormal under the integral over the sphere

Source: Varshalovich, Moskalev, Khersonskii, Quantum Theory of Angular Momentum (1988), ch. 5, with axes
renamed and the phase (−1)^m taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb, factorial, gcd, perm

from tfngen.irreps import MAX_DEGREE
from tfngen.symbolic import arguments
from tfngen.symbolic.polynomial import ZERO, Polynomial, X, Y, Z
from tfngen.symbolic.surd import Surd

NORMALIZATIONS = ("component", "norm", "integral")
"""The normalisations known, the default first."""

PI_EXPONENT = {"component": 0, "norm": 0, "integral": -1}
"""The power e of √π left out of the exact tables: the true harmonic is the tabulated one times π^(e/2)."""


@dataclass(frozen=True, slots=True)
class GradientEntry:
    """One nonzero coefficient G: ∂Y_{l, m_in} / ∂r_axis contains value · Y_{l−1, m_out}."""

    axis: int
    m_out: int
    m_in: int
    value: Surd


def harmonic(l: int, m: int, normalization: str = "component") -> Polynomial:
    """The solid harmonic r^l Y_lm(r̂) as a homogeneous polynomial of degree l, without √π (`PI_EXPONENT`).

    Raises ValueError unless 0 ≤ l ≤ MAX_DEGREE, |m| ≤ l and `normalization` is one of `NORMALIZATIONS`.
    """
    l = arguments.degree("l", l)
    m = arguments.order("m", m, l)
    return _harmonic(l, m, arguments.choice("normalization", normalization, NORMALIZATIONS))


def harmonics(l: int, normalization: str = "component") -> tuple[Polynomial, ...]:
    """The 2l+1 solid harmonics of degree l in the order m = −l…l."""
    l = arguments.degree("l", l)
    return tuple(harmonic(l, m, normalization) for m in range(-l, l + 1))


def scale(l: int, m: int, normalization: str = "component") -> Surd:
    """The factor in front of the factorised form: Y_lm = scale · Q_l^|m|(y) · A_m(z, x) on the unit sphere.

    Q is `polar_factor`, A `azimuthal_factor`. Arguments and errors as for `harmonic`.
    """
    l = arguments.degree("l", l)
    m = arguments.order("m", m, l)
    normalization = arguments.choice("normalization", normalization, NORMALIZATIONS)
    content, _ = _legendre_derivative(l, abs(m))
    squared = Fraction((2 if m else 1) * factorial(l - abs(m)), factorial(l + abs(m)))
    return Surd.sqrt(squared * _squared_norm(l, normalization)) * content


def polar_factor(l: int, m: int) -> tuple[Fraction, ...]:
    """Q_l^|m|: coefficients of y⁰, y¹, …, y^(l−|m|), proportional to the |m|-th derivative of P_l.

    Scaled to coprime integers with a positive leading one; every other coefficient is 0. Its homogeneous
    version multiplies y^k by r^(l−|m|−k). Errors as for `harmonic`.
    """
    l = arguments.degree("l", l)
    _, coefficients = _legendre_derivative(l, abs(arguments.order("m", m, l)))
    return tuple(map(Fraction, coefficients))


def azimuthal_factor(m: int) -> Polynomial:
    """A_m: Re (z+ix)^m for m ≥ 0, Im (z+ix)^|m| for m < 0; on a circle around y, cos mφ or sin |m|φ."""
    n = abs(arguments.order("m", m, MAX_DEGREE))
    powers_of_x = range(0, n + 1, 2) if m >= 0 else range(1, n + 1, 2)
    return Polynomial.from_terms({(k, 0, n - k): (-1) ** (k // 2) * comb(n, k) for k in powers_of_x})


def gradient(l: int, normalization: str = "component") -> tuple[GradientEntry, ...]:
    """The nonzero G in ∂Y_{l, m_in}/∂r_axis = Σ_{m_out} G · Y_{l−1, m_out}, sorted by (axis, m_out, m_in).

    The derivative of a solid harmonic is a solid harmonic of one degree less, so its coefficients are its
    Fischer products with those. Both sides carry the same normalisation; √π cancels. Empty for l = 0.
    Arguments and errors as for `harmonics`.
    """
    l = arguments.degree("l", l)
    return _gradient(l, arguments.choice("normalization", normalization, NORMALIZATIONS))


@cache
def _harmonic(l: int, m: int, normalization: str) -> Polynomial:
    radius_squared = X * X + Y * Y + Z * Z
    polar = ZERO
    for power, coefficient in enumerate(polar_factor(l, m)):
        if coefficient:
            polar += Y**power * radius_squared ** ((l - abs(m) - power) // 2) * coefficient
    return polar * azimuthal_factor(m) * scale(l, m, normalization)


@cache
def _gradient(l: int, normalization: str) -> tuple[GradientEntry, ...]:
    if l == 0:
        return ()
    below = [(m, basis, basis.fischer_product(basis)) for m, basis in _numbered(l - 1, normalization)]
    return tuple(
        GradientEntry(axis, m_out, m_in, overlap / norm)
        for axis in range(3)
        for m_out, basis, norm in below
        for m_in, polynomial in _numbered(l, normalization)
        if (overlap := basis.fischer_product(polynomial.derivative(axis)))
    )


def _squared_norm(l: int, normalization: str) -> Fraction:
    """N_l² as listed at the top of this file, without π."""
    if normalization == "norm":
        return Fraction(1)
    return Fraction(2 * l + 1, 4 if normalization == "integral" else 1)


def _numbered(l: int, normalization: str) -> zip[tuple[int, Polynomial]]:
    return zip(range(-l, l + 1), harmonics(l, normalization), strict=True)


@cache
def _legendre_derivative(l: int, n: int) -> tuple[Fraction, tuple[int, ...]]:
    """(content, coefficients) of dⁿP_l/dyⁿ = content · Σ_k coefficients[k] y^k, coefficients coprime.

    From P_l = 2^−l Σ_k (−1)^k C(l, k) C(2l−2k, l) y^(l−2k).
    """
    coefficients = [0] * (l - n + 1)
    for k in range((l - n) // 2 + 1):
        power = l - 2 * k
        coefficients[power - n] = (-1) ** k * comb(l, k) * comb(2 * (l - k), l) * perm(power, n)
    common = gcd(*coefficients)
    return Fraction(common, 2**l), tuple(c // common for c in coefficients)
