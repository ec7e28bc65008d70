"""Lay out what one lane of a GPU does for one path: an edge and a channel, everything in registers.

A form (`tfngen.forms`) becomes a function of tuples. What depends on the edge alone, the couplings, another
function computes once for all channels and leaves in shared memory, where this one finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tfngen.emit.blocks import indented, interleaved, with_all
from tfngen.emit.printer import MAX_LINE, Printer
from tfngen.forms import FORM, TANGENT, Form
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term

INDENT = 4


@dataclass(frozen=True, slots=True)
class LaneFunctions:
    """A form of a path as printed functions.

    Attributes:
        name: the form's.
        coupling_name: of the function that computes what an edge's channels have in common; several forms
            may have it in common too.
        couplings: how many values of an edge are kept for its channels.
        coupling_parameters: of the function that computes them.
        coupling_body: its statements, none where nothing is kept.
        parameters: of the function itself.
        body: its statements, the last of which returns.
    """

    name: str
    coupling_name: str
    couplings: int
    coupling_parameters: tuple[str, ...]
    coupling_body: str
    parameters: tuple[str, ...]
    body: str


def lane_functions(kernel: Kernel, printer: Printer) -> LaneFunctions:
    """The functions of `kernel`, one of `tfngen.forms.FORMS`."""
    form = FORM[kernel.name]
    kept = _kept(kernel)
    per_channel = [operand for operand in kernel.inputs if operand.scope is Scope.CHANNEL]
    running = [operand for operand in kernel.outputs if operand.name != "d_weight"]
    return LaneFunctions(
        name=kernel.name,
        coupling_name=f"{kernel.name}_couplings",
        couplings=len(kept.symbols),
        coupling_parameters=(*filter_arrays(form), "couplings"),
        coupling_body=_coupling_body(kernel, kept, printer) if kept.symbols else "",
        parameters=("couplings", *(_taken(each) for each in (*per_channel, *running))),
        body=_body(kernel, kept, per_channel, running, printer),
    )


def sharing(functions: Sequence[LaneFunctions]) -> list[LaneFunctions]:
    """The same, with one coupling function for all forms that keep the same values in the same order."""
    first: dict[tuple[object, ...], str] = {}
    return [
        replace(
            each,
            coupling_name=first.setdefault(
                (each.coupling_parameters, each.coupling_body), each.coupling_name
            ),
        )
        for each in functions
    ]


def filter_arrays(form: Form) -> tuple[str, ...]:
    """The filters that couplings depend on: where the edge's begin."""
    return tuple(f"{name}s" for name in form.operands if name.removesuffix(TANGENT) == "filter")


def _taken(operand: Operand) -> str:
    """``weight``, a number, or ``inputs``, a tuple of them."""
    return operand.name if operand.symbols == (operand.name,) else operand.array


def _kept(kernel: Kernel) -> Operand:
    """The values of an edge that its channels read: couplings, and components of filters as they are."""
    read = {symbol for statement in kernel.body for symbol in statement.value.symbols()}
    plain = (s for operand in kernel.inputs if operand.scope is Scope.EDGE for s in operand.symbols)
    names = (*plain, *(statement.name for statement in kernel.before))
    return Operand("coupling", "couplings", tuple(name for name in names if name in read), Scope.EDGE)


def _coupling_body(kernel: Kernel, kept: Operand, printer: Printer) -> str:
    used = {symbol for statement in kernel.before for symbol in statement.value.symbols()}
    lines = []
    for operand in (each for each in kernel.inputs if each.scope is Scope.EDGE):
        for at, symbol in enumerate(operand.symbols):
            if symbol in used or symbol in kept.symbols:
                lines.append(f"{symbol} = read({operand.array}, {at})")
            if symbol in kept.symbols:
                lines.append(f"couplings[{kept.symbols.index(symbol)}] = {symbol}")
    for statement in kernel.before:
        lines.append(printer.statement(statement, INDENT).lstrip())
        if statement.name in kept.symbols:
            lines.append(f"couplings[{kept.symbols.index(statement.name)}] = {statement.name}")
    return indented(lines, INDENT)


def _body(
    kernel: Kernel, kept: Operand, per_channel: list[Operand], running: list[Operand], printer: Printer
) -> str:
    results = _running(kernel)
    statements = lane_statements(kernel)
    used = {symbol for statement in statements for symbol in statement.value.symbols()} | results
    lines = []
    for operand in (*per_channel, *running):
        if operand.symbols != (operand.name,):
            names = tuple(symbol if symbol in used else "_" for symbol in operand.symbols)
            parentheses = len(names) == 1
            lines.append(with_all("", names, f" = {operand.array}", INDENT, parentheses))
    lines += interleaved(statements, (), [kept], [], printer, INDENT, _load_coupling, _no_store)
    if kernel.outputs[-1].name == "d_weight" and len(kernel.outputs) == 1:
        lines[-1] = lines[-1].replace("d_weight =", "return", 1)
    else:
        lines += _returning(kernel.outputs)
    return indented(lines, INDENT)


def _returning(results: tuple[Operand, ...]) -> list[str]:
    """``return …``: a tuple of each result's components, a number where there is but one of them."""
    parts = [
        operand.name if operand.symbols == (operand.name,) else tuple_of(operand.symbols)
        for operand in results
    ]
    line = f"return {', '.join(parts)}"
    if len(line) + INDENT <= MAX_LINE:
        return [line]
    return ["return (", *(f"    {part}," for part in parts), ")"]


def tuple_of(names: tuple[str, ...]) -> str:
    """``(a, b)``, or ``(a,)``."""
    return f"({', '.join(names)}{',' * (len(names) == 1)})"


def lane_statements(kernel: Kernel) -> tuple[Statement, ...]:
    """What a lane computes for an edge and a channel."""
    results = _running(kernel)
    return tuple(_added(each, results) for each in (*kernel.body, *kernel.after))


def _running(kernel: Kernel) -> set[str]:
    """The results that are added to those of earlier edges and paths."""
    return {symbol for operand in kernel.outputs if operand.name != "d_weight" for symbol in operand.symbols}


def _added(statement: Statement, results: set[str]) -> Statement:
    """A result is added to what it was before; a sum over channels is this channel's part of it."""
    if statement.name not in results:
        return Statement(statement.name, statement.value)
    terms = (Term(ONE, (statement.name,)), *statement.value.terms)
    return Statement(statement.name, Sum(terms))


def _load_coupling(operand: Operand, index: int, symbol: str) -> str:
    return f"{symbol} = {operand.array}[{index}]"


def _no_store(operand: Operand, index: int, symbol: str) -> str:
    raise AssertionError("results stay in registers")
