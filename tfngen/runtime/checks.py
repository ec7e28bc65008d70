"""What an operator over a graph checks before any memory is touched, whoever calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from tfngen.forms import TANGENT
from tfngen.runtime.autocast import HALF
from tfngen.runtime.plan import GRAPH_TENSORS, WEIGHT_TENSORS, Edges, Widths, decode

_SLOT = {slot + tail: at for at, slot in enumerate(Widths._fields) for tail in ("", TANGENT)}


def checked_edges(graph: Sequence[Tensor | None]) -> Edges:
    """`GRAPH_TENSORS` and then `WEIGHT_TENSORS` as one, once their shapes, dtypes and devices fit each other.

    What indices hold is checked where they are used: see `tfngen.runtime.cpu.drive`.

    Raises:
        ValueError: naming the argument, what it is and what it must be.
    """
    names = (*GRAPH_TENSORS, *WEIGHT_TENSORS)
    given = {name: each for name, each in zip(names, graph, strict=True) if each is not None}
    for name, tensor in given.items():
        if tensor.dtype != torch.int64 or tensor.dim() != 1 or not tensor.is_contiguous():
            raise ValueError(
                f"{name}: {tensor.dtype}, shape {tuple(tensor.shape)}; it must be contiguous int64, one axis"
            )
        if tensor.device != given["sources"].device:
            raise ValueError(f"{name}: on {tensor.device}; sources are on {given['sources'].device}")
    if len(given) not in (len(GRAPH_TENSORS), len(names)):
        raise ValueError("weight_index: it comes with weight_order and weight_pointers, or not at all")
    edges = Edges.of(graph)
    for name, tensor in given.items():
        wanted = edges.num_nodes + 1 if name.endswith("pointers") else edges.num_edges
        if tensor.shape[0] != wanted and name != "weight_pointers":
            raise ValueError(f"{name}: {tensor.shape[0]} entries; it must have {wanted}")
    if edges.num_nodes < 0 or edges.weight_rows < 0:
        raise ValueError("pointers: empty; there is one more of them than rows")
    return edges


def check_operands(plan: tuple[int, ...], operands: Mapping[str, Tensor], edges: Edges) -> None:
    """Whether shapes, dtypes and devices fit each other, the plan and the edges.

    Raises:
        ValueError: naming the argument, what it is and what it must be.
    """
    widths, rows = _checked_widths(plan), edges.rows
    dtype, device = next(iter(operands.values())).dtype, edges.sources.device
    for name, tensor in operands.items():
        slot = _SLOT[name]
        if tensor.shape != (shape := (rows[slot], widths[slot])):
            raise ValueError(f"{name}: shape {tuple(tensor.shape)}; it must be {shape}")
        if tensor.dtype != dtype or tensor.device != device:
            raise ValueError(f"{name}: {tensor.dtype} on {tensor.device}; it must be {dtype} on {device}")
    if dtype not in (torch.float32, torch.float64, *HALF):
        raise ValueError(
            f"operands: {dtype}; they must be float32 or float64, or float16 or bfloat16 in memory"
        )


@lru_cache(maxsize=256)
def _checked_widths(plan: tuple[int, ...]) -> Widths:
    """The widths of a plan whose every path stays within its rows."""
    widths, paths = decode(plan)
    for path in paths:
        l_filter, l_input, l_output = path.degrees
        ends = Widths(
            filter=path.filter_offset + 2 * l_filter + 1,
            input=path.input_offset + path.channels * (2 * l_input + 1),
            weight=path.weight_offset + path.channels,
            grad=path.grad_offset + 2 * l_output * path.grad_step + path.channels,
        )
        starts = (path.filter_offset, path.input_offset, path.weight_offset, path.grad_offset, path.channels)
        beyond = any(end > width for end, width in zip(ends, widths, strict=True))
        if beyond or min(*starts, path.grad_step, *path.degrees) < 0:
            raise ValueError(f"plan: path {path} reaches beyond rows of {widths}")
    return widths
