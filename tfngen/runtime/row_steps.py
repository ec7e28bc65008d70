"""Tensor products of rows, and their derivatives, as programs of steps.

Which side is mixed by the weights, and when, depends on the mode:

    uvw   all pairs of channels are multiplied, and the products mixed
    uvu   filters are mixed to one for each channel of features, and multiplied with it
    uvv   features are mixed to one for each channel of filters
    uuu   each filter is multiplied by its weight
    uv1   as uvu, and the products are added up

All of them are linear in rows `x` (features), rows `y` (filters), the weights and the cotangents, so the
derivatives are programs of the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tfngen.runtime.row_plan import MODES, RowInstruction, RowWidths
from tfngen.runtime.row_program import TOGETHER, Argument, Base, Mixing, Program, Step, scratch


@lru_cache(maxsize=128)
def product_program(widths: RowWidths, plan: tuple[RowInstruction, ...], by_row: bool, lanes: int) -> Program:
    """Σ over instructions of x ⊗ y, mixed by weights."""
    program = Program(lanes, by_row)
    x, y = program.read(Base.X, widths.x), program.read(Base.Y, widths.y)
    weight = program.read(Base.WEIGHT, widths.weight) if by_row else 0
    out = program.room(widths.grad)
    program.clear(widths.grad, out)
    room = program.room(_most_room(plan))
    for each in plan:
        own = _Own(program, each, {"x": x, "y": y, "weight": weight, "out": out}, room)
        own.multiply_pairs() if own.mode == "uvw" else own.multiply()
    program.write(Base.OUT, widths.grad, out)
    return program


@lru_cache(maxsize=128)
def gradient_program(
    widths: RowWidths,
    plan: tuple[RowInstruction, ...],
    wanted: tuple[bool, bool, bool],
    by_row: bool,
    lanes: int,
) -> Program:
    """The derivatives of Σ grad · product by those of x, y and the weights that are `wanted`."""
    by_x, by_y, by_weight = wanted
    program = Program(lanes, by_row, TOGETHER if by_weight and not by_row else 1)
    x, y = program.read(Base.X, widths.x), program.read(Base.Y, widths.y)
    grad = program.read(Base.GRAD, widths.grad)
    weight = program.read(Base.WEIGHT, widths.weight) if by_row else 0
    d_x, d_y = program.room(widths.x), program.room(widths.y)
    d_weight = program.room(widths.weight) if by_row and by_weight else 0
    program.clear(program.scratch - d_x, d_x)
    if by_weight and not by_row:
        sums = (Base.SUMS, 0)
        program.opening.append(Step(None, "clear_lanes", (widths.weight, sums)))
        program.closing.append(Step(None, "add_up", (widths.weight, sums, (Base.D_WEIGHT, 0))))
    room = program.room(_most_room(plan))
    for each in plan:
        places = {"x": x, "y": y, "out": grad, "weight": weight, "d_x": d_x, "d_y": d_y, "d_weight": d_weight}
        own = _Own(program, each, places, room)
        if own.mode == "uvw":
            own.derive_pairs(*wanted)
        elif own.mode == "uvv":
            own.derive_mixed(by_y, by_x, by_weight)
        else:
            own.derive_mixed(by_x, by_y, by_weight)
    if by_x:
        program.write(Base.D_X, widths.x, d_x)
    if by_y:
        program.write(Base.D_Y, widths.y, d_y)
    if by_weight and by_row:
        program.write(Base.D_WEIGHT, widths.weight, d_weight)
    return program


def _most_room(plan: Sequence[RowInstruction]) -> int:
    """The vectors that an instruction needs between its steps, at most."""
    return max((_room(each) for each in plan), default=0)


def _room(each: RowInstruction) -> int:
    if MODES[each.mode] == "uvw":
        return each.u * each.v * each.dims[2]
    return max(each.u, each.v) * max(each.dims)


@dataclass(frozen=True, slots=True)
class _Own:
    """An instruction's part in a program.

    Attributes:
        places: where a tile's operands and derivatives begin, in vectors of scratch.
        room: what it may use between its steps.
    """

    program: Program
    each: RowInstruction
    places: Mapping[str, int]
    room: int

    @property
    def mode(self) -> str:
        return MODES[self.each.mode]

    @property
    def target(self) -> Argument:
        return scratch(self.room)

    @property
    def weight(self) -> Argument:
        return self.at("weight") if self.program.by_row else (Base.WEIGHT, self.each.weight_offset)

    @property
    def d_weight(self) -> Argument:
        return self.at("d_weight") if self.program.by_row else (Base.SUMS, self.each.weight_offset)

    def at(self, name: str) -> Argument:
        """Where its channels of an operand, or of a derivative, begin."""
        return scratch(self.places[name] + getattr(self.each, f"{name.removeprefix('d_')}_offset"))

    @property
    def pairs(self) -> Mixing:
        """How all pairs, channels of x outermost, are mixed to channels of the result."""
        each = self.each
        return Mixing(each.l_output, each.u * each.v, each.w, (each.w, 1))

    def multiply_pairs(self) -> None:
        self.program.multiply(self.each, "pairs", True, self.at("y"), self.at("x"), self.target)
        self.program.mix(self.pairs, self.weight, self.target, self.at("out"), adds=True)

    def derive_pairs(self, by_x: bool, by_y: bool, by_weight: bool) -> None:
        each, program, target = self.each, self.program, self.target
        if by_weight:
            program.multiply(each, "pairs", True, self.at("y"), self.at("x"), target)
            program.d_mix(self.pairs, self.d_weight, target, self.at("out"))
        if by_x or by_y:
            back = Mixing(each.l_output, each.w, each.u * each.v, (1, each.w))
            program.mix(back, self.weight, self.at("out"), target)
        if by_x:
            program.multiply(each, "d_input", True, self.at("y"), target, self.at("d_x"))
        if by_y:
            program.multiply(each, "d_filter", True, self.at("x"), target, self.at("d_y"))

    @property
    def mixed(self) -> str:
        """The side that is mixed before it is multiplied."""
        return "x" if self.mode == "uvv" else "y"

    @property
    def ahead(self) -> Mixing:
        """How that side is mixed."""
        each = self.each
        if self.mode == "uvv":
            return Mixing(each.l_input, each.u, each.v, (each.v, 1))
        if self.mode in ("uvu", "uv1"):
            return Mixing(each.l_filter, each.v, each.u, (1, each.v))
        return Mixing(each.l_filter, 1, 1, (0, 0), groups=each.u)

    def mix_ahead(self) -> tuple[Argument, Argument]:
        """Filters and features side by side, once one of them is mixed."""
        self.program.mix(self.ahead, self.weight, self.at(self.mixed), self.target)
        return (self.at("y"), self.target) if self.mixed == "x" else (self.target, self.at("x"))

    def multiply(self) -> None:
        self.program.multiply(self.each, "output", False, *self.mix_ahead(), self.at("out"))

    def derive_mixed(self, by_other: bool, by_mixed: bool, by_weight: bool) -> None:
        """By the side that is not mixed directly; by that other one and the weights through the mixture."""
        program, each, ahead = self.program, self.each, self.ahead
        if by_other:
            filters, features = self.mix_ahead()
            if self.mixed == "x":
                program.multiply(each, "d_filter", False, features, self.at("out"), self.at("d_y"))
            else:
                program.multiply(each, "d_input", False, filters, self.at("out"), self.at("d_x"))
        if not (by_mixed or by_weight):
            return
        program.clear(ahead.groups * ahead.width * (2 * ahead.l + 1), self.room)
        name, other = ("d_input", "y") if self.mixed == "x" else ("d_filter", "x")
        program.multiply(each, name, False, self.at(other), self.at("out"), self.target)
        if by_mixed:
            back = ahead._replace(count=ahead.width, width=ahead.count, strides=ahead.strides[::-1])
            program.mix(back, self.weight, self.target, self.at(f"d_{self.mixed}"), adds=True)
        if by_weight:
            program.d_mix(ahead, self.d_weight, self.at(self.mixed), self.target)
