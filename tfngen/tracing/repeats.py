"""When a program is worth a tape: the same graph, again and again."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tfngen.tracing.passes import changes_something
from tfngen.tracing.tape import CannotRecord, Tape

if TYPE_CHECKING:
    from tfngen.tracing.program import Program

PATIENCE = 32
"""Calls over the same graph before a tape is made, which takes about as long as they did."""
MOST_TAPES = 4
"""The most tapes of a function at a time."""


class Repeats:
    """A program for arguments of certain sizes, which is put on tape where they keep coming with one graph.

    Args:
        program: what is run.
        shelf: of all such of a function, those that have a tape; the oldest one loses it where there are too
            many.
    """

    def __init__(self, program: Program, shelf: deque[Repeats]) -> None:
        self.program = program
        self._shelf = shelf
        self._tape: Tape | None = None
        self._is_hopeless = changes_something(program.graph)
        self._graph: list[tuple[weakref.ref[Tensor], int]] | None = None
        self._times = 0
        self._lock = threading.Lock()

    def __call__(self, constants: list[Tensor], tensors: Sequence[Tensor]) -> list[Tensor] | None:
        """What the program returns, if there is a tape for that, else None; nobody watches.

        Args:
            constants: the program's first arguments.
            tensors: the others.
        """
        tape = self._tape
        if tape is not None and tape.fits(constants, tensors):
            return tape.run(tensors)
        if self._is_hopeless or not self._comes_again(tensors) or not self._lock.acquire(blocking=False):
            return None
        try:
            self._tape = tape = Tape(self.program.graph, constants, tensors)
        except CannotRecord:
            self._is_hopeless = True
            return None
        finally:
            self._times = 0
            self._lock.release()
        self._shelf.append(self)
        if len(self._shelf) > MOST_TAPES:
            self._shelf.popleft()._tape = None
        return tape.run(tensors)

    def _comes_again(self, tensors: Sequence[Tensor]) -> bool:
        """Whether the same graph has come often enough."""
        whole = [each for each in tensors if not each.is_floating_point()]
        before, self._graph = self._graph, [(weakref.ref(each), each._version) for each in whole]
        same = before is not None and all(map(_is_same, before, whole))
        self._times = self._times + 1 if same else 0
        return self._times >= PATIENCE


def _is_same(before: tuple[weakref.ref[Tensor], int], now: Tensor) -> bool:
    """Whether a tensor has the numbers that one had before, which is perhaps no more."""
    known, version = before[0](), before[1]
    if known is None or known._version != version:
        return False
    return known is now or torch.equal(known, now)
