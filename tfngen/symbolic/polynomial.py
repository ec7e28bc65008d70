"""Polynomials in x, y, z with coefficients in √q·ℚ, one q for each polynomial.

Real spherical harmonics, their products and derivatives are all of this kind, which keeps the arithmetic
on plain integers. Integrals over the unit sphere are exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import factorial, gcd, lcm, prod
from typing import TYPE_CHECKING

from tfngen.symbolic.surd import Surd

if TYPE_CHECKING:
    import sympy

Exponents = tuple[int, int, int]
"""(i, j, k) of the monomial x^i y^j z^k."""

Rational = Fraction | int

_ONE, _ZERO = Surd(1, 1, 1), Surd(0, 0, 1)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """content · primitive: a positive Surd times a polynomial with coprime integer coefficients.

    Always brought to this one form (`primitive` sorted by exponents, without zeros; the zero polynomial is
    (0, ())), so that equality is equality of functions. Products always exist; sums only where the ratio of
    the contents is rational (ValueError otherwise).
    """

    content: Surd
    primitive: tuple[tuple[Exponents, int], ...]

    def __post_init__(self) -> None:
        terms = sorted((exponents, c) for exponents, c in self.primitive if c) if self.content else []
        divisor = gcd(*(c for _, c in terms))
        if divisor > 1 or self.content < 0:
            signed = divisor * self.content.sign
            terms = [(exponents, c // signed) for exponents, c in terms]
        object.__setattr__(self, "content", abs(self.content) * divisor)
        object.__setattr__(self, "primitive", tuple(terms))

    @classmethod
    def from_terms(cls, terms: Mapping[Exponents, Rational], content: Surd = _ONE) -> Polynomial:
        """content · Σ terms[i, j, k] x^i y^j z^k."""
        denominator = lcm(*(Fraction(c).denominator for c in terms.values()))
        return cls(content / denominator, tuple((e, int(c * denominator)) for e, c in terms.items()))

    @classmethod
    def linear(cls, coefficients: Sequence[Rational]) -> Polynomial:
        """The linear form c₀ x + c₁ y + c₂ z."""
        return cls.from_terms(dict(zip(((1, 0, 0), (0, 1, 0), (0, 0, 1)), coefficients, strict=True)))

    @property
    def terms(self) -> tuple[tuple[Exponents, Surd], ...]:
        """(exponents, coefficient) of every nonzero term, sorted by exponents."""
        return tuple((exponents, self.content * c) for exponents, c in self.primitive)

    @property
    def degree(self) -> int:
        """The largest i + j + k; −1 for the zero polynomial."""
        return max((sum(exponents) for exponents, _ in self.primitive), default=-1)

    def __bool__(self) -> bool:
        return bool(self.primitive)

    def __neg__(self) -> Polynomial:
        return Polynomial(-self.content, self.primitive)

    def __add__(self, other: Polynomial) -> Polynomial:
        if not self or not other:
            return self or other
        ratio = other.content / self.content
        if not ratio.is_rational:
            raise ValueError(
                f"Polynomial: cannot add multiples of {self.content} and of {other.content}; "
                "their ratio must be rational"
            )
        above, below = ratio.as_rational().as_integer_ratio()
        total = {exponents: below * c for exponents, c in self.primitive}
        for exponents, c in other.primitive:
            total[exponents] = total.get(exponents, 0) + above * c
        return Polynomial(self.content / below, tuple(total.items()))

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def __mul__(self, other: Polynomial | Surd | Rational) -> Polynomial:
        if not isinstance(other, Polynomial):
            return Polynomial(self.content * other, self.primitive)
        product: dict[Exponents, int] = defaultdict(int)
        for (i, j, k), a in self.primitive:
            for (p, q, r), b in other.primitive:
                product[i + p, j + q, k + r] += a * b
        return Polynomial(self.content * other.content, tuple(product.items()))

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Polynomial:
        if exponent < 0:
            raise ValueError(f"exponent: got {exponent}; it must be ≥ 0")
        return prod((self for _ in range(exponent)), start=ONE)

    def __call__(self, x: Rational, y: Rational, z: Rational) -> Surd:
        """The value at a rational point."""
        return self.content * Fraction(sum(c * x**i * y**j * z**k for (i, j, k), c in self.primitive))

    def derivative(self, axis: int) -> Polynomial:
        """∂/∂x, ∂/∂y or ∂/∂z for axis 0, 1 or 2; ValueError for any other."""
        if axis not in (0, 1, 2):
            raise ValueError(f"axis: got {axis!r}; it must be 0, 1 or 2")
        lowered = tuple(
            ((i - (axis == 0), j - (axis == 1), k - (axis == 2)), c * (i, j, k)[axis])
            for (i, j, k), c in self.primitive
        )
        return Polynomial(self.content, lowered)

    def laplacian(self) -> Polynomial:
        """∂²/∂x² + ∂²/∂y² + ∂²/∂z²."""
        return add(self.derivative(axis).derivative(axis) for axis in range(3))

    def substitute(self, matrix: Sequence[Sequence[Rational]]) -> Polynomial:
        """p(M r) as a polynomial in r = (x, y, z), for a 3×3 matrix M of rationals."""
        powers: list[list[Polynomial]] = []
        for row in matrix:
            form, chain = Polynomial.linear(row), [ONE]
            for _ in range(self.degree):
                chain.append(chain[-1] * form)
            powers.append(chain)
        images = (powers[0][i] * powers[1][j] * powers[2][k] * c for (i, j, k), c in self.primitive)
        return add(images) * self.content

    def sphere_average(self) -> Surd:
        """⟨p⟩, the mean over the unit sphere."""
        return self.content * sum(c * monomial_average(exponents) for exponents, c in self.primitive)

    def fischer_product(self, other: Polynomial) -> Surd:
        """p(∂) q at the origin: Σ i! j! k! p_ijk q_ijk.

        Rotation invariant, and (2l+1)!! ⟨p q⟩ for harmonic p, q of degree l, at the cost of one pass.
        """
        mine = dict(self.primitive)
        common = ((exponents, c) for exponents, c in other.primitive if exponents in mine)
        total = sum(mine[exponents] * c * prod(map(factorial, exponents)) for exponents, c in common)
        return self.content * other.content * total

    def to_sympy(self) -> sympy.Expr:
        """The same polynomial in SymPy's symbols x, y, z."""
        import sympy

        x, y, z = sympy.symbols("x y z", real=True)
        return sympy.Add(*(c.to_sympy() * x**i * y**j * z**k for (i, j, k), c in self.terms))

    def __str__(self) -> str:
        return self._written(str, "·", _text_power, "({})")

    def latex(self) -> str:
        r"""LaTeX for a formula: ``\sqrt{\frac{5}{4}}\,\left(2y^{2} - x^{2} - z^{2}\right)``."""
        return self._written(Surd.latex, r"\,", _latex_power, r"\left({}\right)")

    def _written(
        self, surd: Callable[[Surd], str], times: str, power: Callable[[str, int], str], brackets: str
    ) -> str:
        """content · (positive terms, then negative ones, each from the highest power of x down)."""
        ordered = sorted(self.primitive, key=lambda term: (term[1] < 0, [-e for e in term[0]]))
        parts = [(c, "".join(map(power, "xyz", exponents))) for exponents, c in ordered]
        if not parts:
            return "0"
        if len(parts) == 1:
            (c, monomial), coefficient = parts[0], surd(self.content * parts[0][0])
            if not monomial:
                return coefficient
            return "-" * (c < 0) + monomial if self.content == 1 else coefficient + times + monomial
        body = " ".join(
            f"{'-' if c < 0 else '+'} {'' if abs(c) == 1 and monomial else abs(c)}{monomial}"
            for c, monomial in parts
        )
        body = body.removeprefix("+ ") if body.startswith("+") else body.replace("- ", "-", 1)
        return body if self.content == 1 else surd(self.content) + times + brackets.format(body)


def monomial_average(exponents: Exponents) -> Fraction:
    """⟨x^i y^j z^k⟩ = (i−1)!! (j−1)!! (k−1)!! / (i+j+k+1)!! over the unit sphere; 0 if any exponent is odd.

    Source: G. B. Folland, How to integrate a polynomial over a sphere, Amer. Math. Monthly 108 (2001) 446.
    """
    if any(exponent % 2 for exponent in exponents):
        return Fraction(0)
    above = prod(double_factorial(exponent - 1) for exponent in exponents)
    return Fraction(above, double_factorial(sum(exponents) + 1))


@cache
def double_factorial(n: int) -> int:
    """n!! = n (n−2) (n−4) …, with (−1)!! = 0!! = 1."""
    return prod(range(n, 0, -2))


def add(polynomials: Iterable[Polynomial]) -> Polynomial:
    """The sum of any number of polynomials, 0 of none."""
    return sum(polynomials, start=ZERO)


def _text_power(axis: str, power: int) -> str:
    superscript = "" if power == 1 else str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return axis + superscript if power else ""


def _latex_power(axis: str, power: int) -> str:
    return f"{axis}^{{{power}}}" if power > 1 else axis * power


ZERO = Polynomial(_ZERO, ())
ONE = Polynomial(_ONE, (((0, 0, 0), 1),))
X, Y, Z = (Polynomial.linear(row) for row in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
