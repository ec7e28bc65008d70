"""The numbers of the whole pipeline: signed square roots of rationals, and sums of them.

A `Surd` is ±√(p/q). Every coefficient tfngen derives is one, so a table is three columns of integers.
A `SurdSum` is an element of the ring ℚ[√2, √3, √5, …]; adding and multiplying Surds never leaves it, which
makes it the number type of an oracle: whether two ways of computing agree is an equality, not a tolerance.

Numbers compare by value across types: ``Surd(1, 4, 1) == 2 == SurdSum({1: 2})``. Both convert to the
nearest float. Only the standard library is imported (SymPy inside `to_sympy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, total_ordering
from math import gcd, isqrt, lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sympy


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Surd:
    """sign · √(numerator / denominator), in lowest terms; zero is (0, 0, 1).

    `sign` is −1, 0 or 1, `numerator` ≥ 0, `denominator` > 0; other integers raise ValueError. Products and
    quotients of Surds (and of Surds with int or Fraction) are Surds; for sums there is `SurdSum`.
    """

    sign: int
    numerator: int
    denominator: int = 1

    def __post_init__(self) -> None:
        sign, numerator, denominator = self.sign, self.numerator, self.denominator
        if not (isinstance(sign, int) and isinstance(numerator, int) and isinstance(denominator, int)):
            raise ValueError(f"Surd: got {sign!r}, {numerator!r}, {denominator!r}; all must be integers")
        if sign not in (-1, 0, 1):
            raise ValueError(f"Surd: sign is {sign}; it must be -1, 0 or 1")
        if numerator < 0 or denominator <= 0:
            raise ValueError(f"Surd: got the root of {numerator}/{denominator}; it must be of a number ≥ 0")
        common = gcd(numerator, denominator) if sign and numerator else 0
        reduced = (sign, numerator // common, denominator // common) if common else (0, 0, 1)
        if reduced != self._key():
            for name, value in zip(self.__slots__, reduced, strict=True):
                object.__setattr__(self, name, value)

    @classmethod
    def from_rational(cls, value: Fraction | int) -> Surd:
        """The rational number `value`."""
        value = _rational("value", value)
        return cls((value > 0) - (value < 0), value.numerator**2, value.denominator**2)

    @classmethod
    def sqrt(cls, value: Fraction | int) -> Surd:
        """√value for a rational `value` ≥ 0; ValueError when it is negative."""
        value = _rational("value", value)
        return cls(1, value.numerator, value.denominator)

    @property
    def squared(self) -> Fraction:
        """The square, a rational."""
        return Fraction(self.numerator, self.denominator)

    @property
    def is_rational(self) -> bool:
        return _is_square(self.numerator) and _is_square(self.denominator)

    def as_rational(self) -> Fraction:
        """The value as a Fraction; ValueError when it is irrational."""
        if not self.is_rational:
            raise ValueError(f"Surd: {self} is irrational; only a rational one becomes a Fraction")
        return self.sign * Fraction(isqrt(self.numerator), isqrt(self.denominator))

    def __mul__(self, other: Surd | Fraction | int) -> Surd:
        factor = _surd(other)
        if factor is None:
            return NotImplemented
        return Surd(
            self.sign * factor.sign,
            self.numerator * factor.numerator,
            self.denominator * factor.denominator,
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Surd | Fraction | int) -> Surd:
        divisor = _surd(other)
        return NotImplemented if divisor is None else self * divisor.inverse()

    def __rtruediv__(self, other: Fraction | int) -> Surd:
        return self.inverse() * other

    def inverse(self) -> Surd:
        """1 / self; ZeroDivisionError for zero."""
        if not self.sign:
            raise ZeroDivisionError("Surd: division by zero")
        return Surd(self.sign, self.denominator, self.numerator)

    def __neg__(self) -> Surd:
        return _reduced(-self.sign, self.numerator, self.denominator)

    def __abs__(self) -> Surd:
        return self if self.sign >= 0 else _reduced(1, self.numerator, self.denominator)

    def __bool__(self) -> bool:
        return self.sign != 0

    def __eq__(self, other: object) -> bool:
        value = other if type(other) is Surd else _surd(other)
        if value is None:
            return NotImplemented
        return (
            self.numerator == value.numerator
            and self.denominator == value.denominator
            and self.sign == value.sign
        )

    def __lt__(self, other: Surd | Fraction | int) -> bool:
        value = _surd(other)
        return NotImplemented if value is None else self.sign * self.squared < value.sign * value.squared

    def __hash__(self) -> int:
        return _hash(self.sign, self.numerator, self.denominator)

    def _key(self) -> tuple[int, int, int]:
        return self.sign, self.numerator, self.denominator

    def __float__(self) -> float:
        """The float64 nearest to the exact value.

        isqrt yields the root's leading 64 bits or more; a lowest bit of 1 then stands for everything cut
        off (rounding to odd), so that the one rounding to 53 bits, in int / int, decides correctly.
        """
        bits = max(0, 64 - (self.numerator.bit_length() - self.denominator.bit_length()) // 2)
        scaled, remainder = divmod(self.numerator << 2 * bits, self.denominator)
        root = isqrt(scaled)
        root |= bool(remainder) or root * root != scaled
        return self.sign * (root / (1 << bits))

    def __str__(self) -> str:
        if self.is_rational:
            return str(self.as_rational())
        minus = "-" if self.sign < 0 else ""
        return f"{minus}√{self.numerator}" if self.denominator == 1 else f"{minus}√({self.squared})"

    def latex(self) -> str:
        r"""LaTeX for a formula: ``-\sqrt{\frac{3}{10}}``, ``\frac{1}{2}``, ``2``."""
        minus = "-" if self.sign < 0 else ""
        if self.is_rational:
            return minus + _fraction_latex(abs(self.as_rational()))
        return rf"{minus}\sqrt{{{_fraction_latex(self.squared)}}}"

    def to_sympy(self) -> sympy.Expr:
        """The same number in SymPy."""
        import sympy

        return self.sign * sympy.sqrt(sympy.Rational(self.numerator, self.denominator))


class SurdSum:
    """Σ c_d √d over square-free integers d ≥ 1 with rational c_d: an element of ℚ[√2, √3, √5, …].

    Built from a mapping {d: c_d} of integers d ≥ 0 (squares are taken out of them; others raise ValueError).
    Immutable; +, − and · take int, Fraction and Surd on either side, / divides by them. Square roots of
    distinct square-free integers are linearly independent over ℚ, so equality is equality of coefficients.
    """

    __slots__ = ("_denominator", "_numerators")
    # The value is Σ _numerators[d] √d / _denominator, in lowest terms and without zeros; for speed, all ints.
    _numerators: dict[int, int]
    _denominator: int

    def __init__(self, coefficients: Mapping[int, Fraction | int] | None = None) -> None:
        given = {d: _rational("coefficient", c) for d, c in (coefficients or {}).items()}
        denominator = lcm(*(c.denominator for c in given.values()))
        numerators: dict[int, int] = {}
        for radicand, coefficient in given.items():
            if not isinstance(radicand, int) or radicand < 0:
                raise ValueError(f"SurdSum: radicand is {radicand!r}; it must be an integer ≥ 0")
            root, free = square_free(radicand)
            numerators[free] = numerators.get(free, 0) + root * int(coefficient * denominator)
        self._reduce(numerators, denominator)

    def _reduce(self, numerators: dict[int, int], denominator: int) -> None:
        """Take these values, all at square-free radicands, in lowest terms."""
        numerators = {radicand: n for radicand, n in numerators.items() if n}
        common = gcd(denominator, *numerators.values())
        if common > 1:
            numerators = {radicand: n // common for radicand, n in numerators.items()}
        self._numerators, self._denominator = numerators, denominator // common

    @classmethod
    def _of(cls, numerators: dict[int, int], denominator: int) -> SurdSum:
        total = cls.__new__(cls)
        total._reduce(numerators, denominator)
        return total

    @classmethod
    def from_surd(cls, value: Surd) -> SurdSum:
        """The sum whose only term is `value`."""
        radicand, numerator, denominator = _simplified(value.numerator, value.denominator)
        return cls._of({radicand: value.sign * numerator}, denominator)

    @property
    def terms(self) -> tuple[tuple[int, Fraction], ...]:
        """(radicand, coefficient) of every nonzero term, radicands ascending."""
        return tuple((d, Fraction(n, self._denominator)) for d, n in sorted(self._numerators.items()))

    def as_surd(self) -> Surd:
        """The value as a single Surd; ValueError when it has more than one term."""
        if len(self._numerators) > 1:
            raise ValueError(f"SurdSum: {self} is not a single surd; it must have at most one term")
        for radicand, n in self._numerators.items():
            return Surd((n > 0) - (n < 0), radicand * n**2, self._denominator**2)
        return Surd(0, 0, 1)

    def __add__(self, other: SurdSum | Surd | Fraction | int) -> SurdSum:
        addend = _surd_sum(other)
        if addend is None:
            return NotImplemented
        denominator = lcm(self._denominator, addend._denominator)
        mine, its = denominator // self._denominator, denominator // addend._denominator
        total = {radicand: mine * n for radicand, n in self._numerators.items()}
        for radicand, n in addend._numerators.items():
            total[radicand] = total.get(radicand, 0) + its * n
        return SurdSum._of(total, denominator)

    __radd__ = __add__

    def __mul__(self, other: SurdSum | Surd | Fraction | int) -> SurdSum:
        factor = _surd_sum(other)
        if factor is None:
            return NotImplemented
        total: dict[int, int] = {}
        for a, n in self._numerators.items():
            for b, k in factor._numerators.items():
                common = gcd(a, b)  # √a √b = common · √(ab / common²), and that is square-free again
                radicand = a * b // common**2
                total[radicand] = total.get(radicand, 0) + n * k * common
        return SurdSum._of(total, self._denominator * factor._denominator)

    __rmul__ = __mul__

    def __truediv__(self, other: Surd | Fraction | int) -> SurdSum:
        divisor = _surd(other)
        return NotImplemented if divisor is None else self * divisor.inverse()

    def __neg__(self) -> SurdSum:
        return SurdSum._of({radicand: -n for radicand, n in self._numerators.items()}, self._denominator)

    def __sub__(self, other: SurdSum | Surd | Fraction | int) -> SurdSum:
        subtrahend = _surd_sum(other)
        return NotImplemented if subtrahend is None else self + -subtrahend

    def __rsub__(self, other: Surd | Fraction | int) -> SurdSum:
        return -self + other

    def __bool__(self) -> bool:
        return bool(self._numerators)

    def __eq__(self, other: object) -> bool:
        value = _surd_sum(other)
        if value is None:
            return NotImplemented
        return self._numerators == value._numerators and self._denominator == value._denominator

    def __hash__(self) -> int:
        return hash(self.terms) if len(self._numerators) > 1 else hash(self.as_surd())

    def __float__(self) -> float:
        """The float64 nearest to the exact value.

        Integer bounds on the sum are tightened until both round to the same float (Ziv's strategy). They
        must meet: an irrational number never lies half-way between two floats.
        """
        if len(self._numerators) <= 1:
            return float(self.as_surd())
        bits = 64
        while True:
            floors = (
                isqrt(n**2 * radicand << 2 * bits) if n > 0 else -isqrt(n**2 * radicand << 2 * bits) - 1
                for radicand, n in self._numerators.items()
            )
            low, denominator = sum(floors), self._denominator << bits
            nearest = low / denominator
            if nearest == (low + len(self._numerators)) / denominator:
                return nearest
            bits *= 2

    def __str__(self) -> str:
        def written(radicand: int, coefficient: Fraction) -> str:
            if radicand == 1:
                return str(coefficient)
            return f"√{radicand}" if coefficient == 1 else f"{coefficient}·√{radicand}"

        text = " + ".join(written(*term) for term in self.terms)
        return text.replace("+ -", "- ") or "0"

    def __repr__(self) -> str:
        return f"SurdSum({dict(self.terms)!r})"

    def to_sympy(self) -> sympy.Expr:
        """The same number in SymPy."""
        import sympy

        roots = (Surd.sqrt(radicand) * coefficient for radicand, coefficient in self.terms)
        return sympy.Add(*(root.to_sympy() for root in roots))


@cache
def _reduced(sign: int, numerator: int, denominator: int) -> Surd:
    """A Surd from integers known to be in lowest terms."""
    surd = object.__new__(Surd)
    object.__setattr__(surd, "sign", sign)
    object.__setattr__(surd, "numerator", numerator)
    object.__setattr__(surd, "denominator", denominator)
    return surd


@cache
def _hash(sign: int, numerator: int, denominator: int) -> int:
    """The hash of a Surd: that of the rational number it equals, where it equals one."""
    if _is_square(numerator) and _is_square(denominator):
        return hash(Fraction(sign * isqrt(numerator), isqrt(denominator)))
    return hash((sign, numerator, denominator))


def square_free(n: int) -> tuple[int, int]:
    """(root, free) with n = root² · free and free square-free; (0, 1) for n = 0.

    Trial division stops at the cube root of what is left, which is then a square or has no square factor.
    """
    if n == 0:
        return 0, 1
    root, free, prime = 1, 1, 2
    while prime**3 <= n and not _is_square(n):
        power = 0
        while n % prime == 0:
            n, power = n // prime, power + 1
        root *= prime ** (power // 2)
        free *= prime ** (power % 2)
        prime += 1 + prime % 2
    return (root * isqrt(n), free) if _is_square(n) else (root, free * n)


@cache
def _simplified(numerator: int, denominator: int) -> tuple[int, int, int]:
    """(d, n, k) with √(numerator / denominator) = n √d / k and d square-free, for coprime arguments."""
    root_above, free_above = square_free(numerator)
    root_below, free_below = square_free(denominator)
    return free_above * free_below, root_above, root_below * free_below


def _surd_sum(value: object) -> SurdSum | None:
    if isinstance(value, SurdSum):
        return value
    if isinstance(value, Surd):
        return SurdSum.from_surd(value)
    if isinstance(value, Fraction | int):
        return SurdSum._of({1: value.numerator}, value.denominator)
    return None


def _surd(value: object) -> Surd | None:
    if isinstance(value, Surd):
        return value
    return Surd.from_rational(value) if isinstance(value, Fraction | int) else None


def _rational(name: str, value: object) -> Fraction:
    if not isinstance(value, Fraction | int):
        raise ValueError(f"{name}: got {value!r}; it must be an int or a Fraction")
    return Fraction(value)


def _is_square(n: int) -> bool:
    return isqrt(n) ** 2 == n


def _fraction_latex(value: Fraction) -> str:
    """LaTeX of a rational ≥ 0."""
    if value.denominator == 1:
        return str(value.numerator)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
