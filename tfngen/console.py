"""What the command line shows: progress bars, tables, highlighted code. No mathematics and no decisions."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from tfngen.files import write_json

if TYPE_CHECKING:
    from types import ModuleType

    from tfngen.build import BuildReport
    from tfngen.emit.sources import Plan
    from tfngen.symbolic.describe import Description

PIPE_WIDTH = 120
"""Columns where there is no terminal to ask: enough for every table here."""

QUIET_SECONDS = 60.0
"""How often long work says where it is, where there is no terminal to draw a bar on."""

out = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True)


@contextmanager
def progress(single: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage, or a `single` one for all, on a terminal, on stderr; elsewhere a line now and then."""
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, Any] = {}
        said = time.monotonic()

        def advance(stage: str, done: int, total: int) -> None:
            nonlocal said
            if not err.is_terminal:
                if time.monotonic() - said >= QUIET_SECONDS:
                    said = time.monotonic()
                    err.print(f"{stage}: {done:,} of {total:,}", highlight=False, soft_wrap=True)
                return
            key = "" if single else stage
            if key not in tasks:
                tasks[key] = bars.add_task(stage, total=total)
            bars.update(tasks[key], description=stage, completed=done, total=total)

        yield advance


def print_build(report: BuildReport) -> None:
    """The closing summary of a build."""
    before, after = report.operations
    written = report.written
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(highlight=False)
    table.add_row("package", str(written.folder))
    names = [name for name, _ in report.spec.convolutions]
    extent = f"for {', '.join(names)}" if names else f"up to l = {report.spec.lmax}"
    table.add_row("paths", f"{len(report.plan.paths)} {extent}")
    table.add_row("nonzeros", f"{report.nonzeros:,}")
    table.add_row(
        "operations",
        f"{before:,} → {after:,} per edge, all kernels at {report.spec.channels or 'their own'} channels "
        f"({before / max(after, 1):.2f}× fewer)",
    )
    table.add_row(
        "files",
        f"{len(written.written)} written, {len(written.unchanged)} unchanged, {len(written.removed)} removed",
    )
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in report.seconds.items())
    table.add_row("seconds", f"{sum(report.seconds.values()):.2f} ({stages})")
    out.print(table)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of text, the first from the left, numbers from the right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for at, name in enumerate(head):
        table.add_column(name, justify="right" if at else "left", no_wrap=not at)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def print_paths(plan: Plan, as_json: bool) -> None:
    """The path table."""
    channels = plan.spec.widths[plan.paths[0].path]
    rows = [
        {
            "path": list(each.path),
            "parity": "even" if each.path.even else "odd",
            "nonzeros": len(each.couplings),
            **{
                planned.kernel.name: {
                    "strategy": planned.strategy,
                    "flops": planned.cost.flops(channels),
                    "plain_flops": planned.plain.flops(channels),
                }
                for planned in each.kernels
            },
        }
        for each in plan.paths
    ]
    if as_json:
        print_json(rows)
        return
    roles = [planned.kernel.name for planned in plan.paths[0].kernels]
    caption = f"floating-point operations per edge at {channels} channels, and the strategy that won"
    table = Table(caption=caption, box=SIMPLE_HEAD)
    for name in ("path", "parity", "nonzeros", *roles):
        table.add_column(name, justify="right" if name == "nonzeros" else "left", no_wrap=True)
    for row in rows:
        kernels: list[Any] = [row[role] for role in roles]
        table.add_row(
            "({}, {}, {})".format(*row["path"]),  # type: ignore[misc]
            str(row["parity"]),
            str(row["nonzeros"]),
            *(f"{kernel['flops']:>6} {kernel['strategy']}" for kernel in kernels),
        )
    out.print(table)


def package(folder: Path | None) -> ModuleType:
    """The generated package in `folder`, or the one for degree 3, built on demand."""
    import tfngen

    return tfngen.load(3) if folder is None else tfngen.load(path=folder)


def print_product(found: dict[str, Any], file: Path | None) -> None:
    """A benchmark beside e3nn, as a table and, where asked for, a file."""
    if "workload" in found:
        work = f"{found['workload']}: {found['nodes']:,} nodes × {found['neighbors']} neighbours"
    else:
        work = f"all paths, l ≤ {found['lmax']}, {found['channels']} channels, {found['edges']:,} edges"
    title = f"{work}, float32, {found['threads']} threads"
    caption = f"ceilings in this run: {found['sgemm_gflops']:.0f} GFLOP/s, {found['read_gb_per_s']:.1f} GB/s"
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD)
    for name in ("mode", "", "ms", "µs/edge", "% of ceiling", "× faster than e3nn"):
        table.add_column(name, justify="left" if name in ("mode", "") else "right")
    for row in found["rows"]:
        share = row["percent_of_ceiling"]
        table.add_row(
            row["mode"],
            row["contender"],
            f"{row['milliseconds']:.2f}",
            f"{row['microseconds_per_edge']:.2f}",
            "" if share is None else f"{share:.0f}",
            f"{row['times_faster']:.1f}",
        )
    out.print(table)
    _write_json(found, file)


def print_training(found: dict[str, Any], file: Path | None) -> None:
    """Training steps beside e3nn's, as a table and, where asked for, a file."""
    title = f"missing-atom, model {found['model']}, float32, {found['threads']} threads: whole training steps"
    caption = f"ceilings in this run: {found['sgemm_gflops']:.0f} GFLOP/s, {found['read_gb_per_s']:.1f} GB/s"
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD)
    for name in ("molecules a step", "", "ms a step", "s a pass", "× faster than e3nn"):
        table.add_column(name, justify="right" if name else "left")
    for row in found["rows"]:
        table.add_row(
            str(row["batch"]),
            row["contender"],
            f"{row['milliseconds_per_step']:.1f}",
            f"{row['seconds_per_pass']:.2f}",
            f"{row['times_faster_than_e3nn']:.1f}",
        )
    out.print(table)
    _write_json(found, file)


def print_runs(
    found: Iterable[dict[str, Any]], file: Path | None, picture: Path | None
) -> list[dict[str, Any]]:
    """Benchmarks as they come in: a table each, who did not take part and why; the file grows with them."""
    from tfngen.bench import tables

    runs: list[dict[str, Any]] = []
    for run in found:
        runs.append(run)
        out.print(tables.table(run))
        for line in tables.reasons(run):
            out.print(f"  {line}", style="yellow", markup=False, highlight=False)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, {"runs": runs})
    if file is not None:
        out.print(f"{file}", highlight=False)
    if picture is not None:
        from tfngen.plot.bench import plot_bench

        save_figure(plot_bench(runs), picture)
    return runs


def print_seconds(title: str, found: Any, file: Path | None) -> None:
    """A record of seconds, as a table and, where asked for, a file."""
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("what")
    table.add_column("seconds", justify="right")
    for name, value in asdict(found).items():
        table.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
    out.print(table)
    _write_json(asdict(found), file)


def _write_json(value: Any, file: Path | None) -> None:
    """Write beside and move into place, if there is a place."""
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, value)
    out.print(f"{file}", highlight=False)


def print_description(table: Description, *, latex: bool, as_json: bool) -> None:
    """An exact table as text, LaTeX or JSON."""
    if as_json:
        print_json(table.json())
    else:
        out.print(table.latex() if latex else table.text(), markup=False, highlight=False, soft_wrap=True)


def print_source(text: str, function: str | None) -> None:
    """Python source, highlighted on a terminal; only the decorated `function` where one is named."""
    if function is not None:
        kernels = re.split(r"(?m)^(?=@kernel$)", text)
        text = next(each for each in kernels if f"\ndef {function}(" in each)
    if out.is_terminal:
        out.print(Syntax(text.rstrip(), "python", theme="ansi_dark", background_color="default"))
    else:
        sys.stdout.write(text.rstrip() + "\n")


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong in one line, and leave."""
    err.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    sys.exit(code)


def print_json(value: Any) -> None:
    """JSON for other programs: plain, on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def integer(name: str, text: str) -> int:
    """`text` as a whole number, or a ValueError that names it."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: got {text!r}; it must be a whole number") from None


def save_figure(figure: Any, file: Path) -> None:
    """Write a figure and say where it is."""
    from tfngen.plot.style import save

    save(figure, file)
    out.print(f"{file}", highlight=False)
