"""Kernels compile when first called; their machine code outlives the process and a move of the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import tfngen
from tfngen import naming
from tfngen.forms import FORM, FORMS
from tfngen.spec import ConvolutionSpec

CALL = """
import json, sys, time
import torch, numba
sys.path.insert(0, {parent!r})
before = set(sys.modules)
start = time.perf_counter()
import {name} as tfn
seconds = time.perf_counter() - start
imported = sorted(set(sys.modules) - before)
from importlib import import_module
module = import_module("{name}.cpu.float32.path_{l}_{l}_{l}")
compiled_at_import = module.output.is_compiled
torch.manual_seed(0)
z = tfn.tensor_product(({l}, {l}, {l}), torch.randn(4, 2 * {l} + 1), torch.randn(4, 5, 2 * {l} + 1))
stats = module.output.compile().stats
print(json.dumps(dict(
    imported=imported, compiled_at_import=compiled_at_import, seconds=seconds, sum=float(z.sum()),
    hits=sum(stats.cache_hits.values()), misses=sum(stats.cache_misses.values()),
)))
"""


def call(parent: Path, name: str, l: int = 1) -> dict:
    """Import a package in a new process, call the path (l, l, l), and tell what happened."""
    script = CALL.format(parent=str(parent), name=name, l=l)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A package of its own, with nothing compiled."""
    from tfngen.build import build
    from tfngen.spec import BuildSpec

    return build(BuildSpec(1), tmp_path_factory.mktemp("generated")).written.folder


def test_from_first_call_to_a_package_that_moved(package, tmp_path):
    first = call(package.parent, package.name)
    assert (first["hits"], first["misses"]) == (0, 1)
    assert not first["compiled_at_import"]

    second = call(package.parent, package.name)
    assert (second["hits"], second["misses"]) == (1, 0)

    # The same files elsewhere, imported under another name: the machine code comes along.
    moved = tmp_path / "elsewhere" / "my_kernels"
    shutil.copytree(package, moved, copy_function=shutil.copy2)
    third = call(moved.parent.parent, "elsewhere.my_kernels")
    assert (third["hits"], third["misses"]) == (1, 0)
    assert first["sum"] == second["sum"] == third["sum"]


def test_importing_a_package_imports_no_generator(package):
    """Neither sympy nor jinja2 nor anything of tfngen that derives, plans or prints."""
    imported = call(package.parent, package.name)["imported"]
    forbidden = ("sympy", "jinja2", "tfngen.symbolic", "tfngen.ir.", "tfngen.emit", "tfngen.build", "typer")
    assert not [name for name in imported if name.startswith(forbidden)]


def test_a_folder_that_cannot_hold_a_cache_is_a_warning_and_not_an_error(package, monkeypatch):
    from numba.core.caching import CacheImpl

    from tfngen.runtime.cpu import float32
    from tfngen.runtime.cpu.kernel import Kernel

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])

    def nothing(first, last):
        for _ in range(first, last):
            pass

    kernel = Kernel(nothing)
    with pytest.warns(UserWarning, match="compiled anew in every process"):
        kernel(0, 1)
    assert float32.LANES >= 4


def test_compiling_everything_ahead_leaves_nothing_to_compile(tmp_path):
    from tfngen.build import build
    from tfngen.precompile import kernel_modules, precompile
    from tfngen.spec import BuildSpec

    package, steps = build(BuildSpec(0, dtypes=("float32",)), tmp_path).written.folder, []
    count = precompile(package, lambda done, total: steps.append((done, total)), workers=1)
    modules = list(kernel_modules(package, "cpu"))
    assert len(modules) == 1 + 1 + 1 + 2
    assert count == 4 + 2 * len(FORMS) + 4 + 3 + (4 + 3)
    assert steps[-1] == (len(modules), len(modules))
    assert call(package.parent, package.name, l=0)["misses"] == 0


@pytest.mark.parametrize("irreps", ["7x0e+16x1o", "32x0e+8x1o", "4x0e+4x1o"])
def test_a_model_s_package_is_compiled_for_the_rows_it_has(irreps, monkeypatch):
    """All kernels that its convolution will ask for, and no others."""
    from tfngen.precompile import _fitted
    from tfngen.runtime.cpu.convolve import _Launch
    from tfngen.runtime.cpu.kernel import Kernel

    package = tfngen.load(convolutions={"layer": ConvolutionSpec(irreps, "0e+1o", "0e+1o")})
    convolution, compiled = package.convolution("layer"), []
    for name in {naming.convolution_module(path.path) for path in convolution.paths}:
        module = import_module(f"{package.__name__}.cpu.float32.{name}")
        found = [each for each in vars(module).values() if isinstance(each, Kernel)]
        compiled += _fitted(package, f"cpu.float32.{name}", found)

    used = []
    monkeypatch.setattr(Kernel, "address", property(lambda kernel: used.append(kernel) or 0))
    for form in FORM.values():
        _Launch(package._package.fingerprint, form, convolution._numbers, torch.float32)
    assert set(compiled) == set(used)


def test_a_package_for_another_runtime_is_refused(package, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(package, other)
    init = other / "__init__.py"
    text = init.read_text(encoding="utf-8")
    init.write_text(re.sub(r"interface=\d+", "interface=999", text), encoding="utf-8")
    from tfngen.cache import import_package

    with pytest.raises(ImportError, match=r"runtime interface 999.*build it again"):
        import_package(other)


def test_an_operator_whose_package_is_not_imported_says_so(tfn_l1):
    import torch

    tfn_l1.spherical_harmonics(torch.zeros(1, 3))
    with pytest.raises(RuntimeError, match=r"'nobody-000' are not loaded; import the generated package"):
        torch.ops.tfngen.spherical_harmonics("nobody-000", 4, torch.zeros(1, 3))
