"""Sums of rows in a fixed order: the scatter of a convolution, and of what edges share."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.gpu import WARP
from tfngen.runtime.cuda.kernel import Argument, Indices, Kernel, Size
from tfngen.runtime.cuda.memory import read, write, zero_like
from tfngen.runtime.cuda.operations import load_piece, row_of, within
from tfngen.runtime.cuda.pieces import pieces_of
from tfngen.runtime.cuda.precision import computed_in, suited
from tfngen.runtime.cuda.run import place, run
from tfngen.runtime.cuda.seam import cuda, device

MOST_THREADS = 256


def _kernels(number: type) -> SimpleNamespace:
    Channels = Argument(number, is_array=True, per_channel=True)

    @device
    def entry(values, order, at, rows, columns, column):
        return read(values, within(order[at], rows) * columns + column)

    def sum_pieces(
        pieces: Indices,
        order: Indices,
        rows: Size,
        columns: Size,
        values: Channels,
        results: Channels,
        spares: Channels,
    ):
        column = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        # The last rows were written last, and are in a cache where sources are near their targets.
        node, first, last, row = load_piece(pieces, cuda.gridDim.x - 1 - cuda.blockIdx.x)
        if node < 0 or column >= columns:
            return
        total, at = zero_like(values), first
        while at + 8 <= last:  # eight rows on their way at once, added one after another
            a = entry(values, order, at, rows, columns, column)
            b = entry(values, order, at + 1, rows, columns, column)
            c = entry(values, order, at + 2, rows, columns, column)
            d = entry(values, order, at + 3, rows, columns, column)
            e = entry(values, order, at + 4, rows, columns, column)
            f = entry(values, order, at + 5, rows, columns, column)
            g = entry(values, order, at + 6, rows, columns, column)
            h = entry(values, order, at + 7, rows, columns, column)
            total = (((((((total + a) + b) + c) + d) + e) + f) + g) + h
            at += 8
        while at < last:
            total += entry(values, order, at, rows, columns, column)
            at += 1
        write(row_of(results, spares, row, columns), column, total)

    def sum_spares(shares: Indices, columns: Size, spares: Channels, results: Channels):
        first, count = shares[2 * cuda.blockIdx.x], shares[2 * cuda.blockIdx.x + 1]
        if count == 0:
            return
        column = cuda.threadIdx.x
        while column < columns:
            total = zero_like(spares)
            for row in range(first, first + count):
                total += read(spares, row * columns + column)
            write(results, cuda.blockIdx.x * columns + column, total)
            column += cuda.blockDim.x

    def sum_slots(slots: Size, columns: Size, values: Channels, results: Channels):
        column = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if column < columns:
            total = zero_like(values)
            for slot in range(slots):
                total += read(values, slot * columns + column)
            write(results, column, total)

    for function in (sum_pieces, sum_spares, sum_slots):
        function.__name__ = f"{function.__name__}_{np.dtype(number).name}"
        function.__annotations__ = {
            name: {"Indices": Indices, "Size": Size, "Channels": Channels}[each]
            for name, each in function.__annotations__.items()
        }
    return SimpleNamespace(
        sum_pieces=Kernel(sum_pieces), sum_spares=Kernel(sum_spares), sum_slots=Kernel(sum_slots)
    )


KERNELS = {torch.float32: _kernels(np.float32), torch.float64: _kernels(np.float64)}


def sum_rows(values: Tensor, order: Tensor, row_pointers: Tensor, result: Tensor) -> None:
    """result[n] = Σ values[order[k]] over row_pointers[n] ≤ k < row_pointers[n + 1], in that order."""
    if order.shape[0] != values.shape[0] or order.dtype != torch.int64 or row_pointers.dtype != torch.int64:
        raise ValueError(
            f"order: {order.dtype}, {order.shape[0]} long; it must be int64, {values.shape[0]} long"
        )
    pieces, columns = pieces_of(row_pointers, order.shape[0], long=True), math.prod(result.shape[1:])
    spares = result.new_empty(pieces.spares, columns) if pieces.spares else values  # not written then
    arguments = {
        "pieces": place(pieces.table),
        "order": place(order),
        "rows": values.shape[0],
        "values": place(values),
        "results": place(result),
        "spares": place(spares),
    }
    _run("sum_pieces", pieces.table.shape[0], columns, arguments, values, result)
    if pieces.spares:
        sum_spares(spares, pieces.shares, result)


def sum_spares(spares: Tensor, shares: Tensor, result: Tensor) -> None:
    """Add up the spare rows of nodes that have some; `shares` says which (`Pieces`)."""
    columns = math.prod(result.shape[1:])
    arguments = {"shares": place(shares), "spares": place(spares), "results": place(result)}
    _run("sum_spares", result.shape[0], columns, arguments, spares, result)


def sum_slots(values: Tensor, result: Tensor) -> None:
    """result = Σ values[slot], slot after slot; both are contiguous."""
    arguments = {"slots": values.shape[0], "values": place(values), "results": place(result)}
    _run("sum_slots", None, result.numel(), arguments, values, result)


def _run(
    name: str, blocks: int | None, columns: int, arguments: dict[str, Any], values: Tensor, result: Tensor
) -> None:
    """Run a kernel on all columns, two of them in a lane where they come in pairs in memory.

    Args:
        blocks: along x, for rows or pieces of them; None for as many as all columns need.
    """
    if not columns:
        return
    kernel = suited(getattr(KERNELS[computed_in(result.dtype)], name), result.dtype)
    size = 2 * result.element_size()
    if result.dtype != torch.float64 and not (columns % 2 or (values.data_ptr() | result.data_ptr()) % size):
        kernel, columns = kernel.fitted({}, pairs=True), columns // 2
    needed = -(-columns // MOST_THREADS)
    grid = (needed, 1) if blocks is None else (blocks, needed if name == "sum_pieces" else 1)
    threads = min(-(-columns // (grid[1] * WARP)) * WARP, MOST_THREADS)
    run(kernel, grid, threads, {**arguments, "columns": columns}, result.device)
