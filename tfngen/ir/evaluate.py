"""Run a kernel over exact numbers: the oracle that judges every pass.

A pass is right when the kernel before it and the kernel after it give the same values, compared with ==,
on inputs from Q[√2, √3, …]. No tolerance is involved, so a wrong sign cannot hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfngen.ir.nodes import Kernel, Scope, Statement, Sum
from tfngen.symbolic.surd import SurdSum

Environment = dict[str, SurdSum]


def evaluate(
    kernel: Kernel,
    edge: Mapping[str, SurdSum],
    channels: Sequence[Mapping[str, SurdSum]] = ({},),
) -> dict[str, list[SurdSum]]:
    """The outputs of `kernel` for one edge.

    Args:
        kernel: any kernel, before or after any pass.
        edge: a value for each per-edge input symbol and each parameter.
        channels: for each channel, a value for each per-channel input symbol.

    Returns:
        For each output symbol its values: one per channel, or a single one when it is per edge.

    Raises:
        KeyError: a statement uses a name before it has a value.
    """
    shared: Environment = dict(edge)
    _run(kernel.before, shared)
    sums: Environment = {s.name: SurdSum() for s in kernel.body if s.accumulate}
    per_channel = [_run_channel(kernel, shared, values, sums) for values in channels]
    shared.update(sums)
    _run(kernel.after, shared)
    return {
        symbol: [each[symbol] for each in (per_channel if operand.scope is Scope.CHANNEL else [shared])]
        for operand in kernel.outputs
        for symbol in operand.symbols
    }


def _run_channel(
    kernel: Kernel, shared: Environment, values: Mapping[str, SurdSum], sums: Environment
) -> Environment:
    """What the names stand for in one channel; what belongs to the node knows of nothing that is per edge."""
    environment = dict(values) | {name: shared[name] for name in kernel.parameters if name in shared}
    _run(kernel.node, environment)
    environment = {**shared, **environment}
    for statement in kernel.body:
        if statement.accumulate:
            sums[statement.name] += _value(statement.value, environment)
        else:
            environment[statement.name] = _value(statement.value, environment)
    return environment


def _run(statements: Sequence[Statement], environment: Environment) -> None:
    for statement in statements:
        environment[statement.name] = _value(statement.value, environment)


def _value(expression: Sum, environment: Environment) -> SurdSum:
    total = SurdSum()
    for term in expression.terms:
        value = SurdSum.from_surd(term.coefficient)
        for factor in term.factors:
            value *= environment[factor] if isinstance(factor, str) else _value(factor, environment)
        total += value
    return total
