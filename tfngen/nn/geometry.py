"""What every layer needs to know of the points, measured once per forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tfngen.runtime.convolution import Kernels
from tfngen.runtime.graph import Graph
from tfngen.runtime.undirected import Undirected

_Known = dict[tuple[nn.Module | None, bool], Tensor]
"""What lengths are turned into, and whether autograd was listening."""


@dataclass(frozen=True)
class Geometry:
    """Lengths and directions of a graph's edges."""

    distances: Tensor
    """(edges,) |r_ab|, in the unit of the positions."""
    harmonics: Tensor
    """(edges, (LMAX + 1)²) Y(r_ab / |r_ab|), packed by degree; Y_0 only where r_ab = 0."""
    pairs: Undirected | None = None
    """Which edges have one distance because they are the two directions of one: layers then compute radial
    functions once for both. None if the distances are not known to come in pairs."""
    _known: _Known = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def measure(
        cls, graph: Graph, positions: Tensor, kernels: Kernels, cell: Tensor | None = None
    ) -> Geometry:
        """Measure the edges; see `Graph.edge_vectors` for the arguments and errors."""
        vectors = graph.edge_vectors(positions, cell)
        return cls(safe_norm(vectors), kernels.spherical_harmonics(vectors), graph.undirected)

    @property
    def lengths(self) -> Tensor:
        """(pairs,) |r_ab|, or (edges,) if they are not known to come in pairs."""
        pairs = self.pairs
        if pairs is None:
            return self.distances
        # |r_ab| = |r_ba|, so all of the derivative by a pair's length may go through one of its edges.
        return self._once(None, lambda: self.distances.index_select(0, pairs.representative))

    def of_lengths(self, function: nn.Module) -> Tensor:
        """`function(lengths)`; where it has no parameters, such as a basis that layers share, once."""
        if next(function.parameters(), None) is not None:
            found: Tensor = function(self.lengths)
            return found
        return self._once(function, lambda: function(self.lengths))

    def _once(self, function: nn.Module | None, compute: Callable[[], Tensor]) -> Tensor:
        key = function, torch.is_grad_enabled()  # what was computed without a history has no derivative
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def safe_norm(vectors: Tensor) -> Tensor:
    """‖v‖ over the last axis; derivatives of every order are zero, not NaN, where v = 0."""
    squared = (vectors * vectors).sum(-1)
    is_zero = squared == 0
    root = torch.where(is_zero, torch.ones_like(squared), squared).sqrt()
    return torch.where(is_zero, torch.zeros_like(squared), root)
