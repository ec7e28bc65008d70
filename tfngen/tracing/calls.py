"""How a recorded program calls what it calls: nothing between it and what computes.

A call through torch's dispatcher by an operator's name takes some microseconds more than torch's function
for the same, and one of ours some 50 more: a plan of a hundred numbers is copied twice on the way, and a
graph is taken apart and checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from tfngen.runtime.backend import backend
from tfngen.runtime.dispatch import trusted_implementation
from tfngen.runtime.fused import pack_now
from tfngen.runtime.plan import GRAPH_TENSORS, WEIGHT_TENSORS, Edges
from tfngen.tracing.views import returned, root

_aten = torch.ops.aten


def call_directly(graph: fx.Graph, changes_nothing: bool) -> None:
    """Replace operators by functions that compute the same.

    Args:
        graph: a program.
        changes_nothing: whether none of its operations writes to what another has made.
    """
    _call_ours(graph)
    results = {root(each) for each in returned(graph)}
    for node in graph.nodes:
        if isinstance(node.target, OpOverload) and node.target.namespace == "aten":
            _call_torch(node, may_share=changes_nothing and node not in results)


def _call_ours(graph: fx.Graph) -> None:
    edges: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if not isinstance(node.target, OpOverload) or node.target.namespace != "tfngen":
            continue
        name, arguments = node.target._opname, list(node.args)
        with graph.inserting_before(node):
            if name.startswith("convolution_"):
                package, plan, *tensors = arguments
                count = len(tensors) - len(GRAPH_TENSORS) - len(WEIGHT_TENSORS)
                over = tuple(tensors[count:])
                if over not in edges:
                    edges[over] = graph.call_function(_edges, over)
                bound, arguments = _bound(name, package, tuple(plan)), [*tensors[:count], edges[over]]
            else:
                fixed = [_kept(each) for each in takewhile(_is_fixed, arguments)]
                bound, arguments = _bound(name, *fixed), arguments[len(fixed) :]
            direct = graph.call_function(bound, tuple(arguments))
        direct.meta = node.meta
        node.replace_all_uses_with(direct)
        graph.erase_node(node)


def _is_fixed(argument: Any) -> bool:
    """Whether it is the same in every run: a name, a number or several."""
    parts = argument if isinstance(argument, (tuple, list)) else [argument]
    return all(isinstance(each, (str, int, float)) for each in parts)


def _kept(argument: Any) -> Any:
    return tuple(argument) if isinstance(argument, list) else argument


@cache
def _bound(name: str, *first: Any) -> Callable[..., Any]:
    """The implementation of an operator of ours, its first arguments given.

    What it takes was checked when the program was recorded, and so have been all sizes of arguments since.
    """
    implementation = trusted_implementation(name)

    def direct(*arguments: Any) -> Any:
        return implementation(*first, *arguments)

    return _named(direct, name)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__, function.__module__ = name, "tfngen"
    return function


def _edges(*tensors: Tensor | None) -> Edges:
    return Edges.of(tensors)


def _pack(*features: Tensor) -> Tensor:
    return pack_now(features)


def _window(rows: Tensor, sizes: Sequence[int], strides: Sequence[int], start: int) -> Tensor:
    return rows.as_strided((rows.shape[0], *sizes), strides, rows.storage_offset() + start)


def _mm(rows: Tensor, matrix: Tensor) -> Tensor:
    if rows.shape[0] * matrix.shape[1] < _LARGE:
        return torch.mm(rows, matrix)
    result: Tensor = backend(rows.device).empty(rows, rows.shape[0], matrix.shape[1])
    return torch.mm(rows, matrix, out=result)


def _addmm(bias: Tensor, rows: Tensor, matrix: Tensor) -> Tensor:
    if rows.shape[0] * matrix.shape[1] < _LARGE:
        return torch.addmm(bias, rows, matrix)
    result: Tensor = backend(rows.device).empty(rows, rows.shape[0], matrix.shape[1])
    return torch.addmm(bias, rows, matrix, out=result)


_LARGE = 2**18
"""Results of matrix products with more numbers lie in memory that is used again (`tfngen.runtime.linear`)."""
_PRODUCTS = {"mm": _named(_mm, "mm"), "addmm": _named(_addmm, "addmm")}

_named(_edges, "edges")
pack = _named(_pack, "pack")
"""(nodes, channels, 2l + 1) tensors → (nodes, all that); see `tfngen.runtime.layout.pack`."""
window = _named(_window, "window")
"""A view of as many rows: what each has from `start` on, with such sizes, and strides of rows too."""


def _call_torch(node: fx.Node, may_share: bool) -> None:
    """torch's own function for an operator of torch's, where it has one that takes the same arguments.

    A copy with another layout is none where that is the layout already, if its memory `may_share`.
    """
    name = node.target._opname
    if name in ("view", "_unsafe_view"):
        values, sizes = node.args
        open_sizes = [at for at, size in enumerate(sizes) if not isinstance(size, int)]
        if len(open_sizes) == 1 and 0 not in sizes:
            node.args = values, [-1 if at in open_sizes else size for at, size in enumerate(sizes)]
        node.target = Tensor.view
    elif name == "slice" and len(node.args) == 4 and all(isinstance(each, int) for each in node.args[1:]):
        values, axis, start, end = node.args
        size = values.meta["val"].shape[axis]
        if isinstance(size, int) and 0 <= start <= end:
            node.target, node.args = torch.narrow, (values, axis, start, min(end, size) - start)
    elif name == "softplus" and not node.kwargs:
        node.target = torch.nn.functional.softplus
    elif name == "clone" and may_share and node.kwargs == {"memory_format": torch.contiguous_format}:
        node.target, node.kwargs = Tensor.contiguous, {}
    elif name in _PRODUCTS and not node.kwargs and _is_computed(node.meta["val"]):
        node.target = _PRODUCTS[name]
    elif name in _FUNCTIONS and "dtype" not in node.kwargs:
        node.target = getattr(torch, name)
    elif name == "expand":
        node.target = Tensor.expand
    elif name == "sym_size":
        node.target = Tensor.size


def _is_computed(value: Tensor) -> bool:
    return value.dtype in (torch.float32, torch.float64)


_FUNCTIONS = {
    *("abs", "add", "addmm", "baddbmm", "bmm", "cat", "clamp", "cos", "cosh", "div", "eq", "exp", "ge", "gt"),
    *("index_add", "index_select", "le", "log", "lt", "mm", "mul", "ne", "neg", "permute", "pow", "rsqrt"),
    *("rsub", "select", "sigmoid", "sign", "sin", "sinh", "split_with_sizes", "sqrt", "squeeze", "stack"),
    *("reciprocal", "sub", "sum", "t", "tanh", "transpose", "unsqueeze", "where", "addcmul"),
}
