"""What this machine can do at best, measured in the same run as everything it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tfngen.bench.timing import Timing

MATRIX = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the product, by device."""
READ_BYTES = {"cpu": 256 * 2**20, "cuda": 2 * 2**30}
"""What is read, or on a GPU copied and so counted twice, by device; larger than any cache."""


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
        bandwidth: bytes per second when summing an array too large for any cache; on a GPU when copying
            one, bytes read and written.
    """

    flops: float
    bandwidth: float

    def seconds(self, flops: float, bytes_: float) -> float:
        """The least time for that much arithmetic and that much memory traffic, perfectly overlapped."""
        return max(flops / self.flops, bytes_ / self.bandwidth)


def contenders(device: str = "cpu") -> dict[str, Callable[[], object]]:
    """The two probes, to be timed among the workloads."""
    size = MATRIX[device]
    left, right = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    product = torch.empty_like(left)
    if device == "cpu":
        large = torch.ones(READ_BYTES[device] // 4)
        return {"sgemm": lambda: torch.mm(left, right, out=product), "read": large.sum}
    source = torch.ones(READ_BYTES[device] // 8, device=device)
    copy = torch.empty_like(source)
    return {"sgemm": lambda: torch.mm(left, right, out=product), "read": lambda: copy.copy_(source)}


def ceiling(timings: dict[str, Timing], device: str = "cpu") -> Ceiling:
    """The ceilings from the probes' timings; their best rounds, since a ceiling is what can be reached."""
    return Ceiling(
        flops=2 * MATRIX[device] ** 3 / timings["sgemm"].best,
        bandwidth=READ_BYTES[device] / timings["read"].best,
    )
