"""Run machine code on the threads that torch itself computes with.

torch's own operators run on an OpenMP team, whose threads keep spinning for a while after each of them. A
second pool beside it would have to share the processor with those. Where torch brings GNU OpenMP (Linux), its
team is asked to run ours too: one call, no second pool, no Python per thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch

from tfngen.runtime.machine_code import address_of_function

_MODULE = """
define void @member(ptr %work) {{
start:
  %result = alloca ptr
  %error = alloca ptr
  %number_of = load ptr, ptr %work
  %size_at = getelementptr i64, ptr %work, i64 1
  %size_of = load ptr, ptr %size_at
  %kernel_at = getelementptr i64, ptr %work, i64 2
  %kernel = load ptr, ptr %kernel_at
  %bounds_at = getelementptr i64, ptr %work, i64 3
  %bounds = load ptr, ptr %bounds_at
  %parts_at = getelementptr i64, ptr %work, i64 4
  %parts = load i64, ptr %parts_at
{loads}
  %number = call i32 %number_of()
  %mine = zext i32 %number to i64
  %size = call i32 %size_of()
  %step = zext i32 %size to i64
  br label %head
head:
  %part = phi i64 [ %mine, %start ], [ %next, %run ]
  %more = icmp slt i64 %part, %parts
  br i1 %more, label %run, label %done
run:
  %first_at = getelementptr i64, ptr %bounds, i64 %part
  %last_at = getelementptr i64, ptr %first_at, i64 1
  %first = load i64, ptr %first_at
  %last = load i64, ptr %last_at
  %status = call i32 %kernel(ptr %result, ptr %error, i64 %first, i64 %last{arguments})
  %next = add i64 %part, %step
  br label %head
done:
  ret void
}}
"""
"""A team may be smaller than asked for (OMP_THREAD_LIMIT, OMP_DYNAMIC): a member takes every size-th part."""

HEAD = 5
"""The integers of a member's table ahead of the kernel's own arguments."""

_forked = False


def _after_fork() -> None:
    """A forked child has no OpenMP threads, and waiting for them would never end."""
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


_OpenMP = tuple[Callable[..., None], int, int]


@cache
def _openmp() -> _OpenMP | None:
    """GNU OpenMP as torch loaded it: what runs a team; where what numbers and counts its threads is."""
    if sys.platform != "linux" or "backend: OpenMP" not in torch.__config__.parallel_info():
        return None
    for file in (Path(torch.__file__).parent / "lib").glob("libgomp*.so*"):
        library = ctypes.CDLL(str(file))
        number = ctypes.cast(library.omp_get_thread_num, ctypes.c_void_p).value
        size = ctypes.cast(library.omp_get_num_threads, ctypes.c_void_p).value
        run = library.GOMP_parallel
        run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        run.restype = None
        return (run, number, size) if number and size else None
    return None


@cache
def _member(count: int) -> int:
    """The address of what each thread of a team runs, for kernels with `count` arguments beyond the range."""
    loads = "\n".join(
        f"  %at{k} = getelementptr i64, ptr %work, i64 {HEAD + k}\n  %a{k} = load i64, ptr %at{k}"
        for k in range(count)
    )
    arguments = "".join(f", i64 %a{k}" for k in range(count))
    return address_of_function(_MODULE.format(loads=loads, arguments=arguments), "member")


def run_team(address: int, bounds: Sequence[int], arguments: Sequence[int]) -> bool:
    """Run the kernel at `address` over each bounds[k] ≤ … < bounds[k + 1], on the threads of torch's team.

    Returns:
        Whether it was run: not where torch has no GNU OpenMP, and not in a forked child.
    """
    openmp = None if _forked else _openmp()
    if openmp is None:
        return False
    member, (limits, table) = _tables(openmp, address, bounds, arguments)
    openmp[0](member, ctypes.addressof(table), len(limits) - 1, 0)
    return True


def team_call(
    address: int, bounds: Sequence[int], arguments: Sequence[int]
) -> tuple[int, tuple[int, ...], tuple[object, ...]] | None:
    """What `run_team` calls: a function's address, its arguments, and what their memory belongs to."""
    openmp = None if _forked else _openmp()
    if openmp is None:
        return None
    member, (limits, table) = _tables(openmp, address, bounds, arguments)
    function = ctypes.cast(openmp[0], ctypes.c_void_p).value or 0
    return function, (member, ctypes.addressof(table), len(limits) - 1, 0), (limits, table)


def is_forked() -> bool:
    """Whether this process is a child that has none of its parent's threads."""
    return _forked


def _tables(
    openmp: _OpenMP,
    address: int,
    bounds: Sequence[int],
    arguments: Sequence[int],
) -> tuple[int, tuple[ctypes.Array[ctypes.c_int64], ctypes.Array[ctypes.c_int64]]]:
    """The function that each thread runs, and the tables that it is given."""
    _, number, size = openmp
    limits = (ctypes.c_int64 * len(bounds))(*bounds)
    head = (number, size, address, ctypes.addressof(limits), len(bounds) - 1)
    table = (ctypes.c_int64 * (HEAD + len(arguments)))(*head, *arguments)
    return _member(len(arguments)), (limits, table)
