"""What a convolution over a graph is made of, in the plain numbers that operators and launchers pass on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from tfngen.irreps import Path

if TYPE_CHECKING:
    from tfngen.runtime.segments import EdgeOrder


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

    def offset(self, slot: str) -> int:
        """Where the path's part of a row begins in the operand of `slot`, in elements."""
        return self[4 + ("filter", "input", "weight", "grad").index(slot)]


class Widths(NamedTuple):
    """The length of a packed row in each slot."""

    filter: int
    input: int
    weight: int
    grad: int


def encode(widths: Widths, paths: Sequence[PackedPath]) -> tuple[int, ...]:
    """A convolution as integers, which is what an operator's schema can carry."""
    return (*widths, *(number for path in paths for number in path))


@lru_cache(maxsize=256)
def decode(numbers: tuple[int, ...]) -> tuple[Widths, tuple[PackedPath, ...]]:
    """The inverse of `encode`.

    Raises:
        ValueError: as many numbers as no convolution has.
    """
    first, step = len(Widths._fields), len(PackedPath._fields)
    if len(numbers) < first or (len(numbers) - first) % step:
        raise ValueError(f"plan: {len(numbers)} integers; it must be {first} and {step} for each path")
    starts = range(first, len(numbers), step)
    return Widths(*numbers[:first]), tuple(PackedPath(*numbers[at : at + step]) for at in starts)


class Rows(NamedTuple):
    """The edges of each node, in the order they are summed in."""

    order: Tensor
    row_pointers: Tensor


GRAPH_TENSORS = ("sources", "targets", "target_order", "target_pointers", "source_order", "source_pointers")
WEIGHT_TENSORS = ("weight_index", "weight_order", "weight_pointers")
"""Which row of weights each edge has, and the edges of each row; None where every edge has its own."""


class Edges(NamedTuple):
    """A graph as kernels see it: int64 tensors (sources, targets, and both orders)."""

    sources: Tensor
    targets: Tensor
    by_target: Rows
    by_source: Rows
    weight_index: Tensor | None = None
    """The row of weights of each edge; None where every edge has its own."""
    by_weight: Rows | None = None
    """The edges of each row of weights, where they share them."""

    @classmethod
    def of(cls, tensors: Sequence[Tensor | None]) -> Edges:
        """`GRAPH_TENSORS` and then `WEIGHT_TENSORS`, under the names they have here."""
        sources, targets, *orders = tensors
        by_target, by_source, by_weight = Rows(*orders[:2]), Rows(*orders[2:4]), Rows(*orders[5:])
        index = orders[4]
        return cls(sources, targets, by_target, by_source, index, None if index is None else by_weight)

    def shared_by(self, order: EdgeOrder | None) -> Edges:
        """The same where edges share rows of weights: which row each has, and the edges of each row."""
        if order is None:
            return self
        return self._replace(weight_index=order.index, by_weight=Rows(order.order, order.row_pointers))

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """The inverse of `of`."""
        sharing = (None, None) if self.by_weight is None else self.by_weight
        return (self.sources, self.targets, *self.by_target, *self.by_source, self.weight_index, *sharing)

    @property
    def weight_rows(self) -> int:
        """How many rows of weights there are."""
        return self.num_edges if self.by_weight is None else self.by_weight.row_pointers.shape[0] - 1

    @property
    def rows(self) -> tuple[int, int, int, int]:
        """How many rows each slot has, in the order of `Widths`."""
        edges, nodes = self.sources.shape[0], self.by_target.row_pointers.shape[0] - 1
        return edges, nodes, edges if self.by_weight is None else self.weight_rows, nodes

    @property
    def num_edges(self) -> int:
        return self.sources.shape[0]

    @property
    def num_nodes(self) -> int:
        return self.by_target.row_pointers.shape[0] - 1
