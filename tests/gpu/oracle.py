"""What a convolution and its derivatives are, by torch's own autograd in float64, on any device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tests.reference import ReferenceKernels
from tfngen.forms import TANGENT, Form
from tfngen.roles import SLOTS
from tfngen.runtime.plan import Edges, PackedPath, decode

COEFFICIENTS = ReferenceKernels(3).coefficients


def expected(
    form: Form, numbers: tuple[int, ...], operands: Mapping[str, Tensor], edges: Edges
) -> list[Tensor]:
    """What `form` returns, in float64: derivatives of T, or of its derivative along tangents.

    Args:
        form: of a kernel over a graph.
        numbers: the convolution's plan.
        operands: rows, by name; what the form does not take is made up, since T is linear in it.
        edges: of the graph.
    """
    widths, paths = decode(numbers)
    rows = dict(zip(SLOTS, zip(edges.rows, widths, strict=True), strict=True))
    slots = {
        slot: operands[slot].double() if slot in operands else edges_like(operands, rows[slot])
        for slot in SLOTS
    }
    slots = {slot: each.detach().requires_grad_() for slot, each in slots.items()}
    total = contracted(paths, slots, edges)
    if form.along:
        firsts = torch.autograd.grad(total, [slots[slot] for slot in form.along], create_graph=True)
        tangents = [operands[slot + TANGENT].double() for slot in form.along]
        total = sum(((f * t).sum() for f, t in zip(firsts, tangents, strict=True)), total.new_zeros(()))
    return list(torch.autograd.grad(total, [slots[slot] for slot in form.by]))


def edges_like(operands: Mapping[str, Tensor], shape: tuple[int, int]) -> Tensor:
    """Ones of that shape, where the operands are."""
    return torch.ones(shape, dtype=torch.float64, device=next(iter(operands.values())).device)


def contracted(paths: tuple[PackedPath, ...], slots: Mapping[str, Tensor], edges: Edges) -> Tensor:
    """T = Σ_edges Σ_paths Σ C · filter · input[source] · weight · grad[target]."""
    weight = slots["weight"] if edges.weight_index is None else slots["weight"][edges.weight_index]
    gathered = {
        "filter": slots["filter"],
        "input": slots["input"][edges.sources],
        "weight": weight,
        "grad": slots["grad"][edges.targets],
    }
    total = slots["filter"].new_zeros(())
    for path in paths:
        degrees, channels = path.degrees, path.channels
        y, x, w, g = (gathered[slot][:, path.offset(slot) :] for slot in SLOTS)
        x = x[:, : channels * (2 * degrees.l_input + 1)].unflatten(1, (-1, channels))
        y, w = y[:, : 2 * degrees.l_filter + 1], w[:, :channels]
        steps = [
            torch.arange(channels, device=g.device) + m * path.grad_step
            for m in range(2 * degrees.l_output + 1)
        ]
        g = g[:, torch.stack(steps)]
        table = COEFFICIENTS[degrees].to(y)
        total = total + torch.einsum("fio,ef,eic,ec,eoc->", table, y, x, w, g)
    return total
