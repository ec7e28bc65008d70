"""Operators, by two ways: through torch's dispatcher, and straight for tensors that nobody watches.

Whoever traces or transforms a program (torch.compile, torch.export, fake tensors, dispatch modes) sees
``torch.ops.tfngen``. Getting there and back takes four crossings between Python and C++, some 80 µs with a
derivative, longer than a convolution of a small molecule; plain tensors in a plain program are spared them.
Both ways run the same implementation and the same derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

_library = torch.library.Library("tfngen", "DEF")


# What torch's public functions for these questions call in their turn, several functions further down.
_are_transforms_active = torch._C._are_functorch_transforms_active
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor
_count_modes = torch._C._len_torch_dispatch_stack
_is_tracing = torch._C._is_tracing

Arguments = tuple[Any, ...]


class _Operator(NamedTuple):
    dispatched: Callable[..., Any]
    flatten: Callable[[Arguments], Arguments]
    implementation: Callable[..., Any]
    differentiable: type[torch.autograd.Function]
    trusted: Callable[..., Any]


_OPERATORS: dict[str, _Operator] = {}


def register(
    name: str,
    schema: str,
    implementation: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any],
    setup_context: Callable[..., None],
    flatten: Callable[[Arguments], Arguments] = lambda arguments: arguments,
    unflatten: Callable[[Arguments], Arguments] = lambda arguments: arguments,
    trusted: Callable[..., Any] | None = None,
) -> None:
    """Register one operator in full.

    Args:
        name: of ``tfngen::name``.
        schema: its arguments and results, in torch's notation.
        implementation: what computes, of the arguments that `call` is given.
        fake: shapes and dtypes of the results, of the arguments in the schema.
        backward: gradients, of a context and cotangents.
        setup_context: fills a context; it sees the arguments of either way.
        flatten: what `call` is given, in the terms of the schema.
        unflatten: the inverse, which checks what it is given.
        trusted: `implementation` of arguments whose shapes, dtypes and devices are known to fit.
    """
    _library.define(f"{name}{schema}", tags=(torch.Tag.pt2_compliant_tag,))

    def dispatched(*arguments: Any) -> Any:
        return implementation(*unflatten(arguments))

    _library.impl(name, dispatched, "CompositeExplicitAutograd")
    torch.library.register_fake(f"tfngen::{name}", fake, lib=_library)
    torch.library.register_autograd(f"tfngen::{name}", backward, setup_context=setup_context, lib=_library)

    def forward(ctx: Any, *arguments: Any) -> Any:
        output = implementation(*arguments)
        setup_context(ctx, arguments, output)
        return output

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    differentiable = type(f"tfngen_{name}", (torch.autograd.Function,), methods)
    overload = getattr(torch.ops.tfngen, name).default
    trusted = trusted or implementation
    _OPERATORS[name] = _Operator(overload, flatten, implementation, differentiable, trusted)


def call(name: str, *arguments: Any, tensors: Sequence[Tensor] | None = None) -> Any:
    """Call ``tfngen::name``; `tensors` are those among its arguments that somebody may watch, all if None."""
    operator = _OPERATORS[name]
    if tensors is None:
        tensors = [each for each in arguments if isinstance(each, Tensor)]
    if are_watched(tensors):
        return operator.dispatched(*operator.flatten(arguments))
    if needs_gradient(tensors):
        return apply(operator.differentiable, *arguments)
    return operator.implementation(*arguments)


def trusted_implementation(name: str) -> Callable[..., Any]:
    """What computes ``tfngen::name``, of what `call` is given, if that fits; autograd does not hear of it."""
    return _OPERATORS[name].trusted


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """``function.apply`` of tensors that nobody watches, without its own search for those who do."""
    return super(torch.autograd.Function, function).apply(*arguments)


def needs_gradient(tensors: Sequence[Tensor]) -> bool:
    """Whether autograd wants to hear of what is computed with `tensors`."""
    if torch.is_grad_enabled():
        for tensor in tensors:
            if tensor.requires_grad:
                return True
    return False


def are_watched(tensors: Sequence[Tensor]) -> bool:
    """Whether a call with `tensors` may mean something else than computing with their memory now."""
    return is_someone_watching() or not all(map(is_plain, tensors))


def is_someone_watching() -> bool:
    """Whether whatever is called now may mean something else."""
    return bool(torch.compiler.is_compiling() or _are_transforms_active() or _count_modes() or _is_tracing())


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is memory of a processor or a GPU, and nothing more."""
    kind = type(tensor)
    if (kind is not Tensor and kind is not Parameter) or _is_wrapped(tensor):
        return False
    return tensor.is_cpu or tensor.is_cuda
