"""Rows cut into pieces, so that few long rows keep a whole GPU busy and their sums come out the same.

A piece is some consecutive edges of one node; a block of threads sums it. A node of one piece has its sum
then. Of one with several, each leaves its sum in a spare row, and those are added up in order. How long
pieces are depends on the sizes of the graph alone, so the same graph gives the same bits on every GPU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SHORTEST, LONGEST = 32, 1024
"""The edges of a piece are a power of two between these."""
BLOCKS, FEW_BLOCKS = 4096, 1024
"""Enough to keep 132 multiprocessors busy with sixteen warps each, and the last of them short; or at all."""


class Pieces(NamedTuple):
    """The pieces of every node's row.

    Attributes:
        table: int64, for each piece its node, its first edge in the order, the end of them, and the row of
            its sum: the node, or −1 − r for spare row r. A node of −1 means that there are no more pieces.
        spares: how many spare rows there may be.
        shares: int64, for each node the first of its spare rows and how many they are.
    """

    table: Tensor
    spares: int
    shares: Tensor


def pieces_of(row_pointers: Tensor, num_edges: int, long: bool) -> Pieces:
    """Cut rows into pieces; long ones, where pieces have sums that would have to be added up.

    Sizes are bounds that follow from those of the graph; nothing waits for the GPU. Pieces are kept with
    `row_pointers`, which never change, unless a CUDA graph is being captured.
    """
    kept: dict[bool, Pieces] = getattr(row_pointers, "_tfngen_pieces", {})
    if long in kept:
        return kept[long]
    blocks = FEW_BLOCKS if long else BLOCKS
    pieces = _cut(row_pointers, num_edges, piece_length(row_pointers.shape[0] - 1, num_edges, blocks))
    if not (row_pointers.is_cuda and torch.cuda.is_current_stream_capturing()):
        row_pointers._tfngen_pieces = kept | {long: pieces}  # type: ignore[attr-defined]
    return pieces


def piece_length(rows: int, edges: int, blocks: int = BLOCKS) -> int:
    """The edges of a piece: long ones cost least, but there must be enough of them for so many blocks."""
    length = LONGEST
    while length > SHORTEST and rows + edges // length < blocks:
        length //= 2
    return length


def _cut(row_pointers: Tensor, edges: int, length: int) -> Pieces:
    rows = row_pointers.shape[0] - 1
    count = rows + edges // length if rows else 0
    bounded = row_pointers.clamp(0, edges).cummax(0).values  # no change, unless somebody made them up
    first, last = bounded[:-1], bounded[1:]
    counts = ((last - first + length - 1) // length).clamp(min=1)
    ends = counts.cumsum(0)
    shared = torch.where(counts > 1, counts, 0)
    spare = shared.cumsum(0) - shared

    number = torch.arange(count, device=row_pointers.device)
    row = torch.searchsorted(ends, number, right=True)
    exists = row < rows
    row = row.clamp(max=max(rows - 1, 0))
    within = number - (ends - counts)[row]
    begin = first[row] + within * length
    home = torch.where(counts[row] > 1, -1 - spare[row] - within, row)
    end = torch.minimum(begin + length, last[row])
    table = torch.stack((torch.where(exists, row, -1), begin, end, home), dim=1).contiguous()
    spares = min(2 * (edges // length), count) if edges > length else 0
    return Pieces(table, spares, torch.stack((spare, shared), dim=1).contiguous())
