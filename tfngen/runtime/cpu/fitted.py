"""Kernels fitted to rows that fill their vectors: no masks, short vectors for short rows, and one width.

A generated kernel takes rows of any width. The same function, given other words to be compiled with (vectors
of fewer lanes, loads and stores of whole ones, a width that is a number and no argument), suits rows of a
width that many models have. Where components lie apart by a number, each address is one register and that
number; by an argument, seven components are as many registers, most of them in the stack.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

from tfngen.runtime.cpu.access import Access
from tfngen.runtime.cpu.index import loads_indices
from tfngen.runtime.cpu.kernel import Kernel
from tfngen.runtime.cpu.operations import Operations, define_operations
from tfngen.runtime.cpu.vector import FLOAT32, FLOAT64, LINE_BYTES, REGISTER_BYTES, VectorType

if TYPE_CHECKING:
    from tfngen.forms import Form
    from tfngen.irreps import Path
    from tfngen.runtime.plan import PackedPath

SHORTEST = 16
"""Bytes of the shortest vectors: a register of every processor."""
WIDTHS = ("channels", "input_step")
"""The arguments of a kernel that are a path's number of channels."""

_operations = lru_cache(maxsize=64)(define_operations)


@dataclass(frozen=True, slots=True)
class Fit:
    """What rows are like.

    Attributes:
        lanes: those of the vectors that suit them; the compiler makes two registers of one that is too long.
        channels: how long they are, where they fill their vectors; else 0, of any length.
    """

    lanes: int
    channels: int = 0

    @property
    def whole(self) -> bool:
        return self.channels > 0

    @property
    def name(self) -> str:
        return f"lanes_{self.lanes}" + f"_channels_{self.channels}" * self.whole


def fit(itemsize: int, channels: int, sums: int = 0) -> Fit:
    """The vectors for rows of so many channels.

    A kernel with nothing but `sums` over edges to keep has registers left. Vectors as long as a line use each
    coefficient twice where a register holds half of one (7 % faster forward, with AVX2), and a single sum
    leaves room for two lines (a third faster).
    """
    longest = lanes = _kind(itemsize).lanes
    while lanes * itemsize > SHORTEST and channels <= lanes // 2:
        lanes //= 2
    if channels % lanes:  # one kernel for all such rows
        return Fit(longest)
    if sums and REGISTER_BYTES == LINE_BYTES // 2:
        lines = (2, 1) if sums == 1 else (1,)
        wider = (each * LINE_BYTES // itemsize for each in lines)
        lanes = next((each for each in wider if not channels % each), lanes)
    return Fit(lanes, channels)


def fitted(kernel: Kernel, form: Form, itemsize: int, fit: Fit) -> Kernel:
    """`kernel` of a form, which computes with numbers of `itemsize` bytes, for rows that are like `fit`."""
    if fit == Fit(_kind(itemsize).lanes):
        return kernel
    return kernel.variant(fit.name, _words(form, itemsize, fit))


def for_path(kernel: Kernel, form: Form, path: PackedPath, itemsize: int) -> Kernel:
    """`kernel` of a form, for the rows of a path."""
    return fitted(kernel, form, itemsize, fit(itemsize, path.channels, sums_of(form, path.degrees)))


def sums_of(form: Form, path: Path) -> int:
    """How many sums over edges a kernel keeps that returns nothing else; 0 for others."""
    degrees = {("grad",): path.l_output, ("input",): path.l_input}
    return 2 * degrees[form.by] + 1 if form.sums_only else 0


def _kind(itemsize: int) -> VectorType:
    return FLOAT32 if itemsize == 4 else FLOAT64


@lru_cache(maxsize=256)
def _words(form: Form, itemsize: int, fit: Fit) -> dict[str, object]:
    """What a kernel is written with, for rows that are like `fit`."""
    access = Access(VectorType(_kind(itemsize).element, fit.lanes), fit.whole)
    operations = _operations(access)
    words = {"LANES": fit.lanes} | {each.name: getattr(operations, each.name) for each in fields(Operations)}
    if fit.whole:  # an input's components are as far apart as a path has channels
        known = {form.arguments.index(each): fit.channels for each in WIDTHS if each in form.arguments}
        words["load_indices"] = loads_indices(known)
    return words
