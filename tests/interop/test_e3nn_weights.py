"""Weights of an e3nn product become those of a convolution, and back: the same is computed."""

from __future__ import annotations

import pytest
import torch

o3 = pytest.importorskip("e3nn.o3")

import tfngen  # noqa: E402
from tfngen.interop.e3nn import from_e3nn, weights_from_e3nn, weights_to_e3nn  # noqa: E402

IN, FILTER, OUT = "8x0e+5x1o", "0e+1o+2e", "0e+1o+1e+2e"


def product(order: int, coefficient: float = 1.0):
    """Channel by channel; instructions in the order of their output slots, or turned round."""
    sides = o3.Irreps(IN), o3.Irreps(FILTER)
    slots = [
        (left.mul, irrep, i, j)
        for _, irrep in o3.Irreps(OUT)
        for i, left in enumerate(sides[0])
        for j, right in enumerate(sides[1])
        if irrep in left.ir * right.ir
    ]
    instructions = [(i, j, at, "uvu", True, coefficient) for at, (_, _, i, j) in enumerate(slots)]
    return o3.TensorProduct(
        *sides, o3.Irreps([(mul, irrep) for mul, irrep, _, _ in slots]), instructions[::order],
        shared_weights=False,
    )  # fmt: skip


@pytest.mark.parametrize(("order", "coefficient"), [(1, 1.0), (-1, 1.0), (1, 0.5)])
def test_the_convolution_computes_what_the_product_does(order, coefficient, tfn_l2):
    original, convolution = product(order, coefficient), tfn_l2.Convolution(IN, FILTER, OUT)
    graph = tfngen.Graph.complete(5)
    x, r = torch.randn(5, original.irreps_in1.dim), torch.randn(graph.num_edges, 3)
    y = tfn_l2.spherical_harmonics(r)
    weights = torch.randn(graph.num_edges, original.weight_numel)
    messages = original(x[graph.source], y, weights)
    wanted = x.new_zeros(5, messages.shape[1]).index_add(0, graph.target, messages)
    ours = weights_from_e3nn(weights, original, convolution)
    found = convolution(graph, y, from_e3nn(x, o3.Irreps(IN)), ours)
    for irrep, tensor in from_e3nn(wanted, original.irreps_out).items():
        torch.testing.assert_close(found[irrep], tensor, rtol=1e-5, atol=1e-5)
    back = weights_to_e3nn(ours, original, convolution)
    if coefficient == 1.0:
        assert torch.equal(back, weights)
        assert torch.equal(ours.abs().sort(-1).values, weights.abs().sort(-1).values)
    else:
        torch.testing.assert_close(back, weights)


def test_other_paths_or_lengths_are_refused(tfn_l2):
    convolution = tfn_l2.Convolution(IN, FILTER, "0e+1o")
    with pytest.raises(ValueError, match=r"^convolution: "):
        weights_from_e3nn(torch.zeros(3, 59), product(1), convolution)
    with pytest.raises(ValueError, match=r"^original: instruction 0"):
        weights_from_e3nn(torch.zeros(3), o3.FullyConnectedTensorProduct(IN, FILTER, OUT), convolution)
    with pytest.raises(ValueError, match=r"^weights: shape \(3, 4\)"):
        weights_to_e3nn(torch.zeros(3, 4), product(1), tfn_l2.Convolution(IN, FILTER, OUT))
