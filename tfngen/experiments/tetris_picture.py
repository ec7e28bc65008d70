"""The picture of a Tetris run: the pieces and what they were taken for, accuracies below, training beside."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tfngen.experiments.tetris_shapes import CHIRAL_PAIR, NAMES, shape_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tfngen.experiments.tetris_result import TetrisResult

ROWS = 3
"""How many moved copies of each shape are drawn."""

INK, QUIET, RULE = "#22262e", "#5a616b", "#e4e7eb"
RIGHT, WRONG = "#1f8a4c", "#c8372d"
COLORS = ("#4c78a8", "#e07b39", "#d4a72c", "#3fa7a0", "#8a63b0", "#5b9e4d", "#c85b8e", "#a0785a")
CURVES = {
    "network": ("all paths", "#2b5c9e"),
    "even_only": ("even paths only", "#e07b39"),
    "plain": ("plain network", "#8a919c"),
}

# Lengths below are in edges of a cube; y falls from row to row, and row 0 is the training orientation.
COLUMN, ROW = 4.9, 5.3
LABEL = 2.75
"""How far below a piece's centre its label stands: no piece reaches further than √5 from its own."""
TABLE, BAND, CELL = 2.2, 3.0, 1.15
"""The gap above the table, the height of one network's band in it, and of a cell."""

_ELEVATION, _AZIMUTH = np.radians(24.0), np.radians(-38.0)


def draw(result: TetrisResult, rotations: Tensor, predicted: Tensor) -> bytes:
    """The picture as PNG.

    Args:
        result: what to show.
        rotations: (copies, shapes, 3, 3), how the test copies were turned.
        predicted: (copies, shapes), what the network took each for.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": QUIET,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(15.4, 9.6), facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.025, 0.95, "Eight shapes, each trained in one orientation", fontsize=18, weight="bold")
        figure.text(0.025, 0.918, _subtitle(result), fontsize=11.5, color=QUIET)
        rows = min(ROWS, rotations.shape[0])
        left = figure.add_axes((0.025, 0.025, 0.665, 0.875), anchor="NW", aspect="equal")
        left.set_xlim(-0.5 * COLUMN - 1.2, (len(NAMES) - 0.5) * COLUMN)
        left.set_ylim(-(rows + 0.5) * ROW - TABLE - 3 * BAND, 0.5 * ROW + 0.9)
        left.axis("off")
        _pieces(left, rotations[:rows], predicted[:rows])
        _accuracies(left, result, -(rows + 0.5) * ROW - TABLE)
        _curve(figure.add_axes((0.75, 0.61, 0.232, 0.24)), result, "loss", "Cross-entropy", logarithmic=True)
        _curve(figure.add_axes((0.75, 0.30, 0.232, 0.22)), result, "accuracy", "Accuracy as trained")
        _invariance(figure.add_axes((0.75, 0.025, 0.232, 0.185)), result)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _subtitle(result: TetrisResult) -> str:
    copies = result.settings["rotations"]
    correct = sum(row[i] for i, row in enumerate(result.network.test.confusion))
    return (
        f"tested on {copies:,} random rotations, shifts and point orders of each: "
        f"{correct:,} of {copies * len(NAMES):,} recognised by a tensor field network "
        f"of {result.network.parameters:,} parameters"
    )


def _pieces(axes: Axes, rotations: Tensor, predicted: Tensor) -> None:
    """One column per shape: as trained on top, then turned copies with what each was taken for."""
    from matplotlib.patches import Rectangle

    width = len(NAMES) * COLUMN
    axes.add_patch(Rectangle((-0.5 * COLUMN, -0.5 * ROW), width, ROW, facecolor="#f1f3f6", edgecolor="none"))
    for column, (name, positions) in enumerate(zip(NAMES, shape_positions(), strict=True)):
        x = column * COLUMN
        axes.text(x, 0.5 * ROW + 0.35, name, ha="center", fontsize=12.5, weight="bold")
        _cubes(axes, positions, torch.eye(3, dtype=torch.float64), (x, 0.0), COLORS[column])
        for row, rotation in enumerate(rotations[:, column]):
            y, guess = -(row + 1) * ROW, int(predicted[row, column])
            _cubes(axes, positions, rotation, (x, y - 0.05), COLORS[column])
            mark, color = ("✓", RIGHT) if guess == column else ("✗", WRONG)
            axes.text(
                x, y - LABEL, f"{mark} {NAMES[guess]}", ha="center", va="center", color=color, fontsize=11
            )
    margin = -0.5 * COLUMN - 0.7
    turned = "turned at random, and the answer" if len(rotations) > 1 else "turned"
    for y, text in ((0.0, "trained on"), (-0.5 * (len(rotations) + 1) * ROW, turned)):
        axes.text(margin, y, text, rotation=90, ha="center", va="center", color=QUIET, fontsize=11)


def _cubes(axes: Axes, positions: Tensor, rotation: Tensor, centre: tuple[float, float], color: str) -> None:
    """Four cubes seen from afar: whole cubes sorted by depth, of each only the faces that look at us."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    view = _view() @ rotation.numpy()  # rows: right, up, towards the eye
    points = (positions - positions.mean(0)).numpy() @ view.T
    light = np.array([-0.35, 0.75, 0.56])
    polygons, shades = [], []
    for point in points[np.argsort(points[:, 2])]:
        for axis in range(3):
            normal = view[:, axis] * np.sign(view[2, axis])
            u, v = (0.5 * view[:, (axis + k) % 3] for k in (1, 2))
            corners = [point + 0.5 * normal + a * u + b * v for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
            polygons.append([corner[:2] + np.array(centre) for corner in corners])
            shades.append(_shade(to_rgb(color), float(normal @ light)))
    axes.add_collection(
        PolyCollection(polygons, facecolors=shades, edgecolors="white", linewidths=0.7, joinstyle="round")
    )


def _view() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The camera as a rotation: rows are right, up and towards the eye; z is up in space."""
    eye = np.array(
        [
            np.cos(_ELEVATION) * np.cos(_AZIMUTH),
            np.cos(_ELEVATION) * np.sin(_AZIMUTH),
            np.sin(_ELEVATION),
        ]
    )
    right = np.cross([0.0, 0.0, 1.0], eye)
    right /= np.linalg.norm(right)
    return np.array([right, np.cross(eye, right), eye])


def _shade(color: tuple[float, float, float], brightness: float) -> tuple[float, ...]:
    """`color`, towards white where lit and towards black where not; brightness in [−1, 1]."""
    if brightness > 0.3:
        amount = 0.62 * (brightness - 0.3)
        return tuple(c + (1 - c) * amount for c in color)
    return tuple(c * (1 - 0.42 * (0.3 - brightness)) for c in color)


def _accuracies(axes: Axes, result: TetrisResult, top: float) -> None:
    """A table under the pieces, in their columns: each network's accuracy on each shape."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    colors = LinearSegmentedColormap.from_list("accuracy", ["#f3b8b0", "#f8e9c4", "#bfe3c8"])
    moved = "rotated, shifted and reordered"
    pair = f"{result.even_only.test.chiral_pair:.3f} on the chiral pair, chance is 0.500"
    bands = (
        ("Tensor field network", f"accuracy on pieces {moved}", result.network.test),
        (r"Without paths of odd $l_F + l_I + l_O$", f"{moved}; {pair}", result.even_only.test),
        ("Plain network on coordinates", "rotated only", result.plain.test),
    )
    for number, (name, note, accuracy) in enumerate(bands):
        y = top - number * BAND
        axes.text(-0.5 * COLUMN, y, name, weight="bold", fontsize=11)
        axes.text((len(NAMES) - 0.5) * COLUMN, y, note, color=QUIET, ha="right")
        for column, value in enumerate(accuracy.per_shape.values()):
            corner = ((column - 0.47) * COLUMN, y - CELL - 0.35)
            axes.add_patch(Rectangle(corner, 0.94 * COLUMN, CELL, facecolor=colors(value), edgecolor="none"))
            axes.text(
                column * COLUMN,
                y - 0.5 * CELL - 0.38,
                f"{value:.3f}",
                ha="center",
                va="center",
                fontsize=11.5,
            )


def _curve(axes: Axes, result: TetrisResult, quantity: str, label: str, logarithmic: bool = False) -> None:
    """One recorded quantity of all three networks against the training step."""
    for name, (legend, color) in CURVES.items():
        values = getattr(result, name).curves[quantity]
        axes.plot(range(1, len(values) + 1), values, color=color, linewidth=1.6, label=legend)
    axes.set_title(label, loc="left", fontsize=12.5, weight="bold")
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.02)
    axes.set_xlabel("training step")
    if logarithmic:
        axes.set_yscale("log")
        axes.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.12), ncols=3,
            handlelength=1.1, handletextpad=0.4, columnspacing=1.0, borderaxespad=0,
        )  # fmt: skip
        # Two of eight shapes left undecided: their cross-entropy is ln 2 each, the others' can reach 0.
        floor = np.log(2) * len(CHIRAL_PAIR) / len(NAMES)
        axes.axhline(floor, color=CURVES["even_only"][1], linewidth=1, linestyle=":")
        note = "dotted: ln 2 / 4, pair undecided"
        axes.text(1, 1.03, note, transform=axes.transAxes, ha="right", color=QUIET, fontsize=9)
    else:
        axes.set_ylim(0, 1.04)


def _invariance(axes: Axes, result: TetrisResult) -> None:
    """A small table: how much a logit ever changed."""
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    axes.text(0, 0.95, "Largest change of any logit", fontsize=12.5, weight="bold", va="center")
    rows = [("", "rotation", "all moves")]
    rows += [
        (dtype, _scientific(changes["rotation"]), _scientific(changes["motion"]))
        for dtype, changes in result.invariance.items()
    ]
    for y, row in zip((0.73, 0.54, 0.36), rows, strict=True):
        for x, text, alignment in zip((0.0, 0.62, 1.0), row, ("left", "right", "right"), strict=True):
            color = QUIET if row is rows[0] else INK
            axes.text(x, y, text, ha=alignment, va="center", color=color, fontsize=11)
    axes.plot((0, 1), (0.64, 0.64), color=RULE, linewidth=1)
    gap = _scientific(result.even_only.chiral_gap)
    axes.text(0, 0.1, f"Without odd paths, from chiral 1 to chiral 2: {gap}", va="center", color=QUIET)


def _scientific(value: float) -> str:
    """2.4e-05 as 2.4 × 10⁻⁵."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa} \times 10^{{{int(exponent)}}}$"
