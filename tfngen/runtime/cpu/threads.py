"""Split a range among threads: torch's team where there is one, else Python's, as kernels release the GIL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from tfngen.runtime.cpu.kernel import Kernel
from tfngen.runtime.cpu.team import run_team

MIN_WORK = 200_000
"""Multiply-adds below which a second thread costs more (µs to wake it) than it saves."""
AT_ONCE = 8
"""Multiply-adds that a kernel does in the time of one that stands alone, at least."""

_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def _forget_pool() -> None:
    """A forked child (a DataLoader worker) has the pool object but none of its threads."""
    global _pool, _pool_size
    _pool, _pool_size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _executor(threads: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    if _pool is None or _pool_size < threads:
        _pool = ThreadPoolExecutor(threads, thread_name_prefix="tfngen")
        _pool_size = threads
    return _pool


class Launch(NamedTuple):
    """A call of `parallel_for`, written down."""

    kernel: Kernel
    count: int
    work: int
    arguments: tuple[int, ...]
    alive: tuple[object, ...]


Empty = Callable[[torch.Tensor, int, int], torch.Tensor]
"""Of a tensor like which they are, of rows and of columns; see `tfngen.runtime.cpu.memory.empty`."""


class _Recording(threading.local):
    launches: list[Any] | None = None
    empty: Empty | None = None


_recording = _Recording()


@contextmanager
def recorded_launches(launches: list[Any], empty: Empty | None = None) -> Iterator[None]:
    """Add all that this thread launches meanwhile to `launches`; `empty` gives memory for results."""
    before = _recording.launches, _recording.empty
    _recording.launches, _recording.empty = launches, empty
    try:
        yield
    finally:
        _recording.launches, _recording.empty = before


def recorded_empty() -> Empty | None:
    """What gives memory for results while launches of this thread are recorded, if anything special does."""
    return _recording.empty


def is_recording() -> bool:
    """Whether launches of this thread are recorded: the memory they work in must not be used for others."""
    return _recording.launches is not None


def parallel_for(
    kernel: Kernel, count: int, work: int, arguments: Sequence[int], alive: Sequence[object] = ()
) -> None:
    """Run ``kernel(first, last, *arguments)`` over 0 … `count`, on as many threads as `work` is worth.

    Every item is computed by one thread alone, so results do not depend on how many there are.

    Args:
        kernel: takes the half-open range it is to do, then `arguments`.
        count: the number of items (edges, points, rows, parts).
        work: multiply-adds in all, one after the other.
        arguments: addresses, strides and counts.
        alive: what has memory that `arguments` lead to, besides operands and results.
    """
    if _recording.launches is not None:
        _recording.launches.append(Launch(kernel, count, work, tuple(arguments), tuple(alive)))
    threads = 1 if work < MIN_WORK else min(threads_for(work), count)
    if threads <= 1:
        if count > 0:
            kernel(0, count, *arguments)
        return
    bounds = bounds_of(count, threads)
    if run_team(kernel.address, bounds, arguments):
        return
    pending = [
        _executor(threads - 1).submit(kernel, first, last, *arguments)
        for first, last in pairwise(bounds[1 : threads + 1])
    ]
    kernel(bounds[0], bounds[1], *arguments)
    for future in pending:
        future.result()


def bounds_of(count: int, threads: int) -> list[int]:
    """Where the parts of 0 … `count` begin, one for each thread, and where the last one ends.

    The whole team has parts, though some may have nothing to do: OpenMP makes teams of other sizes anew.
    """
    return [count * min(part, threads) // threads for part in range(torch.get_num_threads() + 1)]


def threads_for(work: int) -> int:
    """How many of torch's threads that many multiply-adds are worth."""
    return 1 if work < MIN_WORK else min(torch.get_num_threads(), 1 + work // MIN_WORK)


def parts_of(row_pointers: torch.Tensor, count: int) -> list[int]:
    """The first row of each of `count` parts of equally many edges, and the end of the last."""
    edges = int(row_pointers[-1])
    return _cut(row_pointers, [edges * part // count for part in range(1, count)])


def parts_in_turn(row_pointers: torch.Tensor, threads: int, least: int) -> list[int]:
    """The same for parts that `threads` take one by one: large ones first, in the end of `least` edges.

    Each time the threads are given half of what is left (factoring: Hummel, Schonberg, Flynn, 1992), so that
    there are few parts, and a thread that has lost its core to others keeps nobody waiting for long.
    """
    edges, at, ends = int(row_pointers[-1]), 0, list[int]()
    least = min(least, -(-edges // threads))
    while threads > 1 and at < edges:
        size = max((edges - at) // (2 * threads), least)
        ends += range(at + size, min(at + threads * size, edges - 1) + 1, size)
        at += threads * size
    return _cut(row_pointers, ends)


def _cut(row_pointers: torch.Tensor, ends: list[int]) -> list[int]:
    """The rows at which so many edges have gone by, between the first and the end of the last."""
    rows = row_pointers.shape[0] - 1
    within = torch.searchsorted(row_pointers, row_pointers.new_tensor(ends)).tolist() if ends else []
    return [0, *within, rows]
