"""Whole layers beside the same on e3nn, and with weights as torch alone would make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tfngen.bench.allocator import check_settings
from tfngen.bench.ceiling import Work
from tfngen.bench.layer_problem import BY_TORCH, E3NN, TFNGEN
from tfngen.bench.peers import TFNGEN as OURS
from tfngen.bench.peers import Contender, choose
from tfngen.bench.timing import Progress, prefixed
from tfngen.bench.turns import Effort, measure, summary
from tfngen.bench.workloads import Workload

MODES = ("forward", "forces", "training")
TOLERANCE = 1e-3
"""Of the largest entry: gradients of float32 by parameters that all edges share, summed in another order."""
_PROBLEM = "tfngen.bench.layer_problem"
CONTENDERS = (OURS, Contender(BY_TORCH, "torch", _PROBLEM, ()), Contender(E3NN, E3NN, _PROBLEM, ("e3nn",)))


def run(
    workloads: Sequence[Workload],
    hidden: int,
    package: str | None = None,
    peers: Sequence[str] | None = None,
    settings: Sequence[str] | None = None,
    effort: Effort = Effort(),  # noqa: B008, immutable
    progress: Progress = lambda *_: None,
) -> Iterator[dict[str, Any]]:
    """Measure a layer of each workload's irreps, over its graph; yields what JSON and tables are made of.

    Args:
        hidden: the width of the radial network's hidden layer.
        package: the folder of a generated package, one of the workload's degree by default.
        peers: ``"torch"``, ``"e3nn"``; all by default, and one that is not installed with the reason.
        settings: names from `tfngen.bench.allocator.SETTINGS`, all by default.

    Raises:
        ValueError: an unknown peer or setting.
    """
    contenders = choose(CONTENDERS, peers)
    for workload in workloads:
        work = dict.fromkeys(MODES, Work(0.0, 0.0))
        for setting in check_settings(settings):

            def job(contender: Contender, workload: Workload = workload) -> dict[str, Any]:
                return {
                    "kind": "model",
                    "module": _PROBLEM,
                    "maker": TFNGEN if contender is OURS else contender.name,
                    "given": [workload.name, str(hidden), package or ""],
                    "accelerated": True,
                }

            stage = prefixed(progress, f"{workload.name}, {setting}")
            found = measure(contenders, job, work, workload.edges, TOLERANCE, setting, effort, stage)
            about = f"a layer with {hidden} hidden units, {workload.edges:,} edges"
            yield {
                "benchmark": "models",
                "name": workload.name,
                "about": about,
                **summary(found, work, setting),
            }
