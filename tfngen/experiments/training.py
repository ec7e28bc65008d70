"""The training loop of the experiments: small models, few threads, the same bits for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tfngen.experiments.checkpoint import Checkpoint, Curves

Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps in all), as by `tfngen.build`; `tfngen.console.progress` draws it."""

Objective = Callable[[int], tuple[Tensor, dict[str, float]]]
"""Given the step, counted from 0: the scalar to minimise, and numbers to record."""

Schedule = Callable[[float], float]
"""From the share of the steps that are done, 0 to 1, to a factor of the learning rate."""

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the message says at which step, and on what."""


def silent(stage: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


def half_cosine(done: float) -> float:
    """From 1 to 0 along half a cosine (Loshchilov & Hutter, arXiv:1608.03983, eq. 5, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * done))


def warm_half_cosine(done: float, warm: float = 0.02) -> float:
    """The same after a linear rise over the first `warm` of the steps."""
    return half_cosine(done) * min(1.0, (done + 1e-4) / warm)


def constant(done: float) -> float:
    """1, whatever is done: the papers' Adam."""
    return 1.0


def minimize(
    model: nn.Module,
    objective: Objective,
    *,
    steps: int,
    learning_rate: float,
    schedule: Schedule = half_cosine,
    clip: float = 1.0,
    average: AveragedModel | None = None,
    window: int = 1,
    checkpoint: Checkpoint | None = None,
    culprit: Callable[[int], str] | None = None,
    stage: str = "train",
    progress: Progress = silent,
) -> dict[str, list[float]]:
    """Adam (Kingma & Ba, arXiv:1412.6980), gradients clipped to a norm; continues where a checkpoint ends.

    A step depends on nothing but its number, the parameters and Adam's moments, so a run that was stopped
    anywhere and continued gives the weights, bit for bit, of one that was not.

    Args:
        model: whose parameters change.
        objective: evaluated once per step.
        steps: how many, ≥ 1.
        learning_rate: before the schedule's factor.
        schedule: how the learning rate changes, half a cosine down to 0 by default.
        clip: the largest norm of a step's gradient over all parameters.
        average: follows the parameters, updated after every step.
        window: how many steps each recorded number is the mean of.
        checkpoint: read before the first step, written now and then and after the last.
        culprit: names what a step was computed from, for the error when that goes wrong.
        stage: what this training is called, in progress and errors.
        progress: told after every step.

    Returns:
        Each number the objective records, window by window.

    Raises:
        DivergenceError: the objective or its gradient is not finite; the step it would have led to is not
            taken, nor is the checkpoint written again.
        ValueError: the checkpoint is of another run.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    curves = Curves(window)
    modules = {"model": model} | ({} if average is None else {"average": average})
    start = 0 if checkpoint is None else checkpoint.restore(modules, optimizer, curves)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * schedule(step / steps)
        optimizer.zero_grad()
        loss, record = objective(step)
        _check_finite(stage, step, "objective", loss.item(), culprit)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        _check_finite(stage, step, "gradient's norm", norm.item(), culprit)
        optimizer.step()
        if average is not None:
            average.update_parameters(model)
        curves.add(record)
        if checkpoint is not None:
            checkpoint.save_if_due(modules, optimizer, curves, step + 1, last=step + 1 == steps)
        progress(stage, step + 1, steps)
    return curves.values


def _check_finite(
    stage: str, step: int, what: str, value: float, culprit: Callable[[int], str] | None
) -> None:
    if not math.isfinite(value):
        on = f", on {culprit(step)}" if culprit is not None else ""
        raise DivergenceError(
            f"{stage}, step {step + 1}{on}: the {what} is {value}; try another seed or learning rate"
        )


def exponential_average(model: nn.Module, decay: float) -> AveragedModel:
    """Parameters that follow those of `model`: θ̄ ← decay · θ̄ + (1 − decay) · θ after every step."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))


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


def stream(seed: int, number: int) -> torch.Generator:
    """A generator of its own for the `number`-th of something, a pass or a step, counted from 0."""
    return torch.Generator().manual_seed((seed + 1_000_003 * number) % 2**63)


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
