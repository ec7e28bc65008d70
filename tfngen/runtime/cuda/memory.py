"""How kernels read and write memory: addresses, numbers in whatever precision they are kept, two at a time.

In Numba's simulator arrays stand for addresses, with two columns where a lane has two channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tfngen.runtime.cuda.seam import BFLOAT16, NOT_A_NUMBER, SIMULATED, device, types

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
    def kept_like(here, room):
        """Shared memory, for numbers as they are in `here`."""
        kept = room.view(here.dtype)
        return kept[: len(kept) // 2 * 2].reshape(-1, 2) if here.ndim == 2 else kept

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

    @device
    def copy(room, to, here, at, by_itself):
        """Begin to copy an element to shared memory; see `wait_for_copies`."""
        room[to] = here[at]

    @device
    def end_copies(by_itself):
        """What has been begun since this was last said belongs together."""

    @device
    def wait_for_copies(later, by_itself):
        """Wait for all copies but those that belong to the last `later`, two at most."""

    @device
    def let_next_begin():
        """Blocks of the next kernel may begin where there is room, as far as `wait_for_last`."""

    @device
    def wait_for_last():
        """Wait until the kernel before this one has ended, and what it has written is there."""

else:
    # Numba lets indices of arrays count from their end, and pays for it with three instructions and two
    # registers for each of them. Addresses are indexed as they are.
    from llvmlite import ir

    from tfngen.runtime.cuda.seam import Pair, get_or_insert_function, intrinsic, paired, to_linked

    _BITS, _WORD = types.uint16, ir.IntType(32)

    def _number(kept: Any) -> Any:
        """What kernels compute with, of what is kept in memory."""
        if isinstance(kept, Pair):
            return Pair(_number(kept.dtype))
        return types.float32 if kept in (types.float16, _BITS) else kept

    def _of_each(builder: Any, kind: Any, function: Callable[..., Any], *values: Any) -> Any:
        """What `function` returns for each of a lane's channels: of their number, or of both in turn."""
        if not isinstance(kind, Pair):
            return function(*values)
        each = (function(*(builder.extract_value(value, at) for value in values)) for at in (0, 1))
        return paired(builder, *each)

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
        return paired(builder, *(builder.extract_element(moved, _WORD(at)) for at in (0, 1)))

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
    def kept_like(typing_context, here, room):
        """Shared memory, for numbers as they are in `here`."""

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[1], context.get_value_type(here))

        return here(here, room), codegen

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

    @device
    def copy(room, to, here, at, by_itself):
        """Begin to copy an element to shared memory; see `wait_for_copies`.

        Args:
            by_itself: whether the GPU can, while this lane goes on; else it has been copied at once.
        """
        if by_itself:
            _copy(room, to, here, at)
        else:
            _copy_now(room, to, here, at)

    _LEAST_COPIED = 4
    """The bytes of the least that ``cp.async`` copies: a lane's one half has to be read and written."""
    _SHARED = 3
    """LLVM's number of shared memory."""

    def _moving(kept: Any) -> Callable[..., Any]:
        """Read an element, and write it to shared memory as it is."""

        def codegen(context, builder, signature, arguments):
            moved = builder.load(_place(builder, kept, *arguments[2:]))
            builder.store(moved, _place(builder, kept, *arguments[:2]))
            return context.get_dummy_value()

        return codegen

    @intrinsic
    def _copy_now(typing_context, room, to, here, at):
        return types.void(room, to, here, at), _moving(here.dtype)

    @intrinsic
    def _copy(typing_context, room, to, here, at):
        """``cp.async``, which takes no register for what it copies: compilers leave it where it stands.

        With a load they wait until its value is soon needed, to have its register for something else.
        """
        kept = here.dtype
        number, count = (kept.dtype, 2) if isinstance(kept, Pair) else (kept, 1)
        size = count * number.bitwidth // 8

        def codegen(context, builder, signature, arguments):
            to_place = _place(builder, kept, *arguments[:2])
            from_place = _place(builder, kept, *arguments[2:])
            shared = to_place.type.pointee.as_pointer(_SHARED)
            whole = builder.ptrtoint(builder.addrspacecast(to_place, shared), ir.IntType(64))
            text = f"cp.async.ca.shared.global [$0], [$1], {size};"
            kind = ir.FunctionType(ir.VoidType(), [_WORD, from_place.type])
            assembly = ir.InlineAsm(kind, text, "r,l,~{memory}", side_effect=True)
            builder.call(assembly, [builder.trunc(whole, _WORD), from_place])
            return context.get_dummy_value()

        return types.void(room, to, here, at), codegen if size >= _LEAST_COPIED else _moving(kept)

    def _saying(text: str) -> Any:
        """An instruction of no operands, which no access to memory passes."""

        @intrinsic
        def saying(typing_context):
            def codegen(context, builder, signature, arguments):
                kind = ir.FunctionType(ir.VoidType(), [])
                builder.call(ir.InlineAsm(kind, text, "~{memory}", side_effect=True), [])
                return context.get_dummy_value()

            return types.void(), codegen

        return saying

    _end_copies = _saying("cp.async.commit_group;")
    _wait_1, _wait_2 = (_saying(f"cp.async.wait_group {later};") for later in (1, 2))

    @device
    def end_copies(by_itself):
        """What has been begun since this was last said belongs together."""
        if by_itself:
            _end_copies()

    @device
    def wait_for_copies(later, by_itself):
        """Wait for all copies but those that belong to the last `later`, two at most."""
        if by_itself:
            if later == 1:
                _wait_1()
            else:
                _wait_2()

    def _linked(name: str) -> Any:
        """A call of a function that the linker is given: one for some GPUs, another for others."""

        @intrinsic
        def linked(typing_context):
            def codegen(context, builder, signature, arguments):
                found = get_or_insert_function(builder.module, ir.FunctionType(_WORD, []), name)
                return builder.call(found, [])

            return types.int32(), codegen

        return linked

    _BETWEEN_KERNELS = {
        "tfngen_let_next_begin": _saying("griddepcontrol.launch_dependents;"),
        "tfngen_wait_for_last": _saying("griddepcontrol.wait;"),
    }
    _let_next_begin, _wait_for_last = map(_linked, _BETWEEN_KERNELS)

    @cache
    def between_kernels(overlapping: bool) -> list[bytes]:
        """What the linker is given for `let_next_begin` and `wait_for_last`, which wait or do nothing."""
        return [to_linked(say if overlapping else _nothing, name) for name, say in _BETWEEN_KERNELS.items()]

    @intrinsic
    def _nothing(typing_context):
        return types.void(), lambda context, *_: context.get_dummy_value()

    @device
    def let_next_begin():
        """Blocks of the next kernel may begin where there is room, as far as `wait_for_last`."""
        _let_next_begin()

    @device
    def wait_for_last():
        """Wait until the kernel before this one has ended, and what it has written is there."""
        _wait_for_last()
