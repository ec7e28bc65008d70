"""Every pass computes the same function, exactly, of anything the IR can express, at no higher cost."""

import os
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir.kernels import (
    COEFFICIENTS,
    FILTER,
    INPUT,
    PARAMETER,
    WEIGHT,
    ill_formed,
    random_kernel,
    same_function,
)
from tfngen.ir.cost import cost, live_values
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term, product
from tfngen.ir.passes import PASSES, STRATEGIES, collect_weighted_inputs, optimise
from tfngen.ir.passes.alias import merge_equal_values
from tfngen.ir.passes.factor import factor
from tfngen.ir.passes.hoist import hoist, hoist_few_sums
from tfngen.ir.passes.schedule import schedule
from tfngen.ir.passes.share import share_products, share_sums
from tfngen.ir.passes.simplify import simplify, simplify_sum
from tfngen.symbolic.surd import Surd

TWO, ROOT_2, ROOT_3 = Surd(1, 4), Surd(1, 2), Surd(1, 3)
FILTER_X, FILTER_Y, FILTER_Z = FILTER.symbols
INPUT_X, INPUT_Y, INPUT_Z = INPUT.symbols

randoms = st.randoms(use_true_random=False) | st.builds(Random, st.integers(0, 2**32 - 1))
deterministic = settings(derandomize=True, deadline=None, max_examples=60, database=None)
every_pass = pytest.mark.parametrize("apply", PASSES, ids=lambda each: each.__name__)
every_strategy = pytest.mark.parametrize("strategy", ["auto", *STRATEGIES])


def kernel(*body: Statement, outputs: str = "out", scope: Scope = Scope.CHANNEL, **blocks) -> Kernel:
    """A kernel of `body` with the results named in `outputs`."""
    results = tuple(Operand(name, f"{name}s", (name,), scope) for name in outputs.split())
    return Kernel("example", (FILTER, INPUT, WEIGHT), results, body=body, parameters=(PARAMETER,), **blocks)


def total(*terms: Term | str) -> Sum:
    return Sum(tuple(Term(ONE, (term,)) if isinstance(term, str) else term for term in terms))


# — what every pass promises ———————————————————————————————————————————————————————————————————————————————


@deterministic
@given(randoms)
def test_random_kernels_are_straight_line_code(random):
    assert ill_formed(random_kernel(random)) == []


def test_random_kernels_are_as_varied_as_the_passes_are_general():
    """Accumulators, brackets, cancelling terms, empty sums and all four blocks do occur."""
    kernels = [random_kernel(Random(seed)) for seed in range(60)]
    statements = [statement for each in kernels for statement in each.statements]
    terms = [term for statement in statements for term in statement.value.terms]
    factors = [factor for term in terms for factor in term.factors]
    assert all(sum(map(bool, blocks)) > 20 for blocks in zip(*(each.blocks for each in kernels), strict=True))
    assert sum(statement.accumulate for statement in statements) > 30
    assert sum(not statement.value.terms for statement in statements) > 10
    assert sum(isinstance(factor, Sum) for factor in factors) > 50
    assert {term.coefficient for term in terms} >= {*COEFFICIENTS}
    assert (
        sum(-term in statement.value.terms for statement in statements for term in statement.value.terms) > 10
    )


@every_pass
@deterministic
@given(randoms)
def test_a_pass_changes_no_result_and_no_interface(apply, random):
    before = random_kernel(random)
    after = apply(before)
    assert ill_formed(after) == []
    assert (after.inputs, after.outputs, after.parameters) == (
        before.inputs,
        before.outputs,
        before.parameters,
    )
    assert same_function(before, after, random)


@every_pass
@deterministic
@given(randoms)
def test_a_pass_adds_no_operation(apply, random):
    """Neither per channel nor in all; but hoisting may add up moments, once per edge."""
    before = random_kernel(random)
    plain, changed = cost(before), cost(apply(before))
    assert changed.channel.flops <= plain.channel.flops
    for channels in (1, 2, 32):
        if apply in (hoist, hoist_few_sums):
            saved = channels * (plain.channel.multiplies - changed.channel.multiplies)
            assert changed.edge.multiplies - plain.edge.multiplies <= saved
        else:
            assert changed.flops(channels) <= plain.flops(channels)


@pytest.mark.parametrize(
    "apply",
    [hoist, hoist_few_sums, simplify, merge_equal_values, factor, share_products, share_sums],
    ids=lambda each: each.__name__,
)
@deterministic
@given(randoms)
def test_a_pass_leaves_nothing_for_a_second_run(apply, random):
    once = apply(random_kernel(random))
    assert apply(once) == once


@every_strategy
@settings(deterministic, max_examples=25)
@given(randoms, st.sampled_from((1, 32)))
def test_optimising_changes_no_result(strategy, random, channels):
    before = random_kernel(random)
    after = optimise(before, strategy, channels).kernel
    assert ill_formed(after) == []
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    assert same_function(before, after, random)


@deterministic
@given(randoms, st.sampled_from((1, 2, 32)))
def test_optimising_adds_no_operation_and_beats_every_single_strategy(random, channels):
    before = random_kernel(random)
    best = cost(optimise(before, "auto", channels).kernel).flops(channels)
    assert best <= cost(before).flops(channels)
    assert best == min(cost(optimise(before, each, channels).kernel).flops(channels) for each in STRATEGIES)


def test_passes_do_not_depend_on_the_hash_seed():
    """Twenty random kernels through every pass and strategy, in two processes with different hash seeds."""
    script = """if True:
        from hashlib import sha256
        from random import Random
        from tests.ir.kernels import random_kernel
        from tfngen.ir.passes import PASSES, STRATEGIES, optimise
        kernels = [random_kernel(Random(seed)) for seed in range(20)]
        changed = [apply(kernel) for apply in PASSES for kernel in kernels]
        changed += [optimise(kernel, each) for each in STRATEGIES for kernel in kernels]
        print(sha256(repr(changed).encode()).hexdigest())
    """
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 65


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match=r"strategy: 'fastest' is not one; choose from auto, direct, outer"):
        optimise(kernel(Statement("out", product(INPUT_X))), "fastest")


def test_ties_go_to_the_strategy_listed_first():
    assert optimise(kernel(Statement("out", product(INPUT_X)))).strategy == next(iter(STRATEGIES))


# — what each of them does —————————————————————————————————————————————————————————————————————————————————


def test_equal_terms_merge_whatever_stands_between_them():
    """√2 a + √3 a + √2 a − b + b = √8 a + √3 a; a second √3 a merges with the first."""
    a = [Term(value, ("a",)) for value in (ROOT_2, ROOT_3, ROOT_2)]
    b = [Term(-ONE, ("b",)), Term(ONE, ("b",))]
    assert simplify_sum(Sum((*a, *b))) == Sum((Term(ROOT_2 * 2, ("a",)), Term(ROOT_3, ("a",))))
    assert simplify_sum(Sum((a[0], a[1], a[1]))) == Sum((a[0], Term(ROOT_3 * 2, ("a",))))


def test_signs_move_out_of_brackets_and_single_terms_need_none():
    bracket = Sum((Term(-ONE, ("a",)), Term(-ONE, ("b",))))
    assert simplify_sum(product("c", bracket)) == Sum((Term(-ONE, ("c", -bracket)),))
    inner = product("a", coefficient=ROOT_2)
    assert simplify_sum(product("c", inner, coefficient=ROOT_3)) == product("c", "a", coefficient=Surd(1, 6))
    assert simplify_sum(product("c", Sum(()))) == Sum(())


def test_a_number_is_inlined_and_a_product_of_constants_is_not():
    """√2/√π inlined into two products would be multiplied twice."""
    root = Statement("root", product(coefficient=ROOT_2))
    ratio = Statement("ratio", product(PARAMETER, coefficient=ROOT_2))
    uses = Statement("out", total(Term(ONE, ("root", INPUT_X)), Term(ONE, ("ratio", INPUT_Y))))
    simple = simplify(kernel(root, ratio, uses))
    assert simple.body == (
        ratio,
        Statement("out", total(Term(ROOT_2, (INPUT_X,)), Term(ONE, ("ratio", INPUT_Y)))),
    )


def test_an_output_takes_the_place_of_a_value_it_repeats_through_any_number_of_names():
    value = product(FILTER_X, INPUT_X)
    chain = (
        Statement("first", value),
        Statement("second", product("first")),
        Statement("out", product("second")),
    )
    assert simplify(kernel(*chain)).body == (Statement("out", value),)


def test_an_output_that_is_the_opposite_of_a_value_does_not_take_its_place():
    value = Statement("value", product(FILTER_X, INPUT_X))
    opposite = Statement("out", Sum((Term(-ONE, ("value",)),)))
    assert simplify(kernel(value, opposite)).body == (value, opposite)


def test_an_output_per_channel_stays_in_the_body_though_its_value_is_per_edge():
    """Computed under its own name ahead of the loop, it would never be stored."""
    shared = Statement("shared", product(FILTER_X, FILTER_Y))
    alias = Statement("out", product("shared"))
    unchanged = kernel(alias, before=(shared,))
    assert simplify(unchanged) == unchanged


def test_what_nobody_uses_is_dropped():
    dead = (Statement("unused", product(INPUT_X)), Statement("unused_too", product("unused", "unused")))
    assert simplify(kernel(*dead, Statement("out", product(INPUT_Y)))).statements == (
        Statement("out", product(INPUT_Y)),
    )


def test_values_equal_up_to_sign_are_computed_once():
    """One level makes the next equal: v = −u makes v·z the opposite of u·z."""
    difference = Sum((Term(ONE, (INPUT_X,)), Term(-ONE, (INPUT_Y,))))
    merged = merge_equal_values(
        kernel(
            Statement("u", difference),
            Statement("v", -difference),
            Statement("uz", product("u", INPUT_Z)),
            Statement("vz", product("v", INPUT_Z)),
            Statement("out", total(Term(ONE, ("uz", "u")), Term(ROOT_2, ("vz", "weight")))),
        )
    )
    assert merged.body == (
        Statement("u", difference),
        Statement("uz", product("u", INPUT_Z)),
        Statement("out", Sum((Term(ONE, ("uz", "u")), Term(-ROOT_2, ("uz", "weight"))))),
    )


def test_a_value_of_one_channel_is_not_used_after_the_channels():
    """`after` repeats what the body computes, and still has to compute it itself."""
    value = product(FILTER_X, FILTER_Y, coefficient=ROOT_2)
    twice = kernel(
        Statement("inner", value),
        Statement("sum", product("inner", INPUT_X), accumulate=True),
        after=(Statement("outer", value), Statement("out", total("outer", "sum"))),
        scope=Scope.EDGE,
    )
    assert ill_formed(merge_equal_values(twice)) == []


def test_factoring_takes_the_most_widely_shared_factor_first():
    """ab + ac + ad + be → a(b + c + d) + be: 2 multiplies for 4."""
    terms = [Term(ONE, factors) for factors in (("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"))]
    factored = factor(kernel(Statement("out", Sum(tuple(terms)))))
    assert factored.body[0].value == total(Term(ONE, ("a", total("b", "c", "d"))), terms[3])


def test_factoring_pulls_out_coefficients_and_powers():
    """√2 a − √2 b → √2 (a − b);   x² + xy → x (x + y);   2x + (√2x² − xz)y → x (2 + (√2x − z)y)."""

    def factored(value: Sum) -> Sum:
        return factor(kernel(Statement("out", value))).body[0].value

    difference = Sum((Term(ONE, ("a",)), Term(-ONE, ("b",))))
    assert factored(Sum((Term(ROOT_2, ("a",)), Term(-ROOT_2, ("b",))))) == product(
        difference, coefficient=ROOT_2
    )
    powers = total(Term(ONE, ("x", "x")), Term(ONE, ("x", "y")))
    assert factored(powers) == product("x", total("x", "y"))
    bracket = Sum((Term(ROOT_2, ("x", "x")), Term(-ONE, ("x", "z"))))
    smaller = Sum((Term(ROOT_2, ("x",)), Term(-ONE, ("z",))))
    opened = factored(Sum((Term(TWO, ("x",)), Term(ONE, (bracket, "y")))))
    assert opened == product("x", Sum((Term(TWO), Term(ONE, (smaller, "y")))))


def test_shared_products_are_named_for_their_factors():
    """weight·x is used by both outputs, √3·y by both, x² twice."""
    shared = share_products(
        kernel(
            Statement("one", total(Term(ONE, ("weight", INPUT_X, FILTER_X)), Term(ROOT_3, (INPUT_Y,)))),
            Statement("two", total(Term(ONE, ("weight", INPUT_X, FILTER_Y)), Term(-ROOT_3, (INPUT_Y,)))),
            outputs="one two",
        )
    )
    assert [statement.name for statement in shared.body] == [
        "weighted_input_x",
        "scaled_input_y",
        "one",
        "two",
    ]
    square = kernel(Statement("out", total(Term(ONE, ("x", "x", "a")), Term(ONE, ("x", "x", "b")))))
    assert share_products(square).body[0] == Statement("x_squared", product("x", "x"))


def test_shared_brackets_are_named_up_to_sign_outermost_first():
    inner = total("a", "b")
    outer = Sum((Term(ROOT_2, ("c", inner)), Term(-ONE, ("d",))))
    one, two = Statement("one", product("x", outer)), Statement("two", product("y", -outer))
    shared = share_sums(kernel(one, two, outputs="one two"))
    assert shared.body == (
        Statement("sum_c", outer),
        Statement("one", product("x", "sum_c")),
        Statement("two", Sum((Term(-ONE, ("y", "sum_c")),))),
    )


def test_hoisting_contracts_coefficients_ahead_of_the_channels():
    """Σ C·filter·input → coupling·input, with coupling = Σ C·filter once per edge."""
    terms = (Term(ROOT_2, ("weight", FILTER_X, INPUT_X)), Term(-ROOT_3, ("weight", FILTER_Y, INPUT_X)))
    hoisted = hoist(kernel(Statement("out", Sum(terms))))
    assert hoisted.before == (
        Statement("coupling_x", Sum((Term(ROOT_2, (FILTER_X,)), Term(-ROOT_3, (FILTER_Y,))))),
    )
    assert hoisted.body == (Statement("out", product("coupling_x", "weight", INPUT_X)),)


def test_hoisting_leaves_nothing_but_moments_in_a_sum_over_channels():
    """Two sums share the moment Σ_c weight·input_x; a sum that is a moment itself stays one."""
    weighted = ("weight", INPUT_X)
    hoisted = hoist(
        kernel(
            Statement("first", Sum((Term(ROOT_2, (FILTER_X, *weighted)),)), accumulate=True),
            Statement("second", Sum((Term(-ROOT_3, weighted),)), accumulate=True),
            Statement("third", product("weight", INPUT_Y), accumulate=True),
            outputs="first second third",
            scope=Scope.EDGE,
        )
    )
    assert hoisted.body == (
        Statement("moment_x", product(*weighted), accumulate=True),
        Statement("third", product("weight", INPUT_Y), accumulate=True),
    )
    assert hoisted.after == (
        Statement("first", product(FILTER_X, "moment_x", coefficient=ROOT_2)),
        Statement("second", Sum((Term(-ROOT_3, ("moment_x",)),))),
    )


def test_hoisting_few_sums_adds_up_what_one_size_of_coefficient_multiplies():
    """Over terms and channels at once; a sum without coefficients stays as it is."""
    x, y = ("weight", INPUT_X), ("weight", INPUT_Y)
    plain = Statement("second_y", Sum((Term(ONE, x), Term(-ONE, y))), accumulate=True)
    hoisted = hoist_few_sums(
        kernel(
            Statement(
                "first_x",
                Sum((Term(ROOT_2, x), Term(-ROOT_2, y), Term(ROOT_3, (FILTER_X, *x)))),
                accumulate=True,
            ),
            plain,
            outputs="first_x second_y",
            scope=Scope.EDGE,
        )
    )
    assert hoisted.body == (
        Statement("sum_x", Sum((Term(ONE, x), Term(-ONE, y))), accumulate=True),
        Statement("sum_x_2", Sum((Term(ONE, x),)), accumulate=True),
        plain,
    )
    assert hoisted.after == (
        Statement("first_x", Sum((Term(ROOT_2, ("sum_x",)), Term(ROOT_3, (FILTER_X, "sum_x_2"))))),
    )


def test_hoisting_moves_values_of_values():
    """An intermediate value that no channel changes leaves the loop, and so does what is made of it."""
    square = Statement("square", product(FILTER_X, FILTER_X))
    double = Statement("double", product("square", coefficient=TWO))
    hoisted = hoist(kernel(square, double, Statement("out", product("double", INPUT_X))))
    assert hoisted.before == (square, double)
    assert hoisted.body == (Statement("out", product("double", INPUT_X)),)


@deterministic
@given(randoms)
def test_scheduling_only_reorders_and_only_to_keep_less_alive(random):
    before = random_kernel(random)
    after = schedule(before)
    for old, new in zip(before.blocks, after.blocks, strict=True):
        assert Counter(old) == Counter(new)
        # Where a node holds something, all but a block's own values are read from memory.
        in_memory = before.names - {each.name for each in old} if before.node else frozenset()
        assert new == old or live_values(new, in_memory) < live_values(old, in_memory)


def test_scheduling_uses_a_value_before_it_makes_the_next():
    """All squares first needs them all at once; each right before its output needs one at a time."""
    squares = [Statement(f"square_{axis}", product(f"input_{axis}", f"input_{axis}")) for axis in "xyz"]
    results = [Statement(f"out_{axis}", product(f"square_{axis}", "weight")) for axis in "xyz"]
    plain = kernel(*squares, *results, outputs="out_x out_y out_z")
    ordered = schedule(plain)
    assert ordered.body == tuple(each for pair in zip(squares, results, strict=True) for each in pair)
    assert (live_values(plain.body), live_values(ordered.body)) == (5, 3)


def test_collecting_leaves_bare_symbols_that_nothing_multiplies():
    """w + w takes no product; w · (1 + 1) would."""
    twice = kernel(Statement("out", Sum((Term(ONE, ("weight",)), Term(-ONE, ("weight",))))))
    assert collect_weighted_inputs(twice) == twice
    mixed = collect_weighted_inputs(
        kernel(Statement("out", Sum((Term(ONE, ("weight",)), Term(ONE, ("weight", "a"))))))
    )
    assert mixed.body[0].value == product("weight", Sum((Term(ONE), Term(ONE, ("a",)))))
