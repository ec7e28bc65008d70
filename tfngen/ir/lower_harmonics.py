"""Write the spherical harmonics and their first two derivatives down as kernels.

What is recurrent stays recurrent; everything else is left to `passes`, for which this is the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from tfngen import naming
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term, product
from tfngen.symbolic.surd import Surd

GradientEntry = tuple[int, int, int, Surd]
"""(axis, m_out, m_in, G) with ∂Y[l, m_in]/∂r[axis] = Σ G · Y[l − 1, m_out] for solid harmonics."""

INVERSE_SQRT_PI = "INVERSE_SQRT_PI"
_AXES = ("x", "y", "z")


def lower_harmonics(
    lmax: int, normalization: str, gradient: Callable[[int], Sequence[GradientEntry]], order: int = 0
) -> Kernel:
    """Spherical harmonics of a unit vector u = r/|r| for all degrees up to `lmax`, or a derivative.

    order 0, ``harmonics``: Y(u).
    order 1, ``harmonics_vjp``: ∂(grad·Y)/∂r = s (v − u (u·v)), where s = 1/|r| and v = Σ grad ∂Y/∂u.
    order 2, ``harmonics_vjp_vjp``: the derivatives of tangent·(order 1) by grad and by r.

    Y[l, m] is a polar factor (a polynomial in y) times cos or sin of |m| times the azimuth, each by its
    recurrence, which stays accurate at high degree where expanded polynomials cancel (Limpanuparb and
    Milthorpe, arXiv:1410.1748). A solid harmonic's gradient is a sum of harmonics one degree lower, so the
    derivatives need nothing new. When u = 0 every expression below is homogeneous or multiplied by s = 0,
    so a zero vector yields Y_0 alone, and zero derivatives.

    Args:
        lmax: the highest degree.
        normalization: ``component``, ``norm`` or ``integral``.
        gradient: the nonzeros of ∂Y_l/∂r in terms of Y_{l−1}, for l ≥ 1, in the same normalisation.
        order: 0, 1 or 2.
    """
    build = (_harmonics, _harmonics_vjp, _harmonics_vjp_vjp)[order]
    return build(lmax, normalization, gradient)


def _harmonics(lmax: int, normalization: str, _: Callable[[int], Sequence[GradientEntry]]) -> Kernel:
    outputs = tuple(naming.harmonic(l, m) for l in range(lmax + 1) for m in range(-l, l + 1))
    return Kernel(
        name="harmonics",
        inputs=(_per_point("unit", "vectors", _AXES),),
        outputs=(_per_point("Y", "results", outputs),),
        body=tuple(_harmonic_statements(lmax, normalization)),
        parameters=_parameters(normalization),
    )


def _harmonics_vjp(
    lmax: int, normalization: str, gradient: Callable[[int], Sequence[GradientEntry]]
) -> Kernel:
    body = list(_harmonic_statements(lmax - 1, normalization))
    body += _gradient_statements("slope", lmax, gradient, _grad)
    body += _tangent("d", "slope", _sum_of(("inverse_norm",)))
    return Kernel(
        name="harmonics_vjp",
        inputs=(_per_point("unit", "vectors", (*_AXES, "inverse_norm")), _grads(lmax)),
        outputs=(_per_point("d_vector", "results", ("d_x", "d_y", "d_z")),),
        body=tuple(body),
        parameters=_parameters(normalization),
    )


def _harmonics_vjp_vjp(
    lmax: int, normalization: str, gradient: Callable[[int], Sequence[GradientEntry]]
) -> Kernel:
    """With t = s (h − u (u·h)), H the Hessian of grad·Y, v its slope and h the cotangent:

    d_grad = t·∂Y/∂u
    d_r    = s [(H t) − u (u·H t) − t (u·v) − u (t·v)] − s² (u·h) (v − u (u·v))
    """
    body = list(_harmonic_statements(lmax - 1, normalization))
    body += _gradient_statements("slope", lmax, gradient, _grad)
    body.append(_dot("along", "unit", "tangent"))
    body += _tangent("t", "tangent", _sum_of(("inverse_norm",)), radial="along")
    d_grads = []
    for l in range(lmax + 1):
        for m in range(-l, l + 1):
            entries = gradient(l) if l else ()
            terms = [
                Term(value, (f"t_{_AXES[axis]}", naming.harmonic(l - 1, m_out)))
                for axis, m_out, m_in, value in entries
                if m_in == m
            ]
            d_grads.append(f"d_{_grad(l, m)}")
            body.append(Statement(d_grads[-1], Sum(tuple(terms))))
    for l in range(1, lmax + 1):  # the slope's own coefficients, differentiated along t
        for m_out in range(-(l - 1), l):
            terms = [
                Term(value, (f"t_{_AXES[axis]}", _grad(l, m_in)))
                for axis, m, m_in, value in gradient(l)
                if m == m_out
            ]
            body.append(Statement(_along(l - 1, m_out), Sum(tuple(terms))))
    body += _gradient_statements("bend", lmax - 1, gradient, _along)
    body.append(_dot("radial_slope", "unit", "slope"))
    body.append(_dot("radial_bend", "unit", "bend"))
    body.append(_dot("slope_along_t", "t", "slope"))
    minus = -ONE
    for axis in _AXES:
        across = Sum((Term(ONE, (f"slope_{axis}",)), Term(minus, (axis, "radial_slope"))))
        body.append(Statement(f"across_{axis}", across))
        bracket = Sum(
            (
                Term(ONE, (f"bend_{axis}",)),
                Term(minus, (axis, "radial_bend")),
                Term(minus, (f"t_{axis}", "radial_slope")),
                Term(minus, (axis, "slope_along_t")),
                Term(minus, ("inverse_norm", "along", f"across_{axis}")),
            )
        )
        body.append(Statement(f"d_{axis}", product("inverse_norm", bracket)))
    return Kernel(
        name="harmonics_vjp_vjp",
        inputs=(
            _per_point("unit", "vectors", (*_AXES, "inverse_norm")),
            _grads(lmax),
            _per_point("tangent", "tangents", tuple(f"tangent_{axis}" for axis in _AXES)),
        ),
        outputs=(
            _per_point("d_vector", "results", ("d_x", "d_y", "d_z")),
            _per_point("d_grad", "grad_results", tuple(d_grads)),
        ),
        body=tuple(body),
        parameters=_parameters(normalization),
    )


def _harmonic_statements(lmax: int, normalization: str) -> Iterable[Statement]:
    """Y[l, m] = polar[l, |m|](y) · (cos or sin)(|m| φ) for all l ≤ lmax."""
    if lmax < 0:
        return
    for m in range(2, lmax + 1):
        cos, sin = _azimuth(m - 1), _azimuth(1 - m)
        yield Statement(_azimuth(m), Sum((Term(ONE, ("z", cos)), Term(-ONE, ("x", sin)))))
        yield Statement(_azimuth(-m), Sum((Term(ONE, ("z", sin)), Term(ONE, ("x", cos)))))
    polar: dict[tuple[int, int], Sum] = {}
    for l in range(lmax + 1):
        for m in range(l + 1):
            polar[l, m] = _polar(l, m, normalization, polar)
            if l - m >= 2:  # anything shorter is a constant, or a constant times y
                yield Statement(f"polar_{l}_{m}", polar[l, m])
                polar[l, m] = product(f"polar_{l}_{m}")
        for m in range(-l, l + 1):
            (term,) = polar[l, abs(m)].terms
            factors = (*term.factors, _azimuth(m)) if m else term.factors
            yield Statement(naming.harmonic(l, m), Sum((Term(term.coefficient, factors),)))


def _polar(l: int, m: int, normalization: str, lower: dict[tuple[int, int], Sum]) -> Sum:
    """The polar factor of Y[l, ±m] from those of the two degrees below it."""
    if l == m:
        return Sum((_sectoral(l, normalization),))
    degree = _degree_scale(l, normalization)
    if l == m + 1:
        (term,) = lower[m, m].terms
        ratio = degree / _degree_scale(m, normalization)
        return Sum((Term(term.coefficient * Surd.sqrt(2 * m + 3) * ratio, (*term.factors, "y")),))
    if (l, m) == (2, 0):  # homogeneous, so that it vanishes with the vector
        (term,) = lower[0, 0].terms
        scale = term.coefficient * Surd.sqrt(5) * degree / _degree_scale(0, normalization)
        half = Surd.from_rational(Fraction(-1, 2))
        inner = Sum((Term(ONE, ("y", "y")), Term(half, ("x", "x")), Term(half, ("z", "z"))))
        return Sum((Term(scale, (*term.factors, inner)),))
    width = Fraction((l - m) * (l + m))
    rise = Surd.sqrt(Fraction((2 * l - 1) * (2 * l + 1)) / width) * degree
    fall = Surd.sqrt(Fraction((2 * l + 1) * (l + m - 1) * (l - m - 1), 2 * l - 3) / width) * degree
    above = [
        Term(term.coefficient * rise / _degree_scale(l - 1, normalization), ("y", *term.factors))
        for term in lower[l - 1, m].terms
    ]
    below = [
        Term(-(term.coefficient * fall / _degree_scale(l - 2, normalization)), term.factors)
        for term in lower[l - 2, m].terms
    ]
    return Sum((*above, *below))


def _sectoral(m: int, normalization: str) -> Term:
    """The constant polar factor of Y[m, ±m]: √(2 · (2m+1)!! / (2m)!!), halved under the root at m = 0."""
    squared = Fraction(1 if m == 0 else 2)
    for k in range(1, m + 1):
        squared *= Fraction(2 * k + 1, 2 * k)
    return Term(Surd.sqrt(squared) * _degree_scale(m, normalization), _parameters(normalization))


def _degree_scale(l: int, normalization: str) -> Surd:
    """What a normalisation multiplies ``component`` by at degree `l`, but for the 1/√π of ``integral``."""
    if normalization == "norm":
        return ONE / Surd.sqrt(2 * l + 1)
    return Surd.from_rational(Fraction(1, 2)) if normalization == "integral" else ONE


def _parameters(normalization: str) -> tuple[str, ...]:
    return (INVERSE_SQRT_PI,) if normalization == "integral" else ()


def _azimuth(m: int) -> str:
    """The name of Re (z + ix)^m for m ≥ 1, of Im (z + ix)^|m| for m ≤ −1."""
    if abs(m) == 1:
        return "z" if m > 0 else "x"
    return f"cos_{m}" if m > 0 else f"sin_{-m}"


def _gradient_statements(
    name: str,
    lmax: int,
    gradient: Callable[[int], Sequence[GradientEntry]],
    weight: Callable[[int, int], str],
) -> Iterable[Statement]:
    """name_axis = Σ weight[l, m] ∂Y[l, m]/∂u_axis, gathered by the lower harmonics Y[l − 1]."""
    for axis, letter in enumerate(_AXES):
        terms = []
        for l in range(1, lmax + 1):
            for m_out in range(-(l - 1), l):
                weighted = tuple(
                    Term(value, (weight(l, m_in),))
                    for at, m, m_in, value in gradient(l)
                    if at == axis and m == m_out
                )
                if weighted:
                    terms.append(Term(ONE, (naming.harmonic(l - 1, m_out), Sum(weighted))))
        yield Statement(f"{name}_{letter}", Sum(tuple(terms)))


def _tangent(name: str, vector: str, scale: Sum, radial: str = "radial") -> Iterable[Statement]:
    """name = scale · (vector − u (u·vector)): the part of a vector along the sphere."""
    if radial == "radial":
        yield _dot("radial", "unit", vector)
    for axis in _AXES:
        across = Sum((Term(ONE, (f"{vector}_{axis}",)), Term(-ONE, (axis, radial))))
        (term,) = scale.terms
        yield Statement(f"{name}_{axis}", Sum((Term(term.coefficient, (*term.factors, across)),)))


def _dot(name: str, left: str, right: str) -> Statement:
    """name = left · right; ``unit`` has the bare names x, y, z."""
    prefix = "" if left == "unit" else f"{left}_"
    return Statement(name, Sum(tuple(Term(ONE, (f"{prefix}{axis}", f"{right}_{axis}")) for axis in _AXES)))


def _sum_of(factors: tuple[str, ...]) -> Sum:
    return Sum((Term(ONE, factors),))


def _grad(l: int, m: int) -> str:
    return f"grad_{naming.harmonic(l, m)}"


def _along(l: int, m: int) -> str:
    return f"along_{naming.harmonic(l, m)}"


def _grads(lmax: int) -> Operand:
    symbols = tuple(_grad(l, m) for l in range(lmax + 1) for m in range(-l, l + 1))
    return _per_point("grad", "grads", symbols)


def _per_point(name: str, array: str, symbols: tuple[str, ...]) -> Operand:
    return Operand(name, array, symbols, Scope.CHANNEL)
