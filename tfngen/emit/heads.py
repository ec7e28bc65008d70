"""What generated modules begin with: where they come from, imports, constants, tables of operations."""

from __future__ import annotations

from collections.abc import Sequence

import tfngen
from tfngen.emit.blocks import Blocks
from tfngen.emit.printer import Constant
from tfngen.ir.plan import PlannedKernel
from tfngen.spec import BuildSpec


def provenance(spec: BuildSpec) -> str:
    """The line that says where a file comes from."""
    return (
        f"Written by tfngen {tfngen.__version__} (lmax {spec.lmax}, {spec.normalization} normalisation); "
        "do not edit: build it again instead."
    )


def definition(constant: Constant) -> str:
    """All digits in either precision: rounded to fewer first, √(1/6) would miss the nearest float32."""
    return f"{constant.name} = constant({constant.value!r})  # {constant.exact}"


def imports(blocks: Sequence[Blocks], constants: Sequence[Constant]) -> list[str]:
    """The names that printed blocks need."""
    calls = frozenset().union(*(each.calls for each in blocks))
    return sorted({"LANES", "active_lanes", "kernel", *calls, *(["constant"] if constants else [])})


def operation_table(
    kernels: Sequence[PlannedKernel], units: tuple[str, ...] = ("per edge", "per channel")
) -> str:
    """Multiplies and adds of each kernel, beside those of the plain sum it replaces."""
    paths = len(units) == 2
    head = ("kernel", "strategy", *units, "plain sum") if paths else ("kernel", *units, "plain sum")
    rows = []
    for planned in kernels:
        edge, channel, plain = planned.cost.edge, planned.cost.channel, planned.plain.channel
        counts = [f"{each.multiplies} mul {each.adds} add" for each in (edge, channel, plain)]
        rows.append(
            (planned.kernel.name, planned.strategy, *counts) if paths else (planned.kernel.name, *counts[1:])
        )
    return text_table((head, *rows))


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces, indented as a literal block."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"    {line}".rstrip() for line in lines)
