"""What a kernel is: named sums of products with exact coefficients, in four blocks.

    before     once per edge, ahead of the channels
    node       once per channel, for all edges of a node; of what belongs to the node alone
    body       once per edge and channel
    after      once per edge, when the channels have been summed

There are only two expression nodes. A `Sum` adds `Term`s; a `Term` multiplies an exact coefficient with
factors; a factor is a name or, once a pass has pulled something out of brackets, another `Sum`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from tfngen.symbolic.surd import Surd

ONE = Surd(1, 1, 1)

Factor: TypeAlias = "str | Sum"


@dataclass(frozen=True, slots=True)
class Term:
    """coefficient · factor · factor · …"""

    coefficient: Surd
    factors: tuple[Factor, ...] = ()

    def __neg__(self) -> Term:
        return Term(-self.coefficient, self.factors)

    def __abs__(self) -> Term:
        return Term(abs(self.coefficient), self.factors)


@dataclass(frozen=True, slots=True)
class Sum:
    """term + term + …; empty means zero."""

    terms: tuple[Term, ...]

    def __neg__(self) -> Sum:
        return Sum(tuple(-term for term in self.terms))

    def symbols(self) -> Iterator[str]:
        """Every name that occurs, as often as it occurs, from left to right."""
        for term in self.terms:
            for factor in term.factors:
                if isinstance(factor, str):
                    yield factor
                else:
                    yield from factor.symbols()

    @property
    def is_alias(self) -> bool:
        """Whether this is nothing but another name, possibly negated."""
        if len(self.terms) != 1:
            return False
        (term,) = self.terms
        return abs(term.coefficient) == ONE and len(term.factors) == 1 and isinstance(term.factors[0], str)


def product(*factors: Factor, coefficient: Surd = ONE) -> Sum:
    """The sum of one term."""
    return Sum((Term(coefficient, factors),))


@dataclass(frozen=True, slots=True)
class Statement:
    """`name` = `value`; or, with `accumulate`, `name` += `value` over the channels (starting from zero)."""

    name: str
    value: Sum
    accumulate: bool = False

    def with_value(self, value: Sum) -> Statement:
        return replace(self, value=value)


class Scope(Enum):
    """How often a value exists: once per edge, or once per edge and channel."""

    EDGE = "edge"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Operand:
    """An array the kernel reads or writes, component by component.

    `name` is the singular used for values (``input_x``), `array` the plural used for memory (``inputs``),
    `symbols` the name of each component in storage order.
    """

    name: str
    array: str
    symbols: tuple[str, ...]
    scope: Scope


@dataclass(frozen=True, slots=True)
class Kernel:
    """A straight-line computation from the components of `inputs` to the components of `outputs`.

    `parameters` are irrational constants that no surd expresses (1/√π); they are names like any other.
    """

    name: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    before: tuple[Statement, ...] = ()
    body: tuple[Statement, ...] = ()
    after: tuple[Statement, ...] = ()
    parameters: tuple[str, ...] = ()
    node: tuple[Statement, ...] = ()

    @property
    def blocks(self) -> tuple[tuple[Statement, ...], ...]:
        return self.before, self.node, self.body, self.after

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self.before + self.node + self.body + self.after

    @property
    def edge_symbols(self) -> frozenset[str]:
        """The names whose values are the same for every channel, as far as `body` is concerned."""
        per_edge = (operand for operand in self.inputs if operand.scope is Scope.EDGE)
        given = (symbol for operand in per_edge for symbol in operand.symbols)
        return frozenset((*given, *self.parameters, *(statement.name for statement in self.before)))

    @property
    def output_symbols(self) -> tuple[str, ...]:
        return tuple(symbol for operand in self.outputs for symbol in operand.symbols)

    @property
    def names(self) -> frozenset[str]:
        """Every name in use, so that a pass can invent one that is not."""
        given = (symbol for operand in self.inputs + self.outputs for symbol in operand.symbols)
        return frozenset((*given, *self.parameters, *(statement.name for statement in self.statements)))


def fresh(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or `wanted_2`, `wanted_3`, … when it is already taken."""
    taken = frozenset(taken)
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}_{number}" in taken:
        number += 1
    return f"{wanted}_{number}"
