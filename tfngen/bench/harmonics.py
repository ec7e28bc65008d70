"""Spherical harmonics of many points, beside e3nn and sphericart."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfngen.bench import harmonics_problem, peers
from tfngen.bench.allocator import check_settings
from tfngen.bench.ceiling import Work
from tfngen.bench.timing import Progress, prefixed
from tfngen.bench.turns import Effort, measure, summary

POINTS = 10_000
DEGREES = (3, 6, 10)

TOLERANCE = 1e-4
"""Of the largest entry: float32 polynomials of degree 10, by different recursions."""


def run(
    degrees: Sequence[int] = DEGREES,
    points: int = POINTS,
    package: str | os.PathLike[str] | None = None,
    chosen: Sequence[str] | None = None,
    settings: Sequence[str] | None = None,
    effort: Effort = Effort(),  # noqa: B008, immutable
    progress: Progress = lambda *_: None,
) -> Iterator[dict[str, Any]]:
    """Measure every degree under each allocator setting; yields what JSON and tables are made of, as found.

    Only bytes make the ceiling: how few operations harmonics need depends on the recursion.

    Args:
        degrees: highest degrees.
        points: how many vectors.
        package: a generated package's folder; one of each degree, built on demand, by default.
        chosen: peers to compare with, all by default.
        settings: names from `tfngen.bench.allocator.SETTINGS`, all by default.

    Raises:
        ValueError: an unknown peer or setting.
        RuntimeError: tfngen cannot run.
    """
    contenders = peers.choose(peers.HARMONICS, chosen)
    settings = check_settings(settings)
    folder = None if package is None else str(Path(package).resolve())
    for lmax in degrees:
        work = {
            mode: Work(0.0, float(harmonics_problem.moved_bytes(lmax, points, mode)))
            for mode in harmonics_problem.MODES
        }
        for setting in settings:

            def job(contender: peers.Contender, lmax: int = lmax) -> dict[str, Any]:
                return {
                    "kind": "harmonics",
                    "module": contender.module,
                    "package": folder,
                    "lmax": lmax,
                    "points": points,
                }

            stage = prefixed(progress, f"l ≤ {lmax}, {setting}")
            found = measure(contenders, job, work, points, TOLERANCE, setting, effort, stage)
            yield {
                "benchmark": "sh",
                "name": f"harmonics-l{lmax}",
                "lmax": lmax,
                "points": points,
                **summary(found, work, setting),
            }
