"""How many threads a block has, and how many edges it takes at a time."""

from __future__ import annotations

from typing import NamedTuple

from tfngen.gpu import MOST_EDGES, MOST_THREADS, PARTS, WARP

SHARED_BYTES = 40 * 1024
"""What the couplings of a tile's edges and their sums over channels may take of a block's shared memory."""


class Block(NamedTuple):
    """A block of a kernel over a graph.

    Attributes:
        threads: a lane for each channel, up to `MOST_THREADS`.
        tile_bits: a tile is 2 to this power edges.
        shared_bytes: of couplings and sums, beside what the kernel has by itself.
    """

    threads: int
    tile_bits: int
    shared_bytes: int

    @property
    def warps(self) -> int:
        return self.threads // WARP


def block_for(channels: int, shared: tuple[int, int], itemsize: int) -> Block:
    """The block for so many channels.

    Args:
        channels: of an input irrep; more than a block's threads take several blocks.
        shared: the numbers of shared memory for an edge, and for an edge and warp.
        itemsize: bytes of a number.
    """
    threads = min(MOST_THREADS, -(-channels // WARP) * WARP)
    couplings, totals = shared
    per_edge = (couplings + threads // WARP * totals) * itemsize
    bits = min(threads // PARTS, MOST_EDGES).bit_length() - 1
    while bits and (per_edge << bits) > SHARED_BYTES:
        bits -= 1
    return Block(threads, bits, per_edge << bits)
