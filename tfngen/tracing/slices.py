"""What is put together slice by slice is joined at once.

The derivative of a slice is zeros around it, and those of all slices of a tensor are added up; a module that
writes its results into zeros, side by side, is recorded the same way. Where slices cover all there is, both
are one concatenation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import fx

from tfngen.tracing.sizes import number, numbers

_aten = torch.ops.aten
_BACKWARD, _SCATTER = _aten.slice_backward.default, _aten.slice_scatter.default

_WHOLE = {_aten.copy.default: 1, _BACKWARD: 0, _SCATTER: 1}
"""Where those that write one tensor over another have it among their arguments."""


class _Slice(NamedTuple):
    """Where `value` goes: its place along `axis`."""

    start: int
    end: int
    axis: int
    value: fx.Node


def join_slices(graph: fx.Graph) -> None:
    """Concatenate what is assembled of slices that cover it."""
    for node in graph.nodes:
        if node.target in _WHOLE:
            _use_instead(graph, node, node.args[_WHOLE[node.target]])
    graph.eliminate_dead_code()
    added = _added(graph)
    for node in reversed(graph.nodes):
        slices = _in_order(_scattered(node) if node.target is _SCATTER else added.get(node, ()))
        if slices and _covers(slices, node):
            with graph.inserting_before(node):
                joined = _joined(graph, [each.value for each in slices], slices[0].axis)
            joined.meta = node.meta
            node.replace_all_uses_with(joined)
    graph.eliminate_dead_code()


def _use_instead(graph: fx.Graph, node: fx.Node, value: fx.Node) -> None:
    """Use `value` where what was written over with all of it is used, laid out alike where that matters."""
    one, other = node.meta["val"], value.meta["val"]
    if one.dtype != other.dtype or numbers(one.shape) != numbers(other.shape):
        return
    for_slices = all(user.target is _SCATTER for user in node.users)
    if for_slices or numbers(one.stride()) == numbers(other.stride()):
        node.replace_all_uses_with(value)
    elif one.is_contiguous():
        with graph.inserting_before(node):
            alike = _joined(graph, [value], 0)
        alike.meta = node.meta
        node.replace_all_uses_with(alike)


def _joined(graph: fx.Graph, values: list[fx.Node], axis: int) -> fx.Node:
    if len(values) == 1:  # all of it, in the layout of what was assembled
        layout = {"memory_format": torch.contiguous_format}
        return graph.call_function(_aten.clone.default, (values[0],), layout)
    return graph.call_function(_aten.cat.default, (values, axis))


def _covers(slices: list[_Slice], node: fx.Node) -> bool:
    """Whether sorted slices lie side by side, from the first to the last of an axis."""
    value, (axis, *others) = node.meta["val"], {each.axis for each in slices}
    ends = [each.end for each in slices]
    starts = [each.start for each in slices]
    return not others and value.is_contiguous() and [*starts, number(value.shape[axis])] == [0, *ends]


def _in_order(slices: Iterable[_Slice]) -> list[_Slice]:
    return sorted(slices, key=lambda each: each[:3])


def _scattered(node: fx.Node) -> Iterator[_Slice]:
    """Those written one after the other, into whatever was there."""
    while node.target is _SCATTER:
        base, value, *where = node.args
        found = _read(node, value, where)
        if found is None:
            return
        yield found
        if len(base.users) > 1:
            return
        node = base


def _added(graph: fx.Graph) -> dict[fx.Node, list[_Slice]]:
    """The slices that a sum of derivatives of slices consists of, where they do not overlap."""
    found: dict[fx.Node, list[_Slice]] = {}
    for node in graph.nodes:
        if node.target is _BACKWARD:
            value, _, *where = node.args
            if (only := _read(node, value, where)) is not None:
                found[node] = [only]
        elif node.target is _aten.add.Tensor and not node.kwargs and all(each in found for each in node.args):
            together = _in_order(part for each in node.args for part in found[each])
            if all(one.start < other.start >= one.end for one, other in pairwise(together)):
                found[node] = together
    return found


def _read(node: fx.Node, value: fx.Node, where: list[Any]) -> _Slice | None:
    """The slice that `node` puts in its place, if that is known and has no gaps."""
    axis, start, end, step = [*where, *(0, None, None, 1)[len(where) :]]
    size = number(node.meta["val"].shape[axis])
    start, end = start or 0, size if end is None else end
    if step != 1 or not all(isinstance(each, int) for each in (size, start, end)):
        return None
    return _Slice(start, min(end, size), axis % node.meta["val"].dim(), value)
