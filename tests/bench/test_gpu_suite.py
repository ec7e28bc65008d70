"""The suite for GPUs, without one: which commands it runs and in which order, and what it leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tfngen.bench import gpu_suite, launching, operators
from tfngen.bench.workloads import SERIES, Workload


@pytest.fixture
def suite(monkeypatch, tmp_path):
    """Runs the suite with commands that do nothing; gives its exit status and the commands."""
    monkeypatch.setattr(gpu_suite, "machine", lambda: {"capability": "9.0"})

    def run(*options, statuses=()):
        commands = {}

        def logged(log, *command):
            commands[log.stem] = command
            return dict(statuses).get(log.stem, 0)

        monkeypatch.setattr(gpu_suite, "_logged", logged)
        return gpu_suite.main(["--out", str(tmp_path / "out"), *options]), commands

    return run


@pytest.fixture
def sanitizer(monkeypatch, tmp_path):
    """A program of the name compute-sanitizer, on PATH."""
    program = tmp_path / "bin" / "compute-sanitizer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return str(program)


def test_tests_come_first_and_then_each_workload_with_its_options(suite, tmp_path):
    data = tmp_path / "5dfr.npz"
    data.touch()
    status, commands = suite("--no-sanitize", "--data", str(data), "--peers", "e3nn,flashtp")
    assert status == 0
    others = [each for each in commands if "build" not in each and "operators" not in each]
    assert others == ["tests", "launch", "tfn-l3", *SERIES["gpu"]]
    assert commands["tests"][1:] == ("-m", "pytest", "tests/gpu", "-q", "-n", "auto", "--maxfail=10")
    options = commands["dhfr"][commands["dhfr"].index("bench") :]
    assert options[:4] == ("bench", "conv", "--workload", "dhfr")
    for name, value in {"--device": "cuda", "--peers": "e3nn,flashtp", "--data": str(data)}.items():
        assert options[options.index(name) + 1] == value


def test_workloads_of_the_same_irreps_share_a_package_that_is_compiled_first(suite, tmp_path):
    _, commands = suite("--no-sanitize")
    names = list(commands)
    first = names.index("build-mace-large")
    assert names[first : first + 3] == ["build-mace-large", "mace-large-operators", "mace-large"]
    assert "build-mace-mp-l-1" not in names
    built = commands["build-mace-large"]
    package = built[built.index("--out") + 1], built[built.index("--name") + 1]
    for workload in ("mace-large", "mace-mp-l-1"):
        command = commands[workload]
        assert command[command.index("--package") + 1] == "/".join(package)
    assert built[built.index("--irreps-in") + 1] == "128x0e+128x1o+128x2e"
    assert {"--precompile", "--capability", "9.0"} <= set(built)


def test_without_its_structure_a_workload_is_left_out_and_named(suite, capsys):
    _, commands = suite("--no-sanitize")
    assert "dhfr" not in commands
    assert "--data" not in commands["mace-large"]
    assert "left out: data: dhfr needs the protein" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="is not a file"):
        suite("--data", "nowhere.npz")


def test_some_tests_run_under_both_sanitizers(suite, sanitizer):
    status, commands = suite()
    assert status == 0
    assert list(commands)[:4] == ["tests", "memcheck", "racecheck", "launch"]
    for tool in ("memcheck", "racecheck"):
        command = commands[tool]
        assert command[command.index(sanitizer) + 1 :][:2] == ("--tool", tool)
        assert command[-2:] == ("-k", gpu_suite.SANITIZED)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({"tests": 1, "racecheck": 2}, 1),
        ({"racecheck": 2}, 2),
        ({"memcheck": gpu_suite.TIMED_OUT}, 0),
        ({"tfn-l3": 1}, 0),
    ],
)
def test_the_exit_status_is_that_of_the_tests_and_sanitizers(suite, sanitizer, statuses, expected):
    assert suite(statuses=statuses)[0] == expected


def test_where_there_is_no_sanitizer_a_line_says_so(suite, monkeypatch, capsys):
    monkeypatch.setattr(gpu_suite, "find_sanitizer", lambda: None)
    status, commands = suite()
    assert status == 0
    assert "memcheck" not in commands
    assert "compute-sanitizer: not found; it comes with the CUDA toolkit" in capsys.readouterr().out


def test_a_sanitizer_is_found_in_a_toolkit_and_in_a_package(sanitizer, monkeypatch, tmp_path):
    assert gpu_suite.find_sanitizer() == sanitizer
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert gpu_suite.find_sanitizer() == sanitizer
    monkeypatch.delenv("CUDA_HOME")
    packages = tmp_path / "site-packages"
    (packages / "nvidia").mkdir(parents=True)
    (tmp_path / "bin").rename(tmp_path / "moved")
    (packages / "nvidia" / "cu13").mkdir()
    (tmp_path / "moved").rename(packages / "nvidia" / "cu13" / "bin")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setattr(gpu_suite, "TOOLKIT", str(tmp_path / "none"))
    assert gpu_suite.find_sanitizer() == str(packages / "nvidia" / "cu13" / "bin" / "compute-sanitizer")


def test_what_is_run_is_shown_and_logged(tmp_path, capfd):
    command = gpu_suite._python("this")
    assert gpu_suite._logged(tmp_path / "this.log", *command) == 0
    assert "Beautiful is better than ugly." in (tmp_path / "this.log").read_text()
    assert "Beautiful is better than ugly." in capfd.readouterr().out


def test_what_a_call_costs_is_written(tfn_l3, tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "CALLS", 2)
    launching.main(["--device", "cpu", "--rounds", "1", "--json", str(tmp_path / "launch.json")])
    rows = json.loads((tmp_path / "launch.json").read_text())["rows"]
    assert len(rows) == 1 + 3 * len(launching.CASES)
    assert min(row["microseconds"] for row in rows) > 0


def test_operators_are_timed_one_by_one(tfn_l1, tmp_path, monkeypatch):
    """On a processor there are no launches to tell apart."""
    little = Workload("little", "2x0e", "0e", "0e", nodes=4, neighbors=2)
    monkeypatch.setattr(operators, "find", lambda names, data: [little])
    package, file = Path(tfn_l1.__file__).parent, tmp_path / "operators.json"
    operators.main(["--package", str(package), "--device", "cpu", "--calls", "1", "--json", str(file)])
    rows = json.loads(file.read_text())["rows"]
    assert [row["operator"] for row in rows] == list(operators.OPERATORS)
    assert all(row["milliseconds"] > 0 and row["kernels"] == [] for row in rows)


def test_kernels_of_a_sequence_are_timed_one_by_one(monkeypatch):
    """With a driver that takes notes, and events that take none."""
    from tfngen.runtime.cuda import driver, run
    from tfngen.runtime.cuda.kernel import Size, kernel
    from tfngen.runtime.cuda.sequence import LaunchSequence, Step

    @kernel
    def example(count: Size):
        """Never run."""

    launched = []
    monkeypatch.setattr(driver, "launch", lambda sequence, *rest: launched.append((sequence.steps, *rest)))
    monkeypatch.setattr(run, "SIMULATED", False)
    event = SimpleNamespace(record=lambda: None, elapsed_time=lambda end: 0.25)
    monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    steps, device = (Step(example, 2, 64), Step(example, 3, 32)), torch.device("cuda", 0)
    together = LaunchSequence(steps, example.arguments)
    rows = operators._kernels(lambda: run.run_all(together, 5, iter([7]), device), calls=2)
    assert launched == 2 * [((step,), 5, [7], device) for step in steps]
    assert [row["launch"] for row in rows] == ["5 × 2 blocks of 64 threads", "5 × 3 blocks of 32 threads"]
    assert {(row["kernel"], row["pairs"], row["milliseconds"]) for row in rows} == {
        ("test_gpu_suite.example", False, 0.25)
    }
