"""A report as tables, for a terminal, and as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence

from tfngen.emit.render import render
from tfngen.gpu import Capability
from tfngen.report.kernels import KernelReport, totals
from tfngen.report.machines import MACHINES


def head(reports: Sequence[KernelReport]) -> list[str]:
    """What the columns are."""
    registers = [f"regs sm_{major}{minor}" for major, minor in _capabilities(reports)]
    times = [f"ns {machine.name}" for machine in MACHINES]
    counted = ["paths", "flops", "bytes", "flops/ byte"]
    return ["kernel", *counted, *registers, "stack", "warps", *times]


def rows(reports: Sequence[KernelReport]) -> list[list[str]]:
    """A row for each kernel."""
    return [
        [
            f"{each.module}.{each.name}",
            str(each.paths or "–"),
            f"{each.flops:,}",
            f"{each.bytes:,.0f}",
            f"{each.intensity:.1f}",
            *(str(each.registers[capability]) for capability in _capabilities(reports)),
            str(sum(each.stack.values())),
            str(min(each.warps.values())),
            *(f"{each.nanoseconds[machine.name]:.2f}" for machine in MACHINES),
        ]
        for each in reports
    ]


def total_head() -> list[str]:
    """What the columns of the sums are."""
    return ["an edge", "flops", "bytes", *(f"ns {machine.name}" for machine in MACHINES)]


def total_rows(reports: Sequence[KernelReport]) -> list[list[str]]:
    """All paths together, form by form."""
    return [
        [name, f"{flops:,}", f"{moved:,.0f}", *(f"{times[machine.name]:.2f}" for machine in MACHINES)]
        for name, flops, moved, times in totals(reports)
    ]


def page(name: str, summary: str, reports: Sequence[KernelReport], roofline: str) -> str:
    """The report as HTML; `roofline` is a picture as SVG."""
    return render(
        "report.html.jinja",
        {
            "name": name,
            "summary": summary,
            "roofline": roofline,
            "head": head(reports),
            "rows": rows(reports),
            "total_head": total_head(),
            "total_rows": total_rows(reports),
        },
    )


def _capabilities(reports: Sequence[KernelReport]) -> list[Capability]:
    return sorted({capability for each in reports for capability in each.registers})
