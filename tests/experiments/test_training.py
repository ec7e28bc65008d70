"""What all experiments share: the loop, seeds, files."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tfngen.experiments.motions import random_orders, random_rotations, random_translations
from tfngen.experiments.results import Stopwatch, prepare_folder, require, versions
from tfngen.experiments.training import (
    DivergenceError,
    check_count,
    check_dtype,
    check_seed,
    constant,
    exponential_average,
    half_cosine,
    minimize,
    parameter_count,
    reproducible,
    warm_half_cosine,
)


def test_rotations_are_orthogonal_and_proper():
    rotations = random_rotations(1000, torch.Generator().manual_seed(0))
    identity = torch.eye(3, dtype=torch.float64).expand(1000, 3, 3)
    torch.testing.assert_close(rotations @ rotations.mT, identity, atol=1e-14, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(1000, dtype=torch.float64))


def test_rotations_are_uniform():
    """Haar measure: E[R] = 0, E[R_ij²] = 1/3, and E[trace²] = 1 since the vector irrep is irreducible."""
    number = 20_000
    rotations = random_rotations(number, torch.Generator().manual_seed(0))
    within = 5 / number**0.5  # five standard deviations of a mean of numbers of variance at most 1
    assert rotations.mean(0).abs().max() < within
    assert (rotations.square().mean(0) - 1 / 3).abs().max() < within
    traces = rotations.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(traces.square().mean() - 1) < 3 * within


def test_translations_and_orders():
    generator = torch.Generator().manual_seed(0)
    shifts = random_translations(1000, 2.0, generator)
    assert shifts.shape == (1000, 3)
    assert 1.9 < shifts.abs().max() <= 2
    orders = random_orders(1000, 4, generator)
    assert torch.equal(orders.sort(dim=1).values, torch.arange(4).expand(1000, 4))
    assert len({tuple(order) for order in orders.tolist()}) == 24


class Parabola(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([3.0, -2.0]))


def test_minimize_minimizes_and_records():
    model, told = Parabola(), []

    def objective(step):
        loss = (model.x - 1).square().sum()
        return loss, {"loss": loss.item()}

    curves = minimize(
        model, objective, steps=200, learning_rate=0.1, stage="fit", progress=lambda *step: told.append(step)
    )
    assert len(curves["loss"]) == 200
    assert curves["loss"][-1] < 1e-4 < curves["loss"][0]
    assert told == [("fit", step, 200) for step in range(1, 201)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_divergence_names_the_step(bad):
    model, calls = Parabola(), []

    def objective(step):
        calls.append(None)
        return model.x.sum() * (bad if len(calls) == 3 else 1.0), {}

    with pytest.raises(DivergenceError, match="fit, step 3: the objective is"):
        minimize(model, objective, steps=10, learning_rate=0.1, stage="fit")


def test_a_gradient_that_is_not_finite_stops_too():
    model = Parabola()
    with pytest.raises(DivergenceError, match="step 1: the gradient's norm is nan"):
        minimize(model, lambda step: ((model.x * 0).square().sum().sqrt(), {}), steps=1, learning_rate=0.1)
    assert torch.equal(model.x.detach(), torch.tensor([3.0, -2.0]))


def test_divergence_names_what_the_step_was_computed_from():
    model = Parabola()
    with pytest.raises(DivergenceError, match="train, step 3, on batch 2: the objective is nan"):
        minimize(
            model,
            lambda step: (model.x.sum() * (float("nan") if step == 2 else 1.0), {}),
            steps=5,
            learning_rate=0.1,
            culprit=lambda step: f"batch {step}",
        )


def test_schedules_begin_and_end_where_they_should():
    assert [half_cosine(0), half_cosine(0.5), half_cosine(1)] == pytest.approx([1, 0.5, 0])
    assert warm_half_cosine(0) < 0.01
    assert warm_half_cosine(0.02) == pytest.approx(half_cosine(0.02))
    assert warm_half_cosine(1) == pytest.approx(0)
    assert constant(0) == constant(1) == 1


def test_curves_are_means_over_windows():
    model = Parabola()
    curves = minimize(
        model, lambda step: (model.x.sum(), {"step": float(step)}), steps=7, learning_rate=0.1, window=3
    )
    assert curves == {"step": [1.0, 4.0]}


def test_the_average_follows_the_parameters():
    model = Parabola()
    average, seen = exponential_average(model, 0.5), []

    def objective(step):
        seen.append(model.x.detach().clone())
        return (model.x - 1).square().sum(), {}

    minimize(model, objective, steps=3, learning_rate=0.1, average=average)
    expected, after = None, [*seen[1:], model.x.detach()]
    for x in after:
        expected = x if expected is None else 0.5 * expected + 0.5 * x
    torch.testing.assert_close(average.module.x.detach(), expected)


def test_reproducible_seeds_and_leaves_no_trace():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with reproducible(7):
            assert torch.get_num_threads() == 1
            drawn.append(torch.randn(3))
    assert torch.equal(*drawn)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_are_counted():
    assert parameter_count(nn.Linear(3, 2)) == 8


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
def test_counts_are_positive_integers(value):
    with pytest.raises(ValueError, match=r"^steps: .*integer ≥ 1"):
        check_count("steps", value)


@pytest.mark.parametrize("value", [-1, 2**63, 0.0, False, None])
def test_seeds_are_integers_torch_takes(value):
    with pytest.raises(ValueError, match=r"^seed: "):
        check_seed(value)
    with reproducible(check_seed(2**63 - 1)):
        pass


@pytest.mark.parametrize("value", ["float16", "double", None, torch.float32])
def test_dtypes_are_named(value):
    with pytest.raises(ValueError, match=r"^dtype: .*float32, float64"):
        check_dtype(value)


def test_a_folder_is_tried_before_the_work(tmp_path):
    assert prepare_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^out: cannot write to .*file"):
        prepare_folder(tmp_path / "file")
    with pytest.raises(ValueError, match=r"^out: cannot write to "):
        prepare_folder(tmp_path / "file" / "below")


def test_missing_modules_are_named_with_the_remedy():
    require("json")
    with pytest.raises(ModuleNotFoundError, match=r"no_such_module; install it with: pip install"):
        require("json", "no_such_module")


def test_phases_add_up():
    clock = Stopwatch()
    for _ in range(2):
        with clock("phase"):
            pass
    assert list(clock.seconds) == ["phase"]
    assert clock.seconds["phase"] >= 0
    assert versions()["torch"] == torch.__version__
