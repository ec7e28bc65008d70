"""Prove a generated package: derive everything again and compare, coefficients exactly and files by hash."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import tfngen
from tfngen.build import Progress, Tables, derive, make_plan, sources
from tfngen.emit.package import digest, present_files, read_manifest
from tfngen.spec import BuildSpec


def check(folder: FilePath, progress: Progress = lambda *_: None) -> Iterator[str]:
    """Every difference between the package in `folder` and what its specification derives to, one line each.

    Coefficients come first, compared as exact integers; then every file by its sha256, so a changed kernel,
    a missing file and a stray one are all found. Nothing of the package is executed.

    Raises:
        ValueError: `folder` holds no package that tfngen wrote.
    """
    manifest = read_manifest(folder)
    spec = BuildSpec.from_json(manifest.get("spec", {}))
    tables = derive(spec, progress)
    yield from _coefficient_differences(folder / "coefficients.py", tables)
    if manifest.get("tfngen") != tfngen.__version__:
        yield (
            f"manifest.json: written by tfngen {manifest.get('tfngen')}, this is {tfngen.__version__}; "
            "build again to compare its kernels"
        )
        return
    expected = {name: digest(text) for name, text in sources(make_plan(spec, tables, progress)).items()}
    present = present_files(folder)
    for name in sorted(expected.keys() | present.keys()):
        if name not in present:
            yield f"{name}: missing"
        elif name not in expected:
            yield f"{name}: not part of the package"
        elif present[name] != expected[name]:
            yield f"{name}: differs from what tfngen {tfngen.__version__} derives"


def _coefficient_differences(file: FilePath, tables: Tables) -> Iterator[str]:
    try:
        found = _literals(file)
    except (OSError, SyntaxError, ValueError) as error:
        yield f"{file.name}: cannot be read ({error})"
        return
    harmonics = {
        key: tuple((exponents, (v.sign, v.numerator, v.denominator)) for exponents, v in terms)
        for key, terms in tables.monomials.items()
    }
    couplings = {
        tuple(path): tuple((*m, v.sign, v.numerator, v.denominator) for *m, v in entries)
        for path, entries in tables.couplings.items()
    }
    for name, expected in (("HARMONICS", harmonics), ("CLEBSCH_GORDAN", couplings)):
        table = found.get(name)
        if not isinstance(table, dict) or table.keys() != expected.keys():
            yield f"{file.name}: {name} does not have the entries it should have"
            continue
        for key, entries in expected.items():
            for at, (wanted, got) in enumerate(zip(entries, table[key], strict=False)):
                if wanted != got:
                    yield f"{file.name}: {name}[{key}] entry {at} is {got}; derived: {wanted}"
            if len(entries) != len(table[key]):
                yield f"{file.name}: {name}[{key}] has {len(table[key])} entries; derived: {len(entries)}"


def _literals(file: FilePath) -> dict[str, Any]:
    """The module's assignments of literals, read without running it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
