"""Templates get exactly the names they use, and hold no arithmetic."""

import re
from importlib import import_module

import jinja2
import pytest

from tfngen.build import derive, make_plan
from tfngen.emit import cuda_sources, row_sources, sources
from tfngen.emit.render import render, template_folder, variables
from tfngen.spec import TARGETS, BuildSpec

TEMPLATES = sorted(
    path.relative_to(template_folder()).as_posix() for path in template_folder().rglob("*.jinja")
)


SPECIALISED = {"a": {"irreps_in": "4x0e+4x1e", "irreps_filter": "0e+1e", "irreps_out": "0e+1e"}}


@pytest.fixture(
    scope="module",
    params=[BuildSpec(1, targets=TARGETS), BuildSpec(convolutions=SPECIALISED, targets=TARGETS)],
    ids=["all", "some"],
)
def given(request) -> dict[str, dict]:
    """What a build, or a report, hands to each template, the last time it does."""
    handed: dict[str, dict] = {}

    def spy(template, values):
        handed[template] = dict(values)
        return render(template, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "render", spy)
        patch.setattr(row_sources, "render", spy)
        patch.setattr(cuda_sources, "render", spy)
        report = import_module("tfngen.report.page")  # in its package this name is the function's
        patch.setattr(report, "render", spy)
        sources.package_sources(make_plan(request.param, derive(request.param)))
        report.page("name", "summary", (), "<svg></svg>")
    return handed


def test_every_template_is_used(given):
    assert sorted(given) == TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_given_exactly_the_names_it_uses(given, template):
    assert variables(template) == given[template].keys()
    assert variables(template)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_missing_name_fails(given, template):
    for name in given[template]:
        fewer = {key: value for key, value in given[template].items() if key != name}
        with pytest.raises(
            ValueError, match=rf"template {re.escape(template)}: missing \['{name}'\], unused \[\]"
        ):
            render(template, fewer)


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_unused_name_fails(given, template):
    with pytest.raises(
        ValueError, match=rf"template {re.escape(template)}: missing \[\], unused \['surplus'\]"
    ):
        render(template, {**given[template], "surplus": 1})


def test_an_attribute_that_is_not_there_fails(given):
    """Undefined is an error all the way down, not an empty string."""
    values = {**given["cpu/path.py.jinja"], "kernels": [{"name": "output"}]}
    with pytest.raises(jinja2.UndefinedError, match="parameters"):
        render("cpu/path.py.jinja", values)


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_contain_no_arithmetic(template):
    """No operator, comparison, call or number in any expression: values arrive finished."""
    tree = jinja2.Environment().parse((template_folder() / template).read_text(encoding="utf-8"))
    nodes = jinja2.nodes
    arithmetic = (
        nodes.BinExpr,
        nodes.UnaryExpr,
        nodes.Concat,
        nodes.Compare,
        nodes.Call,
        nodes.Assign,
        nodes.Macro,
    )
    assert [node for kind in arithmetic for node in tree.find_all(kind)] == []
    numbers = [node for node in tree.find_all(nodes.Const) if isinstance(node.value, int | float)]
    assert numbers == []
    assert {node.name for node in tree.find_all(nodes.Filter)} <= {"join", "length"}


def test_an_unknown_template_fails():
    with pytest.raises(jinja2.TemplateNotFound):
        render("cpu/nothing.py.jinja", {})
