"""Clebsch–Gordan coefficients, exactly: complex ones for any spins, real ones for the harmonics used here.

Complex coefficients ⟨j₁ m₁ j₂ m₂ | j m⟩ follow Condon and Shortley, as the Particle Data Group prints them.

Real coefficients C couple real spherical harmonics (`tfngen.symbolic.harmonics`): if u and v transform as
degrees l_F and l_I, then Σ C u_{m_F} v_{m_I} transforms as degree l_O. They are unitary,

    Σ_{m_F, m_I} C^{l m}_{m_F m_I} C^{l' m'}_{m_F m_I} = δ_{ll'} δ_{mm'},

that is √(2l_O+1) times the symbol whose squares sum to 1 (e3nn's ``wigner_3j``). Rotations determine each
table up to a sign, which is fixed without reference to any basis:

    l_F + l_I + l_O even:   C is a positive multiple of ⟨Y_F Y_I Y_O⟩
    l_F + l_I + l_O odd:    C is a positive multiple of ⟨Y_O r·(∇Y_F × ∇Y_I)⟩

⟨ ⟩ being the mean over the sphere. So C(l, l, 0) is δ/√(2l+1) and C(1, 1, 1) is ε/√2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb

from tfngen.irreps import Path
from tfngen.symbolic import arguments
from tfngen.symbolic.surd import Surd

HalfInteger = int | Fraction | str | float
"""A half-integer as callers may write it: 2, Fraction(3, 2), "3/2" or 1.5."""


@dataclass(frozen=True, slots=True)
class Coupling:
    """One nonzero real coefficient C^{(l_O, m_O)}_{(l_F, m_F)(l_I, m_I)}."""

    m_filter: int
    m_input: int
    m_output: int
    value: Surd


@dataclass(frozen=True, slots=True)
class ComplexCoupling:
    """One nonzero complex coefficient ⟨j₁ m₁ j₂ m₂ | j m⟩."""

    m1: Fraction
    m2: Fraction
    m: Fraction
    value: Surd


def complex_clebsch_gordan(
    j1: HalfInteger, m1: HalfInteger, j2: HalfInteger, m2: HalfInteger, j: HalfInteger, m: HalfInteger
) -> Surd:
    """⟨j₁ m₁ j₂ m₂ | j m⟩ with Condon–Shortley phases; 0 where the selection rules forbid it.

    Spins are half-integers from 0 to MAX_DEGREE and |m| ≤ j in whole steps; ValueError otherwise.
    """
    twice_j1, twice_j2, twice_j = _spins(j1, j2, j)
    twice_m1 = arguments.twice_projection("m1", m1, twice_j1)
    twice_m2 = arguments.twice_projection("m2", m2, twice_j2)
    twice_m = arguments.twice_projection("m", m, twice_j)
    if not _triangle(twice_j1, twice_j2, twice_j) or twice_m1 + twice_m2 != twice_m:
        return Surd(0, 0)
    return _racah(twice_j1, twice_m1, twice_j2, twice_m2, twice_j)


def complex_table(j1: HalfInteger, j2: HalfInteger, j: HalfInteger) -> tuple[ComplexCoupling, ...]:
    """Every nonzero ⟨j₁ m₁ j₂ m₂ | j m⟩, sorted by (m₁, m₂).

    Raises ValueError unless the three are half-integers from 0 to MAX_DEGREE with |j₁−j₂| ≤ j ≤ j₁+j₂ in
    whole steps.
    """
    twice_j1, twice_j2, twice_j = _spins(j1, j2, j)
    if not _triangle(twice_j1, twice_j2, twice_j):
        low, high = Fraction(abs(twice_j1 - twice_j2), 2), Fraction(twice_j1 + twice_j2, 2)
        raise ValueError(f"j: got {Fraction(twice_j, 2)}; it must be from {low} to {high} in steps of 1")
    return tuple(
        ComplexCoupling(Fraction(m1, 2), Fraction(m2, 2), Fraction(m1 + m2, 2), value)
        for m1 in range(-twice_j1, twice_j1 + 1, 2)
        for m2 in range(-twice_j2, twice_j2 + 1, 2)
        if abs(m1 + m2) <= twice_j and (value := _racah(twice_j1, m1, twice_j2, m2, twice_j))
    )


def clebsch_gordan(l_filter: int, l_input: int, l_output: int) -> tuple[Coupling, ...]:
    """Every nonzero real coefficient of a path, sorted by (m_filter, m_input, m_output).

    Raises ValueError unless the degrees are integers from 0 to MAX_DEGREE and the path is allowed.
    """
    path = Path(
        arguments.degree("l_filter", l_filter),
        arguments.degree("l_input", l_input),
        arguments.degree("l_output", l_output),
    )
    if not path.allowed:
        low, high = abs(path.l_filter - path.l_input), path.l_filter + path.l_input
        raise ValueError(f"l_output: got {path.l_output} in path {path}; it must be from {low} to {high}")
    return _real_table(path)


@cache
def _real_table(path: Path) -> tuple[Coupling, ...]:
    return tuple(sorted(_real_entries(path), key=lambda c: (c.m_filter, c.m_input, c.m_output)))


def _real_entries(path: Path) -> Iterator[Coupling]:
    """The complex coefficients of a path, carried over to the basis of cosines and sines.

    With Y_μ the complex harmonics about the polar axis, the real one of order m is, for n = |m| > 0,

        cosine, m = n:    ((−1)^n Y_n + Y_−n) / √2          sine, m = −n:    ((−1)^n Y_n − Y_−n) / (i√2)

    Inserted on both sides of the coupling, (μ_F, μ_I) and (−μ_F, −μ_I) contribute complex conjugates, up to
    the sign (−1)^(l_F+l_I+l_O). So a real coefficient is a single complex one, over √2 if all three orders
    are nonzero; an even path has an even number of sines among its three factors, an odd path an odd one.
    """
    overall = _overall_sign(path)
    for mu_filter in range(path.l_filter + 1):
        for mu_input in range(-path.l_input if mu_filter else 0, path.l_input + 1):
            mu = (mu_filter, mu_input, mu_filter + mu_input)
            n_output = abs(mu_filter + mu_input)
            value = _whole_racah(path, mu_filter, mu_input) * overall if n_output <= path.l_output else None
            if not value:
                continue
            if all(mu):
                value *= Surd(1, 1, 2)
            for m_filter in _cosine_and_sine(mu_filter):
                for m_input in _cosine_and_sine(mu_input):
                    sine = ((m_filter < 0) + (m_input < 0) + (not path.even)) % 2
                    if n_output or not sine:
                        m = (m_filter, m_input, -n_output if sine else n_output)
                        yield Coupling(*m, value * _phase(m, mu, path.even))


def _cosine_and_sine(mu: int) -> tuple[int, ...]:
    """The real orders that contain the complex order μ."""
    return (-abs(mu), abs(mu)) if mu else (0,)


def _phase(m: tuple[int, int, int], mu: tuple[int, int, int], even: bool) -> int:
    """The product of the phases with which e^{iμφ} enters the real harmonics of orders m, output conjugated.

    Powers of i come from sines, i for filter and input and −i for output; an odd path has one i to spare,
    which is dropped: its sign is part of `_overall_sign`.
    """
    sines = [order < 0 for order in m]
    power_of_i = sines[0] + sines[1] - sines[2] - (not even)  # 0 or ±2
    sign = -1 if power_of_i else 1
    for sine, order in zip(sines, mu, strict=True):
        if (order < 0 and sine) or (order > 0 and order % 2):
            sign = -sign
    return sign


def _overall_sign(path: Path) -> int:
    """The sign that makes a table agree with the rule at the top of this file.

    ⟨Y_F Y_I Y_O⟩ is proportional to ⟨l_F 0 l_I 0 | l_O 0⟩, and ⟨Y_O r·(∇Y_F × ∇Y_I)⟩, where two gradients are
    harmonics of spin weight ±1, to ⟨l_F 1 l_I −1 | l_O 0⟩; neither ever vanishes on the paths it serves.
    """
    weight = 0 if path.even else 1
    return _whole_racah(path, weight, -weight).sign


def _racah(twice_j1: int, twice_m1: int, twice_j2: int, twice_m2: int, twice_j: int) -> Surd:
    """⟨j₁ m₁ j₂ m₂ | j m₁+m₂⟩, all arguments doubled and within the selection rules.

    Racah's formula (Phys. Rev. 62 (1942) 438, eq. 16), its factorials gathered into binomials so that the
    sum is one over integers.
    """
    j_sum = (twice_j1 + twice_j2 + twice_j) // 2
    a, b, c = j_sum - twice_j, j_sum - twice_j2, j_sum - twice_j1  # j₁+j₂−j, j₁−j₂+j, j₂−j₁+j
    down_1, up_2 = (twice_j1 - twice_m1) // 2, (twice_j2 + twice_m2) // 2  # j₁−m₁, j₂+m₂
    terms = range(max(0, down_1 - b, up_2 - c), min(a, down_1, up_2) + 1)
    total = sum((-1) ** k * comb(a, k) * comb(b, down_1 - k) * comb(c, up_2 - k) for k in terms)
    below = comb(j_sum + 1, a) * comb(twice_j1, down_1) * comb(twice_j2, up_2)
    below *= comb(twice_j, (twice_j - twice_m1 - twice_m2) // 2)
    return Surd((total > 0) - (total < 0), total**2 * comb(twice_j1, a) * comb(twice_j2, a), below)


def _whole_racah(path: Path, mu_filter: int, mu_input: int) -> Surd:
    """⟨l_F μ_F l_I μ_I | l_O μ_F+μ_I⟩."""
    l_filter, l_input, l_output = path
    return _racah(2 * l_filter, 2 * mu_filter, 2 * l_input, 2 * mu_input, 2 * l_output)


def _spins(j1: HalfInteger, j2: HalfInteger, j: HalfInteger) -> tuple[int, int, int]:
    """The three spins, doubled."""
    return arguments.twice_spin("j1", j1), arguments.twice_spin("j2", j2), arguments.twice_spin("j", j)


def _triangle(twice_j1: int, twice_j2: int, twice_j: int) -> bool:
    in_range = abs(twice_j1 - twice_j2) <= twice_j <= twice_j1 + twice_j2
    return in_range and (twice_j1 + twice_j2 + twice_j) % 2 == 0
