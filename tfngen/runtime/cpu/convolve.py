"""Launch the kernels over a graph: tables of addresses for `drive`, made of tensors and a plan."""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from tfngen import naming
from tfngen.forms import EDGE_STRIDE, FORM, TANGENT, TILE_EDGES, Form, Writing
from tfngen.runtime import registry
from tfngen.runtime.compiling import Request, compile_together
from tfngen.runtime.cpu.drive import clear_bytes, cut_tiles, drive, drive_in_turn
from tfngen.runtime.cpu.fitted import for_path
from tfngen.runtime.cpu.job import (
    BASES,
    MOST_COPIES,
    TILE_BYTES,
    TURNS_OF_BLOCK,
    Job,
    scratch_length,
)
from tfngen.runtime.cpu.memory import Room, address_of, empty, give_room_back, take_room
from tfngen.runtime.cpu.rows import sum_copies, sum_rows
from tfngen.runtime.cpu.threads import (
    AT_ONCE,
    MIN_WORK,
    is_recording,
    parallel_for,
    parts_in_turn,
    parts_of,
    threads_for,
)
from tfngen.runtime.cpu.vector import FLOAT32, FLOAT64, LINE_BYTES, REGISTER_BYTES
from tfngen.runtime.plan import decode

if TYPE_CHECKING:
    from torch import Tensor

    from tfngen.runtime.cpu.kernel import Kernel
    from tfngen.runtime.plan import Edges, PackedPath, Widths

_FIELDS: dict[str, int] = {
    "filter": Job.FILTERS,
    "filter_tangent": Job.FILTER_TANGENTS,
    "d_filter": Job.D_FILTERS,
    "d_input": Job.SUMS,
}
_ROWS: dict[str, int] = {
    "filter": Job.FILTER_ROW,
    "filter_tangent": Job.FILTER_TANGENT_ROW,
    "weight": Job.WEIGHT_ROW,
    "d_weight": Job.EDGE_ROW,
}
FAR_BYTES = 2**22
"""A result this large will not be in a cache when it is read."""
START = 40_000
"""Bytes of kernels' Python code that take as long to compile as a process to start, some four seconds."""
LINE = LINE_BYTES // 8
"""The integers of a line of the cache."""
TILES_OF_PART = 2
"""The fewest tiles in a part that a thread takes, if there are enough: the first one's weights are far."""
MOST_BLOCKS = 16
"""How many sums over sources there may be side by side."""
EDGES_OF_SUMS = 8
"""A source has at least so many edges, on average, in a block that has sums of its own."""


def convolution(
    package: str,
    form: Form,
    plan: tuple[int, ...],
    operands: Mapping[str, Tensor],
    edges: Edges,
    results: Mapping[str, Tensor],
) -> None:
    """Fill `results` with what `form` returns, summed over a graph and all paths of `plan`.

    Operands and results are rows: (nodes or edges, all components of all paths' irreps, side by side), each
    irrep's channels innermost. Rows of nodes are contiguous; an operand and its tangent have equal strides.

    Raises:
        ValueError: the graph holds an index out of range; nothing outside an array has been touched.
    """
    named = {**operands, **results}
    launch = _launch(package, form.name, plan, next(iter(named.values())).dtype)
    if not edges.num_edges or not launch.count:
        for result in results.values():
            result.zero_()
        return
    blocks = launch.blocks(edges)
    if blocks > 1:
        inputs = results["d_input"]
        named["d_input"] = empty(inputs, blocks * edges.num_nodes, inputs.shape[1])
    if edges.by_weight is None or "d_weight" not in results:
        _run(launch, named, edges)
    else:
        shared, copies = results["d_weight"], _copies(edges) // blocks * blocks
        if copies:
            named["d_weight"] = empty(shared, copies * edges.weight_rows, shared.shape[1])
            _clear(named["d_weight"].data_ptr(), named["d_weight"].nbytes)
        else:
            named["d_weight"] = empty(shared, edges.num_edges, shared.shape[1])
        _run(launch, named, edges, copies)
        if copies:
            sum_copies(named["d_weight"], shared)
        else:
            sum_rows(named["d_weight"], *edges.by_weight, shared)
    if blocks > 1:
        sum_copies(named["d_input"], results["d_input"])


def _copies(edges: Edges) -> int:
    """How many copies of derivatives by shared weights are summed side by side; 0 if rows per edge are fewer.

    That number is the same however many threads there are, and so is what they add up to.
    """
    copies = min(MOST_COPIES, edges.num_edges // max(edges.weight_rows, 1))
    return copies if copies >= MOST_COPIES // 4 else 0


def _run(launch: _Launch, named: Mapping[str, Tensor], edges: Edges, copies: int = 0) -> None:
    work = edges.num_edges * launch.work
    threads = min(threads_for(work), edges.num_nodes)
    job, room = launch.job(named, edges, threads, copies)
    kernel, table = drive_in_turn if launch.scatters else drive, (job.buffer_info()[0],)
    parallel_for(kernel, threads, work, table, (job, room, *named.values()))
    if not is_recording():
        give_room_back(room)
    if fault := job[Job.FAULT]:
        raise _out_of_range(fault, edges)


def _clear(address: int, size: int) -> None:
    """Set so many bytes to zero."""
    parallel_for(clear_bytes, size, 0, (address,))


def _out_of_range(fault: int, edges: Edges) -> ValueError:
    name = {Job.EDGE_POINTERS: "pointers", Job.ORDER: "order", Job.WEIGHT_INDEX: "weight_index"}
    return ValueError(
        f"{name.get(Job(fault), 'neighbors')}: holds an index out of range for {edges.num_edges} edges "
        f"of {edges.num_nodes} nodes and {edges.weight_rows} rows of weights; let tfngen.Graph make it"
    )


def fitted_kernels(package: str, form: Form, plan: tuple[int, ...], dtype: torch.dtype) -> list[Kernel]:
    """What `form` of a convolution runs on tensors of `dtype`, path by path."""
    paths = decode(plan)[1]
    names = [naming.convolution_module(path.degrees) for path in paths]
    found = (getattr(registry.kernels(package, "cpu", dtype, name), form.name) for name in names)
    return [for_path(each, form, path, dtype.itemsize) for each, path in zip(found, paths, strict=True)]


def _address_of_giving_way() -> int:
    """Where the system's function that lets another thread run is, or 0."""
    with suppress(OSError, AttributeError, TypeError):
        if os.name == "posix":
            return ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    return 0


GIVE_WAY = _address_of_giving_way()


_Kept = tuple[tuple[int, ...], "array[int]", "np.ndarray | None"]
"""The numbers of a graph, the job over it, and the tiles that the job holds the address of."""


class _Launch:
    """What does not change from call to call of a form with a plan: kernels, offsets, which operand is where.

    Attributes:
        count: the number of paths.
        scatters: whether threads take tiles in turn; see `Form.scatters`.
        work: per edge, about, in the multiply-adds that `parallel_for` counts.
    """

    def __init__(self, package: str, form: Form, plan: tuple[int, ...], dtype: torch.dtype) -> None:
        widths, paths = decode(plan)
        self.count, self.itemsize = len(paths), dtype.itemsize
        self.by_target, self.scatters = form.node == "target", form.scatters
        pairs = [(2 * path.l_input + 1) * (2 * path.l_output + 1) for path in paths]
        copies = len(form.by) + bool(form.along)
        work = copies * sum(path.channels * each for path, each in zip(paths, pairs, strict=True))
        self.work = work // AT_ONCE
        kernels = fitted_kernels(package, form, plan, dtype)
        request = Request(package, "cpu", form.name, plan, str(dtype).removeprefix("torch."))
        compile_together(request, kernels, lambda kernel: kernel.is_missing, START)
        rows = []  # a kernel and its arguments for each path, arrays as offsets in bytes
        for path, kernel in zip(paths, kernels, strict=True):
            values = {
                "channels": path.channels,
                "filter_at": path.filter_offset * EDGE_STRIDE,
                "input_step": path.channels,
                "grad_step": path.grad_step,
            }
            for name in (*form.operands, *form.results):
                slot = "grad" if name == "output" else name.removeprefix("d_").removesuffix(TANGENT)
                step = REGISTER_BYTES if name == "d_filter" else dtype.itemsize
                values[f"{name}s"] = path.offset(slot) * step
            rows.append([kernel.address, *(values[name] for name in form.arguments)])
        self._calls = np.array(rows, dtype=np.int64).reshape(len(rows), len(form.arguments) + 1)
        lanes = FLOAT32.lanes if dtype.itemsize == 4 else FLOAT64.lanes
        channels = [-(-path.channels // lanes) * lanes for path in paths]
        values = [len(form.held) * _values_of_node(path) for path in paths]
        held = [count * width for count, width in zip(values, channels, strict=True)]
        room = max(held, default=0), max(channels, default=0)
        self._pointers, within = _places(form)
        weights = sum("weight" in name for name in (*form.operands, *form.results))
        self._fixed = self._fields(widths, weights, copies * max(pairs, default=0), *room)
        self._fixed += [0] * self._calls.shape[1]
        for place, field in within:
            self._fixed[place] = -8 * self._fixed[field]

    def _fields(self, widths: Widths, weights: int, couplings: int, held: int, channels: int) -> list[int]:
        """The fields of a job that are the same in every call."""
        job = [0] * len(Job)
        by_target = self.by_target
        job[Job.NODE_ROW] = widths.grad if by_target else widths.input
        job[Job.NEIGHBOR_ROW] = widths.input if by_target else widths.grad
        job[Job.COMPONENTS], job[Job.ITEMSIZE] = widths.filter, self.itemsize
        job[Job.CALLS] = address_of(self._calls)
        job[Job.CALL_COUNT], job[Job.CALL_LENGTH] = self._calls.shape
        per_edge = weights * widths.weight * self.itemsize
        most = job[Job.MOST_EDGES] = max(min(TILE_EDGES, TILE_BYTES // max(per_edge, 1)), 1)
        summands = most * widths.input * self.scatters
        lanes = most * widths.filter * REGISTER_BYTES // self.itemsize
        room = {Job.HELD_AT: held, Job.ROW_AT: channels, Job.LANES_AT: lanes, Job.SUMMANDS_AT: summands}
        end = scratch_length(widths.filter, couplings, self.itemsize)
        for field, numbers in room.items():
            job[field], end = end, end + -(-numbers * self.itemsize // LINE_BYTES) * LINE
        job[Job.CALLS_AT] = end
        job[Job.SCRATCH_LENGTH] = end + -(-self._calls.size // LINE) * LINE
        return job

    def job(
        self, named: Mapping[str, Tensor], edges: Edges, threads: int, copies: int = 0
    ) -> tuple[array[int], Room]:
        """The table `drive` works by, and the room that it works in, to be given back.

        With `copies` there are as many of the rows of weights in ``d_weight``, for parts or for blocks.
        """
        job = array("q", self._over(edges, threads, 0 if self.scatters else copies))
        for name, places, row in self._pointers:
            rows = named[name]
            address = rows.data_ptr()
            for place in places:
                job[place] = address
            if row is not None:
                job[row] = rows.stride(0)
        if edges.weight_index is not None:
            job[Job.WEIGHT_INDEX], job[Job.WEIGHT_ROWS] = edges.weight_index.data_ptr(), edges.weight_rows
        if (d_weight := named.get("d_weight")) is not None:
            far = d_weight.nbytes > FAR_BYTES and _in_lines(d_weight)
            job[Job.WRITING] = Writing.ADD if copies else Writing.PAST_CACHES if far else Writing.STORE
            job[Job.COPY_ROWS] = edges.weight_rows if copies else 0
        length = threads * job[Job.SCRATCH_LENGTH]
        turns = job[Job.BLOCKS] * TURNS_OF_BLOCK if self.scatters else LINE * (threads > 1)
        room = take_room(length + turns)
        job[Job.SCRATCH] = room.start
        if turns:
            job[Job.TURNS] = room.start + 8 * length
            _clear(job[Job.TURNS], 8 * turns)
        if self.scatters:
            job[Job.COPIES] = copies // job[Job.BLOCKS]
        return job, room

    def _over(self, edges: Edges, threads: int, copies: int) -> array[int]:
        """What is the same in every job over a graph; kept with the order of its edges.

        A copy of that tensor has a copy of what was kept, so that the addresses in it must be compared.
        """
        rows = edges.by_target if self.by_target else edges.by_source
        neighbors = edges.sources if self.by_target else edges.targets
        addresses = rows.row_pointers.data_ptr(), rows.order.data_ptr(), neighbors.data_ptr()
        graph = (edges.num_edges, edges.num_nodes, *addresses)
        kept: dict[tuple[_Launch, int, int], _Kept] = getattr(rows.order, "_tfngen_jobs", {})
        if (found := kept.get((self, threads, copies))) is not None:
            known, job, tiles = found
            if known == graph and (tiles is None or address_of(tiles) == job[Job.TILES]):
                return job
        parts = [] if self.scatters else self._parts(rows.row_pointers, threads, copies)
        job = array("q", [*self._fixed, *parts])
        job[Job.PARTS] = threads if self.scatters else len(parts) - 1
        job[Job.NUM_EDGES], job[Job.NUM_NODES] = edges.num_edges, edges.num_nodes
        job[Job.WEIGHT_ROWS] = edges.num_edges
        job[Job.EDGE_POINTERS], job[Job.ORDER], job[Job.NEIGHBORS] = addresses
        job[Job.BLOCKS], job[Job.GIVE_WAY] = self.blocks(edges) * self.scatters, GIVE_WAY
        tiles = self._tiles(edges, job) if self.scatters else None
        rows.order._tfngen_jobs = kept | {(self, threads, copies): (graph, job, tiles)}  # type: ignore[attr-defined]
        return job

    def _parts(self, row_pointers: Tensor, threads: int, copies: int) -> list[int]:
        """The first node of each part, and the end of the last; every copy is a part's own."""
        if copies:
            return parts_of(row_pointers, copies)
        return parts_in_turn(row_pointers, threads, TILES_OF_PART * self._fixed[Job.MOST_EDGES])

    def blocks(self, edges: Edges) -> int:
        """How many sums over sources there are side by side; the same however many threads there are."""
        if not self.scatters:
            return 1
        worth_it = edges.num_edges // (EDGES_OF_SUMS * edges.num_nodes)
        tiles = edges.num_edges // self._fixed[Job.MOST_EDGES]  # or more
        return max(1, min(MOST_BLOCKS, worth_it, tiles, 1 + edges.num_edges * self.work // MIN_WORK))

    def _tiles(self, edges: Edges, job: array[int]) -> np.ndarray:
        """The tiles of a graph, written into `job`; what is returned must live as long as that."""
        most = job[Job.MOST_EDGES]
        tiles = np.empty((edges.num_nodes + edges.num_edges // most, 4), dtype=np.int64)
        count, pointers = array("q", [0]), job[Job.EDGE_POINTERS]
        where = address_of(tiles), count.buffer_info()[0]
        cut_tiles(pointers, edges.num_nodes, edges.num_edges, most, *where)
        if count[0] < 0:
            raise _out_of_range(Job.EDGE_POINTERS, edges)
        job[Job.TILES], job[Job.TILE_COUNT] = where[0], count[0]
        return tiles


def _values_of_node(path: PackedPath) -> int:
    """The most values that a node can hold for its edges, in each channel, of one operand."""
    return (2 * path.degrees.l_filter + 1) * (2 * path.degrees.l_input + 1)


def _places(form: Form) -> tuple[list[tuple[str, list[int], int | None]], list[tuple[int, int]]]:
    """Where in a job the addresses of a form's arrays go.

    Returns:
        each array's name, the fields that are its address, and the field that is the length of its rows;
        and the bases of arrays in a part's own scratch, with the field that says where they begin in it.
    """
    sums = ("output", "d_grad") if form.scatters else ("output", "d_input", "d_grad")
    fields = _FIELDS | {name: Job.NODE_SUMS for name in form.results if name in sums}
    own = {"d_filter": Job.LANES_AT} | ({"d_input": Job.SUMMANDS_AT} if form.scatters else {})
    places: dict[str, list[int]] = {
        name: [fields[name]] if name in fields else [] for name in (*form.operands, *form.results)
    }
    within: list[tuple[int, int]] = []
    for at, argument in enumerate(form.arguments, start=BASES + 1):
        name = argument.removesuffix("s")
        if name in own:
            within.append((at, own[name]))
        elif name in places:
            places[name].append(at)
    return [(name, fields, _ROWS.get(name)) for name, fields in places.items()], within


def _in_lines(rows: Tensor) -> bool:
    """Whether each row begins with a line of the cache."""
    return not rows.data_ptr() % LINE_BYTES and not rows.stride(0) * rows.itemsize % LINE_BYTES


@lru_cache(maxsize=256)
def _launch(package: str, form: str, plan: tuple[int, ...], dtype: torch.dtype) -> _Launch:
    return _Launch(package, FORM[form], plan, dtype)
