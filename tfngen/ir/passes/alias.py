"""Give equal values one name: where two couplings differ only by sign, one of them is enough."""

from __future__ import annotations

from tfngen.ir.nodes import ONE, Kernel, Sum, Term
from tfngen.ir.passes.rewrite import map_statements, map_values, substitute
from tfngen.ir.passes.simplify import simplify


def merge_equal_values(kernel: Kernel) -> Kernel:
    """Drop every statement that repeats an earlier one up to sign, and use the earlier name instead.

    The one that stays is written with a positive leading term; its users carry the sign.
    """
    outputs = frozenset(kernel.output_symbols)
    first: dict[tuple[bool, Sum], str] = {}
    replacements: dict[str, Term] = {}
    flipped: set[str] = set()
    for statement in kernel.statements:
        if statement.name in outputs or not statement.value.terms:
            continue
        negative = statement.value.terms[0].coefficient.sign < 0
        value = -statement.value if negative else statement.value
        name = first.setdefault((statement.accumulate, value), statement.name)
        if negative or name != statement.name:
            replacements[statement.name] = Term(-ONE if negative else ONE, (name,))
        if negative:
            flipped.add(statement.name)
    if not replacements:
        return kernel
    kernel = map_statements(kernel, lambda s: s.with_value(-s.value) if s.name in flipped else s)
    return simplify(map_values(kernel, lambda value: substitute(value, replacements)))
