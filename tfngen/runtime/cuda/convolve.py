"""Launch the kernels over a graph on a GPU: one pass over the edges for the paths of each input irrep.

All passes go by target, so that a node's sums, or its gradient, stay in registers. What belongs to an edge's
source, the derivative by its input, is written edge by edge and summed by source afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from tfngen import naming
from tfngen.forms import FORM, Form
from tfngen.runtime.cuda.block import Block, block_for
from tfngen.runtime.cuda.kernel import Call
from tfngen.runtime.cuda.pieces import Pieces, pieces_of
from tfngen.runtime.cuda.precision import computed_in, kernels, suited
from tfngen.runtime.cuda.rows import sum_rows, sum_spares
from tfngen.runtime.cuda.run import place, run
from tfngen.runtime.plan import decode

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

    from tfngen.runtime.plan import Edges, PackedPath, Widths


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
    passes = _passes(package, form.name, plan, next(iter(named.values())).dtype)
    if not edges.num_edges or not passes.launches:
        for result in results.values():
            result.zero_()
        return
    buffers, device = _Buffers(named, edges, passes), edges.sources.device
    pieces = buffers.pieces.table.shape[0]
    for launch in passes.launches:
        block, arguments = launch.block, buffers.arguments_of(launch)
        run(launch.call, (pieces, launch.blocks), block.threads, arguments, device, block.shared_bytes)
    buffers.finish(named, edges)


class _Launch(NamedTuple):
    """One pass over the edges.

    Attributes:
        call: the kernel of all paths of one input degree, and where these paths' parts of rows begin.
        block: its threads, and how many edges they take at a time.
        blocks: for all channels of a piece.
        slot: where among the derivatives by filters its own begin.
        adding: whether an earlier pass has been through the same input irrep.
    """

    call: Call
    block: Block
    blocks: int
    slot: int
    adding: bool


class _Passes(NamedTuple):
    """All passes of a form.

    Attributes:
        launches: one after another.
        widths: of rows, slot by slot.
        slots: how many parts derivatives by filters come in.
        fill_inputs: whether derivatives by inputs are written in all of their rows.
    """

    launches: tuple[_Launch, ...]
    widths: Widths
    slots: int
    fill_inputs: bool


class _Buffers:
    """What kernels write before it is what was asked for."""

    def __init__(self, named: Mapping[str, Tensor], edges: Edges, passes: _Passes) -> None:
        some, widths, count = next(iter(named.values())), passes.widths, edges.num_edges
        self.pieces, of_graph = _graph_arguments(edges)
        written = dict(named)
        self.filters: Tensor | None = None
        if "d_filter" in named:
            alone = named["d_filter"].zero_()[None]
            self.filters = alone if passes.slots == 1 else some.new_zeros(passes.slots, *alone.shape[1:])
            written["d_filter"] = self.filters
        if "d_input" in named:
            make = some.new_empty if passes.fill_inputs else some.new_zeros
            written["d_input"] = make(count, widths.input)
        if "d_weight" in named and edges.by_weight is not None:
            written["d_weight"] = some.new_empty(count, widths.weight)
        self.written = written
        self.spares: Tensor | None = None
        if self.pieces.spares and ("output" in named or "d_grad" in named):
            self.spares = some.new_empty(self.pieces.spares, widths.grad)
        shared = edges.weight_index
        self.arguments: dict[str, Any] = {**of_graph, "d_filter_tile": count * widths.filter}
        if shared is not None:
            sharing = {"weight_index": place(shared), "weights_shared": 1, "num_weights": edges.weight_rows}
            self.arguments.update(sharing)
        if self.spares is not None:
            self.arguments["spares"] = place(self.spares)
        for name, tensor in written.items():
            self.arguments[f"{name}s"] = place(tensor)
            self.arguments[f"{name}_row"] = tensor.stride(-2)

    def arguments_of(self, launch: _Launch) -> dict[str, Any]:
        """What a pass is called with."""
        self.arguments["adding"] = int(launch.adding)
        if self.filters is not None:
            self.arguments["d_filters"] = place(self.filters[launch.slot])
        return self.arguments

    def finish(self, named: Mapping[str, Tensor], edges: Edges) -> None:
        """Sum what was written piece by piece, edge by edge, or pass by pass."""
        for name in ("output", "d_grad"):
            if name in named and self.spares is not None:
                sum_spares(self.spares, self.pieces.shares, named[name])
        if self.filters is not None and self.filters.shape[0] > 1:
            torch.sum(self.filters, dim=0, out=named["d_filter"])
        if "d_input" in named:
            sum_rows(self.written["d_input"], *edges.by_source, named["d_input"])
        if "d_weight" in named and edges.by_weight is not None:
            sum_rows(self.written["d_weight"], *edges.by_weight, named["d_weight"])


def _graph_arguments(edges: Edges) -> tuple[Pieces, dict[str, Any]]:
    """The pieces of a graph, and the arguments that are the same in every call over it, weights not shared.

    They are kept with its pieces.
    """
    pieces = pieces_of(edges.by_target.row_pointers, edges.num_edges)
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
def _passes(package: str, form_name: str, plan: tuple[int, ...], dtype: torch.dtype) -> _Passes:
    """The passes of a form: as few as there are input irreps, where their paths fit one kernel each."""
    form, (widths, paths) = FORM[form_name], decode(plan)
    home = kernels(package, dtype, naming.GROUPS_MODULE).GROUP
    launches: list[_Launch] = []
    lengths: dict[int, int] = {}
    slots = 0
    for module_name, together in _going_together(paths, home):
        module, start = kernels(package, dtype, module_name), together[0].input_offset
        launches.append(_launch(form, module, together, dtype, slots, adding=start in lengths))
        lengths[start] = together[0].channels * (2 * together[0].l_input + 1)
        slots += launches[-1].blocks
    return _Passes(tuple(launches), widths, slots, sum(lengths.values()) == widths.input)


def _going_together(
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


def _launch(
    form: Form, module: ModuleType, paths: list[PackedPath], dtype: torch.dtype, slot: int, adding: bool
) -> _Launch:
    kernel, channels = suited(getattr(module, form.name), dtype), paths[0].channels
    block = block_for(channels, module.SHARED[form.name], computed_in(dtype).itemsize)
    numbers = {name: -1 for name in kernel.arguments if "_at" in name or "_step" in name}
    numbers |= {"tile": 1 << block.tile_bits, "tile_bits": block.tile_bits}
    numbers |= {"channels": channels, "input_at": paths[0].input_offset}
    for path in paths:
        tag = "_".join(map(str, path.degrees))
        numbers[f"filter_at_{path.l_filter}"] = path.filter_offset
        numbers[f"weight_at_{tag}"] = path.weight_offset
        numbers[f"grad_at_{tag}"] = path.grad_offset
        numbers[f"grad_step_{tag}"] = path.grad_step
    blocks = -(-channels // block.threads)
    return _Launch(Call(kernel, numbers), block, blocks, slot, adding)
