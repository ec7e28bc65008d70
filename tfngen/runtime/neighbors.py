"""Neighbour lists: the graph of all points closer than a cutoff, through vesin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tfngen.runtime.graph import Graph


def neighbor_graph(
    positions: Tensor,
    cutoff: float,
    cell: Tensor | None = None,
    pbc: bool | Sequence[bool] | Tensor | None = None,
    batch: Tensor | None = None,
    num_graphs: int | None = None,
) -> Graph:
    """Join all points, and periodic images, with |r_ab| < `cutoff`, both ways, never a point to itself.

    A point is a neighbour of its own images in a cell smaller than the cutoff. Distances are compared in
    float64 whatever the dtype of the positions.

    Args:
        positions: (points, 3), float, in any unit of length; points may lie outside the cell.
        cutoff: > 0, in the same unit.
        cell: (3, 3), or (num_graphs, 3, 3): rows are lattice vectors; None for open boundaries.
        pbc: whether each lattice vector repeats: one bool, three, or (num_graphs, 3). By default
            all of them do where there is a cell.
        batch: (points,) int32 or int64, the graph each point belongs to, sorted or not.
        num_graphs: the number of graphs, largest `batch` + 1 by default.

    Returns:
        A `Graph` on the positions' device, its edges sorted, with shifts and cell if any pbc holds.

    Raises:
        ValueError: a bad argument.
        ModuleNotFoundError: vesin is not installed.
    """
    try:
        from vesin import NeighborList
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "neighbour lists need vesin; install it with: pip install 'tfngen[experiments]'"
        ) from error

    if not isinstance(positions, Tensor) or positions.ndim != 2 or positions.shape[1] != 3:
        shape = tuple(positions.shape) if isinstance(positions, Tensor) else type(positions).__name__
        raise ValueError(f"positions: {shape}; it must be a tensor of shape (points, 3)")
    if not positions.is_floating_point():
        raise ValueError(f"positions: dtype {positions.dtype}; it must be a float dtype")
    if not bool(torch.isfinite(positions).all()):
        raise ValueError("positions: some are not finite")
    if not (isinstance(cutoff, int | float) and math.isfinite(cutoff) and cutoff > 0):
        raise ValueError(f"cutoff: {cutoff!r}; it must be a finite length > 0")

    # An edgeless graph first: its constructor checks batch, num_graphs and cell.
    num_points = positions.shape[0]
    no_edges = torch.empty(2, 0, dtype=torch.int64, device=positions.device)
    points = Graph(no_edges, num_points, cell=cell, batch=batch, num_graphs=num_graphs)
    periodic = _periodic(pbc, points)
    cells = torch.zeros(3, 3) if points.cell is None else points.cell.detach()
    cells = cells.to("cpu", torch.float64).expand(points.num_graphs, 3, 3)
    if not bool(torch.isfinite(cells).all()):
        raise ValueError("cell: some entries are not finite")
    _check_volume(cells, periodic)

    search = NeighborList(cutoff=float(cutoff), full_list=True, n_threads=torch.get_num_threads())
    coordinates = positions.detach().to("cpu", torch.float64)
    members = points.by_graph.order.cpu().split(points.by_graph.counts.tolist())
    sources, targets, shifts = [torch.empty(0, dtype=torch.int64)], [], [torch.empty(0, 3, dtype=torch.int64)]
    targets.append(sources[0])
    for number, member in enumerate(members):
        target, source, shift = search.compute(
            coordinates[member].numpy(), cells[number].numpy(), periodic[number].numpy(), "ijS"
        )
        targets.append(member[torch.from_numpy(target.astype("int64"))])
        sources.append(member[torch.from_numpy(source.astype("int64"))])
        shifts.append(torch.from_numpy(shift.astype("int64")))
    unsorted = Graph(
        torch.stack([torch.cat(sources), torch.cat(targets)]),
        num_points,
        shifts=torch.cat(shifts) if bool(periodic.any()) else None,
        batch=points.by_graph.index.cpu(),
        num_graphs=points.num_graphs,
    )
    graph = unsorted.sorted_by_target.to(positions.device)
    graph.cell = points.cell
    return graph


def _periodic(pbc: bool | Sequence[bool] | Tensor | None, points: Graph) -> Tensor:
    """(num_graphs, 3) bool."""
    if pbc is None:
        pbc = points.cell is not None
    periodic = torch.as_tensor(pbc).cpu()
    if periodic.dtype != torch.bool or tuple(periodic.shape) not in ((), (3,), (points.num_graphs, 3)):
        raise ValueError(f"pbc: {pbc!r}; it must be a bool, three of them, or ({points.num_graphs}, 3)")
    if points.cell is None and bool(periodic.any()):
        raise ValueError(f"pbc: {pbc!r} without a cell; give the lattice vectors that repeat")
    return periodic.expand(points.num_graphs, 3)


def _check_volume(cells: Tensor, periodic: Tensor) -> None:
    """Lattice vectors that repeat must be independent, or there would be infinitely many neighbours."""
    for cell, repeats in zip(cells, periodic, strict=True):
        rank = int(torch.linalg.matrix_rank(cell[repeats])) if bool(repeats.any()) else 0
        if rank < int(repeats.sum()):
            raise ValueError(f"cell: {cell.tolist()}; the lattice vectors that repeat must be independent")
