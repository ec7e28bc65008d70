"""What two convolutions of a recorded program make and add up is made by one (`tfngen.runtime.twice`).

A loss on forces differentiates the gradient of a convolution, and then the convolution, by the same inputs
and weights. Left apart, every weight is read twice, and two arrays as large as all weights are written,
read and added into a third.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from tfngen.forms import FORM, TANGENT
from tfngen.runtime.convolution_operators import compute
from tfngen.runtime.plan import Edges

_PREFIX = "convolution_"
_ADD = torch.ops.aten.add.Tensor


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A call of a convolution's form.

    Attributes:
        name: of the form.
        plan: the package and the convolution.
        operands: by name.
        over: the tensors of the graph.
        results: by slot, those that are used.
    """

    node: fx.Node
    name: str
    plan: tuple[str, tuple[int, ...]]
    operands: Mapping[str, fx.Node]
    over: tuple[fx.Node | None, ...]
    results: Mapping[str, fx.Node]

    @classmethod
    def read(cls, node: fx.Node) -> _Convolution | None:
        """A call of one of the forms that are made together with others, or None."""
        if not isinstance(node.target, OpOverload) or node.target.namespace != "tfngen":
            return None
        name = node.target._opname.removeprefix(_PREFIX)
        if name not in ("d_input_weight", "backward", "double_backward"):
            return None
        form, (package, plan, *tensors) = FORM[name], node.args
        operands = dict(zip(form.operands, tensors, strict=False))
        by = (*form.by, "grad") if name == "double_backward" else form.by
        taken = {each.args[1]: each for each in node.users if each.target is operator.getitem}
        results = {slot: taken[at] for at, slot in enumerate(by) if at in taken}
        return cls(node, name, (package, tuple(plan)), operands, tuple(tensors[len(operands) :]), results)


def make_together(graph: fx.Graph) -> None:
    """Replace two convolutions by one wherever all that they have in common is added up."""
    calls = {each.node: each for node in graph.nodes if (each := _Convolution.read(node)) is not None}
    sums: dict[frozenset[fx.Node], list[fx.Node]] = defaultdict(list)
    for node in graph.nodes:
        if node.target is _ADD and not node.kwargs and all(_made_by(each) in calls for each in node.args):
            sums[frozenset(map(_made_by, node.args))].append(node)
    for pair, added in sums.items():
        if len(pair) == 2:
            one, other = sorted((calls[node] for node in pair), key=lambda call: call.name, reverse=True)
            if _are_one(one, other, added):
                _replace(graph, one, other, added)


def _made_by(value: Any) -> fx.Node | None:
    """The call of which `value` is a result."""
    is_result = isinstance(value, fx.Node) and value.target is operator.getitem
    return value.args[0] if is_result else None


def _are_one(one: _Convolution, other: _Convolution, added: list[fx.Node]) -> bool:
    """Whether the forms have a sum that one form makes, and of their results nothing else is used."""
    if one.plan != other.plan or one.over != other.over or other.name == "double_backward":
        return False
    common = ["input", "weight"] if one.name == "d_input_weight" else ["filter", "input", "weight"]
    if (one.name == "d_input_weight") != (other.name == "d_input_weight") and one.name != "double_backward":
        return False
    if any(one.operands[slot] is not other.operands[slot] for slot in common):
        return False
    sums = {}
    for node in added:
        slots = [_slot(call, node) for call in (one, other)]
        if slots[0] != slots[1]:
            return False
        sums[slots[0]] = node
    used = [(slot, result) for call in (one, other) for slot, result in call.results.items()]
    return all(slot == "grad" or (slot in sums and [*result.users] == [sums[slot]]) for slot, result in used)


def _slot(call: _Convolution, added: fx.Node) -> str | None:
    """The slot by which the summand of `call` is a derivative."""
    return next((slot for slot, result in call.results.items() if result in added.args), None)


def _together(one: _Convolution) -> str:
    return "d_input_weight_along" if one.name == "d_input_weight" else "backward_along"


def _replace(graph: fx.Graph, one: _Convolution, other: _Convolution, added: list[fx.Node]) -> None:
    """Make in `added`'s stead what `one`, along its tangents, and `other` add up to."""
    tangents = {"grad" + TANGENT: other.operands["grad"]}
    if one.name == "d_input_weight":
        tangents |= {"filter" + TANGENT: one.operands["filter"]}
        operands = {**one.operands, "filter": other.operands["filter"], **tangents}
    else:
        operands = {**one.operands, **tangents}
        if (d_grad := one.results.get("grad")) is not None:
            with graph.inserting_before(one.node):
                alone = _call(graph, "d_grad", one, operands)
                first = graph.call_function(operator.getitem, (alone, 0))
            first.meta = d_grad.meta
            d_grad.replace_all_uses_with(first)
    form = FORM[_together(one)]
    with graph.inserting_before(added[0]):
        both = _call(graph, form.name, one, operands)
        results = {slot: graph.call_function(operator.getitem, (both, at)) for at, slot in enumerate(form.by)}
    for node in added:
        slot = _slot(one, node)
        results[slot].meta = node.meta
        node.replace_all_uses_with(results[slot])


def _call(graph: fx.Graph, name: str, like: _Convolution, operands: Mapping[str, fx.Node]) -> fx.Node:
    given = [operands[each] for each in FORM[name].operands]
    return graph.call_function(_form(name, *like.plan), (*given, *like.over))


@cache
def _form(name: str, package: str, plan: tuple[int, ...]) -> Callable[..., list[Tensor]]:
    form = FORM[name]
    names, count = form.operands, len(form.operands)

    def direct(*tensors: Any) -> list[Tensor]:
        operands = dict(zip(names, tensors, strict=False))
        return compute(form, package, plan, operands, Edges.of(tensors[count:]))

    direct.__name__, direct.__module__ = f"{_PREFIX}{name}", "tfngen"
    return direct
