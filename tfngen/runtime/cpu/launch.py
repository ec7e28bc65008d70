"""Launch kernels on torch tensors: addresses, strides, threads. Shapes have been checked by now."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from tfngen import naming
from tfngen.irreps import Path
from tfngen.roles import Role
from tfngen.runtime import registry
from tfngen.runtime.cpu.convolve import convolution
from tfngen.runtime.cpu.memory import empty
from tfngen.runtime.cpu.pack import pack
from tfngen.runtime.cpu.radial import bessel, polynomial_cutoff
from tfngen.runtime.cpu.row_products import row_product, row_product_backward
from tfngen.runtime.cpu.rows import sum_rows
from tfngen.runtime.cpu.symmetric import symmetric_d_coefficient, symmetric_d_input, symmetric_output
from tfngen.runtime.cpu.threads import parallel_for
from tfngen.runtime.cpu.turn import turn_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tfngen.runtime.cpu.kernel import Kernel

__all__ = [
    "STORES_HALF",
    "bessel",
    "convolution",
    "empty",
    "gather_rows",
    "harmonics",
    "pack",
    "path",
    "polynomial_cutoff",
    "row_product",
    "row_product_backward",
    "sum_rows",
    "symmetric_d_coefficient",
    "symmetric_d_input",
    "symmetric_output",
    "turn_rows",
]

HARMONICS = ("harmonics", "harmonics_vjp", "harmonics_vjp_vjp")

STORES_HALF = False
"""Operands of half precision are widened before, and results rounded after."""


def path(
    package: str, degrees: Sequence[int], role: Role, operands: dict[str, Tensor | None], result: Tensor
) -> None:
    """Fill `result` with `role` of the path `degrees`; a weight of None stands for ones.

    Per-channel tensors are (edges, channels, components) with a channel stride of 1.
    """
    edges = result.shape[0]
    channels = next(t.shape[1] for t in (operands.get("input"), operands.get("grad")) if t is not None)
    if "weight" in operands and operands["weight"] is None:
        operands["weight"] = result.new_ones(channels).expand(edges, channels)
    arguments: list[int] = [channels]
    for slot in role.operands:
        operand = operands[slot]
        assert operand is not None
        arguments += _row(operand) if slot in ("filter", "weight") else _rows(operand)
    arguments += _row(result) if role in (Role.D_FILTER, Role.D_WEIGHT) else _rows(result)
    module = registry.kernels(package, "cpu", result.dtype, naming.path_module(Path(*degrees)))
    work = edges * channels * (2 * degrees[1] + 1) * (2 * degrees[2] + 1)
    parallel_for(getattr(module, role.value), edges, work, arguments)


def harmonics(package: str, order: int, tensors: Sequence[Tensor]) -> None:
    """Run the harmonics' kernel of `order`; `tensors` are its operands and results, rows contiguous.

    The first of them are the points; the second has all harmonics, values or their cotangents.
    """
    kernel = _harmonics_kernel(package, tensors[0].dtype, order)
    points, width = tensors[1].shape
    addresses = [tensor.data_ptr() for tensor in tensors]
    parallel_for(kernel, points, 4 * points * width * (order + 1), addresses)


@cache
def _harmonics_kernel(package: str, dtype: torch.dtype, order: int) -> Kernel:
    module = registry.kernels(package, "cpu", dtype, naming.HARMONICS_MODULE)
    found: Kernel = getattr(module, HARMONICS[order])
    return found


def gather_rows(rows: Tensor, index: Tensor, result: Tensor) -> None:
    """result[e] = rows[index[e]]; rows are contiguous."""
    torch.index_select(rows, 0, index, out=result)


def _row(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.stride(0)


def _rows(tensor: Tensor) -> tuple[int, int, int]:
    return tensor.data_ptr(), tensor.stride(0), tensor.stride(2)
