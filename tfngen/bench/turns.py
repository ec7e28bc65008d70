"""One measurement: contenders in processes of their own and the machine's ceilings, all taking turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfngen.bench import ceiling, peers
from tfngen.bench.allocator import Child
from tfngen.bench.ceiling import Work
from tfngen.bench.peers import TFNGEN, Contender
from tfngen.bench.timing import Progress, Timing
from tfngen.bench.worker import MACHINE, Here

FEWEST = 3
"""Counted calls of a contender however slow it is."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a measurement may take.

    Attributes:
        rounds: turns of each contender.
        seconds: a contender that has used up this much in a mode sits out after `FEWEST` turns.
        patience: a contender that does not answer within so many seconds, compilation included, is given up.
    """

    rounds: int = 15
    seconds: float = 20.0
    patience: float = 600.0


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in one mode under one setting of the allocator; numbers are None where `reason` says why.

    Attributes:
        percent_of_ceiling: the least time the machine could take, in percent of what was taken.
        microseconds_over: the time beyond that least time, for the whole call.
        tfngen_times_faster: its time over tfngen's, in the same run.
        peak_bytes: what one call adds to resident memory, results included.
        calls: how many the median is of.
    """

    allocator: str
    mode: str
    contender: str
    milliseconds: float | None = None
    microseconds_each: float | None = None
    gflops: float | None = None
    gb_per_s: float | None = None
    percent_of_ceiling: float | None = None
    microseconds_over: float | None = None
    tfngen_times_faster: float | None = None
    peak_bytes: int | None = None
    calls: int = 0
    reason: str = ""


@dataclass(slots=True)
class _Turns:
    """What one contender did in one mode."""

    seconds: list[float] = field(default_factory=list)
    warm: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def going(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Measured:
    """The rows of one run and what the machine could do in it."""

    rows: list[Row]
    top: ceiling.Ceiling
    threads: int


def measure(
    contenders: Sequence[Contender],
    job: Callable[[Contender], dict[str, Any]],
    work: Mapping[str, Work],
    count: int,
    tolerance: float,
    allocator: str,
    effort: Effort,
    progress: Progress,
    device: str = "cpu",
) -> Measured:
    """Every contender in every mode of `work`, under one setting of the allocator.

    Args:
        contenders: tfngen first; its results are what the others' are compared with.
        job: what a contender's process is told (`tfngen.bench.worker`).
        work: mode → the least it costs.
        count: edges or points, for the time of each.
        tolerance: how far results may differ, relative to the largest entry.
        device: ``cpu`` or ``cuda``, whose ceilings are measured.

    Raises:
        RuntimeError: tfngen itself cannot run.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        children: dict[str, Child | Here] = {}
        start = Child if device == "cpu" else Here
        absent: dict[str, str] = {}
        for done, contender in enumerate(contenders):
            progress("start", done, len(contenders))
            if reason := peers.not_installed(contender):
                absent[contender.name] = reason
                continue
            child = start(job(contender), allocator, effort.patience, folder)
            children[contender.name] = stack.enter_context(closing(child))
        progress("start", len(contenders), len(contenders))
        probing = {"kind": MACHINE, "device": device}
        machine = stack.enter_context(closing(start(probing, allocator, effort.patience, folder)))
        probes: dict[str, list[float]] = {"sgemm": [], "read": []}
        for probe in probes:
            machine.turn(probe)

        turns: dict[str, dict[str, _Turns]] = {}
        for mode in work:
            turns[mode] = _one_mode(mode, children, machine, probes, effort, tolerance, progress)
        if machine.reason:
            raise RuntimeError(f"the ceilings could not be measured: {machine.reason}")
        top = ceiling.ceiling({name: Timing(tuple(seconds)) for name, seconds in probes.items()}, device)
        threads = int(machine.about["threads"])
    for mode in work:
        turns[mode] |= {name: _Turns(reason=reason) for name, reason in absent.items()}
    rows = list(_rows(allocator, contenders, turns, work, count, top))
    return Measured(rows, top, threads)


def _one_mode(
    mode: str,
    children: Mapping[str, Child | Here],
    machine: Child | Here,
    probes: dict[str, list[float]],
    effort: Effort,
    tolerance: float,
    progress: Progress,
) -> dict[str, _Turns]:
    turns = {name: _Turns() for name in children}
    ours = turns[TFNGEN.name]
    for done, (name, child) in enumerate(children.items()):
        progress(f"{mode}: warm", done, len(children))
        turn = turns[name]
        turn.warm = child.warm(mode)
        turn.reason = turn.warm.get("reason", "")
        if turn is ours and turn.reason and "has no function" not in turn.reason:
            raise RuntimeError(f"tfngen, {mode}: {turn.reason}")
        if turn.going and ours.going:
            turn.reason = disagreement(ours.warm["sample"], turn.warm["sample"], tolerance)
    progress(f"{mode}: warm", len(children), len(children))
    for done in range(effort.rounds):
        for probe, seconds in probes.items():
            seconds.append(machine.turn(probe).get("seconds", float("nan")))
        for name, child in children.items():
            turn = turns[name]
            tired = len(turn.seconds) >= FEWEST and sum(turn.seconds) > effort.seconds
            if turn.going and not tired:
                reply = child.turn(mode)
                turn.reason = reply.get("reason", "")
                if turn.going:
                    turn.seconds.append(reply["seconds"])
        progress(mode, done + 1, effort.rounds)
    return turns


def disagreement(ours: Path, theirs: Path, tolerance: float) -> str:
    """How two samples differ by more than `tolerance` of the largest entry; empty when they do not."""
    with np.load(ours) as wanted, np.load(theirs) as found:
        if len(wanted.files) != len(found.files):
            return f"differs from tfngen: {len(found.files)} results instead of {len(wanted.files)}"
        for name in wanted.files:
            if wanted[name].shape != found[name].shape:
                return f"differs from tfngen: shape {found[name].shape} instead of {wanted[name].shape}"
            largest = np.abs(wanted[name]).max() or 1.0  # parameters that nothing depends on have zeros
            error = np.abs(found[name] - wanted[name]).max() / largest
            if not error < tolerance:
                return f"differs from tfngen by {error:.1e} of the largest entry"
    return ""


def _rows(
    allocator: str,
    contenders: Sequence[Contender],
    turns: Mapping[str, Mapping[str, _Turns]],
    work: Mapping[str, Work],
    count: int,
    top: ceiling.Ceiling,
) -> Iterator[Row]:
    for mode, least in work.items():
        ours = turns[mode][TFNGEN.name]
        for contender in contenders:
            turn = turns[mode][contender.name]
            if not turn.going:
                yield Row(allocator, mode, contender.name, reason=turn.reason)
                continue
            seconds = Timing(tuple(turn.seconds)).median
            floor = top.seconds(least.flops, least.bytes)
            yield Row(
                allocator,
                mode,
                contender.name,
                milliseconds=1e3 * seconds,
                microseconds_each=1e6 * seconds / count,
                gflops=least.flops / seconds / 1e9,
                gb_per_s=least.bytes / seconds / 1e9,
                percent_of_ceiling=100 * floor / seconds,
                microseconds_over=1e6 * (seconds - floor),
                tfngen_times_faster=seconds / Timing(tuple(ours.seconds)).median if ours.seconds else None,
                peak_bytes=turn.warm["peak_bytes"],
                calls=len(turn.seconds),
            )


def summary(found: Measured, work: Mapping[str, Work], allocator: str) -> dict[str, Any]:
    """What every benchmark says of a run, as JSON has it."""
    top = found.top
    return {
        "allocator": allocator,
        "threads": found.threads,
        "sgemm_gflops": top.flops / 1e9,
        "read_gb_per_s": top.bandwidth / 1e9,
        "work": {
            mode: {**asdict(least), "ceiling_ms": 1e3 * top.seconds(least.flops, least.bytes)}
            for mode, least in work.items()
        },
        "rows": [asdict(row) for row in found.rows],
    }
