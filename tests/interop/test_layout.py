"""Rows of irreps in either layout hold the same features, and turn into each other exactly."""

from __future__ import annotations

import pytest
import torch

from tfngen.interop.layout import to_features, to_rows, turned

IRREPS = "3x0e+2x1o+1x2e+4x1o+0x3o"


def test_the_layouts_are_those_of_e3nn_and_cuequivariance():
    """Two channels of degree 1: channel by channel, or component by component."""
    rows = torch.tensor([[1.0, 2, 3, 10, 20, 30]])
    assert turned(rows, "2x1o", "mul_ir", "ir_mul").tolist() == [[1, 10, 2, 20, 3, 30]]
    assert torch.equal(to_features(rows, "2x1o")["1o"], rows.view(1, 2, 3))


@pytest.mark.parametrize("layout", ["mul_ir", "ir_mul"])
def test_features_become_rows_and_back(layout):
    rows = torch.randn(5, 3 + 6 + 5 + 12)
    features = to_features(rows, IRREPS, layout)
    assert features["1o"].shape == (5, 6, 3)
    assert torch.equal(to_rows(features, IRREPS, layout), rows)
    other = "ir_mul" if layout == "mul_ir" else "mul_ir"
    there = turned(rows, IRREPS, layout, other)
    assert torch.equal(turned(there, IRREPS, other, layout), rows)
    same = to_features(there, IRREPS, other)
    assert all(torch.equal(same[irrep], features[irrep]) for irrep in features)


def test_nothing_is_copied_where_nothing_moves():
    rows = torch.randn(5, 12)
    assert turned(rows, "4x0e+8x0o", "mul_ir", "ir_mul") is rows
    assert turned(rows, "4x1o", "ir_mul", "ir_mul") is rows
    assert to_features(rows, "4x1o", "ir_mul")["1o"].data_ptr() == rows.data_ptr()


def test_turning_is_differentiable():
    rows = torch.randn(3, 14, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: turned(r, "3x1o+1x2e", "mul_ir", "ir_mul"), rows)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: turned(torch.zeros(2, 3), "1o", "mul_ir", "mul"), "wanted"),
        (lambda: to_features(torch.zeros(2, 3), "1o", "e3nn"), "layout"),
        (lambda: turned(torch.zeros(2, 4), "1o", "mul_ir", "ir_mul"), "rows"),
        (lambda: turned(torch.zeros(4), "4x0e", "mul_ir", "ir_mul"), "rows"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=f"^{named}: "):
        call()
