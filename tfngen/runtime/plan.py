"""What a convolution over a graph is made of, in the plain numbers that operators and launchers pass on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from tfngen.forms import TANGENT
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


@lru_cache(maxsize=256)
def decode(numbers: tuple[int, ...]) -> tuple[Widths, tuple[PackedPath, ...]]:
    """The inverse of `encode`."""
    first, step = len(Widths._fields), len(PackedPath._fields)
    starts = range(first, len(numbers), step)
    return Widths(*numbers[:first]), tuple(PackedPath(*numbers[at : at + step]) for at in starts)


class Rows(NamedTuple):
    """The edges of each node, in the order they are summed in."""

    order: Tensor
    row_pointers: Tensor


def check_convolution(
    plan: Sequence[int], operands: Mapping[str, Tensor], graph: Sequence[Tensor | None]
) -> None:
    """Raise ValueError unless shapes, dtypes and devices fit: what indices hold is checked as they are used."""
    widths, _ = decode(tuple(plan))
    for name, tensor in zip(_GRAPH, graph, strict=True):
        if tensor is None:
            continue
        if tensor.dtype != torch.int64 or tensor.dim() != 1 or not tensor.is_contiguous():
            raise ValueError(
                f"{name}: {tensor.dtype} of shape {tuple(tensor.shape)}; it must be contiguous int64, one axis"
            )
    sources, targets, target_order, target_pointers, source_order, source_pointers, index, order, rows = graph
    assert sources is not None and target_pointers is not None and source_pointers is not None
    edges, nodes = sources.shape[0], target_pointers.shape[0] - 1
    for name, tensor in zip(_GRAPH, graph, strict=True):
        if tensor is None or name == "weight_pointers":
            continue
        wanted = nodes + 1 if name.endswith("pointers") else edges
        if tensor.shape[0] != wanted or nodes < 0:
            raise ValueError(f"{name}: {tensor.shape[0]} entries; it must have {wanted}")
    if (index is None) != (order is None) or (index is None) != (rows is None):
        raise ValueError("weight_index: it comes with weight_order and weight_pointers, or not at all")
    weight_rows = edges if rows is None else rows.shape[0] - 1
    shapes = {
        "filter": (edges, widths.filter),
        "input": (nodes, widths.input),
        "weight": (weight_rows, widths.weight),
        "grad": (nodes, widths.grad),
    }
    anyone = next(iter(operands.values()))
    for name, tensor in operands.items():
        wanted_shape = shapes[name.removesuffix(TANGENT)]
        if tuple(tensor.shape) != wanted_shape:
            raise ValueError(f"{name}: shape {tuple(tensor.shape)}; it must be {wanted_shape}")
        if tensor.dtype != anyone.dtype or tensor.device != sources.device:
            raise ValueError(
                f"{name}: {tensor.dtype} on {tensor.device}; it must be {anyone.dtype} on {sources.device}"
            )


_GRAPH = (
    "sources",
    "targets",
    "target_order",
    "target_pointers",
    "source_order",
    "source_pointers",
    "weight_index",
    "weight_order",
    "weight_pointers",
)


@dataclass(frozen=True, slots=True)
class Edges:
    """A graph as kernels see it: int64 tensors (sources, targets, and both orders)."""

    sources: Tensor
    targets: Tensor
    by_target: Rows
    by_source: Rows
    weight_index: Tensor | None = None
    """The row of weights of each edge; None where every edge has its own."""
    shared_rows: int = 0
    """How many rows of weights there are, where edges share them."""

    @property
    def weight_rows(self) -> int:
        """How many rows of weights there are."""
        return self.count if self.weight_index is None else self.shared_rows

    @property
    def count(self) -> int:
        return self.sources.shape[0]

    @property
    def num_nodes(self) -> int:
        return self.by_target.row_pointers.shape[0] - 1
