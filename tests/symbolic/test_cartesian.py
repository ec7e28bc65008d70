"""A 3×3 matrix is a scalar, a vector and a symmetric traceless matrix, and nothing is lost on the way."""

from fractions import Fraction

import pytest

from tfngen.symbolic.cartesian import cartesian_basis, cartesian_to_irreps, irreps_to_cartesian
from tfngen.symbolic.surd import Surd, SurdSum
from tfngen.symbolic.wigner import rational_rotation, wigner_d

MATRIX = ((1, Fraction(2, 3), -3), (Fraction(1, 7), 5, 0), (Surd(1, 2), SurdSum({3: 1, 1: 4}), 9))
U, V = (Fraction(1), Fraction(-2), Fraction(3)), (Fraction(1, 2), Fraction(5), Fraction(-1, 3))
OUTER = [[a * b for b in V] for a in U]


def test_comes_back_exactly():
    assert irreps_to_cartesian(cartesian_to_irreps(MATRIX)) == MATRIX
    irreps = {0: (Surd(1, 5),), 1: (1, 2, Fraction(1, 3)), 2: (0, 1, SurdSum({2: 1, 3: 1}), -1, 7)}
    assert cartesian_to_irreps(irreps_to_cartesian(irreps)) == irreps


def test_lengths_are_kept():
    entries = [SurdSum() + entry for row in MATRIX for entry in row]
    components = [c for vector in cartesian_to_irreps(MATRIX).values() for c in vector]
    assert sum(e * e for e in entries) == sum(c * c for c in components)


def test_the_scalar_is_the_dot_product():
    (dot,) = cartesian_to_irreps(OUTER)[0]
    assert dot == sum(a * b for a, b in zip(U, V, strict=True)) * Surd(1, 1, 3)


def test_the_vector_is_the_cross_product():
    cross = (U[1] * V[2] - U[2] * V[1], U[2] * V[0] - U[0] * V[2], U[0] * V[1] - U[1] * V[0])
    assert cartesian_to_irreps(OUTER)[1] == tuple(component * Surd(1, 1, 2) for component in cross)


def test_degree_two_is_the_symmetric_traceless_part():
    part = irreps_to_cartesian({2: cartesian_to_irreps(OUTER)[2]})
    trace = sum(OUTER[i][i] for i in range(3))
    for i in range(3):
        for j in range(3):
            assert part[i][j] == (OUTER[i][j] + OUTER[j][i]) / 2 - (trace / 3 if i == j else 0)


def test_symmetric_matrices_have_no_vector_and_antisymmetric_ones_nothing_else():
    symmetric = [[1, 2, 3], [2, 4, 5], [3, 5, 6]]
    assert not any(cartesian_to_irreps(symmetric)[1])
    antisymmetric = cartesian_to_irreps([[0, 2, 3], [-2, 0, 5], [-3, -5, 0]])
    assert not any(antisymmetric[0] + antisymmetric[2])


def test_turning_the_matrix_turns_the_irreps():
    """R M Rᵀ ↔ D^l v^l."""
    r = rational_rotation(2, -1, 3, 1)
    turned = [
        [sum(r[i][a] * OUTER[a][b] * r[j][b] for a in range(3) for b in range(3)) for j in range(3)]
        for i in range(3)
    ]
    for l, vector in cartesian_to_irreps(OUTER).items():
        expected = tuple(sum(d * v for d, v in zip(row, vector, strict=True)) for row in wigner_d(l, r))
        assert cartesian_to_irreps(turned)[l] == expected


def test_the_basis_has_a_table_for_each_degree():
    assert {l: len(table) for l, table in cartesian_basis().items()} == {0: 3, 1: 6, 2: 11}


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: cartesian_to_irreps([[1, 2], [3, 4]]), "matrix"),
        (lambda: cartesian_to_irreps([[1, 2, 3]]), "matrix"),
        (lambda: cartesian_to_irreps([[0.5, 2, 3]] * 3), "matrix"),
        (lambda: irreps_to_cartesian({3: [0] * 7}), "irreps"),
        (lambda: irreps_to_cartesian({1: [0] * 5}), r"irreps\[1\]"),
        (lambda: irreps_to_cartesian({0: ["1"]}), r"irreps\[0\]"),
    ],
)
def test_bad_arguments_are_value_errors_that_name_the_argument(call, names):
    with pytest.raises(ValueError, match=f"^{names}: "):
        call()
