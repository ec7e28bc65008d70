"""Split a range among threads: torch's team where there is one, else Python's, as kernels release the GIL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

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


def parallel_for(kernel: Kernel, count: int, work: int, arguments: Sequence[int]) -> None:
    """Run ``kernel(first, last, *arguments)`` over 0 … `count`, on as many threads as `work` is worth.

    Every item is computed by one thread alone, so results do not depend on how many there are.

    Args:
        kernel: takes the half-open range it is to do, then `arguments`.
        count: the number of items (edges, points, rows, parts).
        work: multiply-adds in all, one after the other.
        arguments: addresses, strides and counts.
    """
    threads = 1 if work < MIN_WORK else min(threads_for(work), count)
    if threads <= 1:
        if count > 0:
            kernel(0, count, *arguments)
        return
    # The whole team, though some may have nothing to do: OpenMP makes new threads when its size changes.
    bounds = [count * min(part, threads) // threads for part in range(torch.get_num_threads() + 1)]
    if run_team(kernel.address, bounds, arguments):
        return
    pending = [
        _executor(threads - 1).submit(kernel, first, last, *arguments)
        for first, last in pairwise(bounds[1 : threads + 1])
    ]
    kernel(bounds[0], bounds[1], *arguments)
    for future in pending:
        future.result()


def threads_for(work: int) -> int:
    """How many of torch's threads that many multiply-adds are worth."""
    return 1 if work < MIN_WORK else min(torch.get_num_threads(), 1 + work // MIN_WORK)


def parts_of(row_pointers: torch.Tensor, count: int) -> list[int]:
    """The first row of each of `count` parts of equally many edges, and the end of the last."""
    rows = row_pointers.shape[0] - 1
    if count == 1:
        return [0, rows]
    edges = int(row_pointers[-1])
    shares = row_pointers.new_tensor([edges * part // count for part in range(1, count)])
    return [0, *torch.searchsorted(row_pointers, shares).tolist(), rows]
