"""Integers in memory, for Numba kernels: tables of addresses, rows and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_INTEGER = ir.IntType(64)


def _pointer(builder: ir.IRBuilder, base: ir.Value, offset: ir.Value) -> ir.Value:
    return builder.gep(builder.inttoptr(base, _INTEGER.as_pointer()), [offset])


@intrinsic
def load_index(typingctx, base, offset):
    """The 64-bit integer `offset` elements after address `base`."""

    def codegen(context, builder, sig, args):
        return builder.load(_pointer(builder, *args))

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def store_index(typingctx, base, offset, value):
    """Write a 64-bit integer `offset` elements after address `base`."""

    def codegen(context, builder, sig, args):
        builder.store(args[2], _pointer(builder, *args[:2]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def loads_indices(known: Mapping[int, int]) -> Callable:
    """`load_indices`, for tables in which some integers, by their places, are `known` already."""

    @intrinsic(prefer_literal=True)
    def load_indices(typingctx, base, count):
        """The first `count` integers after address `base`, as a tuple; `count` is written out."""
        if not isinstance(count, types.IntegerLiteral):
            return None
        number = count.literal_value

        def codegen(context, builder, sig, args):
            loaded = [
                _INTEGER(known[at]) if at in known else builder.load(_pointer(builder, args[0], _INTEGER(at)))
                for at in range(number)
            ]
            return cgutils.pack_array(builder, loaded, _INTEGER)

        return types.UniTuple(types.int64, number)(types.int64, count), codegen

    return load_indices


load_indices = loads_indices({})


@intrinsic
def call_kernel(typingctx, address, tile, call):
    """Call the kernel at `address`, one of those over a graph, with its two tables."""

    def codegen(context, builder, sig, args):
        kinds = [types.int64, types.int64]
        function = context.call_conv.get_function_type(types.none, kinds)
        pointer = builder.inttoptr(args[0], function.as_pointer())
        context.call_conv.call_function(builder, pointer, types.none, kinds, args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def copy_number(typingctx, to, origin, size):
    """Copy the number of `size` bytes, 4 or 8, at address `origin` to address `to`."""

    def codegen(context, builder, sig, args):
        is_short = builder.icmp_signed("==", args[2], _INTEGER(4))
        with builder.if_else(is_short) as (short, long):
            for branch, width in ((short, 32), (long, 64)):
                with branch:
                    kind = ir.IntType(width).as_pointer()
                    value = builder.load(builder.inttoptr(args[1], kind))
                    builder.store(value, builder.inttoptr(args[0], kind))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def clear(typingctx, address, size):
    """Set `size` bytes from `address` on to zero."""

    def codegen(context, builder, sig, args):
        byte = ir.IntType(8)
        cgutils.memset(builder, builder.inttoptr(args[0], byte.as_pointer()), args[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def take_number(typingctx, base, offset):
    """The 64-bit integer `offset` elements after address `base`; the next one to ask finds it one higher."""

    def codegen(context, builder, sig, args):
        return builder.atomic_rmw("add", _pointer(builder, *args), _INTEGER(1), "monotonic")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def see_index(typingctx, base, offset):
    """The 64-bit integer `offset` elements after address `base`, with all that was written before it was."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(_pointer(builder, *args), "acquire", 8)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def show_index(typingctx, base, offset, value):
    """Write a 64-bit integer `offset` elements after address `base`, for other threads to `see_index`."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[2], _pointer(builder, *args[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def call_plain(typingctx, address):
    """Call the function of C at `address`, which takes nothing."""

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen
