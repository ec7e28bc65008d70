"""Sum rows into nodes, edge after edge in a fixed order: the scatter of a convolution."""

from __future__ import annotations

import math
from array import array

import torch
from numba import njit
from torch import Tensor

from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.index import load_index, store_index
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.threads import parallel_for

LANES_32, active_32, zero_32 = float32.LANES, float32.active_lanes, float32.zero
load_32, store_32 = float32.load, float32.store
LANES_64, active_64, zero_64 = float64.LANES, float64.active_lanes, float64.zero
load_64, store_64 = float64.load, float64.store


@njit(inline="always")
def beyond(order, begin, end, edges):
    """Whether some of the indices begin ≤ k < end of `order` is not one of the edges."""
    found = False
    for k in range(begin, end):
        found |= load_index(order, k) < 0 or load_index(order, k) >= edges
    return found


@kernel
def sum_rows_float32(first, last, columns, edges, values, order, row_pointers, results, fault):
    """results[node] = Σ values[order[k]] over row_pointers[node] ≤ k < row_pointers[node + 1]"""
    for node in range(first, last):
        begin, end = load_index(row_pointers, node), load_index(row_pointers, node + 1)
        if begin < 0 or end < begin or end > edges or beyond(order, begin, end, edges):
            store_index(fault, 0, 1)
            return
        for column in range(0, columns, LANES_32):
            active = active_32(columns - column)
            total = zero_32()
            for k in range(begin, end):
                total += load_32(values, load_index(order, k) * columns + column, active)
            store_32(results, node * columns + column, total, active)


@kernel
def sum_rows_float64(first, last, columns, edges, values, order, row_pointers, results, fault):
    """results[node] = Σ values[order[k]] over row_pointers[node] ≤ k < row_pointers[node + 1]"""
    for node in range(first, last):
        begin, end = load_index(row_pointers, node), load_index(row_pointers, node + 1)
        if begin < 0 or end < begin or end > edges or beyond(order, begin, end, edges):
            store_index(fault, 0, 1)
            return
        for column in range(0, columns, LANES_64):
            active = active_64(columns - column)
            total = zero_64()
            for k in range(begin, end):
                total += load_64(values, load_index(order, k) * columns + column, active)
            store_64(results, node * columns + column, total, active)


@kernel
def sum_copies_float32(first, last, length, copies, values, result):
    """result[k] = Σ values[copy, k] for the vectors first ≤ … < last of a row of `length` numbers"""
    for at in range(first * LANES_32, min(last * LANES_32, length), LANES_32):
        active = active_32(length - at)
        total = load_32(values, at, active)
        for copy in range(1, copies):
            total += load_32(values, copy * length + at, active)
        store_32(result, at, total, active)


@kernel
def sum_copies_float64(first, last, length, copies, values, result):
    """result[k] = Σ values[copy, k] for the vectors first ≤ … < last of a row of `length` numbers"""
    for at in range(first * LANES_64, min(last * LANES_64, length), LANES_64):
        active = active_64(length - at)
        total = load_64(values, at, active)
        for copy in range(1, copies):
            total += load_64(values, copy * length + at, active)
        store_64(result, at, total, active)


SUM_ROWS = {torch.float32: sum_rows_float32, torch.float64: sum_rows_float64}


SUM_COPIES = {torch.float32: (sum_copies_float32, LANES_32), torch.float64: (sum_copies_float64, LANES_64)}


def sum_copies(values: Tensor, result: Tensor) -> None:
    """result = values[0] + values[1] + …, where `values` has the rows of `result` again and again."""
    sum_of, lanes = SUM_COPIES[result.dtype]
    length = result.numel()
    addresses = values.data_ptr(), result.data_ptr()
    count = values.numel() // max(length, 1)
    parallel_for(sum_of, -(-length // lanes), values.numel(), (length, count, *addresses))


def sum_rows(values: Tensor, order: Tensor, row_pointers: Tensor, result: Tensor) -> None:
    """result[n] = Σ values[order[k]] over row_pointers[n] ≤ k < row_pointers[n + 1], in that order."""
    if order.shape[0] != values.shape[0] or order.dtype != torch.int64 or row_pointers.dtype != torch.int64:
        raise ValueError(
            f"order: {order.dtype}, {order.shape[0]} long; it must be int64, {values.shape[0]} long"
        )
    columns, fault = math.prod(result.shape[1:]), array("q", [0])
    arguments = [columns, order.shape[0], *(t.data_ptr() for t in (values, order, row_pointers, result))]
    work = values.numel()
    parallel_for(SUM_ROWS[values.dtype], result.shape[0], work, (*arguments, fault.buffer_info()[0]))
    if fault[0]:
        raise ValueError(
            f"row_pointers or order: beyond the {order.shape[0]} rows; let tfngen.Graph make them"
        )
