"""Run programs of steps (`tfngen.runtime.row_program`) over tiles of rows, from machine code."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from tfngen import naming
from tfngen.runtime import registry
from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.index import call_kernel, load_index, store_index
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.memory import address_of, empty
from tfngen.runtime.cpu.rows import sum_rows
from tfngen.runtime.cpu.threads import AT_ONCE, parallel_for, threads_for
from tfngen.runtime.row_plan import RowInstruction, RowWidths
from tfngen.runtime.row_program import Base, Program, Step
from tfngen.runtime.row_steps import gradient_program, product_program

LANES = {torch.float32: float32.LANES, torch.float64: float64.LANES}
PARTS = 32
"""The parts that sum derivatives by weights each for itself, where their sums are small."""
SUMS_BYTES = 2**23
"""What those parts' sums may take."""


class Job(IntEnum):
    """What there is to do, as a table of integers; behind it, three for each `Base`: an address, and what is
    added to it for each part, or for each part before the first that a thread does."""

    PARTS = 0
    BATCHES = 1
    """Of tiles that take each step together."""
    OPENING = 2
    """How many steps are done once, ahead of a part's batches."""
    CLOSING = 3
    """Which step is the first of those that are done once, behind them."""
    STEPS = 4
    LENGTH = 5
    """The integers of a step: a kernel's address, and its arguments."""
    TABLE = 6
    """The address of the steps: for each integer a `Base` and what is added to it."""
    CALLS = 7
    """The address of room for each thread's steps, once they hold addresses."""


BASES = len(Job)


@kernel
def run_steps(first, last, job):
    """Do the parts first ≤ part < last of `job`: the address of a table as `Job` describes it."""
    parts, batches = load_index(job, Job.PARTS), load_index(job, Job.BATCHES)
    opening, closing = load_index(job, Job.OPENING), load_index(job, Job.CLOSING)
    steps, length = load_index(job, Job.STEPS), load_index(job, Job.LENGTH)
    table = load_index(job, Job.TABLE)
    for part in range(first, last):
        calls = load_index(job, Job.CALLS) + 8 * first * steps * length
        for at in range(steps * length):
            base = BASES + 3 * load_index(table, 2 * at)
            start = load_index(job, base) + part * load_index(job, base + 1)
            start += first * load_index(job, base + 2)
            store_index(calls, at, start + load_index(table, 2 * at + 1))
        for step in range(opening):
            call_kernel(load_index(calls, step * length), 0, calls + 8 * (step * length + 1))
        for batch in range(batches * part // parts, batches * (part + 1) // parts):
            for step in range(opening, closing):
                call_kernel(load_index(calls, step * length), batch, calls + 8 * (step * length + 1))
        for step in range(closing, steps):
            call_kernel(load_index(calls, step * length), 0, calls + 8 * (step * length + 1))


def row_product(
    package: str,
    widths: RowWidths,
    plan: tuple[RowInstruction, ...],
    operands: Sequence[Tensor],
    result: Tensor,
) -> None:
    """Fill `result` (rows, width) with the product of `operands`: x, y and weights, contiguous."""
    program = product_program(widths, plan, operands[2].dim() == 2, LANES[result.dtype])
    bases = (Base.X, Base.Y, Base.WEIGHT)
    _run(package, program, result.shape[0], {**dict(zip(bases, operands, strict=True)), Base.OUT: result})


def row_product_backward(
    package: str,
    widths: RowWidths,
    plan: tuple[RowInstruction, ...],
    wanted: tuple[bool, bool, bool],
    operands: Sequence[Tensor],
    results: Sequence[Tensor],
) -> None:
    """Fill those `results` that are `wanted` with the derivatives by x, y and weights.

    `operands` are x, y, weights and the cotangent, contiguous.
    """
    rows, dtype = operands[0].shape[0], operands[0].dtype
    by_row = operands[2].dim() == 2
    program = gradient_program(widths, plan, wanted, by_row, LANES[dtype])
    named = dict(zip((Base.X, Base.Y, Base.WEIGHT, Base.GRAD), operands, strict=True))
    targets = zip((Base.D_X, Base.D_Y, Base.D_WEIGHT), results, wanted, strict=True)
    named |= {base: result for base, result, want in targets if want}
    if by_row or not wanted[2]:
        _run(package, program, rows, named)
        return
    if not rows:
        results[2].zero_()
        return
    parts = _parts_for(program, rows, widths.weight * dtype.itemsize)
    sums = named[Base.D_WEIGHT] = results[2].new_empty(parts, widths.weight)
    _run(package, program, rows, named, parts)
    order = torch.arange(parts, device=sums.device)
    sum_rows(sums, order, torch.tensor([0, parts], device=sums.device), results[2])


def _run(
    package: str, program: Program, rows: int, operands: Mapping[Base, Tensor], parts: int | None = None
) -> None:
    """Do all steps of `program` for so many rows; operands and results are contiguous.

    With `parts` each of them sums derivatives by weights into a row of the result for `Base.D_WEIGHT`.
    """
    like = operands[Base.X]
    table = _table(package, program, like.dtype)
    batches = _batches(program, rows)
    work = batches * program.tiles * program.work * program.lanes // AT_ONCE
    sums = None if parts is None else operands[Base.D_WEIGHT]
    parts = min(threads_for(work), batches) if parts is None else parts
    if not parts:
        return
    opening, closing = len(program.opening), table.shape[0] - len(program.closing)
    vector = program.lanes * like.itemsize
    vectors = program.scratch * program.tiles
    summed = 0 if sums is None else sums.shape[1]
    scratch = empty(like, parts * (vectors + summed) + 1, program.lanes)
    calls = np.empty(parts * table.shape[0] * table.shape[1], dtype=np.int64)
    start = -(-scratch.data_ptr() // vector) * vector  # none is to be split between two cache lines
    bases = {base: (tensor.data_ptr(), 0, 0) for base, tensor in operands.items()}
    bases[Base.ROWS] = rows, 0, 0
    bases[Base.SCRATCH] = start, 0, (vectors + summed) * vector
    bases[Base.SUMS] = start + vectors * vector, 0, (vectors + summed) * vector
    if sums is not None:
        bases[Base.D_WEIGHT] = sums.data_ptr(), sums.stride(0) * sums.itemsize, 0
    job = [parts, batches, opening, closing, *table.shape[:2], address_of(table), address_of(calls)]
    job += [number for base in Base for number in bases.get(base, (0, 0, 0))]
    given = array("q", job)
    parallel_for(run_steps, parts, work, (given.buffer_info()[0],), (given, calls, scratch, table))


def _batches(program: Program, rows: int) -> int:
    return -(-rows // (program.lanes * program.tiles))


def _parts_for(program: Program, rows: int, bytes_of_weights: int) -> int:
    """How many parts sum derivatives by weights: the same number however many threads there are."""
    sums = max(bytes_of_weights * program.lanes, 1)
    return max(min(PARTS, _batches(program, rows), SUMS_BYTES // sums), 2)


@lru_cache(maxsize=256)
def _table(package: str, program: Program, dtype: torch.dtype) -> np.ndarray:
    """(steps, integers of a step, 2): kernels and arguments, each a base and what is added to it."""
    vector = program.lanes * dtype.itemsize
    unit = {base: vector if base in (Base.SCRATCH, Base.SUMS) else dtype.itemsize for base in Base}
    steps = [*program.opening, *program.laid_out(), *program.closing]
    length = 1 + max(len(step.arguments) for step in steps)
    table = np.zeros((len(steps), length, 2), dtype=np.int64)
    for at, step in enumerate(steps):
        table[at, 0] = Base.NOTHING, _kernel_address(package, step, dtype)
        for column, argument in enumerate(step.arguments, start=1):
            base, offset = (Base.NOTHING, argument) if isinstance(argument, int) else argument
            counts = base in (Base.NOTHING, Base.ROWS)
            table[at, column] = base, offset if counts else offset * unit[base]
    return table


def _kernel_address(package: str, step: Step, dtype: torch.dtype) -> int:
    name = naming.MIXING_MODULE if step.path is None else naming.rows_module(step.path)
    module = registry.kernels(package, "cpu", dtype, name)
    if not hasattr(module, step.name):
        raise ValueError(f"{package} has no kernel {module.__name__}.{step.name}")
    address: int = getattr(module, step.name).address
    return address
