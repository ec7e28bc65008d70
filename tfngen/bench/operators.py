"""What each operator of a convolution takes, and on a GPU each of its kernels.

    python -m tfngen.bench.operators --workload mace-large --json FILE

An operator is one form (`tfngen.forms`) over a graph, without harmonics, autograd or Python around it: what
`tfngen bench conv` measures consists of these.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

import torch

from tfngen.bench.meter import Meter, meter
from tfngen.bench.workloads import Workload, build_graph, find, kernels_of
from tfngen.files import write_json
from tfngen.forms import FORM, TANGENT
from tfngen.roles import SLOTS
from tfngen.runtime.convolution_operators import compute
from tfngen.runtime.plan import decode

OPERATORS = ("output", "backward", "double_backward", "d_grad")
"""What energies, forces and training with forces are made of; the last two are one operator for autograd."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tfngen.bench.operators", description=__doc__)
    parser.add_argument("--workload", action="append", help="of tfngen bench conv; mace-large by default")
    parser.add_argument("--package", help="a generated package's folder; one of the degree by default")
    parser.add_argument("--data", help="the file of the structure, for a workload that needs one")
    parser.add_argument("--device", default="cuda", help="cuda; cpu for what processors take")
    parser.add_argument("--calls", type=int, default=15, help="of each operator; the median counts")
    parser.add_argument("--json", type=Path, help="where to write it")
    given = parser.parse_args(arguments)
    found = []
    for workload in find(given.workload or ["mace-large"], given.data):
        for row in measure(workload, given.package, given.device, given.calls):
            found.append({"workload": workload.name, "edges": workload.edges, **row})
            print(f"{workload.name}, {row['operator']}: {row['milliseconds']:.4f} ms")
            for kernel in row["kernels"]:
                print(f"    {kernel['kernel']:40} {kernel['milliseconds']:.4f} ms, {kernel['launch']}")
    if given.json is not None:
        write_json(given.json, {"device": given.device, "calls": given.calls, "rows": found})


def measure(workload: Workload, package: str | None, device: str, calls: int) -> Iterator[dict[str, Any]]:
    """Each operator of `OPERATORS` on random rows: {"operator", "milliseconds", "kernels"}."""
    kernels = kernels_of(workload, package, device)
    convolution = kernels.Convolution(workload.irreps_in, workload.irreps_filter, workload.irreps_out)
    graph, _ = build_graph(workload)
    edges = graph.to(device).edges
    widths, _ = decode(convolution._numbers)
    shapes = dict(zip(SLOTS, zip(edges.rows, widths, strict=True), strict=True))
    names = {name: None for each in OPERATORS for name in FORM[each].operands}
    operands = {name: torch.randn(shapes[name.removesuffix(TANGENT)], device=device) for name in names}
    timed = meter(device)
    for name in OPERATORS:
        taken = [operands[each] for each in FORM[name].operands]
        call = partial(_run, name, kernels._package.fingerprint, convolution._numbers, taken, edges)
        yield {
            "operator": name,
            "milliseconds": _milliseconds(call, timed, calls),
            "kernels": _kernels(call, calls) if device == "cuda" else [],
        }


def _run(name: str, package: str, plan: tuple[int, ...], operands: list[Any], edges: Any) -> Any:
    named = dict(zip(FORM[name].operands, operands, strict=True))
    return compute(FORM[name], package, plan, named, edges)


def _milliseconds(call: Callable[[], Any], timed: Meter, calls: int) -> float:
    call()  # compiles
    return 1e3 * median(timed.seconds(call) for _ in range(calls))


def _kernels(call: Callable[[], Any], calls: int) -> list[dict[str, Any]]:
    """What each launch takes, in order."""
    taken: list[list[float]] = []
    launches: list[_Launch] = []
    for _ in range(calls):
        launches.clear()
        with _noting(launches):
            call()
        torch.cuda.synchronize()
        taken.append([each.begin.elapsed_time(each.end) for each in launches])
    return [
        {
            "kernel": f"{step.kernel.__module__.rpartition('.')[2]}.{step.kernel.__name__}",
            "launch": f"{blocks} × {step.blocks} blocks of {step.threads} threads",
            "pairs": step.kernel.pairs,
            "milliseconds": median(times),
        }
        for (step, blocks, *_), times in zip(launches, zip(*taken, strict=True), strict=True)
    ]


class _Launch(NamedTuple):
    """A kernel of a sequence, how many blocks of it there are along x, and events around it."""

    step: Any
    blocks: int
    begin: torch.cuda.Event
    end: torch.cuda.Event


@contextmanager
def _noting(launches: list[_Launch]) -> Iterator[None]:
    """Launch the kernels of a sequence one by one, events around each."""
    from tfngen.runtime.cuda import driver, run
    from tfngen.runtime.cuda.sequence import LaunchSequence

    event: Any = torch.cuda.Event

    def noted(sequence: LaunchSequence, blocks: int, values: Iterable[int], device: torch.device) -> None:
        values = list(values)
        for step in sequence.steps:
            alone = LaunchSequence([step], sequence.names)
            begin, end = (event(enable_timing=True) for _ in range(2))
            begin.record()
            driver.launch(alone, blocks, values, device)
            end.record()
            launches.append(_Launch(step, blocks, begin, end))

    with patch.object(run, "launch", noted):
        yield


if __name__ == "__main__":
    main()
