"""The command line as a person meets it: output, exit codes, and no tracebacks for a user's mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfngen import cli


def tfngen(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "tfngen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the command in this process: (exit code, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        from rich.console import Console

        from tfngen import console

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["tfngen", *arguments])
        monkeypatch.setattr(console, "out", Console(width=console.PIPE_WIDTH))
        monkeypatch.setattr(console, "err", Console(stderr=True))
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


COMMANDS = (
    ("build",),
    ("check",),
    ("paths",),
    ("coefficients", "cg"),
    ("coefficients", "sh"),
    ("show",),
    ("run", "tetris"),
    ("run", "gravity"),
    ("run", "inertia"),
    ("run", "missing-atom"),
    ("run", "missing-atom-summary"),
    ("plot", "harmonics"),
    ("plot", "filters"),
    ("plot", "couplings"),
    ("plot", "bench"),
    ("bench", "conv"),
    ("bench", "sh"),
    ("bench", "small"),
    ("bench", "product"),
    ("bench", "startup"),
    ("bench", "compile"),
    ("bench", "training"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(run, command):
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Example" in out
    assert f"tfngen {' '.join(command)}" in out.replace("\n", " ")


def test_build_says_what_it_did_and_again_that_there_was_nothing_to_do(run, tmp_path):
    code, out, _ = run("build", "--lmax", "1", "--out", "made")
    assert code == 0
    for word in ("paths", "nonzeros", "operations", "files", "seconds"):
        assert word in out
    assert "40 written, 0 unchanged" in out
    _, again, _ = run("build", "--lmax", "1", "--out", "made")
    assert "0 written, 40 unchanged" in again
    assert run("check", "made/tfn_l1")[0] == 0


def test_check_exits_with_1_and_names_the_difference(run, tmp_path):
    run("build", "--lmax", "0")
    file = tmp_path / "generated/tfn_l0/cpu/float32/path_0_0_0.py"
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    code, _, err = run("check", "generated/tfn_l0")
    assert code == 1
    assert err.startswith("cpu/float32/path_0_0_0.py: differs")


def test_build_options_reach_the_package(run, tmp_path):
    code, _, _ = run(
        "build", "--lmax", "0", "--dtype", "float64", "--name", "mine", "--normalization", "norm",
        "--strategy", "direct", "--channels", "8", "--target", "all",
    )  # fmt: skip
    assert code == 0
    spec = json.loads((tmp_path / "generated/mine/manifest.json").read_text())["spec"]
    assert spec == {
        "lmax": 0,
        "targets": ["cpu", "cuda"],
        "dtypes": ["float64"],
        "normalization": "norm",
        "name": "mine",
        "strategy": "direct",
        "channels": 8,
    }


MODEL = """
dtype = "float32"
[convolutions.only]
irreps_in = "8x0e+4x1o"
irreps_filter = "0e+1o"
irreps_out = "0e"
"""
IRREPS = ("--irreps-in", "8x0e+4x1o", "--irreps-filter", "0e+1o", "--irreps-out", "0e")


def test_a_package_for_a_models_irreps(run, tmp_path):
    code, out, _ = run("build", *IRREPS, "--name", "mine", "--dtype", "float32")
    assert code == 0
    assert "2 for interaction" in out
    spec = json.loads((tmp_path / "generated/mine/manifest.json").read_text())["spec"]
    assert spec["convolutions"] == {
        "interaction": {"irreps_in": "8x0e+4x1o", "irreps_filter": "0e+1o", "irreps_out": "0e"}
    }
    assert "channels" not in spec
    assert "0 written" in run("build", *IRREPS, "--name", "mine", "--dtype", "float32")[1]
    assert run("check", "generated/mine")[0] == 0


def test_a_package_from_a_file(run, tmp_path):
    (tmp_path / "model.toml").write_text(MODEL)
    code, out, _ = run("build", "--config", "model.toml", "--name", "mine", "--normalization", "norm")
    assert code == 0
    assert "2 for only" in out
    spec = json.loads((tmp_path / "generated/mine/manifest.json").read_text())["spec"]
    assert (spec["dtypes"], spec["normalization"], spec["lmax"]) == (["float32"], "norm", 1)


def test_a_mistake_in_a_file_is_exit_code_2_and_nothing_is_written(run, tmp_path):
    (tmp_path / "model.toml").write_text(MODEL.replace('irreps_out = "0e"', 'irreps_out = "0o"'))
    code, _, err = run("build", "--config", "model.toml")
    assert code == 2
    assert "convolutions.only.irreps_out: no path leads" in err
    (tmp_path / "model.toml").write_text(MODEL)
    code, _, err = run("build", "--config", "model.toml", "--dtype", "float64")
    assert code == 2
    assert "dtypes: got ('float64',), but model.toml says ('float32',)" in err
    assert [each.name for each in tmp_path.iterdir()] == ["model.toml"]


MISTAKES = (
    (("build", "--irreps-in", "8x0e"), "irreps_filter: missing"),
    (("build", *IRREPS[:-1], "3e"), "irreps_out: no path leads"),
    (("build", *IRREPS, "--lmax", "3"), "lmax: got 3 beside convolutions"),
    (("build", *IRREPS, "--channels", "64"), "channels: got 64 beside convolutions"),
    (("build", *IRREPS[:-1], "zero"), "irreps_out: cannot read 'zero'"),
    (("build", "--config", "nowhere.toml"), "config: nowhere.toml cannot be read"),
    (("build", "--lmax", "-1"), "lmax: got -1; it must be an integer from 0 to 12"),
    (("build", "--lmax", "13"), "lmax: got 13"),
    (("build", "--lmax", "three"), "--lmax"),
    (("build", "--target", "tpu"), "--target"),
    (("build", "--dtype", "float16"), "--dtype"),
    (("build", "--normalization", "none"), "--normalization"),
    (("build", "--name", "not a name"), "name: got 'not a name'"),
    (("build", "--channels", "0"), "channels: got 0"),
    (("check", "nowhere"), "nowhere is not a tfngen package"),
    (("paths", "--lmax", "99"), "lmax: got 99"),
    (("coefficients", "cg", "1", "1"), "give three"),
    (("coefficients", "cg", "1", "1", "5"), "5"),
    (("coefficients", "cg", "1", "one", "1"), "degrees: got 'one'"),
    (("coefficients", "cg", "--complex", "1/3", "1", "1"), "1/3"),
    (("coefficients", "sh", "13"), "13"),
    (("show", "1", "1", "3"), "path: got (1, 1, 3)"),
    (("show", "1", "1", "1", "--role", "input"), "--role"),
    (("plot", "couplings", "1", "1"), "give three"),
    (("plot", "harmonics", "--out", "picture.txt"), "txt"),
    (("nonsense",), "nonsense"),
    (("build", "--nonsense"), "nonsense"),
)


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda each: " ".join(each)[:40])
def test_a_mistake_is_one_message_and_exit_code_2(run, tmp_path, arguments, message):
    code, out, err = run(*arguments)
    assert code == 2
    assert message in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_ours_is_never_overwritten(run, tmp_path):
    theirs = tmp_path / "generated" / "tfn_l0"
    theirs.mkdir(parents=True)
    (theirs / "precious.txt").write_text("keep")
    code, _, err = run("build", "--lmax", "0")
    assert code == 2
    assert "nothing was overwritten" in err
    assert [each.name for each in theirs.iterdir()] == ["precious.txt"]


def test_a_folder_that_cannot_be_written_to(run, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    code, _, err = run("build", "--lmax", "0")
    assert code == 2
    assert "cannot be written to" in err


@pytest.mark.parametrize("delay", [0.05, 0.6, 1.0])
def test_an_interrupted_build_leaves_nothing_half_written(tmp_path, delay):
    process = subprocess.Popen(
        [sys.executable, "-m", "tfngen", "build", "--lmax", "3"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    process.communicate()
    package = tmp_path / "generated" / "tfn_l3"
    if package.exists():  # it was quicker than the signal
        from tfngen.check import check

        assert list(check(package)) == []
    leftovers = [each for each in tmp_path.glob("generated/*") if each != package]
    assert leftovers == []


def test_paths_as_a_table_and_as_json(run):
    code, out, _ = run("paths", "--lmax", "1")
    assert code == 0
    assert "(1, 1, 1)" in out
    assert "387 coupling" in out
    rows = json.loads(run("paths", "--lmax", "1", "--json")[1])
    assert [row["path"] for row in rows] == [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
    assert rows[-1]["parity"] == "odd"
    assert rows[-1]["nonzeros"] == 6
    assert rows[-1]["output"] == {"strategy": "coupling", "flops": 387, "plain_flops": 672}


def test_coefficients_as_text_latex_and_json(run):
    assert "√(2/3)" in run("coefficients", "cg", "1", "1", "2")[1]
    assert "-√(3/4)" in run("coefficients", "cg", "--complex", "3/2", "1/2", "1")[1]
    assert r"\sqrt{15}" in run("coefficients", "sh", "2", "--latex")[1]
    rows = json.loads(run("coefficients", "cg", "1", "1", "0", "--json")[1])["rows"]
    assert [row["value"] for row in rows] == [[1, 1, 3]] * 3
    assert "√(1/3)" in run("coefficients", "cg", "1", "1", "0")[1]


def test_show_prints_the_kernel_and_nothing_else(run):
    code, out, _ = run("show", "1", "1", "1", "--role", "output")
    assert code == 0
    assert out.startswith("@kernel\ndef output(")
    assert out.count("def ") == 1
    assert "output_x = weight * (" in out
    everything = run("show", "1", "1", "1")[1]
    assert everything.count("def ") == 4
    compile(everything, "shown", "exec")


def test_the_module_runs_as_a_command():
    result = tfngen("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("tfngen 0.")


def test_inertia_from_the_command_line(run, tmp_path):
    code, out, _ = run(
        "run", "inertia", "--steps", "120", "--validation", "5", "--no-picture", "--out", "made"
    )
    assert code == 0
    assert "Inertia, sets of 2 to 10" in out
    assert {file.name for file in (tmp_path / "made").iterdir()} == {"results.json", "weights.safetensors"}


def test_an_experiment_that_fails_exits_with_1(run):
    code, out, err = run("run", "gravity", "--steps", "3", "--validation", "2", "--no-picture")
    assert code == 1
    assert "Gravity" in out
    assert "published: the radial function is off by" in err


def test_weights_are_for_evaluation(run):
    code, _, err = run("run", "missing-atom", "--weights", "some.safetensors")
    assert code == 2
    assert "--evaluate" in err


def test_long_work_says_where_it_is_when_nobody_watches(capsys, monkeypatch):
    from tfngen import console

    monkeypatch.setattr(console, "QUIET_SECONDS", 0.0)
    with console.progress() as advance:
        advance("train", 5000, 31500)
    assert "train: 5,000 of 31,500" in capsys.readouterr().err
    monkeypatch.setattr(console, "QUIET_SECONDS", 60.0)
    with console.progress() as advance:
        advance("train", 5000, 31500)
    assert capsys.readouterr().err == ""
