"""Which recorded tensors are views of which others, and where in memory they lie.

A value's sizes, strides and offset are known of every operation (``node.meta["val"]``, a tensor without
numbers).
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx

from tfngen.tracing.sizes import numbers

_aten = torch.ops.aten

VIEWS = {
    _aten.alias.default,
    _aten.detach.default,
    _aten.expand.default,
    _aten.permute.default,
    _aten.select.int,
    _aten.slice.Tensor,
    _aten.squeeze.dim,
    _aten.t.default,
    _aten.transpose.int,
    _aten.unsqueeze.default,
    _aten.view.default,
    _aten._unsafe_view.default,
}
"""Operators whose result is memory of their first argument."""
_SPLITS = {_aten.split_with_sizes.default, _aten.split.Tensor}


def viewed(node: fx.Node) -> fx.Node | None:
    """What `node` is a view of, if it is one."""
    if node.target in VIEWS:
        return node.args[0]
    if node.target is operator.getitem and node.args[0].target in _SPLITS:
        return node.args[0].args[0]
    return None


def root(node: fx.Node) -> fx.Node:
    """What `node` is a view of, however many views later; itself if it is none."""
    while (base := viewed(node)) is not None:
        node = base
    return node


def places(node: fx.Node) -> tuple[Any, ...]:
    """Sizes, strides and where it begins."""
    value: Tensor = node.meta["val"]
    return (value.dim(), *numbers((*value.shape, *value.stride(), value.storage_offset())))


def returned(graph: fx.Graph) -> list[fx.Node]:
    """What a program returns, tensor by tensor."""
    (output,) = graph.find_nodes(op="output")
    found: list[fx.Node] = list(output.args[0])
    return found
