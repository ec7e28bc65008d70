"""The one file that imports `numba.cuda`: how a function becomes part of a kernel, or the linker's input.

Numba's own dispatcher is not used: it needs a GPU to compile and tens of microseconds to launch. Kernels are
compiled ahead of time for a compute capability (`tfngen.runtime.cuda.compiled`) and launched through the
driver (`tfngen.runtime.cuda.driver`); in Numba's simulator (``NUMBA_ENABLE_CUDASIM=1``) they run as Python.
"""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from inspect import signature
from types import SimpleNamespace
from typing import Any

import numpy as np

from tfngen.gpu import OLDEST, Capability
from tfngen.runtime.spared import lifetimes_when_asked, looked_up_once

if find_spec("numba_cuda") is None:
    raise ImportError(
        "kernels for a GPU are compiled by numba-cuda, which is not installed: pip install 'tfngen[cuda]'"
    )

from numba import cuda as numba_cuda
from numba import types
from numba.cuda.core import config, postproc

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


if not SIMULATED:
    from llvmlite import ir
    from numba.cuda import extending
    from numba.cuda.cgutils import get_or_insert_function as get_or_insert_function

    intrinsic = extending.intrinsic

    class Pair(types.Type):
        """Two numbers side by side in memory: those of a lane's two channels."""

        def __init__(self, number: Any) -> None:
            self.dtype = number
            super().__init__(name=f"Pair({number})")

    @extending.register_model(Pair)
    class _PairModel(extending.models.StructModel):
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, [("first", kind.dtype), ("second", kind.dtype)])

    def paired(builder: Any, one: Any, other: Any) -> Any:
        """The pair of two of LLVM's values."""
        both = ir.Constant(ir.LiteralStructType([one.type, other.type]), ir.Undefined)
        return builder.insert_value(builder.insert_value(both, one, 0), other, 1)


@cache
def _define_pairs() -> None:
    """Teach Numba to add and multiply them, with each other and with a number that both have in common."""
    from numba.cuda.cudadecl import registry as declared
    from numba.cuda.cudaimpl import registry as implemented
    from numba.cuda.typing.templates import ConcreteTemplate, signature

    def define(operation: Any, instruction: str, *kinds: tuple[Any, ...]) -> None:
        class Declared(ConcreteTemplate):
            key = operation
            cases = [signature(Pair(types.float32), *taken) for taken in kinds]  # noqa: RUF012

        declared.register_global(operation)(Declared)

        def lowered(context: Any, builder: Any, found: Any, arguments: Any) -> Any:
            def part(at: int) -> Any:
                values = zip(found.args, arguments, strict=True)
                taken = (builder.extract_value(v, at) if isinstance(kind, Pair) else v for kind, v in values)
                return getattr(builder, instruction)(*taken)

            return paired(builder, part(0), part(1))

        for taken in kinds:
            implemented.lower(operation, *taken)(lowered)

    pair, number = Pair(types.float32), types.float32
    for each, instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.iadd, "fadd")):
        define(each, instruction, (pair, pair))
    define(operator.mul, "fmul", (pair, pair), (pair, number), (number, pair))
    define(operator.neg, "fneg", (pair,))


def to_intermediate(
    function: Callable[..., None],
    parameters: Sequence[Any],
    capability: Capability,
    constants: Mapping[str, Any],
) -> bytes:
    """Compile a kernel to what the linker optimises as a whole (LTO-IR); no GPU is needed.

    Args:
        function: the kernel's Python function.
        parameters: the Numba type of each of its arguments, constants left out.
        capability: of the GPUs it is meant for, such as (9, 0).
        constants: numbers that stand for its last arguments, by name.
    """
    _define_pairs()
    if constants:
        function = _with_constants(function, constants)
    with _compiling, looked_up_once(), lifetimes_when_asked(postproc), _compiling_for(capability):
        code, _ = numba_cuda.compile(
            function, types.void(*parameters), device=False, abi="numba", cc=capability, output="ltoir"
        )
    return bytes(code)


def to_linked(call: Callable[[], None], name: str) -> bytes:
    """Compile a function that calls `call`, for the linker to know by its `name` (LTO-IR)."""

    def function() -> int:
        call()
        return 0

    with _compiling, _compiling_for(OLDEST):
        code, _ = numba_cuda.compile(
            function, types.int32(), abi="c", abi_info={"abi_name": name}, cc=OLDEST, output="ltoir"
        )
    return bytes(code)


def _with_constants(function: Callable[..., None], constants: Mapping[str, Any]) -> Callable[..., None]:
    """A kernel that calls `function`, inlined, with numbers for its last arguments."""
    names = list(signature(function).parameters)
    taken = ", ".join(names[: -len(constants)])
    inside: dict[str, Any] = {**constants, "function": device(function)}
    exec(f"def {function.__name__}({taken}):\n    function({', '.join(names)})\n", inside)
    made: Callable[..., None] = inside[function.__name__]
    return made


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
    from numba.cuda.simulator import kernel

    kernel.BlockManager = _lanes_in_turn()
    numba_cuda.jit(function)[grid, threads, 0, shared_bytes](*arguments)


@cache
def _lanes_in_turn() -> type:
    """The simulator's block of threads, of which one runs at a time, from one barrier to the next.

    Numba's own lets all of them run and looks at each again and again. Here the order is another one after
    every barrier, so that a barrier that is missing is found, and the same in every process.
    """
    from numba.cuda.simulator.kernel import BlockManager, BlockThread

    class Lane(BlockThread):  # type: ignore[misc, unused-ignore]
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.turn, self.turned, self.ended = threading.Lock(), threading.Lock(), False
            self.turn.acquire()
            self.turned.acquire()

        def run(self) -> None:
            self.turn.acquire()
            if not self.abort:
                super().run()
            self.ended = True
            self.turned.release()

        def syncthreads(self) -> None:
            self.turned.release()
            self.turn.acquire()
            if self.abort:
                raise RuntimeError("another thread of the block has failed")

        def take_turn(self) -> None:
            """Run as far as the next barrier, or to the end."""
            self.turn.release()
            self.turned.acquire()

    class Block(BlockManager):  # type: ignore[misc, unused-ignore]
        def run(self, block: tuple[int, ...], *arguments: Any) -> None:
            points = np.ndindex(*self._block_dim)
            lanes = [Lane(lambda: self._f(*arguments), self, block, point, self._debug) for point in points]
            order = np.random.default_rng(0)
            for lane in lanes:
                lane.start()
            while lanes:
                order.shuffle(lanes)
                for lane in lanes:
                    lane.take_turn()
                    if lane.exception:
                        self._end(lanes)
                        raise lane.exception[0].with_traceback(lane.exception[1])
                lanes = [lane for lane in lanes if not lane.ended]

        @staticmethod
        def _end(lanes: Sequence[Lane]) -> None:
            for lane in lanes:
                lane.abort = True
                lane.turn.release()

    return Block


def pointer_to(number: type, pairs: bool = False) -> Any:
    """Numba's type of an address of such numbers, or of pairs of them."""
    return types.CPointer(Pair(scalar(number)) if pairs else scalar(number))


def scalar(number: type) -> Any:
    """Numba's type of one such number."""
    return getattr(types, np.dtype(number).name)
