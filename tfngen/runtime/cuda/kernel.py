"""Kernels for GPUs: Python functions that say what their arguments are, compiled when first needed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, update_wrapper
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

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        update_wrapper(self, function)

    @cached_property
    def arguments(self) -> dict[str, Argument]:
        """What it is called with, by name."""
        return {
            name: each for name, each in self.function.__annotations__.items() if isinstance(each, Argument)
        }

    @cached_property
    def layout(self) -> struct.Struct:
        """How its arguments are packed for a launch: in order, each aligned to its size."""
        return struct.Struct("@" + "".join(each.code for each in self.arguments.values()))

    @cached_property
    def types(self) -> Sequence[Any]:
        """Numba's types of its arguments."""
        from tfngen.runtime.cuda.seam import pointer_to, scalar

        return [
            pointer_to(each.number) if each.is_array else scalar(each.number)
            for each in self.arguments.values()
        ]

    def __repr__(self) -> str:
        return f"<kernel {self.__module__}.{self.__qualname__}>"


def kernel(function: Callable[..., None]) -> Kernel:
    """Decorator: make `function` a `Kernel`."""
    return Kernel(function)
