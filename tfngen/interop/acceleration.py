"""Replace what a model computes with e3nn by generated kernels, module by module, and say what was done.

Every replacement is first asked for its numbers beside those of the module it stands in for; one that
disagrees, or cannot run, is not made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import nn

from tfngen.interop.description import UnsupportedError
from tfngen.interop.standin import Made, Standin, device_of

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-6}
"""Of the largest entry: how far results of a stand-in may be from the original's. Models made in float32 and
then moved to float64 keep e3nn's coefficients of float32, 2e-8 from ours."""


@dataclass(frozen=True)
class Neighbor:
    """A package whose modules are known.

    Attributes:
        name: what is imported.
        versions: the first that is known, and the first that is not.
        module: where its stand-ins are: a module with ``CLASSES``, from the full name of a class to what
            makes a `Made` of an instance, or raises `UnsupportedError`.
    """

    name: str
    versions: tuple[str, str]
    module: str
    distribution: str = ""
    """Where it has another name than what is imported."""


NEIGHBORS = (
    Neighbor("sevenn", ("0.11", "0.14"), "tfngen.interop.sevennet"),
    Neighbor("mace", ("0.3.10", "0.3.17"), "tfngen.interop.mace", "mace-torch"),
    Neighbor("nequip", ("0.12", "0.20"), "tfngen.interop.nequip"),
    Neighbor("e3nn", ("0.4.4", "0.7"), "tfngen.interop.e3nn"),
)
"""In order: convolutions come before the products inside them."""


@dataclass(frozen=True)
class Entry:
    """What became of one module."""

    name: str
    """Where it is in the model, ``layers.0.conv``."""
    kind: str
    """Its class."""
    replaced: bool
    reason: str
    """By what it was replaced, or why it was not."""

    def __str__(self) -> str:
        return f"{'replaced' if self.replaced else 'left    '}  {self.name} ({self.kind}): {self.reason}"


@dataclass
class Report:
    """What `accelerate` did to a model; printing it says so line by line.

    Attributes:
        entries: the modules that were looked at, in the model's order.
    """

    entries: list[Entry] = field(default_factory=list)
    _places: list[tuple[nn.Module, str, nn.Module, Standin]] = field(default_factory=list, repr=False)

    @property
    def replaced(self) -> list[str]:
        """The names of the modules that were replaced."""
        return [entry.name for entry in self.entries if entry.replaced]

    @property
    def left(self) -> dict[str, str]:
        """The names of those that were not, and why."""
        return {entry.name: entry.reason for entry in self.entries if not entry.replaced}

    def undo(self) -> None:
        """Put every original back where a stand-in still is."""
        for parent, name, original, standin in self._places:
            if parent._modules.get(name) is standin:
                parent._modules[name] = original
        self._places.clear()

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries)) or "nothing that tfngen knows was found"


def accelerate(model: nn.Module, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Let a model compute on generated kernels, in place.

    Known are `o3.TensorProduct` and `o3.SphericalHarmonics` of e3nn, and the convolutions of SevenNet, MACE
    and NequIP, which become one pass over the edges without a message per edge. Weights stay where they are,
    under the same names: a state dict from before fits after, and the reverse. Kernels are generated once,
    into the user's cache, and compiled as they are first called.

    Args:
        model: any module; its parts are replaced, not itself.
        progress: told what is being looked at.

    Returns:
        What was replaced, what was left, and why; `Report.undo` takes it back.

    Raises:
        ValueError: `model` is not a torch module.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: {type(model).__name__}; it must be a torch.nn.Module")
    report = Report()
    makers = dict(_makers())
    made: dict[int, tuple[Standin | None, str]] = {}
    absorbed: list[str] = []
    for parent, name, full_name, module in list(_places(model)):
        if isinstance(module, Standin):
            absorbed += module.absorbed_below(full_name)
            continue
        kind, maker = _maker(module, makers)
        if maker is None or f"{full_name}.".startswith(tuple(absorbed)):
            continue
        if id(module) not in made:
            progress(full_name)
            made[id(module)] = _made(module, maker)
        standin, reason = made[id(module)]
        report.entries.append(Entry(full_name, kind, standin is not None, reason))
        if standin is not None:
            parent._modules[name] = standin
            absorbed += standin.absorbed_below(full_name)
            report._places.append((parent, name, module, standin))
    for standin in {id(each[-1]): each[-1] for each in report._places}.values():
        standin.placed_in(model)
    return report


def _makers() -> Iterator[tuple[str, Callable[[nn.Module], Made]]]:
    """Of every package that is loaded, the classes that are known."""
    for neighbor in NEIGHBORS:
        if neighbor.name not in sys.modules:
            continue
        problem = _unknown_version(neighbor)

        def refuse(_: nn.Module, problem: str = problem) -> Made:
            raise UnsupportedError(problem)

        for kind, maker in import_module(neighbor.module).CLASSES.items():
            yield kind, refuse if problem else maker


def _unknown_version(neighbor: Neighbor) -> str:
    first, beyond = neighbor.versions
    try:
        found = version(neighbor.distribution or neighbor.name)
    except PackageNotFoundError:
        return f"the version of {neighbor.name} is not known"
    if not _numbers(first) <= _numbers(found) < _numbers(beyond):
        return f"{neighbor.name} {found}; known are versions from {first} to before {beyond}"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    parts: list[int] = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)


def _places(model: nn.Module, above: str = "") -> Iterator[tuple[nn.Module, str, str, nn.Module]]:
    """Every module that has a parent: the parent, the names there and in the model, the module."""
    for name, child in model._modules.items():
        if child is not None:
            full_name = f"{above}.{name}" if above else name
            yield model, name, full_name, child
            yield from _places(child, full_name)


def _maker(
    module: nn.Module, makers: dict[str, Callable[[nn.Module], Made]]
) -> tuple[str, Callable[[nn.Module], Made] | None]:
    if isinstance(module, torch.jit.ScriptModule):
        kinds = {kind.rpartition(".")[2] for kind in makers}
        if module.original_name.endswith(tuple(kinds)):
            return module.original_name, _refuse_script
        return "", None
    for each in type(module).__mro__:
        if maker := makers.get(f"{each.__module__}.{each.__qualname__}"):
            return type(module).__name__, maker
    return "", None


def _refuse_script(_: nn.Module) -> Made:
    raise UnsupportedError("compiled by TorchScript already; accelerate the model first")


def _made(module: nn.Module, maker: Callable[[nn.Module], Made]) -> tuple[Standin | None, str]:
    """The stand-in and what it is; none, and why not."""
    try:
        standin, call = maker(module)
    except UnsupportedError as error:
        return None, str(error)
    device = device_of(module)
    if reason := standin.left_on(device):
        return None, reason
    try:
        with torch.no_grad(), device, torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            wanted = call(module)
            torch.manual_seed(0)
            found = call(standin)
    except Exception as error:  # another's module, called as it may not be meant to be
        return None, f"it could not be tried: {type(error).__name__}: {error}"
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        shapes = [f"{each.dtype} {tuple(each.shape)}" for each in (found, wanted)]
        return None, f"results differ: {shapes[0]}, not {shapes[1]}"
    difference = float((found - wanted).abs().max()) if wanted.numel() else 0.0
    size = float(wanted.abs().max()) if wanted.numel() else 0.0
    if not difference <= TOLERANCE.get(wanted.dtype, 0.0) * size:
        return None, f"results differ by {difference:.1e}, where the largest is {size:.1e}"
    return standin, standin.by
