"""Sets of point masses in a cube, many of them as one graph; drawn from an explicit generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tfngen.runtime.graph import Graph

LIGHTEST, HEAVIEST = 0.5, 2.0


@dataclass(frozen=True)
class PointMasses:
    """Some sets, one after the other. Lengths and masses have no units: G = 1."""

    sizes: list[int]
    """How many points each set has."""
    positions: Tensor
    """(points, 3) float64."""
    masses: Tensor
    """(points,) float64, from `LIGHTEST` to `HEAVIEST`."""

    @classmethod
    def draw(
        cls, sets: int, fewest: int, most: int, reach: float, apart: float, generator: Generator
    ) -> PointMasses:
        """Sets of `fewest` to `most` points, uniform in [−reach, reach]³.

        A point nearer than `apart` to an earlier one of its set is drawn again.
        """
        sizes = torch.randint(fewest, most + 1, (sets,), generator=generator).tolist()
        parts = []
        for size in sizes:
            points = torch.empty(0, 3, dtype=torch.float64)
            while len(points) < size:
                new = reach * (2 * torch.rand(1, 3, dtype=torch.float64, generator=generator) - 1)
                if not len(points) or float((points - new).norm(dim=1).min()) >= apart:
                    points = torch.cat([points, new])
            parts.append(points)
        uniform = torch.rand(sum(sizes), dtype=torch.float64, generator=generator)
        return cls(sizes, torch.cat(parts), LIGHTEST + (HEAVIEST - LIGHTEST) * uniform)

    def everybody_sees_everybody(self) -> Graph:
        """Every point joined to all others of its set."""
        return Graph.complete(self.sizes)

    def around_centres(self) -> tuple[Graph, PointMasses, Tensor]:
        """With a point of no mass at the centre of every set, before the set's own, that sees all of them.

        Returns:
            The graph, of edges into the centres only; the sets with their centres; (sets,) where those are.
        """
        sizes = torch.tensor(self.sizes)
        centres = (sizes + 1).cumsum(0) - (sizes + 1)
        total = int(sizes.sum()) + len(sizes)
        is_mass = torch.ones(total, dtype=torch.bool)
        is_mass[centres] = False
        source = torch.arange(total)[is_mass]
        batch = torch.arange(len(sizes)).repeat_interleave(sizes + 1)
        positions = torch.zeros(total, 3, dtype=torch.float64)
        masses = torch.zeros(total, dtype=torch.float64)
        positions[is_mass], masses[is_mass] = self.positions, self.masses
        graph = Graph(
            torch.stack([source, centres[batch[source]]]), total, batch=batch, num_graphs=len(sizes)
        )
        return graph, PointMasses([size + 1 for size in self.sizes], positions, masses), centres


def accelerations(graph: Graph, sets: PointMasses) -> Tensor:
    """a_i = −Σ_j m_j (r_i − r_j) / |r_i − r_j|³, (points, 3) float64: Newton's, in sets without softening."""
    vectors = graph.edge_vectors(sets.positions)
    pull = -vectors * (sets.masses[graph.source] / vectors.norm(dim=1) ** 3)[:, None]
    return torch.zeros_like(sets.positions).index_add(0, graph.target, pull)


def inertia_tensors(graph: Graph, sets: PointMasses, centres: Tensor) -> Tensor:
    """I = Σ_j m_j (|r_j|² 1 − r_j r_jᵀ) about every centre, (sets, 3, 3) float64."""
    vectors = graph.edge_vectors(sets.positions)
    squared = vectors.square().sum(1)[:, None, None] * torch.eye(3, dtype=torch.float64)
    each = sets.masses[graph.source][:, None, None] * (squared - vectors[:, :, None] * vectors[:, None, :])
    sums = torch.zeros(graph.num_nodes, 3, 3, dtype=torch.float64).index_add(0, graph.target, each)
    return sums[centres]
