"""Graphs of points: which edges there are, and the orders in which sums over them run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tfngen.runtime.plan import Edges, Rows
from tfngen.runtime.segments import EdgeOrder, gather
from tfngen.runtime.undirected import Undirected, pair_edges

MAX_SHIFT = 2**20 - 1
"""The largest number of cells an edge may cross along one lattice vector."""


class Graph:
    """Directed edges between points, sorted once by target and once by source.

    An edge (source b, target a) carries information from b to a, along r_ab = r_a − r_b (Thomas et al.,
    arXiv:1802.08219, eq. 3). Edges may be listed in any order, repeat, and join a node to itself: sums run in
    the order of (target, source, shift), so results do not depend on how the edges were listed. Graphs
    are immutable and hold plain tensors, so they pickle and travel between processes.

    Args:
        edge_index: (2, edges) int32 or int64; row 0 holds sources, row 1 targets.
        num_nodes: the number of points; nodes without edges are fine.
        shifts: (edges, 3) int32 or int64, for periodic structures: the source's image is r_b + shift · cell.
        cell: (3, 3), or (num_graphs, 3, 3), float: rows are lattice vectors, in the unit of the positions.
        batch: (num_nodes,) int32 or int64, the graph each point belongs to, sorted or not; all 0 by default.
        num_graphs: the number of graphs, largest `batch` + 1 by default.

    Attributes:
        by_target: `EdgeOrder` of the edges by (target, source, shift), ties in the order given.
        by_source: `EdgeOrder` of the edges by (source, target, shift), ties in the order given.
        by_graph: the same record for the points, by the graph they belong to.
        undirected: `Undirected`, the edges two by two, (b → a, shift) with (a → b, −shift), or None where an
            edge has no such partner.
        is_sorted: whether the edges were given in the order of `by_target`.

    Raises:
        ValueError: an argument of the wrong dtype, shape or device, or an index out of range.
    """

    def __init__(
        self,
        edge_index: Tensor,
        num_nodes: int,
        *,
        shifts: Tensor | None = None,
        cell: Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> None:
        num_nodes = _count("num_nodes", num_nodes)
        device = edge_index.device if isinstance(edge_index, Tensor) else torch.device("cpu")
        edge_index = _integers("edge_index", edge_index, device, (2, None))
        _in_range("edge_index", edge_index, num_nodes, "num_nodes")
        source, target = edge_index[0].contiguous(), edge_index[1].contiguous()

        if batch is None:
            num_graphs = 1 if num_graphs is None else _count("num_graphs", num_graphs)
            if num_graphs != 1:
                raise ValueError(f"num_graphs: {num_graphs} without batch; say which graph each point is in")
            batch = torch.zeros(num_nodes, dtype=torch.int64, device=device)
        else:
            batch = _integers("batch", batch, device, (num_nodes,))
            found = int(batch.max()) + 1 if num_nodes else 0
            num_graphs = found if num_graphs is None else _count("num_graphs", num_graphs)
            _in_range("batch", batch, num_graphs, "num_graphs")
            if not torch.equal(batch[source], batch[target]):
                raise ValueError("batch: an edge joins two graphs; its two nodes must be in the same one")

        if shifts is not None:
            shifts = _integers("shifts", shifts, device, (source.shape[0], 3))
            if shifts.numel() and int(shifts.abs().max()) > MAX_SHIFT:
                raise ValueError(
                    f"shifts: {int(shifts.abs().max())} cells; at most {MAX_SHIFT} are supported"
                )
        self.num_nodes, self.num_graphs = num_nodes, num_graphs
        self.shifts = shifts
        self.cell = None if cell is None else self._check_cell(cell, device)

        # Least significant key first; every sort is stable.
        by_shift = torch.arange(source.shape[0], device=device)
        keys = None if shifts is None else _shift_keys(shifts)
        if keys is not None:
            by_shift = torch.argsort(keys, stable=True)
        by_target = _sort(target * num_nodes + source, by_shift)
        backward = by_source = _sort(source * num_nodes + target, by_shift)
        if keys is not None:
            backward = _sort(source * num_nodes + target, torch.argsort(-keys, stable=True))
        self.by_target = EdgeOrder._build(target, by_target, num_nodes)
        self.by_source = EdgeOrder._build(source, by_source, num_nodes)
        self.undirected: Undirected | None = pair_edges(self.by_target, self.by_source, keys, backward)
        self.by_graph = EdgeOrder._build(batch, torch.argsort(batch, stable=True), num_graphs)
        self.is_sorted = bool((self.by_target.order.diff() > 0).all())

    @classmethod
    def complete(
        cls, num_points: int | Sequence[int], self_loops: bool = False, device: torch.device | str = "cpu"
    ) -> Graph:
        """Every point joined to every other, both ways: N (N − 1) edges, N² with self-loops.

        Args:
            num_points: the number of points, or one number per graph for a batch of complete graphs.
            self_loops: whether a point is also its own neighbour.
            device: where the graph lives.
        """
        sizes = [num_points] if isinstance(num_points, int) else list(num_points)
        points = torch.tensor([_count("num_points", size) for size in sizes], dtype=torch.int64)
        batch = torch.arange(len(sizes)).repeat_interleave(points)
        neighbours = points[batch]  # of each point, itself included
        target = torch.arange(batch.shape[0]).repeat_interleave(neighbours)
        first_point, first_edge = points.cumsum(0) - points, neighbours.cumsum(0) - neighbours
        source = first_point[batch[target]] + torch.arange(target.shape[0]) - first_edge[target]
        edges = torch.stack([source, target])
        edges = edges if self_loops else edges[:, source != target]
        graph = cls(edges, batch.shape[0], batch=batch, num_graphs=len(sizes))
        return graph.to(device)

    @classmethod
    def from_points(
        cls,
        positions: Tensor,
        cutoff: float,
        cell: Tensor | None = None,
        pbc: bool | Sequence[bool] | Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> Graph:
        """Join all points, and periodic images, closer than `cutoff`. See `tfngen.runtime.neighbors`."""
        from tfngen.runtime.neighbors import neighbor_graph

        return neighbor_graph(positions, cutoff, cell, pbc, batch, num_graphs)

    @classmethod
    def batch(cls, graphs: Sequence[Graph]) -> Graph:
        """The disjoint union: points, edges and graphs of each, one after the other.

        Where some graphs are periodic and some are not, the open ones get zero shifts and a zero cell.
        """
        if not graphs:
            raise ValueError("graphs: there are none to batch")
        devices = {graph.device for graph in graphs}
        if len(devices) > 1:
            raise ValueError(f"graphs: on {sorted(map(str, devices))}; they must share one device")
        nodes = torch.tensor([0] + [graph.num_nodes for graph in graphs]).cumsum(0).tolist()
        counts = torch.tensor([0] + [graph.num_graphs for graph in graphs]).cumsum(0).tolist()
        periodic = any(graph.shifts is not None for graph in graphs)
        cells = [graph.cell for graph in graphs if graph.cell is not None]
        dtype = cells[0].dtype if cells else None
        return cls(
            torch.cat([graph.edge_index + first for graph, first in zip(graphs, nodes, strict=False)], dim=1),
            nodes[-1],
            shifts=torch.cat([graph._shifts_or_zeros() for graph in graphs]) if periodic else None,
            cell=torch.cat([graph._cells_or_zeros(dtype) for graph in graphs]) if cells else None,
            batch=torch.cat(
                [graph.by_graph.index + first for graph, first in zip(graphs, counts, strict=False)]
            ),
            num_graphs=counts[-1],
        )

    @property
    def source(self) -> Tensor:
        """(edges,) int64: the node each edge comes from, b."""
        return self.by_source.index

    @property
    def target(self) -> Tensor:
        """(edges,) int64: the node each edge goes to, a."""
        return self.by_target.index

    @property
    def edge_index(self) -> Tensor:
        """(2, edges) int64: sources and targets, as given."""
        return torch.stack([self.source, self.target])

    @property
    def num_edges(self) -> int:
        return self.source.shape[0]

    @property
    def edges(self) -> Edges:
        """What operators over this graph are given."""
        by_target, by_source = self.by_target, self.by_source
        return Edges(
            by_source.index,
            by_target.index,
            Rows(by_target.order, by_target.row_pointers),
            Rows(by_source.order, by_source.row_pointers),
        )

    @property
    def device(self) -> torch.device:
        return self.source.device

    def edge_vectors(self, positions: Tensor, cell: Tensor | None = None) -> Tensor:
        """r_ab = r_a − r_b − shift · cell for each edge (b → a), differentiable in both arguments.

        Args:
            positions: (nodes, 3), float32 or float64, any unit of length.
            cell: (3, 3) or (num_graphs, 3, 3), the graph's own by default; give it to differentiate by it.

        Returns:
            (edges, 3), in the order of the edges.

        Raises:
            ValueError: wrong shape, dtype or device, or shifts without a cell.
        """
        _check_floats("positions", positions, self.device)
        if positions.shape != (self.num_nodes, 3):
            raise ValueError(f"positions: shape {tuple(positions.shape)}; it must be ({self.num_nodes}, 3)")
        vectors = gather(positions, self.by_target) - gather(positions, self.by_source)
        if cell is not None:
            cell = self._check_cell(cell, self.device)
        if self.shifts is None:
            return vectors
        cell = self.cell if cell is None else cell
        if cell is None:
            raise ValueError("cell: this graph has shifts but no cell; give one")
        # Node by node and then edge by edge, so that the cell's derivative too is summed in a fixed order.
        cells = cell.to(positions.dtype).expand(self.num_graphs, 3, 3)
        lattice = gather(gather(cells, self.by_graph), self.by_target)
        shifts = self.shifts.to(positions.dtype)
        return vectors - sum(shifts[:, axis, None] * lattice[:, axis] for axis in range(3))

    def group_edges(self, index: Tensor, num_rows: int) -> EdgeOrder:
        """The edges grouped by rows that they share, such as the `edge_weight_index` of a convolution.

        Within a row edges keep the order of `by_target`, so sums do not depend on how they were listed.

        Args:
            index: (edges,) int32 or int64, the row of each edge.
            num_rows: how many rows there are; some may have no edges.

        Returns:
            `EdgeOrder`: `index` as given, and the order in which a row's edges are summed.

        Raises:
            ValueError: an argument of the wrong dtype, shape or device, or an index out of range.
        """
        return self._grouped("index", index, "num_rows", _count("num_rows", num_rows))

    def _grouped(self, name: str, index: object, size_name: str, num_rows: int) -> EdgeOrder:
        index = _integers(name, index, self.device, (self.num_edges,))
        _in_range(name, index, num_rows, size_name)
        return EdgeOrder._build(index, _sort(index, self.by_target.order), num_rows)

    @property
    def sorted_by_target(self) -> Graph:
        """The same graph with its edges listed in the order of `by_target`; itself if they already are.

        Whatever is then computed per edge does not depend on how the edges were listed, not even in the
        last bit of a matrix product, and a node's edges lie together in memory.
        """
        if self.is_sorted:
            return self
        order = self.by_target.order
        position = torch.argsort(order)  # the inverse permutation
        graph = copy.copy(self)
        graph.by_target = EdgeOrder(
            self.target[order], torch.arange(self.num_edges, device=self.device), self.by_target.row_pointers
        )
        graph.by_source = EdgeOrder(
            self.source[order], position[self.by_source.order], self.by_source.row_pointers
        )
        graph.undirected = self.undirected and self.undirected._relisted(order, position)
        graph.shifts = None if self.shifts is None else self.shifts[order]
        graph.is_sorted = True
        return graph

    def to(self, device: torch.device | str) -> Graph:
        """The same graph on another device; itself if it is there already."""
        device = torch.empty(0, device=device).device  # "cuda" becomes "cuda:0", as tensors call it
        if device == self.device:
            return self
        return self._map(lambda tensor: tensor.to(device))

    def _map(self, function: Callable[[Tensor], Tensor]) -> Graph:
        """The same graph of other tensors, those of `_tensors` one by one."""
        graph = copy.copy(self)
        graph.by_target, graph.by_source, graph.by_graph = (
            order._map(function) for order in (self.by_target, self.by_source, self.by_graph)
        )
        graph.undirected = self.undirected and self.undirected._map(function)
        graph.shifts = None if self.shifts is None else function(self.shifts)
        graph.cell = None if self.cell is None else function(self.cell)
        graph.num_nodes, graph.num_graphs = graph.by_graph.index.shape[0], graph.by_graph.num_rows
        return graph

    @property
    def _tensors(self) -> tuple[Tensor, ...]:
        """All that a graph holds, in one order always."""
        return (*self._orders, *(each for each in (self.shifts, self.cell) if each is not None))

    @property
    def _orders(self) -> tuple[Tensor, ...]:
        """All of it that says in which order sums run."""
        orders = [self.by_target, self.by_source, self.by_graph]
        found = [tensor for each in orders for tensor in (each.index, each.order, each.row_pointers)]
        if self.undirected is not None:
            pairs = self.undirected.by_pair
            found += [pairs.index, pairs.order, pairs.row_pointers, self.undirected.representative]
        return tuple(found)

    def __repr__(self) -> str:
        graphs = f", {self.num_graphs} graphs" if self.num_graphs != 1 else ""
        periodic = ", periodic" if self.shifts is not None else ""
        return f"Graph({self.num_nodes} nodes, {self.num_edges} edges{graphs}{periodic})"

    def _check_cell(self, cell: Tensor, device: torch.device) -> Tensor:
        _check_floats("cell", cell, device)
        if cell.shape not in ((3, 3), (self.num_graphs, 3, 3)):
            raise ValueError(
                f"cell: shape {tuple(cell.shape)}; it must be (3, 3) or ({self.num_graphs}, 3, 3)"
            )
        return cell

    def _shifts_or_zeros(self) -> Tensor:
        return self.source.new_zeros(self.num_edges, 3) if self.shifts is None else self.shifts

    def _cells_or_zeros(self, dtype: torch.dtype | None) -> Tensor:
        zeros = torch.zeros(self.num_graphs, 3, 3, dtype=dtype, device=self.device)
        return zeros if self.cell is None else self.cell.expand(self.num_graphs, 3, 3)


def _shift_keys(shifts: Tensor) -> Tensor:
    """(edges,) int64: one number per shift, in lexicographic order; that of −shift is its negative."""
    width = 2 * MAX_SHIFT + 2
    return (shifts[:, 0] * width + shifts[:, 1]) * width + shifts[:, 2]


def _sort(keys: Tensor, order: Tensor) -> Tensor:
    """(edges,) int64: the edges by `keys`, those with equal keys as in `order`."""
    return order[torch.argsort(keys[order], stable=True)]


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}: {value!r}; it must be an integer ≥ 0")
    return value


def _integers(name: str, tensor: object, device: torch.device, shape: tuple[int | None, ...]) -> Tensor:
    """`tensor` as int64, once its dtype, shape (None fits any length) and device are right."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name}: a {type(tensor).__name__}; it must be a torch.Tensor")
    if tensor.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"{name}: dtype {tensor.dtype}; it must be torch.int32 or torch.int64")
    fits = len(shape) == tensor.ndim and all(n in (None, m) for n, m in zip(shape, tensor.shape, strict=True))
    if not fits:
        wanted = ", ".join("edges" if size is None else str(size) for size in shape) + "," * (len(shape) == 1)
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}; it must be ({wanted})")
    if tensor.device != device:
        raise ValueError(f"{name}: on {tensor.device}; edge_index is on {device}")
    return tensor.to(torch.int64)


def _check_floats(name: str, tensor: object, device: torch.device) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name}: a {type(tensor).__name__}; it must be a torch.Tensor")
    if not tensor.is_floating_point():
        raise ValueError(f"{name}: dtype {tensor.dtype}; it must be a float dtype")
    if tensor.device != device:
        raise ValueError(f"{name}: on {tensor.device}; the graph is on {device}")


def _in_range(name: str, index: Tensor, size: int, size_name: str) -> None:
    if index.numel():
        low, high = (int(bound) for bound in torch.aminmax(index))
        if low < 0 or high >= size:
            worst = low if low < 0 else high
            raise ValueError(f"{name}: holds {worst}; with {size_name} = {size} it must be in [0, {size})")
