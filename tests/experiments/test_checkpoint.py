"""Checkpoints: a run that was stopped anywhere ends as one that was not; nothing is written over."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tfngen.experiments.checkpoint import Checkpoint, refuse_unfinished
from tfngen.experiments.training import DivergenceError, exponential_average, minimize

STEPS = 20
SETTINGS = {"seed": 0, "rate": 0.1}


class StoppedError(Exception):
    pass


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def train(file, stop_at=None, seconds=0.0, settings=SETTINGS, bad_step=None):
    """(network, average, curves) after all steps, or StoppedError once `stop_at` of them are done."""
    model = network()
    average = exponential_average(model, 0.9)

    def objective(step):
        if step == stop_at:
            raise StoppedError
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        return loss * (float("inf") if step == bad_step else 1), {"loss": loss.item()}

    curves = minimize(
        model, objective, steps=STEPS, learning_rate=0.05, average=average, window=3,
        checkpoint=Checkpoint(file, settings, seconds),
    )  # fmt: skip
    return model, average, curves


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("stop_at", [1, 2, 7, STEPS - 1])
def test_a_stopped_run_ends_as_one_that_was_not(tmp_path, stop_at):
    model, average, curves = train(tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(tmp_path / "part", stop_at)
    resumed = train(tmp_path / "part")
    assert same(resumed[0], model)
    assert same(resumed[1], average)
    assert resumed[2] == curves
    assert len(curves["loss"]) == STEPS // 3


def test_between_checkpoints_steps_are_done_again(tmp_path):
    """The file is older than the moment the run was stopped, as after a power cut."""
    with pytest.raises(StoppedError):
        train(tmp_path / "part", 4)
    with pytest.raises(StoppedError):
        train(tmp_path / "part", 11, seconds=1e6)
    model, _, curves = train(tmp_path / "part")
    expected = train(tmp_path / "whole")
    assert same(model, expected[0])
    assert curves == expected[2]


def test_a_run_that_is_done_is_only_read(tmp_path):
    model, _, curves = train(tmp_path / "file")
    again = train(tmp_path / "file", stop_at=0)
    assert same(again[0], model)
    assert again[2] == curves


def test_divergence_leaves_the_checkpoint_of_the_step_before(tmp_path):
    with pytest.raises(DivergenceError, match="step 6"):
        train(tmp_path / "file", bad_step=5)
    model, _, _ = train(tmp_path / "file")
    assert same(model, train(tmp_path / "whole")[0])


def test_another_runs_checkpoint_is_refused_by_name(tmp_path):
    train(tmp_path / "file")
    before = (tmp_path / "file").read_bytes()
    with pytest.raises(ValueError, match=r"^checkpoint: .*rate is 0\.1 there, 0\.2 here"):
        train(tmp_path / "file", settings={"seed": 0, "rate": 0.2})
    with pytest.raises(ValueError, match=r"depth is None there, 3 here"):
        train(tmp_path / "file", settings=SETTINGS | {"depth": 3})
    assert (tmp_path / "file").read_bytes() == before


def test_another_models_checkpoint_is_refused(tmp_path):
    train(tmp_path / "file")
    model = nn.Linear(3, 1)
    with pytest.raises(ValueError, match=r"^checkpoint: .* holds another model"):
        minimize(
            model,
            lambda step: (model.weight.sum(), {}),
            steps=2,
            learning_rate=0.1,
            checkpoint=Checkpoint(tmp_path / "file", SETTINGS),
        )


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b"", lambda content: b"x"])
def test_a_damaged_checkpoint_is_an_error_and_stays(tmp_path, damage):
    train(tmp_path / "file")
    content = damage((tmp_path / "file").read_bytes())
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=r"^checkpoint: .* cannot be read"):
        train(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == content


def test_an_unfinished_run_is_not_written_over(tmp_path):
    refuse_unfinished(tmp_path / "file")
    train(tmp_path / "file")
    with pytest.raises(ValueError, match=r"^out: .*--resume"):
        refuse_unfinished(tmp_path / "file")
