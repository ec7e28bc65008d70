"""What becomes of a recorded program before it is run: the same numbers, by fewer and more direct calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from tfngen.runtime.checks import checked_edges
from tfngen.runtime.dispatch import implementation_of
from tfngen.runtime.plan import GRAPH_TENSORS, WEIGHT_TENSORS

_aten = torch.ops.aten


def simplify(module: fx.GraphModule) -> Constants:
    """Simplify the program of `module` in place.

    Returns:
        the tensors it has besides its arguments, which are its first arguments from now on.
    """
    graph = module.graph
    if not any(_changes_something(node) for node in graph.nodes):
        keep_one_of_each(graph)
        keep_one_of_each_view(graph)
        keep_one_of_each(graph)
    graph.eliminate_dead_code()
    constants = lift_constants(module)
    call_directly(graph)
    call_torch(graph)
    graph.lint()
    return constants


def _changes_something(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


_VIEWS = {
    _aten.alias.default,
    _aten.detach.default,
    _aten.expand.default,
    _aten.permute.default,
    _aten.slice.Tensor,
    _aten.squeeze.dim,
    _aten.t.default,
    _aten.transpose.int,
    _aten.unsqueeze.default,
    _aten.view.default,
    _aten._unsafe_view.default,
}
"""Operators whose result is memory of their first argument."""


def keep_one_of_each_view(graph: fx.Graph) -> None:
    """Views of one memory with equal sizes and strides are one: transposed twice, detached, sliced whole."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if not isinstance(node.meta.get("val"), Tensor):
            continue
        root = node
        while root.target in _VIEWS:
            root = root.args[0]
        if (first := seen.setdefault((root, _places(node)), node)) is not node:
            node.replace_all_uses_with(first)
            graph.erase_node(node)


def _places(node: fx.Node) -> tuple[Any, ...]:
    """Sizes, strides and where it begins; compared as they stand, since to ask is to settle them."""
    value: Tensor = node.meta["val"]
    numbers = (*value.shape, *value.stride(), value.storage_offset())
    return (value.dim(), *(each.node.expr if isinstance(each, torch.SymInt) else each for each in numbers))


def keep_one_of_each(graph: fx.Graph) -> None:
    """What is computed twice of the same is computed once: three layers have one radial basis."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if node.op not in ("call_function", "get_attr") or _is_random(node):
            continue
        key = (node.op, node.target, _hashable(node.args), _hashable(node.kwargs))
        if (first := seen.setdefault(key, node)) is not node:
            node.replace_all_uses_with(first)
            graph.erase_node(node)


def _is_random(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def _hashable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_hashable(each) for each in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(each)) for key, each in value.items())
    if isinstance(value, slice):
        return slice, _hashable((value.start, value.stop, value.step))
    return type(value), value  # 1, 1.0 and True are not the same argument


class Constants:
    """What a program found for itself, such as parameters, and its views of them.

    Memory is shared: what is written to a parameter in place is seen. A parameter that is given other memory
    (`Module.to`) gets other views.
    """

    def __init__(self, found: Sequence[Tensor], views: fx.GraphModule) -> None:
        self._found, self._views = tuple(found), views
        self._addresses: list[int] = []
        self._tensors: list[Tensor] = []

    def now(self) -> list[Tensor]:
        """The first arguments of the program."""
        addresses = [tensor.data_ptr() for tensor in self._found]
        if addresses != self._addresses:
            self._addresses, self._tensors = addresses, self._views(*self._found)
        return self._tensors


def constants_of(module: fx.GraphModule) -> list[Tensor]:
    """What the program found for itself, such as parameters."""
    return [getattr(module, node.target) for node in module.graph.find_nodes(op="get_attr")]


def lift_constants(module: fx.GraphModule) -> Constants:
    """Make arguments of what the program found for itself, and of views of it: always the same."""
    graph, found = module.graph, constants_of(module)
    views = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node.op == "get_attr":
            copies[node] = views.placeholder(node.target.lstrip("_"))
        elif node.target in _VIEWS and node.all_input_nodes and copies.keys() >= {*node.all_input_nodes}:
            copies[node] = views.node_copy(node, copies.__getitem__)
    used = [node for node in copies if not copies.keys() >= {*node.users}]
    views.output([copies[node] for node in used])
    first = next(iter(graph.nodes))
    for node in used:
        with graph.inserting_before(first):
            argument = graph.placeholder(copies[node].name)
        argument.meta = node.meta
        node.replace_all_uses_with(argument, lambda user: user not in copies)
    for node in reversed(copies):
        graph.erase_node(node)
    return Constants(found, fx.GraphModule({}, views))


def call_directly(graph: fx.Graph) -> None:
    """Call what computes, without the dispatcher; and check a graph once, not for each convolution."""
    checked: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if not isinstance(node.target, OpOverload) or node.target.namespace != "tfngen":
            continue
        name = node.target._opname
        with graph.inserting_before(node):
            if name.startswith("convolution_"):
                package, plan, *tensors = node.args
                count = len(tensors) - len(GRAPH_TENSORS) - len(WEIGHT_TENSORS)
                over = tuple(tensors[count:])
                if over not in checked:
                    checked[over] = graph.call_function(checked_edges, (over,))
                bound = _bound(name, package, tuple(plan))
                direct = graph.call_function(bound, (*tensors[:count], checked[over]))
            else:
                direct = graph.call_function(_bound(name), node.args)
        direct.meta = node.meta
        node.replace_all_uses_with(direct)
        graph.erase_node(node)


@cache
def _bound(name: str, *first: Any) -> Callable[..., Any]:
    """The implementation of an operator of ours, its first arguments given."""
    implementation = implementation_of(name)

    def direct(*arguments: Any) -> Any:
        return implementation(*first, *arguments)

    direct.__name__, direct.__module__ = name, "tfngen"
    return direct


def call_torch(graph: fx.Graph) -> None:
    """Call torch's own functions instead of operators by name: half the time where tensors are small."""
    for node in graph.nodes:
        if isinstance(node.target, OpOverload) and node.target.namespace == "aten":
            name = node.target._opname
            if name in _FUNCTIONS and "dtype" not in node.kwargs:
                node.target = getattr(torch, name)
            elif name in _METHODS:
                node.target = getattr(Tensor, name)


_FUNCTIONS = frozenset(
    "abs add addmm baddbmm bmm cat clamp cos cosh div eq exp ge gt index_add index_select le log lt mm mul ne "
    "neg permute pow reciprocal rsqrt rsub select sigmoid sign sin sinh split_with_sizes sqrt squeeze stack "
    "sub sum t tanh transpose unsqueeze where".split()  # noqa: SIM905
)
_METHODS = frozenset(["expand", "view"])
