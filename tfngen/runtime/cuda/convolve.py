"""Launch the kernels over a graph on a GPU: one pass over the edges for the paths of each input irrep.

All passes go by target, so that a node's sums, or its gradient, stay in registers. What belongs to an edge's
source, the derivative by its input, is written edge by edge and summed by source afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import torch

from tfngen import naming
from tfngen.forms import FORM, Form
from tfngen.gpu import WARP, Capability
from tfngen.runtime.compiling import Request, compile_together
from tfngen.runtime.cuda.block import Shared, block_for
from tfngen.runtime.cuda.compiled import is_missing
from tfngen.runtime.cuda.kernel import Kernel
from tfngen.runtime.cuda.pieces import pieces_of
from tfngen.runtime.cuda.precision import computed_in, kernels, suited
from tfngen.runtime.cuda.rows import sum_rows, sum_slots, sum_spares
from tfngen.runtime.cuda.run import place, run_all
from tfngen.runtime.cuda.sequence import LaunchSequence, Step
from tfngen.runtime.plan import decode

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

    from tfngen.runtime.plan import Edges, PackedPath, Widths


START = 20_000
"""Bytes of kernels' Python code that take as long to compile as a process to start, some five seconds."""
MOST_IN_PAIRS = 190
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
    even = _are_even(operands)
    passes = _passes(package, form.name, plan, next(iter(results.values())).dtype, even)
    if not edges.num_edges or not passes.sequence.steps:
        for result in results.values():
            result.zero_()
        return
    buffers = _Buffers({**operands, **results}, edges, passes)
    run_all(passes.sequence, buffers.blocks, buffers.values, edges.sources.device)
    buffers.finish(results, edges)


def fitted_kernels(
    package: str, form: Form, plan: tuple[int, ...], dtype: torch.dtype, even: bool = True
) -> list[Kernel]:
    """What `form` of a convolution runs on tensors of `dtype`, in the order of its passes.

    Args:
        even: whether channels come in pairs in memory: rows, and where they begin.
    """
    return [each.kernel for each in _passes(package, form.name, plan, dtype, even).sequence.steps]


class _Passes(NamedTuple):
    """All passes of a form over the edges.

    Attributes:
        sequence: a kernel of all paths of one input degree each, fitted to where their parts of rows begin.
        tensors: the names of operands and results.
        sums: the result that is summed over a node's edges, if there is one.
        widths: of rows, slot by slot.
        slots: how many parts derivatives by filters come in, one for each pass and block of channels.
        fill_filters: whether those begin as zeros, since some pass leaves some of them out.
        fill_inputs: whether derivatives by inputs are not written in all of their rows.
        fill_sums: the same of sums over a node's edges, or whether some are begun by several passes.
    """

    sequence: LaunchSequence
    tensors: tuple[str, ...]
    sums: str | None
    widths: Widths
    slots: int
    fill_filters: bool
    fill_inputs: bool
    fill_sums: bool


OF_GRAPH = ("pieces", "order", "num_edges", "sources", "num_nodes")
OF_WEIGHTS = ("weight_index", "weights_shared", "num_weights")
OF_SUMS = ("spares", "d_filter_tile")
"""What kernels are called with beside operands and results, which have three values each: see `_Buffers`."""


def _names(tensors: Sequence[str]) -> Iterator[str]:
    """What the values of `_Buffers` are called."""
    yield from (*OF_GRAPH, *OF_WEIGHTS, *OF_SUMS)
    for name in tensors:
        yield from (f"{name}s", f"{name}_row", f"{name}_row in pairs")


class _Buffers:
    """What kernels write before it is what was asked for.

    Attributes:
        blocks: one for each piece of the graph.
        values: what passes are called with; of each tensor, where it is and the length of its rows, in
            channels and in pairs of them.
    """

    def __init__(self, named: dict[str, Tensor], edges: Edges, passes: _Passes) -> None:
        widths, count = passes.widths, edges.sources.shape[0]
        pieces = pieces_of(edges.by_target.row_pointers, count, long=passes.sums == "output")
        self.blocks, self.shares, self.sums = pieces.table.shape[0], pieces.shares, passes.sums
        self.written: dict[str, Tensor] = {}
        self.spares: Tensor | None = None
        if passes.sums is None:
            self._make_rows(named, edges, passes)
            named |= self.written
        else:
            if pieces.spares:
                self.spares = named[passes.sums].new_empty(pieces.spares, widths.grad)
            for begun in (named[passes.sums], self.spares) if passes.fill_sums else ():
                if begun is not None:
                    begun.zero_()
        sources, shared = place(edges.sources), edges.weight_index
        values = [place(pieces.table), place(edges.by_target.order), count, sources, edges.num_nodes]
        # What is not there is not read, nor written.
        values += (sources, 0, count) if shared is None else (place(shared), 1, edges.weight_rows)
        values += sources if self.spares is None else place(self.spares), count * widths.filter
        for name in passes.tensors:
            tensor = named[name]
            row = tensor.stride(-2)
            values += place(tensor), row, row // 2
        self.values = values

    def _make_rows(self, named: dict[str, Tensor], edges: Edges, passes: _Passes) -> None:
        """What edges have of derivatives that belong to nodes, or that they share."""
        widths, count = passes.widths, edges.num_edges
        if "d_filter" in named:
            filters = named["d_filter"]
            if passes.slots > 1:
                filters = self.written["d_filter"] = filters.new_empty(passes.slots, count, widths.filter)
            if passes.fill_filters:
                filters.zero_()
        if "d_input" in named:
            make = named["d_input"].new_zeros if passes.fill_inputs else named["d_input"].new_empty
            self.written["d_input"] = make(count, widths.input)
        if "d_weight" in named and edges.by_weight is not None:
            self.written["d_weight"] = named["d_weight"].new_empty(count, widths.weight)

    def finish(self, results: Mapping[str, Tensor], edges: Edges) -> None:
        """Sum what was written piece by piece, edge by edge, or pass by pass."""
        if self.sums is not None and self.spares is not None:
            sum_spares(self.spares, self.shares, results[self.sums])
        for name, written in self.written.items():
            if name == "d_filter":
                sum_slots(written, results[name])
            elif name == "d_input":
                sum_rows(written, *edges.by_source, results[name])
            else:
                assert edges.by_weight is not None, "edges that share weights have rows of them"
                sum_rows(written, *edges.by_weight, results[name])


def _are_even(operands: Mapping[str, Tensor]) -> bool:
    """Whether channels come in pairs in memory: rows have even lengths and begin where pairs may.

    What is made on the way begins there, and its rows are as long as a plan says.
    """
    seen = 0
    for name, tensor in operands.items():
        if name not in ("filter", "filter_tangent"):
            seen |= tensor.data_ptr() // tensor.element_size() | tensor.stride(-2)
    return not seen % 2


@lru_cache(maxsize=256)
def _passes(package: str, form_name: str, plan: tuple[int, ...], dtype: torch.dtype, even: bool) -> _Passes:
    """The passes of a form: as few as there are input irreps, where their paths fit one kernel each."""
    form, (widths, paths) = FORM[form_name], decode(plan)
    even = even and not (widths.input % 2 or widths.weight % 2 or widths.grad % 2)
    home = kernels(package, dtype, naming.GROUPS_MODULE).GROUP
    going = [(kernels(package, dtype, name), together) for name, together in going_together(paths, home)]
    fit = partial(launch_of, form, dtype=dtype, even=even)
    blocks = [fit(module, together).blocks for module, together in going]
    columns = [
        sum({path.filter_offset: 2 * path.l_filter + 1 for path in together}.values())
        for _, together in going
    ]
    steps: list[Step] = []
    written: set[tuple[str, int]] = set()
    fill_sums = "grad" in form.by and not _are_summed_once(paths, widths.grad)
    written |= {("grad", each) for each in range(widths.grad)} if fill_sums else set()
    for number, (module, together) in enumerate(going):
        steps.append(fit(module, together, written=frozenset(written), slot=sum(blocks[:number])))
        written |= {(slot, path.offset(slot)) for path in together for slot in ("input", "grad")}
    inputs = {path.input_offset: path.channels * (2 * path.l_input + 1) for path in paths}
    fill_inputs = sum(inputs.values()) < widths.input
    tensors = (*form.operands, *form.results)
    request = Request(package, "cuda", form_name, plan, str(dtype).removeprefix("torch."), even)
    prepare = partial(_compile, request, [step.kernel for step in steps])
    launches = LaunchSequence(steps, _names(tensors), prepare)
    fill_filters = min(columns, default=0) < widths.filter
    sums = form.results[0] if "grad" in form.by else None
    return _Passes(launches, tensors, sums, widths, sum(blocks), fill_filters, fill_inputs, fill_sums)


def _are_summed_once(paths: Sequence[PackedPath], width: int) -> bool:
    """Whether all of a row of sums is written, and what several paths add to is the same for each of them."""
    places = {(path.grad_offset, path.grad_step, path.channels, path.l_output) for path in paths}
    columns = [
        start + m * step + channel
        for start, step, channels, l_output in places
        for m in range(2 * l_output + 1)
        for channel in range(channels)
    ]
    return len(columns) == len(set(columns)) == width


def _compile(request: Request, kernels: Sequence[Kernel], capability: Capability) -> None:
    """Compile all of them at once."""
    missing = partial(is_missing, capability=capability)
    compile_together(replace(request, capability=capability), kernels, missing, START)


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
    slot: int = 0,
) -> Step:
    """The pass of `paths`, all of one input irrep; along y, blocks for all channels of a piece.

    Args:
        form: what is computed.
        module: of a generated package, with the kernels of these paths.
        paths: where each has its part of rows.
        dtype: of the tensors.
        even: whether channels come in pairs in memory.
        written: by slot and place in a row, what earlier passes have left of derivatives, or zeros.
        slot: the first of those for its derivatives by filters.
    """
    kernel, channels = suited(getattr(module, form.name), dtype), paths[0].channels
    pairs = even and _in_pairs(form, paths, dtype)
    of_lane = 1 + pairs
    lanes = channels // of_lane
    shared, computed = Shared(*module.SHARED[form.name]), computed_in(dtype).itemsize
    block = block_for(lanes, _has_long_pieces(form), shared, computed, dtype.itemsize, pairs)
    numbers = {name: -1 for name in kernel.arguments if "_at" in name or "_step" in name}
    numbers |= {name: 0 for name in kernel.arguments if "adding" in name}
    numbers |= {"tile": 1 << block.tile_bits, "tile_bits": block.tile_bits}
    numbers |= {"lanes": block.lanes, "teams": block.teams}
    numbers |= {"stages": block.stages, "ring_at": block.ring_at, "by_itself": 1, "d_filter_slot": slot}
    numbers |= {"full": int(lanes % block.lanes == 0), "channels": lanes}
    numbers |= {"input_at": paths[0].input_offset // of_lane}
    numbers |= {"adding": int(("input", paths[0].input_offset) in written)}
    begun = {at for slot, at in written if slot == "grad"}
    for path in sorted(paths, key=lambda each: module.PATHS.index(tuple(each.degrees))):
        tag = "_".join(map(str, path.degrees))
        numbers[f"grad_adding_{tag}"] = int(path.grad_offset in begun)
        begun.add(path.grad_offset)
        numbers[f"filter_at_{path.l_filter}"] = path.filter_offset
        numbers[f"weight_at_{tag}"] = path.weight_offset // of_lane
        numbers[f"grad_at_{tag}"] = path.grad_offset // of_lane
        numbers[f"grad_step_{tag}"] = path.grad_step // of_lane
    fitted, across = kernel.fitted(numbers, pairs), -(-lanes // block.lanes)
    rows = [name for name in fitted.arguments if name.endswith("_row") and "filter" not in name]
    paired = {name: f"{name} in pairs" for name in rows if pairs}
    # Sums are added to after waiting for the pass before, but derivatives by inputs edge by edge.
    early = not fitted.constants.get("adding")
    return Step(fitted, across, block.threads, block.shared_bytes, paired, early)


def _has_long_pieces(form: Form) -> bool:
    """Whether teams share pieces as long as a node's row: where its sums are all there is, and fit registers.

    Along tangents a lane holds so much that larger blocks leave a multiprocessor half empty.
    """
    return form.name == "output"


def _in_pairs(form: Form, paths: Sequence[PackedPath], dtype: torch.dtype) -> bool:
    """Whether a lane is to have two channels: no lane is idle then, and registers suffice."""
    if dtype == torch.float64 or paths[0].channels % (2 * WARP):
        return False
    places = ("input_offset", "weight_offset", "grad_offset", "grad_step")
    if any(getattr(path, each) % 2 for path in paths for each in places):
        return False
    held = sum(2 * path.l_output + 1 for path in paths) * (1 + ("grad" in form.along))
    values = 2 * paths[0].l_input + 1 + len(paths)
    values *= 2 if form.along else 1
    return 2 * (held + 2 * values) <= MOST_IN_PAIRS
