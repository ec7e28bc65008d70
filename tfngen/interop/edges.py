"""Which rows meet which: the graphs of other people's models, sorted once for all layers."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from tfngen.runtime.graph import Graph


class Edges(NamedTuple):
    """Which row of features meets which row of filters: the tensors that operators over a graph take."""

    graph: tuple[Tensor, ...]
    one_row: tuple[Tensor, ...]
    """All edges have the one row of weights."""


def graph_edges(graph: Graph) -> Edges:
    """Those of a graph: features at sources, filters along edges, sums at targets."""
    orders = [part for by in (graph.by_target, graph.by_source) for part in (by.order, by.row_pointers)]
    pointers = torch.tensor([0, graph.num_edges], device=graph.device)
    one_row = torch.zeros_like(graph.source), graph.by_target.order, pointers
    return Edges((graph.source, graph.target, *orders), one_row)


@lru_cache(maxsize=16)
def row_edges(rows: int, device: torch.device) -> Edges:
    """Row by row: every row is a node joined to itself."""
    order, pointers = torch.arange(rows, device=device), torch.arange(rows + 1, device=device)
    shared = torch.zeros(rows, dtype=torch.int64, device=device), order, pointers[[0, -1]]
    return Edges((order, order, order, pointers, order, pointers), shared)


_known: dict[int, tuple[weakref.ref[Tensor], int, dict[Hashable, Edges]]] = {}


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
    key = id(whole)
    reference, written, known = _known.get(key, (None, 0, {}))
    if reference is None or reference() is not whole or written != whole._version:
        known = {}
        _known[key] = weakref.ref(whole, lambda _: _known.pop(key, None)), whole._version, known
    views = (sources, targets)
    place = (num_nodes, *((each.storage_offset(), each.stride(), each.shape[0]) for each in views))
    if place not in known:
        known[place] = _edges(sources, targets, num_nodes)
    return known[place]


def _edges(sources: Tensor, targets: Tensor, num_nodes: int) -> Edges:
    return graph_edges(Graph(torch.stack([sources, targets]), num_nodes))
