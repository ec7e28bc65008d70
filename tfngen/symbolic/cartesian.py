"""3×3 matrices as 0 ⊕ 1 ⊕ 2: trace, antisymmetric part and symmetric traceless part, exactly.

A matrix is the product of two vectors, so the unitary tables C(1, 1, l) split it and put it together again:

    v^l_m = Σ_ij C(1, 1, l)_{i j m} M_ij                 M_ij = Σ_l Σ_m C(1, 1, l)_{i j m} v^l_m

with i, j = 0, 1, 2 for x, y, z (orders −1, 0, 1). Here v⁰ = tr M / √3, v¹_k = Σ ε_ijk M_ij / √2, and v² is
the symmetric traceless part in the basis xz, xy, y², yz, z²−x². Lengths are kept: Σ M_ij² = Σ_l |v^l|².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from tfngen.symbolic.clebsch_gordan import Coupling, clebsch_gordan
from tfngen.symbolic.surd import Surd, SurdSum

Exact = SurdSum | Surd | Fraction | int
"""The exact numbers a matrix or an irrep may hold."""

DEGREES = (0, 1, 2)


def cartesian_basis() -> dict[int, tuple[Coupling, ...]]:
    """{l: C(1, 1, l)} for l = 0, 1, 2: the change of basis, with i = m_filter + 1 and j = m_input + 1."""
    return {l: clebsch_gordan(1, 1, l) for l in DEGREES}


def cartesian_to_irreps(matrix: Sequence[Sequence[Exact]]) -> dict[int, tuple[SurdSum, ...]]:
    """{l: (v_{−l}, …, v_l)} of a 3×3 matrix of exact numbers.

    Raises ValueError for another shape and for entries that are not exact, such as floats.
    """
    rows = [_exact_vector("matrix", row, 3) for row in matrix]
    if len(rows) != 3:
        raise ValueError(f"matrix: got {len(rows)} rows; it must be 3×3")
    irreps = {}
    for l, table in cartesian_basis().items():
        vector = [SurdSum()] * (2 * l + 1)
        for c in table:
            vector[c.m_output + l] += rows[c.m_filter + 1][c.m_input + 1] * c.value
        irreps[l] = tuple(vector)
    return irreps


def irreps_to_cartesian(irreps: Mapping[int, Sequence[Exact]]) -> tuple[tuple[SurdSum, ...], ...]:
    """The 3×3 matrix with these irreps: the inverse of `cartesian_to_irreps`. Degrees left out count as 0.

    Raises ValueError for degrees other than 0, 1, 2, lengths other than 2l+1, and inexact entries.
    """
    matrix = [[SurdSum()] * 3 for _ in range(3)]
    for l, components in irreps.items():
        if l not in DEGREES:
            raise ValueError(f"irreps: got degree {l!r}; a 3×3 matrix has degrees 0, 1 and 2")
        vector = _exact_vector(f"irreps[{l}]", components, 2 * l + 1)
        for c in cartesian_basis()[l]:
            matrix[c.m_filter + 1][c.m_input + 1] += vector[c.m_output + l] * c.value
    return tuple(map(tuple, matrix))


def _exact_vector(name: str, values: Sequence[Exact], length: int) -> list[SurdSum]:
    if len(values) != length:
        raise ValueError(f"{name}: got {len(values)} entries in a row; it must have {length}")
    for value in values:
        if not isinstance(value, Exact):
            raise ValueError(f"{name}: got {value!r}; every entry must be an int, Fraction, Surd or SurdSum")
    return [SurdSum() + value for value in values]
