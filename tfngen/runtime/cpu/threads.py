"""Split a range among threads: torch's thread count, Python's threads, kernels that release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch

MIN_WORK = 200_000
"""Multiply-adds below which a second thread costs more (tens of µs to wake it) than it saves."""

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


def parallel_for(
    kernel: Callable[..., None],
    count: int,
    work: int,
    arguments: Sequence[int],
    row_pointers: torch.Tensor | None = None,
) -> None:
    """Run ``kernel(first, last, *arguments)`` over 0 … `count`, on as many threads as `work` is worth.

    Every item is computed by one thread alone, so results do not depend on how many there are.

    Args:
        kernel: takes the half-open range it is to do, then `arguments`.
        count: the number of items (edges, points, rows).
        work: multiply-adds in all.
        row_pointers: where each item's edges begin, when items have edges: threads then share the edges
            equally, not the items.
    """
    if count <= 0:
        return
    threads = min(torch.get_num_threads(), count, 1 + work // MIN_WORK)
    if threads <= 1:
        kernel(0, count, *arguments)
        return
    bounds = [count * part // threads for part in range(threads + 1)]
    if row_pointers is not None:
        edges = int(row_pointers[-1])
        shares = torch.tensor([edges * part // threads for part in range(1, threads)])
        bounds[1:-1] = torch.searchsorted(row_pointers, shares).tolist()
    pending = [
        _executor(threads - 1).submit(kernel, first, last, *arguments) for first, last in pairwise(bounds[1:])
    ]
    kernel(bounds[0], bounds[1], *arguments)
    for future in pending:
        future.result()
