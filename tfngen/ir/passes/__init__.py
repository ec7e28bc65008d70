"""Passes: each takes a kernel and returns one that computes the same values with no more operations.

Only hoisting may add some, never per channel: it adds up once per edge what the channels gathered.

A strategy is a list of passes. `optimise` tries those that apply, counts what each comes to, and keeps the
cheapest; the report says which one that was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tfngen.ir.cost import cost
from tfngen.ir.nodes import Kernel
from tfngen.ir.passes.alias import merge_equal_values
from tfngen.ir.passes.chain import chain
from tfngen.ir.passes.collect import collect
from tfngen.ir.passes.factor import factor
from tfngen.ir.passes.halve import halve
from tfngen.ir.passes.hoist import hoist, hoist_few_sums
from tfngen.ir.passes.in_turn import in_turn
from tfngen.ir.passes.schedule import schedule
from tfngen.ir.passes.share import share_products, share_sums
from tfngen.ir.passes.simplify import simplify

Pass = Callable[[Kernel], Kernel]

collect_weighted_inputs = collect("input", "input_tangent", "weight", "weight_tangent")

PASSES: tuple[Pass, ...] = (
    hoist,
    hoist_few_sums,
    simplify,
    merge_equal_values,
    share_products,
    factor,
    collect_weighted_inputs,
    share_sums,
    chain,
    schedule,
    halve,
)
"""Every pass there is; the tests hold each one to its promise."""

STRATEGIES: dict[str, tuple[tuple[Pass, ...], ...]] = {
    # Sum every product of coefficient, filter, input and weight, bracketed as well as possible.
    "direct": ((simplify, factor, share_sums),),
    # Multiply each pair of factors once, then combine the pairs: best with few channels.
    "outer": ((simplify, share_products, factor, share_sums),),
    # Contract the coefficients with whatever no channel changes, once per edge.
    "coupling": (
        (hoist, simplify, merge_equal_values, factor, share_sums),
        (hoist, simplify, merge_equal_values, share_products, factor, share_sums),
    ),
}

COUPLED: tuple[Pass, ...] = (hoist_few_sums, simplify, merge_equal_values)
OVER_A_GRAPH: tuple[tuple[Pass, ...], ...] = (
    (factor, share_sums),
    (share_products, factor, share_sums),
    (collect_weighted_inputs, share_sums, share_products, factor),
)
"""What is tried for a kernel over a graph once it is `COUPLED`: couplings serve many edges at once."""

MORE = 1.2
"""How many times the operations of the cheapest form one may have that needs few registers (`in_turn`)."""


@dataclass(frozen=True, slots=True)
class Optimised:
    """A kernel, and the name of the strategy that made it."""

    kernel: Kernel
    strategy: str


def optimise(kernel: Kernel, strategy: str = "auto", channels: int = 32) -> Optimised:
    """The cheapest form of `kernel` at `channels` channels; ties go to the strategy listed first.

    Args:
        kernel: a kernel as `lower` writes it.
        strategy: one of `STRATEGIES`, or ``auto`` for whichever counts fewest operations.
        channels: the number of channels at which operations are compared.

    Raises:
        ValueError: no such strategy.
    """
    if strategy != "auto" and strategy not in STRATEGIES:
        raise ValueError(f"strategy: {strategy!r} is not one; choose from auto, {', '.join(STRATEGIES)}")
    names = tuple(STRATEGIES) if strategy == "auto" else (strategy,)
    candidates = [Optimised(_run(passes, kernel), name) for name in names for passes in STRATEGIES[name]]
    best = min(candidates, key=lambda candidate: cost(candidate.kernel).flops(channels))
    return Optimised(schedule(best.kernel), best.strategy)


def optimise_over_graph(kernel: Kernel) -> Optimised:
    """The form of `kernel` with the fewest operations per channel; what is per edge only settles ties.

    One that contracts for each node keeps long sums in one register each (`chain`), or in two (`halve`).
    """
    coupled = _run(COUPLED, kernel)
    candidates = [_run(passes, coupled) for passes in OVER_A_GRAPH]
    best = min(candidates, key=lambda each: (cost(each).channel.flops, cost(each).edge.flops))
    if kernel.node:
        return Optimised(halve(schedule(chain(best))), "node")
    return Optimised(schedule(best), "coupling")


def optimise_for_registers(kernel: Kernel) -> Optimised:
    """The form of `kernel`, which has nothing but sums over edges, for processors: see `in_turn`."""
    cheapest, turned = optimise_over_graph(kernel), in_turn(_run(COUPLED, kernel))
    if cost(turned).channel.flops > MORE * cost(cheapest.kernel).channel.flops:
        return cheapest
    return Optimised(turned, "in turn")


def _run(passes: tuple[Pass, ...], kernel: Kernel) -> Kernel:
    for each in passes:
        kernel = each(kernel)
    return kernel
