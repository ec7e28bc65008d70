"""Exact mathematics: every number here is a rational or the square root of one.

Read in this order:

    surd            Surd, SurdSum: the two number types
    polynomial      homogeneous polynomials in x, y, z and their integrals over the sphere
    harmonics       real spherical harmonics, their factorised form, their gradients
    clebsch_gordan  coupling coefficients, complex (half-integers too) and real
    wigner          rotation matrices of every degree, exact and numeric
    cartesian       3×3 matrices as 0 ⊕ 1 ⊕ 2
    describe        all of it as text, LaTeX and JSON

Nothing is imported here: `tfngen.symbolic.surd` alone needs the standard library alone.
"""
