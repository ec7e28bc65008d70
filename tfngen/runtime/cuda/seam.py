"""The one file that imports `numba.cuda`: how a function becomes part of a kernel, or the linker's input.

Numba's own dispatcher is not used: it needs a GPU to compile and tens of microseconds to launch. Kernels are
compiled ahead of time for a compute capability (`tfngen.runtime.cuda.compiled`) and launched through the
driver (`tfngen.runtime.cuda.driver`); in Numba's simulator (``NUMBA_ENABLE_CUDASIM=1``) they run as Python.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

from tfngen.gpu import Capability

if find_spec("numba_cuda") is None:
    raise ImportError(
        "kernels for a GPU are compiled by numba-cuda, which is not installed: pip install 'tfngen[cuda]'"
    )

from numba import cuda as numba_cuda
from numba import types
from numba.cuda.core import config

SIMULATED: bool = bool(config.ENABLE_CUDASIM)
"""Whether kernels run in Numba's simulator, in this process."""

_compiling = threading.Lock()


class _OfThisThread:
    """What ``cuda`` stands for in the simulator: indices and memory of the thread that asks."""

    def __getattr__(self, name: str) -> Any:
        return _SharedMemory if name == "shared" else getattr(_simulation(), name)


class _SharedMemory:
    """The simulator's own looks an array up and makes it in two steps, between which threads may change."""

    _making = threading.Lock()

    @classmethod
    def array(cls, shape: int, number: Any, alignment: int | None = None) -> Any:
        memory = _simulation().shared
        if shape == 0:
            return memory.array(shape, number)
        caller = sys._getframe(1)
        with cls._making:
            arrays = memory.__dict__.setdefault("_by_line", {})
            key = caller.f_code, caller.f_lineno
            if key not in arrays:
                arrays[key] = np.empty(shape, number.name)
            return arrays[key]


def _simulation() -> Any:
    """What the simulator knows of the launch that is running."""
    from numba.cuda.simulator.kernel import _get_kernel_context

    return _get_kernel_context()


cuda: Any = _OfThisThread() if SIMULATED else numba_cuda


def device(function: Callable[..., Any]) -> Any:
    """Decorator: a function that kernels call, always inlined."""
    return function if SIMULATED else numba_cuda.jit(device=True, forceinline=True)(function)


if SIMULATED:

    @device
    def pointer(array):
        """Where an array of shared memory begins."""
        return array

    @device
    def offset(here, elements):
        """The address some elements further on."""
        return here[elements:]

else:
    # Numba lets indices of arrays count from their end, and pays for it with three instructions and two
    # registers for each of them. Addresses are indexed as they are.
    from numba.cuda.extending import intrinsic

    @intrinsic
    def pointer(typing_context, array):
        """Where an array of shared memory begins."""

        def codegen(context, builder, signature, arguments):
            return context.make_array(signature.args[0])(context, builder, arguments[0]).data

        return types.CPointer(array.dtype)(array), codegen

    @intrinsic
    def offset(typing_context, here, elements):
        """The address some elements further on."""

        def codegen(context, builder, signature, arguments):
            return builder.gep(arguments[0], [arguments[1]])

        return here(here, elements), codegen


def to_intermediate(
    function: Callable[..., None], parameters: Sequence[Any], capability: Capability
) -> bytes:
    """Compile a kernel to what the linker optimises as a whole (LTO-IR); no GPU is needed.

    Args:
        function: the kernel's Python function.
        parameters: the Numba type of each of its arguments.
        capability: of the GPUs it is meant for, such as (9, 0).
    """
    with _compiling, _compiling_for(capability):
        code, _ = numba_cuda.compile(
            function, types.void(*parameters), device=False, abi="numba", cc=capability, output="ltoir"
        )
    return bytes(code)


@contextmanager
def _compiling_for(capability: Capability) -> Iterator[None]:
    """Let Numba compile device functions without a GPU to ask what it is."""
    from numba.cuda import dispatcher

    asked = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = asked


def simulate(
    function: Callable[..., None],
    grid: tuple[int, int],
    threads: int,
    shared_bytes: int,
    arguments: Sequence[np.ndarray | int],
) -> None:
    """Run a kernel in the simulator, thread by thread; arrays are flat."""
    assert SIMULATED, "set NUMBA_ENABLE_CUDASIM=1 before anything imports numba"
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # its threads wait for each other, and whoever waits spins
    try:
        numba_cuda.jit(function)[grid, threads, 0, shared_bytes](*arguments)
    finally:
        sys.setswitchinterval(interval)


def pointer_to(number: type) -> Any:
    """Numba's type of an address of such numbers."""
    return types.CPointer(scalar(number))


def scalar(number: type) -> Any:
    """Numba's type of one such number."""
    return getattr(types, np.dtype(number).name)
