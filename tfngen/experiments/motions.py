"""Random rigid motions and reorderings, drawn in float64 from an explicit generator."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def random_rotations(number: int, generator: Generator) -> Tensor:
    """Rotation matrices (number, 3, 3), float64, uniform over SO(3) by Haar measure.

    A normalised vector of four normal numbers is uniform on the unit quaternions, which cover SO(3) evenly
    (Shoemake, "Uniform random rotations", Graphics Gems III, 1992).
    """
    quaternions = torch.randn(number, 4, dtype=torch.float64, generator=generator)
    w, x, y, z = (quaternions / quaternions.norm(dim=1, keepdim=True)).unbind(1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def random_translations(number: int, reach: float, generator: Generator) -> Tensor:
    """Vectors (number, 3), float64, uniform in the cube [−reach, reach]³."""
    return reach * (2 * torch.rand(number, 3, dtype=torch.float64, generator=generator) - 1)


def random_orders(number: int, points: int, generator: Generator) -> Tensor:
    """Permutations (number, points) of 0 … points − 1, uniform."""
    return torch.rand(number, points, dtype=torch.float64, generator=generator).argsort(dim=1)
