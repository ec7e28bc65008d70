"""The harmonics' kernels, run exactly, against the polynomials they come from and their exact derivatives."""

from fractions import Fraction
from functools import cache
from random import Random

import pytest
import sympy

from tests.ir.kernels import Inputs, ill_formed, random_number, same_function
from tfngen import naming
from tfngen.ir.cost import cost
from tfngen.ir.evaluate import evaluate
from tfngen.ir.lower_harmonics import INVERSE_SQRT_PI, lower_harmonics
from tfngen.ir.nodes import Kernel
from tfngen.ir.plan import plan_harmonics
from tfngen.symbolic.harmonics import NORMALIZATIONS, PI_EXPONENT, gradient, harmonic
from tfngen.symbolic.surd import SurdSum

AXES = "xyz"
LENGTHS_AND_POINTS = [
    (Fraction(3), (2, -1, 2)),
    (Fraction(7, 2), (-3, 1, Fraction(3, 2))),
    (Fraction(9, 5), (Fraction(4, 5), Fraction(-8, 5), Fraction(1, 5))),
    (Fraction(5), (0, 3, -4)),
    (Fraction(1), (0, -1, 0)),
]
"""Rational vectors r of rational length, so that r/|r| is rational, in general position and on an axis."""

every_normalization = pytest.mark.parametrize("normalization", NORMALIZATIONS)
every_point = pytest.mark.parametrize(
    ("length", "point"), LENGTHS_AND_POINTS, ids=lambda each: str(each) if isinstance(each, Fraction) else ""
)


def entries(normalization: str):
    return cache(lambda l: tuple((e.axis, e.m_out, e.m_in, e.value) for e in gradient(l, normalization)))


@cache
def planned(lmax: int, normalization: str) -> tuple[Kernel, ...]:
    return tuple(each.kernel for each in plan_harmonics(lmax, normalization, entries(normalization)).kernels)


@cache
def plain(lmax: int, normalization: str) -> tuple[Kernel, ...]:
    return tuple(lower_harmonics(lmax, normalization, entries(normalization), order) for order in range(3))


def degrees(lmax: int):
    return [(l, m) for l in range(lmax + 1) for m in range(-l, l + 1)]


ONE_OVER_ROOT_PI = SurdSum({1: Fraction(3, 5), 2: Fraction(-1, 7)})
"""What stands for 1/√π: no surd equals it, so any exact number will do, if only it is carried along."""


def exact_inputs(kernel: Kernel, length: Fraction, point: tuple, seed: str = "") -> Inputs:
    """The point's direction and inverse length, and random numbers for gradients and tangents."""
    random = Random(seed)
    values = {s: random_number(random) for operand in kernel.inputs for s in operand.symbols}
    inverse = 1 / length if length else Fraction(0)
    values |= {axis: SurdSum() + Fraction(x) * inverse for axis, x in zip(AXES, point, strict=True)}
    values["inverse_norm"] = SurdSum() + inverse
    return {INVERSE_SQRT_PI: ONE_OVER_ROOT_PI}, [values]


def run(kernel: Kernel, inputs: Inputs) -> dict[str, SurdSum]:
    return {symbol: values[0] for symbol, values in evaluate(kernel, *inputs).items()}


def on_the_sphere(l: int, m: int, normalization: str, point, length) -> tuple[SurdSum, list, list[list]]:
    """Y(r/|r|) = p(r)/|r|^l with its gradient and Hessian by r, p being the solid harmonic.

    With ρ = |r|, by the product and the chain rule:
      ∂_i Y  = ∂_i p/ρ^l − l p r_i/ρ^(l+2)
      ∂_ij Y = ∂_ij p/ρ^l − l (∂_i p r_j + ∂_j p r_i + p δ_ij)/ρ^(l+2) + l (l+2) p r_i r_j/ρ^(l+4)
    """
    p = harmonic(l, m, normalization)
    unit = ONE_OVER_ROOT_PI if PI_EXPONENT[normalization] else SurdSum({1: 1})
    value = unit * p(*point)
    first = [unit * p.derivative(i)(*point) for i in range(3)]
    slope = [first[i] / length**l - value * point[i] * l / length ** (l + 2) for i in range(3)]
    curvature = [
        [
            unit * p.derivative(i).derivative(j)(*point) / length**l
            - (first[i] * point[j] + first[j] * point[i] + value * (i == j)) * l / length ** (l + 2)
            + value * point[i] * point[j] * l * (l + 2) / length ** (l + 4)
            for j in range(3)
        ]
        for i in range(3)
    ]
    return value / length**l, slope, curvature


@pytest.mark.parametrize(("l", "m"), [(0, 0), (1, -1), (2, 0), (3, 2), (4, -1)])
def test_the_derivatives_expected_are_sympys(l, m):
    """The formulas above, which everything below is held against, at one point."""
    r = sympy.symbols("x y z", real=True)
    length, point = LENGTHS_AND_POINTS[0]
    rho = sympy.sqrt(sum(x**2 for x in r))
    expression = harmonic(l, m).to_sympy() / rho**l
    at = dict(zip(r, point, strict=True))
    value, slope, curvature = on_the_sphere(l, m, "component", point, length)
    assert sympy.simplify(expression.subs(at) - value.to_sympy()) == 0
    for i in range(3):
        assert sympy.simplify(expression.diff(r[i]).subs(at) - slope[i].to_sympy()) == 0
        for j in range(3):
            assert sympy.simplify(expression.diff(r[i], r[j]).subs(at) - curvature[i][j].to_sympy()) == 0


@every_normalization
@every_point
def test_values_are_those_of_the_polynomials(normalization, length, point):
    """To l = 6, though computed by recurrence."""
    for kernel in (planned(6, normalization)[0], plain(6, normalization)[0]):
        values = run(kernel, exact_inputs(kernel, length, point))
        assert list(values) == [naming.harmonic(l, m) for l, m in degrees(6)]
        for l, m in degrees(6):
            expected = on_the_sphere(l, m, normalization, point, length)[0]
            assert values[naming.harmonic(l, m)] == expected


@every_normalization
@every_point
def test_the_first_derivative_is_exact(normalization, length, point):
    """d_r = Σ grad ∂Y/∂r, to l = 4."""
    kernel = planned(4, normalization)[1]
    inputs = exact_inputs(kernel, length, point, seed="vjp")
    grads = inputs[1][0]
    expected = [SurdSum()] * 3
    for l, m in degrees(4):
        _, slope, _ = on_the_sphere(l, m, normalization, point, length)
        grad = grads[f"grad_{naming.harmonic(l, m)}"]
        expected = [each + grad * slope[i] for i, each in enumerate(expected)]
    results = run(kernel, inputs)
    assert [results[f"d_{axis}"] for axis in AXES] == expected


@every_normalization
@every_point
def test_the_second_derivative_is_exact(normalization, length, point):
    """d_grad = tangent·∂Y/∂r and d_r = Σ grad (∂²Y/∂r²) tangent, to l = 4."""
    kernel = planned(4, normalization)[2]
    inputs = exact_inputs(kernel, length, point, seed="vjp of the vjp")
    given = inputs[1][0]
    tangent = [given[f"tangent_{axis}"] for axis in AXES]
    results = run(kernel, inputs)
    expected = [SurdSum()] * 3
    for l, m in degrees(4):
        _, slope, curvature = on_the_sphere(l, m, normalization, point, length)
        along = sum((t * s for t, s in zip(tangent, slope, strict=True)), start=SurdSum())
        assert results[f"d_grad_{naming.harmonic(l, m)}"] == along
        grad = given[f"grad_{naming.harmonic(l, m)}"]
        bent = [sum((c * t for c, t in zip(row, tangent, strict=True)), start=SurdSum()) for row in curvature]
        expected = [each + grad * bent[i] for i, each in enumerate(expected)]
    assert [results[f"d_{axis}"] for axis in AXES] == expected


@every_normalization
@pytest.mark.parametrize("lmax", [0, 1, 2, 5])
def test_a_zero_vector_has_a_constant_and_no_derivatives(normalization, lmax):
    """Y_0 alone is not zero there, and every derivative is, whatever the gradients and tangents are."""
    for order, kernel in enumerate(planned(lmax, normalization)):
        results = run(kernel, exact_inputs(kernel, Fraction(0), (0, 0, 0), seed="zero"))
        if order == 0:
            y_0 = results.pop("Y_0")
            assert y_0 == on_the_sphere(0, 0, normalization, (0, 0, 0), Fraction(1))[0]
            assert y_0
        assert results == dict.fromkeys(results, SurdSum())


@every_normalization
@pytest.mark.parametrize("lmax", range(5))
def test_optimised_equals_plain_and_costs_no_more(normalization, lmax):
    """For any numbers in place of x, y, z and 1/|r|, whether or not they are a point of the sphere."""
    for before, after in zip(plain(lmax, normalization), planned(lmax, normalization), strict=True):
        assert ill_formed(before) == ill_formed(after) == []
        assert same_function(before, after, Random(lmax), channels=1)
        assert cost(after).flops(1) <= cost(before).flops(1)


def test_a_kernel_reads_only_what_it_is_given_and_returns_every_component():
    """By order: the unit vector; and gradients; and tangents. 1/√π where, and only where, it is needed."""
    for normalization in NORMALIZATIONS:
        for order, kernel in enumerate(planned(3, normalization)):
            names = [operand.name for operand in kernel.inputs]
            assert names == ["unit", "grad", "tangent"][: order + 1]
            assert kernel.parameters == ((INVERSE_SQRT_PI,) if normalization == "integral" else ())
            widths = [len(operand.symbols) for operand in kernel.outputs]
            assert widths == [[16], [3], [3, 16]][order]


def test_the_recurrence_grows_with_the_number_of_harmonics_not_with_their_degree():
    """Expanded polynomials would need O(l) products for each of them; here it stays below three."""
    for lmax in (3, 6, 8):
        count = cost(planned(lmax, "component")[0]).channel.flops
        assert count <= 3 * (lmax + 1) ** 2


def test_harmonics_to_degree_one_cost_three_products():
    assert cost(planned(1, "component")[0]).channel.multiplies == 3
    assert cost(planned(1, "component")[0]).channel.adds == 0
