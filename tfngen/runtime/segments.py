"""Between nodes and edges: copy rows out to edges, and sum edges into nodes.

The two are each other's derivative, and both follow an `EdgeOrder`, whose sum over the edges of a node
runs in an order of its own. So values and derivatives of every order come out bitwise the same from run to
run, and however the edges were listed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class EdgeOrder:
    """Edges grouped by one of their two nodes (or points by their graph): what a deterministic sum needs.

    The edges of node a are ``order[row_pointers[a] : row_pointers[a + 1]]``.
    """

    index: Tensor
    """(edges,) int64: the node of each edge, in the order the edges were given."""
    order: Tensor
    """(edges,) int64: the permutation that sorts the edges."""
    row_pointers: Tensor
    """(nodes + 1,) int64: where each node's edges begin in `order`."""

    @property
    def num_rows(self) -> int:
        """The number of nodes."""
        return self.row_pointers.shape[0] - 1

    @property
    def counts(self) -> Tensor:
        """(nodes,) int64: the number of edges of each node."""
        return self.row_pointers.diff()

    @staticmethod
    def _build(index: Tensor, order: Tensor, num_rows: int) -> EdgeOrder:
        rows = torch.arange(num_rows + 1, device=index.device)
        return EdgeOrder(index, order, torch.searchsorted(index[order], rows))

    def _map(self, function: Callable[[Tensor], Tensor]) -> EdgeOrder:
        return EdgeOrder(function(self.index), function(self.order), function(self.row_pointers))


def gather(x: Tensor, order: EdgeOrder) -> Tensor:
    """x[order.index]: the row of each edge's node, (nodes, …) → (edges, …).

    Differentiable to every order; the derivative is `sum_to_nodes`.

    Raises:
        ValueError: `x` has another number of rows or lives on another device than `order`.
    """
    _check("x", x, order, order.num_rows, "nodes")
    return _gather_rows(x, order.index, order.order, order.row_pointers)


def sum_to_nodes(values: Tensor, order: EdgeOrder) -> Tensor:
    """Σ values[e] over the edges e with order.index[e] = a, (edges, …) → (nodes, …).

    Nodes without edges get zeros. Differentiable to every order; the derivative is `gather`.

    Raises:
        ValueError: `values` has another number of rows or lives on another device than `order`.
    """
    _check("values", values, order, order.index.shape[0], "edges")
    return _sum_rows(values, order.index, order.order, order.row_pointers)


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, index, order, row_pointers):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(index, order, row_pointers)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return _SumRows.apply(grad, *ctx.saved_tensors), None, None, None


class _SumRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, index, order, row_pointers):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(index, order, row_pointers)
        rows = values.index_select(0, order)
        return torch.segment_reduce(rows, "sum", offsets=row_pointers, axis=0, unsafe=True, initial=0.0)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return _GatherRows.apply(grad, *ctx.saved_tensors), None, None, None


_gather_rows, _sum_rows = _GatherRows.apply, _SumRows.apply


def _check(name: str, tensor: Tensor, order: EdgeOrder, rows: int, what: str) -> None:
    if tensor.ndim == 0 or tensor.shape[0] != rows:
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}; the first axis must be the {rows} {what}")
    if tensor.device != order.index.device:
        raise ValueError(f"{name}: on {tensor.device}; the graph is on {order.index.device}")
