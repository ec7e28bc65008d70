"""What a kernel costs: multiplications, additions, live values and bytes, counted, never guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tfngen.ir.nodes import ONE, Kernel, Scope, Statement, Sum, Term


@dataclass(frozen=True, slots=True)
class Operations:
    """A number of multiplications and additions, subtractions among them.

    A change of sign is none: it turns an addition into a subtraction, or disappears into a constant.
    """

    multiplies: int = 0
    adds: int = 0

    @property
    def flops(self) -> int:
        return self.multiplies + self.adds

    def __add__(self, other: Operations) -> Operations:
        return Operations(self.multiplies + other.multiplies, self.adds + other.adds)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a kernel, split by how often it is paid.

    Attributes:
        edge: operations once per edge.
        node: operations once per node and channel; those of an edge are `edge` and `channel`.
        channel: operations once per edge and channel.
        live: the most values alive at once in the channel loop, a proxy for registers.
        edge_elements: array elements read and written once per edge.
        channel_elements: array elements read and written once per edge and channel.
    """

    edge: Operations
    channel: Operations
    live: int
    edge_elements: int
    channel_elements: int
    node: Operations = Operations()

    def flops(self, channels: int) -> int:
        """Floating-point operations per edge with `channels` channels."""
        return self.edge.flops + channels * self.channel.flops

    def bytes(self, channels: int, itemsize: int) -> int:
        """Bytes moved per edge when each operand is read or written once, `itemsize` bytes an element."""
        return itemsize * (self.edge_elements + channels * self.channel_elements)


def cost(kernel: Kernel) -> Cost:
    """Count `kernel` as it stands."""
    operands = kernel.inputs + kernel.outputs
    return Cost(
        edge=_operations(kernel.before + kernel.after),
        channel=_operations(kernel.body),
        live=live_values(kernel.body),
        edge_elements=sum(len(o.symbols) for o in operands if o.scope is Scope.EDGE),
        channel_elements=sum(len(o.symbols) for o in operands if o.scope is Scope.CHANNEL),
        node=_operations(kernel.node),
    )


def live_values(statements: Iterable[Statement], in_memory: frozenset[str] = frozenset()) -> int:
    """The most values alive at once while `statements` run in order; those `in_memory` never are.

    A value lives from its definition (an operand: from its first use) to its last use; an output is stored
    as soon as it exists. An accumulator lives throughout.
    """
    statements = tuple(statements)
    accumulators = {statement.name for statement in statements if statement.accumulate}
    last_use = {symbol: at for at, statement in enumerate(statements) for symbol in statement.value.symbols()}
    alive: set[str] = set()
    most = len(accumulators)
    for at, statement in enumerate(statements):
        alive.update(symbol for symbol in statement.value.symbols() if symbol not in in_memory)
        if not statement.accumulate:
            alive.add(statement.name)
        most = max(most, len(alive) + len(accumulators))
        alive = {symbol for symbol in alive if last_use.get(symbol, -1) > at}
    return most


def _operations(statements: Iterable[Statement]) -> Operations:
    total = Operations()
    for statement in statements:
        total += sum_operations(statement.value)
        if statement.accumulate:
            total += Operations(adds=1)
    return total


def sum_operations(value: Sum) -> Operations:
    """The operations of one expression: one multiply fewer than factors, one add fewer than terms."""
    total = Operations(adds=max(len(value.terms) - 1, 0))
    for term in value.terms:
        total += _term_operations(term)
    return total


def _term_operations(term: Term) -> Operations:
    factors = len(term.factors) + (abs(term.coefficient) != ONE)
    total = Operations(multiplies=max(factors - 1, 0))
    for factor in term.factors:
        if isinstance(factor, Sum):
            total += sum_operations(factor)
    return total
