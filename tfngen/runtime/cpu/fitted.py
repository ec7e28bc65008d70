"""Kernels fitted to rows of a known width: vectors no longer than needed, no masks where rows fill them.

A generated kernel takes rows of any width. The same function, given other words to be compiled with (vectors
of fewer lanes, loads and stores of whole ones), suits rows of a width that many models have.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from tfngen.runtime.cpu.access import Access
from tfngen.runtime.cpu.kernel import Kernel
from tfngen.runtime.cpu.operations import Operations, define_operations
from tfngen.runtime.cpu.vector import FLOAT32, FLOAT64, LINE_BYTES, REGISTER_BYTES, VectorType

SHORTEST = 16
"""Bytes of the shortest vectors: a register of every processor."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What rows are like.

    Attributes:
        lanes: those of the vectors that suit them; the compiler makes two registers of one that is too long.
        whole: whether they fill their vectors.
        lines: whether they fill lines of the cache, and begin with one.
    """

    lanes: int
    whole: bool
    lines: bool

    @property
    def name(self) -> str:
        return f"lanes_{self.lanes}" + "_whole" * self.whole + "_lines" * self.lines


def fit(itemsize: int, channels: int, offset: int = 0, sums: bool = False) -> Fit:
    """The vectors for rows of so many channels, which begin `offset` numbers after a line of the cache.

    With `sums` a kernel has nothing but sums over edges to keep. Registers are left then, and vectors as long
    as a line use each coefficient twice where a register holds half of one (7 % faster forward, with AVX2).
    """
    lanes = _kind(itemsize).lanes
    while lanes * itemsize > SHORTEST and channels <= lanes // 2:
        lanes //= 2
    lines = not channels * itemsize % LINE_BYTES and not offset * itemsize % LINE_BYTES
    if sums and REGISTER_BYTES == LINE_BYTES // 2 and not channels * itemsize % LINE_BYTES:
        lanes = LINE_BYTES // itemsize
    return Fit(lanes, whole=not channels % lanes, lines=lines)


def fitted(kernel: Kernel, itemsize: int, fit: Fit) -> Kernel:
    """`kernel`, which computes with numbers of `itemsize` bytes, for rows that are like `fit`."""
    if fit == Fit(_kind(itemsize).lanes, whole=False, lines=False):
        return kernel
    return kernel.variant(fit.name, _words(itemsize, fit))


def _kind(itemsize: int) -> VectorType:
    return FLOAT32 if itemsize == 4 else FLOAT64


@lru_cache(maxsize=64)
def _words(itemsize: int, fit: Fit) -> dict[str, object]:
    """What a kernel is written with, for rows that are like `fit`."""
    access = Access(VectorType(_kind(itemsize).element, fit.lanes), fit.whole, fit.lines)
    operations = define_operations(access)
    return {"LANES": fit.lanes} | {each.name: getattr(operations, each.name) for each in fields(Operations)}
