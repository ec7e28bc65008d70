"""A convolution of features as one node of autograd: irreps side by side in, sums taken apart again.

Features are a tensor per irrep, and operators take rows with all of them. Packing, the operator and
unpacking, each a node of its own, would cost a molecule more than its arithmetic: together they are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tfngen.forms import FORM
from tfngen.runtime.backend import backend
from tfngen.runtime.convolution_operators import compute, convolve, gradient
from tfngen.runtime.dispatch import apply, are_watched, needs_gradient
from tfngen.runtime.layout import pack
from tfngen.runtime.operators import is_wanted
from tfngen.runtime.plan import Edges

Shapes = tuple[tuple[int, int], ...]

_OUTPUT = FORM["output"]


@dataclass(frozen=True, slots=True)
class Fused:
    """A convolution as its operators know it.

    Attributes:
        package: the fingerprint of a generated package.
        plan: see `tfngen.runtime.plan`.
        shapes_in: channels and components of each irrep of the features.
        shapes_out: the same of the sums.
    """

    package: str
    plan: tuple[int, ...]
    shapes_in: Shapes
    shapes_out: Shapes

    def over(  # not __call__: torch.compile before 2.13 takes such an object's hash before it has attributes
        self, edges: Edges, y: Tensor, weights: Tensor, features: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Convolve.

        Args:
            edges: of a graph.
            y: (edges, components or more).
            weights: (rows of weights, weights of an edge).
            features: (nodes, channels, 2l + 1), irrep by irrep.

        Returns:
            (nodes, channels, 2l + 1), irrep by irrep, channels innermost in memory.
        """
        tensors = (y, weights, *features)
        if are_watched(tensors):
            operands = self.filters(y), pack(features), weights
            return unpack(convolve("output", self.package, self.plan, operands, edges), self.shapes_out)
        if needs_gradient(tensors):
            found: Sequence[Tensor] = apply(_Node, self, edges, *tensors)
            return found
        return self.sums(edges, y, weights, pack_now(features))

    def sums(self, edges: Edges, y: Tensor, weights: Tensor, packed: Tensor) -> Sequence[Tensor]:
        """What is returned, of features side by side, where nobody watches."""
        operands = {"filter": self.filters(y), "input": packed, "weight": weights}
        return unpack_now(compute(_OUTPUT, self.package, self.plan, operands, edges)[0], self.shapes_out)

    def filters(self, y: Tensor) -> Tensor:
        """Those components of `y` that there are paths for."""
        components = self.plan[0]
        return y if y.shape[1] == components else y[:, :components]


class _Node(torch.autograd.Function):
    """`Fused.sums` and its derivative, which is differentiable in its turn."""

    @staticmethod
    def forward(
        ctx: Any, fused: Fused, edges: Edges, y: Tensor, weights: Tensor, *features: Tensor
    ) -> tuple[Tensor, ...]:
        packed = pack_now(features)
        ctx.fused, ctx.edges = fused, edges
        ctx.save_for_backward(packed, y, weights, *features)
        return tuple(fused.sums(edges, y, weights, packed))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        packed, y, weights, *features = ctx.saved_tensors
        now = not torch.is_grad_enabled() and not are_watched(cotangents)
        grad = packed_once(cotangents)
        if not now:
            packed = packed_once(features)  # as a function of them
        fused, (of_y, of_weights, *of_features) = ctx.fused, [node for node, _ in ctx.next_functions]
        slots = {"filter": fused.filters(y), "input": packed, "weight": weights, "grad": grad}
        by = {"filter": is_wanted(of_y), "weight": is_wanted(of_weights)}
        # Who wants both of those gets all three at once, and asking for more takes longer than it saves.
        ask = (lambda node: node is not None) if all(by.values()) else is_wanted
        by["input"] = any(map(ask, of_features))
        chosen = [slot for slot, each in by.items() if each]
        found = gradient(ctx, fused.package, fused.plan, slots, chosen, ctx.edges, now)
        d_y, d_weights, d_features = None, None, [None] * len(features)
        if by["filter"]:
            unused = y.shape[1] - found["filter"].shape[1]
            d_y = torch.nn.functional.pad(found["filter"], (0, unused)) if unused else found["filter"]
        if by["weight"]:
            d_weights = found["weight"]
        if by["input"]:
            d_features = (unpack_now if now else unpack)(found["input"], fused.shapes_in)
        return None, None, d_y, d_weights, *d_features


class _Pack(torch.autograd.Function):
    """`pack_now` and its derivative."""

    @staticmethod
    def forward(ctx: Any, *features: Tensor) -> Tensor:
        ctx.shapes = tuple((each.shape[1], each.shape[2]) for each in features)
        return pack_now(features)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, ...]:
        return tuple(unpack(cotangent, ctx.shapes))


def packed_once(features: Sequence[Tensor]) -> Tensor:
    """`pack`, in one call where nobody watches."""
    if are_watched(features):
        return pack(features)
    if needs_gradient(features):
        packed: Tensor = apply(_Pack, *features)
        return packed
    return pack_now(features)


def pack_now(features: Sequence[Tensor]) -> Tensor:
    """`pack` where autograd does not hear of it."""
    packed: Tensor = backend(features[0].device).pack(features)
    return packed


def unpack(rows: Tensor, shapes: Shapes) -> list[Tensor]:
    """The inverse of `pack`: views."""
    nodes, (channels, _) = rows.shape[0], shapes[0]
    if any(count != channels for count, _ in shapes):
        blocks = rows.split_with_sizes([count * dim for count, dim in shapes], 1)
        return [block.view(nodes, dim, count).mT for block, (count, dim) in zip(blocks, shapes, strict=True)]
    components = [dim for _, dim in shapes]
    together = rows.view(nodes, sum(components), channels)
    parts = [together] if len(shapes) == 1 else together.split_with_sizes(components, 1)
    return [part.mT for part in parts]


def unpack_now(rows: Tensor, shapes: Shapes) -> list[Tensor]:
    """`unpack` of contiguous rows that autograd does not hear of: an operation for each irrep."""
    nodes, width = rows.shape
    found, start = [], rows.storage_offset()
    for count, dim in shapes:
        found.append(rows.as_strided((nodes, count, dim), (width, 1, count), start))
        start += count * dim
    return found
