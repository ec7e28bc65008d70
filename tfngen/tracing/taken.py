"""How a tape takes its arguments: whole numbers as they were, others from where they are now."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

from tfngen.runtime.cpu.instructions import Place

IN_PLACE_BYTES = 2**14
"""Arguments as large as this are read where they are; copying smaller ones takes no longer than looking."""


def version_of(tensor: Tensor) -> int | None:
    """How often something has been written to it, if anybody counts."""
    return None if tensor.is_inference() else tensor._version


class Whole:
    """Whole numbers that stay the same.

    Attributes:
        numbers: of the tape's own.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.numbers = tensor.clone(memory_format=torch.preserve_format)
        self._known, self._version = weakref.ref(tensor), version_of(tensor)

    def matches(self, tensor: Tensor) -> bool:
        """Whether `tensor` has them; one that had them before is known."""
        version = version_of(tensor)
        if self._known() is tensor and version is not None and version == self._version:
            return True
        if not torch.equal(tensor, self.numbers):
            return False
        self._known, self._version = weakref.ref(tensor), version
        return True


class Given:
    """An argument that is read where it is, which may be elsewhere in the next run.

    Args:
        at: which argument.
        places: where its address is written down.
        address: the one that is there now.
    """

    def __init__(self, at: int, places: Sequence[Place], address: int) -> None:
        self.at, self._places, self._address = at, places, address

    def is_at(self, address: int) -> None:
        """Write down where it is now."""
        if address != self._address:
            for table, at, offset in self._places:
                table[at] = address + offset
            self._address = address
