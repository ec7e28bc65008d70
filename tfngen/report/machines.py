"""GPUs as their vendor's datasheets have them."""

from __future__ import annotations

from dataclasses import dataclass

from tfngen.gpu import Capability

REGISTERS = 65536
"""Of a multiprocessor; a warp's come in units of 256."""
REGISTER_UNIT = 256
MOST_WARPS = 64
MOST_BLOCKS = 32
"""What a multiprocessor of compute capability 8.0 or 9.0 holds at most."""
RESERVED_SHARED = 1024
"""Bytes of shared memory that the system takes of every block."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A GPU.

    Attributes:
        name: as people call it.
        capability: its compute capability.
        teraflops: float32 arithmetic without tensor cores, 10¹² operations per second.
        terabytes: memory bandwidth, 10¹² bytes per second.
        shared: bytes of shared memory of a multiprocessor.
    """

    name: str
    capability: Capability
    teraflops: float
    terabytes: float
    shared: int

    def seconds(self, flops: float, moved: float, itemsize: int = 4) -> float:
        """The least time for so many operations and bytes: one of the two is the floor."""
        rate = self.teraflops if itemsize == 4 else self.teraflops / 2
        return max(flops / (rate * 1e12), moved / (self.terabytes * 1e12))

    def warps(self, threads: int, registers: int, shared: int) -> int:
        """How many warps a multiprocessor holds of blocks that take this much, a bound on occupancy."""
        warps = -(-threads // 32)
        of_a_warp = -(-registers * 32 // REGISTER_UNIT) * REGISTER_UNIT
        blocks = min(MOST_BLOCKS, MOST_WARPS // warps, REGISTERS // (of_a_warp * warps))
        return warps * min(blocks, self.shared // (shared + RESERVED_SHARED))


MACHINES = (
    Machine("A100", (8, 0), 19.5, 2.039, 164 * 1024),  # NVIDIA A100 80GB SXM datasheet, 2021
    Machine("H100", (9, 0), 66.9, 3.35, 228 * 1024),  # NVIDIA H100 SXM datasheet, 2023
    Machine("H200", (9, 0), 66.9, 4.8, 228 * 1024),  # NVIDIA H200 SXM datasheet, 2024
)
