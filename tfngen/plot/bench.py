"""Benchmarks as pictures: every contender's time, logarithmically, beside what the machine could do."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfngen.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Run = Mapping[str, Any]

COLORS = {
    "tfngen": style.POSITIVE,
    "e3nn": "#2f6db3",
    "e3nn compiled": "#8db4de",
    "cuequivariance": "#3f8f5f",
    "cuequivariance compiled": "#98c9a9",
    "e3nn-jax": "#a8782c",
    "sphericart": "#7a5aa6",
    "sevenn": "#2f6db3",
    "mace": "#3f8f5f",
    "nequip": "#a8782c",
}
_SERIES = {"degree": ("lmax", "highest degree"), "size": ("edges", "edges")}


def read_runs(file: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The runs in a file that `tfngen bench conv`, `sh`, `small` or `models` wrote.

    Raises:
        ValueError: the file holds none.
    """
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        runs: list[dict[str, Any]] = found["runs"]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{file}: no benchmark; write one with `tfngen bench conv --json`") from None
    return runs


def plot_bench(runs: Sequence[Run]) -> Figure:
    """One row of panels per workload, a panel per mode; a series of workloads is drawn as curves instead.

    Args:
        runs: what `tfngen.bench` measured.

    Raises:
        ValueError: there are no runs.
    """
    runs = [run for run in runs if _contenders([run])]
    if not runs:
        raise ValueError("runs: there are none to draw")
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_series(run) or run["name"], []).append(run)
    rows = list(groups.items())
    columns = max(_panels(name, group) for name, group in rows)
    heights = [_height(name, group) for name, group in rows]
    series = any(name in _SERIES for name, _ in rows)  # these need room for a legend and for labels
    left, panel, gap = (2.5, 2.75, 0.75) if series else (1.75, 2.75, 0.35)
    width = left + columns * (panel + gap) - gap + 0.45
    total = sum(heights) + 1.05 * len(rows) + 0.55
    with style.look():
        figure = style.figure(width, total)
        bottom = total
        for (name, group), height in zip(rows, heights, strict=True):
            bottom -= height + 1.05
            style.text(figure, 0.25, bottom + height + 0.62, _heading(name, group[0]), style.TITLE)
            places = [
                style.axes(
                    figure, left + at * (panel + gap), bottom + 0.3, panel, height, f"{name} {at}"
                )
                for at in range(_panels(name, group))
            ]  # fmt: skip
            if name in _SERIES:
                _curves(places, group, *_SERIES[name])
            else:
                _bars(places, group)
        style.text(figure, 0.25, 0.14, _footnote(runs), style.SMALL, color=style.SOFT)
    return figure


def _series(run: Run) -> str:
    """The series a workload belongs to, or nothing."""
    stem = str(run["name"]).partition("-")[0]
    return stem if stem in _SERIES else ""


def _modes(group: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(row["mode"] for run in group for row in run["rows"]))


def _contenders(group: Sequence[Run]) -> list[str]:
    """Those with at least one number."""
    return list(dict.fromkeys(row["contender"] for run in group for row in run["rows"] if not row["reason"]))


def _panels(name: str, group: Sequence[Run]) -> int:
    """One per mode, and one for memory in a series."""
    return len(_modes(group)) + (name in _SERIES)


def _height(name: str, group: Sequence[Run]) -> float:
    return 2.4 if name in _SERIES else 0.42 * len(_contenders(group)) + 0.1


def _bars(places: Sequence[Axes], group: Sequence[Run]) -> None:
    """Contenders from top to bottom, a bar for each allocator setting; a word where one did not run."""
    contenders = _contenders(group)
    both = len({run["allocator"] for run in group}) > 1
    for at, (axes, mode) in enumerate(zip(places, _modes(group), strict=True)):
        rows = [(run, row) for run in group for row in run["rows"] if row["mode"] == mode]
        times = [row["milliseconds"] for _, row in rows if not row["reason"]]
        floor = min((run["work"][mode]["ceiling_ms"] for run in group), default=0.0) or min(times)
        axes.set_xscale("log")
        axes.set_xlim(min([floor, *times]) / 2, max([floor, *times]) * 5)
        for run, row in rows:
            if row["contender"] not in contenders:
                continue
            kept = run["allocator"] == "kept"
            position = contenders.index(row["contender"]) + (0.19 if kept else -0.19) * both
            words, end = "did not run", floor
            if not row["reason"]:
                words, end = _digits(row["milliseconds"]), row["milliseconds"]
                color = COLORS[row["contender"]]
                axes.barh(position, end, 0.34 if both else 0.5, color=color, alpha=0.55 if kept else 1.0)
            if not (row["reason"] and kept and both):
                axes.annotate(
                    words, (end, position), (2, 0), textcoords="offset points",
                    va="center", fontsize=5.5, color=style.SOFT,
                )  # fmt: skip
        if group[0]["benchmark"] != "models":  # of whole models nobody counted what they need
            axes.axvline(floor, color=style.INK, linewidth=0.8, linestyle=(0, (3, 2)))
        axes.set_ylim(len(contenders) - 0.45, -0.55)
        axes.set_yticks(range(len(contenders)), contenders if at == 0 else [""] * len(contenders))
        axes.set_title(mode, fontsize=style.LABEL)
        axes.set_xlabel("ms", fontsize=style.LABEL, labelpad=1)
        _tidy(axes, "x")


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _curves(places: Sequence[Axes], group: Sequence[Run], key: str, label: str) -> None:
    """Time per edge against what the series varies, by mode; then the memory of a forward call."""
    group = sorted(group, key=lambda run: run[key])
    modes = _modes(group)
    panels = [(mode, "microseconds_each", "µs per edge", 1.0) for mode in modes]
    panels.append((modes[0], "peak_bytes", "memory of forward (MB)", 1e-6))
    for axes, (mode, figure, unit, factor) in zip(places, panels, strict=True):
        for contender in _contenders(group):
            for setting, line in (("default", "-"), ("kept", "--")):
                points = [
                    (run[key], factor * row[figure])
                    for run in group
                    if run["allocator"] == setting
                    for row in run["rows"]
                    if (row["mode"], row["contender"]) == (mode, contender) and row[figure]
                ]
                if points:
                    axes.plot(
                        *zip(*points, strict=True), line, color=COLORS[contender], marker="o",
                        markersize=2.5, linewidth=1, label=contender if setting == "default" else None,
                    )  # fmt: skip
        ceilings = {run[key]: 1e3 * run["work"][mode]["ceiling_ms"] / run["edges"] for run in group}
        if figure == "microseconds_each":
            axes.plot(
                list(ceilings), list(ceilings.values()), color=style.INK, linewidth=0.8,
                linestyle=(0, (3, 2)), label="ceiling",
            )  # fmt: skip
        if key == "edges":
            axes.set_xscale("log")
        else:
            axes.set_xticks(list(ceilings))
        axes.set_yscale("log")
        axes.set_title(mode if figure != "peak_bytes" else "memory", fontsize=style.LABEL)
        axes.set_xlabel(label, fontsize=style.LABEL, labelpad=1)
        axes.set_ylabel(unit, fontsize=style.LABEL, labelpad=2)
        _tidy(axes, "both")
    places[0].legend(
        loc="center right", bbox_to_anchor=(-0.24, 0.5), fontsize=style.SMALL, frameon=False,
    )  # fmt: skip


def _tidy(axes: Axes, grid: str) -> None:
    axes.tick_params(labelsize=style.SMALL, width=style.HAIRLINE, length=2)
    axes.tick_params(which="minor", width=0.3, length=1)
    axes.grid(axis=grid, color=style.FAINT, linewidth=0.3, alpha=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _heading(name: str, run: Run) -> str:
    if name in _SERIES:
        return f"{name}: how cost grows with the number of edges" if name == "size" else (
            f"{name}: how cost grows with the highest degree, {run['edges']:,} edges"
        )  # fmt: skip
    if run["benchmark"] == "models":
        return f"{run['name']}: {run['about']}"
    if run["benchmark"] == "sh":
        return f"spherical harmonics up to l = {run['lmax']}, {run['points']:,} points"
    return f"{name}: {run['edges']:,} edges, {run['paths']} paths, {run['weights']:,} weights per edge"


def _footnote(runs: Sequence[Run]) -> str:
    flops = max(run["sgemm_gflops"] for run in runs)
    read = max(run["read_gb_per_s"] for run in runs)
    settings = {run["allocator"] for run in runs}
    kept = "Solid: glibc's allocator as it comes; pale bars, dashed curves: told to keep memory."
    if settings == {"default"}:
        kept = "glibc's allocator as it comes."
    elif settings == {"kept"}:
        kept = "glibc's allocator told to keep memory."
    if all(run["benchmark"] == "models" for run in runs):
        return f"float32, {runs[0]['threads']} threads. {kept}"
    return (
        f"float32, {runs[0]['threads']} threads. Black and dashed: the machine's ceiling "
        f"(up to {flops:.0f} GFLOP/s, {read:.0f} GB/s).\n{kept}"
    )
