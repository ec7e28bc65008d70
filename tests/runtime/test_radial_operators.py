"""Radial functions as operators: a kernel and torch's operations agree, and derivatives are of the family."""

from __future__ import annotations

import re
from functools import partial

import pytest
import sympy
import torch

from tfngen.runtime import radial
from tfngen.runtime.radial_operators import bessel, polynomial_cutoff

CUTOFF = 3.5
FUNCTIONS = {
    "bessel": (bessel, radial.bessel, 6),
    "polynomial_cutoff": (polynomial_cutoff, radial.polynomial_cutoff, 6),
}
BOUND = {torch.float32: 3e-5, torch.float64: 1e-12}


def distances(count=200, dtype=torch.float64):
    """Some below, at and beyond the cutoff, and some near zero."""
    drawn = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1.2 * CUTOFF
    return torch.cat([drawn, torch.tensor([0, 1e-12, 1e-4, 0.3, CUTOFF], dtype=torch.float64)]).to(dtype)


@pytest.fixture(params=FUNCTIONS)
def functions(request):
    operator, composed, number = FUNCTIONS[request.param]
    return lambda r, order=0: operator(r, CUTOFF, number, order), lambda r, m: composed(r, CUTOFF, number, m)


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("order", range(5))
def test_a_kernel_and_torchs_operations_agree(functions, order, dtype):
    operator, composed = functions
    found, wanted = operator(distances(dtype=dtype), order), composed(distances(), order)
    assert found.dtype == dtype
    for one in (found, composed(distances(dtype=dtype), order)):
        assert (one - wanted).abs().max() < BOUND[dtype] * wanted.abs().max()


@pytest.mark.parametrize("order", range(4))
def test_bessel_functions_are_what_sympy_differentiates(order):
    r, points = sympy.Symbol("r"), [sympy.Rational(1, 7), sympy.Rational(9, 8), sympy.Rational(33, 10)]
    found = bessel(torch.tensor([float(each) for each in points], dtype=torch.float64), CUTOFF, 4, order)
    for n in range(1, 5):
        cutoff = sympy.Rational(7, 2)
        formula = sympy.diff(sympy.sqrt(2 / cutoff) * sympy.sin(n * sympy.pi * r / cutoff) / r, r, order)
        exact = [float(formula.subs(r, each).evalf(30)) for each in points]
        assert found[:, n - 1].tolist() == pytest.approx(exact, rel=1e-12, abs=1e-12)


def test_derivatives_are_those_of_the_function_to_the_third_order(functions):
    operator, _ = functions
    r = distances(6)[:10].requires_grad_()
    assert torch.autograd.gradcheck(operator, r)
    assert torch.autograd.gradgradcheck(operator, r)
    gradient = partial(_slope, operator)
    assert torch.autograd.gradgradcheck(gradient, r)


def _slope(operator, r):
    return torch.autograd.grad(operator(r).square().sum(), r, create_graph=True)[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operators_pass_opcheck(name):
    operator = getattr(torch.ops.tfngen, name).default
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        torch.library.opcheck(operator, (CUTOFF, 4, 1, distances(5, dtype).requires_grad_()))


def test_any_shape_and_layout_and_none(functions):
    operator, _ = functions
    r = distances(115).view(4, 30)
    wanted = operator(r.flatten()).unflatten(0, (4, 30))
    assert torch.equal(operator(r), wanted)
    assert torch.equal(operator(r.T), wanted.transpose(0, 1))
    assert torch.equal(operator(r[:, ::3]), wanted[:, ::3])
    assert operator(r[:0]).shape == (0, *wanted.shape[1:])


def test_half_precision_is_computed_in_float32(functions):
    operator, _ = functions
    r = distances(dtype=torch.bfloat16)
    assert torch.equal(operator(r), operator(r.float()).bfloat16())


def test_the_same_bits_on_any_number_of_threads(functions):
    operator, _ = functions
    r, before = distances(100_000), torch.get_num_threads()
    found = operator(r)
    try:
        torch.set_num_threads(1)
        assert torch.equal(operator(r), found)
    finally:
        torch.set_num_threads(before)


def test_under_torch_compile(functions):
    operator, _ = functions
    r = distances(20)
    assert torch.equal(torch.compile(operator, fullgraph=True)(r), operator(r))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bessel(torch.arange(3), 1.0, 2), "distances: torch.int64; they must be floating-point"),
        (lambda: bessel(torch.ones(3), 0.0, 2), "cutoff: 0.0; it must be a finite number > 0"),
        (lambda: bessel(torch.ones(3), 1.0, 0), "number: 0; it must be an integer ≥ 1"),
        (lambda: bessel(torch.ones(3), 1.0, 2, -1), "order: -1; it must be an integer ≥ 0"),
        (lambda: polynomial_cutoff(torch.ones(3), float("nan"), 2), "cutoff: nan"),
        (lambda: polynomial_cutoff(torch.ones(3), 1.0, 1), "p: 1; it must be an integer ≥ 2"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
