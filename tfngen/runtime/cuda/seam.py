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

BFLOAT16 = np.uint16
"""What stands for torch.bfloat16, which NumPy does not have: its bits, the upper half of a float32's."""
NOT_A_NUMBER = 0x7FC0
"""The bits of a bfloat16 that is none."""

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

    @device
    def read(array, at):
        """An element, in the number that kernels compute with."""
        value = array[at]
        if array.dtype == BFLOAT16:
            return (np.uint32(value) << np.uint32(16)).view(np.float32)
        return np.float32(value) if array.dtype == np.float16 else value

    @device
    def write(array, at, value):
        """Store an element, rounded to the nearest number that its array can hold."""
        if array.dtype == BFLOAT16:
            bits = int(np.float32(value).view(np.uint32))
            rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # to even, where two are as near
            array[at] = NOT_A_NUMBER if np.isnan(value) else rounded
        else:
            array[at] = value

else:
    # Numba lets indices of arrays count from their end, and pays for it with three instructions and two
    # registers for each of them. Addresses are indexed as they are.
    from llvmlite import ir
    from numba.cuda.extending import intrinsic

    _BITS, _WORD = types.uint16, ir.IntType(32)

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

    @intrinsic
    def read(typing_context, here, at):
        """An element, in the number that kernels compute with."""
        kept = here.dtype
        number = types.float32 if kept in (types.float16, _BITS) else kept

        def codegen(context, builder, signature, arguments):
            place = builder.gep(*arguments[:1], arguments[1:])
            if kept == types.float16:
                half = builder.load(builder.bitcast(place, ir.HalfType().as_pointer()))
                return builder.fpext(half, ir.FloatType())
            value = builder.load(place)
            if kept == _BITS:
                wide = builder.zext(value, _WORD)
                return builder.bitcast(builder.shl(wide, _WORD(16)), ir.FloatType())
            return value

        return number(here, at), codegen

    @intrinsic
    def write(typing_context, here, at, value):
        """Store an element, rounded to the nearest number that its array can hold."""
        kept = here.dtype

        def codegen(context, builder, signature, arguments):
            place, number = builder.gep(arguments[0], arguments[1:2]), arguments[2]
            if kept == types.float16:
                number = builder.fptrunc(number, ir.HalfType())
                place = builder.bitcast(place, ir.HalfType().as_pointer())
            elif kept == _BITS:
                bits = builder.bitcast(number, _WORD)
                odd = builder.and_(builder.lshr(bits, _WORD(16)), _WORD(1))
                rounded = builder.lshr(builder.add(bits, builder.add(odd, _WORD(0x7FFF))), _WORD(16))
                finite = builder.fcmp_ordered("ord", number, number)
                number = builder.select(finite, rounded, _WORD(NOT_A_NUMBER))
                number = builder.trunc(number, ir.IntType(16))
            builder.store(number, place)
            return context.get_dummy_value()

        number = types.float32 if kept in (types.float16, _BITS) else kept
        return types.void(here, at, number), codegen


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
