"""Matrices as irreps: orthogonal both ways, equivariant, and e3nn's coupling coefficients."""

from __future__ import annotations

import math

import pytest
import torch
from e3nn import o3

from tests.reference import d_matrix
from tfngen.irreps import Irrep
from tfngen.nn import cartesian_to_irreps, irreps_to_cartesian

MATRICES = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_parts_are_trace_axial_vector_and_traceless_symmetric() -> None:
    parts = cartesian_to_irreps(MATRICES)
    assert [parts[l].shape for l in (0, 1, 2)] == [(4, 2, 1), (4, 2, 3), (4, 2, 5)]
    trace = MATRICES.diagonal(dim1=-2, dim2=-1).sum(-1)
    torch.testing.assert_close(parts[0][..., 0], trace / math.sqrt(3))
    left, right = torch.randn(2, 3, dtype=torch.float64)
    outer = cartesian_to_irreps(torch.outer(left, right))
    torch.testing.assert_close(outer[0][0], left @ right / math.sqrt(3))
    torch.testing.assert_close(outer[1], torch.linalg.cross(left, right) / math.sqrt(2))
    symmetric = irreps_to_cartesian({2: parts[2]})
    torch.testing.assert_close(symmetric, symmetric.mT)
    torch.testing.assert_close(symmetric.diagonal(dim1=-2, dim2=-1).sum(-1), torch.zeros(4, 2).double())


def test_the_change_of_basis_is_orthogonal_and_inverts() -> None:
    parts = cartesian_to_irreps(MATRICES)
    norms = sum(part.square().sum(-1) for part in parts.values())
    torch.testing.assert_close(norms, MATRICES.square().sum((-2, -1)))
    torch.testing.assert_close(irreps_to_cartesian(parts), MATRICES, rtol=0, atol=1e-15)
    basis = torch.eye(9, dtype=torch.float64).reshape(9, 3, 3)
    change = torch.cat(list(cartesian_to_irreps(basis).values()), dim=-1)
    torch.testing.assert_close(change @ change.T, torch.eye(9, dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("l", [0, 1, 2])
def test_the_coefficients_are_e3nns(l: int) -> None:
    coefficients = o3.wigner_3j(1, 1, l, dtype=torch.float64) * math.sqrt(2 * l + 1)
    expected = torch.einsum("...ij,ijm->...m", MATRICES, coefficients)
    torch.testing.assert_close(cartesian_to_irreps(MATRICES)[l], expected, rtol=0, atol=1e-14)


def test_the_parts_rotate_as_irreps() -> None:
    torch.manual_seed(0)
    rotation = o3.rand_matrix(dtype=torch.float64)
    parts, turned = cartesian_to_irreps(MATRICES), cartesian_to_irreps(rotation @ MATRICES @ rotation.T)
    for l in (0, 1, 2):
        torch.testing.assert_close(turned[l], parts[l] @ d_matrix(Irrep(l), rotation).T)


def test_missing_parts_are_zero_and_dtypes_are_kept() -> None:
    parts = cartesian_to_irreps(MATRICES.float())
    assert parts[2].dtype == torch.float32
    both = irreps_to_cartesian({0: parts[0], 2: parts[2]})
    torch.testing.assert_close(both, 0.5 * (MATRICES + MATRICES.mT).float())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cartesian_to_irreps(torch.zeros(3, 2)), r"matrix: .*\(3, 2\)"),
        (lambda: cartesian_to_irreps(torch.zeros(3, 3).int()), "matrix: torch.int32"),
        (lambda: irreps_to_cartesian({}), r"parts: degrees \[\]"),
        (lambda: irreps_to_cartesian({3: torch.zeros(7)}), r"parts: degrees \[3\]"),
        (lambda: irreps_to_cartesian({1: torch.zeros(5)}), r"parts\[1\]: shape \(5,\)"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
