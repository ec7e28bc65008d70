"""How many threads a block has, and how many edges it takes at a time."""

from __future__ import annotations

from typing import NamedTuple

from tfngen.gpu import MOST_EDGES, MOST_THREADS, PARTS, WARP

SHARED_BY, MOST_TEAMS = 256, 4
"""The threads of a block of teams, and how many of those it has at most."""
SHARED_BYTES = 40 * 1024
"""What a block may have of shared memory, beside what its kernel has by itself."""


class Block(NamedTuple):
    """A block of a kernel over a graph.

    Attributes:
        lanes: one for each channel, or pair of channels, up to `MOST_THREADS`.
        teams: of so many lanes, which share a piece's edges.
        tile_bits: a tile is 2 to this power edges.
        shared_bytes: of couplings and sums, beside what the kernel has by itself.
    """

    lanes: int
    teams: int
    tile_bits: int
    shared_bytes: int

    @property
    def threads(self) -> int:
        return self.lanes * self.teams


def block_for(
    lanes: int, in_teams: bool, shared: tuple[int, int, int], itemsize: int, pairs: bool = False
) -> Block:
    """The block for so many channels, or pairs of them.

    Args:
        lanes: that an input irrep needs; more than a team has take several blocks.
        in_teams: whether several teams are to share a piece: as many as give a block up to `SHARED_BY`
            threads, and have room for the sums that they hand over.
        shared: the numbers of shared memory for an edge, for an edge and warp, and for the sums of a lane
            that are handed over at once.
        itemsize: bytes of a number.
        pairs: whether a lane has two channels.
    """
    lanes = min(MOST_THREADS, -(-lanes // WARP) * WARP)
    couplings, totals, sums = shared
    teams = min(MOST_TEAMS, max(SHARED_BY // lanes, 1)) if in_teams else 1
    of_team = sums * lanes * itemsize * (1 + pairs)
    while teams > 1 and (teams - 1) * of_team > SHARED_BYTES:
        teams //= 2
    per_edge = (couplings + lanes // WARP * totals) * itemsize
    bits = min(lanes * teams // PARTS, MOST_EDGES).bit_length() - 1
    while bits and (per_edge << bits) > SHARED_BYTES:
        bits -= 1
    return Block(lanes, teams, bits, max(per_edge << bits, (teams - 1) * of_team))
