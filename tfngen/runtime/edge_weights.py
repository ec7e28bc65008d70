"""The weights of a convolution: the one place that knows in which ways edges share them."""

from __future__ import annotations

import torch
from torch import Tensor

from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import EdgeOrder


def edge_weights(
    graph: Graph, weights: Tensor | None, edge_weight_index: Tensor | EdgeOrder | None, width: int, y: Tensor
) -> tuple[Tensor, EdgeOrder | None]:
    """Rows of weights, and which of them each edge has.

    Args:
        graph: the edges.
        weights: (rows, width) with an index; without one (edges, width), or (width,) for all edges alike, or
            None for ones.
        edge_weight_index: (edges,) int32 or int64, the row of each edge, or its `EdgeOrder`.
        width: the number of weights of an edge.
        y: a tensor of the dtype and device that ones would have.

    Returns:
        (rows, width), and the edges of each row in the order in which its gradient is summed; None where
        every edge has a row of its own.

    Raises:
        ValueError: a wrong shape, dtype or device, or an index out of range.
    """
    if edge_weight_index is None:
        shapes = ((width,), (graph.num_edges, width))
        if weights is None:
            weights = y.new_ones(width)
        if tuple(weights.shape) not in shapes:
            raise ValueError(f"weights: shape {tuple(weights.shape)}; it must be {shapes[1]} or {shapes[0]}")
        return (weights, None) if weights.ndim == 2 else (weights[None], _one_row(graph))

    if weights is None:
        raise ValueError("edge_weight_index: given without weights; it says which row of them an edge has")
    if weights.ndim != 2 or weights.shape[1] != width:
        raise ValueError(
            f"weights: shape {tuple(weights.shape)}; with edge_weight_index it must be (rows, {width})"
        )
    if isinstance(edge_weight_index, EdgeOrder):
        _check_order(graph, weights, edge_weight_index)
    else:
        edge_weight_index = graph._grouped(
            "edge_weight_index", edge_weight_index, "weights.shape[0]", weights.shape[0]
        )
    return weights, edge_weight_index


def _one_row(graph: Graph) -> EdgeOrder:
    """All edges in the order of their targets, which does not depend on how they were listed."""
    edges = graph.num_edges
    pointers = torch.tensor([0, edges], device=graph.device)
    return EdgeOrder(torch.zeros_like(graph.source), graph.by_target.order, pointers)


def _check_order(graph: Graph, weights: Tensor, order: EdgeOrder) -> None:
    edges = order.index.shape[0]
    if edges != graph.num_edges:
        raise ValueError(f"edge_weight_index: an order of {edges} edges; the graph has {graph.num_edges}")
    if order.index.device != graph.device:
        raise ValueError(f"edge_weight_index: on {order.index.device}; the graph is on {graph.device}")
    if order.num_rows != weights.shape[0]:
        raise ValueError(
            f"weights: shape {tuple(weights.shape)}; edge_weight_index is into {order.num_rows} rows, so it "
            f"must be ({order.num_rows}, {weights.shape[1]})"
        )
