"""What a convolution over a graph is made of, in the plain numbers that operators and launchers pass on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from tfngen.irreps import Path


class PackedPath(NamedTuple):
    """One path of a convolution: its degrees, its channels, and where its irreps begin in packed rows."""

    l_filter: int
    l_input: int
    l_output: int
    channels: int
    filter_offset: int
    input_offset: int
    weight_offset: int
    grad_offset: int
    grad_step: int
    """The channels of the whole output irrep, in which the path's own are a part."""

    @property
    def degrees(self) -> Path:
        return Path(*self[:3])

    def step(self, slot: str) -> int:
        """The elements from one component to the next in the operand of `slot`, ``input`` or ``grad``."""
        return self.channels if slot == "input" else self.grad_step

    def offset(self, slot: str) -> int:
        """Where the path's part of a row begins in the operand of `slot`, in elements."""
        return self[4 + ("filter", "input", "weight", "grad").index(slot)]


class Widths(NamedTuple):
    """The length of a packed row in each slot."""

    filter: int
    input: int
    weight: int
    grad: int


def encode(widths: Widths, paths: Sequence[PackedPath]) -> list[int]:
    """A convolution as integers, which is what an operator's schema can carry."""
    return [*widths, *(number for path in paths for number in path)]


def decode(numbers: Sequence[int]) -> tuple[Widths, list[PackedPath]]:
    """The inverse of `encode`."""
    first, step = len(Widths._fields), len(PackedPath._fields)
    starts = range(first, len(numbers), step)
    return Widths(*numbers[:first]), [PackedPath(*numbers[at : at + step]) for at in starts]


class Rows(NamedTuple):
    """The edges of each node, in the order they are summed in."""

    order: Tensor
    row_pointers: Tensor


@dataclass(frozen=True, slots=True)
class Edges:
    """A graph as kernels see it: int64 tensors (sources, targets, and both orders)."""

    sources: Tensor
    targets: Tensor
    by_target: Rows
    by_source: Rows

    @property
    def count(self) -> int:
        return self.sources.shape[0]

    @property
    def num_nodes(self) -> int:
        return self.by_target.row_pointers.shape[0] - 1
