"""What generated kernels for GPUs and those who launch them agree on."""

from __future__ import annotations

import re

Capability = tuple[int, int]

WARP = 32
"""The lanes that run together."""
MOST_THREADS = 128
"""The lanes of a team, and the threads of a block that has no teams."""
MOST_EDGES = 64
"""The edges of the largest tile: those whose couplings are in shared memory at once."""
PARTS = 4
"""The parts in which a block's lanes compute couplings, each its share of the paths."""
FOLDED = 16
"""The values of a lane that are summed over a warp at once, one result in every second lane."""
ALIGNED = 16
"""The bytes that shared memory begins at a multiple of, to be read four numbers at a time."""

CAPABILITIES: tuple[Capability, ...] = ((8, 0), (9, 0))
"""What is compiled for when nobody says: A100, and H100 and H200."""
HALVES = ("float16", "bfloat16")
"""What kernels that compute in float32 may have in memory instead."""
OLDEST: Capability = (7, 5)
"""The oldest compute capability that CUDA 13 compiles for."""
COPIES: Capability = (8, 0)
"""The oldest whose memory is copied to shared memory while a lane goes on."""
OVERLAPS: Capability = (9, 0)
"""The oldest that may begin a kernel while the last blocks of the one before it run."""


def parse_capability(text: str) -> Capability:
    """``9.0`` as (9, 0).

    Raises:
        ValueError: it is none, or one that cannot be compiled for.
    """
    found = re.fullmatch(r"(\d+)\.(\d)", text)
    if not found:
        raise ValueError(f"capability: got {text!r}; it must be a GPU's compute capability, such as 9.0")
    return check_capability((int(found[1]), int(found[2])))


def check_capability(capability: Capability) -> Capability:
    """`capability`, if it can be compiled for; else a ValueError."""
    if capability < OLDEST:
        raise ValueError(
            f"capability: got {capability[0]}.{capability[1]}; CUDA 13 compiles for GPUs of "
            f"{OLDEST[0]}.{OLDEST[1]} and newer"
        )
    return capability
