"""Calls of machine code one after another, written down once and then made without Python between them.

An instruction is a function's address and the integers it is called with, addresses of tables and tensors
among them: what is computed again is computed in the same place. All that memory is kept alive with them.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from tfngen.runtime.cpu.team import team_call
from tfngen.runtime.cpu.threads import MIN_WORK, Launch, bounds_of, threads_for
from tfngen.runtime.machine_code import address_of_function

MOST_ARGUMENTS = 15
_LENGTH = 1 + MOST_ARGUMENTS

_MODULE = """
define void @run(ptr %instructions, i64 %count) {{
start:
  br label %head
head:
  %at = phi i64 [ 0, %start ], [ %next, %turn ]
  %more = icmp slt i64 %at, %count
  br i1 %more, label %turn, label %done
turn:
  %offset = mul i64 %at, {length}
  %where = getelementptr i64, ptr %instructions, i64 %offset
  %function = load ptr, ptr %where
{loads}
  call void %function({arguments})
  %next = add i64 %at, 1
  br label %head
done:
  ret void
}}
"""
"""Every function is called with all integers of its instruction. On x86-64 and ARM whoever calls takes them
off the stack again, so that a function does not notice those it has no use for."""


@cache
def _runner() -> ctypes._FuncPointer:  # type: ignore[name-defined]
    loads = "\n".join(
        f"  %at{k} = getelementptr i64, ptr %where, i64 {1 + k}\n  %a{k} = load i64, ptr %at{k}"
        for k in range(MOST_ARGUMENTS)
    )
    arguments = ", ".join(f"i64 %a{k}" for k in range(MOST_ARGUMENTS))
    text = _MODULE.format(length=_LENGTH, loads=loads, arguments=arguments)
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address_of_function(text, "run"))


class Place(NamedTuple):
    """Where an address is written down.

    Attributes:
        table: of integers.
        at: the place in it.
        offset: how far into an array the address is.
    """

    table: array[int] | ctypes.Array[ctypes.c_int64]
    at: int
    offset: int


class Instructions:
    """Instructions in order, and the memory that they alone use.

    Attributes:
        count: how many there are.
        last_table: the table of the last one that has been added with a table.
    """

    last_table: array[int]

    def __init__(self) -> None:
        self._numbers = array("q")
        self._alive: list[object] = []
        self._outcome = array("q", [0, 0])  # a kernel's result and error, which nobody reads

    @property
    def count(self) -> int:
        return len(self._numbers) // _LENGTH

    def call(self, function: int, *arguments: int, alive: Sequence[object] = ()) -> None:
        """Add a call of the function at that address."""
        if len(arguments) > MOST_ARGUMENTS:
            raise ValueError(f"arguments: {len(arguments)}; there can be {MOST_ARGUMENTS}")
        self._numbers.extend((function, *arguments, *[0] * (MOST_ARGUMENTS - len(arguments))))
        self._alive += alive

    def table(self, function: int, numbers: Sequence[int], alive: Sequence[object] = ()) -> None:
        """Add a call with the address of a table of such numbers."""
        table = array("q", numbers)
        self.call(function, table.buffer_info()[0], alive=(table, *alive))
        self.last_table = table

    def keep(self, *objects: object) -> None:
        """Keep alive what instructions read and write."""
        self._alive += objects

    def launch(self, launch: Launch) -> None:
        """Add what a call of `parallel_for` has done, on as many threads."""
        threads = 1 if launch.work < MIN_WORK else min(threads_for(launch.work), launch.count)
        address = launch.kernel.address
        if threads > 1:
            called = team_call(address, bounds_of(launch.count, threads), launch.arguments)
            if called is not None:
                function, arguments, alive = called
                self.call(function, *arguments, alive=(*alive, *launch.alive))
                return
        if launch.count > 0:
            result = self._outcome.buffer_info()[0]
            self.call(address, result, result + 8, 0, launch.count, *launch.arguments, alive=launch.alive)

    def take_back(self, count: int) -> None:
        """Forget all but the first `count`."""
        del self._numbers[count * _LENGTH :]

    def places_of(self, begin: int, end: int) -> list[Place]:
        """Where there is an address begin ≤ … < end, in instructions and in the tables they lead to."""
        found = []
        for table in (self._numbers, *self._alive):
            if isinstance(table, (array, ctypes.Array)) and memoryview(table).itemsize == 8:
                numbers = np.frombuffer(table, np.int64)
                inside = ((numbers >= begin) & (numbers < end)).nonzero()[0]
                found += [Place(table, at, table[at] - begin) for at in inside.tolist()]
        return found

    def run(self, first: int = 0, last: int | None = None) -> None:
        """Make the calls first ≤ … < last."""
        count = (self.count if last is None else last) - first
        _runner()(self._numbers.buffer_info()[0] + 8 * _LENGTH * first, count)


@cache
def gemm(dtype: torch.dtype) -> int:
    """The address of BLAS' matrix product, column by column, as torch brings it; 0 if it shows none."""
    name = {torch.float32: "sgemm_", torch.float64: "dgemm_"}[dtype]
    folder = Path(torch.__file__).parent / "lib"
    for file in sorted(folder.glob("libtorch_cpu.*")):
        try:
            return ctypes.cast(getattr(ctypes.CDLL(str(file)), name), ctypes.c_void_p).value or 0
        except (OSError, AttributeError):
            continue
    return 0
