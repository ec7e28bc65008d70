"""Add up a long sum in two halves, side by side: a multiply-add waits for the one before it."""

from __future__ import annotations

from tfngen.ir.nodes import ONE, Factor, Kernel, Sum, Term
from tfngen.ir.passes.rewrite import map_values

LONG = 8
"""Terms that a processor is done with while it waits for nothing else (docs/performance.md)."""


def halve(kernel: Kernel) -> Kernel:
    """Put the second half of each sum of more than `LONG` terms into a bracket of its own."""
    return map_values(kernel, _halved)


def _halved(value: Sum) -> Sum:
    terms = tuple(Term(each.coefficient, tuple(map(_factor, each.factors))) for each in value.terms)
    if len(terms) <= LONG:
        return Sum(terms)
    middle = (len(terms) + 1) // 2
    return Sum((*terms[:middle], Term(ONE, (Sum(terms[middle:]),))))


def _factor(factor: Factor) -> Factor:
    return factor if isinstance(factor, str) else _halved(factor)
