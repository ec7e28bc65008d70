"""Lay out a kernel's statements between its loads and stores, ready to be put into a loop's frame."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tfngen.emit.printer import MAX_LINE, Printer
from tfngen.ir.nodes import Kernel, Operand, Scope, Statement

Access = Callable[[Operand, int, str], str]
"""How a component of an operand is read into, or written from, a name."""

_CALL = re.compile(
    r"\b((?:add|load|store)(?:_scalar|_lanes|_index|_rows)?|write_row|again|bring|fetch|total|zero)\("
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
        return called("\n".join((self.ahead, self.body, self.behind)))


def called(text: str) -> frozenset[str]:
    """The runtime functions that printed lines call."""
    return frozenset(_CALL.findall(text))


def path_blocks(kernel: Kernel, printer: Printer) -> Blocks:
    """The blocks of a path's kernel: one loop over edges around one over channels.

    Values per channel are loaded right before their first use and stored as soon as they exist, so that
    the order `schedule` found is the order the registers see.
    """
    outer, inner = 8, 12
    edge = [operand for operand in kernel.inputs if operand.scope is Scope.EDGE]
    used = frozenset(symbol for statement in kernel.statements for symbol in statement.value.symbols())
    ahead = [_row(operand.name) for operand in edge]
    for operand in edge:
        ahead += [
            f"{symbol} = load_scalar({operand.array}, {component_at(operand.name, index)})"
            for index, symbol in enumerate(operand.symbols)
            if symbol in used
        ]
    if kernel.before:
        ahead.append("# The coupling M[m_I, m_O] = Σ C · filter is the same for every channel.")
    ahead += [printer.statement(statement, outer).lstrip() for statement in kernel.before]
    ahead += [f"{statement.name} = zero()" for statement in kernel.body if statement.accumulate]

    channel = [operand for operand in kernel.inputs if operand.scope is Scope.CHANNEL]
    stored = [operand for operand in kernel.outputs if operand.scope is Scope.CHANNEL]
    body = [f"{_row(short_name(operand))} + channel" for operand in channel + stored]
    body += interleaved(
        kernel.body, kernel.edge_symbols, channel, stored, printer, inner, _load_row, _store_row
    )

    behind = [printer.statement(statement, outer).lstrip() for statement in kernel.after]
    if kernel.after:
        behind.insert(0, "# The coefficients, once, on the moments Σ_c weight · input · grad.")
    for operand in kernel.outputs:
        if operand.scope is Scope.EDGE:
            behind.append(_row("result"))
            behind += [
                f"store_scalar(results, {component_at('result', index)}, total({symbol}))"
                for index, symbol in enumerate(operand.symbols)
            ]
    return Blocks(indented(ahead, outer), indented(body, inner), indented(behind, outer))


def point_blocks(kernel: Kernel, printer: Printer) -> Blocks:
    """The body of a kernel that has a point in every lane, and reads and writes it component by component."""
    loaded = [operand for operand in kernel.inputs if operand.array != "vectors"]
    rows = _Rows(frozenset(symbol for statement in kernel.statements for symbol in statement.value.symbols()))
    body = interleaved(
        kernel.body, kernel.edge_symbols, loaded, list(kernel.outputs), printer, 8, rows.load, rows.store
    )
    return Blocks("", indented(body, 8), "")


def _row(name: str) -> str:
    """``input_at = edge * input_row``: where the row of an operand begins."""
    return f"{name}_at = edge * {name}_row"


def interleaved(
    statements: tuple[Statement, ...],
    edge_symbols: Collection[str],
    inputs: list[Operand],
    outputs: list[Operand],
    printer: Printer,
    indent: int,
    load: Access,
    store: Access,
    again: Collection[str] = (),
) -> list[str]:
    """The body's statements, each value loaded before its first use and stored once it exists.

    Operands named in `again` are loaded again where they are used after something was stored: memory is as
    near as a register that is spilled, and a compiler that cannot know what was stored has to read it.
    """
    loads = {symbol: (operand, at) for operand in inputs for at, symbol in enumerate(operand.symbols)}
    stores = {symbol: (operand, at) for operand in outputs for at, symbol in enumerate(operand.symbols)}
    uniform = set(edge_symbols)  # the same number in every lane, and printed as a single one
    lines: list[str] = []
    loaded: set[str] = set()
    for statement in statements:
        for symbol in dict.fromkeys(statement.value.symbols()):
            if symbol in loads and symbol not in loaded:
                loaded.add(symbol)
                lines += filter(None, [load(*loads[symbol], symbol)])
        lines.append(printer.statement(statement, indent).lstrip())
        is_uniform = bool(statement.value.terms) and uniform.issuperset(statement.value.symbols())
        if is_uniform and statement.name not in stores:
            uniform.add(statement.name)
        if statement.name in stores:
            if is_uniform:
                lines[-1] += " + zero()"
            lines += filter(None, [store(*stores[statement.name], statement.name)])
            loaded = {symbol for symbol in loaded if loads[symbol][0].name not in again}
    return lines


def _load_row(operand: Operand, index: int, symbol: str) -> str:
    at = component_at(operand.name, index, f"{operand.name}_step")
    return f"{symbol} = load({operand.array}, {at}, active)"


def _store_row(operand: Operand, index: int, symbol: str) -> str:
    step = None if operand.symbols == (operand.name,) else "result_step"
    return f"store(results, {component_at('result', index, step)}, {symbol}, active)"


class _Rows:
    """Components of points, read and written side by side: as many as the longest vector has lanes."""

    WIDTH = 16

    def __init__(self, used: Collection[str]) -> None:
        self.used = used
        self.loaded: set[tuple[str, int]] = set()
        self.ready: Counter[tuple[str, int]] = Counter()

    def load(self, operand: Operand, index: int, symbol: str) -> str:
        """The call that reads a component with its neighbours; nothing once it has been read."""
        start, names = self._chunk(operand, index)
        if (operand.array, start) in self.loaded:
            return ""
        self.loaded.add((operand.array, start))
        width = len(operand.symbols)
        targets = tuple(name if name in self.used else "_" for name in names)
        value = f"load_rows({operand.array}, {_at_point(width, start)}, {width}, {len(names)}, active)"
        return with_all("", targets, f" = {value}", indent=8, parentheses=len(targets) == 1)

    def store(self, operand: Operand, index: int, symbol: str) -> str:
        """The call that writes the components, once all of them exist; nothing before."""
        start, names = self._chunk(operand, index)
        self.ready[operand.array, start] += 1
        if self.ready[operand.array, start] < len(names):
            return ""
        width = len(operand.symbols)
        before = f"store_rows({operand.array}, {_at_point(width, start)}, {width}, "
        return with_all(before, names, ", active)", indent=8)

    def _chunk(self, operand: Operand, index: int) -> tuple[int, tuple[str, ...]]:
        start = index // self.WIDTH * self.WIDTH
        return start, operand.symbols[start : start + self.WIDTH]


def with_all(before: str, names: tuple[str, ...], after: str, indent: int, parentheses: bool = True) -> str:
    """A line with the tuple of all `names` in it; five to a line where one is too short."""
    listed = f"{', '.join(names)}{',' * (len(names) == 1)}"
    line = f"{before}({listed}){after}" if parentheses else f"{before}{listed}{after}"
    if len(line) + indent <= MAX_LINE:
        return line
    margin = " " * indent
    rows = "".join(f"\n{margin}    {', '.join(names[at : at + 5])}," for at in range(0, len(names), 5))
    return f"{before}({rows}\n{margin}){after}"


def component_at(name: str, index: int, step: str | None = None) -> str:
    """``input_at + 2 * input_step``, or ``filter_at + 2`` where components lie side by side."""
    if index == 0:
        return f"{name}_at"
    if step is None:
        return f"{name}_at + {index}"
    return f"{name}_at + {step}" if index == 1 else f"{name}_at + {index} * {step}"


def _at_point(width: int, index: int) -> str:
    return f"{width} * point + {index}" if index else f"{width} * point"


def short_name(operand: Operand) -> str:
    """What its values are called in a kernel: ``result`` for whatever the kernel returns."""
    return "result" if operand.array == "results" else operand.name


def indented(lines: list[str], indent: int) -> str:
    """`lines` as a block, `indent` columns in."""
    return "\n".join(" " * indent + line for line in lines)


def path_parameters(kernel: Kernel) -> tuple[str, ...]:
    """Address, row length and component step of each operand, as far as it has them."""
    return tuple(", ".join(_parameters(operand)) for operand in (*kernel.inputs, *kernel.outputs))


def point_parameters(kernel: Kernel) -> tuple[str, ...]:
    """The address of each operand; rows are contiguous."""
    return tuple(operand.array for operand in (*kernel.inputs, *kernel.outputs))


def _parameters(operand: Operand) -> list[str]:
    name = short_name(operand)
    has_step = operand.scope is Scope.CHANNEL and operand.symbols != (operand.name,)
    return [operand.array, f"{name}_row", *([f"{name}_step"] if has_step else [])]
