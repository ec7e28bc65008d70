"""Lay out a kernel of rows in lanes: one loop over channels of filters around one over their partners."""

from __future__ import annotations

from tfngen.emit.blocks import Blocks, indented, interleaved
from tfngen.emit.printer import Printer
from tfngen.ir.nodes import Kernel, Operand, Scope

OUTER, INNER = 8, 12
"""Columns before a statement of a channel of filters, and of one of its partners."""


def row_blocks(kernel: Kernel, printer: Printer, into: str = "add_lanes") -> Blocks:
    """The blocks of `kernel`, one of a path's `row_kernels`: every name is a vector, a row in each lane.

    Args:
        kernel: what to print.
        printer: remembers the constants.
        into: what becomes of results, ``add_lanes`` or ``store_lanes``.
    """

    def write(operand: Operand, index: int, symbol: str) -> str:
        return f"{into}({operand.name}s, {_at(operand, index)}, {symbol})"

    filters = [operand for operand in kernel.inputs if operand.scope is Scope.EDGE]
    used = {symbol for statement in kernel.statements for symbol in statement.value.symbols()}
    ahead = [f"filter_at = channel * {_slot(operand)}_step" for operand in _of_channel(kernel)]
    ahead += [
        _load(operand, at, symbol)
        for operand in filters
        for at, symbol in enumerate(operand.symbols)
        if symbol in used
    ]
    if kernel.before:
        ahead.append("# The coupling M[m_I, m_O] = Σ C · filter is the same for all partners.")
    ahead += [printer.statement(statement, OUTER).lstrip() for statement in kernel.before]
    ahead += [f"{statement.name} = zero()" for statement in kernel.body if statement.accumulate]

    partners = [operand for operand in kernel.inputs if operand.scope is Scope.CHANNEL]
    stored = [operand for operand in kernel.outputs if operand.scope is Scope.CHANNEL]
    body = [
        f"{slot}_at = channel * {slot}_step + partner * {slot}_partner"
        for slot in map(_slot, partners + stored)
    ]
    body += interleaved(kernel.body, (), partners, stored, printer, INNER, _load, write)

    behind = [printer.statement(statement, OUTER).lstrip() for statement in kernel.after]
    if kernel.after:
        behind.insert(0, "# The coefficients, once, on what was summed over partners.")
    for operand in kernel.outputs:
        if operand.scope is Scope.EDGE:
            behind += [write(operand, at, symbol) for at, symbol in enumerate(operand.symbols)]
    return Blocks(indented(ahead, OUTER), indented(body, INNER), indented(behind, OUTER))


def row_arrays(kernel: Kernel) -> str:
    """The arrays it reads, and the one it adds to."""
    names = [operand.array for operand in kernel.inputs]
    return ", ".join((*names, *(f"{operand.name}s" for operand in kernel.outputs)))


def _of_channel(kernel: Kernel) -> list[Operand]:
    return [operand for operand in (*kernel.inputs, *kernel.outputs) if operand.scope is Scope.EDGE]


def _slot(operand: Operand) -> str:
    return operand.name.removeprefix("d_").replace("output", "grad")


def _at(operand: Operand, index: int) -> str:
    start = f"{_slot(operand)}_at"
    if index == 0:
        return start
    return f"{start} + LANES" if index == 1 else f"{start} + {index} * LANES"


def _load(operand: Operand, index: int, symbol: str) -> str:
    return f"{symbol} = load_lanes({operand.array}, {_at(operand, index)})"
