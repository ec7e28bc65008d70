"""Which rows meet which: the graphs of other people's models, sorted once for all layers."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from tfngen.runtime import plan
from tfngen.runtime.dispatch import are_watched
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import EdgeOrder

Found = TypeVar("Found")


class Edges(NamedTuple):
    """Which row of features meets which row of filters."""

    graph: plan.Edges
    """Every edge has a row of weights."""
    one_row: plan.Edges
    """All edges have the one row of weights."""


def graph_edges(graph: Graph) -> Edges:
    """Those of a graph: features at sources, filters along edges, sums at targets."""
    edges = graph.edges
    pointers = torch.tensor([0, graph.num_edges], device=graph.device)
    shared = plan.Rows(graph.by_target.order, pointers)
    return Edges(edges, edges._replace(weight_index=torch.zeros_like(graph.source), by_weight=shared))


_known: dict[Hashable, tuple[list[tuple[weakref.ref[Tensor], int]], Any]] = {}


def remembered(owners: tuple[Tensor, ...], place: Hashable, make: Callable[[], Found]) -> Found:
    """What `make` made of `owners` before, as long as they live and are not written to."""
    if are_watched(owners) or any(owner.is_inference() for owner in owners):
        return make()  # what is recorded is made in every run; inference tensors do not tell what befell them
    key = (place, *map(id, owners))
    if key in _known:
        seen, found = _known[key]
        if all(ref() is each and at == each._version for (ref, at), each in zip(seen, owners, strict=True)):
            return cast(Found, found)
    made = make()
    seen = [(weakref.ref(each, lambda _: _known.pop(key, None)), each._version) for each in owners]
    _known[key] = seen, made
    return made


def edges_of(edge_index: Tensor, num_nodes: int, source_row: int = 0) -> Edges:
    """The edges in a (2, edges) int32 or int64 index, found again as long as it lives and is not written to.

    Args:
        edge_index: rows of nodes.
        num_nodes: how many there are.
        source_row: which row holds the nodes that features are taken from.

    Raises:
        ValueError: what `Graph` raises.
    """
    return edges_between(edge_index[source_row], edge_index[1 - source_row], num_nodes)


def edges_between(sources: Tensor, targets: Tensor, num_nodes: int) -> Edges:
    """The same from (edges,) sources and targets; found again where they are rows of one tensor.

    Raises:
        ValueError: what `Graph` raises.
    """
    whole = sources._base
    if whole is None or whole is not targets._base:
        return _edges(sources, targets, num_nodes)
    views = (sources, targets)
    place = (num_nodes, *((each.storage_offset(), each.stride(), each.shape[0]) for each in views))
    return remembered((whole,), place, lambda: _edges(sources, targets, num_nodes))


def _edges(sources: Tensor, targets: Tensor, num_nodes: int) -> Edges:
    if are_watched((sources, targets)):
        return _recorded(sources.to(torch.int64), targets.to(torch.int64), num_nodes)
    return graph_edges(Graph(torch.stack([sources, targets]), num_nodes))


def _recorded(sources: Tensor, targets: Tensor, num_nodes: int) -> Edges:
    """The same by operations alone, without a look at the indices: kernels find those out of range."""
    places = sources.contiguous(), targets.contiguous()
    by_source, by_target = (
        EdgeOrder._build(one, torch.argsort(one * num_nodes + other, stable=True), num_nodes)
        for one, other in (places, places[::-1])
    )
    rows = [plan.Rows(each.order, each.row_pointers) for each in (by_target, by_source)]
    edges = plan.Edges(*places, *rows)
    pointers = torch.arange(2, device=sources.device) * sources.shape[0]
    shared = plan.Rows(by_target.order, pointers)
    return Edges(edges, edges._replace(weight_index=torch.zeros_like(places[0]), by_weight=shared))


class Pairs(NamedTuple):
    """The edges of a graph two by two, each with the one that leads back."""

    order: EdgeOrder
    """The pair each edge belongs to."""
    first: Tensor
    """(pairs,) the edge of each pair that comes first."""
    second: Tensor
    """(pairs,) the other."""


def once_for_both(pairs: Pairs | None, rows: Tensor) -> Tensor | None:
    """(pairs, …) the row that both edges of a pair have, if they do; each has half of its derivative."""
    if pairs is None or rows.shape[0] != pairs.order.index.shape[0]:
        return None
    one, other = rows[pairs.first], rows[pairs.second]
    return (one + other) / 2 if torch.equal(one, other) else None


_MIX = (0x9E3779B97F4A7C15 - 2**64, 0xC2B2AE3D27D4EB4F - 2**64, 0x165667B19E3779F9, 0x27D4EB2F165667C5)
"""Odd numbers that spread the bits of a key."""


def pairs_of(edge_index: Tensor, vectors: Tensor, column: int = 0) -> Pairs | None:
    """Every edge with its opposite: nodes exchanged, and the vector negative to the last bit.

    Found again as long as both live and are not written to.

    Args:
        edge_index: (2, edges) int32 or int64.
        vectors: (edges, ≥ 3) float32 or float64, whose three columns from `column` on are along the edges.
        column: the first of them.

    Returns:
        None where an edge has no opposite, or where it may not be looked at: while a program is recorded.
    """
    if are_watched((edge_index, vectors)):
        return None
    along = vectors.detach()[:, column : column + 3]
    return remembered((edge_index, vectors), ("pairs", column), lambda: _pairs(edge_index, along))


def _pairs(edge_index: Tensor, vectors: Tensor) -> Pairs | None:
    begin, end = edge_index.to(torch.int64)
    edges = begin.shape[0]
    if edges == 0 or edges % 2:
        return None
    x, y, z = vectors.unbind(1)
    upward = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    forward = (begin < end) | ((begin == end) & upward)
    low, high = torch.minimum(begin, end), torch.maximum(begin, end)
    turned = torch.where(forward[:, None], vectors, -vectors) + 0.0  # and −0 becomes 0
    bits = turned.contiguous().view(torch.int32 if vectors.dtype == torch.float32 else torch.int64)
    bits = bits.to(torch.int64)
    parts = (low * (int(high.max()) + 1) + high, *(bits ^ (bits >> 32)).unbind(1))
    mixed = sum((part * factor for part, factor in zip(parts, _MIX, strict=True)), torch.zeros_like(low))
    order = torch.argsort(mixed ^ (mixed >> 29), stable=True)
    one, other = order[0::2], order[1::2]
    alike = all(torch.equal(each[one], each[other]) for each in (low, high, turned))
    if not alike or bool((forward[one] == forward[other]).any()):
        return None
    index = torch.empty_like(order)
    index[one] = index[other] = torch.arange(edges // 2, device=order.device)
    pointers = torch.arange(0, edges + 1, 2, device=order.device)
    first, second = torch.where(forward[one], one, other), torch.where(forward[one], other, one)
    return Pairs(EdgeOrder(index, order, pointers), first, second)
