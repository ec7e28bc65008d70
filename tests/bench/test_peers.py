"""Whoever is compared computes the same thing, in processes of their own; nobody is left out silently."""

from __future__ import annotations

import dataclasses
import json
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tfngen.bench import allocator, convolution, harmonics, peers, problem, tables, turns
from tfngen.bench.peers import CONVOLUTIONS, CONVOLUTIONS_ON_GPUS, HARMONICS, TFNGEN, Contender
from tfngen.bench.turns import Effort
from tfngen.bench.workloads import WORKLOADS, Workload

TINY = Workload(
    "tiny", "3x0e+2x1o", "0e+1o", "0e+1o+1e", 4, 3, modes=("forward", "gradient", "forces", "training")
)
EFFORT = Effort(rounds=1, seconds=0.0)
TOLERANCE = 1e-5  # float32 sums of a few terms


def prepared(contender: Contender, kernels, workload: Workload = TINY):
    from importlib import import_module

    if reason := peers.not_installed(contender):
        pytest.skip(reason)
    return import_module(contender.module).convolution(problem.draw(workload, kernels), contender.compiled)


@pytest.mark.parametrize("mode", TINY.modes)
@pytest.mark.parametrize(
    "contender", [each for each in CONVOLUTIONS[1:] if not each.compiled], ids=lambda each: each.name
)
def test_peers_compute_the_same_convolution_and_derivatives(tfn_l1, contender, mode):
    check_same(prepared(contender, tfn_l1), prepared(TFNGEN, tfn_l1), mode)


def check_same(theirs, ours, mode):
    wanted = ours.sample(mode, ours.run[mode]())
    found = theirs.sample(mode, theirs.run[mode]())
    assert len(found) == len(wanted) == {"forward": 1, "gradient": 3, "forces": 2, "training": 2}[mode]
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < TOLERANCE * np.abs(other).max()


@pytest.mark.parametrize("mode", TINY.modes)
def test_cartesian_tensors_compute_the_same_too(tfn_l3, mode):
    """FlashCart has kernels for GPUs, and on a processor what torch makes of the same products."""
    (flashcart,) = (each for each in CONVOLUTIONS_ON_GPUS if each.name == "flashcart")
    workload = Workload("tiny", "2x0e+2x1o+2x2e", "0e+1o+2e+3o", "0e+1o+2e+3o", 5, 4, modes=TINY.modes)
    check_same(prepared(flashcart, tfn_l3, workload), prepared(TFNGEN, tfn_l3, workload), mode)


def test_training_differentiates_the_forces(tfn_l1):
    """The weights' gradient of Σ target · (−∂E/∂r), against a difference quotient in their own direction."""
    import torch

    drawn = problem.draw(TINY, tfn_l1)
    ours = CONVOLUTIONS[0]
    direction = torch.randn(drawn.weights.shape, generator=torch.Generator().manual_seed(4))

    def loss(step: float) -> float:
        moved = dataclasses.replace(drawn, weights=(drawn.weights + step * direction).detach())
        there = _prepare(ours, moved)
        (out,) = there.sample("forward", there.run["forward"]())
        # ½ Σ cotangent · out² has the slope of Σ (cotangent · out) · out with the first out fixed.
        linear = dataclasses.replace(moved, cotangent=drawn.cotangent * torch.from_numpy(out))
        return float((_prepare(ours, linear).run["forces"]()[0] * drawn.target).sum())

    by_weights = _prepare(ours, drawn).run["training"]()[-1]
    # E is quadratic in the weights, so the central difference is exact but for float32 rounding.
    assert (loss(0.5) - loss(-0.5)) == pytest.approx(float((by_weights * direction).sum()), rel=1e-3)


def _prepare(contender: Contender, drawn):
    from tfngen.bench.peers import ours

    detached = {
        name: getattr(drawn, name).detach().clone()
        for name in ("vectors", "features", "weights", "cotangent", "target")
    }
    return ours.convolution(dataclasses.replace(drawn, **detached), contender.compiled)


@pytest.mark.parametrize("contender", HARMONICS[1:], ids=lambda each: each.name)
def test_peers_compute_the_same_harmonics(tfn_l2, contender):
    from importlib import import_module

    from tfngen.bench.harmonics_problem import draw
    from tfngen.bench.peers import ours

    if reason := peers.not_installed(contender):
        pytest.skip(reason)
    theirs = import_module(contender.module).harmonics(draw(2, 10, tfn_l2), False)
    mine = ours.harmonics(draw(2, 10, tfn_l2), False)
    for mode in ("values", "gradient"):
        (found,), (wanted,) = theirs.sample(mode, theirs.run[mode]()), mine.sample(mode, mine.run[mode]())
        assert np.abs(found - wanted).max() < TOLERANCE * np.abs(wanted).max()
    if "jacobian" in theirs.run:
        import torch

        drawn = draw(2, 10, tfn_l2)
        _, slopes = theirs.sample("jacobian", theirs.run["jacobian"]())
        wanted = torch.autograd.functional.jacobian(
            lambda r: tfn_l2.spherical_harmonics(r).sum(0), drawn.vectors
        )  # (components, points, axes)
        assert np.abs(slopes - wanted.permute(1, 2, 0).numpy()).max() < TOLERANCE * np.abs(slopes).max()


def test_an_unknown_peer_or_setting_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="peers: got 'e4nn'; it must be among trace, e3nn, cue"):
        peers.choose(CONVOLUTIONS, ["e3nn", "e4nn"])
    with pytest.raises(ValueError, match="allocator: got 'mine'; it must be one of default, kept"):
        allocator.check_settings(["mine"])
    assert [each.name for each in peers.choose(CONVOLUTIONS, [])] == ["tfngen"]
    assert [each.name for each in peers.choose(CONVOLUTIONS, ["e3nn"])] == ["tfngen", "e3nn", "e3nn compiled"]
    eager = peers.choose(CONVOLUTIONS, ["e3nn"], compiled=False)
    assert [each.name for each in eager] == ["tfngen", "e3nn"]


def test_peers_on_gpus_have_names():
    named = ["cuequivariance", "openequivariance", "lunaequivariance", "flashtp", "flashcart"]
    assert [each.name for each in peers.choose(CONVOLUTIONS_ON_GPUS, named)] == ["tfngen", *named]


def test_peers_say_what_they_cannot_do(tfn_l3):
    """Before they are imported: irreps are enough to tell."""
    from tfngen.bench.peers import flashcart, flashtp

    drawn = problem.draw(TINY, tfn_l3)
    with pytest.raises(ValueError, match=r"FlashTP takes channels in multiples of 32; .* are 3x0e\+2x1o"):
        flashtp.convolution(drawn, compiled=False)
    with pytest.raises(ValueError, match=r"FlashCart has irreps 0e\+1o\+2e.* are 3x0e\+2x1o, 0e\+1o, "):
        flashcart.convolution(drawn, compiled=False)
    fitting = ["mace-large", "flashtp-nequip", "mace-mp-l-0", "mace-mp-l-1", "dhfr"]
    widths = [flashcart._check(problem.convolution_of(WORKLOADS[name], tfn_l3)) for name in fitting]
    assert widths == [128, 32, 128, 128, 128]


def test_cuequivariance_without_its_kernels_is_no_peer_on_a_gpu(tfn_l3):
    """It would take its slow method and warn: that is not what people use there."""
    pytest.importorskip("cuequivariance_torch")
    from tfngen.bench.peers import cuequivariance

    if find_spec("cuequivariance_ops_torch") is not None:
        pytest.skip("its kernels are installed")
    drawn = problem.draw(TINY, tfn_l3)
    with pytest.raises(UserWarning, match="Falling back to naive"):
        cuequivariance.convolution(
            dataclasses.replace(drawn, vectors=drawn.vectors.to("meta")), compiled=False
        )


def test_cuequivariance_has_uniform_channels_on_a_gpu_and_the_same_numbers():
    """Its kernels take parts of one width; memory is laid out as before."""
    cue = pytest.importorskip("cuequivariance")
    multiply = pytest.importorskip("cuequivariance_torch").SegmentedPolynomial
    from tfngen.bench.peers import cuequivariance

    mixed, filters = (cue.Irreps("O3", each) for each in ("8x0e+4x1e+6x2e", "0e+1e"))
    whole = cue.descriptors.channelwise_tensor_product(mixed, filters, [cue.O3(l, 1) for l in range(3)])
    uniform = cuequivariance._uniform(whole.polynomial, SimpleNamespace(irreps_in=[(8, 0), (4, 1), (6, 2)]))
    assert all(each.all_same_segment_shape() for each in uniform.squeeze_modes().operands)
    given = [torch.randn(3, each.size) for each in whole.polynomial.inputs]
    one, other = (multiply(each, method="naive")(given) for each in (whole.polynomial, uniform))
    torch.testing.assert_close(one, other)


def test_coefficients_of_a_peer_are_ours_times_a_number(tfn_l1):
    from tfngen.irreps import Path

    ours = problem.coefficients(tfn_l1, Path(1, 1, 1))
    assert ours.shape == (3, 3, 3)
    assert peers.ratio("Peer", (1, 1, 1), -2 * ours, ours) == pytest.approx(-2)
    with pytest.raises(ValueError, match=r"path \(1, 1, 1\): Peer's coefficients are not tfngen's times"):
        peers.ratio("Peer", (1, 1, 1), ours + 1, ours)


def test_samples_that_differ_are_told_apart(tmp_path):
    wanted = np.arange(6.0).reshape(2, 3)
    for name, value in {
        "same": wanted,
        "twice": 2 * wanted,
        "nan": wanted * np.nan,
        "short": wanted[1:],
    }.items():
        np.savez(tmp_path / f"{name}.npz", value)
    against = {
        name: turns.disagreement(tmp_path / "same.npz", tmp_path / f"{name}.npz", 1e-4)
        for name in ("same", "twice", "nan", "short")
    }
    assert against["same"] == ""
    assert "by 1.0e+00" in against["twice"]
    assert "by nan" in against["nan"]
    assert "shape (1, 3) instead of (2, 3)" in against["short"]


def test_a_run_has_a_row_for_everybody_and_survives_json(tfn_l1, monkeypatch):
    from pathlib import Path

    absent = Contender("absent", "absent", "nowhere", ("no_such_module",))
    broken = Contender("broken", "broken", "tfngen.bench.nowhere", ())
    monkeypatch.setattr(peers, "CONVOLUTIONS", (TFNGEN, absent, broken))
    workload = dataclasses.replace(TINY, modes=("forward", "training"))
    package = Path(tfn_l1.__file__).parent
    (run,) = convolution.run([workload], package, settings=["kept"], effort=EFFORT)
    rows = {(row["mode"], row["contender"]): row for row in run["rows"]}
    assert rows.keys() == {(m, c) for m in workload.modes for c in ("tfngen", "absent", "broken")}
    assert rows["forward", "absent"]["reason"] == "not installed: no_such_module"
    assert "No module named 'tfngen.bench.nowhere'" in rows["training", "broken"]["reason"]
    ours = rows["training", "tfngen"]
    assert ours["calls"] == 1
    assert ours["tfngen_times_faster"] == 1.0
    least = run["work"]["training"]
    assert ours["gflops"] == pytest.approx(least["flops"] / ours["milliseconds"] / 1e6)
    assert ours["percent_of_ceiling"] == pytest.approx(100 * least["ceiling_ms"] / ours["milliseconds"])
    if sys.platform == "linux":
        assert ours["peak_bytes"] > 0
    assert json.loads(json.dumps(run)) == {**run, "modes": list(run["modes"])}

    table = tables.table(run)
    assert table.row_count == len(run["rows"])
    assert [line.partition(":")[0] for line in tables.reasons(run)] == ["absent", "broken"]
    assert tables.disagreements(run) == []


def test_a_structure_reaches_the_processes(tfn_l1, tmp_path):
    from pathlib import Path

    np.savez(tmp_path / "two.npz", z=np.array([1, 1]), pos=np.array([[0.0, 0, 0], [0, 0, 3]]))
    data = str(tmp_path / "two.npz")
    two = Workload("two", "2x0e", "0e+1o", "0e", 2, 1, "structure", ("forward",), data)
    (run,) = convolution.run(
        [two], Path(tfn_l1.__file__).parent, chosen=[], settings=["default"], effort=EFFORT
    )  # fmt: skip
    assert [row["reason"] for row in run["rows"]] == [""]
    assert (run["edges"], run["data"]) == (2, data)


def test_a_child_that_dies_or_is_slow_gives_its_reason(tmp_path, monkeypatch):
    def child(script: str, patience: float) -> allocator.Child:
        interpreter = tmp_path / "python"
        interpreter.write_text(f"#!/bin/sh\n{script}\n")
        interpreter.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(interpreter))
        return allocator.Child({"kind": "machine"}, "default", patience, tmp_path)

    dead = child("echo out of luck >&2; exit 3", patience=20)
    assert dead.reason == "ended with 3: out of luck"
    assert dead.turn("forward") == {"reason": dead.reason}
    slow = child("exec sleep 60", patience=0.2)
    assert slow.reason == "gave up: no answer within 0.2 s"
    for each in (dead, slow):
        each.close()


def test_the_settings_reach_the_child_and_nothing_is_inherited(monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "7")
    assert "MALLOC_MMAP_MAX_" not in allocator._environment("default")
    assert allocator._environment("kept")["MALLOC_MMAP_MAX_"] == "0"


def test_peak_memory_counts_what_a_call_held():
    from tfngen.bench.meter import meter

    size = 64 * 2**20
    found = meter("cpu").peak_memory(lambda: bytearray(b"x") * size)
    if found is None:
        pytest.skip("this system does not reset its high-water mark")
    # Pages are all it can be off by; other threads of this process hold a few MB at most.
    assert 0.9 * size < found < 1.5 * size


def test_harmonics_give_rows_and_pictures(tfn_l1, tmp_path):
    from pathlib import Path

    from tfngen.plot.bench import plot_bench, read_runs

    runs = list(
        harmonics.run(
            [1], 20, Path(tfn_l1.__file__).parent, chosen=[], settings=["default"], effort=EFFORT
        )
    )  # fmt: skip
    assert [row["mode"] for row in runs[0]["rows"]] == ["values", "jacobian", "gradient"]
    (tmp_path / "sh.json").write_text(json.dumps({"runs": runs}))
    figure = plot_bench(read_runs(tmp_path / "sh.json"))
    assert [axes.get_title() for axes in figure.axes] == ["values", "jacobian", "gradient"]
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="no benchmark"):
        read_runs(tmp_path / "other.json")


def test_a_description_for_peers_is_the_same_product(tfn_l2):
    """What those that take e3nn's instructions are given, against the product e3nn is timed with."""
    import torch
    from e3nn import o3

    from tfngen.bench.peers.e3nn import described, product

    ours = tfn_l2.Convolution("3x0e+2x1o", "0e+1o+2e", "0e+1o+1e+2e")
    theirs = o3.TensorProduct(
        *described(ours),
        irrep_normalization="component",
        path_normalization="none",
        internal_weights=False,
        shared_weights=False,
    )
    filters = [irrep for _, irrep in ours.irreps_filter]
    timed = product(
        str(ours.irreps_in),
        str(ours.irreps_filter),
        [(path.channels, path.irrep_output) for path in ours.paths],
        [(path.input_block, filters.index(path.irrep_filter)) for path in ours.paths],
        normalization="component",
    )
    operands = torch.randn(5, 9), torch.randn(5, 9), torch.randn(5, ours.weight_numel)
    assert theirs.weight_numel == ours.weight_numel
    assert torch.allclose(theirs(*operands), timed(*operands), atol=1e-6)
