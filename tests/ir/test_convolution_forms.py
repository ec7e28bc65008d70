"""The kernels over a graph: derivatives of one form, and of it along tangents, exactly."""

from functools import cache
from random import Random

import pytest

from tests.ir.kernels import ill_formed, random_inputs, same_function
from tfngen.forms import FORM, FORMS, TANGENT
from tfngen.ir.cost import cost
from tfngen.ir.evaluate import evaluate
from tfngen.ir.lower_convolution import lower_convolution
from tfngen.ir.lower_paths import lower_path
from tfngen.ir.plan import plan_path
from tfngen.irreps import Path, enumerate_paths
from tfngen.roles import ROLE_OF_SLOT
from tfngen.symbolic.clebsch_gordan import clebsch_gordan
from tfngen.symbolic.surd import SurdSum

every_path = pytest.mark.parametrize("path", enumerate_paths(2), ids=str)
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


@cache
def couplings(path: Path):
    return tuple((c.m_filter, c.m_input, c.m_output, c.value) for c in clebsch_gordan(*path))


@cache
def plan(path: Path):
    return plan_path(path, couplings(path), "auto", 32)


def planned(path, form):
    return plan(path).graph_kernels[FORMS.index(form)].kernel


def planned_by_node(path, form):
    return plan(path).node_kernels[FORMS.index(form)].kernel


def by_roles(path, form, edge, channels):
    """What `form` returns, put together from the four roles of the path."""
    wanted = {}
    for slot, name in zip(form.by, form.results, strict=True):
        role = ROLE_OF_SLOT[slot]
        kernel = lower_path(path, couplings(path), role)
        moves = [each for each in form.along if each != slot] if form.along else [None]
        (result,) = kernel.outputs
        sums: dict[str, list[SurdSum]] = {}
        for moved in moves:
            values = evaluate(kernel, _moved(edge, moved), [_moved(each, moved) for each in channels])
            for symbol, each in values.items():
                before = sums.get(symbol, [SurdSum()] * len(each))
                sums[symbol] = [a + b for a, b in zip(before, each, strict=True)]
        wanted |= {symbol.replace(result.name, name, 1): each for symbol, each in sums.items()}
    return wanted


def _moved(values, slot):
    """The values with one slot's replaced by its tangent's."""
    if slot is None:
        return values
    tangent = f"{slot}{TANGENT}"
    moved = {
        name.replace(tangent, slot, 1): each for name, each in values.items() if name.startswith(tangent)
    }
    return {**values, **moved}


@every_form
@every_path
def test_a_form_is_what_the_roles_say(path, form):
    plain = lower_convolution(path, couplings(path), form)
    assert [operand.name for operand in plain.inputs] == list(form.operands)
    assert [operand.name for operand in plain.outputs] == list(form.results)
    edge, channels = random_inputs(plain, Random(f"{path} {form.name}"), 2)
    assert evaluate(plain, edge, channels) == by_roles(path, form, edge, channels)


@pytest.mark.parametrize("form", [each for each in FORMS if not each.sums_only], ids=lambda form: form.name)
@every_path
def test_what_a_node_holds_may_be_contracted_first(path, form):
    plain = lower_convolution(path, couplings(path), form)
    by_node = lower_convolution(path, couplings(path), form, by_node=True)
    best = planned_by_node(path, form)
    held = {statement.name for statement in by_node.node}
    assert len(held) == len({pair[:2] for pair in couplings(path)}) * len(form.held)
    for kernel in (by_node, best):
        read = {symbol for statement in kernel.body for symbol in statement.value.symbols()}
        assert not any(symbol.startswith("grad") for symbol in read)  # all of it is held
        assert ill_formed(kernel) == []
        assert same_function(plain, kernel, Random(str(path)), channels=2)
    assert best.before == best.after == ()  # nothing is left to be computed for an edge alone
    assert cost(best).channel.flops <= cost(by_node).channel.flops


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@every_path
def test_optimising_a_form_changes_no_result_and_adds_nothing_per_channel(path, form):
    plain, best = lower_convolution(path, couplings(path), form), planned(path, form)
    assert ill_formed(best) == []
    assert same_function(plain, best, Random(str(path)), channels=2)
    assert cost(best).channel.flops <= cost(plain).channel.flops


@every_path
def test_doing_several_at_once_saves_operations(path):
    """Backward shares brackets that its parts would each compute."""
    flops = {form.name: cost(planned(path, form)).channel.flops for form in FORMS}
    parts = flops["d_input"] + flops["d_filter"] + flops["d_weight"]
    assert flops["backward"] < parts
    assert flops["d_input_weight"] < flops["backward"]


def test_the_forms_of_all_paths_count_as_recorded():
    """Operations per channel for the 15 paths at l ≤ 2; a pass that changes them shows here."""
    counted = {
        form.name: sum(cost(planned(path, form)).channel.flops for path in enumerate_paths(2))
        for form in FORMS
    }
    assert counted == {
        "output": 242,
        "d_input": 242,
        "d_filter": 301,
        "d_weight": 278,
        "d_input_weight": 337,
        "backward": 622,
        "d_grad": 669,
        "double_backward": 1143,
        "d_input_weight_along": 603,
        "backward_along": 1740,
    }


def test_the_forms_by_node_count_as_recorded():
    """Operations per channel for the 15 paths at l ≤ 2, and those of a node, which all its edges share."""
    forms = [form for form in FORMS if not form.sums_only]
    costs = {form.name: [cost(planned_by_node(path, form)) for path in enumerate_paths(2)] for form in forms}
    counted = {
        name: (sum(each.channel.flops for each in all_), sum(each.node.flops for each in all_))
        for name, all_ in costs.items()
    }
    assert counted == {
        "d_filter": (293, 71),
        "d_weight": (278, 73),
        "d_input_weight": (337, 69),
        "backward": (606, 71),
        "double_backward": (1135, 65),
        "d_input_weight_along": (603, 146),
        "backward_along": (1724, 138),
    }
    for together, first, second in (
        ("d_input_weight_along", "d_input_weight", "d_input_weight"),
        ("backward_along", "backward", "double_backward"),
    ):
        assert counted[together][0] < counted[first][0] + counted[second][0]


def test_where_operands_belong():
    assert FORM["output"].gathered == ("input",)
    assert FORM["d_input"].held == ()
    assert FORM["d_input"].gathered == ("grad",)
    assert FORM["backward"].held == ("grad",)
    assert FORM["backward"].gathered == ("input",)
    assert FORM["d_grad"].gathered == ("input", "input_tangent")
    assert FORM["double_backward"].gathered == ("input", "input_tangent")
    assert FORM["backward_along"].held == ("grad", "grad_tangent")
    assert FORM["d_input_weight_along"].gathered == ("input",)
    scattering = ["d_input_weight", "backward", "double_backward", "d_input_weight_along", "backward_along"]
    assert [form.name for form in FORMS if form.scatters] == scattering
    assert [form.name for form in FORMS if form.sums_only] == ["output", "d_input", "d_grad"]
