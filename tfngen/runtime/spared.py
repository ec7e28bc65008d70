"""What Numba does again and again while it compiles, done once or not at all (docs/performance.md).

A kernel has thousands of multiplications of the same two types, and for each of them Numba goes through all
that `operator.mul` may mean, NumPy's universal functions included, twice: to infer a type and to emit code.
And nine times, after each pass that may have changed something, it finds where every name is alive, which
three of them ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from types import ModuleType
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


@contextmanager
def lifetimes_when_asked(passes: ModuleType) -> Iterator[None]:
    """While this lasts, where names are alive is found for the passes that ask.

    Args:
        passes: ``numba.core.postproc``, or what numba-cuda has of the same name.
    """
    with _turn:
        processor = passes.PostProcessor
        run = processor.run

        def run_as_asked(self: Any, emit_dels: bool = False, extend_lifetimes: bool = False) -> None:
            if emit_dels or self.func_ir.is_generator:
                run(self, emit_dels, extend_lifetimes)
                return
            self.func_ir.blocks = passes.transforms.canonicalize_cfg(self.func_ir.blocks)
            self.func_ir.variable_lifetime = passes.VariableLifetime(self.func_ir.blocks)  # lazy itself
            self.func_ir.generator_info = None

        processor.run = run_as_asked
        try:
            yield
        finally:
            processor.run = run
