"""Let Numba look up what an operation means once for each combination of types.

A kernel has thousands of multiplications of the same two types, and for each of them Numba goes through all
that `operator.mul` may mean, NumPy's universal functions included, twice: to infer a type and to emit code.
That is a third of the time that a kernel takes to compile (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from numba.core.types.functions import BaseFunction

_turn = RLock()


@contextmanager
def looked_up_once() -> Iterator[None]:
    """While this lasts, what was found for a function and types of arguments is found again."""
    with _turn:
        looked_up, known = BaseFunction.get_call_type, {}

        def get_call_type(self: Any, context: Any, args: tuple[Any, ...], kws: Any) -> Any:
            if kws:
                return looked_up(self, context, args, kws)
            key = context, self, args
            if key not in known:
                known[key] = looked_up(self, context, args, kws)
            return known[key]

        BaseFunction.get_call_type = get_call_type
        try:
            yield
        finally:
            BaseFunction.get_call_type = looked_up
