"""Kernels that are compiled when they are first called, and then cached on disk."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from functools import cache, update_wrapper
from hashlib import sha256
from pathlib import Path
from types import FunctionType

from numba import int64, njit, void
from numba.core import postproc
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

from tfngen.runtime.spared import lifetimes_when_asked, looked_up_once


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
        self._address: int | None = None
        self._variants: dict[str, Kernel] = {}
        update_wrapper(self, function)

    def __call__(self, *arguments: int) -> None:
        (self._compiled or self.compile())(*arguments)

    @property
    def is_compiled(self) -> bool:
        """Whether this process has the machine code already."""
        return self._compiled is not None

    @property
    def is_missing(self) -> bool:
        """Whether there is no machine code, in this process or on disk, and another could leave it there."""
        if self.is_compiled:
            return False
        function = _relocatable(self.function)
        try:
            cache = _KernelCache(function)
        except RuntimeError:  # no folder will have it
            return False
        return not cache.holds(_signature(function))

    def compile(self) -> Callable[..., None]:
        """The dispatcher, compiled for its one signature; raises what Numba raises."""
        with self._lock:
            if self._compiled is None:
                self._compiled = self._dispatcher(cached=True)
            return self._compiled

    @property
    def address(self) -> int:
        """Where the machine code begins, for callers that are machine code themselves (`drive`)."""
        if self._address is None:
            (result,) = self.compile().overloads.values()  # type: ignore[attr-defined]
            self._address = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
        return self._address

    def variant(self, name: str, words: Mapping[str, object]) -> Kernel:
        """The same function where `words` mean something else, compiled apart under a `name` of its own."""
        with self._lock:
            if name not in self._variants:
                function = self.function
                code, known = function.__code__, {**function.__globals__, **words}
                self._variants[name] = Kernel(FunctionType(code, known, f"{function.__name__}_{name}"))
            return self._variants[name]

    def _dispatcher(self, cached: bool) -> Callable[..., None]:
        function = _relocatable(self.function)
        dispatcher = njit(nogil=True, fastmath={"contract"}, error_model="numpy")(function)
        try:
            if cached:
                dispatcher._cache = _KernelCache(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            warnings.warn(f"{self!r} is compiled anew in every process: {error}", stacklevel=4)
        with looked_up_once(), lifetimes_when_asked(postproc):
            dispatcher.compile(_signature(function))
        dispatcher.disable_compile()
        return dispatcher

    def assembly(self) -> str:
        """The machine code as text, compiled anew: what comes from the cache cannot be inspected."""
        (text,) = self._dispatcher(cached=False).inspect_asm().values()
        return text

    def __repr__(self) -> str:
        return f"<kernel {self.__module__}.{self.__qualname__}>"


class _KernelCache(FunctionCache):
    """Numba's cache on disk, without its first step.

    Before it loads anything Numba fills its registries of typed operations, which takes a third of a second
    and imports scipy where that is installed. Compiling needs them; running finished machine code does not.
    """

    def load_overload(self, sig: object, target_context: object) -> object:
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def holds(self, signature: object) -> bool:
        """Whether machine code is there, without loading it."""
        with self._guard_against_spurious_io_errors():
            key = self._index_key(signature, cpu_target.target_context.codegen())
            return key in self._cache_file._load_index()
        return False


def _signature(function: FunctionType) -> object:
    return void(*[int64] * function.__code__.co_argcount)


def _relocatable(function: Callable[..., None]) -> Callable[..., None]:
    """The same function under a name that does not depend on where its module was imported from.

    Numba stores the module's name beside the machine code and imports it when it loads the code again. A
    generated package may be imported as ``generated.tfn_l3`` today and as ``tfn_l3`` tomorrow, so its
    functions claim this module as their home, and a digest keeps their symbols apart: of their own code, and
    of the vector operations they call, whose changes Numba would not notice.
    """
    code = function.__code__
    text = repr((code.co_code, code.co_consts, code.co_names, _vector_operations()))
    digest = sha256(text.encode()).hexdigest()[:12]
    copy = FunctionType(code, {**function.__globals__, "__name__": __name__}, function.__name__)
    copy.__module__ = __name__
    copy.__qualname__ = "_".join((*function.__module__.split(".")[-2:], function.__name__, digest))
    return copy


@cache
def _vector_operations() -> str:
    """The sha256 of the files that define them, and the tables they read."""
    here = Path(__file__).parent
    names = ("vector", "lanes", "access", "operations", "index", "fitted", "job")
    files = [here / f"{name}.py" for name in names]
    files.append(here.parents[1] / "forms.py")
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def kernel(function: Callable[..., None]) -> Kernel:
    """Decorator: make `function` a `Kernel`."""
    return Kernel(function)
