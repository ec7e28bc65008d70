"""The graphs of other people's models, sorted once for all layers, and what convolves over them."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from types import ModuleType

import torch
from torch import Tensor, nn

from tfngen.interop.e3nn import describe
from tfngen.interop.products import Edges, Product, UnsupportedError, graph_edges
from tfngen.runtime.graph import Graph

_known: dict[int, tuple[weakref.ref[Tensor], int, dict[Hashable, Edges]]] = {}


def convolution_of(multiply: nn.Module, kernels: ModuleType | None = None) -> Product:
    """What multiplies and sums over edges as an e3nn tensor product with weights of their own does.

    Raises:
        UnsupportedError: it is no such product, or does not keep channels apart.
    """
    if not hasattr(multiply, "instructions") or not hasattr(multiply, "shared_weights"):
        raise UnsupportedError(f"it multiplies with {type(multiply).__name__}, not with e3nn's TensorProduct")
    product = Product(describe(multiply), kernels)
    if product.needs_rows or multiply.shared_weights:
        raise UnsupportedError("its tensor product is not channel by channel with weights per edge")
    return product


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
