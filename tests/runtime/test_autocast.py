"""Half precision, under `torch.autocast` and without: kernels compute and sum in float32."""

from __future__ import annotations

import pytest
import torch

import tfngen
from tfngen import Graph
from tfngen.runtime.autocast import HALF


def problem(tfn_l1):
    torch.manual_seed(0)
    convolution = tfn_l1.Convolution("4x0e+4x1o", "0e+1o", "0e+1o")
    graph = Graph(torch.randint(0, 5, (2, 12)), 5)
    scalars, vectors = torch.randn(5, 4, 1), torch.randn(5, 4, 3)
    radial = torch.nn.Linear(3, convolution.weight_numel)
    return convolution, graph, torch.randn(12, 4), scalars, vectors, radial, torch.randn(12, 3)


def test_operands_of_half_precision_are_widened(tfn_l1):
    """What a linear layer makes of them there; values and gradients are those of the rounded operands."""
    convolution, graph, y, scalars, vectors, radial, lengths = problem(tfn_l1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = radial(lengths)
        assert weights.dtype == torch.bfloat16
        out = convolution(graph, y.bfloat16(), {"0e": scalars.bfloat16(), "1o": vectors}, weights)
    assert all(each.dtype == torch.float32 for each in out.values())
    rounded = {"0e": scalars.bfloat16().float(), "1o": vectors}
    expected = convolution(graph, y.bfloat16().float(), rounded, weights.float())
    assert all(torch.equal(out[irrep], expected[irrep]) for irrep in out)
    sum(each.square().sum() for each in out.values()).backward()
    assert radial.weight.grad.dtype == torch.float32
    assert radial.weight.grad.abs().max() > 0


def test_products_and_harmonics_too(tfn_l1):
    r, x = torch.randn(6, 3), torch.randn(6, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = tfn_l1.spherical_harmonics(r.bfloat16())
        z = tfn_l1.tensor_product((1, 1, 0), y[:, 1:].bfloat16(), x, torch.ones(2).bfloat16())
    assert y.dtype == z.dtype == torch.float32
    assert torch.equal(y, tfn_l1.spherical_harmonics(r.bfloat16().float()))


@pytest.mark.parametrize("half", HALF)
def test_half_precision_in_memory(tfn_l1, half):
    """Without autocast results and gradients are what float32 makes of the operands, rounded once."""
    convolution, graph, y, scalars, vectors, radial, lengths = problem(tfn_l1)
    leaves = [y, radial(lengths).detach(), scalars, vectors]

    def results(dtype):
        taken = [leaf.to(half).to(dtype).requires_grad_() for leaf in leaves]
        out = convolution(graph, taken[0], {"0e": taken[2], "1o": taken[3]}, taken[1])
        sums = list(out.values())
        factors = [torch.linspace(-1, 1, each.numel()).view_as(each).to(half).to(dtype) for each in sums]
        return [*sums, *torch.autograd.grad(sums, taken, factors)]

    for found, expected in zip(results(half), results(torch.float32), strict=True):
        assert found.dtype == half
        assert torch.equal(found, expected.to(half))


@pytest.mark.parametrize("half", HALF)
def test_products_in_half_precision(tfn_l1, half):
    x, y, w = torch.randn(6, 2, 3).to(half), torch.randn(6, 3).to(half), torch.randn(6, 2).to(half)
    x.requires_grad_()
    z = tfn_l1.tensor_product((1, 1, 1), y, x, w)
    wide = x.detach().float().requires_grad_()
    expected = tfn_l1.tensor_product((1, 1, 1), y.float(), wide, w.float())
    assert torch.equal(z, expected.to(half))
    ones = torch.ones_like(z)
    (d_x,), (d_wide,) = torch.autograd.grad(z, x, ones), torch.autograd.grad(expected, wide, ones.float())
    assert torch.equal(d_x, d_wide.to(half))


def test_half_precision_that_cannot_be(tfn_l1, tmp_path):
    """Harmonics would lose what points have; a package of float64 alone has nothing to compute with."""
    with pytest.raises(ValueError, match=r"^r: got dtype torch\.bfloat16"):
        tfn_l1.spherical_harmonics(torch.ones(1, 3).bfloat16())
    wide = tfngen.load(1, dtypes=("float64",))
    with pytest.raises(ValueError, match=r"^x: got dtype torch\.float16; .* was built for float64"):
        wide.tensor_product((0, 0, 0), torch.ones(1, 1).half(), torch.ones(1, 1, 1).half())
    convolution, graph, y, scalars, vectors, radial, lengths = problem(tfn_l1)
    with pytest.raises(ValueError, match=r"^weights: dtype torch\.bfloat16"):
        convolution(graph, y, {"0e": scalars, "1o": vectors}, radial(lengths).bfloat16())
