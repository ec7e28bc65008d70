"""What a Tetris run found: records, what was expected of them, JSON and a table for the terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tfngen.experiments.results import versions
from tfngen.experiments.tetris_shapes import CHIRAL_PAIR, NAMES

if TYPE_CHECKING:
    from rich.table import Table

TOLERANCES = {"float32": 1e-4, "float64": 1e-10}
"""The largest change of a logit that passes for none."""


@dataclass(frozen=True)
class Accuracy:
    """How often each shape was recognised."""

    confusion: tuple[tuple[int, ...], ...]
    """[shape][prediction], counts of copies."""

    @property
    def per_shape(self) -> dict[str, float]:
        """The fraction recognised, by name."""
        return {NAMES[i]: row[i] / sum(row) for i, row in enumerate(self.confusion)}

    @property
    def chiral_pair(self) -> float:
        """The fraction recognised of the two chiral shapes together; chance is 1/2."""
        values = list(self.per_shape.values())
        return sum(values[i] for i in CHIRAL_PAIR) / len(CHIRAL_PAIR)

    @property
    def mean(self) -> float:
        """The fraction recognised of all."""
        return sum(self.per_shape.values()) / len(NAMES)

    @classmethod
    def count(cls, logits: Tensor) -> Accuracy:
        """Of logits (copies, shapes, predictions)."""
        predicted = logits.argmax(-1)
        number = len(NAMES)
        return cls(tuple(tuple(torch.bincount(row, minlength=number).tolist()) for row in predicted.T))

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "per_shape": self.per_shape,
            "chiral_pair": self.chiral_pair,
            "mean": self.mean,
        }


@dataclass(frozen=True)
class Trained:
    """One network: what it learnt in the one orientation, and what that was worth in others."""

    parameters: int
    curves: dict[str, list[float]]
    """``loss`` (cross-entropy) and ``accuracy`` at every step, on the shapes as trained."""
    training_accuracy: float
    """On the shapes as trained, when training was over."""
    chiral_gap: float
    """The largest difference between a logit of one chiral shape and the same logit of the other."""
    test: Accuracy

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "test": self.test.to_json()}


@dataclass(frozen=True)
class TetrisResult:
    """All that one run found."""

    settings: dict[str, Any]
    network: Trained
    """The tensor field network; tested on rotated, shifted and reordered copies."""
    even_only: Trained
    """The same without odd paths, tested on the same copies."""
    plain: Trained
    """A plain network on coordinates; tested on copies that were rotated and nothing worse."""
    invariance: dict[str, dict[str, float]]
    """By dtype, the largest change of any logit under ``rotation`` alone and under any ``motion``: rotation,
    shift and reordering together."""
    seconds: dict[str, float]
    files: dict[str, Path]

    @property
    def failures(self) -> list[str]:
        """What was expected of this run and did not happen; empty when all did."""
        wrong = [
            f"{name}: accuracy {value:.3f}"
            for name, value in self.network.test.per_shape.items()
            if value < 1
        ]
        wrong += [
            f"{dtype}: a rotation changes a logit by {changes['rotation']:.1e}, above {TOLERANCES[dtype]:g}"
            for dtype, changes in self.invariance.items()
            if not changes["rotation"] <= TOLERANCES[dtype]
        ]
        if not self.even_only.chiral_gap <= TOLERANCES[self.settings["dtype"]]:
            wrong.append("without odd paths: the chiral pair gets different logits")
        if self.plain.training_accuracy < 1:
            wrong.append("plain network: did not even learn the shapes as trained")
        if self.plain.test.mean > 0.5:
            wrong.append("plain network: recognises turned shapes, so the test is too easy")
        return wrong

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can say it."""
        return {
            "experiment": "tetris",
            "settings": self.settings,
            "shapes": list(NAMES),
            "network": self.network.to_json(),
            "even_only": self.even_only.to_json(),
            "plain": self.plain.to_json(),
            "invariance": self.invariance,
            "failures": self.failures,
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "versions": versions(),
            "files": {name: path.name for name, path in self.files.items()},
        }


def table(result: TetrisResult) -> Table:
    """Accuracies per shape and network for a terminal, the invariance below."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    lines = ["largest change of a logit"]
    lines += [
        f"  {dtype}: {changes['rotation']:.1e} under rotation, {changes['motion']:.1e} under all moves"
        for dtype, changes in result.invariance.items()
    ]
    lines.append(f"  from chiral 1 to chiral 2 without odd paths: {result.even_only.chiral_gap:.1e}")
    shown = Table(
        title=f"Tetris: accuracy on {result.settings['rotations']:,} moved copies of each shape",
        caption="\n".join(lines),
        caption_justify="left",
        show_footer=True,
        box=SIMPLE_HEAD,
    )
    shown.add_column("shape", footer="mean")
    networks = {
        "all paths": result.network,
        "even paths only": result.even_only,
        "plain network": result.plain,
    }
    for heading, trained in networks.items():
        shown.add_column(heading, justify="right", footer=f"{trained.test.mean:.3f}")
    for name in NAMES:
        values = [trained.test.per_shape[name] for trained in networks.values()]
        shown.add_row(name, *(f"[{'green' if value == 1 else 'red'}]{value:.3f}[/]" for value in values))
    return shown
