"""Transpose blocks of rows: from channels with their components side by side to the reverse, and back."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import torch
from torch import Tensor

from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.index import load_index
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.threads import parallel_for

load_32, store_32 = float32.load_scalar, float32.store_scalar
load_64, store_64 = float64.load_scalar, float64.store_scalar


@kernel
def turn_rows_float32(first, last, blocks, count, values, stride, results, width):
    """results[row, block, b, a] = values[row, block, a, b]"""
    for row in range(first, last):
        origin, place = row * stride, row * width
        for block in range(count):
            rows, columns = load_index(blocks, 2 * block), load_index(blocks, 2 * block + 1)
            if rows < columns:
                for a in range(rows):
                    for b in range(columns):
                        store_32(results, place + b * rows + a, load_32(values, origin + a * columns + b))
            else:
                for b in range(columns):
                    for a in range(rows):
                        store_32(results, place + b * rows + a, load_32(values, origin + a * columns + b))
            origin += rows * columns
            place += rows * columns


@kernel
def turn_rows_float64(first, last, blocks, count, values, stride, results, width):
    """results[row, block, b, a] = values[row, block, a, b]"""
    for row in range(first, last):
        origin, place = row * stride, row * width
        for block in range(count):
            rows, columns = load_index(blocks, 2 * block), load_index(blocks, 2 * block + 1)
            if rows < columns:
                for a in range(rows):
                    for b in range(columns):
                        store_64(results, place + b * rows + a, load_64(values, origin + a * columns + b))
            else:
                for b in range(columns):
                    for a in range(rows):
                        store_64(results, place + b * rows + a, load_64(values, origin + a * columns + b))
            origin += rows * columns
            place += rows * columns


TURN_ROWS = {torch.float32: turn_rows_float32, torch.float64: turn_rows_float64}


def turn_rows(values: Tensor, blocks: Sequence[int], result: Tensor) -> None:
    """Each block (a, b) of a row becomes (b, a); `blocks` lists a and b of each, one after the other."""
    table = array("q", blocks)
    width = result.shape[1]
    arguments = (table.buffer_info()[0], len(blocks) // 2, values.data_ptr(), values.stride(0))
    kernel = TURN_ROWS[values.dtype]
    parallel_for(kernel, result.shape[0], values.numel(), (*arguments, result.data_ptr(), width), (table,))
