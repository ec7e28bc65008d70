"""Operations, live values and bytes, against counts made by hand."""

import pytest

from tests.ir.kernels import FILTER, INPUT, WEIGHT
from tfngen.ir.cost import Cost, Operations, cost, live_values, sum_operations
from tfngen.ir.lower_paths import lower_path
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term, product
from tfngen.irreps import Path
from tfngen.roles import Role
from tfngen.symbolic.clebsch_gordan import clebsch_gordan
from tfngen.symbolic.surd import Surd

ROOT_2 = Surd(1, 2)


@pytest.mark.parametrize(
    ("value", "multiplies", "adds"),
    [
        (Sum(()), 0, 0),
        (product("a"), 0, 0),
        (product(coefficient=ROOT_2), 0, 0),
        (product("a", coefficient=ROOT_2), 1, 0),
        (product("a", "b", coefficient=ROOT_2), 2, 0),
        (product("a", "b", coefficient=-ONE), 1, 0),  # the sign goes into whatever uses it
        (Sum((Term(ONE, ("a",)), Term(-ONE, ("b",)), Term(ROOT_2))), 0, 2),
        (product("a", Sum((Term(ONE, ("b",)), Term(-ROOT_2, ("c",))))), 2, 1),
        (product("a", Sum((Term(ONE, (product("b", "c"), "d")), Term(ONE, ("e",))))), 3, 1),
    ],
    ids=["0", "a", "√2", "√2 a", "√2 ab", "−ab", "a − b + √2", "a (b − √2 c)", "a ((bc) d + e)"],
)
def test_operations_of_an_expression(value, multiplies, adds):
    """One multiplication fewer than factors, one addition fewer than terms."""
    assert sum_operations(value) == Operations(multiplies, adds)


def test_operations_add_up_and_an_accumulator_adds_once_more():
    """s += ab is one multiplication and one addition; what is ahead and behind counts per edge."""
    statement = product("input_x", "weight")
    kernel = Kernel(
        "example",
        (FILTER, INPUT, WEIGHT),
        (Operand("out", "outs", ("out",), Scope.EDGE),),
        before=(Statement("ahead", product("filter_x", "filter_y", coefficient=ROOT_2)),),
        body=(Statement("sum", statement, accumulate=True),),
        after=(Statement("out", product("sum", "ahead")),),
    )
    counted = cost(kernel)
    assert counted.edge == Operations(3, 0)
    assert counted.channel == Operations(1, 1)
    assert Operations(1, 2) + Operations(3, 4) == Operations(4, 6)
    assert Operations(3, 4).flops == 7
    assert [counted.flops(channels) for channels in (0, 1, 32)] == [3, 5, 67]


def test_the_plain_product_of_two_vectors():
    """C(1, 1, 0): per channel three terms of coefficient, weight, filter and input: 9 multiplies, 2 adds.

    3 filter components once per edge; 1 weight, 3 inputs and 1 result per channel.
    """
    table = [(c.m_filter, c.m_input, c.m_output, c.value) for c in clebsch_gordan(1, 1, 0)]
    counted = cost(lower_path(Path(1, 1, 0), table, Role.OUTPUT))
    assert counted == Cost(Operations(), Operations(9, 2), 8, edge_elements=3, channel_elements=5)
    assert counted.bytes(channels=32, itemsize=4) == 4 * (3 + 32 * 5)
    assert counted.bytes(channels=1, itemsize=8) == 8 * 8


def test_results_per_edge_are_moved_once_per_edge():
    """d_filter of (1, 1, 0): 3 inputs, a weight and a grad per channel, 3 results per edge."""
    table = [(c.m_filter, c.m_input, c.m_output, c.value) for c in clebsch_gordan(1, 1, 0)]
    counted = cost(lower_path(Path(1, 1, 0), table, Role.D_FILTER))
    assert (counted.edge_elements, counted.channel_elements) == (3, 5)
    assert counted.channel == Operations(9, 3)


@pytest.mark.parametrize(
    ("statements", "alive"),
    [
        ([], 0),
        ([Statement("out", product("a", "b"))], 3),
        ([Statement("out", product("a", "a"))], 2),
        # a, b and u; then u, c and v; u is used no more when d is loaded: v, d and out.
        (
            [
                Statement("u", product("a", "b")),
                Statement("v", product("u", "c")),
                Statement("out", product("v", "d")),
            ],
            3,
        ),
        # An accumulator is alive throughout, though no statement reads it.
        ([Statement("u", product("a", "b")), Statement("s", product("u"), accumulate=True)], 4),
        ([Statement("s", product("a"), accumulate=True), Statement("t", product("b"), accumulate=True)], 3),
        # a waits for the last statement: a, b, u; a, u, c, v; a, v, out.
        (
            [
                Statement("u", product("a", "b")),
                Statement("v", product("u", "c")),
                Statement("out", product("v", "a")),
            ],
            4,
        ),
    ],
)
def test_live_values(statements, alive):
    """A value lives from its definition, an operand from its first use, to the last use."""
    assert live_values(statements) == alive


def test_what_is_done_for_a_node_counts_apart():
    """held = √2 x is one multiplication for all edges of a node; out = f held is one for each of them."""
    kernel = Kernel(
        "example",
        (FILTER, INPUT, WEIGHT),
        (Operand("out", "outs", ("out",), Scope.CHANNEL),),
        node=(Statement("held", product("input_x", coefficient=ROOT_2)),),
        body=(Statement("out", product("filter_x", "held")),),
    )
    found = cost(kernel)
    assert (found.node, found.channel) == (Operations(1, 0), Operations(1, 0))
    assert found.flops(32) == 32


def test_what_is_in_memory_is_not_alive():
    """a and b are read where they are used; only the two products wait for their sum."""
    statements = (
        Statement("one", product("a", "b")),
        Statement("two", product("b", "b")),
        Statement("sum", Sum((Term(ONE, ("one",)), Term(ONE, ("two",))))),
    )
    assert live_values(statements) == 3
    assert live_values(statements, frozenset("ab")) == 3
    assert live_values(statements[:2], frozenset("ab")) == 1
