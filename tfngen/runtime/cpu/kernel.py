"""Kernels that are compiled when they are first called, and then cached on disk."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from functools import update_wrapper
from hashlib import sha256
from types import FunctionType

from numba import int64, njit, void


class Kernel:
    """A Python function of integers (addresses, strides, counts) that runs as machine code.

    Importing a generated package makes thousands of these and compiles none. The first call compiles, or
    loads what an earlier process compiled from ``__pycache__``; it is safe from several threads. The code
    releases the GIL, and contracts a·b + c into one rounding but takes no other liberty with arithmetic.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self._lock = threading.Lock()
        self._compiled: Callable[..., None] | None = None
        update_wrapper(self, function)

    def __call__(self, *arguments: int) -> None:
        (self._compiled or self.compile())(*arguments)

    @property
    def is_compiled(self) -> bool:
        """Whether this process has the machine code already."""
        return self._compiled is not None

    def compile(self) -> Callable[..., None]:
        """The dispatcher, compiled for its one signature; raises what Numba raises."""
        with self._lock:
            if self._compiled is None:
                signature = void(*[int64] * self.function.__code__.co_argcount)
                self._compiled = self._jit(signature)
            return self._compiled

    def _jit(self, signature: object) -> Callable[..., None]:
        options = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
        function = _relocatable(self.function)
        try:
            return njit(signature, cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            warnings.warn(f"{self!r} is compiled anew in every process: {error}", stacklevel=4)
            return njit(signature, **options)(function)

    def assembly(self) -> str:
        """The machine code as text, for inspection."""
        return "".join(self.compile().inspect_asm().values())  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<kernel {self.__module__}.{self.__qualname__}>"


def _relocatable(function: Callable[..., None]) -> Callable[..., None]:
    """The same function under a name that does not depend on where its module was imported from.

    Numba stores the module's name beside the machine code and imports it when it loads the code again. A
    generated package may be imported as ``generated.tfn_l3`` today and as ``tfn_l3`` tomorrow, so its
    functions claim this module as their home, and a digest of their code keeps their symbols apart.
    """
    code = function.__code__
    digest = sha256(repr((code.co_code, code.co_consts, code.co_names)).encode()).hexdigest()[:12]
    copy = FunctionType(code, {**function.__globals__, "__name__": __name__}, function.__name__)
    copy.__module__ = __name__
    copy.__qualname__ = "_".join((*function.__module__.split(".")[-2:], function.__name__, digest))
    return copy


def kernel(function: Callable[..., None]) -> Kernel:
    """Decorator: make `function` a `Kernel`."""
    return Kernel(function)
