"""Tensor products of rows in plain numbers: which channels of which rows are joined, and how they meet.

uvw   out_w = Σ_uv w_uvw x_u ⊗ y_v
uvu   out_u = Σ_v w_uv x_u ⊗ y_v
uvv   out_v = Σ_u w_uv x_u ⊗ y_v
uuu   out_u = w_u x_u ⊗ y_u
uv1   out = Σ_uv w_uv x_u ⊗ y_v, which is uvw with one channel of results
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

from tfngen.irreps import Path

MODES = ("uvw", "uvu", "uvv", "uuu", "uv1")
MOST_PAIRS = 1024
"""Components of products of pairs that are kept at a time: as vectors they fit the second-level cache."""


class RowInstruction(NamedTuple):
    """One term of a product: which channels of which rows it joins, in plain numbers.

    Offsets count elements of a row (``mul_ir``: components side by side), or weights.
    """

    mode: int
    """A position in `MODES`."""
    l_filter: int
    l_input: int
    l_output: int
    u: int
    """Channels of `x`."""
    v: int
    """Channels of `y`."""
    w: int
    """Channels of the result."""
    x_offset: int
    y_offset: int
    weight_offset: int
    out_offset: int

    @property
    def path(self) -> Path:
        return Path(self.l_filter, self.l_input, self.l_output)

    @property
    def weights(self) -> int:
        """How many it has."""
        sizes = {"uvw": (self.u, self.v, self.w), "uuu": (self.u,)}
        return prod(sizes.get(MODES[self.mode], (self.u, self.v)))

    def in_pieces(self) -> list[RowInstruction]:
        """The same for a few channels of `x` at a time, where the products of all pairs are many.

        None have to be made where there is one channel of results.
        """
        if MODES[self.mode] != "uvw":
            return [self]
        if self.w == 1:
            return [self._replace(mode=MODES.index("uv1"))]
        d_x, _, d_out = self.dims
        size = max(MOST_PAIRS // (self.v * d_out), 1)
        return [
            self._replace(
                u=min(size, self.u - first),
                x_offset=self.x_offset + first * d_x,
                weight_offset=self.weight_offset + first * self.v * self.w,
            )
            for first in range(0, self.u, size)
        ]

    @property
    def dims(self) -> tuple[int, int, int]:
        """The components of a channel of x, y and the result."""
        return 2 * self.l_input + 1, 2 * self.l_filter + 1, 2 * self.l_output + 1


class RowWidths(NamedTuple):
    """The length of a row of each, and of the weights."""

    x: int
    y: int
    weight: int
    grad: int


RowPlan = tuple[int, ...]


def encode_rows(widths: RowWidths, instructions: Sequence[RowInstruction]) -> RowPlan:
    """A product as integers, which is what an operator's schema can carry."""
    return (*widths, *(number for each in instructions for number in each))


@lru_cache(maxsize=128)
def decode_rows(plan: RowPlan) -> tuple[RowWidths, tuple[RowInstruction, ...]]:
    """The inverse of `encode_rows`.

    Raises:
        ValueError: no product has such numbers.
    """
    first, step = len(RowWidths._fields), len(RowInstruction._fields)
    if len(plan) < first or (len(plan) - first) % step or min(plan) < 0:
        raise ValueError(f"plan: {len(plan)} integers; it must be {first}, and {step} for each instruction")
    widths = RowWidths(*plan[:first])
    found = tuple(RowInstruction(*plan[at : at + step]) for at in range(first, len(plan), step))
    for each in found:
        if each.mode >= len(MODES):
            raise ValueError(f"plan: mode {each.mode}; there are {len(MODES)}")
        mode, (d_x, d_y, d_out) = MODES[each.mode], each.dims
        channels = {"uvw": each.w, "uvv": each.v, "uv1": 1}.get(mode, each.u)
        ends = RowWidths(
            each.x_offset + each.u * d_x,
            each.y_offset + each.v * d_y,
            each.weight_offset + each.weights,
            each.out_offset + channels * d_out,
        )
        if each.w != channels or (mode == "uuu" and each.u != each.v) or not each.u * each.v * each.w:
            raise ValueError(f"plan: {each} has no channels, or others than its mode, {mode}, joins")
        if any(end > width for end, width in zip(ends, widths, strict=True)):
            raise ValueError(f"plan: {each} reaches beyond rows of {widths}")
    return widths, found
