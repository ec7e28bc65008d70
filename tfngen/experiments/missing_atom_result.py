"""What a missing-atom run found: accuracies by size and element, beside the published ones."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tfngen.experiments.missing_atom_models import ELEMENTS
from tfngen.experiments.molecules import SYMBOLS
from tfngen.experiments.results import versions

if TYPE_CHECKING:
    from rich.table import Table

RADIUS = 0.5
"""Å: a prediction this near, of the right element, is correct."""

SETS: dict[str, range] = {
    "5–18 (train)": range(5, 19),
    "5–18 (unseen)": range(5, 19),
    "19": range(19, 20),
    "23": range(23, 24),
    "25–29": range(25, 30),
}
"""The sets, and how many atoms their molecules have. The paper has all but the second."""

PUBLISHED = {
    "5–18 (train)": (0.926, 0.16, {"H": 0.946, "C": 0.943, "N": 0.748, "O": 0.833}),
    "19": (0.947, 0.15, {"H": 0.932, "C": 0.999, "N": 0.747, "O": 0.802}),
    "23": (0.969, 0.14, {"H": 0.967, "C": 1.000, "N": 0.811, "O": 0.680}),
    "25–29": (0.978, 0.17, {"H": 0.977, "C": 0.997, "N": 0.938, "O": 0.601}),
}
"""Accuracy, mean distance in Å, accuracy by element: Thomas et al., arXiv:1802.08219."""


@dataclass(frozen=True)
class Score:
    """How well one set was told, each molecule with each of its atoms removed once."""

    molecules: int
    holes: int
    accuracy: float
    """The share within `RADIUS` and of the right element."""
    mean_distance: float
    """Å, from the predicted to the true place."""
    placed: float
    """The share within `RADIUS`."""
    named: float
    """The share of the right element."""
    by_element: dict[str, float]
    """`accuracy`, by the element removed."""
    counts: dict[str, int]
    """`holes`, by the element removed."""

    @classmethod
    def of(cls, molecules: int, distances: Tensor, predicted: Tensor, true: Tensor) -> Score:
        """Of distances (holes,) in Å and elements (holes,), predicted and true."""
        near, same = distances < RADIUS, predicted == true
        correct = (near & same).double()
        found = {SYMBOLS[number]: true == at for at, number in enumerate(ELEMENTS)}
        return cls(
            molecules=molecules,
            holes=len(distances),
            accuracy=correct.mean().item(),
            mean_distance=distances.double().mean().item(),
            placed=near.double().mean().item(),
            named=same.double().mean().item(),
            by_element={name: correct[these].mean().item() for name, these in found.items() if these.any()},
            counts={name: int(these.sum()) for name, these in found.items() if these.any()},
        )


@dataclass(frozen=True)
class MissingAtomResult:
    """All that one run found."""

    settings: dict[str, Any]
    parameters: int
    scores: dict[str, Score]
    """By set."""
    curves: dict[str, list[float]] = field(default_factory=dict)
    """Pass by pass: ``loss``, its parts ``position`` (Å²) and ``element``."""
    seconds: dict[str, float] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can say it."""
        return {
            "experiment": "missing-atom",
            "settings": self.settings,
            "parameters": self.parameters,
            "sets": {name: vars(score) for name, score in self.scores.items()},
            "curves": self.curves,
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "versions": versions(),
            "files": {name: path.name for name, path in self.files.items()},
        }


def table(result: MissingAtomResult) -> Table:
    """Accuracy and distance by set, then accuracy by the element removed; published values beside."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    elements = [
        name for name in SYMBOLS.values() if any(name in s.by_element for s in result.scores.values())
    ]
    shown = Table(
        title=f"Missing atom, model {result.settings['model']}, {result.parameters:,} parameters",
        caption=f"% correct: within {RADIUS} Å and of the right element. In brackets: Thomas et al., 2018.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    shown.add_column("atoms")
    for heading in ("holes", "correct %", "distance Å", *(f"{name} %" for name in elements)):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, score in result.scores.items():
        published = PUBLISHED.get(name)
        cells = [
            _beside(100 * score.accuracy, 1, published and 100 * published[0]),
            _beside(score.mean_distance, 3, published and published[1], 2),
        ]
        for element in elements:
            value = score.by_element.get(element)
            theirs = published[2].get(element) if published else None
            cells.append("–" if value is None else _beside(100 * value, 1, theirs and 100 * theirs))
        shown.add_row(name, f"{score.holes:,}", *cells)
    return shown


def _beside(value: float, digits: int, published: float | None, published_digits: int | None = None) -> str:
    theirs = digits if published_digits is None else published_digits
    return f"{value:.{digits}f}" + ("" if published is None else f" [dim]({published:.{theirs}f})[/]")


def summary(folders: Sequence[str | os.PathLike[str]]) -> Table:
    """Several runs of one model, as their results.json tell them: mean ± deviation over the runs.

    Raises:
        FileNotFoundError: a folder has no results.
        ValueError: fewer than two folders, or results of something else or of different models.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if len(folders) < 2:
        raise ValueError(f"folders: {len(folders)}; a deviation is of two runs or more")
    runs = [_read(Path(folder) / "results.json") for folder in folders]
    models = sorted({run["settings"]["model"] for run in runs})
    if len(models) > 1:
        raise ValueError(f"folders: runs of the models {', '.join(models)}; give runs of one")
    seeds = ", ".join(str(run["settings"]["seed"]) for run in runs)
    shown = Table(
        title=f"Missing atom, model {models[0]}: mean ± deviation over seeds {seeds}",
        caption="In brackets: Thomas et al., 2018.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    shown.add_column("atoms")
    for heading in ("correct %", "distance Å"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name in runs[0]["sets"]:
        accuracies = [100 * run["sets"][name]["accuracy"] for run in runs]
        distances = [run["sets"][name]["mean_distance"] for run in runs]
        theirs = PUBLISHED.get(name)
        shown.add_row(
            name,
            f"{mean(accuracies):.2f} ± {stdev(accuracies):.2f}"
            + (f" ({100 * theirs[0]:.1f})" if theirs else ""),
            f"{mean(distances):.4f} ± {stdev(distances):.4f}" + (f" ({theirs[1]:.2f})" if theirs else ""),
        )
    minutes = [run["seconds"]["train"] / 60 for run in runs]
    shown.add_row("training, minutes", f"{mean(minutes):.1f} ± {stdev(minutes):.1f}", "")
    return shown


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"folders: {path} is not a file")
    try:
        run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"folders: {path} is damaged ({error})") from error
    if run.get("experiment") != "missing-atom":
        raise ValueError(f"folders: {path} is of another experiment")
    return run
