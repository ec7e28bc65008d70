"""Memory of a recorded program's own: results are where others were that nobody needs any more."""

from __future__ import annotations

import weakref
from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from tfngen.runtime.cpu.memory import address_of, extent
from tfngen.runtime.cpu.vector import LINE_BYTES

CHUNK = 2**20
"""Bytes that are asked for at a time, at least."""


class Arena:
    """Places for tensors. One is free again when nobody has a tensor there; the memory lives as long as this.

    Attributes:
        size: its bytes.
    """

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []
        self._place, self._end = 0, 0
        self._free: defaultdict[int, list[int]] = defaultdict(list)
        self.size = 0

    def like(self, tensor: Tensor) -> Tensor:
        """A tensor of the same sizes, strides and type, with anything in it."""
        return self._bytes(extent(tensor)).view(tensor.dtype).as_strided(tensor.shape, tensor.stride())

    def empty(self, like: Tensor, rows: int, columns: int) -> Tensor:
        """See `tfngen.runtime.cpu.memory.empty`."""
        numbers = self._bytes(max(rows * columns, 1) * like.itemsize).view(like.dtype)
        return numbers[: rows * columns].view(rows, columns)

    def holds(self, tensor: Tensor) -> bool:
        """Whether it is here."""
        return self._chunk_of(tensor.data_ptr()) is not None

    def _bytes(self, size: int) -> Tensor:
        size = _rounded(size)
        free = self._free[size]
        place = free.pop() if free else self._more(size)
        chunk = self._chunk_of(place)
        assert chunk is not None, "every place is in a chunk"
        array: np.ndarray = np.ndarray(size, np.uint8, chunk, place - address_of(chunk))
        weakref.finalize(array, free.append, place).atexit = False  # the tensor's storage holds the array
        return torch.from_numpy(array)

    def _chunk_of(self, place: int) -> np.ndarray | None:
        found = (each for each in self._chunks if address_of(each) <= place < address_of(each) + each.size)
        return next(found, None)

    def _more(self, size: int) -> int:
        """A place where nothing has been."""
        if self._place + size > self._end:
            chunk = np.empty(max(size, CHUNK) + LINE_BYTES, np.uint8)
            self._chunks.append(chunk)
            self.size += chunk.size
            self._place = -(-address_of(chunk) // LINE_BYTES) * LINE_BYTES
            self._end = address_of(chunk) + chunk.size
        place, self._place = self._place, self._place + size
        return place


def _rounded(size: int) -> int:
    """To one of few sizes, at most a quarter more, so that places fit others."""
    step = max(LINE_BYTES, 1 << max(size.bit_length() - 3, 0))
    return -(-size // step) * step
