"""The files of a package's kernels for GPUs, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from tfngen import naming
from tfngen.emit.blocks import (
    component_at,
    indented,
    interleaved,
    path_parameters,
    point_parameters,
    short_name,
)
from tfngen.emit.cuda_functions import LaneFunctions, lane_functions, sharing
from tfngen.emit.cuda_groups import GroupKernel, group_kernel, groups
from tfngen.emit.heads import FORMULAS, GRAPH_FORMULAS, definition, nonzeros, operation_table, provenance
from tfngen.emit.printer import MAX_LINE, Constant, Printer
from tfngen.emit.render import render
from tfngen.forms import FORMS
from tfngen.gpu import FOLDED
from tfngen.ir.nodes import Kernel, Operand, Scope
from tfngen.ir.plan import HarmonicsPlan, PathPlan
from tfngen.irreps import Path
from tfngen.spec import BuildSpec

WORDS = frozenset(
    [
        "ALIGNED",
        "Channels",
        "Floats",
        "Indices",
        "Int",
        "MOST_EDGES",
        "Size",
        "WARP",
        "column_of",
        "constant",
        "copy",
        "cuda",
        "device",
        "end_copies",
        "fold_all",
        "fold_place",
        "index",
        "kept_like",
        "kernel",
        "let_next_begin",
        "load",
        "load_piece",
        "number",
        "offset",
        "over_teams",
        "pointer",
        "put",
        "read",
        "reciprocal_norm",
        "row_of",
        "shared_like",
        "store",
        "total_of",
        "wait_for_copies",
        "wait_for_last",
        "within",
        "zero",
        "zero_like",
    ]
)
"""What `tfngen.runtime.cuda.float32` offers."""


def cuda_files(
    harmonics: HarmonicsPlan, paths: Sequence[PathPlan], spec: BuildSpec, dtype: str
) -> dict[str, str]:
    """Every module of kernels in `dtype`: file name → text."""
    files = {f"{naming.HARMONICS_MODULE}.py": _harmonics_source(harmonics, spec, dtype)}
    functions: dict[Path, dict[str, LaneFunctions]] = {}
    for plan in paths:
        printer = Printer()
        printed = sharing([lane_functions(planned.kernel, printer) for planned in plan.graph_kernels])
        functions[plan.path] = {each.name: each for each in printed}
        module = f"{naming.convolution_module(plan.path)}.py"
        files[module] = _convolution_source(plan, printed, printer, spec, dtype)
        files[f"{naming.path_module(plan.path)}.py"] = _path_source(plan, spec, dtype)
    home: dict[Path, str] = {}
    for group in groups([plan.path for plan in paths]):
        number = len({home[path] for path in home if path.l_input == group[0].l_input})
        module = naming.group_module(group[0].l_input, number)
        home |= dict.fromkeys(group, module)
        kernels = [
            group_kernel(form, group, [functions[path][form.name] for path in group]) for form in FORMS
        ]
        files[f"{module}.py"] = _group_source(group, kernels, spec, dtype)
    files[f"{naming.GROUPS_MODULE}.py"] = render(
        "cuda/groups.py.jinja",
        {
            "provenance": provenance(spec),
            "groups": [(tuple(plan.path), home[plan.path]) for plan in paths],
        },
    )
    return files


def _convolution_source(
    plan: PathPlan, functions: Sequence[LaneFunctions], printer: Printer, spec: BuildSpec, dtype: str
) -> str:
    """What a lane does for one path."""
    users: dict[str, list[str]] = {}
    for each in functions:
        users.setdefault(each.coupling_name, []).append(f"`{each.name}`")
    return render(
        "cuda/convolution.py.jinja",
        {
            "path": plan.path,
            "dtype": dtype,
            "operation_table": operation_table(plan.graph_kernels),
            "provenance": provenance(spec),
            "imports": _imports(
                "\n".join(each.coupling_body for each in functions), {"device"}, printer.constants
            ),
            "constants": [definition(constant) for constant in printer.constants],
            "functions": [
                {
                    **asdict(each),
                    "coupling_body": each.coupling_body * (users[each.coupling_name][0] == f"`{each.name}`"),
                    "coupling_title": _title(each.couplings, _listed(users[each.coupling_name])),
                    "signature": _signature(each.name, each.parameters),
                    "formula": re.sub(r"\[\w+\]", "", GRAPH_FORMULAS[each.name]),
                }
                for each in functions
            ],
        },
    )


def _title(couplings: int, users: str) -> str:
    """The docstring of a function that computes an edge's couplings, on two lines where one is too short."""
    line = f'"""The {couplings} values of an edge for {users}."""'
    return line if len(line) + 4 <= MAX_LINE else line.replace(" an edge for ", " an edge for\n    ")


def _signature(name: str, parameters: Sequence[str]) -> str:
    """``def name(…):``, the parameters on a line of their own where one is too short."""
    taken = ", ".join(parameters)
    line = f"def {name}({taken}):"
    return line if len(line) <= MAX_LINE else f"def {name}(\n    {taken},\n):"


def _listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _group_source(paths: Sequence[Path], kernels: Sequence[GroupKernel], spec: BuildSpec, dtype: str) -> str:
    """The kernels of all paths of one input degree."""
    listed = [f"    {path}" for path in paths]
    text = "\n".join(
        "\n".join((*each.parameters, each.start, each.copies, each.edge, each.tile_end, each.finish))
        for each in kernels
    )
    always = {
        "ALIGNED",
        "MOST_EDGES",
        "cuda",
        "end_copies",
        "index",
        "kept_like",
        "kernel",
        "let_next_begin",
        "load_piece",
        "number",
        "offset",
        "pointer",
        "Floats",
        "Indices",
        "Int",
        "Size",
        "wait_for_copies",
        "wait_for_last",
        "within",
    }
    return render(
        "cuda/group.py.jinja",
        {
            "degree": paths[0].l_input,
            "dtype": dtype,
            "path_list": "\n".join((f"{len(paths)} path{'s' * (len(paths) > 1)}:", "", *listed)),
            "held": sum(2 * path.l_output + 1 for path in paths),
            "provenance": provenance(spec),
            "imports": _imports(text, always),
            "modules": [naming.convolution_module(path) for path in paths],
            "paths": repr(tuple(tuple(path) for path in paths)),
            "kernels": [
                {
                    **asdict(each),
                    "formula": GRAPH_FORMULAS[each.name],
                    "row": "row" if each.finish else "_",
                    "shared": [name for name in ("neighbors", "weight_rows") if f"{name}[slot]" in each.rows],
                }
                for each in kernels
            ],
        },
    )


def _harmonics_source(plan: HarmonicsPlan, spec: BuildSpec, dtype: str) -> str:
    """The spherical harmonics and their derivatives, a point in every thread."""
    printer = Printer()
    printed = [(planned.kernel, _point_body(planned.kernel, printer)) for planned in plan.kernels]
    text = "\n".join(body for _, body in printed)
    return render(
        "cuda/harmonics.py.jinja",
        {
            "lmax": plan.lmax,
            "normalization": plan.normalization,
            "dtype": dtype,
            "count": (plan.lmax + 1) ** 2,
            "operation_table": operation_table(plan.kernels, units=("per point",)),
            "provenance": provenance(spec),
            "imports": _imports(
                text, {"Floats", "Size", "cuda", "kernel", "reciprocal_norm"}, printer.constants
            ),
            "constants": [definition(constant) for constant in printer.constants],
            "kernels": [
                {
                    "name": kernel.name,
                    "parameters": [f"{each}: Floats" for each in point_parameters(kernel)],
                    "formula": FORMULAS[kernel.name],
                    "body": body,
                }
                for kernel, body in printed
            ],
        },
    )


def _point_body(kernel: Kernel, printer: Printer) -> str:
    loaded = [operand for operand in kernel.inputs if operand.array != "vectors"]

    def place(operand: Operand, index: int) -> str:
        start = f"{len(operand.symbols)} * point"
        return f"{operand.array}[{start} + {index}]" if index else f"{operand.array}[{start}]"

    lines = interleaved(
        kernel.body,
        (),
        loaded,
        list(kernel.outputs),
        printer,
        4,
        lambda operand, index, symbol: f"{symbol} = {place(operand, index)}",
        lambda operand, index, symbol: f"{place(operand, index)} = {symbol}",
    )
    return indented(lines, 4)


def _path_source(plan: PathPlan, spec: BuildSpec, dtype: str) -> str:
    """The four roles of a path, edge by edge."""
    printer = Printer()
    printed = [(planned.kernel, *_path_blocks(planned.kernel, printer)) for planned in plan.kernels]
    text = "\n".join("\n".join(blocks) for _, *blocks in printed)
    return render(
        "cuda/path.py.jinja",
        {
            "path": plan.path,
            "dtype": dtype,
            "nonzeros": nonzeros(plan.path, plan.couplings),
            "operation_table": operation_table(plan.kernels),
            "provenance": provenance(spec),
            "imports": _imports(
                text, {"Floats", "Int", "Size", "WARP", "cuda", "index", "kernel"}, printer.constants
            ),
            "constants": [definition(constant) for constant in printer.constants],
            "kernels": [
                {
                    "name": kernel.name,
                    "parameters": [_typed(group) for group in path_parameters(kernel)],
                    "formula": FORMULAS[kernel.name],
                    "ahead": ahead,
                    "body": body,
                    "behind": behind,
                }
                for kernel, ahead, body, behind in printed
            ],
        },
    )


def _typed(group: str) -> str:
    """``filters: Floats, filter_row: Size``."""
    array, *numbers = group.split(", ")
    return ", ".join((f"{array}: Floats", *(f"{each}: Size" for each in numbers)))


def _path_blocks(kernel: Kernel, printer: Printer) -> tuple[str, str, str]:
    """What a lane does ahead of its channels, for one of them, and behind."""
    edge = [operand for operand in kernel.inputs if operand.scope is Scope.EDGE]
    used = frozenset(symbol for statement in kernel.statements for symbol in statement.value.symbols())
    ahead = [f"{operand.name}_at = edge * {operand.name}_row" for operand in edge]
    ahead += [
        f"{symbol} = read({operand.array}, {component_at(operand.name, index)})"
        for operand in edge
        for index, symbol in enumerate(operand.symbols)
        if symbol in used
    ]
    ahead += [printer.statement(statement, 4).lstrip() for statement in kernel.before]
    ahead += [f"{statement.name} = zero()" for statement in kernel.body if statement.accumulate]

    channel = [operand for operand in kernel.inputs if operand.scope is Scope.CHANNEL]
    stored = [operand for operand in kernel.outputs if operand.scope is Scope.CHANNEL]
    body = [
        f"{short_name(operand)}_at = edge * {short_name(operand)}_row + channel"
        for operand in channel + stored
    ]
    body += interleaved(kernel.body, (), channel, stored, printer, 8, _load, _store)

    behind = [printer.statement(statement, 4).lstrip() for statement in kernel.after]
    for operand in (each for each in kernel.outputs if each.scope is Scope.EDGE):
        behind += ["result_at = edge * result_row", "place = fold_place(lane)"]
        for begin in range(0, len(operand.symbols), FOLDED):
            part = operand.symbols[begin : begin + FOLDED]
            values = [*part, *["zero()"] * (FOLDED - len(part))]
            behind += ["total = fold_all("]
            behind += [f"    {', '.join(values[at : at + 8])}," for at in range(0, FOLDED, 8)]
            behind += [")"]
            where = f"result_at + {begin} + place" if begin else "result_at + place"
            behind.append(f"store(results, {where}, total, live and place < {len(part)})")
    return indented(ahead, 4), indented(body, 8), indented(behind, 4)


def _load(operand: Operand, index: int, symbol: str) -> str:
    step = f"{operand.name}_step"
    return f"{symbol} = load({operand.array}, {component_at(operand.name, index, step)}, active)"


def _store(operand: Operand, index: int, symbol: str) -> str:
    return f"store(results, {component_at('result', index, 'result_step')}, {symbol}, active)"


def _imports(text: str, always: set[str], constants: Sequence[Constant] = ()) -> list[str]:
    """The words that printed lines use, and those of the frame around them."""
    used = WORDS.intersection(re.findall(r"\w+", text)) | always
    return sorted(used | ({"constant"} if constants else set()), key=lambda name: (not name.isupper(), name))
