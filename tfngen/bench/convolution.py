"""The convolution over a graph, harmonics included, beside whoever of its neighbours is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tfngen.bench import peers, problem
from tfngen.bench.allocator import check_settings
from tfngen.bench.timing import Progress, prefixed
from tfngen.bench.turns import Effort, measure, summary
from tfngen.bench.workloads import Workload, kernels_of

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
    device: str = "cpu",
) -> Iterator[dict[str, Any]]:
    """Measure each workload under each allocator setting; yields what JSON and tables are made of, as found.

    Args:
        workloads: see `tfngen.bench.workloads.find`.
        package: a generated package's folder; one of the workload's degree, built on demand, by default.
        chosen: peers to compare with, all by default; tfngen's own recorded programs, where that says nothing
            else, on molecules alone.
        compiled: compare with them under torch.compile too.
        settings: names from `tfngen.bench.allocator.SETTINGS`, all by default; a GPU knows but one.
        device: ``cpu`` or ``cuda``.

    Raises:
        ValueError: an unknown peer, setting or device.
        RuntimeError: tfngen cannot run a workload.
    """
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device: got {device!r}; it must be cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: torch sees no GPU; install its CUDA build, and NVIDIA's driver")
    known = peers.CONVOLUTIONS if device == "cpu" else peers.CONVOLUTIONS_ON_GPUS
    contenders = peers.choose(known, chosen, compiled)
    settings = check_settings(settings if device == "cpu" else ("default",))
    folder = None if package is None else str(Path(package).resolve())
    for workload in workloads:
        measured = [each for each in contenders if each.peer != "trace" or chosen or workload.is_small]
        kernels = kernels_of(workload, folder, device)
        convolution = problem.convolution_of(workload, kernels)
        work = {mode: problem.work(convolution, workload, mode) for mode in workload.modes}
        for setting in settings:

            def job(contender: peers.Contender, workload: Workload = workload) -> dict[str, Any]:
                return {
                    "kind": "convolution",
                    "module": contender.module,
                    "compiled": contender.compiled,
                    "package": folder,
                    "device": device,
                    "workload": asdict(workload),
                }

            stage = prefixed(progress, f"{workload.name}, {setting}")
            found = measure(measured, job, work, workload.edges, TOLERANCE, setting, effort, stage, device)
            yield {
                "benchmark": "conv",
                "device": device,
                **asdict(workload),
                "edges": workload.edges,
                "paths": len(convolution.paths),
                "weights": convolution.weight_numel,
                **summary(found, work, setting),
            }
