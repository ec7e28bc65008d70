"""What was measured, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

ALLOCATORS = {
    "default": "glibc as it comes",
    "kept": "glibc told to keep memory",
}


def table(found: Mapping[str, Any]) -> Table:
    """One workload under one setting of the allocator: a row for each contender and mode.

    The last column says how many times faster tfngen is than that contender.
    """
    if found["benchmark"] == "models":
        return _models_table(found)
    small = found.get("graph") == "molecule"
    each = "point" if found["benchmark"] == "sh" else "edge"
    measured = Table(title=_title(found), caption=_caption(found), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("mode", ""):
        measured.add_column(name, no_wrap=True)
    over = "µs over" if small else f"µs/{each}"
    names = ("ms", over, "GFLOP/s", "GB/s", "% of ceiling", "peak memory", "× faster")
    for name in names:
        measured.add_column(name, justify="right", no_wrap=True)
    mode = ""
    for row in found["rows"]:
        if mode and row["mode"] != mode:
            measured.add_section()
        shown = row["mode"] if row["mode"] != mode else ""
        mode = row["mode"]
        if row["reason"]:
            measured.add_row(shown, row["contender"], "–")
            continue
        times = row["tfngen_times_faster"]
        measured.add_row(
            shown,
            row["contender"],
            _digits(row["milliseconds"]),
            _digits(row["microseconds_over" if small else "microseconds_each"]),
            f"{row['gflops']:.3g}" if row["gflops"] else "",
            f"{row['gb_per_s']:.3g}",
            f"{row['percent_of_ceiling']:.2g}",
            "" if row["peak_bytes"] is None else bytes_text(row["peak_bytes"]),
            "" if times is None or row["contender"] == "tfngen" else f"{times:.3g}",
        )
    return measured


def _models_table(found: Mapping[str, Any]) -> Table:
    """A model as it is and accelerated: what counts is how much faster."""
    setting = ALLOCATORS[found["allocator"]]
    title = f"{found['name']}: {found['about']}, float32, {found['threads']} threads, {setting}"
    measured = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "by"):
        measured.add_column(name, no_wrap=True)
    for name in ("ms", "peak memory", "× faster"):
        measured.add_column(name, justify="right", no_wrap=True)
    for row in found["rows"]:
        shown = row["mode"] if row["contender"] == "tfngen" else ""
        if shown and row is not found["rows"][0]:
            measured.add_section()
        if row["reason"]:
            measured.add_row(shown, row["contender"], "–")
            continue
        memory = "" if row["peak_bytes"] is None else bytes_text(row["peak_bytes"])
        times = row["tfngen_times_faster"]
        times = "" if row["contender"] == "tfngen" or times is None else f"{times:.3g}"
        measured.add_row(shown, row["contender"], _digits(row["milliseconds"]), memory, times)
    return measured


def reasons(found: Mapping[str, Any]) -> list[str]:
    """A line for each contender that did not run, with the modes and why; equal reasons share one."""
    modes: dict[tuple[str, str], list[str]] = {}
    for row in found["rows"]:
        if row["reason"]:
            modes.setdefault((row["contender"], row["reason"]), []).append(row["mode"])
    every = len({row["mode"] for row in found["rows"]})
    return [
        _line(contender, [] if len(which) == every else which, reason)
        for (contender, reason), which in modes.items()
    ]


def disagreements(found: Mapping[str, Any]) -> list[str]:
    """The reasons that say two contenders computed different things."""
    return [line for line in reasons(found) if "differs from tfngen" in line]


def bytes_text(count: float) -> str:
    """A number of bytes for people: three digits and a unit."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _flops_text(count: float) -> str:
    return f"{1e-9 * count:.3g} GFLOP" if count >= 1e9 else f"{1e-6 * count:.3g} MFLOP"


def _title(found: Mapping[str, Any]) -> str:
    if found["benchmark"] == "sh":
        work = f"{found['points']:,} points"
    else:
        work = f"{found['edges']:,} edges, {found['paths']} paths, {found['weights']:,} weights"
    setting = ALLOCATORS[found["allocator"]]
    return f"{found['name']}: {work}, float32, {found['threads']} threads, {setting}"


def _caption(found: Mapping[str, Any]) -> str:
    lines = [f"ceilings in this run: {found['sgemm_gflops']:.0f} GFLOP/s, {found['read_gb_per_s']:.1f} GB/s"]
    for mode, least in found["work"].items():
        flops = f"{_flops_text(least['flops'])} and " if least["flops"] else ""
        moved = bytes_text(least["bytes"])
        lines.append(f"{mode}: at least {flops}{moved}, {least['ceiling_ms']:.3g} ms at the ceiling")
    return "\n".join(lines)


def _line(contender: str, modes: list[str], reason: str) -> str:
    return f"{contender} ({', '.join(modes)}): {reason}" if modes else f"{contender}: {reason}"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
