"""Pull common factors out of sums: a·b + a·c becomes a·(b + c), and √½·b − √½·c becomes √½·(b − c)."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from tfngen.ir.nodes import ONE, Factor, Kernel, Sum, Term
from tfngen.ir.passes.rewrite import map_values
from tfngen.ir.passes.simplify import simplify_sum
from tfngen.symbolic.surd import Surd

Common: TypeAlias = "Surd | Factor"
"""Something several terms may share: the size of a coefficient, or a factor."""


def factor(kernel: Kernel) -> Kernel:
    """Bracket every sum, taking the most widely shared factor first, until no two terms share one."""
    return map_values(kernel, _factored)


def _factored(value: Sum) -> Sum:
    """Each round saves a multiplication, or is the last; a bracket pulled open can show the next one."""
    while (smaller := simplify_sum(_factor_sum(value))) != value:
        value = smaller
    return value


def _factor_sum(value: Sum) -> Sum:
    terms = tuple(
        Term(term.coefficient, tuple(_factor_sum(f) if isinstance(f, Sum) else f for f in term.factors))
        for term in value.terms
    )
    shared = _most_shared(terms)
    if shared is None:
        return Sum(terms)
    inside = [_divided(term, shared) for term in terms if shared in _commons(term)]
    outside = tuple(term for term in terms if shared not in _commons(term))
    bracket = _factor_sum(Sum(tuple(inside)))
    pulled = Term(shared, (bracket,)) if isinstance(shared, Surd) else Term(ONE, (shared, bracket))
    return Sum((pulled, *_factor_sum(Sum(outside)).terms))


def _most_shared(terms: tuple[Term, ...]) -> Common | None:
    """What the most terms have in common, the first met among equals; None when nothing is shared."""
    counts = Counter(common for term in terms for common in dict.fromkeys(_commons(term)))
    best = max(counts, key=lambda common: counts[common], default=None)
    return best if best is not None and counts[best] > 1 else None


def _commons(term: Term) -> tuple[Common, ...]:
    """What could be pulled out of `term` and leave something behind."""
    coefficient = abs(term.coefficient)
    if coefficient == ONE:
        return term.factors if len(term.factors) > 1 else ()
    return (*term.factors, coefficient) if term.factors else ()


def _divided(term: Term, common: Common) -> Term:
    """`term` without one occurrence of `common`."""
    if isinstance(common, Surd):
        return Term(ONE if term.coefficient.sign > 0 else -ONE, term.factors)
    at = term.factors.index(common)
    return Term(term.coefficient, term.factors[:at] + term.factors[at + 1 :])
