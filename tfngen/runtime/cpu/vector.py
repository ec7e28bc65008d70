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

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.extending import lower_builtin, register_model, type_callable

CONTRACT = ("contract",)
"""a·b + c may round once (a fused multiply-add). No other liberty is taken with the arithmetic."""


def _register_bytes() -> int:
    """Bytes in the widest vector register of this machine: 64 with AVX-512, 32 with AVX, else 16."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx") else 16


REGISTER_BYTES = _register_bytes()
STORES_MASKED = REGISTER_BYTES == 64
"""Whether some lanes are written as fast as all: AVX-512 does."""
LINE_BYTES = 64
"""A line of the cache."""


class VectorType(types.Type):
    """`lanes` values of one element type, held in one register: as many as fit, unless told."""

    def __init__(self, element: types.Float, lanes: int | None = None) -> None:
        self.element = element
        self.lanes = lanes or REGISTER_BYTES * 8 // element.bitwidth
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


def splat(builder: ir.IRBuilder, value: ir.Value, vector: ir.VectorType) -> ir.Value:
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
            value if isinstance(kind, VectorType) else splat(builder, value, vector)
            for kind, value in zip(sig.args, args, strict=True)
        ]
        return getattr(builder, instruction)(*operands, flags=CONTRACT)

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
