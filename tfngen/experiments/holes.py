"""Molecules with one atom taken out: many of them as one graph, and what is to be told about the atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tfngen.experiments.molecules import Molecule
from tfngen.runtime.graph import Graph


@dataclass(frozen=True)
class Holes:
    """A batch of molecules, each without one of its atoms. Molecules are disjoint parts of one graph."""

    graph: Graph
    """Of the atoms that remain; `graph.num_graphs` molecules."""
    positions: Tensor
    """(atoms, 3) Å, of the atoms that remain."""
    elements: Tensor
    """(atoms,) int64: positions in the table of elements."""
    missing_position: Tensor
    """(molecules, 3) Å."""
    missing_element: Tensor
    """(molecules,) int64."""
    molecule: Tensor
    """(molecules,) int64: which molecule of the set it is."""
    removed: Tensor
    """(molecules,) int64: which of its atoms was taken out."""

    def to(self, device: torch.device | str) -> Holes:
        """The same on another device."""
        return Holes(**{name: value.to(device) for name, value in vars(self).items()})


class MoleculeSet:
    """Molecules packed end to end, their edges found once, ready to be taken apart.

    Args:
        molecules: of two atoms or more each.
        elements: the atomic numbers the model knows, in its order.
        cutoff: atoms closer than this many Å are joined; all of a molecule's are by default.
        dtype: of the positions. They are measured from each molecule's mean in float64 first, so that
            float32 loses nothing that matters.
    """

    def __init__(
        self,
        molecules: Sequence[Molecule],
        elements: Sequence[int],
        cutoff: float | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.names = [molecule.name for molecule in molecules]
        self.sizes = torch.tensor([len(molecule) for molecule in molecules])
        self.first = self.sizes.cumsum(0) - self.sizes
        numbers = torch.cat([molecule.numbers for molecule in molecules])
        self.elements = torch.full((max(elements) + 1,), -1)[numbers].clone()
        for position, number in enumerate(elements):
            self.elements[numbers == number] = position
        positions = torch.cat([each.positions - each.positions.mean(0) for each in molecules])
        self.positions = positions.to(dtype)
        edges = Graph.complete(self.sizes.tolist()).sorted_by_target
        source, target = edges.source, edges.target
        if cutoff is not None:
            near = (positions[source] - positions[target]).norm(dim=1) < cutoff
            source, target = source[near], target[near]
        owner = torch.arange(len(molecules)).repeat_interleave(self.sizes)
        self.edges = torch.stack([source, target]) - self.first[owner[target]]
        self.edge_counts = torch.bincount(owner[target], minlength=len(molecules))
        self.first_edge = self.edge_counts.cumsum(0) - self.edge_counts

    def __len__(self) -> int:
        return len(self.names)

    @property
    def mean_neighbors(self) -> float:
        """Edges per atom, over the whole set."""
        return self.edges.shape[1] / int(self.sizes.sum())

    def all_holes(self) -> tuple[Tensor, Tensor]:
        """(holes,) each: every molecule as often as it has atoms, with each of its atoms once."""
        molecule = torch.arange(len(self)).repeat_interleave(self.sizes)
        return molecule, _counted(self.sizes)

    def random_holes(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(molecules,) each: every molecule once, in random order, each without a random one of its atoms."""
        molecule = torch.randperm(len(self), generator=generator)
        uniform = torch.rand(len(self), generator=generator, dtype=torch.float64)
        return molecule, (uniform * self.sizes[molecule]).long()

    def without(self, molecule: Tensor, removed: Tensor) -> Holes:
        """The batch of these molecules, each without this atom.

        Args:
            molecule: (molecules,) int64, positions in this set.
            removed: (molecules,) int64, for each which of its atoms to take out.
        """
        sizes, counts = self.sizes[molecule], self.edge_counts[molecule]
        batch = torch.arange(molecule.shape[0]).repeat_interleave(sizes)
        atom = _counted(sizes)
        stays = atom != removed[batch]
        place = (self.first[molecule][batch] + atom)[stays]
        batch, number = batch[stays], torch.cumsum(stays, 0) - 1  # of each atom among those that stay

        of_edge = torch.arange(molecule.shape[0]).repeat_interleave(counts)
        ends = self.edges[:, self.first_edge[molecule][of_edge] + _counted(counts)]
        kept = (ends != removed[of_edge]).all(0)
        offset = (sizes.cumsum(0) - sizes)[of_edge[kept]]
        edges = number[ends[:, kept] + offset]
        missing = self.first[molecule] + removed
        return Holes(
            graph=Graph(edges, place.shape[0], batch=batch, num_graphs=molecule.shape[0]),
            positions=self.positions[place],
            elements=self.elements[place],
            missing_position=self.positions[missing],
            missing_element=self.elements[missing],
            molecule=molecule,
            removed=removed,
        )


def _counted(sizes: Tensor) -> Tensor:
    """0 … size − 1 for each of `sizes`, one after the other."""
    return torch.arange(int(sizes.sum())) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
