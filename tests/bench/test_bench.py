"""The benchmarks measure what they say, fairly; no test here depends on how fast anything is."""

from __future__ import annotations

import json

import pytest

from tfngen import cli
from tfngen.bench import ceiling, product, timing


def test_contenders_take_turns_and_warm_up_uncounted():
    calls: list[str] = []
    timings = timing.interleave(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup=1
    )
    assert calls == ["a", "b"] * 4
    assert {name: len(each.seconds) for name, each in timings.items()} == {"a": 3, "b": 3}


def test_a_timing_is_summed_up_by_its_median():
    assert timing.Timing((1.0, 9.0, 2.0)).median == 2.0
    assert timing.Timing((1.0, 9.0, 2.0)).best == 1.0


def test_a_ceiling_is_whatever_limits_more():
    machine = ceiling.Ceiling(flops=100.0, bandwidth=10.0)
    assert machine.seconds(flops=200, bytes_=10) == 2.0
    assert machine.seconds(flops=200, bytes_=50) == 5.0


def test_ceilings_come_from_the_probes_best_rounds():
    found = ceiling.ceiling({"sgemm": timing.Timing((1.0, 2.0)), "read": timing.Timing((4.0, 0.5))})
    assert found.flops == 2 * ceiling.MATRIX["cpu"] ** 3
    assert found.bandwidth == 2 * ceiling.READ_BYTES["cpu"]


def test_the_bytes_of_a_workload_are_counted_once(tfn_l1):
    """l ≤ 1, C channels: filters 4, inputs 4 C; per path C weights and (2l_O+1) C outputs."""
    workload = product.Workload(tfn_l1, edges=10, channels=3)
    outputs = sum(2 * path[2] + 1 for path in tfn_l1.PATHS)
    assert workload.bytes == 4 * 10 * (4 + 4 * 3 + 5 * 3 + outputs * 3)


def test_the_two_contenders_are_checked_to_agree(tfn_l1, monkeypatch):
    workload = product.Workload(tfn_l1, edges=5, channels=2)
    rows, top = product.measure(workload, rounds=1, progress=lambda *_: None)
    assert [(row.mode, row.contender) for row in rows] == [
        ("forward", "tfngen"), ("forward", "e3nn"), ("gradient", "tfngen"), ("gradient", "e3nn"),
    ]  # fmt: skip
    json.dumps(product.as_json(rows, top, workload))

    right = product._products
    monkeypatch.setattr(product, "_products", lambda *given: [2 * each for each in right(*given)])
    with pytest.raises(AssertionError, match="differ"):
        product.measure(workload, rounds=1, progress=lambda *_: None)


def test_the_commands_print_a_table_and_write_json(tfn_l1, tmp_path, monkeypatch, capsys):
    from pathlib import Path

    package = str(Path(tfn_l1.__file__).parent)
    file = tmp_path / "made" / "product.json"
    arguments = ["--package", package, "--rounds", "1", "--json", str(file)]
    monkeypatch.setattr(
        "sys.argv", ["tfngen", "bench", "product", "--edges", "4", "--channels", "2", *arguments]
    )
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    assert [row["contender"] for row in json.loads(file.read_text())["rows"]] == ["tfngen", "e3nn"] * 2
    monkeypatch.setattr("sys.argv", ["tfngen", "bench", "startup", *arguments])
    with pytest.raises(SystemExit):
        cli.main()
    assert json.loads(file.read_text()).keys() >= {"import_package", "first_call_cached"}


def test_compiling_is_measured_in_processes_of_its_own(tfn_l1):
    """Each path's kernels are in the cache that the second process finds."""
    from pathlib import Path

    from tfngen.bench import compiling
    from tfngen.bench.workloads import Workload

    workload = Workload("tiny", "2x0e+2x1o", "0e+1o", "0e+1o", 3, 2)
    steps = []
    package = Path(tfn_l1.__file__).parent
    found = compiling.measure(package, workload, lambda *each: steps.append(each))
    assert found.paths == 4
    assert min(found.forward_compiling, found.forward_cached, found.double_backward_cached) > 0
    assert steps[-1] == ("measure", 2, 2)
