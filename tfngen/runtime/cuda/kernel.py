"""Kernels for GPUs: Python functions that say what their arguments are, compiled when first needed."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, update_wrapper
from operator import itemgetter
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Argument:
    """What an argument of a kernel is: one number, or where an array of them begins.

    Attributes:
        number: its NumPy type.
        is_array: whether it is an address.
    """

    number: type
    is_array: bool

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

    def __init__(self, function: Callable[..., None], stored: type | None = None) -> None:
        self.function, self.stored = function, stored
        self.loaded: dict[int, Any] = {}  # by device, what the driver calls it
        self._stored_as: dict[type, Kernel] = {}
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

    @cached_property
    def arguments(self) -> dict[str, Argument]:
        """What it is called with, by name."""
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
    def call(self) -> Call:
        """A call of which nothing is known ahead."""
        return Call(self)

    @cached_property
    def types(self) -> Sequence[Any]:
        """Numba's types of its arguments."""
        from tfngen.runtime.cuda.seam import pointer_to, scalar

        return [
            pointer_to(each.number) if each.is_array else scalar(each.number)
            for each in self.arguments.values()
        ]

    def __repr__(self) -> str:
        stored = "" if self.stored is None else f", {self.stored.__name__} in memory"
        return f"<kernel {self.__module__}.{self.__qualname__}{stored}>"


class Call:
    """A kernel and what is the same in all calls of one sort, packed ahead.

    Attributes:
        kernel: what is called.
        numbers: its last arguments, as many of them as are known.
        names: the others.
        values_of: their values, of a mapping that has them.
        size: the bytes of all arguments.
    """

    def __init__(self, kernel: Kernel, numbers: Mapping[str, int] | None = None) -> None:
        known = numbers or {}
        names = list(kernel.arguments)
        while names and names[-1] in known:
            names.pop()
        last = list(kernel.arguments)[len(names) :]
        self.kernel, self.names = kernel, tuple(names)
        self.numbers = {name: known[name] for name in last}
        self.values_of = _values_of(names)
        self._head = self._layout(names)
        self._tail = self._layout(last).pack(*self.numbers.values())
        self.size = self._head.size + len(self._tail)
        self.size_of = ctypes.pointer(ctypes.c_size_t(self.size))  # as the driver wants to be told

    def packed(self, values: Sequence[int]) -> bytes:
        """All arguments as a launch takes them: in order, each aligned to its size.

        Args:
            values: addresses and numbers for `names`.
        """
        return self._head.pack(*values) + self._tail

    def _layout(self, names: Sequence[str]) -> struct.Struct:
        return struct.Struct("@" + "".join(self.kernel.arguments[name].code for name in names))


def _values_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]


def kernel(function: Callable[..., None]) -> Kernel:
    """Decorator: make `function` a `Kernel`."""
    return Kernel(function)
