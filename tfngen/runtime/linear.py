"""A linear layer with many results for each row, such as all weights of an edge.

A new result of a hundred megabytes costs more in page faults than in arithmetic: on a processor it lies in
memory that is used again (`tfngen.runtime.cpu.memory`), and so do those of its derivatives that are as large.
The layer and its transpose are each other's derivatives, to every order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tfngen.runtime.backend import backend
from tfngen.runtime.dispatch import apply, are_watched, needs_gradient
from tfngen.runtime.operators import wanted_gradients


def linear(rows: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """rows · matrixᵀ + bias, as `torch.nn.functional.linear`.

    Args:
        rows: (rows, columns).
        matrix: (results, columns).
        bias: (results,).

    Returns:
        (rows, results), contiguous.
    """
    tensors = (rows, matrix) if bias is None else (rows, matrix, bias)
    plain = rows.dtype in (torch.float32, torch.float64) and all(each.dtype == rows.dtype for each in tensors)
    if not plain or are_watched(tensors) or torch.is_autocast_enabled(rows.device.type):
        return functional.linear(rows, matrix, bias)
    if needs_gradient(tensors):
        found: Tensor = apply(_Linear, *tensors)
        return found
    return _linear(*tensors)


def _linear(rows: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    result: Tensor = backend(rows.device).empty(rows, rows.shape[0], matrix.shape[0])
    if bias is None:
        return torch.mm(rows, matrix.t(), out=result)
    return torch.addmm(bias, rows, matrix.t(), out=result)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
        ctx.save_for_backward(rows, matrix)
        return _linear(rows, matrix, bias)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        rows, matrix = ctx.saved_tensors
        by_rows, by_matrix, *by_bias = wanted_gradients(ctx)
        return (
            _transposed(cotangent, matrix) if by_rows else None,
            cotangent.t() @ rows if by_matrix else None,
            *(cotangent.sum(0) if each else None for each in by_bias),
        )


def _transposed(values: Tensor, matrix: Tensor) -> Tensor:
    """values · matrix, whose derivative by `values` is `linear`."""
    if are_watched((values, matrix)) or not needs_gradient((values, matrix)):
        return values @ matrix
    found: Tensor = apply(_Transposed, values, matrix)
    return found


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(values, matrix)
        return values @ matrix

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        values, matrix = ctx.saved_tensors
        by_values, by_matrix = wanted_gradients(ctx)
        return (
            linear(cotangent, matrix) if by_values else None,
            values.t() @ cotangent if by_matrix else None,
        )
