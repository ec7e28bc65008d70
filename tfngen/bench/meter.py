"""How a call is timed and its memory counted: on processors by the clock, on GPUs by the GPU's own events."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

FLUSHED = 256 * 2**20
"""Bytes that are written before a call on a GPU, so that nothing of the last one is left in its caches."""


class Meter(Protocol):
    """Measures calls on one device."""

    def seconds(self, run: Callable[[], Any]) -> float:
        """What one call takes."""

    def peak_memory(self, run: Callable[[], Any]) -> int | None:
        """By how many bytes one call raises what is in use, results included; None where nobody knows."""


def meter(device: str) -> Meter:
    """For ``cpu`` or ``cuda``.

    Raises:
        RuntimeError: there is no GPU.
    """
    return Processor() if device == "cpu" else Gpu()


class Processor:
    """By the clock, and by what the system says of this process."""

    def seconds(self, run: Callable[[], Any]) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def peak_memory(self, run: Callable[[], Any]) -> int | None:
        """Of resident memory.

        Linux forgets its high-water mark when told to (clear_refs, 5). Free memory is given back first, so
        that what earlier calls left behind hides nothing. None on other systems.
        """
        try:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            if memory := sys.modules.get("tfngen.runtime.cpu.memory"):
                memory.release_memory()
            Path("/proc/self/clear_refs").write_text("5")
            before = status("VmRSS")
            run()
            return max(status("VmHWM") - before, 0)
        except (OSError, AttributeError):
            return None


class Gpu:
    """By events on the stream, after caches have been flushed; memory as torch's allocator counts it."""

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise RuntimeError("device: torch sees no GPU; install its CUDA build, and NVIDIA's driver")
        self._cuda = torch.cuda
        self._flushed = torch.empty(FLUSHED, dtype=torch.int8, device="cuda")

    def seconds(self, run: Callable[[], Any]) -> float:
        begin, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
        self._flushed.zero_()
        begin.record()
        run()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

    def peak_memory(self, run: Callable[[], Any]) -> int | None:
        gc.collect()
        self._cuda.synchronize()
        self._cuda.reset_peak_memory_stats()
        before = self._cuda.memory_allocated()
        run()
        self._cuda.synchronize()
        return int(self._cuda.max_memory_allocated() - before)


def status(name: str) -> int:
    """A figure of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")
