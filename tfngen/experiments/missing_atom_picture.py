"""The picture of a missing-atom run: molecules, what their atoms say, accuracies beside published ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tfngen.experiments.holes import MoleculeSet
from tfngen.experiments.missing_atom_models import ELEMENTS, MissingAtomNetwork
from tfngen.experiments.missing_atom_result import PUBLISHED, RADIUS, MissingAtomResult
from tfngen.experiments.molecules import SYMBOLS, Molecule
from tfngen.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {"H": "#e6e9ee", "C": "#565d68", "N": "#4468c4", "O": "#cf4436", "F": "#6aa84f"}
COVALENT = {"H": 0.31, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57}
"""Å: Cordero et al., 10.1039/b801115j."""

OURS, THEIRS, VOTE = "#2b5c9e", "#e07b39", "#2f9e6e"
FEW = 100
"""Holes of an element."""
SEARCHED = 60
"""Molecules of each set that examples are looked for in."""


@dataclass(frozen=True)
class Example:
    """One molecule without one atom, and what the network says of it."""

    name: str
    symbols: list[str]
    """Of the atoms that remain."""
    positions: np.ndarray
    """(atoms, 3) Å."""
    votes: np.ndarray
    """(atoms,) p_a."""
    displacements: np.ndarray
    """(atoms, 3) Å."""
    true: tuple[str, np.ndarray]
    """The missing atom: its element and its place."""
    told: tuple[str, np.ndarray]
    """The same, as predicted."""

    @property
    def distance(self) -> float:
        """Å, from the predicted to the true place."""
        return float(np.linalg.norm(self.true[1] - self.told[1]))

    @property
    def correct(self) -> bool:
        return self.true[0] == self.told[0] and self.distance < RADIUS


def draw(result: MissingAtomResult, network: MissingAtomNetwork, sets: dict[str, list[Molecule]]) -> bytes:
    """The picture as PNG.

    Args:
        result: what to show.
        network: what to ask about the molecules that are drawn.
        sets: molecules by the name of their set.
    """
    with style.look():
        figure = style.figure(15.2, 9.0)
        title = "The missing atom: which element was taken out, and from where"
        style.text(figure, 0.35, 8.5, title, size=18)
        style.text(figure, 0.35, 8.15, _note(result), size=11.5, color=style.SOFT)
        for number, example in enumerate(_examples(network, sets)):
            row, column = divmod(number, 3)
            axes = style.axes(figure, 0.35 + 3.35 * column, 4.15 - 3.75 * row, 3.15, 3.3, f"example {number}")
            _molecule(axes, example)
        _accuracies(style.axes(figure, 11.2, 4.6, 3.7, 2.95, "accuracies"), result)
        if result.curves:
            _curves(style.axes(figure, 11.2, 0.75, 3.7, 2.85, "curves"), result)
        else:
            _elements(style.axes(figure, 11.2, 0.75, 3.7, 2.85, "elements"), result)
        _legend(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _note(result: MissingAtomResult) -> str:
    trained = next(iter(result.scores.values())).molecules
    return (
        f"model {result.settings['model']}, {result.parameters:,} parameters, trained on {trained:,} "
        "molecules of 5 to 18 atoms. Arrows: where each atom says the missing one is, wide if its vote counts"
    )


def _examples(network: MissingAtomNetwork, sets: dict[str, list[Molecule]]) -> list[Example]:
    """A right answer for each of C, N, O and H, of large molecules where there are, then wrong ones."""
    right: dict[str, Example] = {}
    wrong: list[Example] = []
    for name in reversed(list(sets)):
        packed = MoleculeSet(sets[name][:SEARCHED], ELEMENTS, network.architecture.cutoff)
        molecule, removed = packed.all_holes()
        found = _asked(network, packed, molecule, removed)
        for example in found[1::7]:  # not only the first atom of a list, which tends to be of carbon
            if example.correct:
                right.setdefault(example.true[0], example)
        wrong += [example for example in found if not example.correct]
    chosen = [right[element] for element in ("C", "N", "O", "H") if element in right]
    return [*chosen, *wrong, *(right[element] for element in right if element == "F")][:6]


def _asked(
    network: MissingAtomNetwork, packed: MoleculeSet, molecule: torch.Tensor, removed: torch.Tensor
) -> list[Example]:
    device = next(network.parameters()).device
    holes = packed.without(molecule, removed).to(device)
    with torch.no_grad():
        said = network(holes)
    symbols = [SYMBOLS[number] for number in ELEMENTS]
    examples = []
    for at in range(len(molecule)):
        here = (holes.graph.by_graph.index == at).cpu()
        examples.append(
            Example(
                packed.names[int(molecule[at])],
                [symbols[int(element)] for element in holes.elements.cpu()[here]],
                holes.positions.cpu()[here].double().numpy(),
                said.votes.cpu()[here].double().numpy(),
                said.displacements.cpu()[here].double().numpy(),
                (symbols[int(holes.missing_element[at])], holes.missing_position[at].cpu().double().numpy()),
                (symbols[int(said.scores[at].argmax())], said.position[at].cpu().double().numpy()),
            )
        )
    return examples


def _molecule(axes: Axes, example: Example) -> None:
    """The molecule seen along its thinnest direction, whatever is further away drawn first."""
    everything = np.vstack([example.positions, example.true[1]])
    centre = everything.mean(0)
    view = np.linalg.svd(everything - centre)[2]
    at = (example.positions - centre) @ view.T
    true, told = ((place - centre) @ view.T for _, place in (example.true, example.told))
    for order, a in enumerate(np.argsort(at[:, 2])):
        for b in range(len(at)):
            apart = np.linalg.norm(at[a] - at[b])
            if apart < 1.25 * (COVALENT[example.symbols[a]] + COVALENT[example.symbols[b]]):
                middle = 0.5 * (at[a] + at[b])
                axes.plot(
                    *zip(at[a, :2], middle[:2], strict=True), color="#b4bac4", linewidth=4, zorder=order
                )
        axes.add_patch(_ball(at[a], example.symbols[a], order + 0.5))
    for a, vote in enumerate(example.votes):
        if vote > 0.02:
            ((end_x, end_y, _),) = (example.displacements[a : a + 1]) @ view.T
            axes.annotate(
                "", xy=(at[a, 0] + end_x, at[a, 1] + end_y), xytext=at[a, :2], zorder=200,
                arrowprops={"arrowstyle": "-|>", "color": VOTE, "lw": 0.8 + 3.5 * vote,
                            "alpha": 0.35 + 0.65 * vote, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
    _marks(axes, example, true, told)
    reach = np.abs(np.vstack([at, true, told])[:, :2]).max(0).max() + 0.75
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.axis("off")
    mark, color = ("✓", "#1f8a4c") if example.correct else ("✗", "#c8372d")
    axes.set_title(
        f"{mark} {example.true[0]} missing: told {example.told[0]}, {example.distance:.2f} Å away",
        fontsize=11.5, color=color, fontfamily="DejaVu Sans", pad=4,
    )  # fmt: skip


def _ball(place: np.ndarray, symbol: str, zorder: float) -> object:
    from matplotlib.patches import Circle

    return Circle(
        (place[0], place[1]), 0.22 + 0.28 * COVALENT[symbol], facecolor=COLORS[symbol], edgecolor="#8a919c",
        linewidth=0.6, zorder=zorder,
    )  # fmt: skip


def _marks(axes: Axes, example: Example, true: np.ndarray, told: np.ndarray) -> None:
    """The true atom as a dashed circle, the predicted one as a cross, both in their element's colour."""
    from matplotlib.patches import Circle

    axes.add_patch(
        Circle(
            (true[0], true[1]), 0.22 + 0.28 * COVALENT[example.true[0]], facecolor="none",
            edgecolor=style.INK, linewidth=1.4, linestyle=(0, (2.5, 1.5)), zorder=210,
        )
    )  # fmt: skip
    axes.plot(told[0], told[1], "x", color=VOTE, markersize=9, markeredgewidth=2.4, zorder=220)


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=9, markerfacecolor=color,
               markeredgecolor="#8a919c", label=symbol)
        for symbol, color in COLORS.items()
    ]  # fmt: skip
    handles += [
        Line2D([], [], marker="o", linestyle="", markersize=11, markerfacecolor="none",
               markeredgecolor=style.INK, label="the missing atom"),
        Line2D([], [], marker="x", linestyle="", markersize=9, markeredgewidth=2.4, color=VOTE,
               label="where the network puts it"),
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.02, 0.005), ncols=len(handles), frameon=False,
        fontsize=10.5, handletextpad=0.2, columnspacing=1.4,
    )  # fmt: skip


def _accuracies(axes: Axes, result: MissingAtomResult) -> None:
    """The share of correct answers by set, the published one beside."""
    names = list(result.scores)
    places = np.arange(len(names))
    ours = [100 * result.scores[name].accuracy for name in names]
    axes.barh(places - 0.2, ours, height=0.36, color=OURS, label="this run")
    theirs = {at: 100 * PUBLISHED[name][0] for at, name in enumerate(names) if name in PUBLISHED}
    axes.barh(
        np.array(list(theirs)) + 0.2, list(theirs.values()), height=0.36, color=THEIRS, label="published"
    )
    lowest = min([*ours, *theirs.values()])
    axes.set_xlim(max(0.0, 5 * np.floor((lowest - 4) / 5)), 100)
    for at, name in enumerate(names):
        _value(axes, ours[at], at - 0.2, f"{ours[at]:.1f} %, {result.scores[name].mean_distance:.3f} Å")
        if at in theirs:
            _value(axes, theirs[at], at + 0.2, f"{theirs[at]:.1f} %, {PUBLISHED[name][1]:.2f} Å")
    axes.set_yticks(places, [f"{name} atoms" if "(" not in name else name for name in names], fontsize=9.5)
    axes.invert_yaxis()
    axes.set_title("Right element within 0.5 Å, and mean distance", loc="left", fontsize=11.5, pad=20)
    axes.legend(
        frameon=False, fontsize=9, ncols=2, loc="lower left", bbox_to_anchor=(-0.02, 0.99), borderaxespad=0
    )


def _value(axes: Axes, x: float, y: float, text: str) -> None:
    """Written at the end of a bar, inside it."""
    low, high = axes.get_xlim()
    axes.text(x - 0.015 * (high - low), y, text, ha="right", va="center", fontsize=8, color="white")


def _curves(axes: Axes, result: MissingAtomResult) -> None:
    """Both parts of the loss, pass by pass."""
    for name, label, color in (
        ("position", "½ |u − x|², Å²", OURS),
        ("element", "½ |t − onehot|²", THEIRS),
    ):
        values = _smooth(result.curves[name])
        axes.plot(np.arange(1, len(values) + 1), values, color=color, linewidth=1.2, label=label)
    axes.set(yscale="log", xlabel="pass over the training molecules")
    axes.set_title("Training loss", loc="left", fontsize=11.5)
    axes.legend(frameon=False, fontsize=9)


def _elements(axes: Axes, result: MissingAtomResult) -> None:
    """The share of correct answers by element removed, set by set: where no training is to be drawn.

    Sets with `FEW` holes of an element or fewer say nothing about it and are left out.
    """
    names = list(result.scores)
    for symbol, shade in COLORS.items():
        color = "#8a919c" if symbol == "H" else shade
        told = [name for name in names if result.scores[name].counts.get(symbol, 0) > FEW]
        if told:
            ours = [100 * result.scores[name].by_element[symbol] for name in told]
            axes.plot([names.index(name) for name in told], ours, "o-", color=color, label=symbol)
        known = [name for name in told if symbol in PUBLISHED.get(name, (0, 0, {}))[2]]
        theirs = [100 * PUBLISHED[name][2][symbol] for name in known]
        places = [names.index(name) for name in known]
        axes.plot(places, theirs, "o:", color=color, markerfacecolor="white", linewidth=1, markersize=5)
    axes.set_xticks(range(len(names)), [name.replace(" (", "\n(") for name in names], fontsize=9)
    title = "Correct by element removed, %; hollow: published"
    axes.set_title(title, loc="left", fontsize=11.5, pad=20)
    if not axes.get_legend_handles_labels()[0]:
        axes.text(0.5, 0.5, f"{FEW} holes of an element, or fewer", ha="center", transform=axes.transAxes)
        return
    axes.legend(
        frameon=False, fontsize=9, ncols=5, loc="lower left", bbox_to_anchor=(-0.02, 0.99), borderaxespad=0,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip


def _smooth(values: Sequence[float], over: int = 5) -> np.ndarray:
    """Running means, so that the noise of random holes does not hide the curve."""
    if len(values) < 3 * over:
        return np.array(values)
    padded = np.concatenate([np.full(over - 1, values[0]), values])
    return np.convolve(padded, np.ones(over) / over, mode="valid")
