"""A convolution's first call compiles its kernels in several processes, and does without them if it must."""

from __future__ import annotations

import io
import logging
import sys

import pytest
import torch

from tfngen import Features, Graph
from tfngen.build import build
from tfngen.cache import import_package
from tfngen.forms import FORM
from tfngen.runtime import compiling, registry
from tfngen.runtime.compiling import PROCESSES, Request, compile_together, divided
from tfngen.runtime.cpu import convolve
from tfngen.spec import BuildSpec

PATHS = 5
"""Those of a package for degrees up to 1."""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """With nothing compiled, in a process that may start two others and forgets packages that are alike."""
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.setattr(convolve, "START", 100)
    monkeypatch.setattr(registry, "_homes", registry._homes.copy())
    monkeypatch.setattr(registry, "_modules", {})
    convolve._launch.cache_clear()
    yield import_package(build(BuildSpec(1), tmp_path).written.folder)
    convolve._launch.cache_clear()


IRREPS = "2x0e+2x1e", "0e+1e", "0e+1e"


def convolved(package):
    """The kernels of a convolution that has been called."""
    convolution = package.Convolution(*IRREPS)
    graph = Graph.complete(3)
    torch.manual_seed(0)
    features = Features({irrep: torch.randn(3, count, irrep.dim) for count, irrep in convolution.irreps_in})
    found = convolution(graph, torch.randn(6, 4), features, torch.randn(6, convolution.weight_numel))
    assert all(each.isfinite().all() for each in found.values())
    plan = tuple(convolution._numbers)
    return convolve.fitted_kernels(package._package.fingerprint, FORM["output"], plan, torch.float32)


def misses(kernels):
    """How many this process has compiled."""
    return sum(sum(each.compile().stats.cache_misses.values()) for each in kernels)


def test_kernels_come_from_other_processes(package, caplog):
    with caplog.at_level(logging.INFO, "tfngen"):
        kernels = convolved(package)
    assert len(kernels) == PATHS
    assert misses(kernels) == 0
    assert [each.message for each in caplog.records] == ["compiling 5 kernels in 2 processes"]
    assert not any(each.is_missing for each in kernels)


def test_few_kernels_are_compiled_where_they_are_wanted(package, monkeypatch, caplog):
    monkeypatch.setattr(convolve, "START", 20_000)
    with caplog.at_level(logging.INFO, "tfngen"):
        assert misses(convolved(package)) == PATHS
    assert caplog.records == []


def test_processes_that_fail_are_done_without(package, tmp_path, monkeypatch, caplog):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    assert misses(convolved(package)) == PATHS
    said = [each.message for each in caplog.records]
    assert said == ["a process that compiles failed, so this one does: out of order"] * 2


@pytest.mark.parametrize("executable", ["", "/usr/bin/lammps"])
def test_a_python_inside_another_program_starts_none(package, executable, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", executable)
    with caplog.at_level(logging.INFO, "tfngen"):
        assert misses(convolved(package)) == PATHS
    assert caplog.records == []


def test_a_terminal_sees_how_far_it_is(package, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    convolved(package)
    steps = terminal.getvalue().split("\r")
    assert [each.rpartition(": ")[2] for each in steps[1:-1]] == [f"{done} are done" for done in range(6)]
    assert steps[-1] == "\033[K"


def test_kernels_for_gpus_come_from_other_processes_too(tmp_path, monkeypatch):
    from tfngen.runtime.cuda import compiled
    from tfngen.runtime.cuda.convolve import fitted_kernels

    monkeypatch.setenv(PROCESSES, "2")
    folder = build(BuildSpec(1, targets=("cuda",), dtypes=("float32",)), tmp_path).written.folder
    package, capability = import_package(folder), (9, 0)
    fingerprint = package._package.fingerprint
    plan = tuple(package.Convolution("3x0e+3x1e", "0e", "0e+1e")._numbers)
    kernels = fitted_kernels(fingerprint, FORM["output"], plan, torch.float32)
    request = Request(fingerprint, "cuda", "output", plan, "float32", capability=capability)
    compile_together(request, kernels, lambda kernel: compiled.is_missing(kernel, capability), start=100)
    monkeypatch.setattr(compiled, "assemble", None)  # nobody does it again
    assert len(kernels) == 2
    assert all(compiled.compiled(each, capability).image for each in kernels)


def test_shares_are_of_about_the_same_cost():
    costs = dict(enumerate((9, 1, 1, 1, 5, 4, 1)))
    shares = divided(costs, 3)
    assert sorted(place for share in shares for place in share) == list(range(7))
    assert max(sum(costs[place] for place in share) for share in shares) == 9
    assert divided(costs, 0) == []


def test_a_number_of_processes_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv(PROCESSES, "many")
    with pytest.raises(ValueError, match="TFNGEN_COMPILE_PROCESSES: got 'many'; it must be a number of proc"):
        compiling._processes()
