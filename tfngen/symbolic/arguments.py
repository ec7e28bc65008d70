"""What callers may pass: degrees, orders, half-integers, normalisations. Anything else is a ValueError.

Each check names the argument, what it got and what it wants, and returns the value as a plain number,
so that results cached under 1 are never handed out for ``True`` or ``1.0``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational
from typing import SupportsIndex

from tfngen.irreps import MAX_DEGREE


def integer(name: str, value: object, wanted: str) -> int:
    """`value` as an int; numpy's integers are welcome, bool, float and text are not."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise ValueError(f"{name}: got {value!r}; it must be {wanted}")
    return operator.index(value)


def degree(name: str, value: object, smallest: int = 0) -> int:
    """A degree l with smallest ≤ l ≤ MAX_DEGREE."""
    wanted = f"an integer from {smallest} to {MAX_DEGREE}"
    l = integer(name, value, wanted)
    if not smallest <= l <= MAX_DEGREE:
        raise ValueError(f"{name}: got {l}; it must be {wanted}")
    return l


def order(name: str, value: object, l: int) -> int:
    """An order m with −l ≤ m ≤ l."""
    wanted = f"an integer from {-l} to {l}"
    m = integer(name, value, wanted)
    if abs(m) > l:
        raise ValueError(f"{name}: got {m}; it must be {wanted}")
    return m


def twice_half_integer(name: str, value: object) -> int:
    """2·value for a half-integer written as int, Fraction, ``"3/2"`` or 1.5."""
    problem = f"{name}: got {value!r}; it must be a half-integer, such as 2, Fraction(3, 2), '3/2' or 1.5"
    if isinstance(value, bool) or not isinstance(value, Rational | str | float | SupportsIndex):
        raise ValueError(problem)
    try:
        twice = 2 * Fraction(value if isinstance(value, Rational | str | float) else operator.index(value))
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(problem) from None
    if twice.denominator != 1:
        raise ValueError(problem)
    return int(twice)


def twice_spin(name: str, value: object) -> int:
    """2j for an angular momentum 0 ≤ j ≤ MAX_DEGREE, whole or half."""
    twice = twice_half_integer(name, value)
    if not 0 <= twice <= 2 * MAX_DEGREE:
        raise ValueError(f"{name}: got {value!r}; it must be from 0 to {MAX_DEGREE}")
    return twice


def twice_projection(name: str, value: object, twice_j: int) -> int:
    """2m for a projection m of j: −j ≤ m ≤ j in whole steps."""
    twice = twice_half_integer(name, value)
    if abs(twice) > twice_j or (twice_j - twice) % 2:
        j = Fraction(twice_j, 2)
        raise ValueError(f"{name}: got {value!r}; it must be from {-j} to {j} in steps of 1")
    return twice


def choice(name: str, value: object, choices: Sequence[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: got {value!r}; it must be one of {', '.join(map(repr, choices))}")
    return value
