"""Operations on numbers, or vectors of them, in LLVM's terms: what torch's functions of such names compute.

Exponentials and logarithms are computed in double precision: ranges are reduced as Cody and Waite do it
(Software Manual for the Elementary Functions, 1980), what is left is summed as a series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from struct import pack, unpack

from llvmlite import ir

from tfngen.runtime.cpu.lanes import call_llvm, suffix

_INTEGER, _DOUBLE = ir.IntType(64), ir.DoubleType()
ROUNDING = 1.5 * 2.0**52
"""Added to a number and taken away again it leaves the nearest integer, in the last bits meanwhile."""
LN2_HIGH = unpack("d", pack("Q", 0x3FE62E42FEE00000))[0]
"""ln 2 with so few digits that the exponent of a number times it is exact; the rest is `LN2_LOW`."""
LN2_LOW = float(Fraction("0.693147180559945309417232121458") - Fraction(LN2_HIGH))
LARGEST, SMALLEST = 709.78, -708.0
"""Beyond them the exponential is infinite, or zero."""


def _width(kind: ir.Type) -> int:
    return kind.count if isinstance(kind, ir.VectorType) else 1


def _as(kind: ir.Type, width: int) -> ir.Type:
    return kind if width == 1 else ir.VectorType(kind, width)


def _number(value: float, kind: ir.Type) -> ir.Constant:
    return ir.Constant(kind, value if _width(kind) == 1 else [value] * kind.count)


def _convert(builder: ir.IRBuilder, value: ir.Value, element: ir.Type) -> ir.Value:
    """`value` as numbers of the type `element`; truth values as 0 and 1."""
    width = _width(value.type)
    before = value.type.element if width > 1 else value.type
    if before == element:
        return value
    if isinstance(before, ir.IntType):
        return builder.uitofp(value, _as(element, width))
    change = builder.fpext if element == _DOUBLE else builder.fptrunc
    return change(value, _as(element, width))


def _call(builder: ir.IRBuilder, name: str, *operands: ir.Value) -> ir.Value:
    kind = operands[0].type
    return call_llvm(builder, f"llvm.{name}.{suffix(kind)}", kind, [*operands])


def _fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    return _call(builder, "fma", a, b, c)


def _series(builder: ir.IRBuilder, coefficients: list[float], x: ir.Value) -> ir.Value:
    """Σ cₖ xᵏ, by Horner's rule."""
    total = _number(coefficients[-1], x.type)
    for each in reversed(coefficients[:-1]):
        total = _fma(builder, total, x, _number(each, x.type))
    return total


def _exponential(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """eˣ in double precision: x = n ln 2 + r, |r| ≤ ½ ln 2, and eˣ = 2ⁿ Σ rᵏ/k!."""
    kind = x.type
    bits = _as(_INTEGER, _width(kind))
    rounding = _number(ROUNDING, kind)
    shifted = _fma(builder, x, _number(1 / math.log(2), kind), rounding)
    n = builder.fneg(builder.fsub(shifted, rounding))
    r = _fma(builder, n, _number(LN2_LOW, kind), _fma(builder, n, _number(LN2_HIGH, kind), x))
    series = _series(builder, [1 / math.factorial(k) for k in range(14)], r)
    exponent = builder.shl(builder.bitcast(shifted, bits), _number(52, bits))
    found = builder.bitcast(builder.add(builder.bitcast(series, bits), exponent), kind)
    for beyond, limit, instead in ((">", LARGEST, math.inf), ("<", SMALLEST, 0.0)):
        outside = builder.fcmp_ordered(beyond, x, _number(limit, kind))
        found = builder.select(outside, _number(instead, kind), found)
    return builder.select(builder.fcmp_unordered("uno", x, x), x, found)


def _logarithm(builder: ir.IRBuilder, y: ir.Value) -> ir.Value:
    """ln y in double precision, y ≥ 1 and finite: y = 2ⁿ m with ½ ≤ m² < 2, and ln m = 2 Σ s²ᵏ⁺¹/(2k+1),
    where s = (m − 1)/(m + 1)."""
    kind = y.type
    bits = _as(_INTEGER, _width(kind))
    one = _number(1.0, kind)
    whole = builder.bitcast(y, bits)
    (root_of_half,) = unpack("Q", pack("d", math.sqrt(0.5)))
    n = builder.lshr(builder.sub(whole, _number(root_of_half, bits)), _number(52, bits))
    m = builder.bitcast(builder.sub(whole, builder.shl(n, _number(52, bits))), kind)
    (as_integer,) = unpack("Q", pack("d", 2.0**52))
    counted = builder.bitcast(builder.or_(n, _number(as_integer, bits)), kind)
    s = builder.fdiv(builder.fsub(m, one), builder.fadd(m, one))
    series = _series(builder, [2 / (2 * k + 1) for k in range(12)], builder.fmul(s, s))
    count = builder.fsub(counted, _number(2.0**52, kind))
    return _fma(builder, count, _number(math.log(2), kind), builder.fmul(s, series))


# ── what torch's functions compute ──────────────────────────────────────────────────────────────────────


def _softplus(builder: ir.IRBuilder, x: ir.Value, beta: ir.Value, threshold: ir.Value) -> ir.Value:
    """ln(1 + e^(βx)) / β, and x where βx is beyond the threshold."""
    kind, (x, beta, threshold) = (
        _element(x),
        (_convert(builder, each, _DOUBLE) for each in (x, beta, threshold)),
    )
    scaled = builder.fmul(x, beta)
    linear = builder.fcmp_ordered(">", scaled, threshold)
    z = _exponential(builder, builder.select(linear, _number(0.0, x.type), scaled))
    one = _number(1.0, x.type)
    y = builder.fadd(one, z)
    lost = builder.fdiv(builder.fsub(z, builder.fsub(y, one)), y)
    found = builder.fdiv(builder.fadd(_logarithm(builder, y), lost), beta)
    return _convert(builder, builder.select(linear, x, found), kind)


def _softplus_backward(
    builder: ir.IRBuilder, grad: ir.Value, x: ir.Value, beta: ir.Value, threshold: ir.Value
) -> ir.Value:
    """grad e^(βx) / (1 + e^(βx)), and grad where βx is beyond the threshold."""
    kind = _element(grad)
    given = (_convert(builder, each, _DOUBLE) for each in (grad, x, beta, threshold))
    wide, x, beta, threshold = given
    scaled = builder.fmul(x, beta)
    z = _exponential(builder, scaled)
    found = builder.fdiv(builder.fmul(wide, z), builder.fadd(z, _number(1.0, x.type)))
    linear = builder.fcmp_ordered(">", scaled, threshold)
    return _convert(builder, builder.select(linear, wide, found), kind)


def _logistic(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """1 / (1 + e⁻ˣ), of and in double precision."""
    one = _number(1.0, x.type)
    return builder.fdiv(one, builder.fadd(one, _exponential(builder, builder.fneg(x))))


def _sigmoid(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _convert(builder, _logistic(builder, _convert(builder, x, _DOUBLE)), _element(x))


def _sigmoid_backward(builder: ir.IRBuilder, grad: ir.Value, y: ir.Value) -> ir.Value:
    """grad (1 − y) y."""
    return builder.fmul(builder.fmul(grad, builder.fsub(_number(1.0, y.type), y)), y)


def _silu(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """x / (1 + e⁻ˣ)."""
    wide = _convert(builder, x, _DOUBLE)
    return _convert(builder, builder.fmul(wide, _logistic(builder, wide)), _element(x))


def _silu_backward(builder: ir.IRBuilder, grad: ir.Value, x: ir.Value) -> ir.Value:
    """grad s (1 + x (1 − s)), s = 1 / (1 + e⁻ˣ)."""
    kind, grad, wide = _element(x), _convert(builder, grad, _DOUBLE), _convert(builder, x, _DOUBLE)
    s, one = _logistic(builder, wide), _number(1.0, wide.type)
    inner = _fma(builder, wide, builder.fsub(one, s), one)
    return _convert(builder, builder.fmul(grad, builder.fmul(s, inner)), kind)


def _exp(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _convert(builder, _exponential(builder, _convert(builder, x, _DOUBLE)), _element(x))


def _of_libm(name: str) -> Callable[..., ir.Value]:
    """C's function of that name, of one number after the other."""

    def compute(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        wide = _convert(builder, x, _DOUBLE)
        if _width(x.type) == 1:
            return _convert(builder, call_llvm(builder, name, _DOUBLE, [wide]), x.type)
        found = ir.Constant(wide.type, ir.Undefined)
        for at in (ir.Constant(ir.IntType(32), lane) for lane in range(_width(x.type))):
            number = call_llvm(builder, name, _DOUBLE, [builder.extract_element(wide, at)])
            found = builder.insert_element(found, number, at)
        return _convert(builder, found, _element(x))

    return compute


def _reciprocal(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return builder.fdiv(_number(1.0, x.type), x)


def _sqrt(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _call(builder, "sqrt", x)


def _addcmul(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value, value: ir.Value) -> ir.Value:
    return builder.fadd(a, builder.fmul(builder.fmul(value, b), c))


def _scaled(name: str) -> Callable[..., ir.Value]:
    """a + factor · b, or a − factor · b."""
    return lambda builder, a, b, factor: getattr(builder, name)(a, builder.fmul(factor, b))


def _element(value: ir.Value) -> ir.Type:
    return value.type.element if _width(value.type) > 1 else value.type


def _compared(how: str) -> Callable[..., ir.Value]:
    if how == "!=":  # which a number that is none is to everything
        return lambda builder, a, b: builder.fcmp_unordered(how, a, b)
    return lambda builder, a, b: builder.fcmp_ordered(how, a, b)


OPERATIONS: dict[str, Callable[..., ir.Value]] = {
    "add": lambda builder, a, b: builder.fadd(a, b),
    "sub": lambda builder, a, b: builder.fsub(a, b),
    "mul": lambda builder, a, b: builder.fmul(a, b),
    "div": lambda builder, a, b: builder.fdiv(a, b),
    "add_scaled": _scaled("fadd"),
    "sub_scaled": _scaled("fsub"),
    "addcmul": _addcmul,
    "neg": lambda builder, a: builder.fneg(a),
    "abs": lambda builder, a: _call(builder, "fabs", a),
    "sqrt": _sqrt,
    "rsqrt": lambda builder, a: _reciprocal(builder, _sqrt(builder, a)),
    "reciprocal": _reciprocal,
    "square": lambda builder, a: builder.fmul(a, a),
    "exp": _exp,
    "sigmoid": _sigmoid,
    "sigmoid_backward": _sigmoid_backward,
    "silu": _silu,
    "silu_backward": _silu_backward,
    "softplus": _softplus,
    "softplus_backward": _softplus_backward,
    **{name: _of_libm(name) for name in ("sin", "cos", "tanh", "log")},
    "where": lambda builder, condition, a, b: builder.select(condition, a, b),
    "copy": lambda builder, a: a,
    "to_float32": lambda builder, a: _convert(builder, a, ir.FloatType()),
    "to_float64": lambda builder, a: _convert(builder, a, _DOUBLE),
    **{
        name: _compared(how)
        for name, how in {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()
    },
}
"""By name, functions of a builder and of operands."""
