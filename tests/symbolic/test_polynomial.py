"""Polynomial arithmetic agrees with SymPy, and integrals over the sphere are what calculus says."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from tfngen.symbolic.harmonics import harmonics
from tfngen.symbolic.polynomial import ONE, ZERO, Polynomial, X, Y, Z, monomial_average
from tfngen.symbolic.surd import Surd

reproducible = settings(derandomize=True, deadline=None, max_examples=60)

exponents = st.tuples(*3 * [st.integers(0, 3)])
rationals = st.fractions(min_value=-5, max_value=5, max_denominator=6)
polynomials = st.dictionaries(exponents, rationals, max_size=4).map(Polynomial.from_terms)
matrices = st.lists(st.lists(rationals, min_size=3, max_size=3), min_size=3, max_size=3)

x, y, z = sympy.symbols("x y z", real=True)


def _same(polynomial, expression):
    return sympy.expand(polynomial.to_sympy() - expression) == 0


@reproducible
@given(polynomials, polynomials)
def test_arithmetic_agrees_with_sympy(p, q):
    assert _same(p + q, p.to_sympy() + q.to_sympy())
    assert _same(p - q, p.to_sympy() - q.to_sympy())
    assert _same(p * q, p.to_sympy() * q.to_sympy())
    assert _same(p * Surd(-1, 2, 3), -p.to_sympy() * sympy.sqrt(sympy.Rational(2, 3)))
    for axis, symbol in enumerate((x, y, z)):
        assert _same(p.derivative(axis), sympy.diff(p.to_sympy(), symbol))


@reproducible
@given(polynomials, matrices)
def test_substitution_composes_with_a_linear_map(p, matrix):
    point = (Fraction(1, 2), Fraction(-2, 3), Fraction(3))
    image = [sum(entry * r for entry, r in zip(row, point, strict=True)) for row in matrix]
    assert p.substitute(matrix)(*point) == p(*image)


@reproducible
@given(polynomials)
def test_the_form_is_canonical(p):
    assert p * Surd(1, 3) * Surd(1, 1, 3) == p
    assert p + -p == ZERO
    assert Polynomial(p.content, tuple(reversed(p.primitive))) == p
    assert p.terms == tuple(sorted(p.terms))
    assert Polynomial.from_terms({e: c.as_rational() for e, c in p.terms}) == p


@pytest.mark.parametrize(
    "powers", [(0, 0, 0), (2, 0, 0), (2, 2, 0), (2, 4, 2), (6, 0, 0), (1, 0, 0), (2, 3, 0)]
)
def test_sphere_averages_agree_with_integration_over_the_angles(powers):
    theta, phi = sympy.symbols("theta phi", real=True)
    i, j, k = powers
    polar = sympy.sin(theta) ** (i + k + 1) * sympy.cos(theta) ** j
    around = sympy.sin(phi) ** i * sympy.cos(phi) ** k
    integral = sympy.integrate(polar, (theta, 0, sympy.pi)) * sympy.integrate(around, (phi, 0, 2 * sympy.pi))
    assert sympy.simplify(integral / (4 * sympy.pi)) == sympy.Rational(
        *monomial_average(powers).as_integer_ratio()
    )


@reproducible
@given(polynomials, polynomials)
def test_fischer_product_is_differentiation_at_the_origin(p, q):
    total = ZERO
    for (i, j, k), c in p.terms:
        image = q
        for axis, times in enumerate((i, j, k)):
            for _ in range(times):
                image = image.derivative(axis)
        total += image * c
    assert p.fischer_product(q) == total(0, 0, 0)


@pytest.mark.parametrize("l", range(5))
def test_fischer_product_of_harmonics_is_a_multiple_of_their_sphere_average(l):
    double_factorial = int(sympy.factorial2(2 * l + 1))
    for p in harmonics(l):
        for q in harmonics(l):
            assert p.fischer_product(q) == (p * q).sphere_average() * double_factorial


def test_reads_as_it_is_written_in_a_book():
    zonal = (2 * Y * Y - X * X - Z * Z) * Surd(1, 5, 4)
    assert str(zonal) == "√(5/4)·(2y² - x² - z²)"
    assert zonal.latex() == r"\sqrt{\frac{5}{4}}\,\left(2y^{2} - x^{2} - z^{2}\right)"
    assert [str(p) for p in (X, -X, 2 * X, X * Y**12, ONE, -ONE, ZERO)] == [
        "x",
        "-x",
        "2·x",
        "xy¹²",
        "1",
        "-1",
        "0",
    ]
    assert [str(p) for p in (X + ONE, -X - ONE)] == ["x + 1", "-x - 1"]


def test_incommensurable_sums_are_a_value_error():
    with pytest.raises(ValueError, match="ratio must be rational"):
        X * Surd(1, 2) + Y * Surd(1, 3)


def test_bad_arguments_are_value_errors_that_name_the_argument():
    with pytest.raises(ValueError, match=r"^axis: got 3; it must be"):
        X.derivative(3)
    with pytest.raises(ValueError, match=r"^exponent: got -1; it must be"):
        X**-1
