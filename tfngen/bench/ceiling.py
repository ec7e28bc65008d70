"""What this machine can do at best, measured in the same run as everything it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tfngen.bench.timing import Timing

MATRIX = 2048
READ_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Work:
    """Floating-point operations and bytes that something needs at least."""

    flops: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Single-precision arithmetic and memory bandwidth of this machine with torch's threads.

    Attributes:
        flops: floating-point operations per second of torch's own matrix product (sgemm).
        bandwidth: bytes per second when summing an array too large for any cache.
    """

    flops: float
    bandwidth: float

    def seconds(self, flops: float, bytes_: float) -> float:
        """The least time for that much arithmetic and that much memory traffic, perfectly overlapped."""
        return max(flops / self.flops, bytes_ / self.bandwidth)


def contenders() -> dict[str, Callable[[], object]]:
    """The two probes, to be timed among the workloads."""
    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    product = torch.empty(MATRIX, MATRIX)
    large = torch.ones(READ_BYTES // 4)
    return {"sgemm": lambda: torch.mm(left, right, out=product), "read": large.sum}


def ceiling(timings: dict[str, Timing]) -> Ceiling:
    """The ceilings from the probes' timings; their best rounds, since a ceiling is what can be reached."""
    return Ceiling(flops=2 * MATRIX**3 / timings["sgemm"].best, bandwidth=READ_BYTES / timings["read"].best)
