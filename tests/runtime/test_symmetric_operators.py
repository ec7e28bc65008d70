"""Symmetric contractions: against a sum over all orders, to every order of derivatives."""

from __future__ import annotations

import itertools
import platform

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import tfngen
from tests.runtime.test_machine_code import DOUBLE
from tfngen.runtime.cpu import launch
from tfngen.runtime.cpu.symmetric import CONTRACT, DIFFERENTIATE
from tfngen.runtime.monomials import Monomials
from tfngen.runtime.symmetric_operators import symmetric_contraction
from tfngen.tracing import repeats

COMPONENTS, OUTPUTS, SPECIES = 5, 4, 3
EACH = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 2, 2), (0, 1, 2, 4), (0, 4, 4, 4),
    (2, 0, 1, 2), (2, 0, 3, 3), (2, 1, 1, 1), (2, 2, 3, 4), (3, 0, 1, 2),
)  # fmt: skip
"""Of one, two and three different components; no monomial for one output, and one for another."""
MONOMIALS = Monomials(COMPONENTS, OUTPUTS, EACH)


def operands(nodes, channels, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    species = torch.randint(SPECIES, (nodes,), generator=generator)
    return species, random(SPECIES, len(EACH), channels), random(nodes, COMPONENTS, channels)


def summed_over_all_orders(species, coefficients, x):
    found = [x.new_zeros(x.shape[0], x.shape[2]) for _ in range(OUTPUTS)]
    for number, (output, *three) in enumerate(EACH):
        for i, j, k in {*itertools.permutations(three)}:
            found[output] = found[output] + coefficients[species, number] * x[:, i] * x[:, j] * x[:, k]
    return torch.stack(found, 1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)], ids=str)
@pytest.mark.parametrize(("nodes", "channels"), [(0, 4), (1, 1), (7, 7), (40, 33), (300, 128), (3, 0)])
def test_values_and_gradients_are_sums_over_all_orders(nodes, channels, dtype, tolerance):
    species, coefficients, x = operands(nodes, channels, dtype)
    weights = torch.randn(nodes, OUTPUTS, channels, generator=torch.Generator().manual_seed(1))
    results = []
    for function, to in ((summed_over_all_orders, torch.float64), (symmetric, dtype)):
        given = [each.to(to).requires_grad_() for each in (coefficients, x)]
        out = function(species, *given)
        gradients = torch.autograd.grad((out * weights.to(to)).sum(), given)
        results.append((out, *gradients))
    for wanted, found in zip(*results, strict=True):
        assert found.dtype == dtype
        scale = float(wanted.detach().abs().max()) if wanted.numel() else 1.0
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=tolerance * max(scale, 1.0))


def symmetric(species, coefficients, x):
    return symmetric_contraction(MONOMIALS, species, coefficients, x)


def test_derivatives_of_every_order():
    species, *given = operands(4, 3)
    for each in given:
        each.requires_grad_()

    def function(coefficients, x):
        return symmetric(species, coefficients, x)

    def gradient(coefficients, x):
        square = function(coefficients, x).square().sum()
        return torch.autograd.grad(square, (coefficients, x), create_graph=True)

    assert gradcheck(function, given)
    assert gradgradcheck(function, given)
    assert gradgradcheck(gradient, given, fast_mode=True)


def test_the_hessian_is_symmetric():
    species, coefficients, x = operands(2, 3)
    hessian = torch.autograd.functional.hessian(lambda x: symmetric(species, coefficients, x).exp().sum(), x)
    hessian = hessian.reshape(x.numel(), x.numel())
    torch.testing.assert_close(hessian, hessian.T)
    assert hessian.abs().max() > 1


def test_inputs_that_are_one_tensor_have_one_derivative(monkeypatch):
    calls = []
    compute = launch.symmetric_d_input
    monkeypatch.setattr(launch, "symmetric_d_input", lambda *given: calls.append(1) or compute(*given))
    species, coefficients, x = operands(5, 4)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(symmetric(species, coefficients, x).sum(), x, create_graph=True)
    assert len(calls) == 1
    torch.autograd.grad(slope.square().sum(), x)
    assert len(calls) == 2


def test_three_tensors_that_differ():
    """S is linear in each, and the same whatever their order."""
    species, coefficients, one = operands(6, 5)
    two, three = (operands(6, 5, seed=seed)[2] for seed in (1, 2))
    operator = torch.ops.tfngen.symmetric_output
    for each in (one, two, three):
        each.requires_grad_()

    def function(*given):
        return operator(MONOMIALS.numbers, species, coefficients, *given)

    first = function(one, two, three)
    for given in itertools.permutations((one, two, three)):
        torch.testing.assert_close(function(*given), first)
    torch.testing.assert_close(function(one + two, two, three), first + function(two, two, three))
    assert gradcheck(function, (one, two, three))
    assert gradgradcheck(function, (one, two, three), fast_mode=True)


def test_results_are_the_same_bits_whatever_the_number_of_threads():
    species, coefficients, x = operands(700, 100, torch.float32)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            given = [each.clone().requires_grad_() for each in (coefficients, x)]
            out = symmetric(species, *given)
            results.append((out, *torch.autograd.grad(out.square().sum(), given)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


def test_whatever_lies_in_memory_otherwise():
    species, coefficients, x = operands(6, 5)
    wanted = symmetric(species, coefficients, x)
    turned = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(symmetric(species, coefficients.repeat(1, 1, 2)[..., :5], turned), wanted)
    half = symmetric(species, coefficients.half(), x.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), wanted, rtol=0, atol=5e-3 * float(wanted.abs().max()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("species", lambda s, c, x: (s + 1, c, x)),
        ("species", lambda s, c, x: (s - 1, c, x)),
        ("species", lambda s, c, x: (s.int(), c, x)),
        ("species", lambda s, c, x: (s[:-1], c, x)),
        ("coefficients", lambda s, c, x: (s, c[:, 1:], x)),
        ("coefficients", lambda s, c, x: (s, c.float(), x)),
        ("one", lambda s, c, x: (s, c, x[:, 1:])),
        ("three", lambda s, c, x: (s, c, x[0])),
        ("three", lambda s, c, x: (s, c, x.long())),
    ],
)
def test_what_does_not_fit_is_refused(name, change):
    species, coefficients, x = operands(9, 4)
    species[:SPECIES] = torch.arange(SPECIES)
    with pytest.raises(ValueError, match=rf"^{name}: "):
        symmetric(*change(species, coefficients, x))


@pytest.mark.parametrize(
    ("each", "message"),
    [
        (((4, 0, 0, 0),), "each: output 4"),
        (((0, 0, 2, 1),), "each: components"),
        (((0, 0, 0, 5),), "each: components"),
        (((0, -1, 0, 0),), "each: components"),
        (((0, 0, 0, 1), (0, 0, 0, 1)), "each: some monomial is there twice"),
    ],
)
def test_monomials_that_cannot_be(each, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Monomials(COMPONENTS, OUTPUTS, each)
    with pytest.raises(ValueError, match=r"^monomials: 3 integers"):
        Monomials.of((5, 4, 0))


def test_no_monomials_at_all():
    none = Monomials(2, 3, ())
    coefficients, x = torch.ones(1, 0, 4, requires_grad=True), torch.ones(5, 2, 4, requires_grad=True)
    out = symmetric_contraction(none, torch.zeros(5, dtype=torch.int64), coefficients, x)
    assert torch.equal(out, torch.zeros(5, 3, 4))
    assert torch.equal(torch.autograd.grad(out.sum(), x)[0], torch.zeros_like(x))


@pytest.mark.parametrize("name", ["output", "d_input", "d_coefficient"])
def test_operators_pass_opcheck(name):
    species, coefficients, x = operands(4, 3)
    other, grad = operands(4, 3, seed=1)[2], torch.randn(4, OUTPUTS, 3, dtype=torch.float64)
    taken = {
        "output": (coefficients, x, x, other),
        "d_input": (coefficients, grad, x, other),
        "d_coefficient": (SPECIES, grad, x, x, other),
    }[name]
    given = [each.requires_grad_() if isinstance(each, torch.Tensor) else each for each in taken]
    operator = getattr(torch.ops.tfngen, f"symmetric_{name}").default
    torch.library.opcheck(operator, (MONOMIALS.numbers, species, *given))


def test_compiled_and_traced(monkeypatch):
    monkeypatch.setattr(repeats, "PATIENCE", 1)
    species, coefficients, x = operands(12, 9, torch.float32)

    def function(species, coefficients, x):
        x = x.detach().requires_grad_()
        out = symmetric(species, coefficients, x)
        return out.detach(), torch.autograd.grad(out.square().sum(), x)[0]

    compiled = torch.compile(lambda *given: symmetric(*given), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(species, coefficients, x), symmetric(species, coefficients, x))
    traced = tfngen.trace(function)
    for scale in (1.0, 2.0, 3.0, 4.0):
        given = species, coefficients, x * scale
        for found, wanted in zip(traced(*given), function(*given), strict=True):
            torch.testing.assert_close(found, wanted)
    assert any(each._tape for each in traced._seen.values())


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 machine code")
@pytest.mark.parametrize("kernels", [CONTRACT, DIFFERENTIATE], ids=["contract", "differentiate"])
def test_float32_kernels_compute_in_float32_only(kernels):
    assert not DOUBLE.findall(kernels[torch.float32].assembly())
    assert DOUBLE.findall(kernels[torch.float64].assembly())
