"""Sum rows into nodes, edge after edge in a fixed order: the scatter of a convolution."""

from __future__ import annotations

import math
from array import array

import torch
from numba import njit
from torch import Tensor

from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.index import load_index, store_index
from tfngen.runtime.cpu.kernel import Kernel, kernel
from tfngen.runtime.cpu.threads import parallel_for
from tfngen.runtime.cpu.vector import REGISTER_BYTES

LANES, active_lanes, zero = float32.LANES, float32.active_lanes, float32.zero
load, store = float32.load, float32.store


@njit(inline="always")
def beyond(order, begin, end, edges):
    """Whether some of the indices begin ≤ k < end of `order` is not one of the edges."""
    found = False
    for k in range(begin, end):
        found |= load_index(order, k) < 0 or load_index(order, k) >= edges
    return found


@kernel
def sum_some_rows(first, last, columns, edges, values, order, row_pointers, results, fault):
    """results[node] = Σ values[order[k]] over row_pointers[node] ≤ k < row_pointers[node + 1]"""
    for node in range(first, last):
        begin, end = load_index(row_pointers, node), load_index(row_pointers, node + 1)
        if begin < 0 or end < begin or end > edges or beyond(order, begin, end, edges):
            store_index(fault, 0, 1)
            return
        for column in range(0, columns, LANES):
            active = active_lanes(columns - column)
            total = zero()
            for k in range(begin, end):
                total += load(values, load_index(order, k) * columns + column, active)
            store(results, node * columns + column, total, active)


@kernel
def sum_some_copies(first, last, length, copies, values, result):
    """result[k] = Σ values[copy, k] for the vectors first ≤ … < last of a row of `length` numbers"""
    for at in range(first * LANES, min(last * LANES, length), LANES):
        active = active_lanes(length - at)
        total = load(values, at, active)
        for copy in range(1, copies):
            total += load(values, copy * length + at, active)
        store(result, at, total, active)


def _of_each_dtype(one: Kernel) -> dict[torch.dtype, Kernel]:
    """A kernel as it is written, for float32, and the same in float64."""
    words = {name: getattr(float64, name) for name in ("LANES", "active_lanes", "zero", "load", "store")}
    return {torch.float32: one, torch.float64: one.variant("float64", words)}


SUM_ROWS, SUM_COPIES = _of_each_dtype(sum_some_rows), _of_each_dtype(sum_some_copies)


def sum_copies(values: Tensor, result: Tensor) -> None:
    """result = values[0] + values[1] + …, where `values` has the rows of `result` again and again."""
    length, vectors = result.numel(), -(-result.nbytes // REGISTER_BYTES)
    arguments = length, values.numel() // max(length, 1), values.data_ptr(), result.data_ptr()
    parallel_for(SUM_COPIES[result.dtype], vectors, values.numel(), arguments)


def sum_rows(values: Tensor, order: Tensor, row_pointers: Tensor, result: Tensor) -> None:
    """result[n] = Σ values[order[k]] over row_pointers[n] ≤ k < row_pointers[n + 1], in that order."""
    if order.shape[0] != values.shape[0] or order.dtype != torch.int64 or row_pointers.dtype != torch.int64:
        raise ValueError(
            f"order: {order.dtype}, {order.shape[0]} long; it must be int64, {values.shape[0]} long"
        )
    columns, fault = math.prod(result.shape[1:]), array("q", [0])
    arguments = [columns, order.shape[0], *(t.data_ptr() for t in (values, order, row_pointers, result))]
    work = values.numel()
    kernel, arguments = SUM_ROWS[values.dtype], [*arguments, fault.buffer_info()[0]]
    parallel_for(kernel, result.shape[0], work, arguments, (fault,))
    if fault[0]:
        raise ValueError(
            f"row_pointers or order: beyond the {order.shape[0]} rows; let tfngen.Graph make them"
        )
