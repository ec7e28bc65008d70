"""Kernels for GPUs: Python functions that say what their arguments are, compiled when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, update_wrapper
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Argument:
    """What an argument of a kernel is: one number, or where an array of them begins.

    Attributes:
        number: its NumPy type.
        is_array: whether it is an address.
        per_channel: whether channels are side by side there, so that a lane may take two of them at once.
    """

    number: type
    is_array: bool
    per_channel: bool = False

    @property
    def code(self) -> str:
        """As `struct` packs it for a launch."""
        return "P" if self.is_array else {np.int32: "i", np.int64: "q"}[self.number]


Int = Argument(np.int32, is_array=False)
"""A count, an offset or a row's length, in elements."""
Size = Argument(np.int64, is_array=False)
"""A number of elements that may be beyond 2³¹."""
Indices = Argument(np.int64, is_array=True)


class Kernel:
    """A function whose annotations are `Argument`s; it runs once for each thread of a grid.

    Importing a generated package makes hundreds of these and compiles none.
    """

    def __init__(
        self,
        function: Callable[..., None],
        stored: type | None = None,
        constants: Mapping[str, int] | None = None,
        pairs: bool = False,
    ) -> None:
        self.function, self.stored = function, stored
        self.constants, self.pairs = dict(constants or {}), pairs
        self.loaded: dict[int, int] = {}  # by device, what the driver calls it
        self._stored_as: dict[type, Kernel] = {}
        self._fitted: dict[tuple[bool, tuple[int, ...]], Kernel] = {}
        update_wrapper(self, function)

    def stored_as(self, number: type | None) -> Kernel:
        """The same kernel, whose floats are such numbers in memory; it computes with what it did.

        Args:
            number: ``np.float16``, or `BFLOAT16` of the seam; None for what the kernel computes with.
        """
        if number is None:
            return self
        if number not in self._stored_as:
            self._stored_as[number] = Kernel(self.function, number)
        return self._stored_as[number]

    def fitted(self, numbers: Mapping[str, int], pairs: bool = False) -> Kernel:
        """The same kernel, compiled for some of its arguments: it has them no more.

        What depends on them alone is done by the compiler, addresses and branches above all.

        Args:
            numbers: by name, the last arguments; other names are of no concern.
            pairs: whether a lane has two channels; they count as one in all numbers and arguments.
        """
        names = list(self.arguments)
        while names and names[-1] in numbers:
            names.pop()
        constants = {name: numbers[name] for name in list(self.arguments)[len(names) :]}
        key = pairs, tuple(constants.values())
        if key not in self._fitted:
            self._fitted[key] = Kernel(self.function, self.stored, constants, pairs)
        return self._fitted[key]

    @cached_property
    def parameters(self) -> dict[str, Argument]:
        """What its function takes, by name."""
        found = {
            name: each for name, each in self.function.__annotations__.items() if isinstance(each, Argument)
        }
        if self.stored is None:
            return found
        return {
            name: replace(each, number=self.stored) if issubclass(each.number, np.floating) else each
            for name, each in found.items()
        }

    @cached_property
    def arguments(self) -> dict[str, Argument]:
        """What it is called with, by name."""
        return {name: each for name, each in self.parameters.items() if name not in self.constants}

    @cached_property
    def types(self) -> Sequence[Any]:
        """Numba's types of its arguments."""
        from tfngen.runtime.cuda.seam import pointer_to, scalar

        return [
            pointer_to(each.number, self.pairs and each.per_channel) if each.is_array else scalar(each.number)
            for each in self.arguments.values()
        ]

    @property
    def typed_constants(self) -> dict[str, Any]:
        """The numbers it is compiled for, as NumPy's."""
        return {name: self.parameters[name].number(value) for name, value in self.constants.items()}

    def __repr__(self) -> str:
        stored = "" if self.stored is None else f", {self.stored.__name__} in memory"
        return f"<kernel {self.__module__}.{self.__qualname__}{stored}>"


def kernel(function: Callable[..., None]) -> Kernel:
    """Decorator: make `function` a `Kernel`."""
    return Kernel(function)
