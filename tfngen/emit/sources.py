"""The files of a generated package, as text: which there are, and what stands in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import tfngen
from tfngen import naming
from tfngen.emit.blocks import called, path_blocks, path_parameters, point_blocks, point_parameters
from tfngen.emit.cuda_sources import cuda_files
from tfngen.emit.graph_blocks import GraphBlocks, graph_blocks
from tfngen.emit.heads import (
    FORMULAS,
    GRAPH_FORMULAS,
    definition,
    imports,
    nonzeros,
    operation_table,
    provenance,
    text_table,
)
from tfngen.emit.printer import MAX_LINE, Printer
from tfngen.emit.render import render
from tfngen.emit.row_sources import mixing_source, rows_source
from tfngen.emit.specialised import convolution_values
from tfngen.forms import FORM, Form
from tfngen.ir.lower_paths import Coupling
from tfngen.ir.plan import HarmonicsPlan, PathPlan
from tfngen.irreps import Path
from tfngen.spec import BuildSpec
from tfngen.symbolic.surd import Surd

Monomials = tuple[tuple[tuple[int, int, int], Surd], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before a line is printed."""

    spec: BuildSpec
    monomials: Mapping[tuple[int, int], Monomials]
    couplings: Mapping[Path, Sequence[Coupling]]
    harmonics: HarmonicsPlan
    paths: tuple[PathPlan, ...]


def package_sources(plan: Plan) -> dict[str, str]:
    """Every file of the package but the manifest: relative path → text."""
    spec = plan.spec
    files = {"__init__.py": _init(plan), "coefficients.py": _coefficients(plan)}
    for target in spec.targets:
        files[f"{target}/__init__.py"] = render(f"{target}/__init__.py.jinja", _folder("Kernels", target))
        for dtype in spec.dtypes:
            folder = f"{target}/{dtype}"
            files[f"{folder}/__init__.py"] = render(
                f"{target}/__init__.py.jinja", _folder(f"{dtype} kernels", target)
            )
            modules = _cpu_files(plan, dtype) if target == "cpu" else _cuda_files(plan, dtype)
            files |= {f"{folder}/{name}": text for name, text in modules.items()}
    return dict(sorted(files.items()))


def _cpu_files(plan: Plan, dtype: str) -> dict[str, str]:
    """Every module of kernels for a processor in `dtype`: file name → text."""
    spec = plan.spec
    files = {
        f"{naming.HARMONICS_MODULE}.py": harmonics_source(plan.harmonics, spec, dtype),
        f"{naming.MIXING_MODULE}.py": mixing_source(spec, dtype),
    }
    for path in plan.paths:
        files[f"{naming.path_module(path.path)}.py"] = path_source(path, spec, dtype)
        files[f"{naming.convolution_module(path.path)}.py"] = convolution_source(path, spec, dtype)
        files[f"{naming.rows_module(path.path)}.py"] = rows_source(path, spec, dtype)
    return files


def _cuda_files(plan: Plan, dtype: str) -> dict[str, str]:
    return cuda_files(plan.harmonics, plan.paths, plan.spec, dtype)


def fingerprint(spec: BuildSpec) -> str:
    """A short name for exactly this package, under which torch operators find it."""
    text = repr((tfngen.__version__, sorted(spec.to_json().items())))
    return f"{spec.name}-{sha256(text.encode()).hexdigest()[:12]}"


def path_source(plan: PathPlan, spec: BuildSpec, dtype: str) -> str:
    """The module with the four kernels of a path, edge by edge."""
    printer = Printer()
    printed = [(planned, path_blocks(planned.kernel, printer)) for planned in plan.kernels]
    return render(
        "cpu/path.py.jinja",
        {
            "path": plan.path,
            "dtype": dtype,
            "nonzeros": nonzeros(plan.path, plan.couplings),
            "operation_table": operation_table(plan.kernels),
            "provenance": provenance(spec),
            "imports": imports([blocks for _, blocks in printed], printer.constants),
            "constants": [definition(constant) for constant in printer.constants],
            "kernels": [
                {
                    "name": planned.kernel.name,
                    "parameters": path_parameters(planned.kernel),
                    "formula": FORMULAS[planned.kernel.name],
                    "ahead": blocks.ahead,
                    "body": blocks.body,
                    "behind": blocks.behind,
                }
                for planned, blocks in printed
            ],
        },
    )


def convolution_source(plan: PathPlan, spec: BuildSpec, dtype: str) -> str:
    """The module with the path's kernels over a graph: gather, product and scatter in one pass."""
    printer = Printer()
    printed = [(planned, graph_blocks(planned.kernel, printer)) for planned in plan.node_kernels]
    tile = {field for _, blocks in printed for _, field in blocks.tile}
    calls = frozenset().union(*(called(blocks.text) for _, blocks in printed))
    strides = {name for name in ("AHEAD", "EDGE_STRIDE", "SLOT") if any(name in b.text for _, b in printed)}
    frame = {"LANES", "active_lanes", "kernel", "load_index", "load_indices"}
    return render(
        "cpu/convolution.py.jinja",
        {
            "path": plan.path,
            "dtype": dtype,
            "operation_table": operation_table(plan.node_kernels),
            "provenance": provenance(spec),
            "imports": sorted(
                frame | tile | calls | strides | ({"constant"} if printer.constants else set()),
                key=lambda name: (not name.isupper(), name.lower()),
            ),
            "constants": [definition(constant) for constant in printer.constants],
            "kernels": [
                {
                    "name": planned.kernel.name,
                    "formula": GRAPH_FORMULAS[planned.kernel.name],
                    "sums_only": FORM[planned.kernel.name].sums_only,
                    "arguments": _unpacking(FORM[planned.kernel.name], blocks),
                    "blocks": blocks,
                }
                for planned, blocks in printed
            ],
        },
    )


def _unpacking(form: Form, blocks: GraphBlocks) -> str:
    """The line, or lines, that name a call's arguments; those a path has no use for with a leading _."""
    names = [name if blocks.mentions(name) else f"_{name}" for name in form.arguments]
    line = f"    {', '.join(names)} = load_indices(call, {len(names)})"
    if len(line) <= MAX_LINE:
        return line
    rows = [f"        {', '.join(names[at : at + 6])}," for at in range(0, len(names), 6)]
    return "\n".join(("    (", *rows, f"    ) = load_indices(call, {len(names)})"))


def harmonics_source(plan: HarmonicsPlan, spec: BuildSpec, dtype: str) -> str:
    """The module with the spherical harmonics and their derivatives."""
    printer = Printer()
    printed = [(planned.kernel, point_blocks(planned.kernel, printer)) for planned in plan.kernels]
    needed = imports([blocks for _, blocks in printed], printer.constants)
    return render(
        "cpu/harmonics.py.jinja",
        {
            "lmax": plan.lmax,
            "normalization": plan.normalization,
            "dtype": dtype,
            "count": (plan.lmax + 1) ** 2,
            "operation_table": operation_table(plan.kernels, units=("per point",)),
            "provenance": provenance(spec),
            "imports": sorted({*needed, "load_rows", "reciprocal_norm"}),
            "constants": [definition(constant) for constant in printer.constants],
            "kernels": [
                {
                    "name": kernel.name,
                    "parameters": point_parameters(kernel),
                    "formula": FORMULAS[kernel.name],
                    "body": blocks.body,
                }
                for kernel, blocks in printed
            ],
        },
    )


def _init(plan: Plan) -> str:
    spec = plan.spec
    return render(
        "__init__.py.jinja",
        {
            "name": spec.name,
            "parent": "generated",
            "lmax": spec.lmax,
            "count": (spec.lmax + 1) ** 2,
            "normalization": spec.normalization,
            "targets": ", ".join(spec.targets),
            "dtypes": ", ".join(spec.dtypes),
            "paths": [tuple(each.path) for each in plan.paths],
            **convolution_values(spec),
            "path_table": _path_table(plan),
            "provenance": provenance(spec),
            "dtype_names": _tuple(spec.dtypes),
            "target_names": _tuple(spec.targets),
            "fingerprint": fingerprint(spec),
            "interface": naming.RUNTIME_INTERFACE,
        },
    )


def _coefficients(plan: Plan) -> str:
    note = " All values are over √π." if plan.spec.normalization == "integral" else ""
    return render(
        "coefficients.py.jinja",
        {
            "name": plan.spec.name,
            "pi_note": note,
            "provenance": provenance(plan.spec),
            "harmonics": [
                (key, [(exponents, _exact(value)) for exponents, value in terms])
                for key, terms in plan.monomials.items()
            ],
            "couplings": [
                (tuple(path), [(*entry[:3], *_exact(entry[3])) for entry in couplings])
                for path, couplings in plan.couplings.items()
            ],
        },
    )


def _folder(summary: str, target: str) -> dict[str, Any]:
    if target == "cpu":
        return {"summary": f"{summary} for the CPU, one module a path; compiled when first called."}
    return {"summary": f"{summary} for NVIDIA GPUs, one module an input degree; compiled when first called."}


def _exact(value: Surd) -> tuple[int, int, int]:
    return value.sign, value.numerator, value.denominator


def _path_table(plan: Plan) -> str:
    widths = plan.spec.widths
    roles = [planned.kernel.name for planned in plan.paths[0].kernels]
    head = ("path", *(["channels"] if plan.spec.convolutions else []), "nonzeros", *roles)
    rows = [
        (
            str(each.path),
            *([str(widths[each.path])] if plan.spec.convolutions else []),
            str(len(each.couplings)),
            *(f"{planned.cost.flops(widths[each.path])} {planned.strategy}" for planned in each.kernels),
        )
        for each in plan.paths
    ]
    return text_table((head, *rows))


def _tuple(names: Sequence[str]) -> str:
    return "(" + ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "") + ")"
