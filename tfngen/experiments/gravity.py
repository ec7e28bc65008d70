"""Gravity: a network of one convolution learns Newton's law from accelerations.

Thomas et al., arXiv:1802.08219. Point masses go in as scalars, accelerations are to come out as vectors; the
radial function that the filter of degree 1 learns should be −1/r². `run` writes

    results.json          every number, settings and versions
    weights.safetensors   the network trained on batches
    gravity.png           the learnt radial function over −1/r², accelerations, curves
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from tfngen.experiments.devices import find_device, kernels_for
from tfngen.experiments.mass_models import GravityNetwork, gravity_radial
from tfngen.experiments.mass_training import (
    PICTURE,
    RADII,
    VALIDATION,
    Fitted,
    Recipe,
    checkpoints,
    fit,
    recipes,
)
from tfngen.experiments.point_masses import PointMasses, accelerations
from tfngen.experiments.results import Stopwatch, prepare_folder, require, versions
from tfngen.experiments.training import (
    Progress,
    check_count,
    check_dtype,
    check_seed,
    reproducible,
    silent,
    stream,
)
from tfngen.files import write_bytes, write_json
from tfngen.nn import weights
from tfngen.runtime.convolution import Kernels

if TYPE_CHECKING:
    from rich.table import Table

RECIPES = {
    "published": Recipe(steps=1000, sets=1, learning_rate=1e-3, falls=False),
    "batched": Recipe(steps=1000, sets=32, learning_rate=1e-2, falls=True),
}
FEWEST, MOST, APART, REACH = 2, 10, 0.5, 2.0
"""Points of a training set, how near they may be, and the half edge of their cube."""

VALIDATION_SETS, VALIDATION_MOST = 1000, 50
NEAR, FAR = 0.5, 2.0
"""Distances between which the radial function is compared: nearer never occurs, the Gaussians end at 2."""

TOLERANCE = 0.1
"""The mean relative error of the radial function that passes for Newton's law learnt."""


@dataclass(frozen=True)
class GravityResult:
    """All that one run found."""

    settings: dict[str, Any]
    fitted: dict[str, Fitted]
    """By recipe."""
    median_errors: dict[str, float]
    """By recipe: |predicted − true| / |true| of an acceleration, the median over the validation sets."""
    seconds: dict[str, float]
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What was expected of this run and did not happen; empty when all did."""
        return [
            f"{name}: the radial function is off by {each.relative_error:.1%} of −1/r², above {TOLERANCE:.0%}"
            for name, each in self.fitted.items()
            if not each.relative_error <= TOLERANCE
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can say it."""
        return {
            "experiment": "gravity",
            "settings": self.settings,
            "fitted": {name: each.to_json() for name, each in self.fitted.items()},
            "median_errors": self.median_errors,
            "failures": self.failures,
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "versions": versions(),
            "files": {name: path.name for name, path in self.files.items()},
        }


def run(
    kernels: Kernels | None = None,
    out: str | os.PathLike[str] = Path("runs/gravity"),
    steps: int | None = None,
    validation_sets: int = VALIDATION_SETS,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    resume: bool = False,
    picture: bool = True,
    progress: Progress = silent,
) -> GravityResult:
    """Train as published and on batches, compare, and write the results to the folder `out`.

    Args:
        kernels: a generated package with lmax ≥ 1; `tfngen.load(lmax=1)` by default.
        out: where the files go; files of an earlier run that finished are replaced.
        steps: of both trainings, ≥ 1; 1,000 by default.
        validation_sets: sets of 2 to 50 points, ≥ 1.
        seed: of weights and sets; the same seed gives the same numbers, bit for bit.
        dtype: ``"float32"`` or ``"float64"``.
        device: ``"cpu"`` or ``"cuda"``.
        resume: continue the unfinished run in `out`, if there is one.
        picture: whether to draw one.
        progress: told about every step.

    Raises:
        ValueError: an argument is wrong, or `out` holds an unfinished run; nothing is changed.
        ModuleNotFoundError: safetensors, or matplotlib for the picture, is not installed.
        DivergenceError: training left the finite numbers.
    """
    chosen = recipes(RECIPES, steps)
    check_count("validation_sets", validation_sets), check_seed(seed)
    precision, place = check_dtype(dtype), find_device(device)
    require("safetensors", *(["matplotlib"] if picture else []))
    folder, clock = prepare_folder(out), Stopwatch()
    settings = {"steps": steps or RECIPES["published"].steps, "seed": seed, "dtype": dtype, "device": device}
    saved = checkpoints(folder, settings, list(chosen), resume)
    settings |= {"validation_sets": validation_sets}

    with reproducible(seed):
        kernels = kernels_for(1, device) if kernels is None else kernels
        found, errors = {}, {}
        sets = PointMasses.draw(
            validation_sets, FEWEST, VALIDATION_MOST, REACH, APART, stream(seed, VALIDATION)
        )
        network = GravityNetwork(kernels)
        for name, recipe in chosen.items():
            torch.manual_seed(seed)
            network = GravityNetwork(kernels).to(place, precision)

            def loss(generator: Generator, sets: int, network: GravityNetwork = network) -> Tensor:
                drawn = PointMasses.draw(sets, FEWEST, MOST, REACH, APART, generator)
                predicted, true = both(network, drawn)
                return 0.5 * (predicted - true).square().sum() / sets

            with clock(f"train {name}"):
                curves = fit(network, loss, recipe, seed, name, saved[name], progress)
            with clock("validate"):
                validation, errors[name] = _validate(network, sets)
            found[name] = _compared(network, recipe, curves, validation)

    files = {"results": folder / "results.json", "weights": folder / "weights.safetensors"}
    weights.save(network, files["weights"], experiment="gravity", **settings)
    result = GravityResult(settings, found, errors, clock.seconds, files)
    if picture:
        from tfngen.experiments.mass_pictures import draw_gravity

        with clock("picture"), reproducible(seed):
            files["picture"] = folder / "gravity.png"
            shown = PointMasses.draw(1, MOST, MOST, REACH, 1.0, stream(seed, PICTURE))
            drawn = [each.cpu() for each in both(network, shown)]
            write_bytes(files["picture"], draw_gravity(result, shown, *drawn))
    write_json(files["results"], result.to_json())
    for checkpoint in saved.values():
        checkpoint.remove()
    return result


def both(network: GravityNetwork, sets: PointMasses) -> tuple[Tensor, Tensor]:
    """Accelerations (points, 3), the network's and Newton's, in the network's dtype, on its device."""
    graph, like = sets.everybody_sees_everybody(), next(network.parameters())
    predicted = network(graph.to(like.device), sets.positions.to(like), sets.masses.to(like))
    return predicted, accelerations(graph, sets).to(like)


def _validate(network: GravityNetwork, sets: PointMasses) -> tuple[float, float]:
    """The mean loss of a set, and the median relative error of an acceleration."""
    with torch.no_grad():
        predicted, true = both(network, sets)
    wrong = (predicted - true).norm(dim=1)
    return (0.5 * wrong.square().sum() / len(sets.sizes)).item(), (wrong / true.norm(dim=1)).median().item()


def _compared(
    network: GravityNetwork, recipe: Recipe, curves: dict[str, list[float]], validation: float
) -> Fitted:
    like = next(network.parameters())
    r = torch.linspace(NEAR, FAR, RADII, dtype=like.dtype, device=like.device)
    learnt, exact = gravity_radial(network, r), -1 / r**2
    relative = (learnt / exact - 1).abs()
    radials = {"r": r.tolist(), "learnt": learnt.tolist(), "exact": exact.tolist()}
    return Fitted(recipe, curves, radials, relative.mean().item(), relative.max().item(), validation)


def table(result: GravityResult) -> Table:
    """What was learnt, by recipe."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    sets = f"{result.settings['validation_sets']:,} sets of {FEWEST} to {VALIDATION_MOST} points"
    shown = Table(
        title="Gravity: the radial function beside −1/r², for 0.5 ≤ r ≤ 2",
        caption=f"validation: {sets}; ½ Σ |Δa|² of a set, and |Δa| / |a|",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    shown.add_column("recipe")
    for heading in ("steps", "sets each", "mean error", "largest", "validation loss", "median error of a"):
        shown.add_column(heading, justify="right")
    for name, each in result.fitted.items():
        shown.add_row(
            name,
            f"{each.recipe.steps:,}",
            str(each.recipe.sets),
            f"{each.relative_error:.2%}",
            f"{each.largest_relative_error:.1%}",
            f"{each.validation:.3f}",
            f"{result.median_errors[name]:.2%}",
        )
    return shown
