"""What a traced function takes and returns: tensors, and what is made of them.

`flatten` lists the tensors and says how they are put together; `rebuild` puts others together the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from tfngen.irreps import Irrep, Irreps
from tfngen.runtime.dispatch import is_plain
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph


class Hole:
    """Where a tensor belongs."""


_PLAIN = frozenset((int, float, bool, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size))
_HASHED = (nn.Module, Irrep, Irreps, range)


def signature(tensor: Tensor) -> tuple[Any, ...]:
    """All that a program may depend on of a tensor but its numbers, and whether it is memory and no more."""
    stride = None if tensor.is_contiguous() else tensor.stride()
    return tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad, stride, is_plain(tensor)


def kind(tensor: Tensor) -> Hashable:
    """The same without the sizes, which a program may leave open."""
    shape, *others = signature(tensor)[:-1]
    return (len(shape), *others)


@dataclass(slots=True)
class Parts:
    """The tensors of something, and what is known of them at sight.

    Attributes:
        tensors: all of them.
        sight: everything that a program may depend on of them but their numbers.
    """

    tensors: list[Tensor] = field(default_factory=list)
    sight: list[Hashable] = field(default_factory=list)

    def add(self, tensor: Tensor) -> None:
        self.tensors.append(tensor)
        self.sight.append(signature(tensor))

    def add_graph(self, graph: Graph) -> Hashable:
        """Add all tensors of a graph, and return what else there is to it; orders are listed once."""
        known = _GRAPHS.get(graph)
        if known is None:
            pairs = graph.undirected and graph.undirected.num_pairs
            sight = (graph.num_edges, graph.num_nodes, graph.num_graphs, pairs, graph.device)
            _GRAPHS[graph] = known = graph._orders, sight
        orders, sight = known
        self.tensors += orders
        self.sight += sight
        for each in (graph.shifts, graph.cell):
            if each is not None:
                self.add(each)
        return Graph, graph.is_sorted, graph.undirected is None, graph.shifts is None, graph.cell is None


_GRAPHS: WeakKeyDictionary[Graph, tuple[tuple[Tensor, ...], tuple[Hashable, ...]]] = WeakKeyDictionary()
"""Of graphs that have been arguments: orders and sizes."""


def flatten(value: Any, parts: Parts) -> Hashable:
    """Add all tensors in `value` to `parts`, and return what else there is to it.

    Raises:
        TypeError: there is something in it that has no place here; `complain` says where.
    """
    made = type(value)
    if isinstance(value, Tensor):
        parts.add(value)
        return Hole
    if made in _PLAIN:
        return made, value
    if made is Graph:
        return parts.add_graph(value)
    if made is Features:
        for tensor in value._tensors:
            parts.add(tensor)
        return Features, value._irreps
    if isinstance(value, (tuple, list)):
        return (made, *[flatten(each, parts) for each in value])
    if made is dict:
        return dict, tuple([(key, flatten(each, parts)) for key, each in value.items()])
    if isinstance(value, _HASHED):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return (made, *[flatten(getattr(value, each.name), parts) for each in _given(value)])
    raise TypeError(made.__name__)


def _given(value: Any) -> list[Field[Any]]:
    """The fields that a dataclass is made of; others it finds for itself."""
    return [each for each in fields(value) if each.init]


def rebuild(value: Any, function: Callable[[Any], Any]) -> Any:
    """`value` with `function` of each tensor, or of each hole, in the order of `flatten`."""
    made = type(value)
    if isinstance(value, Tensor) or value is Hole:
        return function(value)
    if made is Graph:
        return value._map(function)
    if made is Features:
        return Features._of(value._irreps, [function(tensor) for tensor in value._tensors])
    if isinstance(value, tuple) and made not in _PLAIN:
        rebuilt = [rebuild(each, function) for each in value]
        return made(*rebuilt) if hasattr(value, "_fields") else tuple(rebuilt)
    if isinstance(value, list):
        return [rebuild(each, function) for each in value]
    if made is dict:
        return {key: rebuild(each, function) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, (type, *_HASHED)):
        named = {each.name: rebuild(getattr(value, each.name), function) for each in _given(value)}
        return replace(value, **named)
    return value


def complain(name: str, value: Any) -> None:
    """Say what `flatten` found no place for.

    Raises:
        ValueError: naming it, by what `value` is called.
    """
    try:
        flatten(value, Parts())
    except TypeError as error:
        if isinstance(value, (tuple, list)):
            inner = [(f"{name}[{at}]", each) for at, each in enumerate(value)]
        elif isinstance(value, dict):
            inner = [(f"{name}[{key!r}]", each) for key, each in value.items()]
        elif is_dataclass(value):
            inner = [(f"{name}.{each.name}", getattr(value, each.name)) for each in _given(value)]
        else:
            inner = []
        for each in inner:
            complain(*each)
        raise ValueError(
            f"{name}: got {type(value).__name__}; traced functions take and return tensors, Graph, Features, "
            "numbers, strings, None, and tuples, lists, dictionaries and dataclasses of them"
        ) from error
