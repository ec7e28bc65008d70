"""Add up a sum as its terms become known: none of them has to wait for the others in a register."""

from __future__ import annotations

from collections.abc import Iterator

from tfngen.ir.nodes import ONE, Kernel, Statement, Sum, Term, fresh
from tfngen.ir.passes.rewrite import map_blocks


def chain(kernel: Kernel) -> Kernel:
    """Where several terms of a sum use values of its own block, let each be added by a statement of its own.

    Which of them comes first is left to `schedule`, but the order in which they are added stays.
    """
    taken = set(kernel.names)

    def block(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        made = {statement.name for statement in statements if not statement.accumulate}
        return tuple(part for statement in statements for part in _parts(statement, made, taken))

    return map_blocks(kernel, block)


def _parts(statement: Statement, made: set[str], taken: set[str]) -> Iterator[Statement]:
    terms = statement.value.terms
    waiting = [term for term in terms if not made.isdisjoint(Sum((term,)).symbols())]
    if statement.accumulate or len(waiting) < 2 or len(terms) < 3:
        yield statement
        return
    total: tuple[Term, ...] = ()
    for term in terms[:-1]:
        name = fresh(f"{statement.name}_so_far", taken)
        taken.add(name)
        yield Statement(name, Sum((*total, term)))
        total = (Term(ONE, (name,)),)
    yield statement.with_value(Sum((*total, terms[-1])))
