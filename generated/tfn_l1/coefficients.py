"""Every coefficient of tfn_l1, exactly.

A coefficient is (sign, numerator, denominator), which stands for sign · √(numerator / denominator).

HARMONICS[l, m] lists the monomials of the solid harmonic: ((i, j, k), coefficient) stands for
coefficient · xⁱ yʲ zᵏ.
CLEBSCH_GORDAN[l_F, l_I, l_O] lists the nonzero C[m_F, m_I, m_O] as (m_F, m_I, m_O, sign, numerator,
denominator), with m from −l to l; they are unitary: Σ over (m_F, m_I) of C² is 1 for every m_O.
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

HARMONICS = {
    (0, 0): (
        ((0, 0, 0), (1, 1, 1)),
    ),
    (1, -1): (
        ((1, 0, 0), (1, 3, 1)),
    ),
    (1, 0): (
        ((0, 1, 0), (1, 3, 1)),
    ),
    (1, 1): (
        ((0, 0, 1), (1, 3, 1)),
    ),
}

CLEBSCH_GORDAN = {
    (0, 0, 0): (
        (0, 0, 0, 1, 1, 1),
    ),
    (0, 1, 1): (
        (0, -1, -1, 1, 1, 1),
        (0, 0, 0, 1, 1, 1),
        (0, 1, 1, 1, 1, 1),
    ),
    (1, 0, 1): (
        (-1, 0, -1, 1, 1, 1),
        (0, 0, 0, 1, 1, 1),
        (1, 0, 1, 1, 1, 1),
    ),
    (1, 1, 0): (
        (-1, -1, 0, 1, 1, 3),
        (0, 0, 0, 1, 1, 3),
        (1, 1, 0, 1, 1, 3),
    ),
    (1, 1, 1): (
        (-1, 0, 1, 1, 1, 2),
        (-1, 1, 0, -1, 1, 2),
        (0, -1, 1, -1, 1, 2),
        (0, 1, -1, 1, 1, 2),
        (1, -1, 0, 1, 1, 2),
        (1, 0, -1, -1, 1, 2),
    ),
}
