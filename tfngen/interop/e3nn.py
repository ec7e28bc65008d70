"""To e3nn and back: the same irreps and components, packed in one tensor (e3nn's ``mul_ir`` layout).

tfngen uses e3nn's basis (m = −l…l with y as the polar axis) and order of channels, so nothing is rotated
or rescaled: both ways are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from tfngen.irreps import Block, Irrep, Irreps
from tfngen.runtime.features import Features

if TYPE_CHECKING:
    from e3nn import o3


def irreps_to_e3nn(irreps: Irreps | str) -> o3.Irreps:
    """``tfngen.Irreps`` → ``e3nn.o3.Irreps``, block for block.

    Raises:
        ModuleNotFoundError: e3nn is not installed.
    """
    try:
        from e3nn import o3
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("this needs e3nn; install it with: pip install 'tfngen[e3nn]'") from error
    return o3.Irreps([(multiplicity, (irrep.l, irrep.p)) for multiplicity, irrep in Irreps.parse(irreps)])


def irreps_from_e3nn(irreps: o3.Irreps) -> Irreps:
    """``e3nn.o3.Irreps`` → ``tfngen.Irreps``, block for block."""
    return Irreps(tuple(Block(block.mul, Irrep(block.ir.l, block.ir.p)) for block in irreps))


def to_e3nn(features: Features) -> tuple[Tensor, o3.Irreps]:
    """Features → (tensor (points, irreps.dim), its e3nn irreps)."""
    return features.packed(), irreps_to_e3nn(features.irreps)


def from_e3nn(tensor: Tensor, irreps: o3.Irreps) -> Features:
    """A tensor (points, irreps.dim) of e3nn irreps → Features; repeated irreps are joined, in order.

    Raises:
        ValueError: the tensor's shape is not (points, irreps.dim).
    """
    return Features.from_packed(tensor, irreps_from_e3nn(irreps))
