"""tfngen once more, each mode recorded by `tfngen.trace` and run as one straight program."""

from __future__ import annotations

from dataclasses import replace

from tfngen import trace
from tfngen.bench.peers import Prepared, ours
from tfngen.bench.problem import Problem


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`tfngen.bench.peers.ours`, traced; vectors, features, weights and the graph are given to it."""
    prepared = ours.convolution(problem, compiled, trace)
    return replace(
        prepared, missing={"gradient": "a program leaves out the sums, which nobody asks for there"}
    )
