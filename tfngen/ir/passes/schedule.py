"""Order the statements of each block so that few values are alive at once."""

from __future__ import annotations

from collections import Counter

from tfngen.ir.cost import live_values
from tfngen.ir.nodes import Kernel, Statement
from tfngen.ir.passes.rewrite import map_blocks


def schedule(kernel: Kernel) -> Kernel:
    """List scheduling: of the statements that are ready, always the one that frees most and needs least.

    The order found is kept only where it lowers the count of live values. A kernel that contracts for each
    node reads all but what its own block computes from memory, wherever it is used; that is never alive.
    """

    def block(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        in_memory = kernel.names - {each.name for each in statements} if kernel.node else frozenset()
        ordered = _list_schedule(statements, in_memory)
        fewer = live_values(ordered, in_memory) < live_values(statements, in_memory)
        return ordered if fewer else statements

    return map_blocks(kernel, block)


def _list_schedule(statements: tuple[Statement, ...], in_memory: frozenset[str]) -> tuple[Statement, ...]:
    defined_here = {statement.name for statement in statements if not statement.accumulate}
    needs = [
        tuple(symbol for symbol in dict.fromkeys(statement.value.symbols()) if symbol not in in_memory)
        for statement in statements
    ]
    uses = Counter(symbol for symbols in needs for symbol in symbols)
    users: dict[str, list[int]] = {}
    for at, symbols in enumerate(needs):
        for symbol in symbols:
            users.setdefault(symbol, []).append(at)
    missing = [sum(symbol in defined_here for symbol in symbols) for symbols in needs]
    ready = [at for at, count in enumerate(missing) if count == 0]
    alive: set[str] = set()
    order: list[int] = []

    def pressure(at: int) -> tuple[int, int]:
        """How many more values are alive after statement `at`; ties go to the order written."""
        statement = statements[at]
        loaded = sum(symbol not in alive for symbol in needs[at])
        freed = sum(uses[symbol] == 1 for symbol in needs[at])
        kept = not statement.accumulate and uses[statement.name] > 0
        return loaded - freed + kept, at

    while ready:
        at = min(ready, key=pressure)
        ready.remove(at)
        order.append(at)
        alive.update(needs[at])
        for symbol in needs[at]:
            uses[symbol] -= 1
            if not uses[symbol]:
                alive.discard(symbol)
        name = statements[at].name
        if name in defined_here:
            if uses[name]:
                alive.add(name)
            for user in users.get(name, ()):
                missing[user] -= 1
                if not missing[user]:
                    ready.append(user)
    return tuple(statements[at] for at in order)
