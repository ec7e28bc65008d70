"""What other packages' tensor products are: irreps, and instructions that couple them.

e3nn's modes say how channels meet:

    uvu   out_u = Σ_v w_uv x_u ⊗ y_v
    uvv   out_v = Σ_u w_uv x_u ⊗ y_v
    uvw   out_w = Σ_uv w_uvw x_u ⊗ y_v
    uuu   out_u = w_u x_u ⊗ y_u
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod, sqrt
from typing import NamedTuple

from tfngen.irreps import Irreps, Path

MODES = ("uvu", "uvv", "uvw", "uuu")


class UnsupportedError(ValueError):
    """Something tfngen has no kernels for; the message is the reason."""


class Instruction(NamedTuple):
    """One term of a product: ``in1[at_in1] ⊗ in2[at_in2]`` into ``out[at_out]``."""

    at_in1: int
    at_in2: int
    at_out: int
    mode: str
    has_weight: bool
    coefficient: float
    """What multiplies the symbol of norm 1, e3nn's ``wigner_3j``."""


@dataclass(frozen=True)
class Description:
    """A tensor product: irreps in ``mul_ir`` rows, and its instructions in the order of their weights."""

    irreps_in1: Irreps
    irreps_in2: Irreps
    irreps_out: Irreps
    instructions: tuple[Instruction, ...]

    def __post_init__(self) -> None:
        for each in self.instructions:
            if each.mode not in MODES:
                raise UnsupportedError(f"an instruction of mode {each.mode!r}; there are {', '.join(MODES)}")
            if each.mode == "uvw" and not each.has_weight:
                raise UnsupportedError("an instruction of mode 'uvw' without weights")
        if not any(prod(self.shape(each)) for each in self.instructions):
            raise UnsupportedError("no instruction couples anything")

    def channels(self, each: Instruction) -> tuple[int, int, int]:
        """Of both inputs and the output."""
        irreps = (self.irreps_in1, self.irreps_in2, self.irreps_out)
        return tuple(i.blocks[at].multiplicity for i, at in zip(irreps, each[:3], strict=True))  # type: ignore[return-value]

    def shape(self, each: Instruction) -> tuple[int, ...]:
        """That of its weights, had it any."""
        u, v, w = self.channels(each)
        return {"uvu": (u, v), "uvv": (u, v), "uvw": (u, v, w), "uuu": (u,)}[each.mode]

    def degrees(self, each: Instruction) -> tuple[int, int, int]:
        """Of both inputs and the output."""
        irreps = (self.irreps_in1, self.irreps_in2, self.irreps_out)
        return tuple(i.blocks[at].irrep.l for i, at in zip(irreps, each[:3], strict=True))  # type: ignore[return-value]

    def path(self, at: int, features_first: bool) -> Path:
        """The degrees of instruction `at`, where its first side is the features, or its second."""
        l1, l2, l_output = self.degrees(self.instructions[at])
        return Path(l2, l1, l_output) if features_first else Path(l1, l2, l_output)

    def scale(self, at: int, features_first: bool) -> float:
        """The instruction's coefficient over what ours have: √(2l_O + 1), and filter before input.

        Exchanging the two multiplies the symbol of a path of odd l_F + l_I + l_O by −1.
        """
        path = self.path(at, features_first)
        sign = -1.0 if features_first and not path.even else 1.0
        scale = sign * self.instructions[at].coefficient / sqrt(2 * path.l_output + 1)
        return round(scale) if abs(scale - round(scale)) < 1e-14 and round(scale) else scale

    def weight_offsets(self) -> list[int]:
        """Where each instruction's weights begin, and where all end."""
        sizes = (prod(self.shape(each)) if each.has_weight else 0 for each in self.instructions)
        return list(accumulate(sizes, initial=0))
