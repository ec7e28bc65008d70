"""The moment of inertia: a network of one convolution learns a tensor from its 0 ⊕ 2 parts.

Thomas et al., arXiv:1802.08219. Point masses go in as scalars; at the centre of their cube come out a
scalar and a part of degree 2, put together to the 3×3 tensor I = Σ m (r² 1 − r rᵀ). The radial functions
learnt should be ⅔ r² and −r². `run` writes

    results.json          every number, settings and versions
    weights.safetensors   the network trained on batches
    inertia.png           the learnt radial functions over the exact ones, validation while training
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from tfngen.experiments.devices import find_device, kernels_for
from tfngen.experiments.mass_models import InertiaNetwork, inertia_radials
from tfngen.experiments.mass_training import RADII, VALIDATION, Fitted, Recipe, checkpoints, fit, recipes
from tfngen.experiments.point_masses import PointMasses, inertia_tensors
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
from tfngen.runtime.graph import Graph

if TYPE_CHECKING:
    from rich.table import Table

RECIPES = {
    "published": Recipe(steps=10_000, sets=1, learning_rate=1e-4, falls=False),
    "batched": Recipe(steps=10_000, sets=16, learning_rate=1e-3, falls=True),
}
PUBLISHED = {1000: 2.38, 2000: 0.226, 4000: 0.017, 10_000: 0.002}
"""The validation loss, ½ Σ over the tensor, after so many steps: the code published with the paper."""

FEWEST, MOST, REACH = 2, 10, 0.5
"""Points of a set, and the half edge of their cube."""

EVERY = 100
"""Steps between validations."""

NEAR, FAR = 0.3, 0.8
"""The distances between which radial functions are compared: nearly all points of the cube are as far."""


@dataclass(frozen=True)
class InertiaResult:
    """All that one run found."""

    settings: dict[str, Any]
    fitted: dict[str, Fitted]
    """By recipe; ``validation`` in its curves is the loss before every 100th step."""
    seconds: dict[str, float]
    files: dict[str, Path] = field(default_factory=dict)

    def after(self, name: str) -> dict[int, float]:
        """The validation loss after as many steps as a loss was published for, if there were as many."""
        each = self.fitted[name]
        losses = dict(enumerate(each.curves["validation"])) | {each.recipe.steps / EVERY: each.validation}
        return {steps: losses[steps / EVERY] for steps in PUBLISHED if steps / EVERY in losses}

    @property
    def failures(self) -> list[str]:
        """What was expected of this run and did not happen; empty when all did."""
        return [
            f"{name}: validation loss {loss:.2g} after {steps:,} steps, published is {PUBLISHED[steps]:g}"
            for name in self.fitted
            for steps, loss in self.after(name).items()
            if not loss <= PUBLISHED[steps]
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can say it."""
        return {
            "experiment": "inertia",
            "settings": self.settings,
            "published": {str(steps): loss for steps, loss in PUBLISHED.items()},
            "after": {name: {str(n): v for n, v in self.after(name).items()} for name in self.fitted},
            "fitted": {name: each.to_json() for name, each in self.fitted.items()},
            "failures": self.failures,
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "versions": versions(),
            "files": {name: path.name for name, path in self.files.items()},
        }


def run(
    kernels: Kernels | None = None,
    out: str | os.PathLike[str] = Path("runs/inertia"),
    steps: int | None = None,
    most: int = MOST,
    validation_sets: int = 1000,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "cpu",
    resume: bool = False,
    picture: bool = True,
    progress: Progress = silent,
) -> InertiaResult:
    """Train as published and on batches, compare, and write the results to the folder `out`.

    Args:
        kernels: a generated package with lmax ≥ 2; `tfngen.load(lmax=2)` by default.
        out: where the files go; files of an earlier run that finished are replaced.
        steps: of both trainings, ≥ 1; 10,000 by default.
        most: points of a set, ≥ 2; the paper's text has 10, its code 15.
        validation_sets: how many, ≥ 1.
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
    if check_count("most", most) < FEWEST:
        raise ValueError(f"most: {most}; a set has at least {FEWEST} points")
    precision, place = check_dtype(dtype), find_device(device)
    require("safetensors", *(["matplotlib"] if picture else []))
    folder, clock = prepare_folder(out), Stopwatch()
    settings = {"steps": steps or RECIPES["published"].steps, "most": most, "seed": seed, "dtype": dtype}
    settings |= {"validation_sets": validation_sets, "device": device}
    saved = checkpoints(folder, settings, list(chosen), resume)

    with reproducible(seed):
        kernels = kernels_for(2, device) if kernels is None else kernels
        found = {}
        sets = PointMasses.draw(validation_sets, FEWEST, most, REACH, 0.0, stream(seed, VALIDATION))
        network = InertiaNetwork(kernels)
        for name, recipe in chosen.items():
            torch.manual_seed(seed)
            network = InertiaNetwork(kernels).to(place, precision)
            problem = prepared(sets, network)

            def loss(generator: Generator, sets: int, network: InertiaNetwork = network) -> Tensor:
                drawn = PointMasses.draw(sets, FEWEST, most, REACH, 0.0, generator)
                return _loss(network, *prepared(drawn, network))

            def validate(network: InertiaNetwork = network, problem: tuple[Any, ...] = problem) -> float:
                with torch.no_grad():
                    return _loss(network, *problem).item()

            with clock(f"train {name}"):
                curves = fit(network, loss, recipe, seed, name, saved[name], progress, validate, EVERY)
            found[name] = _compared(network, recipe, curves, validate())

    files = {"results": folder / "results.json", "weights": folder / "weights.safetensors"}
    weights.save(network, files["weights"], experiment="inertia", **settings)
    result = InertiaResult(settings, found, clock.seconds, files)
    if picture:
        from tfngen.experiments.mass_pictures import draw_inertia

        with clock("picture"):
            files["picture"] = folder / "inertia.png"
            write_bytes(files["picture"], draw_inertia(result))
    write_json(files["results"], result.to_json())
    for checkpoint in saved.values():
        checkpoint.remove()
    return result


def prepared(sets: PointMasses, network: InertiaNetwork) -> tuple[Graph, Tensor, Tensor, Tensor, Tensor]:
    """Graph, positions, masses, the true tensors at the centres, and where those are, for `network`."""
    graph, points, centres = sets.around_centres()
    like, true = next(network.parameters()), inertia_tensors(graph, points, centres)
    numbers = (each.to(like) for each in (points.positions, points.masses, true))
    return graph.to(like.device), *numbers, centres.to(like.device)


def _loss(
    network: InertiaNetwork, graph: Graph, positions: Tensor, masses: Tensor, true: Tensor, centres: Tensor
) -> Tensor:
    """½ Σ over the tensor of the squared error, the mean over the sets."""
    return 0.5 * (network(graph, positions, masses)[centres] - true).square().sum() / len(centres)


def _compared(
    network: InertiaNetwork, recipe: Recipe, curves: dict[str, list[float]], validation: float
) -> Fitted:
    like = next(network.parameters())
    r = torch.linspace(FAR / RADII, FAR, RADII, dtype=like.dtype, device=like.device)
    learnt = dict(zip(("scalar", "tensor"), inertia_radials(network, r), strict=True))
    exact = {"scalar": 2 / 3 * r**2, "tensor": -(r**2)}
    counts = r >= NEAR
    relative = torch.cat([(learnt[part] / exact[part] - 1).abs()[counts] for part in exact])
    radials = {"r": r.tolist()}
    for part in exact:
        radials |= {part: learnt[part].tolist(), f"exact {part}": exact[part].tolist()}
    return Fitted(recipe, curves, radials, relative.mean().item(), relative.max().item(), validation)


def table(result: InertiaResult) -> Table:
    """The validation loss as training goes on, beside the published one."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(
        title=f"Inertia, sets of {FEWEST} to {result.settings['most']}: validation loss, ½ Σ over the tensor",
        caption=f"radial functions: mean |learnt / exact − 1| for {NEAR} ≤ r ≤ {FAR}",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    shown.add_column("steps")
    columns = list(result.fitted)
    for heading in ("published code", *(f"{name} recipe" for name in columns)):
        shown.add_column(heading, justify="right")
    losses = {name: result.after(name) for name in columns}
    for steps, published in PUBLISHED.items():
        if all(steps in found for found in losses.values()):
            ours = (f"{found[steps]:.2g}" for found in losses.values())
            shown.add_row(f"{steps:,}", f"{published:g}", *ours)
    last = (f"{each.validation:.2g}" for each in result.fitted.values())
    if result.settings["steps"] not in PUBLISHED:
        shown.add_row(f"{result.settings['steps']:,}", "", *last)
    errors = (f"{each.relative_error:.2%}" for each in result.fitted.values())
    shown.add_row("radial functions", "", *errors)
    return shown
