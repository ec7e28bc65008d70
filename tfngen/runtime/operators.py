"""The torch operators of tfngen: schema, implementation, fake implementation, derivative.

``tfngen::output``, ``d_input``, ``d_filter`` and ``d_weight`` are the four partial derivatives of the form T
of a path (`tfngen.roles`). T is linear in each slot, so the derivative of any of them by one of its operands
is again one of the four, with the cotangent in the slot that was missing: autograd closes to every order.

``tfngen::spherical_harmonics`` and its ``_vjp`` and ``_vjp_vjp`` are generated too; beyond those the
derivative is composed of the harmonics themselves, since the gradient of a solid harmonic is a sum of
harmonics one degree lower.

``tfngen::gather_rows`` and ``tfngen::sum_rows`` are each other's transposes; ``tfngen::turn_rows`` transposes
blocks of rows, and is undone by itself.

Those over a graph are in `tfngen.runtime.convolution_operators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tfngen.roles import ROLE_OF_SLOT, Role
from tfngen.runtime.autocast import HALF
from tfngen.runtime.backend import backend
from tfngen.runtime.dispatch import call, register
from tfngen.runtime.layout import channels_first_empty, channels_innermost
from tfngen.runtime.solid import composed_vjp

_OPTIONAL = ("weight",)


# ── paths ───────────────────────────────────────────────────────────────────────────────────────────────


def path_role(role: Role, package: str, path: Sequence[int], operands: Sequence[Tensor | None]) -> Tensor:
    """Call the operator of `role`; `operands` in the order of `Role.operands`."""
    return call(role.value, package, path, *operands)


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
        run = backend(result.device)
        if result.dtype in HALF and not run.STORES_HALF:
            wide = [None if operand is None else operand.float() for operand in operands]
            return implementation(package, path, *wide).to(result.dtype)
        run.path(package, path, role, laid_out, result)
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
    register(role.value, schema, implementation, fake, backward, setup_context)


def rows_contiguous(tensor: Tensor) -> Tensor:
    """The tensor with components (or channels) side by side; rows may be apart, or all the same."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


_LAYOUT = {
    "filter": rows_contiguous,
    "weight": rows_contiguous,
    "input": channels_innermost,
    "grad": channels_innermost,
}

for _role in Role:
    _register_role(_role)


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
    return None, None, call("spherical_harmonics_vjp", ctx.package, ctx.width, vectors, cotangent)


def _vjp_fake(package: str, width: int, vectors: Tensor, grads: Tensor) -> Tensor:
    return vectors.new_empty(vectors.shape)


def _vjp(package: str, width: int, vectors: Tensor, grads: Tensor) -> Tensor:
    result = vectors.new_empty(vectors.shape)
    backend(vectors.device).harmonics(package, 1, (vectors.contiguous(), grads.contiguous(), result))
    return result


def _vjp_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    vectors, grads = ctx.saved_tensors
    d_vectors, d_grads = call(
        "spherical_harmonics_vjp_vjp", ctx.package, ctx.width, vectors, grads, cotangent
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
        operands = [differentiable(tensor) for tensor in ctx.saved_tensors]
        vectors, grads, tangents = operands
        value = composed_vjp(ctx.package, ctx.width, vectors, grads)
        second = torch.autograd.grad(value, (vectors, grads), tangents, create_graph=True)
        total = (second[0] * d_vectors).sum() + (second[1] * d_grads).sum()
        gradients = torch.autograd.grad(total, operands, create_graph=higher, materialize_grads=True)
    return None, None, *gradients


def wanted_gradients(ctx: Any) -> list[bool]:
    """Which tensors of an operator's call the derivative now being computed leads to.

    `ctx.needs_input_grad` says which could have one; when forces are asked for, few of those are wanted.
    """
    return [is_wanted(node) for node, _ in ctx.next_functions]


def is_wanted(node: Any) -> bool:
    """Whether the derivative now being computed leads to `node`, the next one of autograd's, or None.

    Of a leaf whose derivative was asked for by `torch.autograd.grad` torch says so by raising, 15 to 30 µs.
    """
    if node is None:
        return False
    try:
        return bool(torch._C._will_engine_execute_node(node))
    except RuntimeError:  # or nobody is computing any
        return True


def differentiable(tensor: Tensor) -> Tensor:
    """`tensor` under a name of its own, so that differentiating by it sees no path through other operands."""
    return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()


register(
    "spherical_harmonics",
    "(str package, int width, Tensor vectors) -> Tensor",
    _harmonics,
    _harmonics_fake,
    _harmonics_backward,
    _harmonics_context,
)
register(
    "spherical_harmonics_vjp",
    "(str package, int width, Tensor vectors, Tensor grads) -> Tensor",
    _vjp,
    _vjp_fake,
    _vjp_backward,
    _harmonics_context,
)
register(
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
    return call("sum_rows", cotangent, *ctx.saved_tensors), None, None, None


def _sum_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    return call("gather_rows", cotangent, *ctx.saved_tensors), None, None, None


_ROWS = "(Tensor values, Tensor index, Tensor order, Tensor row_pointers) -> Tensor"
register("gather_rows", _ROWS, _gather, _gather_fake, _gather_backward, _rows_context)
register("sum_rows", _ROWS, _sum, _sum_fake, _sum_backward, _rows_context)


def _turn_fake(values: Tensor, blocks: Sequence[int]) -> Tensor:
    return values.new_empty(values.shape)


def _turn(values: Tensor, blocks: Sequence[int]) -> Tensor:
    if len(blocks) % 2 or min(blocks, default=0) < 0:
        raise ValueError(f"blocks: got {list(blocks)}; they must be pairs of sizes")
    width = sum(rows * columns for rows, columns in zip(blocks[::2], blocks[1::2], strict=True))
    if values.dim() != 2 or values.shape[1] != width or values.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"values: {values.dtype}, shape {tuple(values.shape)}; blocks {list(blocks)} need float32 or "
            f"float64, (rows, {width})"
        )
    values, run = rows_contiguous(values), backend(values.device)
    result: Tensor = run.empty(values, *values.shape)
    run.turn_rows(values, blocks, result)
    return result


def _turn_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.blocks = inputs[1]


def _turn_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    pairs = zip(ctx.blocks[::2], ctx.blocks[1::2], strict=True)
    return call("turn_rows", cotangent, [size for rows, columns in pairs for size in (columns, rows)]), None


register(
    "turn_rows", "(Tensor values, int[] blocks) -> Tensor", _turn, _turn_fake, _turn_backward, _turn_context
)
