"""Who may import whom (DESIGN §3), held by walking every import in the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tfngen

PACKAGE = Path(tfngen.__file__).parent
LEAVES = {
    "tfngen.irreps",
    "tfngen.naming",
    "tfngen.roles",
    "tfngen.forms",
    "tfngen.files",
    "tfngen.gpu",
}  # standard library only

# room: what it may import of tfngen beside itself and the leaves, and which third-party packages
ALLOWED = {
    "irreps": (set(), set()),
    "naming": ({"tfngen.irreps"}, set()),
    "roles": (set(), set()),
    "forms": ({"tfngen.roles"}, set()),
    "files": (set(), set()),
    "gpu": (set(), set()),
    "spec": (set(), set()),
    "config": ({"tfngen.spec"}, {"tomllib", "tomli"}),
    "symbolic": (set(), {"sympy", "numpy"}),
    "ir": ({"tfngen.symbolic.surd"}, set()),
    "emit": ({"tfngen.ir", "tfngen.spec", "tfngen.symbolic.surd", "tfngen"}, {"jinja2"}),
    "build": ({"tfngen.symbolic", "tfngen.ir", "tfngen.emit", "tfngen.spec"}, set()),
    "check": ({"tfngen.build", "tfngen.emit", "tfngen.spec", "tfngen"}, set()),
    "report": (
        {"tfngen.build", "tfngen.cache", "tfngen.emit", "tfngen.ir", "tfngen.runtime", "tfngen.spec"},
        {"numpy"},
    ),
    "runtime": (set(), {"torch", "numpy", "numba", "llvmlite", "vesin", "cuda"}),
    "tracing": ({"tfngen.runtime"}, {"torch"}),
    "nn": ({"tfngen.runtime", "tfngen"}, {"torch", "safetensors"}),
    "interop": ({"tfngen.runtime", "tfngen.nn", "tfngen.cache"}, {"torch", "e3nn", "ase"}),
    "plot": (
        {"tfngen.symbolic"},
        {"numpy", "matplotlib", "sympy"},
    ),
    "bench": (
        {"tfngen", "tfngen.interop", "tfngen.experiments", "tfngen.nn", "tfngen.runtime"},
        {"torch", "numpy", "rich", "e3nn", "cuequivariance", "cuequivariance_torch", "jax", "e3nn_jax"}
        | {"sphericart", "ase", "sevenn", "mace", "nequip", "openequivariance", "LunaEquivariance"}
        | {"flashTP_e3nn", "flashcart"},
    ),
    "experiments": (
        {"tfngen.runtime", "tfngen.nn", "tfngen.cache", "tfngen.plot.style", "tfngen"},
        {"torch", "numpy", "matplotlib", "rich", "safetensors", "ase", "e3nn"},
    ),
}


def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] != "_templates":
            found.setdefault(parts[0], []).append(file)
    return found


def imports(file: Path) -> set[str]:
    """Every module `file` imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports are for generated code"
            assert node.module is not None
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(name if _is_module(name) else node.module for name in submodules)
    return names


def _is_module(name: str) -> bool:
    if not name.startswith("tfngen."):
        return False
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _within(name: str, allowed: set[str]) -> bool:
    return any(name == each or (each != "tfngen" and name.startswith(f"{each}.")) for each in allowed)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_it_may(room):
    import sys

    of_tfngen, third_party = ALLOWED[room]
    for file in rooms()[room]:
        for name in imports(file):
            if name.split(".")[0] == "tfngen":
                assert _within(name, of_tfngen | LEAVES | {f"tfngen.{room}"}), f"{file} imports {name}"
            else:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names | third_party, f"{file} imports {name}"


def test_every_room_has_a_rule():
    commands = {"__main__", "cli", "cli_bench", "cli_report", "cli_run"}
    front = commands | {"__init__", "console", "cache", "precompile"}
    assert rooms().keys() == ALLOWED.keys() | front


def test_the_front_imports_lazily():
    """`import tfngen` and the command line load nothing heavy until a command needs it."""
    import subprocess
    import sys

    heavy = ("torch", "numba", "sympy", "jinja2")
    script = f"import sys, tfngen.cli; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_file_outgrows_its_reader():
    long = {
        str(file): lines
        for file in (*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "templates").rglob("*.jinja"))
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
