"""Child processes under either setting of the allocator, one for each contender, taking turns.

Half of what torch takes for large intermediates is page faults: glibc maps big blocks anew for every tensor
and unmaps them when it is freed. Environment variables tell it to keep them, and they are read once, when a
process starts; therefore contenders live in processes of their own.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

SETTINGS = {
    "default": {},
    "kept": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"},
}
"""glibc as it comes, and glibc told neither to map blocks one by one nor to give memory back."""

RESERVE = 2**30
"""Bytes left to the rest of the machine."""


def check_settings(names: Sequence[str] | None) -> tuple[str, ...]:
    """The settings named, all of them for None.

    Raises:
        ValueError: a name that is none of them.
    """
    for name in names or ():
        if name not in SETTINGS:
            raise ValueError(f"allocator: got {name!r}; it must be one of {', '.join(SETTINGS)}")
    return tuple(SETTINGS if names is None else names)


class Child:
    """A contender in its own process.

    Attributes:
        reason: why it cannot go on; empty while it can.
    """

    def __init__(self, job: dict[str, Any], setting: str, patience: float, folder: Path) -> None:
        self._patience = patience
        self._errors = folder / f"{uuid4().hex}.stderr"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tfngen.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(setting),
            )
        self._folder = folder
        self.reason = ""
        self.about = self._ask(job)
        self.reason = self.about.get("reason", "")

    def warm(self, mode: str) -> dict[str, Any]:
        """First calls of a mode: {"peak_bytes", "sample"}, or a "reason"."""
        sample = self._folder / f"{self._process.pid}-{mode}.npz"
        limit = available_memory()
        limit = None if limit is None else max(limit - RESERVE, 0)
        reply = self._ask({"mode": mode, "limit": limit, "sample": str(sample)})
        return reply if "reason" in reply else {**reply, "sample": sample}

    def turn(self, mode: str) -> dict[str, Any]:
        """One call: {"seconds"}, or a "reason"."""
        return self._ask({"mode": mode})

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """A reply, or why there is none; after that this child is done for."""
        if self.reason:
            return {"reason": self.reason}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{json.dumps(request)}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._gone()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._patience):
                self.reason = f"gave up: no answer within {self._patience:g} s"
                self._process.kill()
                return {"reason": self.reason}
        line = self._process.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else self._gone()
        return reply

    def _gone(self) -> dict[str, Any]:
        code = self._process.wait()
        printed = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        last = printed.splitlines()[-1:] or ["no message"]
        how = f"killed by signal {-code}" if code < 0 else f"ended with {code}"
        self.reason = f"{how}: {last[0][:200]}"
        return {"reason": self.reason}


def _environment(setting: str) -> dict[str, str]:
    """This process's own, with the setting under test, this tfngen, and no accelerator for JAX."""
    inherited = {key: value for key, value in os.environ.items() if key not in SETTINGS["kept"]}
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (home, inherited.get("PYTHONPATH"))))
    return {**inherited, **SETTINGS[setting], "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}


def available_memory() -> int | None:
    """Bytes that could still be used without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
