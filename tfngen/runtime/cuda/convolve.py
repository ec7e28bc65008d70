"""Launch the kernels over a graph on a GPU: one pass over the edges for the paths of each input irrep.

All passes go by target, so that a node's sums, or its gradient, stay in registers. What belongs to an edge's
source, the derivative by its input, is written edge by edge and summed by source afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from tfngen import naming
from tfngen.forms import FORM, Form
from tfngen.runtime import registry
from tfngen.runtime.cuda.block import Block, block_for
from tfngen.runtime.cuda.pieces import pieces_of
from tfngen.runtime.cuda.rows import sum_rows, sum_spares
from tfngen.runtime.cuda.run import run
from tfngen.runtime.plan import decode

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

    from tfngen.runtime.cuda.kernel import Kernel
    from tfngen.runtime.plan import Edges, PackedPath


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
    launches = _launches(package, form.name, plan, next(iter(named.values())).dtype)
    if not edges.num_edges or not launches:
        for result in results.values():
            result.zero_()
        return
    buffers = _Buffers(named, edges, launches, plan)
    for number, launch in enumerate(launches):
        run(
            launch.kernel,
            (buffers.pieces.table.shape[0], launch.blocks),
            launch.block.threads,
            {**buffers.arguments, **launch.numbers, **buffers.of_launch(number, launch)},
            edges.sources.device,
            launch.block.shared_bytes,
        )
    buffers.finish(named, edges)


class _Launch(NamedTuple):
    """One pass over the edges.

    Attributes:
        kernel: of all paths of one input degree.
        block: its threads, and how many edges they take at a time.
        blocks: for all channels of a piece.
        numbers: its arguments that do not change from call to call, −1 for what it has not.
        adding: whether an earlier pass has been through the same input irrep.
    """

    kernel: Kernel
    block: Block
    blocks: int
    numbers: dict[str, int]
    adding: bool


class _Buffers:
    """What kernels write before it is what was asked for."""

    def __init__(
        self, named: Mapping[str, Tensor], edges: Edges, launches: tuple[_Launch, ...], plan: tuple[int, ...]
    ) -> None:
        some, widths = next(iter(named.values())), decode(plan)[0]
        count = edges.num_edges
        self.pieces = pieces_of(edges.by_target.row_pointers, count)
        written = dict(named)
        self.filters: Tensor | None = None
        if "d_filter" in named:
            slots = sum(launch.blocks for launch in launches)
            self.filters = some.new_zeros(slots, count, widths.filter)
            written["d_filter"] = self.filters
        if "d_input" in named:
            covered = {launch.numbers["input_at"] for launch in launches}
            make = some.new_empty if _covers(plan, covered) else some.new_zeros
            written["d_input"] = make(count, widths.input)
        if "d_weight" in named and edges.by_weight is not None:
            written["d_weight"] = some.new_empty(count, widths.weight)
        self.written = written
        sums = next((name for name in ("output", "d_grad") if name in named), None)
        self.spares = None if sums is None else some.new_empty(self.pieces.spares, widths.grad)
        self.arguments: dict[str, Tensor | int] = {
            "pieces": self.pieces.table,
            "order": edges.by_target.order,
            "sources": edges.sources,
            "weight_index": edges.sources if edges.weight_index is None else edges.weight_index,
            "weights_shared": int(edges.weight_index is not None),
            "d_filter_tile": count * widths.filter,
            "channels": 0,
        }
        if self.spares is not None:
            self.arguments["spares"] = self.spares
        for name, tensor in written.items():
            self.arguments[f"{name}s"] = tensor
            self.arguments[f"{name}_row"] = tensor.stride(-2)

    def of_launch(self, number: int, launch: _Launch) -> dict[str, Tensor | int]:
        """The arguments of one pass alone."""
        arguments: dict[str, Tensor | int] = {"adding": int(launch.adding)}
        if self.filters is not None:
            arguments["d_filters"] = self.filters[launch.numbers["first_slot"] :]
        return arguments

    def finish(self, named: Mapping[str, Tensor], edges: Edges) -> None:
        """Sum what was written piece by piece, edge by edge, or pass by pass."""
        for name in ("output", "d_grad"):
            if name in named and self.spares is not None:
                sum_spares(self.spares, self.pieces.shares, named[name])
        if self.filters is not None:
            torch.sum(self.filters, dim=0, out=named["d_filter"])
        if "d_input" in named:
            sum_rows(self.written["d_input"], *edges.by_source, named["d_input"])
        if "d_weight" in named and edges.by_weight is not None:
            sum_rows(self.written["d_weight"], *edges.by_weight, named["d_weight"])


def _covers(plan: tuple[int, ...], starts: set[int]) -> bool:
    """Whether the passes that begin at `starts` write all of an input's row."""
    widths, paths = decode(plan)
    lengths = {path.input_offset: path.channels * (2 * path.l_input + 1) for path in paths}
    return sum(lengths[start] for start in starts) == widths.input


@lru_cache(maxsize=256)
def _launches(package: str, form_name: str, plan: tuple[int, ...], dtype: torch.dtype) -> tuple[_Launch, ...]:
    """The passes of a form: as few as there are input irreps, where their paths fit one kernel each."""
    form, (_, paths) = FORM[form_name], decode(plan)
    home = registry.kernels(package, "cuda", dtype, naming.GROUPS_MODULE).GROUP
    launches: list[_Launch] = []
    seen: set[int] = set()
    slot = 0
    for module_name, together in _passes(paths, home):
        module = registry.kernels(package, "cuda", dtype, module_name)
        launch = _launch(form, module, together, dtype, slot, adding=together[0].input_offset in seen)
        seen.add(together[0].input_offset)
        slot += launch.blocks
        launches.append(launch)
    return tuple(launches)


def _passes(
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
    kernel, channels = getattr(module, form.name), paths[0].channels
    block = block_for(channels, module.SHARED[form.name], dtype.itemsize)
    numbers = {name: -1 for name in kernel.arguments if "_at" in name or "_step" in name}
    numbers |= {"tile": 1 << block.tile_bits, "tile_bits": block.tile_bits}
    numbers |= {"channels": channels, "first_slot": slot}
    numbers["input_at"] = paths[0].input_offset
    for path in paths:
        tag = "_".join(map(str, path.degrees))
        numbers[f"filter_at_{path.l_filter}"] = path.filter_offset
        numbers[f"weight_at_{tag}"] = path.weight_offset
        numbers[f"grad_at_{tag}"] = path.grad_offset
        numbers[f"grad_step_{tag}"] = path.grad_step
    return _Launch(kernel, block, -(-channels // block.threads), numbers, adding)
