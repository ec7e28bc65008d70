"""Wigner D matrices: how harmonics turn, exactly; and that the coupling coefficients turn with them."""

from fractions import Fraction

import numpy as np
import pytest

from tfngen.irreps import MAX_DEGREE, Path, enumerate_paths
from tfngen.symbolic.clebsch_gordan import clebsch_gordan
from tfngen.symbolic.harmonics import harmonics
from tfngen.symbolic.surd import SurdSum
from tfngen.symbolic.wigner import rational_rotation, wigner_d, wigner_d_numeric

IDENTITY = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
INVERSION = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
MIRROR = ((1, 0, 0), (0, 0, 1), (0, 1, 0))
GENERIC = rational_rotation(1, 2, 3, 4)
POLAR = rational_rotation(2, 0, 1, 0)  # about y, by 2 arctan(1/2): cosine 3/5, sine 4/5


def _times(a, b):
    """The product of two exact matrices."""
    columns = list(zip(*b, strict=True))
    return tuple(
        tuple(
            sum((SurdSum() + x * y for x, y in zip(row, column, strict=True)), SurdSum())
            for column in columns
        )
        for row in a
    )


def _rational_times(a, b):
    return [[entry.as_surd().as_rational() for entry in row] for row in _times(a, b)]


def _identity(n):
    return tuple(tuple(int(i == j) for j in range(n)) for i in range(n))


IMPROPER = _rational_times(rational_rotation(3, -1, 2, 5), MIRROR)
ROTATIONS = pytest.mark.parametrize(
    "rotation", [GENERIC, POLAR, MIRROR, IMPROPER], ids=["generic", "polar", "mirror", "improper"]
)


def _determinant(r):
    return sum(r[0][i] * (r[1][i - 2] * r[2][i - 1] - r[1][i - 1] * r[2][i - 2]) for i in range(3))


@ROTATIONS
@pytest.mark.parametrize("l", [0, 1, 2, 3, 4, 7])
def test_turned_harmonics_are_the_mixture_that_d_says(l, rotation):
    """Y_l(R r) = D Y_l(r) as polynomials in r."""
    basis = harmonics(l)
    for turned, row in zip(basis, wigner_d(l, rotation), strict=True):
        mixture = {}
        for weight, polynomial in zip(row, basis, strict=True):
            for exponents, c in polynomial.terms:
                mixture[exponents] = mixture.get(exponents, SurdSum()) + weight * c
        assert {e: c for e, c in mixture.items() if c} == dict(turned.substitute(rotation).terms)


@pytest.mark.parametrize("l", [0, 1, 2, 3, 5])
def test_d_is_a_representation(l):
    """D(R₁R₂) = D(R₁) D(R₂), D(1) = 1 and D Dᵀ = 1."""
    product = _rational_times(GENERIC, IMPROPER)
    assert wigner_d(l, product) == _times(wigner_d(l, GENERIC), wigner_d(l, IMPROPER))
    assert wigner_d(l, IDENTITY) == _identity(2 * l + 1)
    d = wigner_d(l, GENERIC)
    assert _times(d, tuple(zip(*d, strict=True))) == _identity(2 * l + 1)


@pytest.mark.parametrize("l", range(6))
def test_inversion_is_parity(l):
    assert wigner_d(l, INVERSION) == tuple(
        tuple((-1) ** l * entry for entry in row) for row in _identity(2 * l + 1)
    )


@ROTATIONS
def test_degree_one_is_the_rotation_itself(rotation):
    assert wigner_d(1, rotation) == tuple(map(tuple, rotation))


def test_a_rotation_about_the_polar_axis_mixes_only_orders_m_and_minus_m():
    """By the angle with e^{iφ} = (3+4i)/5: cosines of mφ on the diagonal, sines beside it."""
    l, power = 6, (Fraction(1), Fraction(0))
    d = wigner_d(l, POLAR)
    for m in range(l + 1):
        cosine, sine = power
        for n in range(-l, l + 1):
            assert d[l + m][l + n] == (cosine if n == m else -sine if m and n == -m else 0)
        power = (power[0] * 3 / 5 - power[1] * 4 / 5, power[0] * 4 / 5 + power[1] * 3 / 5)


def _assert_intertwines(path, rotation):
    """Σ D_F D_I C = C D_O, entry by entry; on an odd path a reflection changes the sign of the right side."""
    l_filter, l_input, l_output = path
    d_filter, d_input, d_output = (wigner_d(l, rotation) for l in path)
    sign = 1 if Path(*path).even or _determinant(rotation) == 1 else -1
    difference = {}
    for c in clebsch_gordan(*path):
        i, j, k = c.m_filter + l_filter, c.m_input + l_input, c.m_output + l_output
        for p, left in enumerate(d_filter[i]):
            for q, right in enumerate(d_input[j]):
                if left and right:
                    difference[p, q, k] = difference.get((p, q, k), SurdSum()) + c.value * left * right
        for o, row in enumerate(d_output):
            if row[k]:
                difference[i, j, o] = difference.get((i, j, o), SurdSum()) - c.value * row[k] * sign
    assert not any(difference.values())


@ROTATIONS
@pytest.mark.parametrize("path", enumerate_paths(2), ids=str)
def test_clebsch_gordan_coefficients_intertwine(path, rotation):
    _assert_intertwines(path, rotation)


@pytest.mark.parametrize("path", [path for path in enumerate_paths(3) if max(path) == 3], ids=str)
def test_clebsch_gordan_coefficients_of_degree_three_intertwine(path):
    _assert_intertwines(path, IMPROPER)


def test_rational_rotations_are_rotations():
    for quaternion in ((1, 0, 0, 0), (1, 2, 3, 4), (0, 1, 1, 0), (-2, 5, 0, 7)):
        r = rational_rotation(*quaternion)
        assert _times(r, tuple(zip(*r, strict=True))) == IDENTITY
        assert _determinant(r) == 1
        axis = quaternion[1:]
        assert tuple(sum(a * b for a, b in zip(row, axis, strict=True)) for row in r) == axis
    assert rational_rotation(1, 1, 0, 0) == ((1, 0, 0), (0, 0, -1), (0, 1, 0))  # a quarter turn from y to z


@ROTATIONS
@pytest.mark.parametrize("l", [*range(9), MAX_DEGREE])
def test_numeric_matches_exact(l, rotation):
    numeric = wigner_d_numeric(l, np.array(rotation, dtype=float))
    assert np.abs(numeric - np.array(wigner_d(l, rotation), dtype=float)).max() < 1e-13


def _random_rotations(shape, seed):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(*shape, 3, 3)))
    return q


@pytest.mark.parametrize("l", [0, 1, 4, 8])
def test_numeric_works_on_arrays_of_rotations(l):
    rotations = _random_rotations((2, 5), seed=l)
    d = wigner_d_numeric(l, rotations)
    assert d.shape == (2, 5, 2 * l + 1, 2 * l + 1)
    assert d.dtype == np.float64
    for index in np.ndindex(2, 5):
        np.testing.assert_allclose(d[index], wigner_d_numeric(l, rotations[index]), rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        d @ d.swapaxes(-1, -2), np.broadcast_to(np.eye(2 * l + 1), d.shape), atol=1e-13
    )
    assert wigner_d_numeric(l, rotations[:0]).shape == (0, 5, 2 * l + 1, 2 * l + 1)


@pytest.fixture
def torch_in_float64():
    """torch with float64 as default, in which e3nn then builds its rotation generators."""
    torch = pytest.importorskip("torch")
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(default)


@pytest.mark.parametrize("l", range(7))
def test_numeric_agrees_with_e3nn(l, torch_in_float64):
    """To 1e-12 and not closer: e3nn goes through Euler angles, whose arccos loses digits near the poles."""
    o3 = pytest.importorskip("e3nn.o3")
    rotations = _random_rotations((20,), seed=100 + l)
    irrep = o3.Irrep(l, (-1) ** l)
    theirs = irrep.D_from_matrix(torch_in_float64.from_numpy(rotations)).numpy()
    np.testing.assert_allclose(wigner_d_numeric(l, rotations), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: wigner_d(-1, IDENTITY), "l"),
        (lambda: wigner_d("1", IDENTITY), "l"),
        (lambda: wigner_d(1, [[1, 0], [0, 1]]), "rotation"),
        (lambda: wigner_d(1, 3), "rotation"),
        (lambda: wigner_d(1, "abc"), "rotation"),
        (lambda: wigner_d(1, np.eye(3)), "rotation"),
        (lambda: wigner_d(1, [[1, 0, 0], [0, 1, 0], [0, 1, 1]]), "rotation"),
        (lambda: wigner_d_numeric(13, np.eye(3)), "l"),
        (lambda: wigner_d_numeric(1, np.eye(2)), "rotation"),
        (lambda: wigner_d_numeric(1, 2 * np.eye(3)), "rotation"),
        (lambda: wigner_d_numeric(1, np.full((3, 3), np.nan)), "rotation"),
        (lambda: wigner_d_numeric(1, "identity"), "rotation"),
        (lambda: rational_rotation(0, 0, 0, 0), "a, b, c, d"),
        (lambda: rational_rotation(1, 0.5, 0, 0), "b"),
    ],
)
def test_bad_arguments_are_value_errors_that_name_the_argument(call, names):
    with pytest.raises(ValueError, match=f"^{names}: "):
        call()
