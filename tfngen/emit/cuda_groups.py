"""Lay out the kernels of a GPU over a graph: all paths of one input degree in one pass over the edges.

A block has a lane for each channel and goes through some edges of one target node, some of them (a tile) at
a time: first its lanes compute the couplings of a tile's edges, an edge each; then each lane goes through the
edges with its channel. Sums over a node's edges, or its gradient, stay in registers; what belongs to an edge
is written once, and sums over channels go through the warp and then through shared memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfngen import naming
from tfngen.emit.blocks import indented
from tfngen.emit.cuda_functions import LaneFunctions, filter_arrays, tuple_of
from tfngen.emit.printer import MAX_LINE
from tfngen.forms import TANGENT, Form
from tfngen.gpu import FOLDED, PARTS, WARP
from tfngen.irreps import Path

REGISTERS_FOR_SUMS = 64
"""The components of outputs that a lane holds at most."""

FRAME, TILE, EDGE = 4, 8, 12
"""Columns before a statement of a node, of a tile of its edges, and of an edge."""


def groups(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """The paths that share kernels: of one input degree, and not too many for a lane's registers."""
    found: list[tuple[Path, ...]] = []
    for l_input in sorted({path.l_input for path in paths}):
        group: tuple[Path, ...] = ()
        for path in (each for each in paths if each.l_input == l_input):
            held = sum(2 * each.l_output + 1 for each in (*group, path))
            if group and held > REGISTERS_FOR_SUMS:
                found.append(group)
                group = ()
            group = (*group, path)
        found.append(group)
    return found


@dataclass(frozen=True, slots=True)
class GroupKernel:
    """The printed pieces of a kernel, as the frame of its template names them.

    Attributes:
        name: the form's.
        parameters: with their kinds, some to a line.
        flags: which paths this call is for.
        start: what is held for a node.
        rows: where an edge's rows begin, computed once for all lanes.
        couplings: the calls that compute an edge's.
        array: an operand that is read edge by edge and channel by channel.
        copies: of what a lane reads of an edge, begun some edges before its turn.
        edge: what is done for an edge and channel.
        tile_end: what is done when a tile's edges are through.
        finish: what becomes of a node's sums.
        stride: values of shared memory for an edge.
        totals: values of shared memory for an edge and warp.
        handed: sums that a lane hands over to another team's at once.
        copied: values that a lane has copied of an edge.
    """

    name: str
    parameters: tuple[str, ...]
    flags: str
    start: str
    rows: str
    couplings: str
    array: str
    copies: str
    edge: str
    tile_end: str
    finish: str
    stride: int
    totals: int
    handed: int
    copied: int


def group_kernel(form: Form, paths: Sequence[Path], functions: Sequence[LaneFunctions]) -> GroupKernel:
    """The kernel of `form` for `paths`, whose `functions` are given in the same order."""
    return _Layout(form, tuple(paths), tuple(functions)).kernel


class _Layout:
    def __init__(self, form: Form, paths: tuple[Path, ...], functions: tuple[LaneFunctions, ...]) -> None:
        self.form, self.paths, self.functions = form, paths, functions
        self.components = 2 * paths[0].l_input + 1
        self.degrees = sorted({path.l_filter for path in paths})
        self.stride = _stride(sum(each.couplings for each in functions))
        self.totals = sum(2 * l + 1 for l in self.degrees) if "d_filter" in form.results else 0
        self.sums = form.results[0] if "grad" in form.by else None
        self.takes = set(form.operands)
        self.held = [name for name in form.operands if name.removesuffix(TANGENT) == "grad"]
        self.array = next(f"{each}s" for each in form.operands if _kind(each) == "Channels")
        self.zero = f"zero_like({self.array})"
        self.gathered = self._gathered()

    @property
    def kernel(self) -> GroupKernel:
        return GroupKernel(
            name=self.form.name,
            parameters=self._parameters(),
            flags=indented([f"{_has(p)} = weight_at_{_tag(p)} >= 0" for p in self.paths], FRAME),
            start=indented(self._start(), FRAME),
            rows=indented(self._rows(), EDGE + 4),
            couplings=indented(self._couplings(), EDGE),
            array=self.array,
            copies=indented(self._copies(), EDGE + 4),
            edge=indented(self._edge(), EDGE),
            tile_end=indented(self._tile_end(), TILE),
            finish=indented(self._finish(), FRAME),
            stride=self.stride,
            totals=self.totals,
            handed=max(2 * path.l_output + 1 for path in self.paths) if self.sums else 0,
            copied=len(self.gathered),
        )

    # ── arguments ───────────────────────────────────────────────────────────────────────────────────────

    def _parameters(self) -> tuple[str, ...]:
        form = self.form
        lines = [["pieces: Indices", "order: Indices", "num_edges: Size"]]
        if "input" in self.takes:
            lines.append(["sources: Indices", "num_nodes: Size"])
        if "weight" in self.takes:
            lines += [["weight_index: Indices", "weights_shared: Int", "num_weights: Size"]]
        for name in form.operands:
            row = [f"{name}s: {_kind(name)}"]
            if not name.endswith(TANGENT) or name == f"filter{TANGENT}":
                row.append(f"{name}_row: Size")
            lines.append(row)
        for name in form.results:
            row = [f"{name}s: {_kind(name)}", f"{name}_row: Size"]
            if name == self.sums:
                row.append("spares: Channels")
            if name == "d_filter":
                row.append("d_filter_tile: Size")
            lines.append(row)
        of_block = ("tile", "tile_bits", "lanes", "teams", "stages", "ring_at")
        lines.append([f"{each}: Int" for each in of_block])
        numbers = ["full", "channels", "input_at"]
        numbers += ["adding"] if "d_input" in form.results else []
        numbers += ["d_filter_slot"] if self.totals else []
        lines.append([f"{each}: Int" for each in numbers])
        lines.append([f"filter_at_{l}: Int" for l in self.degrees])
        places = ["grad_at", "grad_step"] if "grad" in {*self.takes, *form.by} else []
        places += ["grad_adding"] if self.sums else []
        lines += [[f"{each}_{_tag(path)}: Int" for each in ("weight_at", *places)] for path in self.paths]
        lines.append(["by_itself: Int"])
        return tuple(f"{', '.join(line)}," for line in lines)

    # ── what is held for a node ─────────────────────────────────────────────────────────────────────────

    def _start(self) -> list[str]:
        lines = []
        for path in self.paths:
            tag, places = _tag(path), range(2 * path.l_output + 1)
            if self.sums:
                lines.append(f"{self.sums}_{tag} = {self._zeros(len(places))}")
            for name in self.held:
                lines.append(f"here = offset({name}s, node * grad_row + grad_at_{tag} + channel)")
                read = [f"load(here, {_at(m, f'grad_step_{tag}')}, active and {_has(path)})" for m in places]
                lines += _tuple_lines(f"{name}_{tag}", read)
        if self.totals:
            lines += ["place = fold_place(lane % WARP)", "warps = lanes // WARP"]
        return lines

    def _zeros(self, count: int) -> str:
        return tuple_of((self.zero,) * count)

    def _finish(self) -> list[str]:
        if not self.sums:
            return []
        lines = [f"home = row_of({self.sums}s, spares, row, {self.sums}_row)"]
        lines.append(f"room = offset(shared_like({self.sums}s, couplings), lane)")
        for path in self.paths:
            tag, count = _tag(path), 2 * path.l_output + 1
            step = _at(count, "lanes")
            sums = [(f"{self.sums}_{tag}[{m}]", _at(m, "lanes")) for m in range(count)]
            lines.append(f"if {_has(path)}:")
            lines.append("    if teams > 1:")
            lines.append("        cuda.syncthreads()")
            lines.append("        if team > 0:")
            lines.append(f"            mine = offset(room, (team - 1) * {step})")
            lines += [f"            store(mine, {place}, {each}, True)" for each, place in sums]
            lines.append("        cuda.syncthreads()")
            lines.append("    if team == 0:")
            lines.append(f"        here = offset(home, grad_at_{tag} + channel)")
            for m, (each, place) in enumerate(sums):
                others = "room" if m == 0 else f"offset(room, {place})"
                total = f"over_teams({each}, {others}, {step}, teams)"
                where = f"here, {_at(m, f'grad_step_{tag}')}"
                lines += _call_lines("put", [where, total, "active", f"grad_adding_{tag}"], 8)
        return lines

    # ── what the channels of an edge have in common ─────────────────────────────────────────────────────

    def _rows(self) -> list[str]:
        lines = ["edges[slot] = edge"]
        if "input" in self.takes:
            lines.append("neighbors[slot] = within(sources[edge], num_nodes) * input_row")
        if "weight" in self.takes:
            lines.append("weights_at = weight_index[edge] if weights_shared else edge")
            lines.append("weight_rows[slot] = within(weights_at, num_weights) * weight_row")
        return lines

    def _couplings(self) -> list[str]:
        lines, at = [], 0
        for number, (path, function) in enumerate(zip(self.paths, self.functions, strict=True)):
            if not function.couplings:
                continue
            places = [
                f"offset({name}, edge * {name.removesuffix('s')}_row + filter_at_{path.l_filter})"
                for name in filter_arrays(self.form)
            ]
            lines.append(f"if part == {number % PARTS} and {_has(path)}:")
            call = f"{naming.convolution_module(path)}.{function.coupling_name}"
            lines += _call_lines(call, [*places, _offset("coupling", at)], 4)
            at += function.couplings
        if lines:
            lines.insert(0, f"coupling = offset(couplings, slot * {self.stride})")
        return lines

    # ── an edge and a channel ───────────────────────────────────────────────────────────────────────────

    def _edge(self) -> list[str]:
        form, lines = self.form, []
        if not self.sums:
            lines.append("edge = edges[at]")
        lines.append(
            f"coupling = offset(couplings, at * {self.stride})" if self.stride else "coupling = couplings"
        )
        lines += self._read()
        if "d_weight" in form.results:
            lines.append("d_weights_here = offset(d_weights, edge * d_weight_row + channel)")
        if "d_input" in form.results:
            lines.append(f"d_input = {self._zeros(self.components)}")
        if self.totals:
            lines += [f"d_filter_{l} = {self._zeros(2 * l + 1)}" for l in self.degrees]
        at = 0
        for path, function in zip(self.paths, self.functions, strict=True):
            lines += self._call(path, at)
            at += function.couplings
        return [*lines, *self._results_of_edge()]

    def _gathered(self) -> dict[str, str]:
        """What a lane reads of an edge, value by value: its name, and whether it is there."""
        found: dict[str, str] = {}
        for name in self.form.operands:
            if name.removesuffix(TANGENT) == "input":
                found |= {f"{name}[{m}]": "active" for m in range(self.components)}
            elif name.removesuffix(TANGENT) == "weight":
                found |= {f"{name}_{_tag(path)}": f"active and {_has(path)}" for path in self.paths}
        return found

    def _copies(self) -> list[str]:
        """Begin to copy what a lane reads of the edge `following`."""
        lines, places = [], (_at(number, "threads") for number in range(len(self.gathered)))
        for name in self.form.operands:
            if name.removesuffix(TANGENT) == "input":
                lines.append(f"here = offset({name}s, neighbors[following] + input_at + channel)")
                found = [(_at(m, "channels"), "") for m in range(self.components)]
            elif name.removesuffix(TANGENT) == "weight":
                lines.append(f"here = offset({name}s, weight_rows[following] + channel)")
                found = [(f"weight_at_{_tag(path)}", f"if {_has(path)}:") for path in self.paths]
            else:
                continue
            for (at, condition), place in zip(found, places, strict=False):
                call = f"copy(coming, {place}, here, {at}, by_itself)"
                lines += [condition, f"    {call}"] if condition else [call]
        return lines

    def _read(self) -> list[str]:
        """Read it when the edge's turn has come."""
        lines: list[str] = []
        inputs: dict[str, list[str]] = {}
        for number, (name, there) in enumerate(self.gathered.items()):
            value = f"load(mine, {_at(number, 'threads')}, {there})"
            if "[" in name:
                inputs.setdefault(name.partition("[")[0], []).append(value)
            else:
                lines.append(f"{name} = {value}")
        return [line for name, values in inputs.items() for line in _tuple_lines(name, values)] + lines

    def _call(self, path: Path, at: int) -> list[str]:
        """The call of a path's function, and what is written at once."""
        tag, form = _tag(path), self.form
        names = {
            "output": f"output_{tag}",
            "d_grad": f"d_grad_{tag}",
            "d_filter": f"d_filter_{path.l_filter}",
        }
        results = [names.get(each, each) for each in form.results]
        operands = [each for each in form.operands if each.removesuffix(TANGENT) != "filter"]
        taken = [each if each.removesuffix(TANGENT) == "input" else f"{each}_{tag}" for each in operands]
        running = [each for each in results if each != "d_weight"]
        call = f"{', '.join(results)} = {naming.convolution_module(path)}.{form.name}"
        arguments = [_offset("coupling", at), *taken, *running]
        lines = [f"if {_has(path)}:", *_call_lines(call, arguments, 4)]
        if "d_weight" in form.results:
            lines.append(f"    store(d_weights_here, weight_at_{tag}, d_weight, active)")
        return lines

    def _results_of_edge(self) -> list[str]:
        lines = []
        if "d_input" in self.form.results:
            lines.append("here = offset(d_inputs, edge * d_input_row + input_at + channel)")
            lines += [
                f"put(here, {_at(m, 'channels')}, d_input[{m}], active, adding)"
                for m in range(self.components)
            ]
        if self.totals:
            values = [f"d_filter_{l}[{m}]" for l in self.degrees for m in range(2 * l + 1)]
            where = f"tile * {self.stride} + (at * warps + lane // WARP) * {self.totals}"
            lines.append(f"here = offset(couplings, {where})")
            for begin in range(0, len(values), FOLDED):
                part = values[begin : begin + FOLDED]
                padded = [*part, *[self.zero] * (FOLDED - len(part))]
                lines += _call_lines("total = fold_all", padded, 0)
                where = f"{begin} + place" if begin else "place"
                lines.append(f"store(here, {where}, total, place < {len(part)})")
        return lines

    def _tile_end(self) -> list[str]:
        if not self.totals:
            return []
        lanes = min(1 << (self.totals - 1).bit_length(), WARP)
        lines = [
            "cuda.syncthreads()",
            f"m = thread % {lanes}",
            f"while m < {self.totals}:",
        ]
        for l in self.degrees:
            begin = sum(2 * each + 1 for each in self.degrees if each < l)
            call = f"column = column_of(filter_at_{l}, {f'm - {begin}' if begin else 'm'})"
            lines += [f"    if m >= {begin}:", f"        {call}"] if begin else [f"    {call}"]
        return [
            *lines,
            "    here = offset(d_filters, (d_filter_slot + cuda.blockIdx.y) * d_filter_tile + column)",
            f"    totals = offset(couplings, tile * {self.stride} + m)",
            f"    at = thread // {lanes}",
            "    while at < count and column >= 0:",
            f"        total = total_of(offset(totals, at * warps * {self.totals}), {self.totals}, warps)",
            "        store(here, edges[at] * d_filter_row, total, True)",
            f"        at += threads // {lanes}",
            f"    m += {lanes}",
        ]


def _stride(couplings: int) -> int:
    """An odd number of quadruples: they are read four at a time, and written from banks that differ."""
    quadruples = -(-couplings // 4)
    return 4 * (quadruples + (quadruples % 2 == 0)) if couplings else 0


def _tag(path: Path) -> str:
    return "_".join(map(str, path))


def _has(path: Path) -> str:
    return f"has_{_tag(path)}"


def _kind(name: str) -> str:
    """What an operand or a result is an array of: a number for each channel, or one for all."""
    return "Floats" if "filter" in name else "Channels"


def _at(index: int, step: str) -> str:
    """Where component `index` stands: ``0``, ``channels``, ``2 * channels``."""
    if index == 0:
        return "0"
    return step if index == 1 else f"{index} * {step}"


def _offset(start: str, elements: int) -> str:
    return f"offset({start}, {elements})" if elements else start


def _tuple_lines(name: str, values: Sequence[str]) -> list[str]:
    """``name = (…)``, a value to a line."""
    return [f"{name} = (", *(f"    {value}," for value in values), ")"]


def _call_lines(call: str, arguments: Sequence[str], indent: int) -> list[str]:
    """The call on one line where there is room, else its arguments on as few as hold them."""
    margin, line = " " * indent, f"{call}({', '.join(arguments)})"
    if len(line) + indent + EDGE <= MAX_LINE:
        return [margin + line]
    rows = [""]
    for argument in arguments:
        if rows[-1] and len(rows[-1]) + len(argument) + indent + EDGE + 6 > MAX_LINE:
            rows.append("")
        rows[-1] += f"{' ' if rows[-1] else ''}{argument},"
    return [f"{margin}{call}(", *(f"{margin}    {row}" for row in rows), f"{margin})"]
