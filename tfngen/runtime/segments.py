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

from tfngen.runtime import operators  # noqa: F401 (registers torch.ops.tfngen)
from tfngen.runtime.dispatch import call


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
        ValueError: `x` has another number of rows or another device than `order`, or is neither float32 nor
            float64.
    """
    _check("x", x, order, order.num_rows, "nodes")
    rows: Tensor = call("gather_rows", x, order.index, order.order, order.row_pointers)
    return rows


def sum_to_nodes(values: Tensor, order: EdgeOrder) -> Tensor:
    """Σ values[e] over the edges e with order.index[e] = a, (edges, …) → (nodes, …).

    Nodes without edges get zeros. Differentiable to every order; the derivative is `gather`.

    Raises:
        ValueError: `values` has another number of rows or another device than `order`, or is neither float32
            nor float64.
    """
    _check("values", values, order, order.index.shape[0], "edges")
    sums: Tensor = call("sum_rows", values, order.index, order.order, order.row_pointers)
    return sums


def _check(name: str, tensor: Tensor, order: EdgeOrder, rows: int, what: str) -> None:
    if tensor.ndim == 0 or tensor.shape[0] != rows:
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}; the first axis must be the {rows} {what}")
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name}: dtype {tensor.dtype}; it must be torch.float32 or torch.float64")
    if tensor.device != order.index.device:
        raise ValueError(f"{name}: on {tensor.device}; the graph is on {order.index.device}")
