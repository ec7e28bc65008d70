"""The torch operators over a graph: a convolution, its gradient, and the gradient of that.

``tfngen::convolution_output``, ``_d_input``, ``_d_filter`` and ``_d_weight`` are the four roles over all
paths and the edges of a graph at once: no message per edge exists in memory, and each row is summed
by one thread in one order. The sum is one multilinear form too, so the four close under differentiation.

Where several derivatives are wanted, ``convolution_backward`` computes them in one pass, or
``convolution_d_input_weight`` where the filter's is not one of them, and ``convolution_double_backward`` the
derivatives of that in two; the third order is composed of the four.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from tfngen.forms import FORM, TANGENT, Form
from tfngen.roles import ROLE_OF_SLOT, SLOTS, Role
from tfngen.runtime.autocast import HALF
from tfngen.runtime.backend import backend
from tfngen.runtime.checks import check_operands, checked_edges
from tfngen.runtime.dispatch import Arguments, are_watched, call, register
from tfngen.runtime.operators import differentiable, rows_contiguous, wanted_gradients
from tfngen.runtime.plan import GRAPH_TENSORS, WEIGHT_TENSORS, Edges, Widths
from tfngen.runtime.twice import Part, belong, leave, take

D_INPUT_WEIGHT, BACKWARD = FORM["d_input_weight"], FORM["backward"]
DOUBLE_BACKWARD, D_GRAD = FORM["double_backward"], FORM["d_grad"]
D_INPUT_WEIGHT_ALONG, BACKWARD_ALONG = FORM["d_input_weight_along"], FORM["backward_along"]


_CALLED = {name: f"convolution_{name}" for name in FORM}
_RESULTS = {
    name: [(result, Widths._fields.index(slot)) for slot, result in zip(form.by, form.results, strict=True)]
    for name, form in FORM.items()
}
"""By form, what it returns, and the slot each of them is a derivative by."""


def convolve(name: str, package: str, plan: tuple[int, ...], operands: Sequence[Tensor], edges: Edges) -> Any:
    """Call ``tfngen::convolution_name`` over the edges of a `Graph`."""
    return call(_CALLED[name], package, plan, *operands, edges, tensors=operands)


def compute(
    form: Form, package: str, plan: tuple[int, ...], operands: Mapping[str, Tensor], edges: Edges
) -> list[Tensor]:
    """What `form` returns, computed now; autograd does not hear of it.

    Args:
        form: which derivatives.
        package: the fingerprint of a generated package.
        plan: the convolution.
        operands: those of `form` by name, which fit each other, the plan and the edges (`check_operands`).
        edges: the graph.
    """
    run, like = backend(edges.sources.device), next(iter(operands.values()))
    if like.dtype in HALF and not run.STORES_HALF:
        wide = {name: tensor.float() for name, tensor in operands.items()}
        return [each.to(like.dtype) for each in compute(form, package, plan, wide, edges)]
    rows = edges.rows
    results = {name: run.empty(like, rows[slot], plan[slot]) for name, slot in _RESULTS[form.name]}
    if not all(map(Tensor.is_contiguous, operands.values())):
        operands = _laid_out(operands)
    run.convolution(package, form, plan, operands, edges, results)
    return list(results.values())


def _laid_out(operands: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As kernels read them: rows side by side, but those that edges have may be apart, or all the same."""
    found = {
        name: rows_contiguous(each) if "filter" in name or "weight" in name else each.contiguous()
        for name, each in operands.items()
    }
    if "weight_tangent" in found and found["weight_tangent"].stride(0) != found["weight"].stride(0):
        found |= {name: found[name].contiguous() for name in ("weight", "weight_tangent")}
    return found


def _shapes(form: Form, plan: Sequence[int], edges: Edges) -> list[tuple[str, tuple[int, int]]]:
    """Those of what `form` returns."""
    rows = edges.rows
    return [(name, (rows[slot], plan[slot])) for name, slot in _RESULTS[form.name]]


def _register_convolution(
    name: str,
    forms: Sequence[Form],
    backward: Callable[[Any, list[Tensor], list[Tensor]], list[Tensor | None]],
) -> None:
    """Register ``convolution_name``, which returns what all of `forms` return.

    `backward` makes gradients, operand by operand, of the context, the saved operands and the cotangents.
    """
    operands = forms[0].operands
    count = len(operands)

    def fake(package: str, plan: Sequence[int], *tensors: Any) -> Any:
        edges = checked_edges(tensors[count:])
        check_operands(tuple(plan), dict(zip(operands, tensors[:count], strict=True)), edges)
        return _as_output(
            [tensors[0].new_empty(shape) for form in forms for _, shape in _shapes(form, plan, edges)]
        )

    def flatten(arguments: Arguments) -> Arguments:
        return (*arguments[:-1], *arguments[-1].tensors)

    def unflatten(arguments: Arguments) -> Arguments:
        package, plan, *tensors = arguments
        return package, tuple(plan), *tensors[:count], checked_edges(tensors[count:])

    def implementation(package: str, plan: tuple[int, ...], *arguments: Any) -> Any:
        named, edges = dict(zip(operands, arguments, strict=False)), arguments[-1]
        check_operands(plan, named, edges)
        return run(package, plan, named, edges)

    def trusted(package: str, plan: tuple[int, ...], *arguments: Any) -> Any:
        return run(package, plan, dict(zip(operands, arguments, strict=False)), arguments[-1])

    def run(package: str, plan: tuple[int, ...], named: dict[str, Tensor], edges: Edges) -> Any:
        results = compute(forms[0], package, plan, named, edges)
        for form in forms[1:]:
            taken = {name: named[name] for name in form.operands}
            results += compute(form, package, plan, taken, edges)
        return _as_output(results)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.package, plan, *arguments = inputs
        ctx.plan, ctx.others = tuple(plan), len(arguments) - count
        ctx.edges = arguments.pop() if ctx.others == 1 else None  # else tensors, behind the operands
        ctx.save_for_backward(*arguments)

    def vjp(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        saved = list(ctx.saved_tensors)
        if ctx.edges is None:
            ctx.edges = Edges.of(saved[count:])
        gradients = backward(ctx, saved[:count], list(cotangents))
        return None, None, *gradients, *[None] * ctx.others

    taken = [f"Tensor {each}" for each in (*operands, *GRAPH_TENSORS)]
    taken += [f"Tensor? {each}" for each in WEIGHT_TENSORS]
    returned = ", ".join("Tensor" for form in forms for _ in form.results)
    returned = f"({returned})" if "," in returned else returned
    schema = f"(str package, int[] plan, {', '.join(taken)}) -> {returned}"
    takes = flatten, unflatten, trusted
    register(f"convolution_{name}", schema, implementation, fake, vjp, setup_context, *takes)


def _as_output(tensors: list[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


def _register_role_over_graph(role: Role) -> None:
    """The sum of T over edges and paths is one form too, so its four roles close like those of a path."""

    def backward(ctx: Any, operands: list[Tensor], cotangents: list[Tensor]) -> list[Tensor | None]:
        slots = {**dict(zip(role.operands, operands, strict=True)), role.slot: cotangents[0]}
        wanted = [slot for slot, each in zip(role.operands, wanted_gradients(ctx), strict=False) if each]
        if role is Role.OUTPUT:
            now = not torch.is_grad_enabled() and not are_watched(cotangents)
            gradients = gradient(ctx, ctx.package, ctx.plan, slots, wanted, ctx.edges, now)
        else:
            if role is Role.D_FILTER and {"input", "weight"} <= {*wanted} and _left_by_d_filter(ctx, slots):
                wanted = [slot for slot in wanted if slot == "grad"]
            gradients = derivatives(ctx.package, ctx.plan, slots, wanted, ctx.edges)
        return [gradients[slot] if slot in wanted else None for slot in role.operands]

    _register_convolution(role.value, (FORM[role.value],), backward)


def derivatives(
    package: str,
    plan: tuple[int, ...],
    slots: Mapping[str, Tensor],
    wanted: Sequence[str],
    edges: Edges,
    now: bool = False,
) -> dict[str, Tensor]:
    """The partial derivatives of the form by the slots `wanted`, and perhaps others.

    Args:
        package: the fingerprint of a generated package.
        plan: the convolution.
        slots: all four operands of the form; what none of `wanted` depends on may be anything.
        wanted: names of slots.
        edges: the graph.
        now: whether nobody is to hear of it, and operands are known to fit: see `compute`.
    """
    found: dict[str, Tensor] = {}
    for form in _forms_for(frozenset(wanted)):
        operands = {name: slots[name] for name in form.operands}
        if now:
            results = compute(form, package, plan, operands, edges)
        else:
            results = convolve(form.name, package, plan, [*operands.values()], edges)
            results = results if len(form.by) > 1 else [results]
        found.update(zip(form.by, results, strict=True))
    return found


def gradient(
    node: Any,
    package: str,
    plan: tuple[int, ...],
    slots: Mapping[str, Tensor],
    wanted: Sequence[str],
    edges: Edges,
    now: bool = False,
) -> dict[str, Tensor]:
    """`derivatives` of the convolution that is `node` of autograd, with those left to it (`twice`)."""
    left = take(node)
    if left is not None and now and {*wanted} <= {*left.together.form.by}:
        form, operands = left.together
        operands = {**operands, "filter": slots["filter"], f"grad{TANGENT}": slots["grad"]}
        return dict(zip(form.by, compute(form, package, plan, operands, edges), strict=True))
    found = derivatives(package, plan, slots, wanted, edges, now)
    if left is not None:
        form, operands = left.alone
        for slot, each in zip(form.by, compute(form, package, plan, operands, edges), strict=True):
            found[slot] = found[slot].add_(each) if slot in found else each
    elif torch.is_grad_enabled() and not are_watched([*slots.values()]):
        belong(found.values(), node)
    return found


def _left_by_d_filter(ctx: Any, slots: Mapping[str, Tensor]) -> bool:
    """Whether its derivatives by input and weight are left; the filter of `slots` is its cotangent."""
    others = {slot: slots[slot] for slot in ("input", "weight", "grad")}
    alone = Part(D_INPUT_WEIGHT, {"filter": slots["filter"], **others})
    return leave(ctx, alone, Part(D_INPUT_WEIGHT_ALONG, {**others, f"filter{TANGENT}": slots["filter"]}))


@cache
def _forms_for(wanted: frozenset[str]) -> list[Form]:
    """As few as return derivatives by all of `wanted`."""
    together = []
    if len(wanted & set(BACKWARD.by)) > 1:
        together = [BACKWARD if "filter" in wanted else D_INPUT_WEIGHT]
    left = wanted.difference(*(form.by for form in together))
    return together + [FORM[ROLE_OF_SLOT[slot].value] for slot in SLOTS if slot in left]


def _backward_of_backward(ctx: Any, operands: list[Tensor], cotangents: list[Tensor]) -> list[Tensor | None]:
    if len(cotangents) < len(BACKWARD.by):  # of d_input_weight, along which the filter stays
        cotangents = [torch.zeros_like(operands[0]), *cotangents]
    named = dict(zip(DOUBLE_BACKWARD.operands, [*operands, *cotangents], strict=True))
    if leave(ctx, Part(DOUBLE_BACKWARD, named), Part(BACKWARD_ALONG, named)):
        along = {name: named[name] for name in D_GRAD.operands}
        return [None, None, None, *compute(D_GRAD, ctx.package, ctx.plan, along, ctx.edges)]
    return list(convolve("double_backward", ctx.package, ctx.plan, [*named.values()], ctx.edges))


def _backward_of_double_backward(
    ctx: Any, operands: list[Tensor], cotangents: list[Tensor]
) -> list[Tensor | None]:
    """The third derivative, through the four roles, which are differentiable in their turn."""
    higher = torch.is_grad_enabled()
    with torch.enable_grad():
        leaves = [differentiable(tensor) for tensor in operands]
        values = dict(zip(DOUBLE_BACKWARD.operands, leaves, strict=True))
        results = [
            sum(
                convolve(
                    ROLE_OF_SLOT[slot].value,
                    ctx.package,
                    ctx.plan,
                    [values[s + TANGENT if s == moved else s] for s in ROLE_OF_SLOT[slot].operands],
                    ctx.edges,
                )
                for moved in BACKWARD.by
                if moved != slot
            )
            for slot in (*BACKWARD.by, "grad")
        ]
        return list(
            torch.autograd.grad(results, leaves, cotangents, create_graph=higher, materialize_grads=True)
        )


for _role in Role:
    _register_role_over_graph(_role)
_register_convolution("d_input_weight", (D_INPUT_WEIGHT,), _backward_of_backward)
_register_convolution("backward", (BACKWARD,), _backward_of_backward)
_register_convolution("double_backward", (DOUBLE_BACKWARD, D_GRAD), _backward_of_double_backward)
