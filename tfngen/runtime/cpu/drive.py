"""Run the kernels of many paths over a graph, block by block, from machine code.

Each path reads its own stretch of every edge's weights. Pass after pass over all edges, those stretches come
from memory one by one, each with its full latency; here a block of edges' weights is fetched whole, row after
row, and is in the cache while every path has its turn. See docs/performance.md.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.vector import load_index

BLOCK_BYTES = 2**17
"""Weights fetched ahead of a block: little enough for the second-level cache, with room for all else."""

ARGUMENTS = 15
"""What every graph kernel takes behind ``first, last``, whatever its role."""

ENTRY_BYTES = 8 * (1 + ARGUMENTS)
"""A kernel's address and its arguments, as integers."""

LINE_BYTES = 64
"""A cache line."""


@intrinsic
def call_kernel(typingctx, address, first, last, arguments):
    """Call the kernel at `address` with ``first, last`` and the 15 integers stored at `arguments`."""

    def codegen(context, builder, sig, args):
        kinds = [types.int64] * (2 + ARGUMENTS)
        function = context.call_conv.get_function_type(types.none, kinds)
        pointer = builder.inttoptr(args[0], function.as_pointer())
        table = builder.inttoptr(args[3], ir.IntType(64).as_pointer())
        stored = [
            builder.load(builder.gep(table, [ir.Constant(ir.IntType(64), at)])) for at in range(ARGUMENTS)
        ]
        context.call_conv.call_function(builder, pointer, types.none, kinds, [args[1], args[2], *stored])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx, address):
    """Ask for the cache line at `address`; any address will do, none is ever read."""

    def codegen(context, builder, sig, args):
        byte = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = builder.module.globals.get("llvm.prefetch.p0")
        if function is None:
            function = ir.Function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = ir.Constant(flag, 0), ir.Constant(flag, 2), ir.Constant(flag, 1)
        builder.call(function, [builder.inttoptr(args[0], byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@kernel
def drive(first, last, row_pointers, order, block, calls, count, stream, stream_row, stream_bytes):
    """Call all `count` kernels for the nodes first ≤ node < last, about `block` edges at a time.

    `calls` holds an address and its arguments for each kernel; `stream` is where the weights begin, with
    `stream_row` bytes from one edge's to the next and `stream_bytes` of them used.
    """
    node = first
    while node < last:
        begin = load_index(row_pointers, node)
        stop = node + 1
        while stop < last and load_index(row_pointers, stop + 1) - begin <= block:
            stop += 1
        # A node with more edges than a block would push the first of them out again: those are left to it.
        for at in range(begin, min(load_index(row_pointers, stop), begin + block)):
            row = stream + load_index(order, at) * stream_row
            for byte in range(0, stream_bytes, LINE_BYTES):
                prefetch(row + byte)
        for call in range(count):
            entry = calls + call * ENTRY_BYTES
            call_kernel(load_index(entry, 0), node, stop, entry + 8)
        node = stop
