"""Pooling: one feature vector per graph."""

from __future__ import annotations

from torch import nn

from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import sum_to_nodes


class Pooling(nn.Module):
    """The sum or the mean of features over the points of each graph.

    Points are added in their own order, so the result is bitwise the same from run to run. A graph without
    points gets zeros.

    Args:
        reduce: ``"sum"`` or ``"mean"``.
    """

    def __init__(self, reduce: str = "sum") -> None:
        super().__init__()
        if reduce not in ("sum", "mean"):
            raise ValueError(f"reduce: {reduce!r}; it must be 'sum' or 'mean'")
        self.reduce = reduce

    def forward(self, graph: Graph, features: Features) -> Features:
        """V (nodes, channels, 2l+1) → (graphs, channels, 2l+1) for each irrep.

        Raises:
            ValueError: the features have another number of points than the graph.
        """
        pooled = []
        for tensor in features.values():
            total = sum_to_nodes(tensor.transpose(1, 2), graph.by_graph)
            if self.reduce == "mean":
                total = total / graph.by_graph.counts.clamp(min=1).to(total.dtype)[:, None, None]
            pooled.append(total.transpose(1, 2))
        return Features._of(list(features), pooled)

    def extra_repr(self) -> str:
        return f"reduce={self.reduce!r}"
