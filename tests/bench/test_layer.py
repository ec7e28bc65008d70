"""Whole layers: what is timed computes the same, and the command prints and writes it."""

import json
from pathlib import Path

import pytest
import torch

from tfngen import Features, cli
from tfngen.bench import layer
from tfngen.bench.workloads import WORKLOADS, Workload, build_graph

TINY = Workload("tiny", "3x0e+2x1o", "0e+1o", "0e+1o+1e", 4, 3)


@pytest.mark.parametrize("mode", layer.MODES)
@pytest.mark.parametrize(
    "workload", [TINY, Workload("molecule", "2x0e+2x1o", "0e+1o", "0e+1o", 5, 4, "molecule")]
)
def test_contenders_compute_the_same(tfn_l1, mode, workload):
    graph, vectors = build_graph(workload)
    layers = layer._layers(workload, tfn_l1, ["e3nn"], hidden=6)
    generator = torch.Generator().manual_seed(0)
    features = Features(
        {
            irrep: torch.randn(graph.num_nodes, channels, irrep.dim, generator=generator).requires_grad_()
            for channels, irrep in layers["tfngen"].irreps_in
        }
    )
    found = {name: layer._step(mode, each, graph, vectors, features)() for name, each in layers.items()}
    assert list(found) == ["tfngen", layer.BY_TORCH, "e3nn"]
    assert any(each.abs().max() > 0.1 for each in found["tfngen"])
    for name in (layer.BY_TORCH, "e3nn"):
        for one, other in zip(found["tfngen"], found[name], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * one.abs().max().item())


def test_the_command_prints_a_table_and_writes_json(tfn_l1, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(WORKLOADS, "tiny", TINY)
    file, package = tmp_path / "layer.json", str(Path(tfn_l1.__file__).parent)
    arguments = ["--workload", "tiny", "--hidden", "5", "--rounds", "1", "--package", package]
    monkeypatch.setattr("sys.argv", ["tfngen", "bench", "layer", *arguments, "--json", str(file)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    found = json.loads(file.read_text())
    assert (found["edges"], found["weights"], found["hidden"]) == (12, 12, 5)
    contenders = [(row["mode"], row["contender"]) for row in found["rows"]]
    assert contenders == [(m, each) for m in layer.MODES for each in ("tfngen", layer.BY_TORCH, "e3nn")]
    assert all(row["milliseconds"] > 0 for row in found["rows"])
    assert "weights by torch" in capsys.readouterr().out


def test_a_peer_that_is_not_known_is_refused(tfn_l1):
    with pytest.raises(ValueError, match="peers: got numpy; it must be e3nn or none"):
        layer.measure(TINY, None, ["numpy"], 4, 1, lambda *_: None)
