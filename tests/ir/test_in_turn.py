"""Sums over edges in the order of what an edge gathers: the same sums, and each component read once."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from random import Random

import pytest

from tests.ir.kernels import same_function
from tfngen.forms import FORMS
from tfngen.ir.cost import cost
from tfngen.ir.lower_convolution import lower_convolution
from tfngen.ir.nodes import Kernel
from tfngen.ir.passes import MORE, optimise_for_registers, optimise_over_graph
from tfngen.ir.passes.in_turn import FEW, MANY
from tfngen.irreps import Path, enumerate_paths
from tfngen.symbolic.clebsch_gordan import clebsch_gordan

SUMS = [form for form in FORMS if form.sums_only]

every_path = pytest.mark.parametrize("path", enumerate_paths(3), ids=str)
every_form = pytest.mark.parametrize("form", SUMS, ids=lambda form: form.name)


@cache
def plain(path, form):
    couplings = tuple((c.m_filter, c.m_input, c.m_output, c.value) for c in clebsch_gordan(*path))
    return lower_convolution(path, couplings, form)


@cache
def planned(path, form):
    return optimise_for_registers(plain(path, form))


def reads(kernel: Kernel, name: str) -> list[str]:
    """The components of an operand that are read, in order, each run of the same one once."""
    (symbols,) = (operand.symbols for operand in kernel.inputs if operand.name == name)
    found = (s for statement in kernel.body for s in statement.value.symbols() if s in symbols)
    return [symbol for symbol, _ in groupby(found)]


@every_form
@every_path
def test_the_sums_are_the_same(path, form):
    assert same_function(plain(path, form), planned(path, form).kernel, Random(str(path)), channels=2)


@every_form
@every_path
def test_few_operations_more_buy_registers(path, form):
    cheapest = cost(optimise_over_graph(plain(path, form)).kernel).channel.flops
    assert cheapest <= cost(planned(path, form).kernel).channel.flops <= MORE * cheapest


@every_form
@every_path
def test_a_name_has_a_value_before_it_is_used(path, form):
    kernel = planned(path, form).kernel
    known = {symbol for operand in kernel.inputs for symbol in operand.symbols}
    known |= {statement.name for statement in kernel.before}
    for statement in kernel.body:
        assert known.issuperset(statement.value.symbols())
        known.add(statement.name)
    assert known.issuperset(kernel.output_symbols)


@every_form
@every_path
def test_a_component_is_read_and_done_with(path, form):
    best = planned(path, form)
    if best.strategy == "in turn":
        for name in form.gathered:
            found = reads(best.kernel, name)
            assert len(found) == len(set(found)) > 0


def test_most_paths_take_turns():
    """Where the filter is a number, a weight times that is shared by all sums, which is cheaper."""
    strategies = {path: planned(path, SUMS[0]).strategy for path in enumerate_paths(3)}
    others = [path for path, strategy in strategies.items() if strategy != "in turn"]
    assert others == [(0, 1, 1), (0, 2, 2), (0, 3, 3)]


def test_weights_come_last_where_sums_are_few():
    """(3, 3, 1): three multiplications by the weight, for the sums, and not seven, for the components."""
    body = planned(Path(3, 3, 1), SUMS[0]).kernel.body
    assert [each.name for each in body if "weight" in each.value.symbols()] == [
        "output_x",
        "output_y",
        "output_z",
    ]
    assert FEW == 3


def test_sums_beyond_those_that_find_registers_are_added_last():
    """(2, 3, 3): of seven sums, six grow with each component; the seventh is one statement of its own."""
    body = planned(Path(2, 3, 3), SUMS[0]).kernel.body
    *_, last = body
    assert last.name == "output_p3"
    assert [each for each in body if each.name == last.name] == [last]
    assert [*last.value.symbols()] == ["sum_p3"]
    assert sum(each.name == "output_p2" for each in body) > 1
    assert MANY == 6
