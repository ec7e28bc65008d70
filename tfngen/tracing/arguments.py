"""What a traced function takes and returns: tensors, and what is made of them.

`flatten` lists the tensors and says how they are put together; `rebuild` puts others together the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tfngen.irreps import Irrep, Irreps
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph


class Hole:
    """Where a tensor belongs."""


_PLAIN = (int, float, bool, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, slice)
_PLAIN_KINDS = frozenset(_PLAIN)
_HASHED = (nn.Module, Irrep, Irreps, range)


def signature(tensor: Tensor) -> Hashable:
    """All that a program may depend on of a tensor but its numbers."""
    stride = None if tensor.is_contiguous() else tensor.stride()
    return tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad, stride


def kind(tensor: Tensor) -> Hashable:
    """The same without the sizes, which a program may leave open."""
    shape, *others = signature(tensor)
    return (len(shape), *others)


def flatten(name: str, value: Any, tensors: list[Tensor]) -> Hashable:
    """Append all tensors in `value` to `tensors`, and return what else there is to it.

    Args:
        name: what messages call it.
        value: tensors, graphs, features, and containers of them.
        tensors: what is appended to.

    Raises:
        ValueError: something else.
    """
    kind = type(value)
    if isinstance(value, Tensor):
        tensors.append(value)
        return Hole
    if kind in _PLAIN_KINDS:
        return kind, value if kind is not slice else (value.start, value.stop, value.step)
    if kind is Graph:
        tensors += value._tensors
        return Graph, value.is_sorted, value.undirected is None, value.shifts is None, value.cell is None
    if kind is Features:
        tensors += value._tensors
        return Features, value._irreps
    if isinstance(value, (tuple, list)):
        return (kind, *[flatten(f"{name}[{at}]", each, tensors) for at, each in enumerate(value)])
    if kind is dict:
        found = [(key, flatten(f"{name}[{key!r}]", each, tensors)) for key, each in value.items()]
        return dict, tuple(found)
    if isinstance(value, _HASHED):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        named = ((field.name, getattr(value, field.name)) for field in fields(value))
        return (kind, *[flatten(f"{name}.{field}", each, tensors) for field, each in named])
    raise ValueError(
        f"{name}: got {kind.__name__}; traced functions take and return tensors, Graph, Features, numbers, "
        "strings, None, and tuples, lists, dictionaries and dataclasses of them"
    )


def rebuild(value: Any, function: Callable[[Any], Any]) -> Any:
    """`value` with `function` of each tensor, or of each hole, in the order of `flatten`."""
    kind = type(value)
    if isinstance(value, Tensor) or value is Hole:
        return function(value)
    if kind is Graph:
        return value._map(function)
    if kind is Features:
        return Features._of(value._irreps, [function(tensor) for tensor in value._tensors])
    if isinstance(value, tuple):
        parts = [rebuild(each, function) for each in value]
        return kind(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [rebuild(each, function) for each in value]
    if kind is dict:
        return {key: rebuild(each, function) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, (type, *_HASHED)):
        parts = {field.name: rebuild(getattr(value, field.name), function) for field in fields(value)}
        return replace(value, **parts)
    return value
