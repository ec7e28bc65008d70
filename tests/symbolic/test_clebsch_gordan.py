"""Clebsch–Gordan coefficients: unitary, with the sign that integrals over the sphere give, and e3nn's.

Independent of the derivation are the polynomial integrals (they know neither Racah's formula nor a phase),
SymPy (complex, any spin) and e3nn (real).
"""

import random
import subprocess
import sys
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from sympy import Rational
from sympy.physics.quantum.cg import CG

from tfngen.irreps import MAX_DEGREE, Path, enumerate_paths
from tfngen.symbolic.clebsch_gordan import (
    ComplexCoupling,
    Coupling,
    clebsch_gordan,
    complex_clebsch_gordan,
    complex_table,
)
from tfngen.symbolic.harmonics import harmonics
from tfngen.symbolic.polynomial import X, Y, Z, add
from tfngen.symbolic.surd import Surd, SurdSum

ZERO = Surd(0, 0)


def _as_dict(path):
    return {(c.m_filter, c.m_input, c.m_output): c.value for c in clebsch_gordan(*path)}


# ---- complex -----------------------------------------------------------------------------------


def _random_spins(seed, count):
    """(j₁, m₁, j₂, m₂, j) within the selection rules, halves included."""
    rng = random.Random(seed)
    for _ in range(count):
        twice_j1, twice_j2 = rng.randint(0, 9), rng.randint(0, 9)
        twice_j = rng.randrange(abs(twice_j1 - twice_j2), twice_j1 + twice_j2 + 1, 2)
        twice_m = rng.randrange(-twice_j, twice_j + 1, 2)
        options = [m1 for m1 in range(-twice_j1, twice_j1 + 1, 2) if abs(twice_m - m1) <= twice_j2]
        twice_m1 = rng.choice(options)
        yield tuple(Fraction(n, 2) for n in (twice_j1, twice_m1, twice_j2, twice_m - twice_m1, twice_j))


def test_complex_coefficients_agree_with_sympy():
    for j1, m1, j2, m2, j in _random_spins(seed=1, count=150):
        arguments = (j1, m1, j2, m2, j, m1 + m2)
        theirs = CG(*(Rational(*n.as_integer_ratio()) for n in arguments)).doit()
        ours = complex_clebsch_gordan(*arguments)
        assert theirs * abs(theirs) == Rational(ours.sign * ours.numerator, ours.denominator)


def test_complex_coefficients_have_their_symmetries():
    """Varshalovich et al. (1988), 8.4.3: exchange of the two spins, and all projections reversed."""
    for j1, m1, j2, m2, j in _random_spins(seed=2, count=300):
        value = complex_clebsch_gordan(j1, m1, j2, m2, j, m1 + m2)
        sign = (-1) ** int(j1 + j2 - j)
        assert complex_clebsch_gordan(j2, m2, j1, m1, j, m1 + m2) == sign * value
        assert complex_clebsch_gordan(j1, -m1, j2, -m2, j, -m1 - m2) == sign * value


def test_condon_and_shortley_make_the_leading_coefficient_positive():
    """⟨j₁ j₁ j₂ j−j₁ | j j⟩ > 0."""
    for twice_j1, twice_j2 in product(range(8), repeat=2):
        for twice_j in range(abs(twice_j1 - twice_j2), twice_j1 + twice_j2 + 1, 2):
            j1, j2, j = (Fraction(n, 2) for n in (twice_j1, twice_j2, twice_j))
            assert complex_clebsch_gordan(j1, j1, j2, j - j1, j, j) > 0


def test_complex_tables_are_orthonormal():
    for twice_j1, twice_j2 in product(range(6), repeat=2):
        j1, j2 = Fraction(twice_j1, 2), Fraction(twice_j2, 2)
        columns = {}
        for twice_j in range(abs(twice_j1 - twice_j2), twice_j1 + twice_j2 + 1, 2):
            for c in complex_table(j1, j2, Fraction(twice_j, 2)):
                columns.setdefault((twice_j, c.m), {})[c.m1, c.m2] = c.value
        assert len(columns) == (twice_j1 + 1) * (twice_j2 + 1)
        _assert_orthonormal(columns)


def test_selection_rules_give_zero():
    assert complex_clebsch_gordan(1, 0, 1, 0, 1, 0) == 0
    assert complex_clebsch_gordan(1, 1, 1, 0, 2, 0) == 0  # m ≠ m₁ + m₂
    assert complex_clebsch_gordan(1, 0, 1, 0, 3, 0) == 0  # no triangle
    assert complex_clebsch_gordan("1/2", 0.5, 1, 0, 1, 0) == 0  # half-integer total


def test_half_integers_may_be_written_in_any_way():
    spellings = [
        ("3/2", "1/2"),
        (1.5, 0.5),
        (Fraction(3, 2), Fraction(1, 2)),
        (np.float64(1.5), Rational(1, 2)),
    ]
    values = {complex_clebsch_gordan(j, m, "1/2", "-1/2", 1, 0) for j, m in spellings}
    assert values == {Surd(1, 1, 2)}
    assert complex_table("1/2", 0.5, 0) == (
        ComplexCoupling(Fraction(-1, 2), Fraction(1, 2), Fraction(0), Surd(-1, 1, 2)),
        ComplexCoupling(Fraction(1, 2), Fraction(-1, 2), Fraction(0), Surd(1, 1, 2)),
    )


# ---- unitarity ---------------------------------------------------------------------------------


def _assert_orthonormal(vectors):
    """⟨u, v⟩ = δ_uv exactly, for sparse vectors {name: {index: Surd}}."""
    by_index = {}
    for name, vector in vectors.items():
        for index, value in vector.items():
            by_index.setdefault(index, []).append((name, value))
    gram = {}
    for entries in by_index.values():
        for (u, a), (v, b) in product(entries, repeat=2):
            if u <= v:
                gram[u, v] = gram.get((u, v), SurdSum()) + a * b
    assert {pair: value for pair, value in gram.items() if value} == {(name, name): 1 for name in vectors}


@pytest.mark.parametrize(("l_filter", "l_input"), [*product(range(5), repeat=2), (6, 2), (3, 8), (6, 6)])
def test_all_tables_of_two_degrees_form_a_unitary_matrix(l_filter, l_input):
    """Orthogonality Σ_{m_F m_I} C C = δ and completeness Σ_{l_O m_O} C C = δ, as equalities."""
    rows, columns = {}, {}
    for l_output in range(abs(l_filter - l_input), l_filter + l_input + 1):
        for (m_filter, m_input, m_output), value in _as_dict((l_filter, l_input, l_output)).items():
            rows.setdefault((m_filter, m_input), {})[l_output, m_output] = value
            columns.setdefault((l_output, m_output), {})[m_filter, m_input] = value
    assert len(rows) == len(columns) == (2 * l_filter + 1) * (2 * l_input + 1)
    _assert_orthonormal(columns)
    _assert_orthonormal(rows)


@pytest.mark.parametrize("path", [(8, 8, 8), (8, 7, 4), (5, 12, 11), (12, 12, 12), (12, 12, 1), (12, 0, 12)])
def test_large_tables_have_orthonormal_columns(path):
    columns = {}
    for (m_filter, m_input, m_output), value in _as_dict(path).items():
        columns.setdefault(m_output, {})[m_filter, m_input] = value
    assert len(columns) == 2 * path[2] + 1
    _assert_orthonormal(columns)


@pytest.mark.parametrize("path", [*enumerate_paths(4), (8, 7, 6), (12, 11, 10)], ids=str)
def test_exchange_of_filter_and_input(path):
    """C(l_I, l_F, l_O) is C(l_F, l_I, l_O) transposed, and negative on odd paths, like u × v = −v × u."""
    l_filter, l_input, l_output = path
    sign = 1 if Path(*path).even else -1
    swapped = {
        (n, m, o): value * sign for (m, n, o), value in _as_dict((l_input, l_filter, l_output)).items()
    }
    assert swapped == _as_dict(path)


@pytest.mark.parametrize("path", enumerate_paths(4), ids=str)
def test_exchange_of_input_and_output(path):
    """C/√(2l_O+1) is one tensor seen from three sides: an odd path changes sign, like u·(v × w)."""
    l_filter, l_input, l_output = path
    factor = Surd.sqrt(Fraction(2 * l_output + 1, 2 * l_input + 1)) * (1 if path.even else -1)
    swapped = {
        (m, n, o): value * factor for (m, o, n), value in _as_dict((l_filter, l_output, l_input)).items()
    }
    assert swapped == _as_dict(path)


# ---- meaning and sign --------------------------------------------------------------------------


@pytest.mark.parametrize("l", [0, 1, 2, 5, 12])
def test_coupling_to_a_scalar_is_the_dot_product(l):
    assert clebsch_gordan(l, l, 0) == tuple(
        Coupling(m, m, 0, Surd(1, 1, 2 * l + 1)) for m in range(-l, l + 1)
    )
    identity = {(0, m, m): Surd(1, 1) for m in range(-l, l + 1)}
    assert _as_dict((0, l, l)) == identity


def test_coupling_vectors_to_a_vector_is_the_cross_product():
    """ε_ijk / √2, in the order x, y, z."""
    half = Surd(1, 1, 2)
    cyclic = dict.fromkeys([(-1, 0, 1), (0, 1, -1), (1, -1, 0)], half)
    assert _as_dict((1, 1, 1)) == {**cyclic, **{(j, i, k): -value for (i, j, k), value in cyclic.items()}}


def _triple_product(p, q):
    """r · (∇p × ∇q)."""
    dp, dq = ([f.derivative(axis) for axis in range(3)] for f in (p, q))
    return add(r * (dp[i] * dq[j] - dp[j] * dq[i]) for r, i, j in ((X, 1, 2), (Y, 2, 0), (Z, 0, 1)))


def _coupled(path, p, q):
    """The bilinear expression in the harmonics p, q whose overlap with Y_O defines the sign of C."""
    return p * q if Path(*path).even else _triple_product(p, q)


@pytest.mark.parametrize("path", enumerate_paths(3), ids=str)
def test_every_coefficient_is_one_positive_multiple_of_an_integral_over_the_sphere(path):
    """⟨Y_F Y_I Y_O⟩ on even paths, ⟨Y_O r·(∇Y_F × ∇Y_I)⟩ on odd ones: same zeros, one ratio > 0."""
    l_filter, l_input, l_output = path
    table = _as_dict(path)
    ratios = set()
    for i, p in enumerate(harmonics(l_filter), start=-l_filter):
        for j, q in enumerate(harmonics(l_input), start=-l_input):
            coupled = _coupled(path, p, q)
            for k, y in enumerate(harmonics(l_output), start=-l_output):
                integral, coefficient = (coupled * y).sphere_average(), table.get((i, j, k), ZERO)
                assert bool(integral) == bool(coefficient), (i, j, k)
                if integral:
                    ratios.add(integral / coefficient)
    assert len(ratios) == 1
    assert ratios.pop() > 0


@pytest.mark.parametrize(
    "path",
    [path for path in enumerate_paths(6) if max(path) > 3] + [Path(8, 8, 7), Path(7, 8, 8), Path(12, 11, 10)],
    ids=str,
)
def test_sign_rule_at_higher_degrees(path):
    first = clebsch_gordan(*path)[0]
    p, q, y = (
        harmonics(l)[m + l]
        for l, m in zip(path, (first.m_filter, first.m_input, first.m_output), strict=True)
    )
    assert (_coupled(path, p, q) * y).sphere_average() / first.value > 0


def test_the_sign_rule_never_meets_a_zero():
    """⟨l_F 0 l_I 0|l_O 0⟩ on even paths and ⟨l_F 1 l_I −1|l_O 0⟩ on odd ones carry the integrals' signs."""
    for path in enumerate_paths(MAX_DEGREE):
        l_filter, l_input, l_output = path
        weight = 0 if path.even else 1
        assert complex_clebsch_gordan(l_filter, weight, l_input, -weight, l_output, 0)


# ---- neighbours, form, errors ------------------------------------------------------------------


@pytest.mark.parametrize("path", enumerate_paths(6), ids=str)
def test_agrees_with_e3nn(path):
    o3 = pytest.importorskip("e3nn.o3")
    torch = pytest.importorskip("torch")
    theirs = o3.wigner_3j(*path, dtype=torch.float64).numpy() * (2 * path.l_output + 1) ** 0.5
    ours = np.zeros([2 * l + 1 for l in path])
    for (i, j, k), value in _as_dict(path).items():
        ours[i + path.l_filter, j + path.l_input, k + path.l_output] = float(value)
    assert np.abs(ours - theirs).max() <= 1e-14 * np.abs(theirs).max()


@pytest.mark.parametrize("path", [*enumerate_paths(3), (8, 7, 6)], ids=str)
def test_tables_are_sorted_and_hold_only_nonzeros(path):
    table = clebsch_gordan(*path)
    orders = [(c.m_filter, c.m_input, c.m_output) for c in table]
    assert orders == sorted(set(orders))
    assert all(c.value for c in table)


def test_there_are_611_nonzeros_on_the_34_paths_to_degree_3():
    assert len(enumerate_paths(3)) == 34
    assert sum(len(clebsch_gordan(*path)) for path in enumerate_paths(3)) == 611


def test_tables_do_not_depend_on_the_hash_seed():
    code = (
        "from tfngen.symbolic.clebsch_gordan import clebsch_gordan\n"
        "from tfngen.symbolic.harmonics import gradient, harmonics\n"
        "print(clebsch_gordan(3, 2, 2), harmonics(3), gradient(3))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert outputs[0].stdout == outputs[1].stdout != b""


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: clebsch_gordan(-1, 1, 1), "l_filter"),
        (lambda: clebsch_gordan(1, 13, 12), "l_input"),
        (lambda: clebsch_gordan(1, 1, "2"), "l_output"),
        (lambda: clebsch_gordan(1, 1, 2.0), "l_output"),
        (lambda: clebsch_gordan(1, 1, 3), "l_output"),
        (lambda: clebsch_gordan(0, 2, 1), "l_output"),
        (lambda: complex_table("1/3", 1, 1), "j1"),
        (lambda: complex_table(1, "-1/2", 1), "j2"),
        (lambda: complex_table(1, 1, "one"), "j"),
        (lambda: complex_table(1, 1, "1/0"), "j"),
        (lambda: complex_table(1, 1, float("nan")), "j"),
        (lambda: complex_table(1, 1, float("inf")), "j"),
        (lambda: complex_table(1, 1, None), "j"),
        (lambda: complex_table(1, 1, True), "j"),
        (lambda: complex_table(13, 1, 12), "j1"),
        (lambda: complex_table(1, 1, 3), "j"),
        (lambda: complex_table(1, "1/2", 1), "j"),
        (lambda: complex_clebsch_gordan(1, 2, 1, 0, 2, 2), "m1"),
        (lambda: complex_clebsch_gordan(1, 0, 1, "1/2", 2, 0), "m2"),
        (lambda: complex_clebsch_gordan(1, 0, 1, 0, 2, -3), "m"),
    ],
)
def test_bad_arguments_are_value_errors_that_name_the_argument(call, names):
    with pytest.raises(ValueError, match=rf"^{names}: got .*; it must be "):
        call()
