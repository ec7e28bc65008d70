"""The commands `tfngen run …`: the paper's experiments, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tfngen
from tfngen import console

if TYPE_CHECKING:
    from rich.table import Table

run = typer.Typer(no_args_is_help=True, help="Train one of the paper's experiments.")


class Dtype(str, Enum):
    float32 = "float32"
    float64 = "float64"


class Model(str, Enum):
    paper = "paper"
    best = "best"


class Device(str, Enum):
    cpu = "cpu"
    cuda = "cuda"


class Backend(str, Enum):
    tfngen = "tfngen"
    e3nn = "e3nn"


Out = Annotated[Path, typer.Option(help="The folder for results, weights and picture.")]
Package = Annotated[Path | None, typer.Option(help="A generated package; built on demand by default.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Precision = Annotated[Dtype, typer.Option(help="Precision of training.")]
Where = Annotated[Device, typer.Option("--device", help="What to train on.")]
Picture = Annotated[bool, typer.Option(help="Draw the picture.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the unfinished run in the folder.")]
Validation = Annotated[int, typer.Option("--validation", help="Sets that validate what was learnt.")]


@run.command()
def tetris(
    out: Out = Path("runs/tetris"),
    package: Package = None,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 300,
    rotations: Annotated[int, typer.Option(help="Random poses per shape in the test.")] = 1000,
    seed: Seed = 0,
    dtype: Precision = Dtype.float32,
    picture: Picture = True,
) -> None:
    """Train on eight shapes in one orientation, recognise them in every orientation.

    Exits with 1 when a result is not what it should be. Example: `tfngen run tetris --out runs/tetris`.
    """
    from tfngen.experiments import tetris as experiment

    kernels = None if package is None else tfngen.load(path=package)
    with console.progress() as advance:
        result = experiment.run(
            kernels, out, steps=steps, rotations=rotations, seed=seed, dtype=dtype.value, picture=picture,
            progress=advance,
        )  # fmt: skip
    _show(experiment.table(result), result.files.values(), result.failures)


@run.command()
def gravity(
    out: Out = Path("runs/gravity"),
    package: Package = None,
    steps: Annotated[int | None, typer.Option(help="Training steps; 1,000 by default.")] = None,
    validation: Validation = 1000,
    seed: Seed = 0,
    dtype: Precision = Dtype.float32,
    device: Where = Device.cpu,
    resume: Resume = False,
    picture: Picture = True,
) -> None:
    """Learn Newton's law from the accelerations of point masses.

    Exits with 1 when a result is not what it should be. Example: `tfngen run gravity --out runs/gravity`.
    """
    from tfngen.experiments import gravity as experiment

    kernels = None if package is None else tfngen.load(path=package)
    with console.progress() as advance:
        result = experiment.run(
            kernels, out, steps=steps, validation_sets=validation, seed=seed, dtype=dtype.value,
            device=device.value, resume=resume, picture=picture, progress=advance,
        )  # fmt: skip
    _show(experiment.table(result), result.files.values(), result.failures)


@run.command()
def inertia(
    out: Out = Path("runs/inertia"),
    package: Package = None,
    steps: Annotated[int | None, typer.Option(help="Training steps; 10,000 by default.")] = None,
    most: Annotated[int, typer.Option(help="Points of a set at most; the paper's code has 15.")] = 10,
    validation: Validation = 1000,
    seed: Seed = 0,
    dtype: Precision = Dtype.float32,
    device: Where = Device.cpu,
    resume: Resume = False,
    picture: Picture = True,
) -> None:
    """Learn the moment of inertia of point masses, a tensor, from its parts of degree 0 and 2.

    Exits with 1 when a result is not what it should be. Example: `tfngen run inertia --most 15`.
    """
    from tfngen.experiments import inertia as experiment

    kernels = None if package is None else tfngen.load(path=package)
    with console.progress() as advance:
        result = experiment.run(
            kernels, out, steps=steps, most=most, validation_sets=validation, seed=seed, dtype=dtype.value,
            device=device.value, resume=resume, picture=picture, progress=advance,
        )  # fmt: skip
    _show(experiment.table(result), result.files.values(), result.failures)


@run.command("missing-atom")
def missing_atom(
    out: Out = Path("runs/missing-atom"),
    package: Package = None,
    model: Annotated[Model, typer.Option(help="The published network, or a better one.")] = Model.best,
    data: Annotated[
        Path | None, typer.Option(help="Molecules in Å, extended XYZ or npz; QM9 from qm9pack by default.")
    ] = None,
    passes: Annotated[
        int | None, typer.Option(help="Over the training molecules; 2,200 for paper, 500 for best.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Molecules per step; 64 for paper, 16 for best.")] = None,
    molecules: Annotated[int, typer.Option(help="Molecules in each set.")] = 1000,
    seed: Seed = 0,
    device: Where = Device.cpu,
    backend: Annotated[Backend, typer.Option(help="e3nn for the same network on e3nn.")] = Backend.tfngen,
    resume: Resume = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="How often to write a checkpoint; 0 for after every step.", min=0)
    ] = 30.0,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Only test trained weights, those that come along by default.")
    ] = False,
    weights: Annotated[Path | None, typer.Option(help="The weights to evaluate.")] = None,
    picture: Picture = True,
) -> None:
    """Take an atom out of each molecule and train a network to tell its element and its place.

    Both cores: `torchrun --nproc-per-node 2 --module tfngen run missing-atom`.

    Examples: `tfngen run missing-atom --model paper`, `tfngen run missing-atom --evaluate`.
    """
    from tfngen.experiments import missing_atom as experiment

    if weights is not None and not evaluate:
        raise typer.BadParameter("--weights are for --evaluate; training begins with new ones")
    kernels = None if package is None else tfngen.load(path=package)
    with console.progress() as advance:
        if evaluate:
            result = experiment.evaluate(
                experiment.SHIPPED if weights is None else weights, kernels, out, data, molecules,
                device=device.value, picture=picture, progress=advance,
            )  # fmt: skip
        else:
            result = experiment.run(
                kernels, out, model=model.value, source=data, passes=passes, batch=batch, number=molecules,
                seed=seed, device=device.value, backend=backend.value, resume=resume,
                checkpoint_seconds=checkpoint_seconds, picture=picture, progress=advance,
            )  # fmt: skip
    if result.scores:  # of several processes, the one that tested
        _show(experiment.table(result), result.files.values(), [])


@run.command("missing-atom-summary")
def missing_atom_summary(
    folders: Annotated[list[Path], typer.Argument(help="Of runs that differ in their seeds.")],
) -> None:
    """Put several runs of `missing-atom` together: mean ± deviation.

    Example: `tfngen run missing-atom-summary runs/seed0 runs/seed1 runs/seed2`.
    """
    from tfngen.experiments import missing_atom as experiment

    console.out.print(experiment.summary(folders))


def _show(table: Table, files: Iterable[Path], failures: Sequence[str]) -> None:
    """What an experiment found and wrote; exits with 1 if something is not what it should be."""
    console.out.print(table)
    for file in sorted(files):
        console.out.print(str(file), highlight=False)
    for failure in failures:
        console.err.print(failure, style="red", markup=False)
    if failures:
        raise typer.Exit(1)
