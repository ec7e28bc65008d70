"""Read what an edge gathers once, one component after another, and add it to every sum it is part of.

Written sum by sum, a kernel holds all components of its input until the last sum is done. Component by
component it needs none but the one at hand, and its registers are left to the sums:

    weighted_input_x = weight · input_x
    output_y = output_y + coupling_x_y · weighted_input_x
    output_z = output_z + coupling_x_z · weighted_input_x
    weighted_input_y = …
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tfngen.ir.nodes import ONE, Kernel, Scope, Statement, Sum, Term, fresh

FEW = 3
"""Sums of an edge that find registers beside those of its node; weights come last then, one multiplication
for each."""
MANY = 6
"""Sums that find registers, two each, beside a component, where there are 16. Others would wait in memory
from one component to the next: they are added up behind all components, which wait there instead."""


def in_turn(kernel: Kernel) -> Kernel:
    """`kernel`, whose one result is summed over edges, in the order of what the edges gather.

    Names are given several times here, a sum's so far to the next. There may be some more multiplications: by
    the weight, where there are more components of the input than sums.

    Args:
        kernel: its couplings made (`hoist`), each term of a sum a product of names.
    """
    (result,) = kernel.outputs
    values = {statement.name: statement.value for statement in kernel.body}
    shared = [statement for statement in kernel.body if statement.name not in result.symbols]
    terms = [(name, term) for name in result.symbols for term in values[name].terms]
    wanted = list(dict.fromkeys(name for name, _ in terms))
    gathered = _gathered(kernel)
    turned = _Sums(set(kernel.names))
    if not shared and len(wanted) <= min(FEW, len(gathered)):
        unweighted = [(turned.of_edge(name), _without_weight(term)) for name, term in terms]
        turned.add_in_turn(gathered, unweighted)
        for name in wanted:
            turned.add(name, Term(ONE, ("weight", turned.of_edge(name))))
    else:
        if not shared:
            shared, terms = _weighted(gathered, terms)
        first = wanted[:MANY]
        for statement in shared:
            turned.body.append(statement)
            turned.add_in_turn([statement.name], [each for each in terms if each[0] in first])
        for name in wanted[MANY:]:
            turned.add_all(turned.of_edge(name), [term for each, term in terms if each == name])
            turned.add(name, Term(ONE, (turned.of_edge(name),)))
    nothing = [Statement(name, Sum(())) for name in result.symbols if name not in wanted]
    return replace(kernel, body=(*turned.body, *nothing))


@dataclass(slots=True)
class _Sums:
    """Statements that add up sums, term by term."""

    taken: set[str]
    body: list[Statement] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)

    def of_edge(self, name: str) -> str:
        """What an edge's part of the sum `name` is called."""
        if name not in self.names:
            self.names[name] = fresh(f"sum_{name.rpartition('_')[2]}", self.taken)
            self.taken.add(self.names[name])
        return self.names[name]

    def add(self, name: str, term: Term) -> None:
        so_far = (Term(ONE, (name,)),) if name in self.begun else ()
        self.begun.add(name)
        self.body.append(Statement(name, Sum((*so_far, term))))

    def add_all(self, name: str, terms: Iterable[Term]) -> None:
        for term in terms:
            self.add(name, term)

    def add_in_turn(self, factors: Iterable[str], terms: list[tuple[str, Term]]) -> None:
        """Add the terms that have the first factor, to whichever sums, then those that have the next."""
        for factor in factors:
            for name, term in terms:
                if factor in term.factors:
                    self.add(name, term)


def _gathered(kernel: Kernel) -> list[str]:
    """The components that a weight belongs to."""
    given = (each for each in kernel.inputs if each.scope is Scope.CHANNEL and each.symbols != (each.name,))
    return [symbol for operand in given for symbol in operand.symbols]


def _without_weight(term: Term) -> Term:
    return Term(term.coefficient, tuple(factor for factor in term.factors if factor != "weight"))


def _weighted(
    gathered: list[str], terms: list[tuple[str, Term]]
) -> tuple[list[Statement], list[tuple[str, Term]]]:
    """Each component times the weight, and the terms with those instead."""
    used = {factor for _, term in terms for factor in term.factors}
    names = {symbol: f"weighted_{symbol}" for symbol in gathered if symbol in used}
    products = [Statement(name, Sum((Term(ONE, ("weight", symbol)),))) for symbol, name in names.items()]
    changed = []
    for name, term in terms:
        factors = tuple(names.get(str(factor), factor) for factor in _without_weight(term).factors)
        changed.append((name, Term(term.coefficient, factors)))
    return products, changed
