"""Launch the kernels over a graph on a GPU: one pass over the edges for the paths of each input irrep.

All passes go by target, so that a node's sums, or its gradient, stay in registers. What belongs to an edge's
source, the derivative by its input, is written edge by edge and summed by source afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from tfngen import naming
from tfngen.forms import FORM, Form
from tfngen.gpu import WARP
from tfngen.runtime.cuda.block import Block, block_for
from tfngen.runtime.cuda.kernel import Call, Kernel
from tfngen.runtime.cuda.pieces import Pieces, pieces_of
from tfngen.runtime.cuda.precision import computed_in, kernels, suited
from tfngen.runtime.cuda.rows import sum_rows, sum_spares
from tfngen.runtime.cuda.run import place, run
from tfngen.runtime.plan import decode

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

    from tfngen.runtime.plan import Edges, PackedPath, Widths


MOST_IN_PAIRS = 140
"""The registers that a lane may need for two channels, its addresses left out."""


def convolution(
    package: str,
    form: Form,
    plan: tuple[int, ...],
    operands: Mapping[str, Tensor],
    edges: Edges,
    results: Mapping[str, Tensor],
) -> None:
    """Fill `results` with what `form` returns, summed over a graph and all paths of `plan`.

    Operands and results are rows as in `tfngen.runtime.cpu.convolve`.
    """
    named = {**operands, **results}
    passes = _passes(package, form.name, plan, next(iter(named.values())).dtype, _are_even(named))
    if not edges.num_edges or not passes.launches:
        for result in results.values():
            result.zero_()
        return
    buffers, device = _Buffers(named, edges, passes), edges.sources.device
    pieces = buffers.pieces.table.shape[0]
    for launch in passes.launches:
        block, arguments = launch.block, buffers.arguments[launch.call.kernel.pairs]
        run(launch.call, (pieces, launch.blocks), block.threads, arguments, device, block.shared_bytes)
    buffers.finish(named, edges)


def fitted_kernels(
    package: str, form: Form, plan: tuple[int, ...], dtype: torch.dtype, even: bool = True
) -> list[Kernel]:
    """What `form` of a convolution runs on tensors of `dtype`, in the order of its passes.

    Args:
        even: whether channels come in pairs in memory: rows, and where they begin.
    """
    return [each.call.kernel for each in _passes(package, form.name, plan, dtype, even).launches]


class Launch(NamedTuple):
    """One pass over the edges.

    Attributes:
        call: the kernel of all paths of one input degree, fitted to where these paths' parts of rows begin.
        block: its threads, and how many edges they take at a time.
        blocks: for all channels of a piece.
    """

    call: Call
    block: Block
    blocks: int


class _Passes(NamedTuple):
    """All passes of a form.

    Attributes:
        launches: one after another.
        widths: of rows, slot by slot.
        slots: how many parts derivatives by filters come in, one for each block of channels.
        fill_filters: whether all passes add to those, which begin as zeros.
        fill_inputs: whether derivatives by inputs are not written in all of their rows.
    """

    launches: tuple[Launch, ...]
    widths: Widths
    slots: int
    fill_filters: bool
    fill_inputs: bool


class _Buffers:
    """What kernels write before it is what was asked for.

    Attributes:
        pieces: of the graph.
        arguments: what passes are called with, and what those are called with whose lanes have pairs.
    """

    def __init__(self, named: Mapping[str, Tensor], edges: Edges, passes: _Passes) -> None:
        some, widths, count = next(iter(named.values())), passes.widths, edges.num_edges
        self.pieces, of_graph = _graph_arguments(edges, long="output" in named)
        written = dict(named)
        self.filters: Tensor | None = None
        if "d_filter" in named:
            alone = named["d_filter"][None]
            self.filters = alone if passes.slots == 1 else some.new_empty(passes.slots, *alone.shape[1:])
            written["d_filter"] = self.filters.zero_() if passes.fill_filters else self.filters
        if "d_input" in named:
            make = some.new_zeros if passes.fill_inputs else some.new_empty
            written["d_input"] = make(count, widths.input)
        if "d_weight" in named and edges.by_weight is not None:
            written["d_weight"] = some.new_empty(count, widths.weight)
        self.written = written
        self.spares: Tensor | None = None
        if self.pieces.spares and ("output" in named or "d_grad" in named):
            self.spares = some.new_empty(self.pieces.spares, widths.grad)
        shared = edges.weight_index
        arguments: dict[str, Any] = {**of_graph, "d_filter_tile": count * widths.filter}
        if shared is not None:
            sharing = {"weight_index": place(shared), "weights_shared": 1, "num_weights": edges.weight_rows}
            arguments.update(sharing)
        if self.spares is not None:
            arguments["spares"] = place(self.spares)
        paired = {}
        for name, tensor in written.items():
            arguments[f"{name}s"] = place(tensor)
            arguments[f"{name}_row"] = row = tensor.stride(-2)
            if "filter" not in name:
                paired[f"{name}_row"] = row // 2
        self.arguments = arguments, {**arguments, **paired}

    def finish(self, named: Mapping[str, Tensor], edges: Edges) -> None:
        """Sum what was written piece by piece, edge by edge, or block by block."""
        for name in ("output", "d_grad"):
            if name in named and self.spares is not None:
                sum_spares(self.spares, self.pieces.shares, named[name])
        if self.filters is not None and self.filters.shape[0] > 1:
            torch.sum(self.filters, dim=0, out=named["d_filter"])
        if "d_input" in named:
            sum_rows(self.written["d_input"], *edges.by_source, named["d_input"])
        if "d_weight" in named and edges.by_weight is not None:
            sum_rows(self.written["d_weight"], *edges.by_weight, named["d_weight"])


def _are_even(named: Mapping[str, Tensor]) -> bool:
    """Whether channels come in pairs in memory: rows have even lengths and begin where pairs may.

    Rows of edges, which are made on the way, are as long as those of nodes.
    """
    seen = 0
    for name, tensor in named.items():
        if "filter" not in name:
            seen |= tensor.data_ptr() // tensor.element_size() | tensor.stride(-2)
    return not seen % 2


def _graph_arguments(edges: Edges, long: bool) -> tuple[Pieces, dict[str, Any]]:
    """The pieces of a graph, and the arguments that are the same in every call over it, weights not shared.

    They are kept with its pieces.
    """
    pieces = pieces_of(edges.by_target.row_pointers, edges.num_edges, long)
    kept = getattr(pieces.table, "_tfngen_arguments", None)
    if kept is not None and kept[0] is edges.sources and kept[1] is edges.by_target.order:
        return pieces, kept[2]
    arguments = {
        "pieces": place(pieces.table),
        "order": place(edges.by_target.order),
        "num_edges": edges.num_edges,
        "sources": place(edges.sources),
        "num_nodes": edges.num_nodes,
        "num_weights": edges.num_edges,
        "weight_index": place(edges.sources),  # not read
        "weights_shared": 0,
        "spares": place(pieces.table),  # not written, where there are none
    }
    pieces.table._tfngen_arguments = edges.sources, edges.by_target.order, arguments  # type: ignore[attr-defined]
    return pieces, arguments


@lru_cache(maxsize=256)
def _passes(package: str, form_name: str, plan: tuple[int, ...], dtype: torch.dtype, even: bool) -> _Passes:
    """The passes of a form: as few as there are input irreps, where their paths fit one kernel each."""
    form, (widths, paths) = FORM[form_name], decode(plan)
    home = kernels(package, dtype, naming.GROUPS_MODULE).GROUP
    going = [(kernels(package, dtype, name), together) for name, together in going_together(paths, home)]
    fit = partial(launch_of, form, dtype=dtype, even=even)
    blocks = [fit(module, together).blocks for module, together in going]
    columns = {path.filter_offset: 2 * path.l_filter + 1 for path in paths}
    fill_filters = len(set(blocks)) > 1 or sum(columns.values()) < widths.filter
    launches: list[Launch] = []
    written: set[tuple[str, int]] = {("filter", each) for each in columns} if fill_filters else set()
    for module, together in going:
        launches.append(fit(module, together, written=frozenset(written)))
        written |= {(slot, path.offset(slot)) for path in together for slot in ("filter", "input")}
    inputs = {path.input_offset: path.channels * (2 * path.l_input + 1) for path in paths}
    fill_inputs = sum(inputs.values()) < widths.input
    return _Passes(tuple(launches), widths, max(blocks, default=1), fill_filters, fill_inputs)


def going_together(
    paths: tuple[PackedPath, ...], home: Mapping[tuple[int, int, int], str]
) -> Iterator[tuple[str, list[PackedPath]]]:
    """The paths that go through the edges together, and the module that has their kernels.

    Such paths share an input irrep; no two of them have the same degrees, and those with filters of the same
    degree have the same filter.
    """
    found: list[tuple[str, list[PackedPath]]] = []
    for path in paths:
        module = home[tuple(path.degrees)]
        for other, together in found:
            if other == module and all(_go_together(path, each) for each in together):
                together.append(path)
                break
        else:
            found.append((module, [path]))
    yield from found


def _go_together(path: PackedPath, other: PackedPath) -> bool:
    same_filter = path.filter_offset == other.filter_offset or path.l_filter != other.l_filter
    return path.input_offset == other.input_offset and path.degrees != other.degrees and same_filter


def launch_of(
    form: Form,
    module: ModuleType,
    paths: Sequence[PackedPath],
    *,
    dtype: torch.dtype,
    even: bool = True,
    written: frozenset[tuple[str, int]] = frozenset(),
) -> Launch:
    """The pass of `paths`, all of one input irrep.

    Args:
        form: what is computed.
        module: of a generated package, with the kernels of these paths.
        paths: where each has its part of rows.
        dtype: of the tensors.
        even: whether channels come in pairs in memory.
        written: by slot and place in a row, what earlier passes have left of derivatives, or zeros.
    """
    kernel, channels = suited(getattr(module, form.name), dtype), paths[0].channels
    pairs = even and _in_pairs(form, paths, dtype)
    of_lane = 1 + pairs
    lanes = channels // of_lane
    block = block_for(
        lanes, _has_long_pieces(form), module.SHARED[form.name], computed_in(dtype).itemsize, pairs
    )
    numbers = {name: -1 for name in kernel.arguments if "_at" in name or "_step" in name}
    numbers |= {name: 0 for name in kernel.arguments if "adding" in name}
    numbers |= {"tile": 1 << block.tile_bits, "tile_bits": block.tile_bits}
    numbers |= {"lanes": block.lanes, "teams": block.teams}
    numbers |= {"full": int(lanes % block.lanes == 0), "channels": lanes}
    numbers |= {"input_at": paths[0].input_offset // of_lane}
    numbers |= {"adding": int(("input", paths[0].input_offset) in written)}
    for path in paths:
        tag = "_".join(map(str, path.degrees))
        numbers[f"filter_at_{path.l_filter}"] = path.filter_offset
        numbers[f"filter_adding_{path.l_filter}"] = int(("filter", path.filter_offset) in written)
        numbers[f"weight_at_{tag}"] = path.weight_offset // of_lane
        numbers[f"grad_at_{tag}"] = path.grad_offset // of_lane
        numbers[f"grad_step_{tag}"] = path.grad_step // of_lane
    return Launch(Call(kernel.fitted(numbers, pairs)), block, -(-lanes // block.lanes))


def _has_long_pieces(form: Form) -> bool:
    """Whether teams share pieces as long as a node's row: where its sums are all there is, and fit registers.

    Along tangents a lane holds so much that larger blocks leave a multiprocessor half empty.
    """
    return form.name == "output"


def _in_pairs(form: Form, paths: Sequence[PackedPath], dtype: torch.dtype) -> bool:
    """Whether a lane is to have two channels: no lane is idle then, and registers suffice."""
    if form.name == "d_grad" or dtype == torch.float64 or paths[0].channels % (2 * WARP):
        return False
    places = ("input_offset", "weight_offset", "grad_offset", "grad_step")
    if any(getattr(path, each) % 2 for path in paths for each in places):
        return False
    held = sum(2 * path.l_output + 1 for path in paths)
    values = 2 * paths[0].l_input + 1 + len(paths)
    values *= 2 if form.along_tangents else 1
    return 2 * (held + 2 * values) <= MOST_IN_PAIRS
