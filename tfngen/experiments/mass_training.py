"""How gravity and inertia are trained: as published, and the same network on more sets per step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Generator, Tensor, nn

from tfngen.experiments.checkpoint import Checkpoint, refuse_unfinished
from tfngen.experiments.training import (
    Progress,
    check_count,
    constant,
    half_cosine,
    minimize,
    stream,
)

NO_CLIP = 1e9
"""A norm no gradient reaches: these objectives are tame, and the published runs did not clip."""

PICTURE, VALIDATION, FIRST_STEP = 0, 1, 2
"""Which stream of a seed's random numbers is whose."""

RADII = 151
"""At so many distances learnt radial functions are compared and drawn."""


@dataclass(frozen=True)
class Recipe:
    """Adam on sets drawn afresh in each step."""

    steps: int
    sets: int
    """In each step."""
    learning_rate: float
    falls: bool
    """Whether the learning rate falls to zero along half a cosine, or stays."""


@dataclass(frozen=True)
class Fitted:
    """One training run: its curves, and what was learnt."""

    recipe: Recipe
    curves: dict[str, list[float]]
    """Step by step, ``loss``: ½ Σ of the squared errors of a set, the mean over the step's sets."""
    radials: dict[str, list[float]]
    """``r``, and the learnt radial functions there, with the exact ones beside."""
    relative_error: float
    """|learnt − exact| / |exact|, the mean over the distances that count."""
    largest_relative_error: float
    validation: float
    """The loss on sets that were never trained on."""

    def to_json(self) -> dict[str, Any]:
        """As JSON says it."""
        return {**vars(self), "recipe": vars(self.recipe)}


def recipes(chosen: dict[str, Recipe], steps: int | None) -> dict[str, Recipe]:
    """The recipes, with another number of steps if one is given."""
    if steps is None:
        return chosen
    return {name: replace(recipe, steps=check_count("steps", steps)) for name, recipe in chosen.items()}


def checkpoints(
    folder: Path, settings: dict[str, Any], names: list[str], resume: bool
) -> dict[str, Checkpoint]:
    """One for each recipe; refused if an unfinished run is there that is not to be continued."""
    files = {name: folder / f"checkpoint-{name}.safetensors" for name in names}
    if not resume:
        for file in files.values():
            refuse_unfinished(file)
    return {name: Checkpoint(file, settings | {"recipe": name}) for name, file in files.items()}


def fit(
    network: nn.Module,
    loss: Callable[[Generator, int], Tensor],
    recipe: Recipe,
    seed: int,
    name: str,
    checkpoint: Checkpoint,
    progress: Progress,
    validate: Callable[[], float] | None = None,
    every: int = 100,
) -> dict[str, list[float]]:
    """Train on sets that follow from the seed and the step alone.

    Args:
        network: whose parameters change.
        loss: of so many sets drawn from a generator.
        recipe: how.
        seed: of the sets.
        name: of the recipe, for progress.
        checkpoint: where the run stands.
        progress: told about every step.
        validate: if given, its value is recorded as ``validation`` before every `every`-th step.
        every: see `validate`.

    Returns:
        The curves.
    """

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        record = {}
        if validate is not None and step % every == 0:
            record["validation"] = validate()
        value = loss(stream(seed, FIRST_STEP + step), recipe.sets)
        return value, record | {"loss": value.item()}

    return minimize(
        network,
        objective,
        steps=recipe.steps,
        learning_rate=recipe.learning_rate,
        schedule=half_cosine if recipe.falls else constant,
        clip=NO_CLIP,
        checkpoint=checkpoint,
        culprit=lambda step: f"{recipe.sets} sets drawn for it with seed {seed}",
        stage=f"train {name}",
        progress=progress,
    )
