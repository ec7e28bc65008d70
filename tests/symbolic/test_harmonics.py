"""Real spherical harmonics: SymPy's and e3nn's, orthonormal, harmonic, factorised, with exact gradients."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy.functions.special.spherical_harmonics import Ynm, Znm

from tfngen.irreps import MAX_DEGREE
from tfngen.symbolic.harmonics import (
    NORMALIZATIONS,
    PI_EXPONENT,
    GradientEntry,
    azimuthal_factor,
    gradient,
    harmonic,
    harmonics,
    polar_factor,
    scale,
)
from tfngen.symbolic.polynomial import ZERO, X, Y, Z
from tfngen.symbolic.surd import Surd, SurdSum

theta, phi = sympy.symbols("theta phi", real=True)
ON_THE_SPHERE = {  # y is the polar axis, and z + ix = sinθ e^{iφ}
    "x": sympy.sin(theta) * sympy.sin(phi),
    "y": sympy.cos(theta),
    "z": sympy.sin(theta) * sympy.cos(phi),
}
RATIONAL_POINTS = [
    tuple(Fraction(n, d) for n in numerators)
    for *numerators, d in (
        (2, 1, 2, 3),
        (-3, 6, 2, 7),
        (4, -8, 1, 9),
        (0, 3, -4, 5),
        (0, 1, 0, 1),
        (6, 0, -8, 10),
    )
]


def _in_angles(l, m):
    """The orthonormal harmonic as a SymPy function of θ and φ."""
    expression = harmonic(l, m, "integral").to_sympy() / sympy.sqrt(sympy.pi)
    return expression.subs({symbol: ON_THE_SPHERE[symbol.name] for symbol in expression.free_symbols})


def _vanishes(expression):
    return sympy.expand(expression.rewrite(sympy.exp)) == 0


@pytest.mark.parametrize(("l", "m"), [(l, m) for l in range(4) for m in range(-l, l + 1)])
def test_equals_sympys_spherical_harmonics_symbolically(l, m):
    """√2 Re or √2 Im of the complex one, without its Condon–Shortley phase (−1)^m."""
    n = abs(m)
    complex_harmonic = Ynm(l, n, theta, phi).expand(func=True)
    conjugate = complex_harmonic.subs(phi, -phi)
    if m == 0:
        expected = complex_harmonic
    elif m > 0:
        expected = (-1) ** n * (complex_harmonic + conjugate) / sympy.sqrt(2)
    else:
        expected = (-1) ** n * (complex_harmonic - conjugate) / (sympy.sqrt(2) * sympy.I)
    assert _vanishes(_in_angles(l, m) - expected)


@pytest.mark.parametrize(("l", "m"), [(l, m) for l in range(4) for m in range(l + 1)])
def test_equals_sympys_real_spherical_harmonics_up_to_the_condon_shortley_phase(l, m):
    assert _vanishes(_in_angles(l, m) - (-1) ** m * Znm(l, m, theta, phi).expand(func=True))


def test_degree_one_is_the_vector_and_degree_two_the_textbook_quadratics():
    assert harmonics(1, "norm") == (X, Y, Z)
    assert harmonics(1) == tuple(axis * Surd(1, 3) for axis in (X, Y, Z))
    root_3 = Surd(1, 3)
    assert harmonics(2, "norm") == (
        X * Z * root_3,
        X * Y * root_3,
        (2 * Y * Y - X * X - Z * Z) * Fraction(1, 2),
        Y * Z * root_3,
        (Z * Z - X * X) * (root_3 / 2),
    )


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_orthonormal_by_exact_integration(normalization):
    """Over all degrees to 6 at once; the sphere has area 4π, which meets the π left out of 'integral'."""
    norms = {
        "component": lambda l: 1,
        "norm": lambda l: Fraction(1, 2 * l + 1),
        "integral": lambda l: Fraction(1, 4),
    }
    basis = [(l, m, harmonic(l, m, normalization)) for l in range(7) for m in range(-l, l + 1)]
    for i, (l, m, p) in enumerate(basis):
        for l_other, m_other, q in basis[: i + 1]:
            expected = norms[normalization](l) if (l, m) == (l_other, m_other) else 0
            assert (p * q).sphere_average() == expected


@pytest.mark.parametrize("l", range(MAX_DEGREE + 1))
def test_harmonic_homogeneous_and_of_constant_norm(l):
    """Laplace's equation, degree l, and Unsöld's theorem: Σ_m Y_lm² = (2l+1) r^2l."""
    squares = ZERO
    for p in harmonics(l):
        assert p.laplacian() == ZERO
        assert {sum(exponents) for exponents, _ in p.terms} == {l}
        squares += p * p
    assert squares == (X * X + Y * Y + Z * Z) ** l * (2 * l + 1)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("l", [0, 1, 2, 3, 5, 8, 12])
def test_factorises_on_the_unit_sphere(l, normalization):
    """Y_lm = scale · Q_l^|m|(y) · A_m(z, x), exactly, at rational points of the sphere."""
    for m in range(-l, l + 1):
        coefficients = polar_factor(l, m)
        assert len(coefficients) == l - abs(m) + 1
        assert coefficients[-1] > 0
        assert all(c.denominator == 1 for c in coefficients)
        for x, y, z in RATIONAL_POINTS:
            polar = sum(c * y**power for power, c in enumerate(coefficients))
            around = azimuthal_factor(m)(x, y, z)
            assert harmonic(l, m, normalization)(x, y, z) == scale(l, m, normalization) * polar * around


def test_azimuthal_factors_are_powers_of_a_complex_number():
    x, z = sympy.symbols("x z", real=True)
    for m in range(1, 9):
        real, imaginary = sympy.expand((z + sympy.I * x) ** m).as_real_imag()
        assert sympy.expand(azimuthal_factor(m).to_sympy() - real) == 0
        assert sympy.expand(azimuthal_factor(-m).to_sympy() - imaginary) == 0


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("l", [0, 1, 2, 3, 4, 6, 9, 12])
def test_gradient_table_reproduces_the_derivatives_of_the_polynomials(l, normalization):
    table = gradient(l, normalization)
    assert list(table) == sorted(table, key=lambda g: (g.axis, g.m_out, g.m_in))
    assert all(isinstance(g, GradientEntry) and g.value for g in table)
    for axis in range(3):
        for m_in in range(-l, l + 1):
            expanded = {}
            for g in table:
                if (g.axis, g.m_in) == (axis, m_in):
                    for exponents, c in harmonic(l - 1, g.m_out, normalization).terms:
                        expanded[exponents] = expanded.get(exponents, SurdSum()) + g.value * c
            derivative = harmonic(l, m_in, normalization).derivative(axis)
            assert {e: c for e, c in expanded.items() if c} == dict(derivative.terms)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("l", range(9))
def test_agrees_with_e3nn(l, normalization):
    o3 = pytest.importorskip("e3nn.o3")
    torch = pytest.importorskip("torch")
    r = np.random.default_rng(l).normal(size=(200, 3))
    r /= np.linalg.norm(r, axis=1, keepdims=True)
    theirs = o3.spherical_harmonics(
        l, torch.from_numpy(r), normalize=False, normalization=normalization
    ).numpy()
    ours = np.stack(
        [
            sum(float(c) * np.prod(r**exponents, axis=1) for exponents, c in p.terms)
            for p in harmonics(l, normalization)
        ],
        axis=1,
    ) * np.pi ** (PI_EXPONENT[normalization] / 2)
    assert np.abs(ours - theirs).max() <= 1e-14 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: harmonic(-1, 0), "l"),
        (lambda: harmonic(13, 0), "l"),
        (lambda: harmonic("2", 0), "l"),
        (lambda: harmonic(1.0, 0), "l"),
        (lambda: harmonic(True, 0), "l"),
        (lambda: harmonic(2, 3), "m"),
        (lambda: harmonic(2, None), "m"),
        (lambda: harmonic(2, 0, "schmidt"), "normalization"),
        (lambda: harmonics(2, 1), "normalization"),
        (lambda: scale(2, -3), "m"),
        (lambda: polar_factor(99, 0), "l"),
        (lambda: azimuthal_factor(13), "m"),
        (lambda: gradient(-1), "l"),
        (lambda: gradient(1, "Norm"), "normalization"),
    ],
)
def test_bad_arguments_are_value_errors_that_name_the_argument(call, names):
    with pytest.raises(ValueError, match=rf"^{names}: got .*; it must be "):
        call()
