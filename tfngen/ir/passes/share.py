"""Compute a repeated product or a repeated bracket once, under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from tfngen.ir.nodes import ONE, Kernel, Statement, Sum, Term, fresh
from tfngen.ir.passes.rewrite import define_before_use, map_blocks
from tfngen.symbolic.surd import Surd

Pair: TypeAlias = "tuple[Surd | str, str]"
"""Two things multiplied in several places: two names, or the size of a coefficient and a name."""


def share_products(kernel: Kernel) -> Kernel:
    """Name the most frequent product of two, again and again, until none occurs twice in a block."""
    taken = set(kernel.names)
    return map_blocks(kernel, lambda block: _share_products(block, taken))


def _share_products(block: tuple[Statement, ...], taken: set[str]) -> tuple[Statement, ...]:
    statements = list(block)
    counts = [Counter(_pairs_in(statement.value)) for statement in statements]
    total: Counter[Pair] = Counter()
    for each in counts:
        total.update(each)
    while total:
        pair = max(total, key=total.__getitem__)
        if total[pair] < 2:
            break
        left, right = pair
        name = _name(left, right, taken)
        taken.add(name)
        for at, statement in enumerate(statements):
            if counts[at][pair]:
                statements[at] = statement.with_value(_replace_pair(statement.value, pair, name))
                total.subtract(counts[at])
                counts[at] = Counter(_pairs_in(statements[at].value))
                total.update(counts[at])
        term = Term(left, (right,)) if isinstance(left, Surd) else Term(ONE, (left, right))
        statements.append(Statement(name, Sum((term,))))
        counts.append(Counter(_pairs_in(statements[-1].value)))
        total.update(counts[-1])
    return define_before_use(tuple(statements[: len(block)]), statements[len(block) :])


def _name(left: Surd | str, right: str, taken: set[str]) -> str:
    if isinstance(left, Surd):
        return fresh(f"scaled_{right}", taken)
    if "weight" in (left, right):
        return fresh(f"weighted_{left if right == 'weight' else right}", taken)
    return fresh(f"{left}_{right}" if left != right else f"{left}_squared", taken)


def _pairs_in(value: Sum) -> Iterator[Pair]:
    """Every pair in every term, brackets included; a pair that occurs twice in a term counts once."""
    for term in value.terms:
        names = [factor for factor in term.factors if isinstance(factor, str)]
        yield from dict.fromkeys(
            (left, right) if left <= right else (right, left)
            for at, left in enumerate(names)
            for right in names[at + 1 :]
        )
        if abs(term.coefficient) != ONE and len(term.factors) > 0:
            yield from ((abs(term.coefficient), name) for name in dict.fromkeys(names))
        for factor in term.factors:
            if isinstance(factor, Sum):
                yield from _pairs_in(factor)


def _replace_pair(value: Sum, pair: Pair, name: str) -> Sum:
    return Sum(tuple(_replace_in_term(term, pair, name) for term in value.terms))


def _replace_in_term(term: Term, pair: Pair, name: str) -> Term:
    factors = [_replace_pair(f, pair, name) if isinstance(f, Sum) else f for f in term.factors]
    left, right = pair
    if isinstance(left, Surd):
        if abs(term.coefficient) == left and right in factors:
            factors[factors.index(right)] = name
            return Term(ONE if term.coefficient.sign > 0 else -ONE, tuple(factors))
    elif left in factors and right in factors and (left != right or factors.count(left) > 1):
        factors.remove(left)
        factors[factors.index(right)] = name
    return Term(term.coefficient, tuple(factors))


def share_sums(kernel: Kernel) -> Kernel:
    """Name each bracket that occurs more than once in a block, up to sign; outermost first."""
    taken = set(kernel.names)

    def block(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        new: list[Statement] = []
        while True:
            counts = Counter(
                _positive(bracket) for s in (*statements, *new) for bracket in _brackets(s.value)
            )
            repeated = next((bracket for bracket, count in counts.items() if count > 1), None)
            if repeated is None:
                return define_before_use(statements, new)
            name = fresh("sum_" + next(iter(repeated.symbols()), "of_constants"), taken)
            taken.add(name)
            statements = tuple(s.with_value(_replace_bracket(s.value, repeated, name)) for s in statements)
            new = [s.with_value(_replace_bracket(s.value, repeated, name)) for s in new]
            new.append(Statement(name, repeated))

    return map_blocks(kernel, block)


def _brackets(value: Sum) -> Iterator[Sum]:
    for term in value.terms:
        for factor in term.factors:
            if isinstance(factor, Sum):
                yield factor
                yield from _brackets(factor)


def _positive(bracket: Sum) -> Sum:
    return -bracket if bracket.terms and bracket.terms[0].coefficient.sign < 0 else bracket


def _replace_bracket(value: Sum, bracket: Sum, name: str) -> Sum:
    def rewrite(term: Term) -> Term:
        result = Term(term.coefficient)
        for factor in term.factors:
            if not isinstance(factor, Sum):
                result = Term(result.coefficient, (*result.factors, factor))
            elif factor == bracket:
                result = Term(result.coefficient, (*result.factors, name))
            elif -factor == bracket:
                result = Term(-result.coefficient, (*result.factors, name))
            else:
                inner = _replace_bracket(factor, bracket, name)
                result = Term(result.coefficient, (*result.factors, inner))
        return result

    return Sum(tuple(map(rewrite, value.terms)))
