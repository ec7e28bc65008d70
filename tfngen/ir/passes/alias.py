"""Give equal values one name: where two couplings differ only by sign, one of them is enough."""

from __future__ import annotations

from tfngen.ir.nodes import ONE, Kernel, Statement, Sum, Term
from tfngen.ir.passes.rewrite import map_blocks, substitute
from tfngen.ir.passes.simplify import simplify, simplify_sum


def merge_equal_values(kernel: Kernel) -> Kernel:
    """Drop every statement that repeats an earlier one of its block up to sign; use the earlier name instead.

    The one that stays is written with a positive leading term; its users carry the sign.
    """
    outputs = frozenset(kernel.output_symbols)
    replacements: dict[str, Term] = {}

    def block(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        first: dict[tuple[bool, Sum], str] = {}
        kept: list[Statement] = []
        for statement in statements:
            value = simplify_sum(substitute(statement.value, replacements))
            if statement.name not in outputs and value.terms:
                negative = value.terms[0].coefficient.sign < 0
                value = -value if negative else value
                name = first.setdefault((statement.accumulate, value), statement.name)
                if negative or name != statement.name:
                    replacements[statement.name] = Term(-ONE if negative else ONE, (name,))
                if name != statement.name:
                    continue
            kept.append(statement.with_value(value))
        return tuple(kept)

    return simplify(map_blocks(kernel, block))
