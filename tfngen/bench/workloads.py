"""The workloads by name: which convolution, over which graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

import tfngen
from tfngen.irreps import Irreps

DIAMOND = 3.567
"""The cubic lattice constant of diamond in Å, as ase builds it."""

MODES = ("forward", "gradient", "training")
SMALL_MODES = ("forward", "forces")


@dataclass(frozen=True, slots=True)
class Workload:
    """A convolution (`kernels.Convolution`) and a graph to run it over.

    Attributes:
        nodes: points; 8 · repeat³ atoms in a diamond lattice.
        neighbors: edges into each node.
        graph: "random" sources, a "diamond" lattice within 6 Å, or a "molecule", each point joined to all.
        modes: what is timed; see `tfngen.bench.problem`.
    """

    name: str
    irreps_in: str
    irreps_filter: str
    irreps_out: str
    nodes: int
    neighbors: int
    graph: str = "random"
    modes: tuple[str, ...] = MODES

    @property
    def edges(self) -> int:
        return self.nodes * self.neighbors

    @property
    def lmax(self) -> int:
        """The highest degree among its irreps: what a package must reach."""
        return max(Irreps.parse(each).lmax for each in (self.irreps_in, self.irreps_filter, self.irreps_out))


def kernels_of(workload: Workload, package: str | None, device: str) -> ModuleType:
    """The package in the folder `package`, or one of the workload's degree for `device`, built on demand."""
    if package is not None:
        return tfngen.load(path=package)
    return tfngen.load(workload.lmax, targets=(device,))


def build_graph(workload: Workload) -> tuple[tfngen.Graph, Tensor]:
    """The graph and its edge vectors (edges, 3), float32, the same on every call.

    Raises:
        ModuleNotFoundError: the lattice needs ase and vesin.
    """
    generator = torch.Generator().manual_seed(1)
    nodes, neighbors = workload.nodes, workload.neighbors
    if workload.graph == "diamond":
        return _diamond(round((nodes / 8) ** (1 / 3)))
    if workload.graph == "molecule":
        graph = tfngen.Graph.complete(nodes)
        return graph, graph.edge_vectors(2 * torch.randn(nodes, 3, generator=generator))
    sources = torch.randint(0, nodes, (nodes * neighbors,), generator=generator)
    targets = torch.arange(nodes).repeat_interleave(neighbors)
    graph = tfngen.Graph(torch.stack([sources, targets]), nodes)
    return graph, torch.randn(nodes * neighbors, 3, generator=generator)


def _diamond(repeat: int) -> tuple[tfngen.Graph, Tensor]:
    try:
        from ase.build import bulk
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the lattice is built by ase; pip install 'tfngen[bench]'") from error
    atoms = bulk("C", a=DIAMOND, cubic=True) * (repeat, repeat, repeat)
    positions = torch.tensor(atoms.get_positions(), dtype=torch.float32)
    graph = tfngen.Graph.from_points(positions, 6.0, cell=torch.tensor(atoms.cell.array, dtype=torch.float32))
    return graph, graph.edge_vectors(positions)


def tfn(
    name: str, channels: int, lmax: int, nodes: int, neighbors: int, modes: tuple[str, ...] = MODES
) -> Workload:
    """Every degree up to `lmax`, all even, coupled to every degree: Thomas et al., arXiv:1802.08219."""
    degrees = [f"{l}e" for l in range(lmax + 1)]
    features = "+".join(f"{channels}x{irrep}" for irrep in degrees)
    return Workload(name, features, "+".join(degrees), "+".join(degrees), nodes, neighbors, modes=modes)


def _mace(name: str, nodes: int, graph: str) -> Workload:
    return Workload(name, "128x0e+128x1o+128x2e", "0e+1o+2e+3o", "0e+1o+2e+3o", nodes, 158, graph)


_EVEN = "0e+1e+2e+3e"
_NAMED = (
    tfn("tfn-l3", 32, 3, 1000, 30),
    _mace("mace-large", 1000, "diamond"),
    _mace("mace-large-small", 100, "random"),
    Workload("sevennet-l3i5", "128x0e+64x1e+32x2e+32x3e", _EVEN, _EVEN, 250, 64),
    Workload("nequip-lips", "32x0o+32x0e+32x1o+32x1e+32x2o+32x2e", "0e+1o+2e", "0o+0e+1o+1e+2o+2e", 1000, 50),
)
_FOR_GPUS = (
    Workload("flashtp-nequip", "32x0e+32x1o+32x2e+32x3o", "0e+1o+2e+3o", "0e+1o+2e+3o", 512, 64),
    Workload("sevennet-l3i5-16k", "128x0e+64x1e+32x2e+32x3e", _EVEN, _EVEN, 256, 64),
    Workload("sevennet-l3i5-32k", "128x0e+64x1e+32x2e+32x3e", _EVEN, _EVEN, 512, 64),
    Workload("mace-mp-l-0", "128x0e", "0e+1o+2e+3o", "0e+1o+2e+3o", 3000, 53),
    Workload("mace-mp-l-1", "128x0e+128x1o+128x2e", "0e+1o+2e+3o", "0e+1o+2e+3o", 3000, 53),
)
_DEGREE = tuple(tfn(f"degree-{lmax}", 32, lmax, 200, 30) for lmax in range(1, 7))
_SIZE = tuple(tfn(f"size-1e{power}", 8, 1, 10**power // 50, 50) for power in range(3, 8))
_MOLECULES = tuple(
    Workload(
        f"molecule-{atoms}", "32x0e+32x1o+32x2e", "0e+1o+2e", "0e+1o+2e",
        atoms, atoms - 1, "molecule", SMALL_MODES,
    )
    for atoms in (9, 20)
)  # fmt: skip

WORKLOADS = {each.name: each for each in (*_NAMED, *_FOR_GPUS, *_DEGREE, *_SIZE, *_MOLECULES)}

SERIES = {
    "gpu": ("mace-large", *(each.name for each in _FOR_GPUS)),
    "degree": tuple(each.name for each in _DEGREE),
    "size": tuple(each.name for each in _SIZE),
    "small": tuple(each.name for each in _MOLECULES),
}
"""Workloads that differ in one number, to show how cost grows with it."""


def find(names: Iterable[str]) -> list[Workload]:
    """The workloads of these names; a series stands for all of its own.

    Raises:
        ValueError: a name that is neither.
    """
    found: list[Workload] = []
    for name in names:
        if name not in WORKLOADS and name not in SERIES:
            choices = ", ".join([*(each.name for each in _NAMED), *SERIES])
            raise ValueError(f"workload: got {name!r}; it must be one of {choices}")
        found += [WORKLOADS[each] for each in SERIES.get(name, (name,))]
    return found
