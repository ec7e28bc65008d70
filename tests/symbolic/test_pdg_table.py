"""The Clebsch–Gordan table of the Particle Data Group, entry by entry.

Source: Review of Particle Physics, "Clebsch–Gordan coefficients, spherical harmonics, and d functions".
As printed there, a square root is to be understood over every number, the minus sign staying outside:
−8/15 means −√(8/15). A row is m₁ m₂ | coefficients for J = j₁+j₂ downwards, as many as |m₁+m₂| ≤ J allows.
"""

from fractions import Fraction

import pytest
from sympy import Rational, S
from sympy.physics.quantum.cg import CG

from tfngen.symbolic.clebsch_gordan import complex_clebsch_gordan, complex_table

PRINTED = {
    ("1/2", "1/2"): """
        +1/2 +1/2 | 1
        +1/2 -1/2 | 1/2  1/2
        -1/2 +1/2 | 1/2 -1/2
        -1/2 -1/2 | 1
    """,
    ("1", "1/2"): """
        +1 +1/2 | 1
        +1 -1/2 | 1/3  2/3
         0 +1/2 | 2/3 -1/3
         0 -1/2 | 2/3  1/3
        -1 +1/2 | 1/3 -2/3
        -1 -1/2 | 1
    """,
    ("2", "1/2"): """
        +2 +1/2 | 1
        +2 -1/2 | 1/5  4/5
        +1 +1/2 | 4/5 -1/5
        +1 -1/2 | 2/5  3/5
         0 +1/2 | 3/5 -2/5
         0 -1/2 | 3/5  2/5
        -1 +1/2 | 2/5 -3/5
        -1 -1/2 | 4/5  1/5
        -2 +1/2 | 1/5 -4/5
        -2 -1/2 | 1
    """,
    ("3/2", "1/2"): """
        +3/2 +1/2 | 1
        +3/2 -1/2 | 1/4  3/4
        +1/2 +1/2 | 3/4 -1/4
        +1/2 -1/2 | 1/2  1/2
        -1/2 +1/2 | 1/2 -1/2
        -1/2 -1/2 | 3/4  1/4
        -3/2 +1/2 | 1/4 -3/4
        -3/2 -1/2 | 1
    """,
    ("1", "1"): """
        +1 +1 | 1
        +1  0 | 1/2  1/2
         0 +1 | 1/2 -1/2
        +1 -1 | 1/6  1/2  1/3
         0  0 | 2/3  0   -1/3
        -1 +1 | 1/6 -1/2  1/3
         0 -1 | 1/2  1/2
        -1  0 | 1/2 -1/2
        -1 -1 | 1
    """,
    ("3/2", "1"): """
        +3/2 +1 | 1
        +3/2  0 | 2/5   3/5
        +1/2 +1 | 3/5  -2/5
        +3/2 -1 | 1/10  2/5   1/2
        +1/2  0 | 3/5   1/15 -1/3
        -1/2 +1 | 3/10 -8/15  1/6
        +1/2 -1 | 3/10  8/15  1/6
        -1/2  0 | 3/5  -1/15 -1/3
        -3/2 +1 | 1/10 -2/5   1/2
        -1/2 -1 | 3/5   2/5
        -3/2  0 | 2/5  -3/5
        -3/2 -1 | 1
    """,
    ("2", "1"): """
        +2 +1 | 1
        +2  0 | 1/3   2/3
        +1 +1 | 2/3  -1/3
        +2 -1 | 1/15  1/3  3/5
        +1  0 | 8/15  1/6 -3/10
         0 +1 | 2/5  -1/2  1/10
        +1 -1 | 1/5   1/2  3/10
         0  0 | 3/5   0   -2/5
        -1 +1 | 1/5  -1/2  3/10
         0 -1 | 2/5   1/2  1/10
        -1  0 | 8/15 -1/6 -3/10
        -2 +1 | 1/15 -1/3  3/5
        -1 -1 | 2/3   1/3
        -2  0 | 1/3  -2/3
        -2 -1 | 1
    """,
    ("3/2", "3/2"): """
        +3/2 +3/2 | 1
        +3/2 +1/2 | 1/2   1/2
        +1/2 +3/2 | 1/2  -1/2
        +3/2 -1/2 | 1/5   1/2  3/10
        +1/2 +1/2 | 3/5   0   -2/5
        -1/2 +3/2 | 1/5  -1/2  3/10
        +3/2 -3/2 | 1/20  1/4  9/20  1/4
        +1/2 -1/2 | 9/20  1/4 -1/20 -1/4
        -1/2 +1/2 | 9/20 -1/4 -1/20  1/4
        -3/2 +3/2 | 1/20 -1/4  9/20 -1/4
        +1/2 -3/2 | 1/5   1/2  3/10
        -1/2 -1/2 | 3/5   0   -2/5
        -3/2 +1/2 | 1/5  -1/2  3/10
        -1/2 -3/2 | 1/2   1/2
        -3/2 -1/2 | 1/2  -1/2
        -3/2 -3/2 | 1
    """,
    ("2", "3/2"): """
        +2 +3/2 | 1
        +2 +1/2 | 3/7    4/7
        +1 +3/2 | 4/7   -3/7
        +2 -1/2 | 1/7   16/35  2/5
        +1 +1/2 | 4/7    1/35 -2/5
         0 +3/2 | 2/7  -18/35  1/5
        +2 -3/2 | 1/35   6/35  2/5  2/5
        +1 -1/2 | 12/35  5/14  0   -3/10
         0 +1/2 | 18/35 -3/35 -1/5  1/5
        -1 +3/2 | 4/35 -27/70  2/5 -1/10
        +1 -3/2 | 4/35  27/70  2/5  1/10
         0 -1/2 | 18/35  3/35 -1/5 -1/5
        -1 +1/2 | 12/35 -5/14  0    3/10
        -2 +3/2 | 1/35  -6/35  2/5 -2/5
         0 -3/2 | 2/7   18/35  1/5
        -1 -1/2 | 4/7   -1/35 -2/5
        -2 +1/2 | 1/7  -16/35  2/5
        -1 -3/2 | 4/7    3/7
        -2 -1/2 | 3/7   -4/7
        -2 -3/2 | 1
    """,
    ("2", "2"): """
        +2 +2 | 1
        +2 +1 | 1/2   1/2
        +1 +2 | 1/2  -1/2
        +2  0 | 3/14  1/2   2/7
        +1 +1 | 4/7   0    -3/7
         0 +2 | 3/14 -1/2   2/7
        +2 -1 | 1/14  3/10  3/7   1/5
        +1  0 | 3/7   1/5  -1/14 -3/10
         0 +1 | 3/7  -1/5  -1/14  3/10
        -1 +2 | 1/14 -3/10  3/7  -1/5
        +2 -2 | 1/70  1/10  2/7   2/5   1/5
        +1 -1 | 8/35  2/5   1/14 -1/10 -1/5
         0  0 | 18/35 0    -2/7   0     1/5
        -1 +1 | 8/35 -2/5   1/14  1/10 -1/5
        -2 +2 | 1/70 -1/10  2/7  -2/5   1/5
        +1 -2 | 1/14  3/10  3/7   1/5
         0 -1 | 3/7   1/5  -1/14 -3/10
        -1  0 | 3/7  -1/5  -1/14  3/10
        -2 +1 | 1/14 -3/10  3/7  -1/5
         0 -2 | 3/14  1/2   2/7
        -1 -1 | 4/7   0    -3/7
        -2  0 | 3/14 -1/2   2/7
        -1 -2 | 1/2   1/2
        -2 -1 | 1/2  -1/2
        -2 -2 | 1
    """,
}


def _entries(j1, j2):
    """(m₁, m₂, J, signed square) of every printed entry."""
    for line in PRINTED[j1, j2].strip().splitlines():
        orders, values = line.split("|")
        m1, m2 = map(Fraction, orders.split())
        for step, value in enumerate(values.split()):
            yield m1, m2, Fraction(j1) + Fraction(j2) - step, Fraction(value)


@pytest.mark.parametrize(("j1", "j2"), PRINTED)
def test_every_printed_entry(j1, j2):
    for m1, m2, j, value in _entries(j1, j2):
        ours = complex_clebsch_gordan(j1, m1, j2, m2, j, m1 + m2)
        assert ours.sign * ours.squared == value, (m1, m2, j)


@pytest.mark.parametrize(("j1", "j2"), PRINTED)
def test_nothing_but_the_printed_entries(j1, j2):
    printed = {(m1, m2, j) for m1, m2, j, value in _entries(j1, j2) if value}
    low, high = abs(Fraction(j1) - Fraction(j2)), Fraction(j1) + Fraction(j2)
    spins = [low + step for step in range(int(high - low) + 1)]
    assert {(c.m1, c.m2, j) for j in spins for c in complex_table(j1, j2, j)} == printed


@pytest.mark.parametrize(("j1", "j2"), PRINTED)
def test_sympy_agrees_with_the_printed_entries(j1, j2):
    """The table as typed here against an independent source, so that a misprint cannot pass for a proof."""
    for m1, m2, j, value in _entries(j1, j2):
        m1, m2, j, value = (Rational(*number.as_integer_ratio()) for number in (m1, m2, j, value))
        theirs = CG(S(j1), m1, S(j2), m2, j, m1 + m2).doit()
        assert theirs * abs(theirs) == value
