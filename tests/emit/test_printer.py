"""Printed statements are Python that computes what the interpreter computes, with every constant named."""

import ast
from math import isqrt, pi
from random import Random
from textwrap import dedent

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir.kernels import FILTER, INPUT, PARAMETER, WEIGHT, random_number, random_sum
from tfngen.emit.printer import MAX_LINE, Constant, Printer, constant_name
from tfngen.ir.evaluate import evaluate
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term, product
from tfngen.symbolic.surd import Surd, SurdSum

ROOT_2, TWO, HALF = Surd(1, 2), Surd(1, 4), Surd(1, 1, 4)
SYMBOLS = (
    *FILTER.symbols,
    *INPUT.symbols,
    *WEIGHT.symbols,
    PARAMETER,
    "scaled_weighted_value_of_a_long_name",
)

deterministic = settings(derandomize=True, deadline=None, max_examples=150, database=None)
randoms = st.randoms(use_true_random=False) | st.builds(Random, st.integers(0, 2**32 - 1))


def total(*terms: tuple) -> Sum:
    return Sum(
        tuple(Term(coefficient, factors) for coefficient, *factors in terms for factors in [tuple(factors)])
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Sum(()), "zero()"),
        (product("a"), "a"),
        (total((-ONE, "a")), "-a"),
        (product("a", "b", coefficient=ROOT_2), "SQRT_2 * a * b"),
        (total((-ROOT_2, "a")), "-SQRT_2 * a"),
        (total((-ONE, "a", "b")), "-(a * b)"),
        (total((ONE,)), "INTEGER_1"),
        (total((-HALF,)), "-RATIO_1_2"),
        (total((ONE, "a"), (-ONE, "b"), (ROOT_2, "c")), "a - b + SQRT_2 * c"),
        (total((-ONE, "a"), (ONE, "b")), "b - a"),
        (total((-ONE, "a"), (-ROOT_2, "b")), "-a - SQRT_2 * b"),
        (product("a", total((ONE, "b"), (-ONE, "c"))), "a * (b - c)"),
        (total((ONE, "a"), (-ONE, total((ONE, "b"), (-ONE, "c")))), "a - (b - c)"),
        (total((-TWO, "a", total((-ONE, "b"), (-ONE, "c")))), "-INTEGER_2 * a * (-b - c)"),
        (total((-ONE, "a", total((ONE, "b"), (ONE, "c")))), "-(a * (b + c))"),
        (product(product("a", "b"), "c"), "(a * b) * c"),
    ],
)
def test_expressions_as_a_person_would_write_them(value, text):
    """No minus leads where a positive term can; brackets stand where, and only where, a sum is multiplied."""
    assert Printer().sum(value) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Surd(1, 3, 10), "SQRT_3_10"),
        (Surd(1, 7), "SQRT_7"),
        (Surd(1, 1, 7), "SQRT_1_7"),
        (Surd(1, 4, 3), "SQRT_4_3"),
        (Surd(1, 9, 4), "RATIO_3_2"),
        (Surd(1, 1), "INTEGER_1"),
        (Surd(1, 25), "INTEGER_5"),
    ],
)
def test_constants_are_named_for_what_they_are(value, name):
    assert constant_name(value) == name


def test_constant_names_are_unique():
    """All √(p/q) with p, q ≤ 30 in lowest terms."""
    surds = {Surd(1, p, q) for p in range(1, 31) for q in range(1, 31)}
    assert len({constant_name(each) for each in surds}) == len(surds)


def test_a_printer_remembers_the_constants_it_printed():
    """Each once, by name, whatever its sign and however deep it stood; 1/√π among them."""
    printer = Printer()
    printer.statement(
        Statement("u", product("a", total((-ROOT_2, "b"), (HALF, "c")), coefficient=Surd(1, 3, 10)))
    )
    printer.statement(Statement("v", total((ROOT_2, PARAMETER), (ONE, "a"))))
    assert printer.constants == (
        Constant(PARAMETER, 1 / pi**0.5, "1/√π"),
        Constant("RATIO_1_2", 0.5, "1/2"),
        Constant("SQRT_2", 2**0.5, "√2"),
        Constant("SQRT_3_10", float(Surd(1, 3, 10)), "√(3/10)"),
    )


def test_the_value_of_one_over_root_pi_is_the_nearest_float():
    printer = Printer()
    printer.sum(product(PARAMETER))
    assert printer.constants[0].value == float((1 / sympy.sqrt(sympy.pi)).evalf(40))


def test_statements():
    value = total((ONE, "a"), (ROOT_2, "b"))
    assert Printer().statement(Statement("name", value), 8) == "        name = a + SQRT_2 * b"
    assert Printer().statement(Statement("name", value, accumulate=True), 4) == "    name += a + SQRT_2 * b"


def test_long_sums_are_wrapped_between_terms():
    names = [f"a_rather_long_name_{number}" for number in range(8)]
    text = Printer().statement(Statement("result", total(*((ONE, name) for name in names))), 4)
    assert text.split("\n") == [
        "    result = (",
        "        " + " + ".join(names[:4]),
        "        + " + " + ".join(names[4:]),
        "    )",
    ]


def test_a_long_bracket_at_the_end_of_a_product_is_opened():
    names = [f"a_rather_long_name_{number}" for number in range(6)]
    bracket = total(*((ONE, name) for name in names))
    for sign, minus in ((ONE, ""), (-ONE, "-")):
        text = Printer().statement(Statement("result", total((sign, "factor", bracket))))
        assert text.split("\n") == [
            f"result = {minus}factor * (",
            "    " + " + ".join(names[:4]),
            "    + " + " + ".join(names[4:]),
            ")",
        ]


def test_a_product_too_long_for_a_line_is_broken_between_its_factors():
    """In brackets of its own, as it must be; a bracket among the factors is opened where it does not fit."""
    names = [f"a_rather_long_name_{number}" for number in range(6)]
    bracket = total(*((ONE, name) for name in names))
    text = Printer().statement(Statement("result", total((-ONE, *names, bracket))))
    assert text.split("\n") == [
        "result = (",
        "    -" + " * ".join(names[:4]),
        "    * " + " * ".join(names[4:]) + " * (",
        "        " + " + ".join(names[:4]),
        "        + " + " + ".join(names[4:]),
        "    )",
        ")",
    ]


# — what is true of every statement ————————————————————————————————————————————————————————————————————————


def random_statement(random: Random, depth: int) -> Statement:
    return Statement("result", random_sum(random, SYMBOLS, depth), accumulate=random.random() < 0.3)


@deterministic
@given(randoms, st.sampled_from((0, 8, 12)), st.integers(0, 4))
def test_every_statement_fits_its_lines(random, indent, depth):
    statement = random_statement(random, depth)
    text = Printer().statement(statement, indent)
    assert max(map(len, text.split("\n"))) <= MAX_LINE
    assert all(line == line.rstrip() for line in text.split("\n"))
    (tree,) = ast.parse(dedent(text)).body
    assert isinstance(tree, ast.AugAssign if statement.accumulate else ast.Assign)


@deterministic
@given(randoms, st.integers(0, 3))
def test_no_number_is_printed_into_an_expression(random, depth):
    """Only names, the three operators, signs, and zero()."""
    tree = ast.parse(Printer().statement(random_statement(random, depth)))
    allowed = ast.Module | ast.Assign | ast.AugAssign | ast.BinOp | ast.UnaryOp | ast.Call | ast.Name
    operators = ast.Add | ast.Sub | ast.Mult | ast.USub | ast.Load | ast.Store
    assert [node for node in ast.walk(tree) if not isinstance(node, allowed | operators)] == []


@deterministic
@given(randoms, st.integers(0, 3))
def test_the_printed_text_computes_what_the_interpreter_computes(random, depth):
    """Run as Python over exact numbers, constants standing for the surds in their names: equal, not close."""
    statement = random_statement(random, depth)
    values = {symbol: random_number(random) for symbol in SYMBOLS}
    output = Operand("result", "results", ("result",), Scope.EDGE if statement.accumulate else Scope.CHANNEL)
    kernel = Kernel("example", (INPUT,), (output,), body=(statement,))
    printer = Printer()
    text = printer.statement(statement)
    names = {
        constant.name: exact(constant.name) for constant in printer.constants if constant.name != PARAMETER
    }
    namespace = {"zero": SurdSum, "result": SurdSum(), **names, **values}
    exec(text, namespace)
    assert namespace["result"] == evaluate(kernel, {}, [values])["result"][0]


@deterministic
@given(randoms)
def test_the_printed_text_run_in_floats_is_as_good_as_floats_are(random):
    """With the printed values of the constants, against the exact result rounded once."""
    statement = Statement("result", random_sum(random, SYMBOLS, depth=2))
    values = {symbol: random_number(random) for symbol in SYMBOLS}
    printer = Printer()
    text = printer.statement(statement)
    constants = {
        constant.name: constant.value for constant in printer.constants if constant.name != PARAMETER
    }
    namespace = {"zero": float, **constants, **{symbol: float(value) for symbol, value in values.items()}}
    exec(text, namespace)
    output = Operand("result", "results", ("result",), Scope.CHANNEL)
    (expected,) = evaluate(Kernel("example", (INPUT,), (output,), body=(statement,)), {}, [values])["result"]
    # Products of up to nine factors below 2·10 each, where cancellation may leave only rounding errors.
    size = absolute(statement.value, {symbol: abs(float(value)) for symbol, value in values.items()})
    assert abs(namespace["result"] - float(expected)) <= 1e-13 * size + 1e-300


def absolute(value: Sum, sizes: dict[str, float]) -> float:
    """Σ |coefficient| · |factor| · …: what the rounding errors of the sum are relative to."""
    result = 0.0
    for term in value.terms:
        size = abs(float(term.coefficient))
        for factor in term.factors:
            size *= sizes[factor] if isinstance(factor, str) else absolute(factor, sizes)
        result += size
    return result


def exact(name: str) -> SurdSum:
    """What a constant's name says it is."""
    kind, numerator, denominator = (*name.split("_"), "1")[:3]
    if kind == "SQRT":
        return SurdSum() + Surd(1, int(numerator), int(denominator))
    assert kind in ("RATIO", "INTEGER")
    return SurdSum() + Surd(1, int(numerator) ** 2, int(denominator) ** 2)


def test_names_of_roots_are_not_names_of_squares():
    """SQRT_… is irrational; a rational root is a RATIO or an INTEGER."""
    for p in range(1, 31):
        for q in range(1, 31):
            value = Surd(1, p, q)
            is_square = (
                isqrt(value.numerator) ** 2 == value.numerator
                and isqrt(value.denominator) ** 2 == value.denominator
            )
            assert constant_name(value).startswith("SQRT") != is_square
            assert exact(constant_name(value)) == value
