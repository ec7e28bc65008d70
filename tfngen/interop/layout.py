"""Irreps in one row: how e3nn, cuEquivariance and tfngen lay them out, and each as the other.

A block of C channels of degree l is C · (2l + 1) numbers of a row. e3nn writes them channel by channel
(``mul_ir``), cuEquivariance component by component (``ir_mul``), and so do tfngen's kernels, which want the
channels of a component side by side. Blocks follow each other in the order of the irreps in both.
"""

from __future__ import annotations

from torch import Tensor

from tfngen.irreps import Block, Irreps
from tfngen.runtime import operators  # noqa: F401 (registers torch.ops.tfngen)
from tfngen.runtime.dispatch import call
from tfngen.runtime.features import Features, concatenate_channels

LAYOUTS = ("mul_ir", "ir_mul")


def to_features(rows: Tensor, irreps: Irreps | str, layout: str = "mul_ir") -> Features:
    """The irreps in `rows` as `Features`, (points, channels, 2l + 1) each.

    Views where `layout` is ``ir_mul`` and each irrep has one block; copies, channels innermost, else.

    Args:
        rows: (points, irreps.dim) float32 or float64.
        irreps: what is in a row, in order; text is read.
        layout: ``mul_ir`` (e3nn) or ``ir_mul`` (cuEquivariance).

    Raises:
        ValueError: an unknown layout, or rows that `irreps` do not describe.
    """
    irreps = Irreps.parse(irreps)
    if _checked("layout", layout) == "mul_ir":
        return Features.from_packed(rows, irreps)
    _check_rows(rows, irreps)
    parts: dict[object, list[Tensor]] = {}
    blocks = rows.split([block.dim for block in irreps], dim=1)
    for block, (channels, irrep) in zip(blocks, irreps, strict=True):
        if channels:
            parts.setdefault(irrep, []).append(block.unflatten(1, (irrep.dim, channels)).transpose(1, 2))
    return Features({irrep: concatenate_channels(part) for irrep, part in parts.items()})


def to_rows(features: Features, irreps: Irreps | str | None = None, layout: str = "mul_ir") -> Tensor:
    """The inverse of `to_features`: (points, irreps.dim), a new tensor.

    Args:
        features: any.
        irreps: the blocks to write and their order, those of `features` by default.
        layout: ``mul_ir`` (e3nn) or ``ir_mul`` (cuEquivariance).

    Raises:
        ValueError: an unknown layout, or irreps that do not have the channels of the features.
    """
    irreps = features.irreps if irreps is None else Irreps.parse(irreps)
    return turned(features.packed(irreps), irreps, "mul_ir", layout)


def turned(rows: Tensor, irreps: Irreps | str, layout: str, wanted: str) -> Tensor:
    """`rows` in the layout `wanted`: the same tensor where nothing has to move, else a new one.

    Args:
        rows: (points, irreps.dim).
        irreps: what is in a row, in order; text is read.
        layout: what `rows` are laid out as, ``mul_ir`` or ``ir_mul``.
        wanted: either.

    Raises:
        ValueError: an unknown layout, or rows that `irreps` do not describe.
    """
    irreps = Irreps.parse(irreps)
    _check_rows(rows, irreps)
    if _checked("layout", layout) == _checked("wanted", wanted) or not any(map(_moves, irreps)):
        return rows
    shapes = [(channels, irrep.dim) for channels, irrep in irreps]
    sizes = [size for shape in shapes for size in (shape if layout == "mul_ir" else shape[::-1])]
    moved: Tensor = call("turn_rows", rows, sizes)
    return moved


def _moves(block: Block) -> bool:
    return block.multiplicity > 1 and block.irrep.l > 0


def _check_rows(rows: Tensor, irreps: Irreps) -> None:
    if rows.ndim != 2 or rows.shape[1] != irreps.dim:
        raise ValueError(f"rows: shape {tuple(rows.shape)}; {irreps} need (points, {irreps.dim})")


def _checked(name: str, layout: str) -> str:
    if layout not in LAYOUTS:
        raise ValueError(f"{name}: got {layout!r}; it must be one of {', '.join(LAYOUTS)}")
    return layout
