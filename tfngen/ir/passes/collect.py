"""Bracket what multiplies one component of an operand: Σ M · weight · grad becomes weight · Σ M · grad."""

from __future__ import annotations

from collections.abc import Callable

from tfngen.ir.nodes import ONE, Kernel, Sum, Term
from tfngen.ir.passes.rewrite import map_blocks


def collect(*operands: str) -> Callable[[Kernel], Kernel]:
    """A pass that brackets each sum of the body by the components of the named operands.

    Where two kernels' worth of results come from one kernel, this makes equal brackets of what they have in
    common, which `share_sums` then computes once.
    """

    def run(kernel: Kernel) -> Kernel:
        given = (operand for operand in kernel.inputs if operand.name in operands)
        symbols = frozenset(symbol for operand in given for symbol in operand.symbols)

        def bracketed(value: Sum) -> Sum:
            groups: dict[str | None, list[Term]] = {}
            for term in value.terms:
                key = next((f for f in term.factors if isinstance(f, str) and f in symbols), None)
                groups.setdefault(key, []).append(term)
            return Sum(tuple(new for key, terms in groups.items() for new in _pulled_out(key, terms)))

        return map_blocks(
            kernel,
            lambda block: tuple(s.with_value(bracketed(s.value)) for s in block),
        )

    return run


def _pulled_out(symbol: str | None, terms: list[Term]) -> list[Term]:
    """`terms` as one bracket behind `symbol`, where all have that factor and one of several has others."""
    if symbol is None or len(terms) == 1 or all(abs(term) == Term(ONE, (symbol,)) for term in terms):
        return terms
    inside = []
    for term in terms:
        at = term.factors.index(symbol)
        inside.append(Term(term.coefficient, term.factors[:at] + term.factors[at + 1 :]))
    return [Term(ONE, (symbol, Sum(tuple(inside))))]
