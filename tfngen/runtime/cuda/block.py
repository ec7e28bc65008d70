"""How many threads a block has, and how many edges it takes at a time."""

from __future__ import annotations

from typing import NamedTuple

from tfngen.gpu import ALIGNED, MOST_EDGES, MOST_THREADS, PARTS, WARP

SHARED_BY, MOST_TEAMS = 256, 4
"""The threads of a block of teams, and how many of those it has at most."""
SHARED_BYTES = 40 * 1024
"""What a block may have of shared memory for couplings and sums."""
ON_THEIR_WAY = 224
"""The bytes of shared memory that a lane may have for what is on its way to it; two edges always fit."""
MOST_STAGES = 3
"""The places of a lane's ring at most: an edge whose turn it is, and others on their way."""
MOST_FOR_RINGS = 46 * 1024
"""What a block may have of shared memory for rings of two places; wider blocks become several."""
MOST_SHARED_BYTES = 62 * 1024
"""What a block may have of shared memory in all, beside what its kernel has by itself: 64 KiB in all are the
most on GPUs of 7.5, and leave room for three blocks on those of 9.0."""


class Shared(NamedTuple):
    """What a kernel keeps in shared memory, in numbers; `SHARED` of a generated module.

    Attributes:
        couplings: of an edge of a tile.
        totals: of an edge and warp.
        sums: of a lane, which teams hand over at once.
        copied: of a lane and an edge on its way, as they are in memory.
    """

    couplings: int
    totals: int
    sums: int
    copied: int


class Block(NamedTuple):
    """A block of a kernel over a graph.

    Attributes:
        lanes: one for each channel, or pair of channels, up to `MOST_THREADS`.
        teams: of so many lanes, which share a piece's edges.
        tile_bits: a tile is 2 to this power edges.
        stages: the places of a lane's ring.
        ring_at: where the rings begin in shared memory, in numbers.
        shared_bytes: beside what the kernel has by itself.
    """

    lanes: int
    teams: int
    tile_bits: int
    stages: int
    ring_at: int
    shared_bytes: int

    @property
    def threads(self) -> int:
        return self.lanes * self.teams


def block_for(
    lanes: int, in_teams: bool, shared: Shared, itemsize: int, kept: int, pairs: bool = False
) -> Block:
    """The block for so many channels, or pairs of them.

    Args:
        lanes: that an input irrep needs; more than a team has, or than have room for two edges on their way,
            take several blocks.
        in_teams: whether several teams are to share a piece: as many as give a block up to `SHARED_BY`
            threads, and have room for the sums that they hand over.
        shared: what the kernel keeps there.
        itemsize: bytes of a number that it computes with.
        kept: bytes of one in memory.
        pairs: whether a lane has two channels.
    """
    of_lane = shared.copied * kept * (1 + pairs)
    lanes = min(MOST_THREADS, -(-lanes // WARP) * WARP)
    while lanes > WARP and 2 * lanes * of_lane > MOST_FOR_RINGS:
        lanes -= WARP
    teams = min(MOST_TEAMS, max(SHARED_BY // lanes, 1)) if in_teams else 1
    of_team = shared.sums * lanes * itemsize * (1 + pairs)
    while teams > 1 and (
        (teams - 1) * of_team > SHARED_BYTES or 2 * teams * lanes * of_lane > MOST_SHARED_BYTES - SHARED_BYTES
    ):
        teams //= 2
    per_edge = (shared.couplings + lanes // WARP * shared.totals) * itemsize
    bits = min(lanes * teams // PARTS, MOST_EDGES).bit_length() - 1
    room = min(SHARED_BYTES, MOST_SHARED_BYTES - 2 * of_lane * lanes * teams - ALIGNED)
    while bits and (per_edge << bits) > room:
        bits -= 1
    begin = -(-(per_edge << bits) // ALIGNED) * ALIGNED
    of_ring = min(ON_THEIR_WAY, (MOST_SHARED_BYTES - begin) // (lanes * teams))
    stages = max(2, min(MOST_STAGES, of_ring // of_lane))
    ring = begin + stages * of_lane * lanes * teams
    return Block(lanes, teams, bits, stages, begin // itemsize, max(ring, (teams - 1) * of_team))
