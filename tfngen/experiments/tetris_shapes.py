"""The eight shapes of four points, and copies of them moved about at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tfngen.experiments.motions import random_orders, random_rotations, random_translations

Point = tuple[int, int, int]

SHAPES: dict[str, tuple[Point, Point, Point, Point]] = {
    "chiral 1": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)),
    "chiral 2": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "square": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)),
    "line": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)),
    "corner": ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "L": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)),
    "T": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)),
    "zigzag": ((0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)),
}
"""The shapes of Thomas et al., arXiv:1802.08219, §5.1, in the one orientation they are trained in."""

NAMES = tuple(SHAPES)
CHIRAL_PAIR = (NAMES.index("chiral 1"), NAMES.index("chiral 2"))
"""The two that are each other's mirror image, and no rotation of each other."""

REACH = 3.0
"""Copies are shifted by up to this much along each axis; neighbouring points are 1 apart."""


def shape_positions() -> Tensor:
    """(shapes, points, 3) float64: every shape as it is trained."""
    return torch.tensor(list(SHAPES.values()), dtype=torch.float64)


@dataclass(frozen=True)
class Copies:
    """Moved copies of every shape, each copy of each shape by a motion of its own."""

    rotations: Tensor
    """(copies, shapes, 3, 3) float64."""
    rotated: Tensor
    """(copies, shapes, points, 3) float64: turned about the origin, nothing else."""
    moved: Tensor
    """The same, then shifted, and their points listed in another order."""

    @classmethod
    def draw(cls, number: int, seed: int) -> Copies:
        """`number` copies of every shape, the same ones for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        shapes = shape_positions()
        count, points, _ = shapes.shape
        each = number * count
        rotations = random_rotations(each, generator).reshape(number, count, 3, 3)
        shifts = random_translations(each, REACH, generator).reshape(number, count, 1, 3)
        orders = random_orders(each, points, generator).reshape(number, count, points, 1)
        rotated = torch.einsum("nsij,spj->nspi", rotations, shapes)
        return cls(rotations, rotated, (rotated + shifts).gather(2, orders.expand(-1, -1, -1, 3)))
