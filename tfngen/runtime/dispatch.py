"""Operators, by two ways: through torch's dispatcher, and straight for tensors that nobody watches.

Whoever traces or transforms a program (torch.compile, torch.export, fake tensors, dispatch modes) sees
``torch.ops.tfngen``. Getting there and back takes four crossings between Python and C++, some 80 µs with a
derivative, longer than a convolution of a small molecule; plain tensors in a plain program are spared them.
Both ways run the same implementation and the same derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import _get_current_dispatch_mode

_library = torch.library.Library("tfngen", "DEF")


class _Operator(NamedTuple):
    dispatched: Callable[..., Any]
    implementation: Callable[..., Any]
    differentiable: type[torch.autograd.Function]


_OPERATORS: dict[str, _Operator] = {}


def register(
    name: str,
    schema: str,
    implementation: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any],
    setup_context: Callable[..., None],
) -> None:
    """Register one operator in full."""
    _library.define(f"{name}{schema}", tags=(torch.Tag.pt2_compliant_tag,))
    _library.impl(name, implementation, "CompositeExplicitAutograd")
    torch.library.register_fake(f"tfngen::{name}", fake, lib=_library)
    torch.library.register_autograd(f"tfngen::{name}", backward, setup_context=setup_context, lib=_library)

    def forward(ctx: Any, *arguments: Any) -> Any:
        output = implementation(*arguments)
        setup_context(ctx, arguments, output)
        return output

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    differentiable = type(f"tfngen_{name}", (torch.autograd.Function,), methods)
    _OPERATORS[name] = _Operator(getattr(torch.ops.tfngen, name).default, implementation, differentiable)


def call(name: str, *arguments: Any) -> Any:
    """Call ``tfngen::name``."""
    if torch.compiler.is_compiling():
        return getattr(torch.ops.tfngen, name).default(*arguments)
    operator = _OPERATORS[name]
    tensors = [each for each in arguments if isinstance(each, Tensor)]
    if _are_watched(tensors):
        return operator.dispatched(*arguments)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return operator.differentiable.apply(*arguments)
    return operator.implementation(*arguments)


def _are_watched(tensors: list[Tensor]) -> bool:
    """Whether a call with `tensors` may mean something else than computing with their memory now."""
    for tensor in tensors:
        if type(tensor) not in (Tensor, Parameter) or not (tensor.is_cpu or tensor.is_cuda):
            return True
    transformed = torch._C._are_functorch_transforms_active()
    return transformed or _get_current_dispatch_mode() is not None or torch.jit.is_tracing()
