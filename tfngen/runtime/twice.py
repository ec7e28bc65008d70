"""What two steps of one backward pass make together.

A loss on forces differentiates a convolution's gradient, and then the convolution itself. Both steps have
derivatives by the same filters, inputs and weights, which autograd would add up: every weight is read twice,
and two arrays as large as all weights are written, read and added into a third. So the first step leaves
its part to the second, where that is still to come in the same pass, and one kernel makes the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tfngen.forms import Form
from tfngen.runtime.dispatch import are_watched


class Part(NamedTuple):
    """A form, and what it is to be computed of."""

    form: Form
    operands: Mapping[str, Tensor]


class Left(NamedTuple):
    """What the derivative of a gradient has left to that of the convolution.

    Attributes:
        alone: what it would have computed.
        together: the same and the derivative of the convolution, but for the tangent of grad.
    """

    alone: Part
    together: Part


def belong(gradients: Iterable[Tensor], convolution: Any) -> None:
    """Note whose gradients these are: `convolution` is the node of autograd that makes them."""
    for node in {gradient.grad_fn for gradient in gradients} - {None}:
        node.convolution = convolution


def leave(node: Any, alone: Part, together: Part) -> bool:
    """Leave `alone` to the convolution whose gradient `node` has made; false if it has to be computed now."""
    convolution = getattr(node, "convolution", None)
    if convolution is None or torch.is_grad_enabled() or are_watched([*alone.operands.values()]):
        return False
    if not _is_to_come(convolution):
        return False
    _passes(convolution)[torch._C._current_graph_task_id()] = Left(alone, together)
    return True


def take(convolution: Any) -> Left | None:
    """What has been left to this node in this pass; nothing can be any more."""
    passes, number = _passes(convolution), torch._C._current_graph_task_id()
    left = passes.get(number)
    passes[number] = None
    return left


def _passes(convolution: Any) -> dict[int, Left | None]:
    """By the number of a backward pass, what has been left to this node; None once it has been come to."""
    if not hasattr(convolution, "passes"):
        convolution.passes = {}
    passes: dict[int, Left | None] = convolution.passes
    return passes


def _is_to_come(convolution: Any) -> bool:
    """Whether this pass will still come to that node, and nobody has left it anything."""
    number = torch._C._current_graph_task_id()
    if number < 0 or number in _passes(convolution):
        return False
    try:
        return bool(torch._C._will_engine_execute_node(convolution))
    except RuntimeError:
        return False
