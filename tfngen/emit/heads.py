"""What generated modules begin with: where they come from, imports, constants, tables of operations."""

from __future__ import annotations

from collections.abc import Sequence

import tfngen
from tfngen import naming
from tfngen.emit.blocks import Blocks
from tfngen.emit.printer import Constant
from tfngen.ir.lower_paths import Coupling
from tfngen.ir.plan import PlannedKernel
from tfngen.irreps import Path
from tfngen.spec import BuildSpec

FORMULAS = {
    "output": "output[c, m_O] = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I]",
    "d_input": "d_input[c, m_I] = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · grad[c, m_O]",
    "d_filter": "d_filter[m_F] = Σ C[m_F, m_I, m_O] · weight[c] · input[c, m_I] · grad[c, m_O]",
    "d_weight": "d_weight[c] = Σ C[m_F, m_I, m_O] · filter[m_F] · input[c, m_I] · grad[c, m_O]",
    "harmonics": "results[l, m] = Y[l, m](r/|r|)",
    "harmonics_vjp": "results = Σ grads[l, m] · ∂Y[l, m](r/|r|)/∂r",
    "harmonics_vjp_vjp": "The derivatives of tangents · harmonics_vjp(r, grads), by r and by grads.",
}

GRAPH_FORMULAS = {
    "output": "outputs[target] += ∂T/∂grad[target], which is the convolution",
    "d_input": "d_inputs[source] += ∂T/∂input[source]",
    "d_filter": "d_filters[edge] += ∂T/∂filter[edge]",
    "d_weight": "d_weights[edge] = ∂T/∂weight[edge]",
    "d_input_weight": "d_inputs += ∂T/∂input, d_weights = ∂T/∂weight",
    "backward": "d_filters += ∂T/∂filter, d_inputs += ∂T/∂input, d_weights = ∂T/∂weight",
    "d_grad": "d_grads[target] += ∂ΔT/∂grad[target]",
    "double_backward": "d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight",
    "d_input_weight_along": "d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight",
    "backward_along": "d_filters += ∂ΔT/∂filter, d_inputs += ∂ΔT/∂input, d_weights = ∂ΔT/∂weight",
}


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
    by_node = any(planned.kernel.node for planned in kernels)
    units = ("per node and channel", *units) if by_node else units
    head = ("kernel", "strategy", *units, "plain sum") if paths else ("kernel", *units, "plain sum")
    rows = []
    for planned in kernels:
        counted = [*([planned.cost.node] if by_node else []), *([planned.cost.edge] if paths else [])]
        counted += [planned.cost.channel, planned.plain.channel]
        counts = [f"{each.multiplies} mul {each.adds} add" for each in counted]
        rows.append((planned.kernel.name, *([planned.strategy] if paths else []), *counts))
    return text_table((head, *rows))


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces, indented as a literal block."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"    {line}".rstrip() for line in lines)


def nonzeros(path: Path, couplings: Sequence[Coupling]) -> str:
    """How many coefficients there are, and which, while that is still read rather than skipped."""
    names = [naming.components(degree) for degree in (path.l_filter, path.l_input, path.l_output)]
    count = len(couplings)
    head = f"C has {count} nonzero {'entry' if count == 1 else 'entries'}"
    if count > 16:
        return f"{head}, listed in `coefficients`."
    entries = []
    for *indices, value in couplings:
        f, i, o = (name[m + len(name) // 2] for name, m in zip(names, indices, strict=True))
        entries.append(f"    C[{f}, {i}, {o}] = {value}")
    return "\n".join((f"{head}:", "", *entries))
