"""The missing atom: which element was taken out of a molecule, and where it was.

Thomas et al., arXiv:1802.08219. A network sees a molecule of QM9 without one of its atoms and tells the
atom's element and place. It is trained on small molecules and tested on larger ones. `run` writes

    results.json          every number, settings and versions
    weights.safetensors   the trained network, for `evaluate`
    missing_atom.png      molecules, predictions and votes; curves

and, until it is done, checkpoint.safetensors, from which a run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfngen.experiments import molecules as data
from tfngen.experiments.checkpoint import SECONDS, Checkpoint, refuse_unfinished
from tfngen.experiments.devices import find_device, kernels_for
from tfngen.experiments.holes import Holes, MoleculeSet
from tfngen.experiments.missing_atom_models import (
    ARCHITECTURES,
    ELEMENTS,
    Architecture,
    MissingAtomNetwork,
    Prediction,
    loss,
)
from tfngen.experiments.missing_atom_result import (
    SETS,
    MissingAtomResult,
    Score,
    summary,
    table,
)
from tfngen.experiments.molecules import Molecule
from tfngen.experiments.parallel import Team, team
from tfngen.experiments.results import Stopwatch, prepare_folder, require
from tfngen.experiments.training import (
    Progress,
    check_count,
    check_seed,
    exponential_average,
    minimize,
    parameter_count,
    reproducible,
    silent,
    stream,
    warm_half_cosine,
)
from tfngen.files import write_bytes, write_json
from tfngen.nn import weights
from tfngen.runtime.convolution import Kernels

__all__ = ["MissingAtomResult", "Recipe", "Score", "evaluate", "load_network", "run", "summary", "table"]

SHIPPED = Path(__file__).parent / "missing_atom.safetensors"
"""The trained `best` network that comes with the project."""

MOLECULES = 1000
"""In each set."""

CHUNK = 128
"""How many molecules at once in tests."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    passes: int
    """Over the training molecules; in each, every molecule lacks one atom at random."""
    batch: int
    learning_rate: float
    """Its largest, after a short rise and before half a cosine down to zero."""
    clip: float
    """The largest norm of a gradient."""
    decay: float
    """Of the exponential average of the parameters, which is what is tested and kept."""


RECIPES = {
    "paper": Recipe(passes=2200, batch=64, learning_rate=1.6e-2, clip=1.0, decay=0.999),
    "best": Recipe(passes=500, batch=16, learning_rate=5e-3, clip=10.0, decay=0.998),
}


def run(
    kernels: Kernels | None = None,
    out: str | os.PathLike[str] = Path("runs/missing-atom"),
    model: str = "best",
    source: str | os.PathLike[str] | None = None,
    passes: int | None = None,
    batch: int | None = None,
    number: int = MOLECULES,
    seed: int = 0,
    device: str = "cpu",
    backend: str = "tfngen",
    resume: bool = False,
    checkpoint_seconds: float = SECONDS,
    picture: bool = True,
    progress: Progress = silent,
) -> MissingAtomResult:
    """Train, test, and write the results to the folder `out`.

    Started by torchrun, its processes train together: each takes its part of every batch, and the result is
    that of one process within rounding.

    Args:
        kernels: a generated package that reaches the model's degree; `tfngen.load` by default.
        out: where the files go; files of an earlier run that finished are replaced.
        model: ``"best"``, or ``"paper"`` for the published network of 3,126 parameters.
        source: a file of molecules in Å, see `molecules.read`; QM9 by default.
        passes: over the training molecules; the model's `RECIPES` by default.
        batch: molecules per step, over all processes; the model's `RECIPES` by default.
        number: molecules in each set, ≥ 1; all there are where they are fewer.
        seed: of molecules, weights and removed atoms; the same seed gives the same numbers, bit for bit.
        device: ``"cpu"`` or ``"cuda"``.
        backend: ``"tfngen"``, or ``"e3nn"`` for the same network on e3nn's operations, to compare.
        resume: continue the unfinished run in `out`, if there is one.
        checkpoint_seconds: how often a checkpoint is written; 0 for after every step.
        picture: whether to draw one.
        progress: told about every step.

    Raises:
        ValueError: an argument or the data is wrong, or `out` holds an unfinished run; nothing is changed.
        FileNotFoundError: there is no such file of molecules.
        ModuleNotFoundError: something needed is not installed.
        DivergenceError: training left the finite numbers.
    """
    architecture, recipe = _chosen(model, passes, batch)
    check_count("number", number), check_seed(seed)
    if backend not in ("tfngen", "e3nn"):
        raise ValueError(f"backend: {backend!r}; it must be 'tfngen' or 'e3nn'")
    require("safetensors", *(["matplotlib"] if picture else []), *(["e3nn"] if backend == "e3nn" else []))
    folder = prepare_folder(out)
    if not resume:
        refuse_unfinished(folder / "checkpoint.safetensors")
    clock = Stopwatch()
    settings = {"model": model, "seed": seed, "number": number, "backend": backend, "device": device}
    settings |= {"data": "qm9pack" if source is None else Path(source).name} | dataclasses.asdict(recipe)

    with team(device) as members, reproducible(seed):
        progress = progress if members.leads else silent
        with clock("read"):
            sets = _sets(data.read(source, progress), number, seed)
            settings["molecules"] = _digest(sets)
        with clock("load"):
            kernels = kernels_for(architecture.lmax, device) if kernels is None else kernels
        network = MissingAtomNetwork(kernels, architecture).to(members.device)
        if backend == "e3nn":
            from tfngen.experiments.on_e3nn import on_e3nn

            network = on_e3nn(network)
        average = exponential_average(network, recipe.decay)
        training = MoleculeSet(sets["5–18 (train)"], ELEMENTS, architecture.cutoff)
        checkpoint = Checkpoint(
            folder / "checkpoint.safetensors",
            settings | {"architecture": network.describe(), "processes": members.world},
            checkpoint_seconds,
            write=members.leads,
        )
        with clock("train"):
            curves = _train(network, training, recipe, seed, members, average, checkpoint, progress)
        result = MissingAtomResult(settings, parameter_count(network), {}, curves, clock.seconds)
        if members.leads:
            with clock("test"):
                result.scores.update(_scores(average.module, sets, progress))
            result.files["weights"] = folder / "weights.safetensors"
            note = {**settings, "experiment": "missing-atom", "architecture": network.describe()}
            weights.save(average.module, result.files["weights"], **note)
            _write(result, average.module, sets, folder, "results", picture)
            checkpoint.remove()
        members.wait()
    return result


def load_network(
    path: str | os.PathLike[str] = SHIPPED, kernels: Kernels | None = None, device: str = "cpu"
) -> tuple[MissingAtomNetwork, dict[str, Any]]:
    """The network whose weights `run` wrote to `path`, the one that comes along by default, and its settings.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    place, settings = find_device(device), weights.metadata(path)
    if settings.get("experiment") != "missing-atom":
        raise ValueError(f"path: {os.fspath(path)} was not written by the missing-atom experiment")
    architecture = Architecture(**settings["architecture"])
    kernels = kernels_for(architecture.lmax, device) if kernels is None else kernels
    network = MissingAtomNetwork(kernels, architecture)
    weights.load(network, path)
    return network.to(place), settings


def evaluate(
    path: str | os.PathLike[str] = SHIPPED,
    kernels: Kernels | None = None,
    out: str | os.PathLike[str] = Path("runs/missing-atom"),
    source: str | os.PathLike[str] | None = None,
    number: int | None = None,
    device: str = "cpu",
    picture: bool = True,
    progress: Progress = silent,
) -> MissingAtomResult:
    """Test saved weights, on the molecules of the run that trained them unless told otherwise.

    The results go to the folder `out`, as evaluation.json and evaluation.png.

    Args:
        path: the ``weights.safetensors`` of a run; those that come with the project by default.
        kernels: a generated package that reaches the model's degree; `tfngen.load` by default.
        out: where the files go.
        source: a file of molecules in Å; QM9 by default.
        number: molecules in each set; that of the run by default.
        device: ``"cpu"`` or ``"cuda"``.
        picture: whether to draw one.
        progress: told about every batch.
    """
    folder, clock = prepare_folder(out), Stopwatch()
    network, settings = load_network(path, kernels, device)
    with reproducible(settings["seed"]):
        with clock("read"):
            number = check_count("number", settings["number"] if number is None else number)
            sets = _sets(data.read(source, progress), number, settings["seed"])
        with clock("test"):
            scores = _scores(network, sets, progress)
        result = MissingAtomResult(settings, parameter_count(network), scores, seconds=clock.seconds)
        _write(result, network, sets, folder, "evaluation", picture)
    return result


def _chosen(model: str, passes: int | None, batch: int | None) -> tuple[Architecture, Recipe]:
    if model not in ARCHITECTURES:
        raise ValueError(f"model: {model!r}; it must be one of {', '.join(ARCHITECTURES)}")
    recipe = RECIPES[model]
    if passes is not None:
        recipe = dataclasses.replace(recipe, passes=check_count("passes", passes))
    if batch is not None:
        recipe = dataclasses.replace(recipe, batch=check_count("batch", batch))
    return ARCHITECTURES[model], recipe


def _sets(found: Sequence[Molecule], number: int, seed: int) -> dict[str, list[Molecule]]:
    """The sets there are molecules for, disjoint; the same for the same seed."""
    sets: dict[str, list[Molecule]] = {}
    for name, sizes in SETS.items():
        wanted = [molecule for molecule in found if len(molecule) in sizes]
        unseen = name.endswith("(unseen)")
        chosen = data.sample(wanted, 2 * number if unseen else number, seed)
        sets[name] = data.check(chosen[number:] if unseen else chosen)
    if not sets["5–18 (train)"]:
        raise ValueError(f"data: none of its {len(found)} molecules has 5 to 18 atoms, to train on")
    return {name: molecules for name, molecules in sets.items() if molecules}


def _digest(sets: dict[str, list[Molecule]]) -> str:
    """The training molecules in a few letters, so that a run is not continued on others."""
    from hashlib import sha256

    return sha256("\n".join(each.name for each in sets["5–18 (train)"]).encode()).hexdigest()[:12]


def _train(
    network: nn.Module,
    training: MoleculeSet,
    recipe: Recipe,
    seed: int,
    members: Team,
    average: torch.optim.swa_utils.AveragedModel,
    checkpoint: Checkpoint,
    progress: Progress,
) -> dict[str, list[float]]:
    """Fit, pass after pass; what a step sees follows from its number and the seed alone."""
    per_pass = math.ceil(len(training) / recipe.batch)
    shared = members.share(network)
    drawn: dict[int, tuple[Tensor, Tensor]] = {}

    def chosen(step: int) -> tuple[Tensor, Tensor]:
        number, at = divmod(step, per_pass)
        if number not in drawn:
            drawn.clear()
            drawn[number] = training.random_holes(stream(seed, number))
        molecule, removed = drawn[number]
        these = slice(at * recipe.batch, (at + 1) * recipe.batch)
        return molecule[these], removed[these]

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        molecule, removed = chosen(step)
        mine = members.part(len(molecule))
        holes = training.without(molecule[mine], removed[mine]).to(members.device)
        position, element = loss(shared(holes), holes)
        # Means over the whole batch: the team's gradients are averaged, so each counts its own `world` times.
        scale = members.world / len(molecule)
        parts = scale * torch.stack([position.sum(), element.sum()])
        record = dict(zip(("position", "element"), members.mean(parts).tolist(), strict=True))
        return parts.sum(), record

    def culprit(step: int) -> str:
        molecule, removed = chosen(step)
        pairs = zip(molecule.tolist(), removed.tolist(), strict=True)
        return ", ".join(f"{training.names[each]} without atom {atom}" for each, atom in pairs)

    return minimize(
        network,
        objective,
        steps=recipe.passes * per_pass,
        learning_rate=recipe.learning_rate,
        schedule=warm_half_cosine,
        clip=recipe.clip,
        average=average,
        window=per_pass,
        checkpoint=checkpoint,
        culprit=culprit,
        progress=progress,
    )


def predict(network: nn.Module, molecules: MoleculeSet, molecule: Tensor, removed: Tensor) -> Prediction:
    """What the network says of these holes, on the device it is on, without gradients."""
    with torch.no_grad():
        prediction: Prediction = network(_holes(network, molecules, molecule, removed))
    return prediction


def _holes(network: nn.Module, molecules: MoleculeSet, molecule: Tensor, removed: Tensor) -> Holes:
    return molecules.without(molecule, removed).to(next(network.parameters()).device)


def _scores(network: nn.Module, sets: dict[str, list[Molecule]], progress: Progress) -> dict[str, Score]:
    """Every set, each molecule with each of its atoms removed once."""
    packed = {
        name: MoleculeSet(molecules, ELEMENTS, network.architecture.cutoff)
        for name, molecules in sets.items()
    }
    holes = {name: molecules.all_holes() for name, molecules in packed.items()}
    total, done, scores = sum(len(molecule) for molecule, _ in holes.values()), 0, {}
    for name, molecules in packed.items():
        distances, predicted, true = [], [], []
        for molecule, removed in zip(*(each.split(CHUNK) for each in holes[name]), strict=True):
            batch = _holes(network, molecules, molecule, removed)
            with torch.no_grad():
                said = network(batch)
            distances.append((said.position - batch.missing_position).norm(dim=1).cpu())
            predicted.append(said.scores.argmax(1).cpu())
            true.append(batch.missing_element.cpu())
            done += len(molecule)
            progress("test", done, total)
        scores[name] = Score.of(len(molecules), torch.cat(distances), torch.cat(predicted), torch.cat(true))
    return scores


def _write(
    result: MissingAtomResult,
    network: MissingAtomNetwork,
    sets: dict[str, list[Molecule]],
    folder: Path,
    name: str,
    picture: bool,
) -> None:
    """The picture first, because the results tell all files."""
    result.files[name] = folder / f"{name}.json"
    if picture:
        from tfngen.experiments.missing_atom_picture import draw

        result.files["picture"] = folder / ("missing_atom.png" if name == "results" else f"{name}.png")
        write_bytes(result.files["picture"], draw(result, network, sets))
    write_json(result.files[name], result.to_json())
