"""The four roles of real paths: partial derivatives of one form, optimised without changing a bit of them."""

from functools import cache
from random import Random

import pytest

from tests.ir.kernels import ill_formed, random_inputs, same_function
from tfngen.ir.cost import Operations, cost
from tfngen.ir.evaluate import evaluate
from tfngen.ir.lower_paths import lower_path
from tfngen.ir.nodes import Kernel, Scope
from tfngen.ir.passes import STRATEGIES, hoist, optimise, simplify
from tfngen.ir.plan import plan_path
from tfngen.irreps import Path, enumerate_paths
from tfngen.roles import Role
from tfngen.symbolic.clebsch_gordan import clebsch_gordan
from tfngen.symbolic.surd import SurdSum

PATHS = enumerate_paths(3)
every_path = pytest.mark.parametrize("path", PATHS, ids=str)
every_role = pytest.mark.parametrize("role", Role, ids=str)


@cache
def couplings(path: Path):
    return tuple((c.m_filter, c.m_input, c.m_output, c.value) for c in clebsch_gordan(*path))


@cache
def plan(path: Path):
    return plan_path(path, couplings(path), "auto", 32)


@cache
def plain(path: Path, role: Role) -> Kernel:
    return lower_path(path, couplings(path), role)


def inner_product(kernel: Kernel, edge: dict, channels: list[dict], slot: str) -> SurdSum:
    """Σ result · slot: what T is, when `kernel` is its derivative by the slot."""
    results = evaluate(kernel, edge, channels)
    (operand,) = kernel.outputs
    sources = [edge] if operand.scope is Scope.EDGE else channels
    return sum(
        (
            value * source[symbol.replace(operand.name, slot, 1)]
            for symbol, values in results.items()
            for value, source in zip(values, sources, strict=True)
        ),
        start=SurdSum(),
    )


@every_path
def test_every_role_is_a_derivative_of_the_same_form(path):
    """result · its slot is T, whichever slot T was differentiated by; T is Σ C w y x g written out."""
    edge, channels = {}, [{}, {}]
    for role in Role:
        given_edge, given_channels = random_inputs(plain(path, role), Random(str(path)), 2)
        edge |= given_edge
        for values, more in zip(channels, given_channels, strict=True):
            values |= more
    form = SurdSum()
    for channel in channels:
        for m_filter, m_input, m_output, value in couplings(path):
            form += (
                edge[_symbols(path, Role.D_FILTER)[m_filter + path.l_filter]]
                * channel[_symbols(path, Role.D_INPUT)[m_input + path.l_input]]
                * channel[_symbols(path, Role.OUTPUT)[m_output + path.l_output]]
                * channel["weight"]
                * value
            )
    assert form
    for role in Role:
        assert inner_product(plain(path, role), edge, channels, role.slot) == form
        assert (
            inner_product(plan(path).kernels[list(Role).index(role)].kernel, edge, channels, role.slot)
            == form
        )


def _symbols(path: Path, role: Role) -> list[str]:
    """The components of the slot that `role` differentiates by."""
    (operand,) = plain(path, role).outputs
    return [symbol.replace(operand.name, role.slot, 1) for symbol in operand.symbols]


@every_role
@every_path
def test_optimised_equals_plain_exactly(path, role):
    """At random numbers a + b√2 + c√3, with 1 and 3 channels."""
    planned = plan(path).kernels[list(Role).index(role)]
    assert ill_formed(planned.kernel) == []
    assert same_function(plain(path, role), planned.kernel, Random(f"{path}{role}"))


@pytest.mark.parametrize("strategy", STRATEGIES)
@every_role
def test_every_strategy_computes_the_same(role, strategy):
    """Whether or not it is the cheapest: for all paths to l = 2 in turn."""
    for path in enumerate_paths(2):
        optimised = optimise(plain(path, role), strategy, 1).kernel
        assert same_function(plain(path, role), optimised, Random(strategy), channels=2)


@every_role
@every_path
def test_optimising_a_path_never_adds_an_operation(path, role):
    """By any strategy, at 32 channels; what is planned is the cheapest, and cheaper wherever C repeats."""
    before = cost(plain(path, role))
    planned = plan(path).kernels[list(Role).index(role)]
    flops = {each: cost(optimise(plain(path, role), each).kernel).flops(32) for each in STRATEGIES}
    assert all(count <= before.flops(32) for count in flops.values())
    assert planned.cost.flops(32) == min(flops.values()) == flops[planned.strategy]
    if path.l_filter and len(couplings(path)) > 1:
        assert planned.cost.flops(32) < before.flops(32)


@pytest.mark.parametrize(("lmax", "paths", "nonzeros", "products"), [(2, 15, 137, 129), (3, 34, 611, 541)])
def test_the_coupling_takes_one_product_per_pair_of_components(lmax, paths, nonzeros, products):
    """C has as many nonzeros as the plain sum has terms; M = Σ_F C·filter has one entry per (m_I, m_O).

    The pairs that some m_F connects are the multiply-adds of M with the input, per channel: DESIGN §5.
    """
    enumerated = enumerate_paths(lmax)
    assert len(enumerated) == paths
    terms = hoisted = pairs = 0
    for path in enumerated:
        kernel = plain(path, Role.OUTPUT)
        terms += sum(len(statement.value.terms) for statement in kernel.body)
        hoisted += sum(len(statement.value.terms) for statement in simplify(hoist(kernel)).body)
        pairs += len({(m_input, m_output) for _, m_input, m_output, _ in couplings(path)})
    assert (terms, hoisted, pairs) == (nonzeros, products, products)


def test_the_optimised_channel_loops_have_these_operations_in_all():
    """Per channel, over the 34 paths to l = 3: a change to the passes that costs something shows here.

    The 541 products of M with the input, and the weight on top: 653 multiplications and 385 additions.
    """
    totals = {
        str(role): sum((plan(path).kernels[at].cost.channel for path in PATHS), start=Operations())
        for at, role in enumerate(Role)
    }
    assert totals == {
        "output": Operations(653, 385),
        "d_input": Operations(653, 385),
        "d_filter": Operations(658, 541),
        "d_weight": Operations(655, 507),
    }


def test_the_cross_product_takes_nine_multiplies_and_three_adds():
    """C(1, 1, 1) = ε/√2: two products and a weight for each of three components."""
    output = plan(Path(1, 1, 1)).kernels[0]
    assert output.strategy == "coupling"
    assert output.cost.channel == Operations(multiplies=9, adds=3)
    assert output.cost.edge == Operations(multiplies=3)
    assert output.plain.channel == Operations(multiplies=18, adds=3)


def test_with_one_channel_there_is_nothing_to_share():
    """What is computed once per edge is worth it for many channels, and never costs more than for one."""
    for path in enumerate_paths(2):
        for role in Role:
            one = optimise(plain(path, role), "auto", 1).kernel
            many = optimise(plain(path, role), "auto", 128).kernel
            assert cost(one).flops(1) <= cost(many).flops(1)
            assert cost(many).flops(128) <= cost(one).flops(128)
    strategies = {optimise(plain(path, Role.OUTPUT), "auto", 128).strategy for path in enumerate_paths(2)}
    assert "coupling" in strategies
