"""The training loop of the experiments: small models, few threads, the same bits for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps in all), as by `tfngen.build`; `tfngen.console.progress` draws it."""

Objective = Callable[[], tuple[Tensor, dict[str, float]]]
"""Gives the scalar to minimise, and numbers to record."""

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the message says at which step."""


def silent(stage: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


def minimize(
    model: nn.Module,
    objective: Objective,
    *,
    steps: int,
    learning_rate: float,
    clip: float = 1.0,
    stage: str = "train",
    progress: Progress = silent,
) -> dict[str, list[float]]:
    """Adam, its learning rate falling to zero along half a cosine, gradients clipped to a norm.

    Args:
        model: whose parameters change.
        objective: evaluated once per step.
        steps: how many, ≥ 1.
        learning_rate: of the first step.
        clip: the largest norm of a step's gradient over all parameters.
        stage: what this training is called, in progress and errors.
        progress: told after every step.

    Returns:
        Each number the objective records, step by step.

    Raises:
        DivergenceError: the objective or its gradient is not finite.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    curves: dict[str, list[float]] = {}
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss, record = objective()
        _check_finite(stage, step, "objective", loss.item())
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        _check_finite(stage, step, "gradient's norm", norm.item())
        optimizer.step()
        schedule.step()
        for name, value in record.items():
            curves.setdefault(name, []).append(value)
        progress(stage, step, steps)
    return curves


def _check_finite(stage: str, step: int, what: str, value: float) -> None:
    if not math.isfinite(value):
        raise DivergenceError(f"{stage}, step {step}: the {what} is {value}; try another seed or rate")


def parameter_count(model: nn.Module) -> int:
    """The number of trained numbers."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Torch on one thread and seeded; threads and random state are as before afterwards.

    On graphs as small as an experiment's, waking threads costs more than they compute, and one thread
    sums in the same order on every machine.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def check_count(name: str, value: object) -> int:
    """`value`, once it is an integer ≥ 1.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: {value!r}; it must be an integer ≥ 1")
    return value


def check_seed(seed: object) -> int:
    """`seed`, once it is an integer from 0 to 2⁶³ − 1.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ValueError(f"seed: {seed!r}; it must be an integer from 0 to 2⁶³ − 1")
    return seed


def check_dtype(dtype: object) -> torch.dtype:
    """The torch dtype called `dtype`.

    Raises:
        ValueError: it is neither ``"float32"`` nor ``"float64"``.
    """
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype: {dtype!r}; it must be one of {', '.join(DTYPES)}")
    return DTYPES[dtype]
