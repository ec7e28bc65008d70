"""Fair timing: contenders take turns, and medians are compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Progress = Callable[[str, int, int], None]


def prefixed(progress: Progress, what: str) -> Progress:
    """The same progress, saying what it is of."""
    return lambda stage, done, total: progress(f"{what}, {stage}", done, total)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one contender over all rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)


def interleave(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    warmup: int = 2,
    progress: Progress = lambda *_: None,
) -> dict[str, Timing]:
    """Run every contender once a round, in turn, so that a slow moment of the machine hits them all alike.

    Args:
        contenders: name → a function that does the work once.
        rounds: how many counted rounds.
        warmup: rounds that are not counted, for caches and compilation.
        progress: called with ("measure", rounds done, rounds in all).
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for done in range(-warmup, rounds):
        for name, work in contenders.items():
            start = time.perf_counter()
            work()
            elapsed = time.perf_counter() - start
            if done >= 0:
                seconds[name].append(elapsed)
        progress("measure", done + 1 + warmup, rounds + warmup)
    return {name: Timing(tuple(each)) for name, each in seconds.items()}
