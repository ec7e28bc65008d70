"""Training steps of the missing-atom experiment, beside the same network on e3nn's operations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from tfngen.bench import ceiling
from tfngen.bench.timing import Progress, interleave
from tfngen.experiments import molecules as data
from tfngen.experiments.holes import MoleculeSet
from tfngen.experiments.missing_atom_models import ARCHITECTURES, ELEMENTS, MissingAtomNetwork, loss
from tfngen.experiments.on_e3nn import on_e3nn

MOLECULES = 1000
BATCHES = (16, 64)
"""Molecules per step: what `best` takes by default, and what `paper` does."""


def measure(model: str, rounds: int, progress: Progress, threads: int = 1) -> dict[str, Any]:
    """Time whole steps: taking atoms out, forward, backward and Adam's update, in turn.

    Args:
        model: ``"paper"`` or ``"best"``.
        rounds: how many steps of each contender are counted.
        progress: told about every round.
        threads: of torch; the experiment trains on one.

    Returns:
        Milliseconds per step and seconds per pass of each contender and batch, with this run's ceilings.
    """
    from tfngen import load

    architecture = ARCHITECTURES[model]
    found = [each for each in data.read(None, progress) if 5 <= len(each) <= 18]
    training = MoleculeSet(data.sample(found, MOLECULES, seed=0), ELEMENTS, architecture.cutoff)
    molecule, removed = training.random_holes(torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(0)
        ours = MissingAtomNetwork(load(lmax=architecture.lmax), architecture)
        networks = {"tfngen": ours, "e3nn": on_e3nn(copy.deepcopy(ours))}
        work: dict[str, Callable[[], object]] = dict(ceiling.contenders())
        for batch in BATCHES:
            for name, network in networks.items():
                work[f"{name} {batch}"] = _step(network, training, molecule[:batch], removed[:batch])
        timings = interleave(work, rounds, progress=progress)
    finally:
        torch.set_num_threads(before)
    rows = [
        {
            "contender": name,
            "batch": batch,
            "milliseconds_per_step": 1e3 * (seconds := timings[f"{name} {batch}"].median),
            "seconds_per_pass": seconds * MOLECULES / batch,
            "times_faster_than_e3nn": timings[f"e3nn {batch}"].median / seconds,
        }
        for batch in BATCHES
        for name in networks
    ]
    peak = ceiling.ceiling(timings)
    return {
        "model": model,
        "threads": threads,
        "edges": training.edges.shape[1],
        "sgemm_gflops": peak.flops / 1e9,
        "read_gb_per_s": peak.bandwidth / 1e9,
        "rows": rows,
    }


def _step(
    network: MissingAtomNetwork, training: MoleculeSet, molecule: torch.Tensor, removed: torch.Tensor
) -> Callable[[], object]:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6)

    def step() -> None:
        holes = training.without(molecule, removed)
        optimizer.zero_grad()
        position, element = loss(network(holes), holes)
        (position + element).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
