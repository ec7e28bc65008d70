"""Memory for large results, used again.

A new result of a hundred megabytes is memory that nobody has touched: the operating system finds and clears a
page at the first write to each, which can take as long as all that is computed into it (docs/performance.md).
So what large results leave behind when nobody refers to them any more is kept for the next ones, as torch
does on a GPU. A piece that `PATIENCE` large results had no use for goes back to the operating system.
Kernels' own room is kept too, as much as there were calls at the same time.
"""

from __future__ import annotations

import mmap
import sys
import weakref
from collections import deque
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from tfngen.runtime.cpu.threads import recorded_empty
from tfngen.runtime.cpu.vector import LINE_BYTES

LARGE_PAGE = 2**21
LARGE = LARGE_PAGE // 2
"""Bytes from which on a result is worth keeping memory for."""
PATIENCE = 32
"""How many large results may be made without it before a piece of memory is given back."""

_NUMPY = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class _Block:
    """A piece of memory that begins with a large page.

    Attributes:
        size: its bytes.
        idle: how many large results have been made since it was last used.
    """

    def __init__(self, size: int) -> None:
        self.size, self.idle = -(-size // LARGE_PAGE) * LARGE_PAGE, 0
        length = self.size + LARGE_PAGE
        if sys.platform == "win32":
            self.memory = mmap.mmap(-1, length)
        else:  # private, so that a forked child has its own
            self.memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.start = -np.frombuffer(self.memory, np.uint8).ctypes.data % LARGE_PAGE
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # advice: it may be refused
                self.memory.madvise(mmap.MADV_HUGEPAGE)


class Room:
    """Memory to work in, with anything in it.

    Attributes:
        start: the address where it begins, with a line of the cache.
        length: its integers.
    """

    __slots__ = ("_memory", "length", "start")

    def __init__(self, length: int) -> None:
        self._memory = np.empty(8 * length + LINE_BYTES, dtype=np.uint8)
        self.length, self.start = length, -(-address_of(self._memory) // LINE_BYTES) * LINE_BYTES


_free: deque[_Block] = deque()
_rooms: list[Room] = []


def empty(like: Tensor, rows: int, columns: int) -> Tensor:
    """A contiguous (rows, columns) tensor of the dtype of `like`, with anything in it."""
    if (own := recorded_empty()) is not None:
        return own(like, rows, columns)
    size = rows * columns * like.itemsize
    if size < LARGE:
        return like.new_empty(rows, columns)
    try:
        block = _kept(size) or _Block(size)
    except (OSError, OverflowError):  # torch knows what to say
        return like.new_empty(rows, columns)
    array: np.ndarray = np.ndarray((rows, columns), _NUMPY[like.dtype], block.memory, block.start)
    weakref.finalize(array, _free.append, block).atexit = False  # the tensor's storage holds the array
    return torch.from_numpy(array)


def address_of(array: np.ndarray) -> int:
    """Where an array's numbers begin."""
    address: int = array.__array_interface__["data"][0]
    return address


def extent(tensor: Tensor) -> int:
    """The bytes from a tensor's first number to the end of its last."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return (1 + sum((size - 1) * step for size, step in steps)) * tensor.itemsize


def take_room(length: int) -> Room:
    """Room for so many integers, nobody else's until it is given back."""
    try:
        room = _rooms.pop()
    except IndexError:
        return Room(length)
    return room if room.length >= length else Room(length)


def give_room_back(room: Room) -> None:
    """For the next who needs some."""
    _rooms.append(room)


def release_memory() -> None:
    """Give back to the operating system what no result uses."""
    _free.clear()
    _rooms.clear()


def _kept(size: int) -> _Block | None:
    """The smallest free block of `size` bytes or more, if less than half of it would stay unused.

    Results die in any thread and at any moment, so blocks are taken out one by one before they are looked at.
    """
    found: list[_Block] = []
    with suppress(IndexError):
        while True:
            found.append(_free.popleft())
    fitting = [block for block in found if size <= block.size < max(2 * size, size + 2 * LARGE_PAGE)]
    best = min(fitting, key=lambda block: block.size, default=None)
    for block in found:
        block.idle = 0 if block is best else block.idle + 1
        if block is not best and block.idle <= PATIENCE:
            _free.append(block)
    return best
