"""The child process of one contender: prepares its operands, then does one call whenever it is asked to.

The parent writes a job and then requests to stdin, each a line of JSON, and reads a line of JSON for each
from stdout. A process of its own gives every contender the allocator setting under test, a peak memory that
is its own, and a death that is its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, TextIO
from uuid import uuid4

import numpy as np

from tfngen.bench.meter import Meter, Processor, meter, status

TURN, TURN_ON_A_GPU = 0.6, 0.05
"""Seconds that a turn of short calls takes; a GPU's events are not disturbed by other processes."""

MACHINE = "machine"
"""The contender that is none: torch's matrix product and sum, for the ceilings."""


def main() -> None:
    """Answer requests until stdin ends."""
    requests = sys.stdin
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)  # whatever the contender prints must not come between the replies
        job = json.loads(requests.readline())
        prepared = _answer(replies, lambda: prepare(job))
        if prepared is None:
            return
        measuring = meter(job.get("device", "cpu"))
        for line in requests:
            request = json.loads(line)
            _answer(replies, lambda request=request: _serve(prepared, request, measuring))


def prepare(job: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The contender's `Prepared`, and what to tell the parent about it."""
    import torch

    from tfngen.bench import ceiling
    from tfngen.bench.peers import Prepared

    if job["kind"] == MACHINE:
        probes = ceiling.contenders(job["device"])
        return Prepared(probes, lambda *_: [], {}), {"threads": torch.get_num_threads()}
    module = import_module(job["module"])
    if job["kind"] == "model":
        return module.prepare(job["maker"], job["given"], job["accelerated"]), {}
    if job["kind"] == "harmonics":
        from tfngen.bench import harmonics_problem

        kernels = _harmonics_kernels(job["package"], job["lmax"])
        return module.harmonics(harmonics_problem.draw(job["lmax"], job["points"], kernels), False), {}
    from tfngen.bench.workloads import Workload

    workload = Workload(**{**job["workload"], "modes": tuple(job["workload"]["modes"])})
    return module.convolution(_drawn(workload, job["package"], job["device"]), job["compiled"]), {}


@lru_cache(maxsize=1)
def _drawn(workload: Any, package: str | None, device: str) -> Any:
    """The same operands for all contenders of a process."""
    from tfngen.bench import problem
    from tfngen.bench.workloads import kernels_of

    return problem.draw(workload, kernels_of(workload, package, device), device)


class Here:
    """A contender in this process, with what `tfngen.bench.allocator.Child` has.

    On a GPU, where a process takes longest to start and whatever is measured is not the process's own.

    Attributes:
        reason: why it cannot go on; empty while it can.
        about: what it says of itself.
    """

    def __init__(self, job: dict[str, Any], setting: str, patience: float, folder: Path) -> None:
        self._folder, self._measuring = folder, meter(job["device"])
        self.reason, self.about = "", {}
        try:
            self._prepared, self.about = prepare(job)
        except Exception as error:  # whatever a peer raises is why it cannot run
            self.reason = _reason(error)

    def warm(self, mode: str) -> dict[str, Any]:
        """First calls of a mode: {"peak_bytes", "sample"}, or a "reason"."""
        sample = self._folder / f"{uuid4().hex}-{mode}.npz"
        reply = self._ask({"mode": mode, "limit": None, "sample": str(sample)})
        return reply if "reason" in reply else {**reply, "sample": sample}

    def turn(self, mode: str) -> dict[str, Any]:
        """One call: {"seconds"}, or a "reason"."""
        return self._ask({"mode": mode})

    def close(self) -> None:
        """Let go of its operands."""
        self._prepared = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.reason:
            return {"reason": self.reason}
        try:
            return _serve(self._prepared, request, self._measuring)[1]
        except Exception as error:  # whatever a peer raises is why it cannot run this
            return {"reason": _reason(error)}


def _harmonics_kernels(package: str | None, lmax: int) -> Any:
    """Of scalars only the paths (l, 0, l) exist: a package of all degrees that takes seconds to build."""
    import tfngen

    if package is not None:
        return tfngen.load(path=package)
    degrees = "+".join(f"{l}e" for l in range(lmax + 1))
    return tfngen.load(irreps_in="0e", irreps_filter=degrees, irreps_out=degrees)


def _answer(replies: TextIO, action: Callable[[], tuple[Any, dict[str, Any]]]) -> Any:
    """Do it and reply; a failure becomes the reply's reason."""
    try:
        result, reply = action()
    except Exception as error:  # whatever a peer raises is why it cannot run
        result, reply = None, {"reason": _reason(error)}
    print(json.dumps(reply), file=replies, flush=True)
    return result


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def _serve(prepared: Any, request: dict[str, Any], measuring: Meter) -> tuple[Any, dict[str, Any]]:
    mode = request["mode"]
    if mode in prepared.missing:
        return None, {"reason": prepared.missing[mode]}
    run = prepared.run[mode]
    if "limit" in request:
        return None, _warm(prepared, mode, run, request, measuring)
    return None, {"seconds": turn(run, measuring)}


def _warm(
    prepared: Any, mode: str, run: Callable[[], Any], request: dict[str, Any], measuring: Meter
) -> dict[str, Any]:
    """First calls, uncounted: compile, keep a sample of the results, find the peak of memory."""
    _limit_memory(request["limit"])
    results = run()
    np.savez(Path(request["sample"]), *prepared.sample(mode, results))
    del results
    peak = measuring.peak_memory(run)
    run()  # that began without any memory at hand; a counted call shall find what one leaves behind
    return {"peak_bytes": peak}


def turn(run: Callable[[], Any], measuring: Meter | None = None) -> float:
    """Seconds of one call: the median of as many as fit into `TURN`, at least one.

    Other processes had the processor in between, so a short call first runs once uncounted: steps of a
    training follow each other.
    """
    measuring = measuring or Processor()
    enough = TURN if isinstance(measuring, Processor) else TURN_ON_A_GPU
    first = measuring.seconds(run)
    if first > enough:
        return first
    seconds: list[float] = []
    while sum(seconds) < enough:
        seconds.append(measuring.seconds(run))
    return median(seconds)


def _limit_memory(available: int | None) -> None:
    """Let an allocation beyond what the machine has free fail with a message instead of being killed."""
    if available is None:
        return
    import resource

    limit = status("VmData") + available
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
