"""The torch operators for tensor products of rows, with weights that all rows share or of their own.

``tfngen::row_product`` is linear in x, y and the weights; ``tfngen::row_product_backward`` gives its
derivatives by all three, each linear in the other two and the cotangent. The derivatives of that are sums of
the same two with one operand exchanged for what came in, so both close to every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tfngen.runtime.backend import backend
from tfngen.runtime.dispatch import call, register
from tfngen.runtime.operators import wanted_gradients
from tfngen.runtime.row_plan import RowPlan, RowWidths, decode_rows


def row_product(package: str, plan: RowPlan, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Call ``tfngen::row_product``.

    Args:
        package: the fingerprint of a generated package with all paths.
        plan: from `tfngen.runtime.row_plan`.
        x, y: (rows, width).
        weights: (weights,), the same for every row, or (rows, weights).

    Returns:
        (rows, width).
    """
    result: Tensor = call("row_product", package, plan, x, y, weights)
    return result


def _check(plan: RowPlan, x: Tensor, y: Tensor, weights: Tensor, grad: Tensor | None = None) -> None:
    widths, _ = decode_rows(plan)
    wanted = {"x": (x, (x.shape[0], widths.x)), "y": (y, (x.shape[0], widths.y))}
    shape = (widths.weight,) if weights.dim() == 1 else (x.shape[0], widths.weight)
    wanted |= {"weights": (weights, shape)}
    if grad is not None:
        wanted["grad"] = grad, (x.shape[0], widths.grad)
    for name, (tensor, shape) in wanted.items():
        if tensor.shape != shape:
            raise ValueError(f"{name}: shape {tuple(tensor.shape)}; it must be {shape}")
        if tensor.dtype != x.dtype or tensor.device != x.device:
            raise ValueError(f"{name}: {tensor.dtype} on {tensor.device}; x is {x.dtype} on {x.device}")
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"x: {x.dtype}; it must be torch.float32 or torch.float64")


def _forward_fake(package: str, plan: RowPlan, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], plan[RowWidths._fields.index("grad")])


def _forward(package: str, plan: RowPlan, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    plan = tuple(plan)
    _check(plan, x, y, weights)
    run = backend(x.device)
    result: Tensor = run.empty(x, x.shape[0], decode_rows(plan)[0].grad)
    run.row_product(
        package, *decode_rows(plan), (x.contiguous(), y.contiguous(), weights.contiguous()), result
    )
    return result


def _context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.package, plan, *rest = inputs
    ctx.plan, tensors = tuple(plan), [each for each in rest if isinstance(each, Tensor)]
    ctx.save_for_backward(*tensors)


def _forward_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    wanted = [int(each) for each in wanted_gradients(ctx)]
    found = call("row_product_backward", ctx.package, ctx.plan, wanted, *ctx.saved_tensors, grad)
    return None, None, *(each if want else None for each, want in zip(found, wanted, strict=True))


def _backward_fake(
    package: str, plan: RowPlan, wanted: Sequence[int], x: Tensor, y: Tensor, weights: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    x, y, weights = (
        each.new_empty(each.shape if want else (0,))
        for each, want in zip((x, y, weights), wanted, strict=True)
    )
    return x, y, weights


def _backward(
    package: str, plan: RowPlan, wanted: Sequence[int], x: Tensor, y: Tensor, weights: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    plan, chosen = tuple(plan), tuple(bool(each) for each in wanted)
    if len(chosen) != 3:
        raise ValueError(f"wanted: {len(chosen)} numbers; it must be 3, for x, y and weights")
    _check(plan, x, y, weights, grad)
    run = backend(x.device)
    results = tuple(
        run.empty(x, *each.shape) if want else x.new_empty(0)
        for each, want in zip((x, y, torch.atleast_2d(weights)), chosen, strict=True)
    )
    operands = tuple(each.contiguous() for each in (x, y, weights, grad))
    run.row_product_backward(package, *decode_rows(plan), chosen, operands, results)
    by_x, by_y, by_weights = results
    return by_x, by_y, by_weights.flatten() if weights.dim() == 1 else by_weights


def _backward_backward(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """With c in place of one operand at a time, the derivatives are those of three products."""
    operands, grad = list(ctx.saved_tensors[:3]), ctx.saved_tensors[3]
    needed = ctx.needs_input_grad[3:]
    found: list[Tensor | None] = [None] * 4
    for at, cotangent in enumerate(cotangents):
        if cotangent.shape != operands[at].shape:  # nobody wanted this derivative
            continue
        moved = [*operands[:at], cotangent, *operands[at + 1 :]]
        wanted = [int(needed[other] and other != at) for other in range(3)]
        if any(wanted):
            parts = call("row_product_backward", ctx.package, ctx.plan, wanted, *moved, grad)
            for other in (each for each in range(3) if wanted[each]):
                found[other] = _added(found[other], parts[other])
        if needed[3]:
            found[3] = _added(found[3], call("row_product", ctx.package, ctx.plan, *moved))
    return None, None, None, *found


def _added(total: Tensor | None, part: Tensor) -> Tensor:
    return part if total is None else total + part


register(
    "row_product",
    "(str package, int[] plan, Tensor x, Tensor y, Tensor weights) -> Tensor",
    _forward,
    _forward_fake,
    _forward_backward,
    _context,
)
register(
    "row_product_backward",
    "(str package, int[] plan, int[] wanted, Tensor x, Tensor y, Tensor weights, Tensor grad) "
    "-> (Tensor, Tensor, Tensor)",
    _backward,
    _backward_fake,
    _backward_backward,
    _context,
)
