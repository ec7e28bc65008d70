"""Whole layers: what is timed computes the same, and the command prints and writes it."""

import json
from pathlib import Path

import pytest

from tfngen import cli
from tfngen.bench import layer, layer_problem
from tfngen.bench.layer_problem import BY_TORCH, E3NN, TFNGEN
from tfngen.bench.peers import Contender
from tfngen.bench.turns import Effort
from tfngen.bench.workloads import Workload, find

RANDOM = Workload("tiny", "3x0e+2x1o", "0e+1o", "0e+1o+1e", 4, 3)
IN_PAIRS = Workload("molecule", "2x0e+2x1o", "0e+1o", "0e+1o", 5, 4, "molecule")


@pytest.mark.parametrize("workload", [RANDOM, IN_PAIRS], ids=lambda each: each.name)
def test_contenders_compute_the_same(tfn_l1, workload):
    prepared = {
        name: layer_problem.prepared(layer_problem.layer(name, workload, tfn_l1, hidden=6), workload)
        for name in (TFNGEN, BY_TORCH, E3NN)
    }
    for mode in layer.MODES:
        found = {name: each.sample(mode, each.run[mode]()) for name, each in prepared.items()}
        assert max(abs(each).max() for each in found[TFNGEN]) > 0.1
        for name in (BY_TORCH, E3NN):
            assert len(found[name]) == len(found[TFNGEN])
            for one, other in zip(found[TFNGEN], found[name], strict=True):
                assert one.shape == other.shape
                assert abs(one - other).max() <= 1e-4 * abs(one).max()


def test_the_command_prints_a_table_and_writes_json(tfn_l1, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(layer, "MODES", ("forward",))  # of three, each of which takes seconds
    file, package = tmp_path / "layer.json", str(Path(tfn_l1.__file__).parent)
    arguments = ["--workload", "size-1e3", "--hidden", "5", "--rounds", "1", "--seconds", "0"]
    arguments += ["--package", package, "--peers", "torch", "--json", str(file)]
    monkeypatch.setattr("sys.argv", ["tfngen", "bench", "layer", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    (run,) = json.loads(file.read_text())["runs"]
    assert run["about"] == "a layer with 5 hidden units, 1,000 edges"
    contenders = [(row["mode"], row["contender"]) for row in run["rows"]]
    assert contenders == [(mode, each) for mode in layer.MODES for each in (TFNGEN, BY_TORCH)]
    assert not any(row["reason"] for row in run["rows"])
    assert "weights by torch" in capsys.readouterr().out


def test_a_peer_that_is_not_installed_is_listed_with_the_reason(tfn_l1, monkeypatch):
    nobody = Contender("nobody", "nobody", "tfngen.bench.layer_problem", ("not_a_module",))
    monkeypatch.setattr(layer, "CONTENDERS", (layer.CONTENDERS[0], nobody))
    monkeypatch.setattr(layer, "MODES", ("forward",))
    package = str(Path(tfn_l1.__file__).parent)
    (run,) = layer.run(find(["size-1e3"]), 5, package, None, ["default"], Effort(1, 0))
    ours, missing = run["rows"]
    assert ours["milliseconds"] > 0
    assert "not_a_module" in missing["reason"]
