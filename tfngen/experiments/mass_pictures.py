"""The pictures of gravity and inertia: learnt radial functions over the exact ones, and the way there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from tfngen.experiments.point_masses import PointMasses
from tfngen.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tfngen.experiments.gravity import GravityResult
    from tfngen.experiments.inertia import InertiaResult

COLORS = {"published": "#e07b39", "batched": "#2b5c9e"}
NAMES = {"published": "one set a step, as published", "batched": "many sets a step"}
EXACT = "#c9ced6"
SMOOTHED = 20
"""Steps whose losses are drawn as their mean."""


def draw_gravity(result: GravityResult, sets: PointMasses, predicted: Tensor, true: Tensor) -> bytes:
    """The picture as PNG.

    Args:
        result: what to show.
        sets: one set of points, to draw accelerations at.
        predicted: (points, 3), the network's.
        true: (points, 3), Newton's.
    """
    with style.look():
        figure = style.figure(13.2, 4.7)
        _title(figure, "Gravity: a filter of degree 1 learns Newton’s law", _gravity_note(result))
        learnt = style.axes(figure, 0.75, 1.7, 3.7, 1.8, "learnt")
        wrong = style.axes(figure, 0.75, 0.6, 3.7, 0.85, "wrong")
        for number, (name, each) in enumerate(result.fitted.items()):
            r, exact, found = (np.array(each.radials[key]) for key in ("r", "exact", "learnt"))
            if not number:
                learnt.plot(r, exact, color=EXACT, linewidth=6, label="−1/r²", solid_capstyle="round")
            learnt.plot(r, found, color=COLORS[name], linewidth=1.4, label=NAMES[name])
            wrong.plot(r, 100 * (found / exact - 1), color=COLORS[name], linewidth=1.2)
        learnt.set_title("Radial function", loc="left", fontsize=11)
        learnt.legend(frameon=False, fontsize=9, loc="lower right")
        wrong.axhline(0, color=EXACT, linewidth=3, zorder=0)
        wrong.set(xlabel="distance r", ylabel="error, %")
        _arrows(style.axes(figure, 5.1, 0.6, 3.4, 2.9, "arrows"), sets, predicted, true)
        _losses(style.axes(figure, 9.35, 0.6, 3.5, 2.9, "losses"), result.fitted)
        return _png(figure)


def draw_inertia(result: InertiaResult) -> bytes:
    """The picture as PNG."""
    from tfngen.experiments.inertia import EVERY, NEAR, PUBLISHED

    with style.look():
        figure = style.figure(13.2, 4.7)
        most = result.settings["most"]
        note = f"sets of 2 to {most} masses about the centre of their cube; the tensor is the sum of 0 ⊕ 2"
        _title(figure, "Moment of inertia: two radial functions learnt at once", note)
        parts = (
            ("scalar", r"of $\mathbf{1}$: should be $\frac{2}{3}\,r^2$", 0.75),
            ("tensor", r"of $\hat{r}\hat{r}^T - \frac{1}{3}\mathbf{1}$: should be $-r^2$", 4.95),
        )
        for part, title, left in parts:
            axes = style.axes(figure, left, 0.6, 3.4, 2.9, part)
            for number, (name, each) in enumerate(result.fitted.items()):
                r, exact, found = (np.array(each.radials[key]) for key in ("r", f"exact {part}", part))
                if not number:
                    axes.plot(r, exact, color=EXACT, linewidth=6, label="exact", solid_capstyle="round")
                axes.plot(r, found, color=COLORS[name], linewidth=1.4, label=NAMES[name])
            axes.axvspan(0, NEAR, color="#f4f5f7", zorder=0, linewidth=0)
            axes.text(0.5 * NEAR, 0.03, "few points", transform=axes.get_xaxis_transform(), ha="center",
                      fontsize=8.5, color=style.SOFT)  # fmt: skip
            axes.set_title(f"Radial function {title}", loc="left", fontsize=11)
            axes.set(xlabel="distance r", xlim=(0, r[-1]))
        axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 0.06))
        losses = style.axes(figure, 9.35, 0.6, 3.5, 2.9, "losses")
        for name, each in result.fitted.items():
            found = [*each.curves["validation"], each.validation]
            steps = [EVERY * at for at in range(len(found) - 1)] + [each.recipe.steps]
            losses.plot(steps[1:], found[1:], color=COLORS[name], linewidth=1.2, label=NAMES[name])
        losses.plot(list(PUBLISHED), list(PUBLISHED.values()), "o", color=style.INK, label="published code")
        losses.set(xscale="log", yscale="log", xlabel="training step")
        losses.set_title("Validation loss, ½ Σ over the tensor", loc="left", fontsize=11)
        losses.legend(frameon=False, fontsize=9, loc="lower left")
        return _png(figure)


def _gravity_note(result: GravityResult) -> str:
    errors = " and ".join(f"{each.relative_error:.1%} ({name})" for name, each in result.fitted.items())
    return f"learnt from accelerations in sets of 2 to 10 masses; mean error of the radial function {errors}"


def _title(figure: Figure, title: str, note: str) -> None:
    height = figure.get_size_inches()[1]
    style.text(figure, 0.3, height - 0.42, title, size=16)
    style.text(figure, 0.3, height - 0.7, note, size=11, color=style.SOFT)


def _arrows(axes: Axes, sets: PointMasses, predicted: Tensor, true: Tensor) -> None:
    """Accelerations seen along z: Newton's in grey, the network's over it."""
    at, masses = sets.positions.numpy(), sets.masses.numpy()
    both = (true.detach().double().numpy(), predicted.detach().double().numpy())
    scale = 0.9 / max(float(np.linalg.norm(both[0][:, :2], axis=1).max()), 1e-9)
    looks = ((EXACT, 0.018, 1.9), (COLORS["batched"], 0.005, 4.0))
    for vectors, (color, width, head) in zip(both, looks, strict=True):
        axes.quiver(
            at[:, 0], at[:, 1], scale * vectors[:, 0], scale * vectors[:, 1], angles="xy",
            scale_units="xy", scale=1, color=color, width=width,
            headwidth=head, headlength=head, headaxislength=head, zorder=2,
        )  # fmt: skip
    axes.scatter(at[:, 0], at[:, 1], s=40 * masses, color=style.INK, zorder=3, linewidths=0)
    axes.set(xlim=(-2.6, 2.6), ylim=(-2.4, 2.4), aspect="equal", xticks=[], yticks=[])
    axes.set_title("Accelerations of masses it never saw", loc="left", fontsize=11)
    axes.text(-2.5, -2.3, "grey: Newton. blue: the network", fontsize=9, color=style.SOFT)


def _losses(axes: Axes, fitted: dict[str, Any]) -> None:
    for name, each in fitted.items():
        losses = _means(each.curves["loss"])
        steps = np.linspace(each.recipe.steps / len(losses), each.recipe.steps, len(losses))
        axes.plot(steps, losses, color=COLORS[name], linewidth=1.2, label=NAMES[name])
    axes.set(yscale="log", xlabel="training step")
    axes.set_title("Training loss of a set, ½ Σ |Δa|²", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


def _means(values: Sequence[float]) -> np.ndarray:
    """`values`, each `SMOOTHED` of them as one."""
    whole = max(len(values) // SMOOTHED, 1)
    return np.array([part.mean() for part in np.array_split(np.array(values), whole)])


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
