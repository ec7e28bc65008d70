"""Launch kernels on torch tensors: addresses, strides, threads. Shapes have been checked by now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from tfngen import naming
from tfngen.irreps import Path
from tfngen.roles import Role
from tfngen.runtime import registry
from tfngen.runtime.cpu.drive import BLOCK_BYTES, drive
from tfngen.runtime.cpu.threads import parallel_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tfngen.runtime.plan import Edges, PackedPath

HARMONICS = ("harmonics", "harmonics_vjp", "harmonics_vjp_vjp")


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


def convolution(
    package: str,
    role: Role,
    paths: Sequence[PackedPath],
    operands: dict[str, Tensor],
    edges: Edges,
    result: Tensor,
) -> None:
    """Add `role` of every path over a graph to `result`, which starts as zeros.

    Operands and result are rows: (nodes or edges, all components of all paths' irreps, side by side), each
    irrep's channels innermost; `paths` says where each irrep begins.
    """
    rows = edges.by_source if role is Role.D_INPUT else edges.by_target
    graph = [t.data_ptr() for t in (rows.row_pointers, rows.order, edges.sources, edges.targets)]
    calls: list[int] = []
    for path in paths:
        module = registry.kernels(package, "cpu", result.dtype, naming.convolution_module(path.degrees))
        arguments = [path.channels, *graph]
        for slot, tensor in (*((slot, operands[slot]) for slot in role.operands), (role.slot, result)):
            arguments += [tensor.data_ptr() + path.offset(slot) * tensor.itemsize, tensor.stride(0)]
            arguments += [path.step(slot)] if slot in ("input", "grad") else []
        calls += [getattr(module, role.value).address, *arguments]
    table = torch.tensor(calls, dtype=torch.int64)
    weights = operands.get("weight")
    stream = (0, 0, 0)
    if weights is not None:
        size = weights.itemsize
        stream = (weights.data_ptr(), weights.stride(0) * size, weights.shape[1] * size)
    block = max(BLOCK_BYTES // max(stream[2], 1), 1)
    arguments = [*graph[:2], block, table.data_ptr(), len(paths), *stream]
    per_edge = sum(path.channels * (2 * path.degrees[1] + 1) * (2 * path.degrees[2] + 1) for path in paths)
    work = edges.count * per_edge
    parallel_for(drive, edges.num_nodes, work, arguments, rows.row_pointers)


def harmonics(package: str, order: int, tensors: Sequence[Tensor]) -> None:
    """Run the harmonics' kernel of `order`; `tensors` are its operands and results, rows contiguous."""
    module = registry.kernels(package, "cpu", tensors[0].dtype, naming.HARMONICS_MODULE)
    points = tensors[0].shape[0]
    width = max(tensor.shape[1] for tensor in tensors)
    addresses = [tensor.data_ptr() for tensor in tensors]
    parallel_for(getattr(module, HARMONICS[order]), points, 4 * points * width * (order + 1), addresses)


def gather_rows(rows: Tensor, index: Tensor, result: Tensor) -> None:
    """result[e] = rows[index[e]]; rows are contiguous."""
    torch.index_select(rows, 0, index, out=result)


def sum_rows(values: Tensor, order: Tensor, row_pointers: Tensor, result: Tensor) -> None:
    """result[n] = Σ values[order[k]] over row_pointers[n] ≤ k < row_pointers[n + 1], in that order."""
    from tfngen.runtime.cpu import rows

    columns = math.prod(result.shape[1:])
    arguments = [columns, *(tensor.data_ptr() for tensor in (values, order, row_pointers, result))]
    parallel_for(rows.SUM_ROWS[values.dtype], result.shape[0], values.numel(), arguments)


def _row(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.stride(0)


def _rows(tensor: Tensor) -> tuple[int, int, int]:
    return tensor.data_ptr(), tensor.stride(0), tensor.stride(2)
