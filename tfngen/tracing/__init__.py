"""A function and the derivatives it takes, recorded once and then run as one straight program.

For a molecule of a few atoms the arithmetic of a network takes less time than finding out what to compute:
modules, checks, and a record of every operation for a derivative that is the same in every step. So `trace`
runs a function once on tensors without numbers, writes down every operation it comes to, those of
`torch.autograd.grad` included, and from then on executes that list.

Where the same graph comes again and again, even that list costs more than its arithmetic: then it is written
down once more, as machine code (`tfngen.tracing.tape`).

    @tfngen.trace
    def energy_and_forces(positions, graph, features):
        positions = positions.detach().requires_grad_()
        energy = network(graph, positions, features)["0e"].sum()
        return energy.detach(), -torch.autograd.grad(energy, positions)[0]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import torch

from tfngen.runtime.dispatch import are_watched, is_someone_watching
from tfngen.tracing.arguments import Parts, complain, flatten
from tfngen.tracing.program import Program, record
from tfngen.tracing.repeats import Repeats, Shelf

MOST_SIGHTINGS = 4096
"""So many combinations of sizes are known at sight; beyond, they are forgotten and looked up again."""

Taken = ParamSpec("Taken")
Given = TypeVar("Given")


def trace(function: Callable[Taken, Given]) -> Traced[Taken, Given]:
    """`function`, recorded when it is first called with arguments of a kind, and then run as recorded.

    What is a tensor may have other numbers in every call, and other sizes: a graph of other edges runs the
    same program. Parameters that the function finds for itself are read where they are, so that steps of an
    optimiser are seen. Everything else is as it was when the program was recorded: numbers, strings, whether
    a module is in training, and what depended on the values of Python's variables.

    Derivatives are taken inside, by `torch.autograd.grad`; results come without a history.

    On a processor, after `tfngen.tracing.repeats.PATIENCE` calls over one graph or copies of it, the program
    becomes one run of machine code, if it computes less than `tfngen.tracing.tape.MOST_BYTES`. Kernels give
    the same bits as before; torch's exponentials, sums and matrix products may differ in the last digits.

    Args:
        function: of tensors, `Graph`, `Features`, numbers, strings, None, modules, and tuples, lists,
            dictionaries and dataclasses of them; it returns such things too. What it does must not depend on
            the values of a tensor (``if x.max() > 1``): neighbours are found outside.

    Returns:
        `Traced`, called as `function` is. Under torch.compile or a transform of torch.func it is `function`.
    """
    return Traced(function)


class Traced(Generic[Taken, Given]):
    """See `trace`.

    Attributes:
        function: what is recorded.
        programs: what has been recorded so far, one for each kind of arguments.
    """

    def __init__(self, function: Callable[Taken, Given]) -> None:
        self.function = function
        self.programs: list[Program] = []
        self._seen: dict[Hashable, Repeats] = {}
        self._shelf = Shelf()
        self._lock = threading.Lock()
        if hasattr(function, "__name__"):
            update_wrapper(self, function)

    def __call__(self, *args: Taken.args, **kwargs: Taken.kwargs) -> Given:
        form, parts = _taken_apart(args, kwargs)
        repeats = None if is_someone_watching() else self._seen.get((form, *parts.sight))
        if repeats is None:
            if are_watched(parts.tensors):
                return self.function(*args, **kwargs)
            repeats = self._of(form, parts, args, kwargs)
        found: Given = repeats.program(parts.tensors, repeats)
        return found

    def program(self, *args: Taken.args, **kwargs: Taken.kwargs) -> Program:
        """The program that such arguments are given to, recorded now if there is none; `code` is its text.

        Raises:
            ValueError: an argument or a result that is none of those `trace` names, or a function that does
                other things for other values of a tensor, or adds to gradients (`Tensor.backward`).
        """
        return self._of(*_taken_apart(args, kwargs), args, kwargs).program

    def _of(self, form: Hashable, parts: Parts, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Repeats:
        """What runs such arguments."""
        sight = (form, *parts.sight)
        with self._lock:
            if (found := self._seen.get(sight)) is not None:
                return found
            program = next((each for each in self.programs if each.takes(form, parts.tensors)), None)
            if program is None:
                program = record(self.function, form, args, kwargs, parts.tensors)
                self.programs.append(program)
            if len(self._seen) >= MOST_SIGHTINGS:
                self._seen.clear()
            self._seen[sight] = found = Repeats(program, parts.tensors, self._shelf)
        return found

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"trace({name}), {len(self.programs)} recorded"


def _taken_apart(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, Parts]:
    """What there is to arguments besides their tensors, with what autocast does to them; the tensors."""
    parts = Parts()
    try:
        form = flatten(args, parts), flatten(kwargs, parts)
    except TypeError:
        complain("arguments", args)
        complain("arguments", kwargs)
        raise
    cast = [torch.get_autocast_dtype(where) for where in ("cpu", "cuda") if torch.is_autocast_enabled(where)]
    return (form, *cast), parts


__all__ = ["Program", "Traced", "trace"]
