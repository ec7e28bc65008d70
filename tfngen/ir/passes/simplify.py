"""Tidy up: brackets around one term, products of constants, equal terms, names for numbers, dead code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tfngen.ir.nodes import ONE, Factor, Kernel, Statement, Sum, Term
from tfngen.ir.passes.rewrite import map_blocks, map_statements, map_values, substitute
from tfngen.symbolic.surd import Surd, SurdSum


def simplify(kernel: Kernel) -> Kernel:
    """The same kernel with nothing in it that computes nothing."""
    kernel = _with_constants_inlined(map_values(kernel, simplify_sum))
    return _without_dead_code(_with_outputs_named(kernel))


def simplify_sum(value: Sum) -> Sum:
    """Remove brackets around single terms, move signs out of brackets, merge equal terms, drop zeros."""
    coefficients: dict[tuple[Factor, ...], list[Surd]] = {}
    for term in map(_simplify_term, value.terms):
        if term.coefficient:
            coefficients.setdefault(term.factors, []).append(term.coefficient)
    return Sum(tuple(Term(c, factors) for factors, each in coefficients.items() for c in _added(each)))


def _added(coefficients: list[Surd]) -> list[Surd]:
    """Surds with the same sum, as few as there can be: √2 + √8 is one, √2 + √3 stay two."""
    if len(coefficients) == 1:
        return coefficients
    total = sum(map(SurdSum.from_surd, coefficients), start=SurdSum())
    return [Surd.sqrt(radicand) * multiple for radicand, multiple in total.terms]


def _simplify_term(term: Term) -> Term:
    coefficient = term.coefficient
    factors: list[Factor] = []
    for factor in term.factors:
        if isinstance(factor, str):
            factors.append(factor)
            continue
        inner = simplify_sum(factor)
        if not inner.terms:
            return Term(coefficient * 0)
        if len(inner.terms) == 1:
            coefficient = coefficient * inner.terms[0].coefficient
            factors.extend(inner.terms[0].factors)
            continue
        if all(each.coefficient.sign < 0 for each in inner.terms):
            coefficient, inner = -coefficient, -inner
        factors.append(inner)
    return Term(coefficient, tuple(factors))


def _with_constants_inlined(kernel: Kernel) -> Kernel:
    """Replace each name whose value is just a number by that number; outputs keep their statements too."""
    outputs = frozenset(kernel.output_symbols)
    parameters = frozenset(kernel.parameters)
    constants = {
        statement.name: constant
        for statement in kernel.before + kernel.node + kernel.body
        if not statement.accumulate and (constant := _constant(statement.value, parameters)) is not None
    }
    if not constants:
        return kernel
    inlined = map_values(kernel, lambda value: simplify_sum(substitute(value, constants)))
    if constants.keys() <= outputs:
        return inlined
    return _with_constants_inlined(
        _filtered(inlined, lambda statement: statement.name in outputs or statement.name not in constants)
    )


def _constant(value: Sum, parameters: frozenset[str]) -> Term | None:
    """`value` as a single number, if it is a surd or a parameter: a product would be paid at every use."""
    if not value.terms:
        return Term(ONE * 0)
    (first, *others) = value.terms
    is_parameter = value.is_alias and parameters.issuperset(value.symbols())
    return first if not others and (not first.factors or is_parameter) else None


def _with_outputs_named(kernel: Kernel) -> Kernel:
    """Where an output is another value by a second name, compute it under the output's name.

    Both must be of one block: a value made ahead of the loop is not stored for every channel.
    """
    outputs = frozenset(kernel.output_symbols)
    renamed: dict[str, str] = {}
    for block in kernel.blocks:
        plain = {statement.name for statement in block if not statement.accumulate} - outputs
        for statement in block:
            if statement.name in outputs and not statement.accumulate and statement.value.is_alias:
                (term,) = statement.value.terms
                (name,) = term.factors
                if isinstance(name, str) and name in plain and term.coefficient == ONE:
                    renamed.setdefault(name, statement.name)
    if not renamed:
        return kernel
    terms = {name: Term(ONE, (output,)) for name, output in renamed.items()}
    aliases = frozenset(renamed.values())
    kernel = map_values(
        _filtered(kernel, lambda statement: statement.name not in aliases),
        lambda value: substitute(value, terms),
    )
    kernel = map_statements(kernel, lambda s: replace(s, name=renamed.get(s.name, s.name)))
    return _with_outputs_named(kernel)  # what it was a second name of may have been one, too


def _without_dead_code(kernel: Kernel) -> Kernel:
    """Drop statements whose value nobody uses."""
    outputs = frozenset(kernel.output_symbols)
    while True:
        needed = outputs.union(*(statement.value.symbols() for statement in kernel.statements))
        smaller = _filtered(kernel, partial(_is_named_in, needed))
        if smaller == kernel:
            return kernel
        kernel = smaller


def _is_named_in(names: frozenset[str], statement: Statement) -> bool:
    return statement.name in names


def _filtered(kernel: Kernel, keep: Callable[[Statement], bool]) -> Kernel:
    return map_blocks(kernel, lambda block: tuple(filter(keep, block)))
