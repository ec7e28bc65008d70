"""Every torch operator of tfngen: schema, implementation, fake implementation, derivative.

``tfngen::output``, ``d_input``, ``d_filter`` and ``d_weight`` are the four partial derivatives of the form T
of a path (`tfngen.roles`). T is linear in each slot, so the derivative of any of them by one of its operands
is again one of the four, with the cotangent in the slot that was missing: autograd closes to every order.

``tfngen::convolution_output`` and its three siblings are the same over a whole graph and all paths at once:
no message per edge exists in memory, and each row is summed by one thread in one order. Where several
derivatives are wanted, ``convolution_backward`` computes them in one pass, ``convolution_double_backward`` those
of that in two; the third order is composed of the four.

``tfngen::spherical_harmonics`` and its ``_vjp`` and ``_vjp_vjp`` are generated too; beyond those the
derivative is composed of the harmonics themselves, since the gradient of a solid harmonic is a sum of
harmonics one degree lower.

``tfngen::gather_rows`` and ``tfngen::sum_rows`` are each other's transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tfngen.forms import FORM, TANGENT, Form
from tfngen.roles import ROLE_OF_SLOT, SLOTS, Role
from tfngen.runtime.backend import backend
from tfngen.runtime.layout import channels_first_empty, channels_innermost
from tfngen.runtime.plan import Edges, Rows, Widths, check_convolution
from tfngen.runtime.solid import composed_vjp

_OPTIONAL = ("weight",)
_library = torch.library.Library("tfngen", "DEF")


def _register(
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


# ── paths ───────────────────────────────────────────────────────────────────────────────────────────────


def path_role(role: Role, package: str, path: Sequence[int], operands: Sequence[Tensor | None]) -> Tensor:
    """Call the operator of `role`; `operands` in the order of `Role.operands`."""
    return getattr(torch.ops.tfngen, role.value).default(package, path, *operands)


def _result(role: Role, path: Sequence[int], operands: dict[str, Tensor | None]) -> Tensor:
    """An empty tensor for the result of `role`, channels innermost in memory."""
    per_channel = [t for slot, t in operands.items() if slot in ("input", "grad") and t is not None]
    edges, channels, _ = per_channel[0].shape
    if role is Role.D_FILTER:
        return per_channel[0].new_empty(edges, 2 * path[0] + 1)
    if role is Role.D_WEIGHT:
        return per_channel[0].new_empty(edges, channels)
    degree = path[2] if role is Role.OUTPUT else path[1]
    return channels_first_empty(per_channel[0], edges, channels, 2 * degree + 1)


def _register_role(role: Role) -> None:
    arguments = ", ".join(f"Tensor{'?' if slot in _OPTIONAL else ''} {slot}" for slot in role.operands)

    def fake(package: str, path: Sequence[int], *operands: Tensor | None) -> Tensor:
        return _result(role, path, dict(zip(role.operands, operands, strict=True)))

    def implementation(package: str, path: Sequence[int], *operands: Tensor | None) -> Tensor:
        laid_out = {
            slot: None if operand is None else _LAYOUT[slot](operand)
            for slot, operand in zip(role.operands, operands, strict=True)
        }
        result = _result(role, path, laid_out)
        backend(result.device).path(package, path, role, laid_out, result)
        return result

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.package, ctx.path, *operands = inputs
        ctx.save_for_backward(*operands)

    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        slots = {**dict(zip(role.operands, ctx.saved_tensors, strict=True)), role.slot: cotangent}
        gradients: list[Tensor | None] = []
        for slot, needed in zip(role.operands, ctx.needs_input_grad[2:], strict=True):
            derivative = ROLE_OF_SLOT[slot]
            others = [slots[each] for each in derivative.operands]
            gradients.append(path_role(derivative, ctx.package, ctx.path, others) if needed else None)
        return None, None, *gradients

    schema = f"(str package, int[] path, {arguments}) -> Tensor"
    _register(role.value, schema, implementation, fake, backward, setup_context)


def _rows_contiguous(tensor: Tensor) -> Tensor:
    """The tensor with components (or channels) side by side; rows may be apart, or all the same."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


_LAYOUT = {
    "filter": _rows_contiguous,
    "weight": _rows_contiguous,
    "input": channels_innermost,
    "grad": channels_innermost,
}

for _role in Role:
    _register_role(_role)


# ── convolutions over graphs ────────────────────────────────────────────────────────────────────────────

GRAPH_TENSORS = ("sources", "targets", "target_order", "target_pointers", "source_order", "source_pointers")
WEIGHT_TENSORS = ("weight_index", "weight_order", "weight_pointers")
"""Which row of weights each edge has, and the edges of each row; None where every edge has its own."""
BACKWARD, DOUBLE_BACKWARD, D_GRAD = FORM["backward"], FORM["double_backward"], FORM["d_grad"]


def convolve(
    name: str, package: str, plan: Sequence[int], operands: Sequence[Tensor], graph: Sequence[Tensor | None]
) -> Any:
    """Call ``tfngen::convolution_name``; `graph` is `GRAPH_TENSORS` and then `WEIGHT_TENSORS`."""
    return getattr(torch.ops.tfngen, f"convolution_{name}").default(package, plan, *operands, *graph)


def _convolution_results(
    form: Form, plan: Sequence[int], operands: Mapping[str, Tensor], graph: Sequence[Tensor | None]
) -> dict[str, Tensor]:
    """Empty tensors for what `form` returns."""
    widths = dict(zip(Widths._fields, plan, strict=False))
    sources, _, _, pointers, _, _, _, _, weight_pointers = graph
    assert sources is not None
    assert pointers is not None
    edges, nodes = sources.shape[0], pointers.shape[0] - 1
    weight_rows = edges if weight_pointers is None else weight_pointers.shape[0] - 1
    rows = {"filter": edges, "input": nodes, "weight": weight_rows, "grad": nodes}
    anyone = next(iter(operands.values()))
    return {
        name: anyone.new_empty(rows[slot], widths[slot])
        for slot, name in zip(form.by, form.results, strict=True)
    }


def _run_convolution(
    form: Form, package: str, plan: Sequence[int], operands: dict[str, Tensor], graph: Sequence[Tensor | None]
) -> dict[str, Tensor]:
    """Compute what `form` returns, by name."""
    check_convolution(plan, operands, graph)
    results = _convolution_results(form, plan, operands, graph)
    shared_rows = 0 if graph[8] is None else graph[8].shape[0] - 1
    edges = Edges(*graph[:2], Rows(*graph[2:4]), Rows(*graph[4:6]), graph[6], shared_rows)
    laid_out = {
        name: _rows_contiguous(tensor) if "filter" in name or "weight" in name else tensor.contiguous()
        for name, tensor in operands.items()
    }
    if "weight_tangent" in laid_out and laid_out["weight_tangent"].stride(0) != laid_out["weight"].stride(0):
        laid_out |= {name: laid_out[name].contiguous() for name in ("weight", "weight_tangent")}
    run = backend(edges.sources.device)
    if edges.weight_index is None or "d_weight" not in results:
        run.convolution(package, form, tuple(plan), laid_out, edges, results)
        return results
    shared, edge_rows = results["d_weight"], edges.count
    by_edge = shared.new_empty(edge_rows, shared.shape[1])
    run.convolution(package, form, tuple(plan), laid_out, edges, {**results, "d_weight": by_edge})
    run.sum_rows(by_edge, graph[7], graph[8], shared)
    return results


def _register_convolution(
    name: str, forms: Sequence[Form], backward: Callable[[Any, list[Tensor], list[Tensor]], list[Tensor | None]]
) -> None:
    """Register ``convolution_name``, which returns what all of `forms` return.

    `backward` makes gradients, operand by operand, of the context, the saved operands and the cotangents.
    """
    operands = forms[0].operands
    count = len(operands)

    def fake(package: str, plan: Sequence[int], *tensors: Any) -> Any:
        named = dict(zip(operands, tensors, strict=False))
        return _as_output(
            [t for f in forms for t in _convolution_results(f, plan, named, tensors[count:]).values()]
        )

    def implementation(package: str, plan: Sequence[int], *tensors: Any) -> Any:
        named, results = dict(zip(operands, tensors, strict=False)), []
        for form in forms:
            taken = {name: named[name] for name in form.operands}
            results += _run_convolution(form, package, plan, taken, tensors[count:]).values()
        return _as_output(results)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.package, ctx.plan, *tensors = inputs
        ctx.save_for_backward(*tensors)

    def vjp(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        saved = list(ctx.saved_tensors)
        ctx.graph = saved[count:]
        gradients = backward(ctx, saved[:count], list(cotangents))
        return None, None, *gradients, *[None] * (len(saved) - count)

    taken = [f"Tensor {each}" for each in (*operands, *GRAPH_TENSORS)]
    taken += [f"Tensor? {each}" for each in WEIGHT_TENSORS]
    returned = ", ".join("Tensor" for form in forms for _ in form.results)
    returned = f"({returned})" if "," in returned else returned
    schema = f"(str package, int[] plan, {', '.join(taken)}) -> {returned}"
    _register(f"convolution_{name}", schema, implementation, fake, vjp, setup_context)


def _as_output(tensors: list[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


def _register_role_over_graph(role: Role) -> None:
    """The sum of T over edges and paths is one form too, so its four roles close like those of a path."""

    def backward(ctx: Any, operands: list[Tensor], cotangents: list[Tensor]) -> list[Tensor | None]:
        slots = {**dict(zip(role.operands, operands, strict=True)), role.slot: cotangents[0]}
        needed = ctx.needs_input_grad[2:5]
        if role is Role.OUTPUT and sum(needed) > 1:
            return list(convolve("backward", ctx.package, ctx.plan, [slots[s] for s in SLOTS], ctx.graph))
        gradients: list[Tensor | None] = []
        for slot, wanted in zip(role.operands, needed, strict=True):
            derivative = ROLE_OF_SLOT[slot]
            others = [slots[each] for each in derivative.operands]
            call = (derivative.value, ctx.package, ctx.plan, others, ctx.graph)
            gradients.append(convolve(*call) if wanted else None)
        return gradients

    _register_convolution(role.value, (FORM[role.value],), backward)


def _backward_of_backward(ctx: Any, operands: list[Tensor], cotangents: list[Tensor]) -> list[Tensor | None]:
    return list(convolve("double_backward", ctx.package, ctx.plan, [*operands, *cotangents], ctx.graph))


def _backward_of_double_backward(
    ctx: Any, operands: list[Tensor], cotangents: list[Tensor]
) -> list[Tensor | None]:
    """The third derivative, through the four roles, which are differentiable in their turn."""
    higher = torch.is_grad_enabled()
    with torch.enable_grad():
        leaves = [_differentiable(tensor) for tensor in operands]
        values = dict(zip(DOUBLE_BACKWARD.operands, leaves, strict=True))
        results = [
            sum(
                convolve(
                    ROLE_OF_SLOT[slot].value,
                    ctx.package,
                    ctx.plan,
                    [values[s + TANGENT if s == moved else s] for s in ROLE_OF_SLOT[slot].operands],
                    ctx.graph,
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
_register_convolution("backward", (BACKWARD,), _backward_of_backward)
_register_convolution("double_backward", (DOUBLE_BACKWARD, D_GRAD), _backward_of_double_backward)


# ── spherical harmonics ─────────────────────────────────────────────────────────────────────────────────


def _harmonics_fake(package: str, width: int, vectors: Tensor) -> Tensor:
    return vectors.new_empty(vectors.shape[0], width)


def _harmonics(package: str, width: int, vectors: Tensor) -> Tensor:
    result = _harmonics_fake(package, width, vectors)
    backend(vectors.device).harmonics(package, 0, (vectors.contiguous(), result))
    return result


def _harmonics_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.package, ctx.width, *tensors = inputs
    ctx.save_for_backward(*tensors)


def _harmonics_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    (vectors,) = ctx.saved_tensors
    return None, None, torch.ops.tfngen.spherical_harmonics_vjp(ctx.package, ctx.width, vectors, cotangent)


def _vjp_fake(package: str, width: int, vectors: Tensor, grads: Tensor) -> Tensor:
    return vectors.new_empty(vectors.shape)


def _vjp(package: str, width: int, vectors: Tensor, grads: Tensor) -> Tensor:
    result = vectors.new_empty(vectors.shape)
    backend(vectors.device).harmonics(package, 1, (vectors.contiguous(), grads.contiguous(), result))
    return result


def _vjp_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    vectors, grads = ctx.saved_tensors
    d_vectors, d_grads = torch.ops.tfngen.spherical_harmonics_vjp_vjp(
        ctx.package, ctx.width, vectors, grads, cotangent
    )
    return None, None, d_vectors, d_grads


def _vjp_vjp_fake(
    package: str, width: int, vectors: Tensor, grads: Tensor, tangents: Tensor
) -> tuple[Tensor, Tensor]:
    return vectors.new_empty(vectors.shape), vectors.new_empty(vectors.shape[0], width)


def _vjp_vjp(
    package: str, width: int, vectors: Tensor, grads: Tensor, tangents: Tensor
) -> tuple[Tensor, Tensor]:
    results = _vjp_vjp_fake(package, width, vectors, grads, tangents)
    operands = (vectors.contiguous(), grads.contiguous(), tangents.contiguous())
    backend(vectors.device).harmonics(package, 2, (*operands, *results))
    return results


def _vjp_vjp_backward(ctx: Any, d_vectors: Tensor, d_grads: Tensor) -> tuple[Any, ...]:
    """The third derivative, composed of operators that are differentiable in their turn."""
    higher = torch.is_grad_enabled()
    with torch.enable_grad():
        operands = [_differentiable(tensor) for tensor in ctx.saved_tensors]
        vectors, grads, tangents = operands
        value = composed_vjp(ctx.package, ctx.width, vectors, grads)
        second = torch.autograd.grad(value, (vectors, grads), tangents, create_graph=True)
        total = (second[0] * d_vectors).sum() + (second[1] * d_grads).sum()
        gradients = torch.autograd.grad(total, operands, create_graph=higher, materialize_grads=True)
    return None, None, *gradients


def _differentiable(tensor: Tensor) -> Tensor:
    """`tensor` under a name of its own, so that differentiating by it sees no path through other operands."""
    return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()


_register(
    "spherical_harmonics",
    "(str package, int width, Tensor vectors) -> Tensor",
    _harmonics,
    _harmonics_fake,
    _harmonics_backward,
    _harmonics_context,
)
_register(
    "spherical_harmonics_vjp",
    "(str package, int width, Tensor vectors, Tensor grads) -> Tensor",
    _vjp,
    _vjp_fake,
    _vjp_backward,
    _harmonics_context,
)
_register(
    "spherical_harmonics_vjp_vjp",
    "(str package, int width, Tensor vectors, Tensor grads, Tensor tangents) -> (Tensor, Tensor)",
    _vjp_vjp,
    _vjp_vjp_fake,
    _vjp_vjp_backward,
    _harmonics_context,
)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────


def _gather_fake(rows: Tensor, index: Tensor, order: Tensor, row_pointers: Tensor) -> Tensor:
    return rows.new_empty(index.shape[0], *rows.shape[1:])


def _gather(rows: Tensor, index: Tensor, order: Tensor, row_pointers: Tensor) -> Tensor:
    result = _gather_fake(rows, index, order, row_pointers)
    backend(rows.device).gather_rows(rows.contiguous(), index, result)
    return result


def _sum_fake(values: Tensor, index: Tensor, order: Tensor, row_pointers: Tensor) -> Tensor:
    return values.new_empty(row_pointers.shape[0] - 1, *values.shape[1:])


def _sum(values: Tensor, index: Tensor, order: Tensor, row_pointers: Tensor) -> Tensor:
    result = _sum_fake(values, index, order, row_pointers)
    backend(values.device).sum_rows(values.contiguous(), order, row_pointers, result)
    return result


def _rows_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[1:])


def _gather_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    return torch.ops.tfngen.sum_rows(cotangent, *ctx.saved_tensors), None, None, None


def _sum_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    return torch.ops.tfngen.gather_rows(cotangent, *ctx.saved_tensors), None, None, None


_ROWS = "(Tensor values, Tensor index, Tensor order, Tensor row_pointers) -> Tensor"
_register("gather_rows", _ROWS, _gather, _gather_fake, _gather_backward, _rows_context)
_register("sum_rows", _ROWS, _sum, _sum_fake, _sum_backward, _rows_context)
