"""The modules for rows in lanes, as text: a path's products, and what turns and mixes channels."""

from __future__ import annotations

from tfngen.emit.heads import definition, imports, operation_table, provenance
from tfngen.emit.mixing_blocks import derivative_blocks, mixing_blocks
from tfngen.emit.printer import Printer
from tfngen.emit.render import render
from tfngen.emit.row_blocks import row_arrays, row_blocks
from tfngen.ir.plan import PathPlan
from tfngen.spec import BuildSpec

ROW_FORMULAS = {
    "pairs": "outputs = ∂T/∂grad",
    "output": "outputs += ∂T/∂grad",
    "d_input": "d_inputs += ∂T/∂input",
    "d_filter": "d_filters += ∂T/∂filter",
}


MIXING_FORMULAS = {
    "mix": "outputs[w, m] = Σ_k weights[k, w] · inputs[k, m], or += where it adds",
    "mix_rows": "The same by weights of a row's own, which are in lanes too.",
    "d_mix": "d_weights[k, w][row] += Σ_m inputs[k, m] · grads[w, m], over some tiles, lane by lane",
}


def rows_source(plan: PathPlan, spec: BuildSpec, dtype: str) -> str:
    """The module with the path's products of rows in lanes."""
    printer = Printer()
    named = [(planned.kernel.name, planned.kernel, "add_lanes") for planned in plan.row_kernels]
    named.insert(0, ("pairs", plan.row_kernels[0].kernel, "store_lanes"))
    printed = [(name, kernel, row_blocks(kernel, printer, into)) for name, kernel, into in named]
    steps = any("LANES" in blocks.ahead + blocks.body + blocks.behind for *_, blocks in printed)
    needed = {*imports([blocks for *_, blocks in printed], printer.constants), "load_indices"}
    return render(
        "cpu/rows.py.jinja",
        {
            "path": plan.path,
            "dtype": dtype,
            "operation_table": operation_table(plan.row_kernels, units=("per channel", "per partner")),
            "provenance": provenance(spec),
            "imports": sorted(needed - {"active_lanes", *(() if steps else ("LANES",))}),
            "constants": [definition(constant) for constant in printer.constants],
            "kernels": [
                {
                    "name": name,
                    "formula": ROW_FORMULAS[name],
                    "arrays": row_arrays(kernel),
                    "ahead": blocks.ahead,
                    "body": blocks.body,
                    "behind": blocks.behind,
                }
                for name, kernel, blocks in printed
            ],
        },
    )


def mixing_source(spec: BuildSpec, dtype: str) -> str:
    """The module that turns rows into lanes and mixes channels there."""
    calls = "active_lanes add_lanes clear kernel load_indices load_lanes load_scalar store_lanes store_scalar"
    degrees = sorted({degree for path in spec.paths for degree in path})
    mixes, derivatives = [], []
    for l in degrees:
        for name, by_row in (("mix", False), ("mix_rows", True)):
            weight_at = "group * weight_group + w * weight_width"
            mixes.append(
                {
                    "name": f"{name}_{l}",
                    "formula": MIXING_FORMULAS[name],
                    "components": 2 * l + 1,
                    "weight_at": f"({weight_at}) * LANES" if by_row else weight_at,
                    "weight_step": "weight_step * LANES" if by_row else "weight_step",
                    "blocks": mixing_blocks(l, by_row),
                }
            )
        derivatives.append(
            {
                "name": f"d_mix_{l}",
                "formula": MIXING_FORMULAS["d_mix"],
                "components": 2 * l + 1,
                "rows": derivative_blocks(l),
            }
        )
    return render(
        "cpu/mixing.py.jinja",
        {
            "dtype": dtype,
            "provenance": provenance(spec),
            "imports": ["BYTES", "LANES", *calls.split(), "total", "turn_in", "turn_out", "zero"],
            "mixes": mixes,
            "derivatives": derivatives,
        },
    )
