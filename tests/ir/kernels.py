"""Random kernels and exact random inputs: what the passes, the cost and the printer are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random

from tfngen.ir.evaluate import evaluate
from tfngen.ir.nodes import ONE, Factor, Kernel, Operand, Scope, Statement, Sum, Term, product
from tfngen.symbolic.surd import Surd, SurdSum

FILTER = Operand("filter", "filters", ("filter_x", "filter_y", "filter_z"), Scope.EDGE)
INPUT = Operand("input", "inputs", ("input_x", "input_y", "input_z"), Scope.CHANNEL)
WEIGHT = Operand("weight", "weights", ("weight",), Scope.CHANNEL)
PARAMETER = "INVERSE_SQRT_PI"

ZERO = Surd(0, 0, 1)
COEFFICIENTS = (
    ONE,
    -ONE,
    Surd(1, 2),
    -Surd(1, 2),
    Surd(1, 3),
    Surd(1, 1, 4),
    -Surd(1, 3, 2),
    Surd(1, 4),
    ZERO,
)


def random_kernel(random: Random) -> Kernel:
    """A kernel as varied as the IR allows.

    All four blocks, outputs per edge and per channel, accumulators that are outputs and accumulators that
    only `after` reads; second names, brackets in brackets, terms that repeat or cancel, sums of nothing.
    """
    per_edge = [*FILTER.symbols, PARAMETER]
    values: list[Sum] = []  # what earlier statements were given, to be given again

    def value(symbols: Sequence[str]) -> Sum:
        if random.random() < 0.15:
            return product(random.choice(symbols), coefficient=random.choice((ONE, -ONE)))
        known = [each for each in values if {*symbols}.issuperset(each.symbols())]
        if known and random.random() < 0.25:
            return random.choice((random.choice(known), -random.choice(known)))
        values.append(random_sum(random, symbols))
        return values[-1]

    before = []
    for number in range(random.randint(0, 3)):
        name = f"shared_{number}"
        before.append(Statement(name, value(per_edge)))
        per_edge.append(name)

    node, per_channel = [], [PARAMETER, *INPUT.symbols, *WEIGHT.symbols]
    for number in range(random.randint(0, 3)):
        name = f"held_{number}"
        node.append(Statement(name, value(per_channel)))
        per_channel.append(name)

    known = [*per_edge, *(each for each in per_channel if each != PARAMETER)]
    body, accumulators, results = [], [], []
    for number in range(random.randint(1, 6)):
        kind = random.choice(("value", "accumulator", "output", "summed output"))
        accumulate = kind in ("accumulator", "summed output")
        name = f"{kind.replace(' ', '_')}_{number}"
        body.append(Statement(name, value(known), accumulate))
        if accumulate:
            accumulators.append(name)
        else:
            known.append(name)
        if "output" in kind:
            results.append((name, Scope.EDGE if accumulate else Scope.CHANNEL))

    after, known = [], [*per_edge, *accumulators]
    for number in range(random.randint(0, 2)):
        name = f"combined_{number}"
        after.append(Statement(name, value(known)))
        known.append(name)
        results.append((name, Scope.EDGE))

    outputs = tuple(Operand(name, f"{name}s", (name,), scope) for name, scope in results)
    inputs = (FILTER, INPUT, WEIGHT)
    return Kernel(
        "random", inputs, outputs, tuple(before), tuple(body), tuple(after), (PARAMETER,), tuple(node)
    )


def random_sum(random: Random, symbols: Sequence[str], depth: int = 2) -> Sum:
    """Up to four terms over few of the symbols, so that factors, terms and brackets repeat."""
    few = [random.choice(symbols) for _ in range(random.randint(1, 4))]
    terms: list[Term] = []
    for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4))):
        if terms and random.random() < 0.25:
            earlier = random.choice(terms)
            terms.append(Term(random.choice((earlier.coefficient, -earlier.coefficient)), earlier.factors))
        else:
            factors = tuple(_random_factor(random, few, depth, terms) for _ in range(random.randint(0, 3)))
            terms.append(Term(random.choice(COEFFICIENTS), factors))
    return Sum(tuple(terms))


def _random_factor(random: Random, symbols: Sequence[str], depth: int, terms: Sequence[Term]) -> Factor:
    if depth == 0 or random.random() < 0.75:
        return random.choice(symbols)
    brackets = [factor for term in terms for factor in term.factors if isinstance(factor, Sum)]
    if brackets and random.random() < 0.5:
        return random.choice((brackets[0], -brackets[0]))
    return random_sum(random, symbols, depth - 1)


def random_number(random: Random) -> SurdSum:
    """a + b√2 + c√3 with small rationals."""
    return SurdSum({d: Fraction(random.randint(-5, 5), random.randint(1, 4)) for d in (1, 2, 3)})


Inputs = tuple[dict[str, SurdSum], list[dict[str, SurdSum]]]
"""(values once per edge, values for each channel)"""


def random_inputs(kernel: Kernel, random: Random, channels: int) -> Inputs:
    """An exact number for every input component and every parameter."""

    def symbols(scope: Scope) -> list[str]:
        return [symbol for operand in kernel.inputs if operand.scope is scope for symbol in operand.symbols]

    edge = {symbol: random_number(random) for symbol in (*symbols(Scope.EDGE), *kernel.parameters)}
    return edge, [{s: random_number(random) for s in symbols(Scope.CHANNEL)} for _ in range(channels)]


def same_function(one: Kernel, other: Kernel, random: Random, channels: int = 3) -> bool:
    """Whether two kernels give equal outputs, exactly, at a random point and for 1 to `channels` channels."""
    edge, per_channel = random_inputs(one, random, channels)
    return all(
        evaluate(one, edge, per_channel[:count]) == evaluate(other, edge, per_channel[:count])
        for count in (1, channels)
    )


def ill_formed(kernel: Kernel) -> list[str]:
    """What breaks the rules of straight-line code: nothing, one hopes.

    A name is defined once and before its use; `node` sees what there is per channel, the body that and
    `before`, and `after` sees `before` and the accumulators; a result per channel is made in the body, a
    result per edge anywhere but in one channel.
    """
    faults: list[str] = []
    names = [statement.name for statement in kernel.statements]
    given = [symbol for operand in kernel.inputs for symbol in operand.symbols]
    faults += [f"{name} is defined twice" for name in {*names} if [*names, *given].count(name) > 1]

    per_edge = {*kernel.parameters}
    per_edge.update(s for operand in kernel.inputs if operand.scope is Scope.EDGE for s in operand.symbols)
    _check_block(kernel.before, per_edge, faults)
    in_channel = {*given, *kernel.parameters}
    in_channel -= {s for operand in kernel.inputs if operand.scope is Scope.EDGE for s in operand.symbols}
    _check_block(kernel.node, in_channel, faults)
    in_channel |= per_edge
    _check_block(kernel.body, in_channel, faults)
    per_edge.update(statement.name for statement in kernel.body if statement.accumulate)
    _check_block(kernel.after, per_edge, faults)

    per_channel = {statement.name for statement in kernel.body if not statement.accumulate}
    for operand in kernel.outputs:
        made = per_channel if operand.scope is Scope.CHANNEL else per_edge
        faults += [f"{symbol} is not made per {operand.scope.value}" for symbol in {*operand.symbols} - made]
    return faults


def _check_block(statements: Sequence[Statement], visible: set[str], faults: list[str]) -> None:
    for statement in statements:
        unseen = {*statement.value.symbols()} - visible
        faults += [f"{statement.name} uses {name} before it has a value" for name in unseen]
        if not statement.accumulate:
            visible.add(statement.name)
