"""Explicit SIMD vectors for Numba kernels: the arithmetic a generated kernel is written in.

A generated kernel reads like scalar Python::

    input_x = load(inputs, input_at, active)
    output_y = weight * (coupling_x_y * input_x + coupling_z_y * input_z)
    store(results, result_at + result_step, output_y, active)

but each per-channel name holds a whole vector of channels. A plain number meets a vector by being
broadcast. Loops over vectors need no help from LLVM's auto-vectoriser, which makes them quick to compile
and fast on the first try; `active` masks the lanes past the last channel, so any channel count works and
nothing outside an array is ever touched.

Memory is addressed by integers (`tensor.data_ptr()`), with offsets counted in elements: the launcher has
checked every shape, and a kernel without array descriptors compiles faster and launches cheaper.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, fields

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, lower_builtin, register_model, type_callable

_CONTRACT = ("contract",)
"""a·b + c may round once (a fused multiply-add). No other liberty is taken with the arithmetic."""


def _register_bytes() -> int:
    """Bytes in the widest vector register of this machine: 64 with AVX-512, 32 with AVX, else 16."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx") else 16


REGISTER_BYTES = _register_bytes()


class VectorType(types.Type):
    """`lanes` values of one element type, held in one register."""

    def __init__(self, element: types.Float) -> None:
        self.element = element
        self.lanes = REGISTER_BYTES * 8 // element.bitwidth
        super().__init__(name=f"vector({element}x{self.lanes})")


class MaskType(types.Type):
    """One bit per lane: whether the lane stands for a channel that exists."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"mask({lanes})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        element = ir.FloatType() if fe_type.element == types.float32 else ir.DoubleType()
        super().__init__(manager, fe_type, ir.VectorType(element, fe_type.lanes))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


FLOAT32, FLOAT64 = VectorType(types.float32), VectorType(types.float64)


# ── arithmetic ──────────────────────────────────────────────────────────────────────────────────────────


def _splat(builder: ir.IRBuilder, value: ir.Value, vector: ir.VectorType) -> ir.Value:
    """The scalar `value` in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, lanes)


def _type_binary(left, right):
    """vector ∘ vector, or a vector and a number of its own element type; never a silent widening."""
    if isinstance(left, VectorType) and right in (left, left.element):
        return left
    if isinstance(right, VectorType) and left == right.element:
        return right
    return None


def _register_binary(op, instruction: str) -> None:
    @type_callable(op)
    def type_operator(context):
        return _type_binary

    def lower(context, builder, sig, args):
        vector = context.get_value_type(sig.return_type)
        operands = [
            value if isinstance(kind, VectorType) else _splat(builder, value, vector)
            for kind, value in zip(sig.args, args, strict=True)
        ]
        return getattr(builder, instruction)(*operands, flags=_CONTRACT)

    for left, right in ((VectorType, VectorType), (VectorType, types.Float), (types.Float, VectorType)):
        lower_builtin(op, left, right)(lower)


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
):
    _register_binary(_operator, _instruction)


@type_callable(operator.neg)
def _type_negate(context):
    return lambda value: value if isinstance(value, VectorType) else None


@lower_builtin(operator.neg, VectorType)
def _lower_negate(context, builder, sig, args):
    return builder.fneg(args[0])


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────


def _address(builder: ir.IRBuilder, base: ir.Value, offset: ir.Value, element: ir.Type) -> ir.Value:
    pointer = builder.inttoptr(base, element.as_pointer())
    return builder.gep(pointer, [offset])


def _vector_address(builder: ir.IRBuilder, base, offset, vector: ir.VectorType) -> ir.Value:
    return builder.bitcast(_address(builder, base, offset, vector.element), vector.as_pointer())


def _intrinsic(builder: ir.IRBuilder, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
    """Call LLVM's own function `name`."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _suffix(vector: ir.VectorType) -> str:
    return f"v{vector.count}{'f32' if isinstance(vector.element, ir.FloatType) else 'f64'}"


def _alignment(kind: VectorType) -> ir.Constant:
    return ir.Constant(ir.IntType(32), kind.element.bitwidth // 8)


def _strided(builder: ir.IRBuilder, base, offset, stride, vector: ir.VectorType) -> ir.Value:
    """The addresses offset, offset + stride, offset + 2 stride, … as a vector of pointers."""
    integers = ir.VectorType(ir.IntType(64), vector.count)
    steps = builder.mul(_splat(builder, stride, integers), ir.Constant(integers, list(range(vector.count))))
    elements = builder.add(_splat(builder, offset, integers), steps)
    size = 4 if isinstance(vector.element, ir.FloatType) else 8
    bytes_ = builder.mul(elements, ir.Constant(integers, [size] * vector.count))
    addresses = builder.add(_splat(builder, base, integers), bytes_)
    return builder.inttoptr(addresses, ir.VectorType(vector.element.as_pointer(), vector.count))


@dataclass(frozen=True, slots=True)
class Operations:
    """What a kernel of one dtype is written with."""

    active_lanes: Callable
    add: Callable
    add_scalar: Callable
    load: Callable
    store: Callable
    load_edges: Callable
    store_edges: Callable
    fetch: Callable
    claim: Callable
    load_strided: Callable
    store_strided: Callable
    load_scalar: Callable
    store_scalar: Callable
    zero: Callable
    total: Callable
    reciprocal_norm: Callable


def define_operations(kind: VectorType) -> Operations:
    """The functions that move vectors of `kind` and reduce them, callable from Numba code only."""
    element_type, mask_type = kind.element, MaskType(kind.lanes)

    @intrinsic
    def active_lanes(typingctx, remaining):
        """The mask of the lanes below `remaining`: all of them, but for the last vector of a row."""

        def codegen(context, builder, sig, args):
            integers = ir.VectorType(ir.IntType(64), kind.lanes)
            lanes = ir.Constant(integers, list(range(kind.lanes)))
            return builder.icmp_signed("<", lanes, _splat(builder, args[0], integers))

        return mask_type(types.int64), codegen

    @intrinsic
    def load(typingctx, base, offset, mask):
        """The vector that starts `offset` elements after address `base`; inactive lanes read as zero."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = _vector_address(builder, *args[:2], vector)
            zeros = ir.Constant(vector, [0.0] * vector.count)
            arguments = [pointer, _alignment(kind), args[2], zeros]
            return _intrinsic(builder, f"llvm.masked.load.{_suffix(vector)}.p0", vector, arguments)

        return kind(types.int64, types.int64, mask_type), codegen

    @intrinsic
    def store(typingctx, base, offset, value, mask):
        """Write the active lanes of `value` from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = _vector_address(builder, *args[:2], vector)
            arguments = [args[2], pointer, _alignment(kind), args[3]]
            _intrinsic(builder, f"llvm.masked.store.{_suffix(vector)}.p0", ir.VoidType(), arguments)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind, mask_type), codegen

    @intrinsic
    def load_edges(typingctx, base, offset):
        """A whole vector, from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            return builder.load(_vector_address(builder, *args, vector), align=kind.element.bitwidth // 8)

        return kind(types.int64, types.int64), codegen

    @intrinsic
    def store_edges(typingctx, base, offset, value):
        """Write a whole vector, from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = _vector_address(builder, *args[:2], vector)
            builder.store(args[2], pointer, align=kind.element.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), codegen

    def prefetch(write: int) -> Callable:
        """Ask for the cache line at an address, to be read soon (`fetch`) or written (`claim`)."""

        @intrinsic
        def ask(typingctx, base, offset):
            def codegen(context, builder, sig, args):
                pointer = _address(builder, *args, context.get_value_type(element_type))
                byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
                # For reading or writing, into the second-level cache, of data.
                flags = [ir.Constant(ir.IntType(32), flag) for flag in (write, 2, 1)]
                _intrinsic(builder, "llvm.prefetch.p0", ir.VoidType(), [byte, *flags])
                return context.get_dummy_value()

            return types.void(types.int64, types.int64), codegen

        return ask

    @intrinsic
    def add(typingctx, base, offset, value, mask):
        """Add the active lanes of `value` to what stands from `offset` elements after address `base` on."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointer = _vector_address(builder, *args[:2], vector)
            zeros = ir.Constant(vector, [0.0] * vector.count)
            align, name = _alignment(kind), f"{_suffix(vector)}.p0"
            read = [pointer, align, args[3], zeros]
            before = _intrinsic(builder, f"llvm.masked.load.{name}", vector, read)
            after = builder.fadd(before, args[2], flags=_CONTRACT)
            write = [after, pointer, align, args[3]]
            _intrinsic(builder, f"llvm.masked.store.{name}", ir.VoidType(), write)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind, mask_type), codegen

    @intrinsic
    def add_scalar(typingctx, base, offset, value):
        """Add `value` to the single number `offset` elements after address `base`."""

        def codegen(context, builder, sig, args):
            pointer = _address(builder, *args[:2], context.get_value_type(element_type))
            builder.store(builder.fadd(builder.load(pointer), args[2]), pointer)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, element_type), codegen

    @intrinsic
    def load_strided(typingctx, base, offset, stride, mask):
        """Lane k from `offset + k · stride` elements after address `base`; inactive lanes read as zero."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointers = _strided(builder, *args[:3], vector)
            zeros = ir.Constant(vector, [0.0] * vector.count)
            name = f"llvm.masked.gather.{_suffix(vector)}.v{vector.count}p0"
            return _intrinsic(builder, name, vector, [pointers, _alignment(kind), args[3], zeros])

        return kind(types.int64, types.int64, types.int64, mask_type), codegen

    @intrinsic
    def store_strided(typingctx, base, offset, stride, value, mask):
        """Write active lane k of `value` at `offset + k · stride` elements after address `base`."""

        def codegen(context, builder, sig, args):
            vector = context.get_value_type(kind)
            pointers = _strided(builder, *args[:3], vector)
            name = f"llvm.masked.scatter.{_suffix(vector)}.v{vector.count}p0"
            _intrinsic(builder, name, ir.VoidType(), [args[3], pointers, _alignment(kind), args[4]])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, kind, mask_type), codegen

    @intrinsic
    def load_scalar(typingctx, base, offset):
        """The single number `offset` elements after address `base`."""

        def codegen(context, builder, sig, args):
            return builder.load(_address(builder, *args, context.get_value_type(element_type)))

        return element_type(types.int64, types.int64), codegen

    @intrinsic
    def store_scalar(typingctx, base, offset, value):
        """Write the single number `value` at `offset` elements after address `base`."""

        def codegen(context, builder, sig, args):
            pointer = _address(builder, *args[:2], context.get_value_type(element_type))
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
            root = _intrinsic(builder, f"llvm.sqrt.{_suffix(vector)}", vector, [squared])
            zeros = ir.Constant(vector, [0.0] * vector.count)
            reciprocal = builder.fdiv(ir.Constant(vector, [1.0] * vector.count), root)
            return builder.select(builder.fcmp_unordered("!=", squared, zeros), reciprocal, zeros)

        return kind(kind, kind, kind), codegen

    found = locals()
    found |= {"fetch": prefetch(write=0), "claim": prefetch(write=1)}
    return Operations(**{field.name: found[field.name] for field in fields(Operations)})
