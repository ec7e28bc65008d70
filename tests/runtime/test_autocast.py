"""Under `torch.autocast` kernels compute in float32 on whatever half-precision operands reach them."""

from __future__ import annotations

import pytest
import torch

from tfngen import Graph


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


def test_without_autocast_half_precision_is_refused(tfn_l1):
    convolution, graph, y, scalars, vectors, radial, lengths = problem(tfn_l1)
    with pytest.raises(ValueError, match="bfloat16"):
        tfn_l1.spherical_harmonics(torch.ones(1, 3).bfloat16())
    with pytest.raises(ValueError, match="bfloat16"):
        convolution(graph, y, {"0e": scalars, "1o": vectors}, radial(lengths).bfloat16())
