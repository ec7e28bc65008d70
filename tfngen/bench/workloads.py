"""The workloads by name: which convolution, over which graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

import tfngen
from tfngen.irreps import Irreps

DIAMOND = 3.567
"""The cubic lattice constant of diamond in Å, as ase builds it."""

CUTOFF = 6.0
"""How near neighbours are in a lattice and a structure, in Å."""

MODES = ("forward", "gradient", "training")
SMALL_MODES = ("forward", "forces")


@dataclass(frozen=True, slots=True)
class Workload:
    """A convolution (`kernels.Convolution`) and a graph to run it over.

    Attributes:
        nodes: points; 8 · repeat³ atoms in a diamond lattice.
        neighbors: edges into each node, in a structure on average.
        graph: "random" sources, a "diamond" lattice within 6 Å, a "molecule", each point joined to all, or
            the "structure" of a file within 6 Å.
        modes: what is timed; see `tfngen.bench.problem`.
        data: the file of the structure, npz or what ase reads; a workload that needs one has none of its own.
    """

    name: str
    irreps_in: str
    irreps_filter: str
    irreps_out: str
    nodes: int
    neighbors: float
    graph: str = "random"
    modes: tuple[str, ...] = MODES
    data: str | None = None

    @property
    def edges(self) -> int:
        return round(self.nodes * self.neighbors)

    @property
    def is_small(self) -> bool:
        """Whether it is a molecule, where Python and dispatch are what costs."""
        return self.graph == "molecule"

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
    """The graph and its edge vectors (edges, 3), float32, the same on every call; edges in order of targets.

    Raises:
        ModuleNotFoundError: the lattice needs ase, and neighbours vesin.
        ValueError: the structure of the file is not that of the workload.
    """
    generator = torch.Generator().manual_seed(1)
    nodes, edges = workload.nodes, workload.edges
    if workload.graph == "structure":
        return _structure(workload)
    if workload.graph == "diamond":
        return _diamond(round((nodes / 8) ** (1 / 3)))
    if workload.graph == "molecule":
        graph = tfngen.Graph.complete(nodes)
        return graph, graph.edge_vectors(2 * torch.randn(nodes, 3, generator=generator))
    sources = torch.randint(0, nodes, (edges,), generator=generator)
    targets = torch.arange(nodes).repeat_interleave(edges // nodes)
    graph = tfngen.Graph(torch.stack([sources, targets]), nodes)
    return graph, torch.randn(edges, 3, generator=generator)


def _diamond(repeat: int) -> tuple[tfngen.Graph, Tensor]:
    try:
        from ase.build import bulk
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the lattice is built by ase; pip install 'tfngen[bench]'") from error
    atoms = bulk("C", a=DIAMOND, cubic=True) * (repeat, repeat, repeat)
    positions = torch.tensor(atoms.get_positions(), dtype=torch.float32)
    cell = torch.tensor(atoms.cell.array, dtype=torch.float32)
    graph = tfngen.Graph.from_points(positions, CUTOFF, cell=cell)
    return graph, graph.edge_vectors(positions)


def _structure(workload: Workload) -> tuple[tfngen.Graph, Tensor]:
    if workload.data is None:
        raise ValueError(_needs(workload))
    from tfngen.experiments.molecules import read

    positions = read(workload.data)[0].positions.float()
    graph = tfngen.Graph.from_points(positions, CUTOFF)
    if (graph.num_nodes, graph.num_edges) != (workload.nodes, workload.edges):
        raise ValueError(
            f"data: {workload.data} has {graph.num_nodes:,} atoms and {graph.num_edges:,} edges within "
            f"{CUTOFF:g} Å; {workload.name} has {workload.nodes:,} and {workload.edges:,}"
        )
    return graph, graph.edge_vectors(positions)


def _needs(workload: Workload) -> str:
    return (
        f"data: {workload.name} needs {STRUCTURES[workload.name]}, which does not come with tfngen; "
        "name its file, npz or what ase reads, with --data"
    )


def tfn(
    name: str, channels: int, lmax: int, nodes: int, neighbors: int, modes: tuple[str, ...] = MODES
) -> Workload:
    """Every degree up to `lmax`, all even, coupled to every degree: Thomas et al., arXiv:1802.08219."""
    degrees = [f"{l}e" for l in range(lmax + 1)]
    features = "+".join(f"{channels}x{irrep}" for irrep in degrees)
    return Workload(name, features, "+".join(degrees), "+".join(degrees), nodes, neighbors, modes=modes)


def _mace(name: str, nodes: int, graph: str, neighbors: float = 158) -> Workload:
    return Workload(name, "128x0e+128x1o+128x2e", "0e+1o+2e+3o", "0e+1o+2e+3o", nodes, neighbors, graph)


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
    _mace("dhfr", 2489, "structure", neighbors=176_718 / 2489),
)
STRUCTURES = {"dhfr": "the protein of OpenMM's DHFR benchmark (PDB 5DFR, with hydrogens)"}
"""What a workload's structure is."""
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


def find(names: Iterable[str], data: str | PathLike[str] | None = None) -> list[Workload]:
    """The workloads of these names; a series stands for all of its own.

    Args:
        names: of workloads and series.
        data: the file of the structure, for workloads that need one; see `left_out`.

    Raises:
        ValueError: a name that is neither, or a workload by name that needs a structure and has none.
        FileNotFoundError: there is no such file.
    """
    if data is not None and not Path(data).is_file():
        raise FileNotFoundError(f"data: {fspath(data)} is not a file")
    found: list[Workload] = []
    for name in names:
        if name not in WORKLOADS and name not in SERIES:
            choices = ", ".join([*(each.name for each in _NAMED), *SERIES])
            raise ValueError(f"workload: got {name!r}; it must be one of {choices}")
        for workload in (WORKLOADS[each] for each in SERIES.get(name, (name,))):
            if workload.graph != "structure":
                found.append(workload)
            elif data is not None:
                found.append(replace(workload, data=fspath(data)))
            elif name not in SERIES:
                raise ValueError(_needs(workload))
    return found


def left_out(names: Iterable[str], data: str | PathLike[str] | None = None) -> list[str]:
    """A line for each workload that `find` leaves out of a series: it needs a structure and has none."""
    in_series = (WORKLOADS[each] for name in names for each in SERIES.get(name, ()))
    return [f"left out: {_needs(each)}" for each in in_series if each.graph == "structure" and data is None]
