"""Tetris: eight shapes learnt in one orientation, recognised in every other.

Thomas et al., arXiv:1802.08219, §5.1. `run` trains the network, tests it on moved copies of each shape, and
beside it two networks that lack what makes it work: one without the odd paths, which cannot tell the chiral
shapes apart, and a plain one, which has to see a shape turned before it knows it. It writes

    results.json          every number, settings and versions
    weights.safetensors   the trained network, for `evaluate`
    tetris.png            shapes, predictions, training curves
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tfngen.experiments.results import (
    Stopwatch,
    prepare_folder,
    require,
)
from tfngen.experiments.tetris_models import PlainNetwork, TetrisNetwork, predict
from tfngen.experiments.tetris_result import Accuracy, TetrisResult, Trained, table
from tfngen.experiments.tetris_shapes import CHIRAL_PAIR, NAMES, Copies, shape_positions
from tfngen.experiments.training import (
    DTYPES,
    Progress,
    check_count,
    check_dtype,
    check_seed,
    minimize,
    parameter_count,
    reproducible,
    silent,
)
from tfngen.files import write_bytes, write_json
from tfngen.nn import weights
from tfngen.runtime.convolution import Kernels

__all__ = ["Accuracy", "TetrisResult", "Trained", "evaluate", "load_network", "run", "table"]

STEPS = 300
LEARNING_RATE = 0.03
LOGIT_PENALTY = 5e-3
"""Weight of the logits' mean square in the objective: small logits keep float32's rounding small."""

TEST_SEED_OFFSET = 1
"""Test motions are drawn from seed + this, apart from the seed of the initial weights."""


def run(
    kernels: Kernels | None = None,
    out: str | os.PathLike[str] = Path("runs/tetris"),
    steps: int = STEPS,
    seed: int = 0,
    rotations: int = 1000,
    dtype: str = "float32",
    picture: bool = True,
    progress: Progress = silent,
) -> TetrisResult:
    """Train, test, compare, and write the results to the folder `out`.

    Args:
        kernels: a generated package with lmax ≥ 1; `tfngen.load(lmax=1)` by default.
        out: where the files go; files of an earlier run are replaced.
        steps: training steps of each network, ≥ 1.
        seed: of weights and motions; the same seed gives the same numbers, bit for bit.
        rotations: test copies of each shape, ≥ 1.
        dtype: ``"float32"`` or ``"float64"``, of training and of the accuracies.
        picture: whether to draw one.
        progress: told about every step.

    Raises:
        ValueError: an argument is wrong; before anything is computed.
        ModuleNotFoundError: safetensors, or matplotlib for the picture, is not installed.
        DivergenceError: training left the finite numbers.
    """
    check_count("steps", steps), check_count("rotations", rotations), check_seed(seed)
    precision = check_dtype(dtype)
    require("safetensors", *(["matplotlib"] if picture else []))
    folder = prepare_folder(out)
    clock = Stopwatch()
    settings = {"steps": steps, "seed": seed, "rotations": rotations, "dtype": dtype}
    settings |= {"learning_rate": LEARNING_RATE, "logit_penalty": LOGIT_PENALTY}

    with reproducible(seed):
        with clock("load"):
            kernels = _default_kernels() if kernels is None else kernels
        networks = {
            "network": TetrisNetwork(kernels),
            "even_only": TetrisNetwork(kernels, odd_paths=False),
            "plain": PlainNetwork(),
        }
        with clock("compile"):
            _warm_up(networks["network"], precision, progress)
        copies = Copies.draw(rotations, seed + TEST_SEED_OFFSET)
        trained: dict[str, Trained] = {}
        drawn = Tensor()
        for done, (name, model) in enumerate(networks.items(), start=1):
            with clock(f"train {name}"):
                curves = _train(model.to(precision), steps, name, progress)
            with clock(f"test {name}"):
                logits = predict(model, copies.rotated if name == "plain" else copies.moved, precision)
                trained[name] = _summarize(model, precision, curves, logits)
                drawn = logits.argmax(-1) if name == "network" else drawn
                progress("test", done, len(networks) + 1)
        with clock("invariance"):
            invariance = _invariance(networks["network"], copies)
            progress("test", len(networks) + 1, len(networks) + 1)

    files = {"results": folder / "results.json", "weights": folder / "weights.safetensors"}
    weights.save(networks["network"], files["weights"], experiment="tetris", odd_paths=True, **settings)
    result = TetrisResult(settings, **trained, invariance=invariance, seconds=clock.seconds, files=files)
    if picture:
        from tfngen.experiments.tetris_picture import draw

        with clock("picture"):
            files["picture"] = folder / "tetris.png"
            write_bytes(files["picture"], draw(result, copies.rotations, drawn))
    write_json(files["results"], result.to_json())
    return result


def load_network(
    path: str | os.PathLike[str], kernels: Kernels | None = None
) -> tuple[TetrisNetwork, dict[str, Any]]:
    """The network whose weights `run` wrote to `path`, in the dtype it was trained in, and its settings.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    network = TetrisNetwork(_default_kernels() if kernels is None else kernels).double()
    settings = weights.load(network, path)
    if settings.get("experiment") != "tetris":
        raise ValueError(f"path: {os.fspath(path)} was not written by the Tetris experiment")
    return network.to(check_dtype(settings["dtype"])), settings


def evaluate(
    path: str | os.PathLike[str],
    kernels: Kernels | None = None,
    rotations: int = 1000,
    seed: int | None = None,
) -> tuple[Accuracy, dict[str, dict[str, float]]]:
    """Test saved weights on moved copies: accuracy, and largest change of a logit, as `run` reports them.

    Args:
        path: the ``weights.safetensors`` of a run.
        kernels: a generated package with lmax ≥ 1; `tfngen.load(lmax=1)` by default.
        rotations: test copies of each shape, ≥ 1.
        seed: of that run by default, which gives the run's own copies when `rotations` is the same.
    """
    check_count("rotations", rotations)
    network, settings = load_network(path, kernels)
    seed = check_seed(settings["seed"] if seed is None else seed)
    copies = Copies.draw(rotations, seed + TEST_SEED_OFFSET)
    with reproducible(seed):
        logits = predict(network, copies.moved, DTYPES[settings["dtype"]])
        return Accuracy.count(logits), _invariance(network, copies)


def _default_kernels() -> Kernels:
    from tfngen import load

    return load(lmax=1)


def _warm_up(network: nn.Module, precision: torch.dtype, progress: Progress) -> None:
    """Compile the kernels that will be called: both directions to train, the other precision to compare."""
    progress("compile", 0, len(DTYPES))
    for done, dtype in enumerate(DTYPES.values(), start=1):
        logits = copy.deepcopy(network).to(dtype)(shape_positions().to(dtype))
        if dtype == precision:
            logits.sum().backward()
        progress("compile", done, len(DTYPES))


def _train(model: nn.Module, steps: int, name: str, progress: Progress) -> dict[str, list[float]]:
    """Fit the eight shapes, all at once, in the orientation they are written in."""
    shapes = shape_positions().to(next(model.parameters()).dtype)
    labels = torch.arange(len(NAMES))

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        logits = model(shapes)
        loss = functional.cross_entropy(logits, labels)
        accuracy = (logits.argmax(1) == labels).double().mean().item()
        return loss + LOGIT_PENALTY * logits.square().mean(), {"loss": loss.item(), "accuracy": accuracy}

    stage = f"train {name}".replace("_", " ")
    return minimize(
        model, objective, steps=steps, learning_rate=LEARNING_RATE, stage=stage, progress=progress
    )


def _summarize(
    model: nn.Module, precision: torch.dtype, curves: dict[str, list[float]], logits: Tensor
) -> Trained:
    as_trained = predict(model, shape_positions(), precision)
    first, second = (as_trained[shape] for shape in CHIRAL_PAIR)
    return Trained(
        parameters=parameter_count(model),
        curves=curves,
        training_accuracy=Accuracy.count(as_trained[None]).mean,
        chiral_gap=(first - second).abs().max().item(),
        test=Accuracy.count(logits),
    )


def _invariance(network: nn.Module, copies: Copies) -> dict[str, dict[str, float]]:
    """The largest change of a logit from the shapes as trained to their copies, in both precisions."""
    changes: dict[str, dict[str, float]] = {}
    for name, dtype in DTYPES.items():
        model = copy.deepcopy(network).to(dtype)
        reference = predict(model, shape_positions(), dtype)
        changes[name] = {
            motion: (predict(model, positions, dtype) - reference).abs().max().item()
            for motion, positions in (("rotation", copies.rotated), ("motion", copies.moved))
        }
    return changes
