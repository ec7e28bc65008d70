"""Steps that kernels do on tiles of rows, one after the other, as a program.

A tile is as many rows as a vector has lanes. Its operands are turned into lanes, worked on while they are in
the first caches, and what comes out is turned back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from tfngen.irreps import Path
from tfngen.runtime.row_plan import MODES, RowInstruction


class Base(IntEnum):
    """What an argument of a step is counted from."""

    NOTHING = 0
    """It is a plain number."""
    ROWS = 1
    """The number of rows."""
    SCRATCH = 2
    """A part's own memory, in vectors."""
    SUMS = 3
    """Derivatives by weights that a part sums for itself, in vectors."""
    X = 4
    Y = 5
    WEIGHT = 6
    GRAD = 7
    OUT = 8
    D_X = 9
    D_Y = 10
    D_WEIGHT = 11
    """Those sums, added up over lanes: one row of them for each part. Or a row for each row."""
    TILE = 12
    """Which of the tiles that take a step together; a number by the time it is taken."""
    TILES = 13
    """From one of them to the next, in elements; a number too."""


Argument = int | tuple[Base, int]
"""A plain number, or what is added to a base: elements, or vectors of scratch."""


class Step(NamedTuple):
    """A call of a kernel: its module, a path or `None` for those that mix; its name; its arguments."""

    path: Path | None
    name: str
    arguments: tuple[Argument, ...]


TOGETHER = 4
"""The tiles that derivatives by weights are summed over before these go back to memory."""


@dataclass(slots=True, eq=False)
class Program:
    """Steps done once before a part's tiles, for so many tiles at a time, and once after them.

    Attributes:
        lanes: the rows of a tile.
        by_row: whether each row has weights of its own.
        tiles: how many tiles take each step together.
        scratch: the vectors that a tile needs.
        work: multiply-adds of vectors for each tile, about.
    """

    lanes: int
    by_row: bool
    tiles: int = 1
    opening: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    closing: list[Step] = field(default_factory=list)
    scratch: int = 0
    work: int = 0

    def room(self, vectors: int) -> int:
        """Scratch for so many vectors, and for those that turning rows writes beyond them."""
        start = self.scratch
        self.scratch += -(-vectors // self.lanes) * self.lanes
        return start

    def read(self, base: Base, width: int) -> int:
        """Rows, turned into lanes: where they are."""
        lanes = self.room(width)
        self.add("read_rows", (Base.ROWS, 0), width, self.tiles, (Base.TILE, 0), (base, 0), scratch(lanes))
        return lanes

    def write(self, base: Base, width: int, lanes: int) -> None:
        """Lanes, turned into rows."""
        self.add("write_rows", (Base.ROWS, 0), width, self.tiles, (Base.TILE, 0), (base, 0), scratch(lanes))

    def clear(self, vectors: int, at: int) -> None:
        self.add("clear_lanes", vectors, scratch(at))

    def add(self, name: str, *arguments: Argument) -> None:
        self.steps.append(Step(None, name, arguments))

    def mix(
        self, mixing: Mixing, weights: Argument, inputs: Argument, outputs: Argument, adds: bool = False
    ) -> None:
        """outputs[w] = Σ_k weights[k, w] inputs[k], or added to what is there."""
        self.work += mixing.work
        name = "mix_rows" if self.by_row else "mix"
        self.add(f"{name}_{mixing.l}", *mixing.numbers(self.lanes), int(adds), weights, inputs, outputs)

    def d_mix(self, mixing: Mixing, d_weights: Argument, inputs: Argument, grads: Argument) -> None:
        """What `mix` derives to by its weights; by those that rows share, over all tiles at once."""
        self.work += mixing.work
        tiles = self.tiles, (Base.TILES, 0), (Base.TILES, 0)
        self.add(f"d_mix_{mixing.l}", *mixing.numbers(self.lanes), *tiles, d_weights, inputs, grads)

    def multiply(self, each: RowInstruction, name: str, is_outer: bool, *arrays: Argument) -> None:
        """The kernel `name` of a path for all pairs, u-major, or for channels that lie side by side.

        Where the result has one channel, those add up in it.
        """
        x, y, out = (dim * self.lanes for dim in each.dims)
        mode = MODES[each.mode]
        channels = each.v if mode in ("uvw", "uvv") else each.u
        out = 0 if mode == "uv1" else out
        steps = (0, x, out, each.v * out) if is_outer else (x, 0, out, 0)
        arguments = (channels, each.u if is_outer else 1, y, *steps, *arrays)
        self.work += channels * (each.u if is_outer else 1) * each.dims[0] * each.dims[2]
        self.steps.append(Step(each.path, name, arguments))

    def laid_out(self) -> list[Step]:
        """The steps for all tiles of a call: tile by tile, up to one that wants them all."""
        done: list[Step] = []
        waiting: list[Step] = []
        for step in [*self.steps, None]:
            if step is not None and (Base.TILES, 0) not in step.arguments:
                waiting.append(step)
                continue
            done += [self._at_tile(each, tile) for tile in range(self.tiles) for each in waiting]
            waiting = []
            if step is not None:
                done.append(self._at_tile(step, 0))
        return done

    def _at_tile(self, step: Step, tile: int) -> Step:
        """`step`, where a tile's scratch is behind that of the one before."""

        def placed(argument: Argument) -> Argument:
            if isinstance(argument, int):
                return argument
            base, offset = argument
            if base is Base.TILE:
                return tile
            if base is Base.TILES:
                return self.scratch * self.lanes
            return (base, offset + tile * self.scratch) if base is Base.SCRATCH else argument

        return step._replace(arguments=tuple(map(placed, step.arguments)))


class Mixing(NamedTuple):
    """How channels are mixed: `width` of degree l from `count` of them, in each of `groups`."""

    l: int
    count: int
    width: int
    strides: tuple[int, int]
    """From one weight to that of the next channel mixed, and to that of the next that comes out."""
    groups: int = 1
    """One weight apart, and one channel."""

    @property
    def work(self) -> int:
        return self.groups * self.count * self.width * (2 * self.l + 1)

    def numbers(self, lanes: int) -> tuple[int, ...]:
        step = (2 * self.l + 1) * lanes
        return self.groups, self.count, self.width, 1, *self.strides, step, step


def scratch(at: int) -> Argument:
    """A place in the memory of a tile."""
    return Base.SCRATCH, at
