"""What a call costs before its GPU begins: ``python -m tfngen.bench.launching --json FILE``.

A convolution over a graph so small that its kernels end before the next call is made, many times without
waiting for the GPU: Python, checks, autograd and launches are what is left.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

import tfngen
from tfngen.files import write_json
from tfngen.runtime.convolution_operators import convolve

CALLS = 50
"""Calls between two waits: beyond some thousand launches in its queue a GPU makes the caller wait."""

LMAX = 3
CASES = {
    "1 path": ("32x0e", "0e", "0e"),
    "17 paths": ("32x0e+32x1o+32x2e", "0e+1o+2e+3o", "0e+1o+2e+3o"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tfngen.bench.launching", description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write it")
    parser.add_argument("--device", default="cuda", help="cuda; cpu only shows that this runs")
    parser.add_argument("--rounds", type=int, default=100, help=f"of {CALLS} calls; the median counts")
    given = parser.parse_args(arguments)
    rows = measure(given.device, given.rounds)
    for row in rows:
        print(f"{row['call']}: {row['microseconds']:.1f} µs per call")
    if given.json is not None:
        write_json(given.json, {"device": given.device, "calls": CALLS, "rounds": given.rounds, "rows": rows})


def measure(device: str, rounds: int) -> list[dict[str, Any]]:
    """An operator alone, what users call, with and without gradients to come, and torch's own addition."""
    kernels = tfngen.load(LMAX, targets=(device,))
    graph = tfngen.Graph.complete(2).to(device)
    pair = torch.ones(2, device=device)
    rows = [
        {"call": "torch.add", "microseconds": _microseconds(partial(torch.add, pair, pair), device, rounds)}
    ]
    y = kernels.spherical_harmonics(torch.ones(graph.num_edges, 3, device=device))
    for name, irreps in CASES.items():
        convolution = kernels.Convolution(*irreps)
        features = tfngen.Features(
            {irrep: torch.ones(2, count, irrep.dim, device=device) for count, irrep in convolution.irreps_in}
        )
        weights = torch.ones(graph.num_edges, convolution.weight_numel, device=device, requires_grad=True)
        inputs = torch.ones(
            2, sum(count * irrep.dim for count, irrep in convolution.irreps_in), device=device
        )
        operands = (y[:, : convolution._numbers[0]].contiguous(), inputs, weights.detach())
        package = kernels._package.fingerprint
        call = partial(convolve, "output", package, convolution._numbers, operands, graph.edges)
        rows.append({"call": f"{name}, operator", "microseconds": _microseconds(call, device, rounds)})
        for what, context in (("forward", torch.no_grad()), ("forward for gradients", nullcontext())):
            with context:
                call = partial(convolution, graph, y, features, weights)
                taken = _microseconds(call, device, rounds)
            rows.append({"call": f"{name}, {what}", "microseconds": taken})
    return rows


def _microseconds(call: Callable[[], Any], device: str, rounds: int) -> float:
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    taken = []
    for _ in range(rounds + 1):  # the first compiles
        wait()
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        taken.append(time.perf_counter() - start)
    wait()
    return 1e6 * median(taken[1:]) / CALLS


if __name__ == "__main__":
    main()
