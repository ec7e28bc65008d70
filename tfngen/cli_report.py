"""`tfngen report`: what a package's kernels for GPUs cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfngen import console


def report(
    path: Annotated[Path, typer.Argument(help="The folder of a generated package.", metavar="PATH")],
    html: Annotated[Path | None, typer.Option(help="Write it as one page, with its roofline.")] = None,
    dtype: Annotated[
        str, typer.Option(help="What is in memory: float32 or float64; float16 or bfloat16.")
    ] = "float32",
    channels: Annotated[
        int | None, typer.Option(help="Of every irrep; what the package was built for by default.", min=1)
    ] = None,
    neighbors: Annotated[int, typer.Option(help="The edges of a node, which share its row.", min=1)] = 30,
    products: Annotated[
        bool, typer.Option("--products", help="The kernels of `tensor_product` too, four for each path.")
    ] = False,
) -> None:
    """Count and compile a package's kernels for GPUs: operations, bytes, registers, and floors in time.

    No GPU is needed. Example: `tfngen report generated/tfn_l3 --html report.html`.
    """
    from tfngen.files import write_bytes
    from tfngen.report import MACHINES, page, report
    from tfngen.report.page import head, rows, total_head, total_rows

    with console.progress() as advance:
        found = report(
            path, dtype=dtype, channels=channels, neighbors=neighbors, products=products, progress=advance
        )
    console.print_table(head(found), rows(found))
    console.print_table(total_head(), total_rows(found))
    if html is not None:
        from tfngen.plot.roofline import as_svg, plot_roofline

        roofs = [(machine.name, machine.teraflops, machine.terabytes) for machine in MACHINES]
        kernels = [(f"{each.module} {each.name}", each.intensity) for each in found if each.unit == "edge"]
        widths = sorted({each.channels for each in found if each.unit == "edge"})
        summary = (
            f"{dtype}, {', '.join(map(str, widths))} channels, {neighbors} edges a node, by "
            f"“tfngen report {path.name}”."
        )
        svg = as_svg(plot_roofline(roofs, kernels))
        html.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(html, page(path.name, summary, found, svg).encode())
        console.out.print(f"Written: {html}")
