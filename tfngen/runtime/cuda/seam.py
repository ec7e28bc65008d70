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
    def shared_like(here, room):
        """Shared memory, for numbers like those that kernels compute with of the ones in `here`."""
        return room[: len(room) // 2 * 2].reshape(-1, 2) if here.ndim == 2 else room

    @device
    def zero_like(here):
        """Zero, or two of them, as kernels compute with the numbers in `here`."""
        number = np.float64 if here.dtype == np.float64 else np.float32
        return np.zeros(2, number) if here.ndim == 2 else number(0)

    @device
    def across(value):
        """The sum of the channels that a lane has."""
        return value.sum() if np.ndim(value) else value

    @device
    def read(here, at):
        """An element, in the number that kernels compute with."""
        value = np.array((here[at, 0], here[at, 1])) if here.ndim == 2 else here[at]
        if here.dtype == BFLOAT16:
            return (np.uint32(value) << np.uint32(16)).view(np.float32)
        return np.float32(value) if here.dtype == np.float16 else value

    @device
    def write(here, at, value):
        """Store an element, rounded to the nearest number that its array can hold."""
        if here.dtype == BFLOAT16:
            bits = np.asarray(value, np.float32).view(np.uint32).astype(np.int64)
            rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # to even, where two are as near
            here[at] = np.where(np.isnan(value), NOT_A_NUMBER, rounded)
        else:
            here[at] = value

    read_early = read_once = read
    write_once = write

else:
    # Numba lets indices of arrays count from their end, and pays for it with three instructions and two
    # registers for each of them. Addresses are indexed as they are.
    from llvmlite import ir
    from numba.cuda.extending import intrinsic, models, register_model

    _BITS, _WORD = types.uint16, ir.IntType(32)

    class Pair(types.Type):
        """Two numbers side by side in memory: those of a lane's two channels."""

        def __init__(self, number: Any) -> None:
            self.dtype = number
            super().__init__(name=f"Pair({number})")

    @register_model(Pair)
    class _PairModel(models.StructModel):
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, [("first", kind.dtype), ("second", kind.dtype)])

    def _number(kept: Any) -> Any:
        """What kernels compute with, of what is kept in memory."""
        if isinstance(kept, Pair):
            return Pair(_number(kept.dtype))
        return types.float32 if kept in (types.float16, _BITS) else kept

    def _of_each(builder: Any, kind: Any, function: Callable[..., Any], *values: Any) -> Any:
        """What `function` returns for each of a lane's channels: of their number, or of both in turn."""
        if not isinstance(kind, Pair):
            return function(*values)
        one, other = (function(*(builder.extract_value(each, at) for each in values)) for at in (0, 1))
        both = ir.Constant(ir.LiteralStructType([one.type, other.type]), ir.Undefined)
        return builder.insert_value(builder.insert_value(both, one, 0), other, 1)

    _KEPT = {  # in memory: LLVM's type, and that of both numbers of a pair as they are moved at once
        types.float64: (ir.DoubleType(), ir.VectorType(ir.DoubleType(), 2)),
        types.float32: (ir.FloatType(), ir.VectorType(ir.FloatType(), 2)),
        types.float16: (ir.HalfType(), ir.VectorType(ir.HalfType(), 2)),
        _BITS: (ir.IntType(16), ir.VectorType(ir.IntType(16), 2)),
    }

    def _place(builder: Any, kept: Any, here: Any, at: Any) -> Any:
        """The address of an element, as of what is moved at once."""
        single, double = _KEPT[kept.dtype if isinstance(kept, Pair) else kept]
        whole = double if isinstance(kept, Pair) else single
        return builder.bitcast(builder.gep(here, [at]), whole.as_pointer())

    def _split(builder: Any, kept: Any, moved: Any) -> Any:
        """What was moved at once, as a number or a pair."""
        if not isinstance(kept, Pair):
            return moved
        one, other = (builder.extract_element(moved, _WORD(at)) for at in (0, 1))
        both = ir.Constant(ir.LiteralStructType([one.type, other.type]), ir.Undefined)
        return builder.insert_value(builder.insert_value(both, one, 0), other, 1)

    def _joined(builder: Any, kept: Any, value: Any) -> Any:
        """The inverse."""
        if not isinstance(kept, Pair):
            return value
        one, other = (builder.extract_value(value, at) for at in (0, 1))
        both = ir.Constant(ir.VectorType(one.type, 2), ir.Undefined)
        both = builder.insert_element(both, one, _WORD(0))
        return builder.insert_element(both, other, _WORD(1))

    def _widened(builder: Any, kept: Any, value: Any) -> Any:
        """Of what is in memory, what kernels compute with."""
        kind = kept.dtype if isinstance(kept, Pair) else kept

        def wide(each: Any) -> Any:
            if kind == types.float16:
                return builder.fpext(each, ir.FloatType())
            if kind == _BITS:
                return builder.bitcast(builder.shl(builder.zext(each, _WORD), _WORD(16)), ir.FloatType())
            return each

        return _of_each(builder, kept, wide, value)

    def _narrowed(builder: Any, kept: Any, value: Any) -> Any:
        """The inverse, rounded to the nearest."""
        kind = kept.dtype if isinstance(kept, Pair) else kept

        def narrow(each: Any) -> Any:
            if kind == types.float16:
                return builder.fptrunc(each, ir.HalfType())
            if kind == _BITS:
                bits = builder.bitcast(each, _WORD)
                odd = builder.and_(builder.lshr(bits, _WORD(16)), _WORD(1))
                rounded = builder.lshr(builder.add(bits, builder.add(odd, _WORD(0x7FFF))), _WORD(16))
                finite = builder.fcmp_ordered("ord", each, each)
                return builder.trunc(builder.select(finite, rounded, _WORD(NOT_A_NUMBER)), ir.IntType(16))
            return each

        return _of_each(builder, kept, narrow, value)

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
    def shared_like(typing_context, here, room):
        """Shared memory, for numbers like those that kernels compute with of the ones in `here`."""
        wanted = types.CPointer(_number(here.dtype))

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[1], context.get_value_type(wanted))

        return wanted(here, room), codegen

    @intrinsic
    def zero_like(typing_context, here):
        """Zero, or two of them, as kernels compute with the numbers in `here`."""
        number = _number(here.dtype)

        def codegen(context, builder, signature, arguments):
            return context.get_constant_null(number)

        return number(here), codegen

    @intrinsic
    def across(typing_context, value):
        """The sum of the channels that a lane has."""
        number = value.dtype if isinstance(value, Pair) else value

        def codegen(context, builder, signature, arguments):
            if not isinstance(value, Pair):
                return arguments[0]
            return builder.fadd(*(builder.extract_value(arguments[0], at) for at in (0, 1)))

        return number(value), codegen

    @intrinsic
    def read(typing_context, here, at):
        """An element, in the number that kernels compute with."""
        kept = here.dtype

        def codegen(context, builder, signature, arguments):
            moved = builder.load(_place(builder, kept, *arguments))
            return _widened(builder, kept, _split(builder, kept, moved))

        return _number(kept)(here, at), codegen

    @intrinsic
    def write(typing_context, here, at, value):
        """Store an element, rounded to the nearest number that its array can hold."""
        kept = here.dtype

        def codegen(context, builder, signature, arguments):
            place = _place(builder, kept, *arguments[:2])
            builder.store(_joined(builder, kept, _narrowed(builder, kept, arguments[2])), place)
            return context.get_dummy_value()

        return types.void(here, at, _number(kept)), codegen

    _IN_ASSEMBLY = {  # by how many bits are moved: LLVM's type of them, its register and its name there
        16: (ir.IntType(16), "h", "b16"),
        32: (_WORD, "r", "b32"),
        64: (ir.IntType(64), "l", "b64"),
    }

    def _moved(kept: Any) -> tuple[Any, Any, str, str]:
        """What is moved at once, LLVM's type of as many bits, and what its register and it are called."""
        pair = isinstance(kept, Pair)
        number = kept.dtype if pair else kept
        bits = number.bitwidth * (2 if pair else 1)
        if bits not in _IN_ASSEMBLY:
            raise TypeError(f"{kept} is not moved at once")
        return (_KEPT[number][1 if pair else 0], *_IN_ASSEMBLY[bits])

    def _reading(operation: str) -> Any:
        """`read` as an instruction that compilers leave where it stands: they would wait with it until the
        value is needed, to have its register for something else meanwhile."""

        @intrinsic
        def reading(typing_context, here, at):
            kept = here.dtype
            whole, bits, register, name = _moved(kept)

            def codegen(context, builder, signature, arguments):
                place = _place(builder, kept, *arguments)
                text = f"{operation}.{name} $0, [$1];"
                kind = ir.FunctionType(bits, [place.type])
                assembly = ir.InlineAsm(kind, text, f"={register},l", side_effect=True)
                moved = builder.bitcast(builder.call(assembly, [place]), whole)
                return _widened(builder, kept, _split(builder, kept, moved))

            return _number(kept)(here, at), codegen

        return reading

    read_early = _reading("ld.global.nc")
    read_once = _reading("ld.global.cs")

    @intrinsic
    def write_once(typing_context, here, at, value):
        """Store what will not be read soon: it is the first to leave the caches."""
        kept = here.dtype
        _, bits, register, name = _moved(kept)

        def codegen(context, builder, signature, arguments):
            place = _place(builder, kept, *arguments[:2])
            joined = _joined(builder, kept, _narrowed(builder, kept, arguments[2]))
            kind = ir.FunctionType(ir.VoidType(), [place.type, bits])
            text = f"st.global.cs.{name} [$0], $1;"
            assembly = ir.InlineAsm(kind, text, f"l,{register}", side_effect=True)
            builder.call(assembly, [place, builder.bitcast(joined, bits)])
            return context.get_dummy_value()

        return types.void(here, at, _number(kept)), codegen


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

            one, other = part(0), part(1)
            both = ir.Constant(ir.LiteralStructType([one.type, other.type]), ir.Undefined)
            return builder.insert_value(builder.insert_value(both, one, 0), other, 1)

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
    with _compiling, _compiling_for(capability):
        code, _ = numba_cuda.compile(
            function, types.void(*parameters), device=False, abi="numba", cc=capability, output="ltoir"
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
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # its threads wait for each other, and whoever waits spins
    try:
        numba_cuda.jit(function)[grid, threads, 0, shared_bytes](*arguments)
    finally:
        sys.setswitchinterval(interval)


def pointer_to(number: type, pairs: bool = False) -> Any:
    """Numba's type of an address of such numbers, or of pairs of them."""
    return types.CPointer(Pair(scalar(number)) if pairs else scalar(number))


def scalar(number: type) -> Any:
    """Numba's type of one such number."""
    return getattr(types, np.dtype(number).name)
