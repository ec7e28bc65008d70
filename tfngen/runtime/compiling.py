"""Compile the kernels of a convolution in several processes at once, when the first call wants them.

A kernel takes from half a second to some seconds, and a convolution has dozens. Each process leaves machine
code in the cache on disk, where the one that waits then finds it. Whatever goes wrong there, kernels that are
still missing are compiled by whoever calls them, one after another.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock, Thread
from types import FunctionType
from typing import Any, Protocol, TypeVar

import torch

from tfngen.runtime import registry

PROCESSES = "TFNGEN_COMPILE_PROCESSES"
"""The environment variable that says how many processes may compile; else as many as torch has threads."""

SHARES = 4
"""How many processes may be started for what is compiled in the time that one takes to start."""

_log = logging.getLogger("tfngen")
_one_at_a_time = Lock()


class Compilable(Protocol):
    """A kernel for any target."""

    function: FunctionType


K = TypeVar("K", bound=Compilable)


@dataclass(frozen=True, slots=True)
class Request:
    """Kernels of a form of a convolution, in words that another process understands.

    Attributes:
        package: its fingerprint.
        target: ``cpu`` or ``cuda``.
        form: a name of `tfngen.forms`.
        plan: the convolution.
        dtype: of its tensors, such as ``float32``.
        even: see `tfngen.runtime.cuda.convolve`.
        capability: of a GPU.
    """

    package: str
    target: str
    form: str
    plan: tuple[int, ...]
    dtype: str
    even: bool = True
    capability: tuple[int, int] | None = None


def compile_together(
    request: Request, kernels: Iterable[K], is_missing: Callable[[K], bool], start: int
) -> None:
    """Compile kernels in other processes, if those will be done sooner than this one, and wait.

    Args:
        request: which kernels these are.
        kernels: all of them, in their order there; some may occur twice.
        is_missing: whether there is no machine code of one yet, here or on disk.
        start: what a process costs before it compiles anything, in bytes of kernels' Python code.
    """
    processes, folder = _processes(), registry.folder(request.package)
    if processes < 2 or folder is None or not _can_start_python():
        return
    places = {kernel: place for place, kernel in enumerate(kernels)}
    with _one_at_a_time:
        missing = {each: place for each, place in places.items() if is_missing(each)}
        costs = {place: len(each.function.__code__.co_code) for each, place in missing.items()}
        alone = sum(costs.values())
        shares = divided(costs, min(processes, len(costs), SHARES * alone // start))
        together = start + max((sum(map(costs.__getitem__, share)) for share in shares), default=0)
        if together < alone:
            _log.info("compiling %d kernels in %d processes", len(missing), len(shares))
            task = {**asdict(request), "folder": str(folder)}
            _run([{**task, "kernels": share} for share in shares])


def _run(tasks: Sequence[Mapping[str, Any]]) -> None:
    """Do each in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), PROCESSES: "1"}
    command = [sys.executable, "-m", "tfngen.precompile"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    counter = _Counter(sum(len(task["kernels"]) for task in tasks))
    started: list[Any] = []
    try:
        for task in tasks:
            started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
            _write(started[-1].stdin, task)
        readers = [Thread(target=counter.read, args=(each.stdout,), daemon=True) for each in started]
        for reader in readers:
            reader.start()
        for process in started:
            said = process.stderr.read()
            if process.wait():
                _log.warning("a process that compiles failed, so this one does: %s", said.strip()[-300:])
        for reader in readers:
            reader.join()
    finally:
        for process in started:
            process.kill()
        counter.close()


def divided(costs: Mapping[int, int], count: int) -> list[list[int]]:
    """Places in shares of about equal cost: the dearest first, each to whoever has least to do."""
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for place in sorted(costs, key=costs.__getitem__, reverse=True) if count else ():
        least = loads.index(min(loads))
        shares[least].append(place)
        loads[least] += costs[place]
    return shares


def _processes() -> int:
    said = os.environ.get(PROCESSES)
    if said is None:
        return torch.get_num_threads()
    try:
        return int(said)
    except ValueError:
        raise ValueError(f"{PROCESSES}: got {said!r}; it must be a number of processes") from None


def _can_start_python() -> bool:
    """Whether this is a Python that can be started again, rather than one inside another program."""
    frozen = getattr(sys, "frozen", False)
    return bool(sys.executable) and not frozen and Path(sys.executable).stem.startswith("py")


def _write(pipe: Any, task: Mapping[str, Any]) -> None:
    try:
        with pipe:
            json.dump(task, pipe)
    except BrokenPipeError:
        pass  # what it died of is in its stderr


class _Counter:
    """Says on a terminal how many kernels have been compiled."""

    def __init__(self, total: int) -> None:
        self.done, self.total = 0, total
        self.shown = sys.stderr is not None and sys.stderr.isatty()
        self._show()

    def read(self, lines: Iterable[str]) -> None:
        """One line for each kernel."""
        for _ in lines:
            self.done += 1
            self._show()

    def _show(self) -> None:
        if self.shown:
            text = f"\rtfngen compiles {self.total} kernels, which will be kept: {self.done} are done"
            print(text, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
