"""What generated kernels call: vectors to and from memory, sums over lanes, lines asked for ahead.

Addresses are integers and offsets count elements. `active` masks the lanes past the last channel: they read
as zero and are never written, so nothing outside an array is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import zip_longest

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tfngen.forms import Writing
from tfngen.runtime.cpu.access import Access
from tfngen.runtime.cpu.lanes import Rows, Square, address_of, call_llvm, suffix, vector_address
from tfngen.runtime.cpu.vector import CONTRACT, LINE_BYTES, REGISTER_BYTES, MaskType, splat


def _totals(builder: ir.IRBuilder, vectors: list[ir.Value], kind: ir.VectorType) -> ir.Value:
    """Lane k is the sum over the lanes of vector k: halves are added, those of two vectors at once."""
    lanes = width = kind.count
    nothing = ir.Constant(kind, ir.Undefined)
    index = ir.VectorType(ir.IntType(32), lanes)
    while width > 1:
        half = width // 2
        first = [group + at for group in range(0, 2 * lanes, width) for at in range(half)]
        second = [at + half for at in first]
        vectors = [
            builder.fadd(
                builder.shuffle_vector(left, right, ir.Constant(index, first)),
                builder.shuffle_vector(left, right, ir.Constant(index, second)),
            )
            for left, right in zip_longest(vectors[::2], vectors[1::2], fillvalue=nothing)
        ]
        width = half
    (total,) = vectors
    return total


def active_mask(builder: ir.IRBuilder, remaining: ir.Value, lanes: int) -> ir.Value:
    """Which of so many lanes there are, if there are `remaining` numbers."""
    integers = ir.VectorType(ir.IntType(64), lanes)
    numbers = ir.Constant(integers, list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, remaining, integers))


def _align_stack(function: ir.Function) -> None:
    """Let vectors that find no register wait where none of them lies across two lines of the cache."""
    function.attributes.add("nounwind")  # llvmlite writes no `alignstack` where there is nothing beside it
    function.attributes.alignstack = REGISTER_BYTES


@dataclass(frozen=True, slots=True)
class Operations:
    """What a kernel of one dtype is written with."""

    active_lanes: Callable
    again: Callable
    add: Callable
    add_totals: Callable
    load: Callable
    store: Callable
    load_lanes: Callable
    store_lanes: Callable
    write_row: Callable
    bring: Callable
    fetch: Callable
    add_lanes: Callable
    load_rows: Callable
    store_rows: Callable
    turn_in: Callable
    turn_out: Callable
    load_scalar: Callable
    store_scalar: Callable
    zero: Callable
    total: Callable
    reciprocal_norm: Callable


def define_operations(access: Access) -> Operations:
    """The functions that move vectors and reduce them, callable from Numba code only."""
    kind = access.kind
    element_type, mask_type = kind.element, MaskType(kind.lanes)

    @intrinsic
    def active_lanes(typingctx, remaining):
        """The mask of the lanes below `remaining`: all of them, but for the last vector of a row."""

        def codegen(context, builder, sig, args):
            _align_stack(builder.function)
            return active_mask(builder, args[0], kind.lanes)

        return mask_type(types.int64), codegen

    @intrinsic
    def again(typingctx, index):
        """The same index. A compiler does not know that it is, so what it leads to is read again, where it
        would be kept in a register, or beside the stack's other vectors."""

        def codegen(context, builder, sig, args):
            kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
            return builder.asm(kind, "", "=r,0", [args[0]], False)

        return types.int64(types.int64), codegen

    @intrinsic
    def load(typingctx, base, offset, mask):
        """The vector that starts `offset` elements after address `base`; inactive lanes read as zero."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = vector_address(builder, *args[:2], vector)
            return access.load(builder, pointer, args[2])

        return kind(types.int64, types.int64, mask_type), codegen

    @intrinsic
    def store(typingctx, base, offset, value, mask):
        """Write the active lanes of `value` from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = vector_address(builder, *args[:2], vector)
            access.store(builder, pointer, args[2], args[3])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind, mask_type), codegen

    @intrinsic
    def load_lanes(typingctx, base, offset):
        """A whole vector, from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            _align_stack(builder.function)
            vector = context.get_value_type(kind)
            return builder.load(vector_address(builder, *args, vector), align=kind.element.bitwidth // 8)

        return kind(types.int64, types.int64), codegen

    @intrinsic
    def store_lanes(typingctx, base, offset, value):
        """Write a whole vector, from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = vector_address(builder, *args[:2], vector)
            builder.store(args[2], pointer, align=kind.element.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), codegen

    @intrinsic
    def add_lanes(typingctx, base, offset, value):
        """Add a whole vector to what stands from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector, alignment = context.get_value_type(kind), kind.element.bitwidth // 8
            pointer = vector_address(builder, *args[:2], vector)
            before = builder.load(pointer, align=alignment)
            builder.store(builder.fadd(before, args[2], flags=CONTRACT), pointer, align=alignment)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), codegen

    @intrinsic
    def write_row(typingctx, base, offset, row, count, writing):
        """Write the `count` numbers from address `row` on to `offset` elements after address `base`, as
        `writing` (`tfngen.forms.Writing`) says; past the caches only where they fill lines. `row` begins a
        line of the cache, and behind its numbers there is room for a vector."""

        def codegen(context, builder, sig, args):
            integer, element = ir.IntType(64), context.get_value_type(element_type)
            vector, size = context.get_value_type(kind), element_type.bitwidth // 8
            to, origin = (
                address_of(builder, *args[:2], element),
                builder.inttoptr(args[2], element.as_pointer()),
            )
            count, writing = args[3:]
            past = builder.or_(builder.ptrtoint(to, integer), builder.mul(count, integer(size)))
            in_lines = builder.icmp_unsigned("==", builder.and_(past, integer(LINE_BYTES - 1)), integer(0))
            far = builder.icmp_unsigned("==", writing, integer(Writing.PAST_CACHES))
            adds = builder.icmp_unsigned("==", writing, integer(Writing.ADD))

            def each(step: int) -> Iterator[tuple[ir.Value, ir.Value, ir.Value]]:
                with cgutils.for_range_slice(builder, integer(0), count, integer(step), inc=True) as (at, _):
                    yield at, builder.gep(to, [at]), builder.gep(origin, [at])

            def each_vector() -> Iterator[tuple[ir.Value, ir.Value, ir.Value]]:
                for at, *pointers in each(kind.lanes):
                    place, source = (builder.bitcast(pointer, vector.as_pointer()) for pointer in pointers)
                    mask = active_mask(builder, builder.sub(count, at), kind.lanes)
                    yield place, builder.load(source, align=size), mask

            with builder.if_else(builder.and_(far, in_lines)) as (line, other):
                with line:
                    for _, place, source in each(LINE_BYTES // size):
                        access.write_past_caches(builder, place, source)
                with other, builder.if_else(adds) as (shared, own):
                    with shared:
                        for place, value, mask in each_vector():
                            access.add(builder, place, value, mask)
                    with own:
                        for place, value, mask in each_vector():
                            access.store(builder, place, value, mask)
            return context.get_dummy_value()

        return types.void(*(types.int64,) * 5), codegen

    def prefetch(closeness: int) -> Callable:
        """Ask for the cache line at an address: into the first-level cache (3) or the second (2)."""

        @intrinsic
        def ask(typingctx, base, offset):
            def codegen(context, builder, sig, args):
                pointer = address_of(builder, *args, context.get_value_type(element_type))
                byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
                flags = [ir.Constant(ir.IntType(32), flag) for flag in (0, closeness, 1)]
                call_llvm(builder, "llvm.prefetch.p0", ir.VoidType(), [byte, *flags])
                return context.get_dummy_value()

            return types.void(types.int64, types.int64), codegen

        return ask

    @intrinsic
    def add(typingctx, base, offset, value, mask):
        """Add the active lanes of `value` to what stands from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = vector_address(builder, *args[:2], vector)
            access.add(builder, pointer, args[2], args[3])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind, mask_type), codegen

    @intrinsic
    def add_totals(typingctx, base, offset, values):
        """Add the sum over lanes of each of the `values` to the numbers from `offset` elements after address
        `base` on, side by side."""

        def codegen(context, builder, sig, args):
            vector, lanes = context.get_value_type(kind), kind.lanes
            given = cgutils.unpack_tuple(builder, args[2], len(values))
            for start in range(0, len(given), lanes):
                chunk = given[start : start + lanes]
                place = builder.add(args[1], ir.Constant(ir.IntType(64), start))
                pointer = vector_address(builder, args[0], place, vector)
                access.add_first(builder, pointer, _totals(builder, chunk, vector), len(chunk))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, values), codegen

    @intrinsic(prefer_literal=True)
    def load_rows(typingctx, base, offset, stride, width, mask):
        """`width` vectors: lane k of them is the row from `offset + k · stride` elements after address `base`
        on; inactive lanes read as zero. `stride` and `width` are written out."""
        if not isinstance(stride, types.IntegerLiteral) or not isinstance(width, types.IntegerLiteral):
            return None
        step, count = stride.literal_value, width.literal_value

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            rows = Rows(builder, *args[:2], step, count, args[4], vector)
            return cgutils.pack_array(builder, rows.read(access.alignment), vector)

        return types.UniTuple(kind, count)(types.int64, types.int64, stride, width, mask_type), codegen

    @intrinsic(prefer_literal=True)
    def store_rows(typingctx, base, offset, stride, values, mask):
        """Write a row for each active lane k: its lane of each of the `values`, side by side from
        `offset + k · stride` elements after address `base` on. `stride` is written out."""
        if not isinstance(stride, types.IntegerLiteral):
            return None
        step, count = stride.literal_value, len(values)

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            rows = Rows(builder, *args[:2], step, count, args[4], vector)
            rows.write(cgutils.unpack_tuple(builder, args[3], count), access.alignment)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, stride, values, mask_type), codegen

    @intrinsic
    def turn_in(typingctx, base, offset, stride, active, within, lanes):
        """Read the `active` rows from `offset + k · stride` elements after address `base` on, as far as
        `within`, and write a vector for each of their numbers from address `lanes` on, zeros for others."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            square = Square(builder, *args[:3], args[3], args[4], vector)
            for at, column in enumerate(square.read(access.alignment)):
                place = vector_address(builder, args[5], ir.IntType(64)(at * kind.lanes), vector)
                builder.store(column, place, align=kind.element.bitwidth // 8)
            return context.get_dummy_value()

        integers = (types.int64,) * 3
        return types.void(*integers, mask_type, mask_type, types.int64), codegen

    @intrinsic
    def turn_out(typingctx, base, offset, stride, active, within, lanes):
        """The inverse of `turn_in`: what is not active, or not within, stays as it is."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            places = [
                vector_address(builder, args[5], ir.IntType(64)(at * kind.lanes), vector)
                for at in range(kind.lanes)
            ]
            columns = [builder.load(place, align=kind.element.bitwidth // 8) for place in places]
            square = Square(builder, *args[:3], args[3], args[4], vector)
            square.write(columns, access.alignment)
            return context.get_dummy_value()

        integers = (types.int64,) * 3
        return types.void(*integers, mask_type, mask_type, types.int64), codegen

    @intrinsic
    def load_scalar(typingctx, base, offset):
        """The single number `offset` elements after address `base`."""

        def codegen(context, builder, sig, args):
            return builder.load(address_of(builder, *args, context.get_value_type(element_type)))

        return element_type(types.int64, types.int64), codegen

    @intrinsic
    def store_scalar(typingctx, base, offset, value):
        """Write the single number `value` at `offset` elements after address `base`."""

        def codegen(context, builder, sig, args):
            pointer = address_of(builder, *args[:2], context.get_value_type(element_type))
            builder.store(args[2], pointer)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, element_type), codegen

    @intrinsic
    def zero(typingctx):
        """A vector of zeros."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            return ir.Constant(vector, [0.0] * vector.count)

        return kind(), codegen

    @intrinsic
    def total(typingctx, value):
        """The sum over lanes: halves are added until one lane is left, always in the same order."""

        def codegen(context, builder, sig, args):
            vector, count = args[0], kind.lanes
            while count > 1:
                count //= 2
                index = ir.VectorType(ir.IntType(32), count)
                lower, upper = list(range(count)), list(range(count, 2 * count))
                low = builder.shuffle_vector(vector, vector, ir.Constant(index, lower))
                high = builder.shuffle_vector(vector, vector, ir.Constant(index, upper))
                vector = builder.fadd(low, high)
            return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

        return element_type(kind), codegen

    @intrinsic
    def reciprocal_norm(typingctx, x, y, z):
        """1 / √(x² + y² + z²), and 0 for a zero vector; NaN stays NaN."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            squares = [builder.fmul(value, value) for value in args]
            squared = builder.fadd(builder.fadd(squares[0], squares[1]), squares[2])
            root = call_llvm(builder, f"llvm.sqrt.{suffix(vector)}", vector, [squared])
            zeros = ir.Constant(vector, [0.0] * vector.count)
            reciprocal = builder.fdiv(ir.Constant(vector, [1.0] * vector.count), root)
            return builder.select(builder.fcmp_unordered("!=", squared, zeros), reciprocal, zeros)

        return kind(kind, kind, kind), codegen

    found = locals()
    found |= {"bring": prefetch(closeness=3), "fetch": prefetch(closeness=2)}
    return Operations(**{field.name: found[field.name] for field in fields(Operations)})
