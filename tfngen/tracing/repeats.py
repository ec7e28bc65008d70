"""When a program is worth a tape: the same graph, again and again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tfngen.tracing.passes import changes_something
from tfngen.tracing.taken import version_of
from tfngen.tracing.tape import CannotRecord, Tape

if TYPE_CHECKING:
    from tfngen.tracing.program import Program

PATIENCE = 32
"""Calls over the same graph before a tape is made, which takes about as long as they did."""
MOST_TAPES = 4
"""The most tapes of a function at a time."""
MOST_GRAPHS = 64
"""The most graphs of a function's calls that are remembered, to see whether they come again."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is kept of a traced function's calls, the oldest first.

    Attributes:
        tapes: those that have a tape.
        graphs: those that remember the graph they had last.
    """

    tapes: deque[Repeats] = field(default_factory=deque)
    graphs: deque[Repeats] = field(default_factory=deque)


class Repeats:
    """A program for arguments of certain sizes, which is put on tape where they keep coming with one graph.

    Args:
        program: what is run.
        tensors: of its arguments; only what is computed by a processor is put on tape.
        shelf: for all such of a function; the oldest ones lose what they have on it where that is too much.
    """

    def __init__(self, program: Program, tensors: Sequence[Tensor], shelf: Shelf) -> None:
        self.program = program
        self._shelf = shelf
        self._tape: Tape | None = None
        on_processor = all(each.is_cpu for each in tensors)
        self._is_hopeless = not on_processor or changes_something(program.graph)
        self._graph: list[tuple[Tensor, int | None]] | None = None
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
        if self._is_hopeless or not self._lock.acquire(blocking=False):
            return None
        try:
            if not self._comes_again(tensors):
                return None
            self._tape = tape = Tape(self.program.graph, constants, tensors)
            _put(self, self._shelf.tapes, MOST_TAPES)
        except CannotRecord:
            self._is_hopeless, self._graph = True, None
            return None
        finally:
            self._lock.release()
        return tape.run(tensors)

    def forget(self, shelf: deque[Repeats]) -> None:
        """Give up what is on that shelf."""
        if shelf is self._shelf.tapes:
            self._tape = None
        else:
            self._graph = None

    def _comes_again(self, tensors: Sequence[Tensor]) -> bool:
        """Whether the same graph has come often enough since there was a tape."""
        whole = [each for each in tensors if not each.is_floating_point()]
        before = self._graph
        if before is None:
            _put(self, self._shelf.graphs, MOST_GRAPHS)
        self._graph = [(each, version_of(each)) for each in whole]
        same = before is not None and all(
            version_of(known) == version and (known is now or torch.equal(known, now))
            for (known, version), now in zip(before, whole, strict=True)
        )
        self._times = self._times + 1 if same else 0
        if self._times < PATIENCE:
            return False
        self._times = 0
        return True


def _put(repeats: Repeats, shelf: deque[Repeats], most: int) -> None:
    """Put it at the end of a shelf, and take the first off where there are too many."""
    if repeats in shelf:
        return
    shelf.append(repeats)
    if len(shelf) > most:
        shelf.popleft().forget(shelf)
