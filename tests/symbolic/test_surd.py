"""Surd and SurdSum are exact numbers: a ring, ordered by value, and rounded correctly to float."""

import math
import subprocess
import sys
from fractions import Fraction

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from tfngen.symbolic.surd import Surd, SurdSum, square_free

reproducible = settings(derandomize=True, deadline=None, max_examples=60)

rationals = st.fractions(min_value=-50, max_value=50, max_denominator=60)
surds = st.builds(Surd, st.sampled_from((-1, 0, 1)), st.integers(0, 400), st.integers(1, 400))
sums = st.builds(SurdSum, st.dictionaries(st.integers(0, 60), rationals, max_size=3))
numbers = st.one_of(sums, surds, rationals, st.integers(-9, 9))
large = st.integers(1, 10**40)


@pytest.mark.parametrize(
    ("surd", "text", "latex"),
    [
        (Surd(-1, 3, 10), "-√(3/10)", r"-\sqrt{\frac{3}{10}}"),
        (Surd(1, 1, 4), "1/2", r"\frac{1}{2}"),
        (Surd(1, 3, 1), "√3", r"\sqrt{3}"),
        (Surd(-1, 4, 1), "-2", "-2"),
        (Surd(0, 0, 1), "0", "0"),
    ],
)
def test_reads_as_it_is_written_in_a_book(surd, text, latex):
    assert str(surd) == text
    assert surd.latex() == latex


def test_is_always_in_lowest_terms():
    assert Surd(1, 6, 20) == Surd(1, 3, 10)
    reduced = Surd(1, 6, 20)
    assert (reduced.sign, reduced.numerator, reduced.denominator) == (1, 3, 10)
    for zero in (Surd(0, 5, 7), Surd(1, 0, 7)):
        assert (zero.sign, zero.numerator, zero.denominator) == (0, 0, 1)


@reproducible
@given(rationals, rationals)
def test_rationals_embed(a, b):
    assert Surd.from_rational(a).as_rational() == a
    assert Surd.from_rational(a) * Surd.from_rational(b) == a * b
    assert (Surd.from_rational(a) < Surd.from_rational(b)) == (a < b)
    assert Surd.sqrt(a * a) == abs(a)


@reproducible
@given(surds, surds)
def test_products_and_quotients_square_as_they_should(a, b):
    assert (a * b).squared == a.squared * b.squared
    assert (a * b).sign == a.sign * b.sign
    assert -a == a * -1
    assert abs(a) == abs(-a)
    assert bool(a) == (a.squared != 0)
    if b:
        assert a / b * b == a


@reproducible
@given(surds, surds)
def test_order_is_the_order_of_values(a, b):
    exact_a, exact_b = a.sign * a.squared, b.sign * b.squared
    assert (a < b, a <= b, a > b, a >= b) == (
        exact_a < exact_b,
        exact_a <= exact_b,
        exact_a > exact_b,
        exact_a >= exact_b,
    )


@reproducible
@given(surds, rationals)
def test_equal_numbers_are_equal_across_types_and_hash_alike(a, q):
    assert SurdSum.from_surd(a) == a
    assert hash(SurdSum.from_surd(a)) == hash(a)
    assert Surd.from_rational(q) == q == SurdSum({1: q})
    assert hash(Surd.from_rational(q)) == hash(q) == hash(SurdSum({1: q}))
    assert (a == q) == (a.is_rational and a.as_rational() == q)


def _is_nearest_float(value, surd):
    """Whether surd lies between the midpoints from `value` to its two neighbours, all in exact arithmetic."""
    value, magnitude = Fraction(abs(value)), surd.squared
    low = (value + Fraction(math.nextafter(float(value), 0))) / 2
    high = (value + Fraction(math.nextafter(float(value), math.inf))) / 2
    return low**2 <= magnitude <= high**2


@reproducible
@given(st.sampled_from((-1, 1)), large, large)
def test_float_is_the_nearest_float(sign, numerator, denominator):
    surd = Surd(sign, numerator, denominator)
    assert math.copysign(1, float(surd)) == sign
    assert _is_nearest_float(float(surd), surd)
    with mpmath.workprec(400):
        assert float(surd) == float(sign * mpmath.sqrt(mpmath.mpf(numerator) / denominator))


def test_float_next_to_a_tie_goes_to_the_right_side():
    tie = 2**53 + 1
    assert float(Surd(1, tie**2)) == 2**53  # half-way: to even
    assert float(Surd(1, tie**2 + 1)) == 2**53 + 2
    assert float(Surd(1, tie**2 - 1)) == 2**53
    assert float(Surd(1, tie**2 * 2**40 + 1, 2**40)) == 2**53 + 2  # above it by 10^-28
    assert float(Surd(1, tie**2 * 2**40 - 1, 2**40)) == 2**53
    assert float(Surd(1, 10**600, 3)) == pytest.approx(10**300 / 3**0.5, rel=1e-15)
    assert float(Surd(1, 3, 10**600)) == pytest.approx(1.7320508075688772e-300, rel=1e-15)


@reproducible
@given(numbers, numbers, numbers)
def test_sums_of_surds_form_a_commutative_ring(a, b, c):
    a, b, c = (SurdSum() + value for value in (a, b, c))
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + 0 == a
    assert not a - a
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert a * 1 == a
    assert a * (b + c) == a * b + a * c
    assert -a == -1 * a == 0 - a


@reproducible
@given(sums, st.one_of(surds, rationals, st.integers(-9, 9)))
def test_mixed_arithmetic_works_from_either_side(total, other):
    lifted = SurdSum() + other
    assert total + other == other + total == total + lifted
    assert total * other == other * total == total * lifted
    assert total - other == -(other - total) == total - lifted
    if other:
        assert total / other * other == total


@reproducible
@given(sums, sums)
def test_sums_agree_with_sympy_and_round_to_the_nearest_float(a, b):
    assert sympy.expand((a * b - a).to_sympy() - (a.to_sympy() * b.to_sympy() - a.to_sympy())) == 0
    with mpmath.workprec(400):
        total = sum(
            (mpmath.mpf(c.numerator) / c.denominator * mpmath.sqrt(d) for d, c in (a * b).terms),
            mpmath.mpf(0),
        )
        assert float(a * b) == float(total)


def test_identities_of_school_algebra():
    root_2, root_3 = SurdSum({2: 1}), SurdSum({3: 1})
    assert (root_2 + root_3) * (root_2 + root_3) == SurdSum({1: 5, 6: 2})
    assert (root_3 + root_2) * (root_3 - root_2) == 1
    assert SurdSum({8: 1, 2: -2}) == 0
    assert str(SurdSum({1: Fraction(1, 2), 3: -1, 2: 1})) == "1/2 + √2 - 1·√3"
    assert str(SurdSum()) == "0"


def test_float_of_a_sum_survives_cancellation():
    power = SurdSum({1: 1})
    for _ in range(60):
        power *= SurdSum({1: -1, 2: 1})
    with mpmath.workprec(1000):
        assert float(power) == float((mpmath.sqrt(2) - 1) ** 60)  # 1e-23, from terms of 1e22


def test_a_sum_with_one_term_is_a_surd():
    assert SurdSum.from_surd(Surd(-1, 3, 10)).as_surd() == Surd(-1, 3, 10)
    assert SurdSum().as_surd() == 0
    with pytest.raises(ValueError, match="not a single surd"):
        SurdSum({2: 1, 3: 1}).as_surd()


@reproducible
@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_square_free_decomposition(n, factor):
    root, free = square_free(n * factor**2)
    assert root**2 * free == n * factor**2
    assert all(exponent == 1 for exponent in sympy.factorint(free).values())


@pytest.mark.parametrize(
    "build",
    [
        lambda: Surd(2, 1, 1),
        lambda: Surd(1, -1, 1),
        lambda: Surd(1, 1, 0),
        lambda: Surd(1, 0.5, 1),
        lambda: Surd.sqrt(-1),
        lambda: Surd.sqrt(0.5),
        lambda: Surd.from_rational("1/2"),
        lambda: Surd(1, 2, 1).as_rational(),
        lambda: SurdSum({-1: 1}),
        lambda: SurdSum({2: 0.5}),
    ],
)
def test_what_is_not_a_surd_is_a_value_error(build):
    with pytest.raises(ValueError, match=r"must be|only a rational"):
        build()


def test_floats_do_not_mix_with_exact_numbers():
    for exact in (Surd(1, 2), SurdSum({2: 1})):
        assert exact != 2**0.5
        for operation in (lambda e: e * 0.5, lambda e: 0.5 * e, lambda e: e / 0.5):
            with pytest.raises(TypeError):
                operation(exact)
    with pytest.raises(ZeroDivisionError):
        Surd(1, 2) / 0


def test_importing_surd_imports_neither_sympy_nor_numpy():
    code = "import sys, tfngen.symbolic.surd; print([m for m in ('sympy', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
