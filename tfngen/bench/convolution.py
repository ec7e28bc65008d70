"""The convolution over a graph, harmonics included, beside whoever of its neighbours is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tfngen
from tfngen.bench import peers, problem
from tfngen.bench.allocator import check_settings
from tfngen.bench.timing import Progress, prefixed
from tfngen.bench.turns import Effort, measure, summary
from tfngen.bench.workloads import Workload

TOLERANCE = 1e-4
"""Of the largest entry: float32 sums over some hundred neighbours, in any order, differentiated twice."""


def run(
    workloads: Sequence[Workload],
    package: str | os.PathLike[str] | None = None,
    chosen: Sequence[str] | None = None,
    compiled: bool = True,
    settings: Sequence[str] | None = None,
    effort: Effort = Effort(),  # noqa: B008, immutable
    progress: Progress = lambda *_: None,
) -> Iterator[dict[str, Any]]:
    """Measure each workload under each allocator setting; yields what JSON and tables are made of, as found.

    Args:
        workloads: see `tfngen.bench.workloads.find`.
        package: a generated package's folder; one of the workload's degree, built on demand, by default.
        chosen: peers to compare with, all by default.
        compiled: compare with them under torch.compile too.
        settings: names from `tfngen.bench.allocator.SETTINGS`, all by default.

    Raises:
        ValueError: an unknown peer or setting.
        RuntimeError: tfngen cannot run a workload.
    """
    contenders = peers.choose(peers.CONVOLUTIONS, chosen, compiled)
    settings = check_settings(settings)
    folder = None if package is None else str(Path(package).resolve())
    for workload in workloads:
        kernels = tfngen.load(workload.lmax) if folder is None else tfngen.load(path=folder)
        convolution = problem.convolution_of(workload, kernels)
        work = {mode: problem.work(convolution, workload, mode) for mode in workload.modes}
        for setting in settings:

            def job(contender: peers.Contender, workload: Workload = workload) -> dict[str, Any]:
                return {
                    "kind": "convolution",
                    "module": contender.module,
                    "compiled": contender.compiled,
                    "package": folder,
                    "workload": asdict(workload),
                }

            stage = prefixed(progress, f"{workload.name}, {setting}")
            found = measure(contenders, job, work, workload.edges, TOLERANCE, setting, effort, stage)
            yield {
                "benchmark": "conv",
                **asdict(workload),
                "edges": workload.edges,
                "paths": len(convolution.paths),
                "weights": convolution.weight_numel,
                **summary(found, work, setting),
            }
