"""The interpreter that judges every pass, judged on kernels worked out by hand."""

from fractions import Fraction

import pytest

from tests.ir.kernels import FILTER, INPUT, PARAMETER, WEIGHT
from tfngen.ir.evaluate import evaluate
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term, fresh, product
from tfngen.symbolic.surd import Surd, SurdSum

ROOT_2 = Surd(1, 2)


def number(value) -> SurdSum:
    return SurdSum() + value


def test_the_three_blocks_and_both_kinds_of_result():
    """ahead = √2 f; per channel out = ahead·x − 1; sum = Σ x; behind = sum·ahead + p."""
    kernel = Kernel(
        "example",
        (FILTER, INPUT, WEIGHT),
        (
            Operand("out", "outs", ("out",), Scope.CHANNEL),
            Operand("behind", "behinds", ("behind",), Scope.EDGE),
        ),
        before=(Statement("ahead", product("filter_x", coefficient=ROOT_2)),),
        body=(
            Statement("out", Sum((Term(ONE, ("ahead", "input_x")), Term(-ONE)))),
            Statement("sum", product("input_x"), accumulate=True),
        ),
        after=(Statement("behind", Sum((Term(ONE, ("sum", "ahead")), Term(ONE, (PARAMETER,))))),),
        parameters=(PARAMETER,),
    )
    edge = {"filter_x": number(3), PARAMETER: number(Fraction(1, 7))}
    channels = [{"input_x": number(2)}, {"input_x": number(ROOT_2)}]
    assert evaluate(kernel, edge, channels) == {
        "out": [6 * number(ROOT_2) - 1, number(5)],
        "behind": [3 * number(ROOT_2) * (number(ROOT_2) + 2) + Fraction(1, 7)],
    }
    assert evaluate(kernel, edge, [])["behind"] == [number(Fraction(1, 7))]


def test_brackets_multiply_and_an_empty_sum_is_zero():
    bracket = Sum((Term(ONE, ("input_x",)), Term(ROOT_2, ("input_y",))))
    conjugate = Sum((Term(ONE, ("input_x",)), Term(-ROOT_2, ("input_y",))))
    outputs = tuple(Operand(name, name, (name,), Scope.CHANNEL) for name in ("norm", "nothing"))
    body = (Statement("norm", product(bracket, conjugate)), Statement("nothing", product("input_x", Sum(()))))
    channel = {"input_x": number(3), "input_y": number(2)}
    results = evaluate(Kernel("example", (INPUT,), outputs, body=body), {}, [channel])
    assert results == {"norm": [number(1)], "nothing": [number(0)]}


def test_a_name_without_a_value_is_an_error():
    output = Operand("out", "outs", ("out",), Scope.CHANNEL)
    too_early = (Statement("out", product("later")), Statement("later", product("input_x")))
    with pytest.raises(KeyError, match="later"):
        evaluate(Kernel("example", (INPUT,), (output,), body=too_early), {}, [{"input_x": number(1)}])


def test_an_accumulator_cannot_be_read_before_the_channels_are_summed():
    output = Operand("out", "outs", ("out",), Scope.CHANNEL)
    body = (Statement("sum", product("input_x"), accumulate=True), Statement("out", product("sum")))
    with pytest.raises(KeyError, match="sum"):
        evaluate(Kernel("example", (INPUT,), (output,), body=body), {}, [{"input_x": number(1)}])


def test_fresh_names():
    assert fresh("a", {"b"}) == "a"
    assert fresh("a", ["a", "a_2"]) == "a_3"
