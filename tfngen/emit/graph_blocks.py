"""Lay out a kernel over a graph.

A kernel that returns nothing but sums over a node's edges computes couplings for a vector of edges at a time,
then goes node, channel, edge and keeps the sums in registers. The others contract what a node holds with the
coefficients, and go node, edge, channel, so that what is summed over channels stays in registers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from tfngen.emit.blocks import indented, interleaved
from tfngen.emit.printer import Printer
from tfngen.forms import FORM, TANGENT, Form, Tile
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term

OUTER, EDGE, INNER = 8, 12, 16
"""Columns before a statement of a vector of edges, of an edge, and of the innermost loop."""
ROOMY = 4
"""Sums, two registers each, that leave some of 16 for couplings."""


@dataclass(frozen=True, slots=True)
class GraphBlocks:
    """The printed pieces of a kernel, as the frames of its template name them.

    Attributes:
        couplings: the coefficients, for a vector of edges.
        ahead: what the node holds, contracted with the coefficients, for a vector of channels.
        start: the sums, beginning at zero, and what is the same for all channels of an edge.
        rows: where the rows of an edge begin.
        body: the statements of the innermost loop.
        finish: what becomes of the sums.
    """

    couplings: str
    ahead: str
    start: str
    rows: str
    body: str
    finish: str

    @property
    def text(self) -> str:
        return "\n".join(getattr(self, each.name) for each in fields(self))

    @property
    def tile(self) -> tuple[tuple[str, str], ...]:
        """The fields of the tile that the pieces use, as they name them and as `Tile` does."""
        always = {"first", "last", "edge_pointers"} | ({"edges"} if self.couplings else set())
        names = ((each.name.lower(), each.name) for each in Tile)
        return tuple(pair for pair in names if pair[0] in always or self.mentions(pair[0]))

    def mentions(self, name: str) -> bool:
        """Whether the pieces, or the frame around them, use `name`."""
        return name == "channels" or name in _identifiers(self.text)


@lru_cache(maxsize=1)
def _identifiers(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


def graph_blocks(kernel: Kernel, printer: Printer) -> GraphBlocks:
    """The pieces of `kernel`, one of `tfngen.forms.FORMS`."""
    form = FORM[kernel.name]
    lay_out = _sums_in_registers if form.sums_only else _edge_by_edge
    return lay_out(kernel, form, printer)


def _sums_in_registers(kernel: Kernel, form: Form, printer: Printer) -> GraphBlocks:
    """Node, channel, edge: each result is a sum that is written once."""
    places = _Places(form)
    (result,) = kernel.outputs
    added, begun = [], set()
    for statement in kernel.body:
        first = statement.name in result.symbols and statement.name not in begun
        begun.add(statement.name)
        so_far = (Term(ONE, (statement.name,)),) if first else ()
        added.append(statement.with_value(Sum((*so_far, *statement.value.terms))))
    rows = [f"{name}_at = {row} + channel" for name, row in _looked_up(form).items()]
    finish = ["node_at = node * node_row + channel"]
    finish += [places.store(result, at, symbol) for at, symbol in enumerate(result.symbols)]
    return GraphBlocks(
        couplings=_couplings(kernel, places, printer),
        ahead="",
        start=indented([f"{symbol} = zero()" for symbol in result.symbols], EDGE),
        rows=indented([*rows, *_asked_for(form), *_coming(kernel, form, places)], INNER),
        body=_body(kernel, added, places, printer),
        finish=indented(finish, EDGE),
    )


def _edge_by_edge(kernel: Kernel, form: Form, printer: Printer) -> GraphBlocks:
    """Node, edge, channel: results per edge are stored, sums over channels finished edge by edge."""
    assert not kernel.before + kernel.after, "what a node holds leaves nothing to be done for an edge alone"
    places, held = _Places(form), _held(kernel)
    read = {symbol for statement in kernel.body for symbol in statement.value.symbols()}
    sums = [operand for operand in kernel.outputs if operand.scope is Scope.EDGE]
    start = [f"{operand.name}_at = edge * {operand.name}_row" for operand in sums]
    start += [
        f"{symbol} = load_lanes({operand.array}, {places.at(operand, at)})"
        for operand in sums
        for at, symbol in enumerate(operand.symbols)
    ]
    start += [
        places.load(operand, at, symbol)
        for operand in kernel.inputs
        if operand.scope is Scope.EDGE
        for at, symbol in enumerate(operand.symbols)
        if symbol in read
    ]
    start += [f"{name}_row = {row}" for name, row in _looked_up(form).items()]
    rows = [f"{name}_at = {name}_row + channel" for name in _looked_up(form)]
    rows += [*_asked_for(form), f"held_at = channel * {len(held.symbols)}"]
    if form.scatters:
        rows.append("d_input_at = edge * d_input_row + channel")
    loaded = [held, *(each for each in kernel.inputs if each.scope is Scope.CHANNEL)]
    stored = [operand for operand in kernel.outputs if operand.scope is Scope.CHANNEL]
    body = interleaved(
        kernel.body,
        kernel.edge_symbols,
        loaded,
        stored,
        printer,
        INNER,
        places.load,
        places.store,
        again=("held", *form.gathered),
    )
    return GraphBlocks(
        couplings="",
        ahead=indented(_contracted(kernel, held, places, printer), EDGE),
        start=indented(start, EDGE),
        rows=indented(rows, INNER),
        body=indented(body, INNER),
        finish=indented(_finished(kernel, places), EDGE),
    )


def _held(kernel: Kernel) -> Operand:
    """What the edges read of what their node holds."""
    read = {symbol for statement in kernel.body for symbol in statement.value.symbols()}
    names = tuple(statement.name for statement in kernel.node if statement.name in read)
    return Operand("held", "held", names, Scope.CHANNEL)


def _contracted(kernel: Kernel, held: Operand, places: _Places, printer: Printer) -> list[str]:
    """The lines that put it where the edges find it."""
    grads = [operand for operand in kernel.inputs if operand.name.removesuffix(TANGENT) == "grad"]
    lines = ["node_at = node * node_row + channel", f"held_at = channel * {len(held.symbols)}"]
    return lines + interleaved(kernel.node, (), grads, [held], printer, EDGE, places.load, places.store)


def _finished(kernel: Kernel, places: _Places) -> list[str]:
    """What becomes of an edge's sums, and of its derivatives by weights."""
    lines = [
        f"store_lanes({operand.array}, {places.at(operand, at)}, {symbol})"
        for operand in kernel.outputs
        if operand.scope is Scope.EDGE
        for at, symbol in enumerate(operand.symbols)
    ]
    if any(operand.name == "d_weight" for operand in kernel.outputs):
        lines.append("write_row(d_weights, load_index(edge_rows, edge), row, channels, writing)")
    return lines


def _looked_up(form: Form) -> dict[str, str]:
    """The rows of an edge that are listed, those of edges to come among them."""
    rows = {"neighbor": "load_index(neighbor_rows, edge)"}
    if _weights(form):
        rows |= {
            "weight": "load_index(weight_rows, edge)",
            "coming_weight": "load_index(weight_rows, edge + AHEAD)",
            "next_weight": "load_index(weight_rows, edge + edges)",
        }
    return rows


def _asked_for(form: Form) -> list[str]:
    """Weights are brought near some edges ahead, and nearer than memory a whole tile ahead."""
    asked = ("bring({}, coming_weight_at)", "fetch({}, next_weight_at)")
    return [call.format(array) for array in _weights(form) for call in asked]


def _weights(form: Form) -> list[str]:
    return [f"{name}s" for name in form.operands if name.removesuffix(TANGENT) == "weight"]


def _coming(kernel: Kernel, form: Form, places: _Places) -> list[str]:
    """Gathered rows, asked for some edges ahead."""
    gathered = [operand for operand in kernel.inputs if operand.name in form.gathered]
    return [
        "coming_at = load_index(neighbor_rows, edge + AHEAD) + channel",
        *(
            f"bring({operand.array}, {places.coming(operand, at)})"
            for operand in gathered
            for at in range(len(operand.symbols))
        ),
    ]


def _couplings(kernel: Kernel, places: _Places, printer: Printer) -> str:
    """What is the same for every channel: loaded, computed and kept for a vector of edges."""
    used = {symbol for statement in kernel.before for symbol in statement.value.symbols()}
    lines = [
        f"{symbol} = load_lanes({operand.array}, {places.at(operand, at)})"
        for operand in kernel.inputs
        if operand.scope is Scope.EDGE
        for at, symbol in enumerate(operand.symbols)
        if symbol in used
    ]
    kept = _kept(kernel)
    for statement in kernel.before:
        lines.append(printer.statement(statement, OUTER).lstrip())
        if statement.name in kept.symbols:
            at = places.at(kept, kept.symbols.index(statement.name))
            lines.append(f"store_lanes(couplings, {at}, {statement.name})")
    return indented(lines, OUTER)


def _kept(kernel: Kernel) -> Operand:
    """The couplings that the innermost loop reads."""
    read = {symbol for statement in kernel.body for symbol in statement.value.symbols()}
    names = tuple(statement.name for statement in kernel.before if statement.name in read)
    return Operand("coupling", "couplings", names, Scope.EDGE)


def _body(kernel: Kernel, statements: Sequence[Statement], places: _Places, printer: Printer) -> str:
    """The innermost loop of a kernel that stores nothing before its sums are whole.

    Where sums need most registers, couplings are read again for each component that is gathered.
    """
    kept, (result,) = _kept(kernel), kernel.outputs
    inputs = [kept, *kernel.inputs]
    loads = {symbol: (operand, at) for operand in inputs for at, symbol in enumerate(operand.symbols)}
    gathered = {s for each in kernel.inputs if each.name in places.form.gathered for s in each.symbols}
    crowded = len(result.symbols) > ROOMY and kept.symbols != ()
    lines: list[str] = []
    loaded: set[str] = set()
    for statement in statements:
        symbols = dict.fromkeys(statement.value.symbols())
        if crowded and not gathered.isdisjoint(symbols):
            lines.append("here = again(edge)")
            places, loaded = replace(places, coupling_at="here"), loaded.difference(kept.symbols)
        for symbol in symbols:
            if symbol in loads and symbol not in loaded:
                loaded.add(symbol)
                lines.append(places.load(*loads[symbol], symbol))
        lines.append(printer.statement(statement, INNER).lstrip())
    return indented(lines, INNER)


@dataclass(frozen=True, slots=True)
class _Places:
    """How the kernel of a form reads and writes the components of its operands."""

    form: Form
    coupling_at: str = "edge"

    def load(self, operand: Operand, index: int, symbol: str) -> str:
        at = self.at(operand, index)
        if operand.scope is Scope.EDGE:
            return f"{symbol} = load_scalar({operand.array}, {at})"
        if operand.name == "held":
            return f"{symbol} = load_lanes(held, {at})"
        return f"{symbol} = load({operand.array}, {at}, active)"

    def store(self, operand: Operand, index: int, symbol: str) -> str:
        """What belongs to the edge is written, what belongs to its node added up."""
        if operand.name == "d_weight":
            return f"store_lanes(row, channel, {symbol})"
        if operand.name == "held":
            return f"store_lanes(held, {self.at(operand, index)}, {symbol})"
        return f"add({operand.array}, {self.at(operand, index)}, {symbol}, active)"

    def at(self, operand: Operand, index: int) -> str:
        """Where component `index` stands: ``neighbor_at + 2 * input_step``."""
        start, step = self._row(operand)
        if index == 0:
            return start
        return f"{start} + {step}" if index == 1 else f"{start} + {index} * {step}"

    def coming(self, operand: Operand, index: int) -> str:
        """Where component `index` of a gathered operand will stand `AHEAD` edges later."""
        return self.at(operand, index).replace("neighbor_at", "coming_at")

    def _row(self, operand: Operand) -> tuple[str, str]:
        slot = operand.name.removesuffix(TANGENT).removeprefix("d_").replace("output", "grad")
        if slot == "coupling":
            return self.coupling_at, "EDGE_STRIDE"
        if operand.name == "d_filter":
            return "d_filter_at", "SLOT"
        if slot == "filter":
            return "filter_at + edge", "EDGE_STRIDE"
        if slot == "held":
            return "held_at", "LANES"
        if slot == "weight":
            return "weight_at", ""
        if operand.name == "d_input" and self.form.scatters:
            return "d_input_at", "input_step"
        return ("neighbor_at" if operand.name in self.form.gathered else "node_at"), f"{slot}_step"
