"""What every pass needs: walking expressions, replacing names, putting statements back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tfngen.ir.nodes import Kernel, Statement, Sum, Term


def map_statements(kernel: Kernel, rewrite: Callable[[Statement], Statement]) -> Kernel:
    """`kernel` with every statement rewritten."""
    return map_blocks(kernel, lambda block: tuple(map(rewrite, block)))


def map_values(kernel: Kernel, rewrite: Callable[[Sum], Sum]) -> Kernel:
    """`kernel` with every statement's value rewritten."""
    return map_statements(kernel, lambda statement: statement.with_value(rewrite(statement.value)))


def map_blocks(kernel: Kernel, rewrite: Callable[[tuple[Statement, ...]], tuple[Statement, ...]]) -> Kernel:
    """`kernel` with every block rewritten on its own."""
    return replace(
        kernel,
        before=rewrite(kernel.before),
        node=rewrite(kernel.node),
        body=rewrite(kernel.body),
        after=rewrite(kernel.after),
    )


def substitute(value: Sum, replacements: Mapping[str, Term]) -> Sum:
    """`value` with each name in `replacements` multiplied out as that term."""
    if replacements.keys().isdisjoint(value.symbols()):
        return value
    return Sum(tuple(_substitute_term(term, replacements) for term in value.terms))


def _substitute_term(term: Term, replacements: Mapping[str, Term]) -> Term:
    result = Term(term.coefficient)
    for factor in term.factors:
        if isinstance(factor, Sum):
            result = Term(result.coefficient, (*result.factors, substitute(factor, replacements)))
        elif factor in replacements:
            new = replacements[factor]
            result = Term(result.coefficient * new.coefficient, result.factors + new.factors)
        else:
            result = Term(result.coefficient, (*result.factors, factor))
    return result


def define_before_use(block: tuple[Statement, ...], new: list[Statement]) -> tuple[Statement, ...]:
    """`block` with each of the `new` statements placed right before the first one that uses it."""
    waiting = {statement.name: statement for statement in new}
    placed: list[Statement] = []

    def place(statement: Statement) -> None:
        for symbol in statement.value.symbols():
            if symbol in waiting:
                place(waiting.pop(symbol))
        placed.append(statement)

    for statement in block:
        place(statement)
    return tuple(placed)
