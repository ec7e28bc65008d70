"""Lay out a kernel's statements between its loads and stores, ready to be put into a loop's frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tfngen.emit.printer import Printer
from tfngen.ir.nodes import Kernel, Operand, Scope

Access = Callable[[Operand, int, str], str]
"""How a component of an operand is read into, or written from, a name."""

_CALL = re.compile(
    r"\b(add_scalar|load_scalar|store_scalar|load_strided|store_strided|add|load|store|total|zero)\("
)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The printed lines ahead of, inside and behind the inner loop."""

    ahead: str
    body: str
    behind: str

    @property
    def calls(self) -> frozenset[str]:
        """The runtime functions the lines call."""
        return frozenset(_CALL.findall("\n".join((self.ahead, self.body, self.behind))))


@dataclass(frozen=True, slots=True)
class Frame:
    """The loop a path's statements are put into.

    Attributes:
        indent: columns before a statement that runs once per edge.
        rows: for each operand, and for ``result``, the name of the index of its row; ``edge`` if not given.
        accumulates: whether several edges or paths share a row of the result, and so add to it.
    """

    indent: int
    rows: Mapping[str, str] = field(default_factory=dict)
    accumulates: bool = False

    def row(self, name: str) -> str:
        """``input_at = source * input_row``: where the row of an operand begins."""
        return f"{name}_at = {self.rows.get(name, 'edge')} * {name}_row"


EDGES = Frame(indent=8)
"""Every operand and the result have a row per edge."""

NODES = {"input": "source", "grad": "target"}
GRAPH = {
    "output": Frame(12, {**NODES, "result": "target"}, accumulates=True),
    "d_input": Frame(12, {**NODES, "result": "source"}, accumulates=True),
    "d_filter": Frame(12, NODES, accumulates=True),
    "d_weight": Frame(12, NODES),
}
"""Inputs belong to source nodes and grads to target nodes; by the name of the kernel."""


def path_blocks(kernel: Kernel, printer: Printer, frame: Frame = EDGES) -> Blocks:
    """The blocks of a path's kernel: one loop over edges around one over channels.

    Values per channel are loaded right before their first use and stored as soon as they exist, so that
    the order `schedule` found is the order the registers see.
    """
    outer, inner = frame.indent, frame.indent + 4
    edge = [operand for operand in kernel.inputs if operand.scope is Scope.EDGE]
    used = frozenset(symbol for statement in kernel.statements for symbol in statement.value.symbols())
    ahead = [frame.row(operand.name) for operand in edge]
    for operand in edge:
        ahead += [
            f"{symbol} = load_scalar({operand.array}, {_at(operand.name, index)})"
            for index, symbol in enumerate(operand.symbols)
            if symbol in used
        ]
    if kernel.before:
        ahead.append("# The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.")
    ahead += [printer.statement(statement, outer).lstrip() for statement in kernel.before]
    ahead += [f"{statement.name} = zero()" for statement in kernel.body if statement.accumulate]

    channel = [operand for operand in kernel.inputs if operand.scope is Scope.CHANNEL]
    stored = [operand for operand in kernel.outputs if operand.scope is Scope.CHANNEL]
    body = [f"{frame.row(_short(operand))} + channel" for operand in channel + stored]
    store = _add_row if frame.accumulates else _store_row
    body += _interleaved(kernel, channel, stored, printer, inner, _load_row, store)

    behind = [printer.statement(statement, outer).lstrip() for statement in kernel.after]
    if kernel.after:
        behind.insert(0, "# The coefficients, once, on the moments Σ_c weight · input · grad.")
    for operand in kernel.outputs:
        if operand.scope is Scope.EDGE:
            behind.append(frame.row("result"))
            behind += [
                _store_total(_at("result", index), symbol, frame.accumulates)
                for index, symbol in enumerate(operand.symbols)
            ]
    return Blocks(_indented(ahead, outer), _indented(body, inner), _indented(behind, outer))


def point_blocks(kernel: Kernel, printer: Printer) -> Blocks:
    """The body of a kernel that has a point in every lane, and reads and writes it component by component."""
    loaded = [operand for operand in kernel.inputs if operand.array != "vectors"]
    body = _interleaved(kernel, loaded, list(kernel.outputs), printer, 8, _load_point, _store_point)
    return Blocks("", _indented(body, 8), "")


def _interleaved(
    kernel: Kernel,
    inputs: list[Operand],
    outputs: list[Operand],
    printer: Printer,
    indent: int,
    load: Access,
    store: Access,
) -> list[str]:
    loads = {symbol: (operand, at) for operand in inputs for at, symbol in enumerate(operand.symbols)}
    stores = {symbol: (operand, at) for operand in outputs for at, symbol in enumerate(operand.symbols)}
    uniform = set(kernel.edge_symbols)  # the same number in every lane, and printed as a single one
    lines: list[str] = []
    for statement in kernel.body:
        for symbol in dict.fromkeys(statement.value.symbols()):
            if symbol in loads:
                lines.append(load(*loads.pop(symbol), symbol))
        lines.append(printer.statement(statement, indent).lstrip())
        is_uniform = bool(statement.value.terms) and uniform.issuperset(statement.value.symbols())
        if is_uniform and statement.name not in stores:
            uniform.add(statement.name)
        if statement.name in stores:
            if is_uniform:
                lines[-1] += " + zero()"
            lines.append(store(*stores[statement.name], statement.name))
    return lines


def _load_row(operand: Operand, index: int, symbol: str) -> str:
    return f"{symbol} = load({operand.array}, {_at(operand.name, index, f'{operand.name}_step')}, active)"


def _store_row(operand: Operand, index: int, symbol: str) -> str:
    step = None if operand.symbols == (operand.name,) else "result_step"
    return f"store(results, {_at('result', index, step)}, {symbol}, active)"


def _add_row(operand: Operand, index: int, symbol: str) -> str:
    step = None if operand.symbols == (operand.name,) else "result_step"
    return f"add(results, {_at('result', index, step)}, {symbol}, active)"


def _store_total(at: str, symbol: str, accumulates: bool) -> str:
    return f"{'add' if accumulates else 'store'}_scalar(results, {at}, total({symbol}))"


def _load_point(operand: Operand, index: int, symbol: str) -> str:
    width = len(operand.symbols)
    return f"{symbol} = load_strided({operand.array}, {_at_point(width, index)}, {width}, active)"


def _store_point(operand: Operand, index: int, symbol: str) -> str:
    width = len(operand.symbols)
    return f"store_strided({operand.array}, {_at_point(width, index)}, {width}, {symbol}, active)"


def _at(name: str, index: int, step: str | None = None) -> str:
    """``input_at + 2 * input_step``, or ``filter_at + 2`` where components lie side by side."""
    if index == 0:
        return f"{name}_at"
    if step is None:
        return f"{name}_at + {index}"
    return f"{name}_at + {step}" if index == 1 else f"{name}_at + {index} * {step}"


def _at_point(width: int, index: int) -> str:
    return f"{width} * point + {index}" if index else f"{width} * point"


def _short(operand: Operand) -> str:
    return "result" if operand.array == "results" else operand.name


def _indented(lines: list[str], indent: int) -> str:
    return "\n".join(" " * indent + line for line in lines)


def path_parameters(kernel: Kernel) -> tuple[str, ...]:
    """Address, row length and component step of each operand, as far as it has them."""
    return tuple(", ".join(_parameters(operand)) for operand in (*kernel.inputs, *kernel.outputs))


def point_parameters(kernel: Kernel) -> tuple[str, ...]:
    """The address of each operand; rows are contiguous."""
    return tuple(operand.array for operand in (*kernel.inputs, *kernel.outputs))


def _parameters(operand: Operand) -> list[str]:
    name = _short(operand)
    has_step = operand.scope is Scope.CHANNEL and operand.symbols != (operand.name,)
    return [operand.array, f"{name}_row", *([f"{name}_step"] if has_step else [])]
