"""What every layer needs to know of the points, measured once per forward pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tfngen.runtime.convolution import Kernels
from tfngen.runtime.graph import Graph
from tfngen.runtime.undirected import Undirected


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

    @classmethod
    def measure(
        cls, graph: Graph, positions: Tensor, kernels: Kernels, cell: Tensor | None = None
    ) -> Geometry:
        """Measure the edges; see `Graph.edge_vectors` for the arguments and errors."""
        vectors = graph.edge_vectors(positions, cell)
        return cls(safe_norm(vectors), kernels.spherical_harmonics(vectors), graph.undirected)


def safe_norm(vectors: Tensor) -> Tensor:
    """‖v‖ over the last axis; derivatives of every order are zero, not NaN, where v = 0."""
    squared = (vectors * vectors).sum(-1)
    is_zero = squared == 0
    root = torch.where(is_zero, torch.ones_like(squared), squared).sqrt()
    return torch.where(is_zero, torch.zeros_like(squared), root)
