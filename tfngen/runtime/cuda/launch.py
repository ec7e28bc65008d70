"""Launch kernels on tensors of a GPU: the same functions as `tfngen.runtime.cpu.launch`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from tfngen import naming
from tfngen.gpu import MOST_THREADS, WARP
from tfngen.irreps import Path
from tfngen.roles import Role
from tfngen.runtime.cuda.convolve import convolution
from tfngen.runtime.cuda.precision import kernels, suited
from tfngen.runtime.cuda.rows import sum_rows
from tfngen.runtime.cuda.run import place, run
from tfngen.runtime.cuda.symmetric import symmetric_d_coefficient, symmetric_d_input, symmetric_output
from tfngen.runtime.layout import pack

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "STORES_HALF",
    "convolution",
    "empty",
    "gather_rows",
    "harmonics",
    "pack",
    "path",
    "row_product",
    "row_product_backward",
    "sum_rows",
    "symmetric_d_coefficient",
    "symmetric_d_input",
    "symmetric_output",
    "turn_rows",
]

HARMONICS = ("harmonics", "harmonics_vjp", "harmonics_vjp_vjp")

STORES_HALF = True
"""Kernels read and write half precision as it is."""


def empty(like: Tensor, *shape: int) -> Tensor:
    """Room for a result, of `like`'s dtype and on its device."""
    return like.new_empty(shape)


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
    values: dict[str, Any] = {"edges": edges, "channels": channels}
    for name, tensor in (*operands.items(), ("result", result)):
        assert tensor is not None
        values |= {f"{name}s": place(tensor), f"{name}_row": tensor.stride(0)}
        if tensor.dim() == 3:
            values[f"{name}_step"] = tensor.stride(2)
    module = kernels(package, result.dtype, naming.path_module(Path(*degrees)))
    blocks = -(-edges * WARP // MOST_THREADS)
    kernel = suited(getattr(module, role.value), result.dtype)
    run(kernel, (blocks, 1), MOST_THREADS, values, result.device)


def harmonics(package: str, order: int, tensors: Sequence[Tensor]) -> None:
    """Run the harmonics' kernel of `order`; `tensors` are its operands and results, rows contiguous."""
    module = kernels(package, tensors[0].dtype, naming.HARMONICS_MODULE)
    kernel, points = getattr(module, HARMONICS[order]), tensors[0].shape[0]
    values = dict(zip(kernel.arguments, (points, *map(place, tensors)), strict=True))
    run(kernel, (-(-points // MOST_THREADS), 1), MOST_THREADS, values, tensors[0].device)


def gather_rows(rows: Tensor, index: Tensor, result: Tensor) -> None:
    """result[e] = rows[index[e]]; rows are contiguous."""
    torch.index_select(rows, 0, index, out=result)


def turn_rows(values: Tensor, blocks: Sequence[int], result: Tensor) -> None:
    """Transpose consecutive (rows, columns) blocks of every row."""
    sizes = list(zip(blocks[::2], blocks[1::2], strict=True))
    starts = [0]
    for rows, columns in sizes:
        starts.append(starts[-1] + rows * columns)
    for (start, end), (rows, columns) in zip(pairwise(starts), sizes, strict=True):
        turned = values[:, start:end].unflatten(1, (rows, columns)).mT
        result[:, start:end].unflatten(1, (columns, rows)).copy_(turned)


def row_product(*arguments: Any) -> None:
    """There are no such kernels for GPUs."""
    raise ValueError(
        "device: products of rows, which e3nn's TensorProduct becomes, have kernels for cpu alone; on a GPU "
        "use a Convolution, or e3nn's own product"
    )


row_product_backward = row_product
