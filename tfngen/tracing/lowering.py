"""torch's operations on tensors that lie where they lie, as instructions (`tfngen.runtime.cpu.instructions`).

Each function here is given an operation's operands and its result, and adds what computes that result again
whenever the operands hold other numbers; or says that it knows no way.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tfngen.runtime.cpu.instructions import Instructions, gemm
from tfngen.runtime.cpu.strided import (
    KINDS,
    OUTER,
    elementwise,
    elementwise_table,
    row_moves,
    sums,
    sums_table,
)

_FLOATS = {torch.float32: "float32", torch.float64: "float64"}
_DTYPES = _FLOATS | {torch.bool: "bool"}
OPERAND_AT = 2 * (OUTER + 2)
"""Where in the table of a copy the address of what is copied stands."""
assert set(KINDS) == set(_DTYPES.values())


def knows(name: str) -> bool:
    """Whether there is a way for some operands of the function of that name."""
    return name in _WAYS


def lower(
    name: str, arguments: Sequence[Any], named: dict[str, Any], result: Tensor, to: Instructions
) -> bool:
    """Add to `to` what computes `result` again.

    Args:
        name: of torch's function, without its overload.
        arguments: of the function, by position.
        named: and by name.
        result: what it returned.
        to: instructions.

    Returns:
        Whether there is a way; if not, nothing has been added.
    """
    way = _WAYS.get(name)
    if way is None or result.dtype not in _DTYPES:
        return False
    if result.numel() == 0:
        return True
    count = to.count
    try:
        if way(to, result, *arguments, **named):
            return True
    except TypeError:  # arguments that the function takes and ours does not
        pass
    to.take_back(count)
    return False


# ── number by number ────────────────────────────────────────────────────────────────────────────────────


def loops_over(sizes: Sequence[int], steps: Sequence[Sequence[int]], most: int) -> list[list[int]] | None:
    """Axes in the order in which the first array lies in memory, as few loops as go through all of them.

    Args:
        sizes: of the axes.
        steps: of each array, from one number to the next along each axis.
        most: the most loops.

    Returns:
        `most` loops: how many turns, and the step of each array. None if that is too few.
    """
    axes = [axis for axis in range(len(sizes)) if sizes[axis] != 1]
    axes.sort(key=lambda axis: -abs(steps[0][axis]))
    found: list[list[int]] = []
    for axis in axes:
        inner = [each[axis] for each in steps]
        if found and all(
            step == size_step * sizes[axis] for step, size_step in zip(found[-1][1:], inner, strict=True)
        ):
            found[-1] = [found[-1][0] * sizes[axis], *inner]
        else:
            found.append([sizes[axis], *inner])
    if len(found) > most:
        return None
    return [[1, *[0] * len(steps)]] * (most - len(found)) + found


def _compute(to: Instructions, name: str, result: Tensor, *operands: Any) -> bool:
    """result = the operation `name` of the operands, tensors or numbers, all of one kind where they are."""
    kind = next((each.dtype for each in operands if isinstance(each, Tensor) and each.dtype in _FLOATS), None)
    kind = kind or result.dtype
    if kind not in _FLOATS:
        return False
    given = [each if isinstance(each, Tensor) else torch.tensor(each, dtype=kind) for each in operands]
    if any(each.dtype != kind for each in given[name == "where" :]):
        return False
    if not _apply(to, name, result, given):
        return False
    to.keep(*(each for each in given if not any(each is operand for operand in operands)))
    return True


def _apply(to: Instructions, name: str, result: Tensor, operands: Sequence[Tensor]) -> bool:
    """result = the operation `name` of the operands, which are repeated along axes that they do not have."""
    arrays = [result, *(each.expand(result.shape) for each in operands)]
    if not all(each.dtype in _DTYPES and each.is_cpu for each in arrays):
        return False
    if not result.numel():
        return True
    loops = loops_over(result.shape, [_bytes(each) for each in arrays], OUTER + 1)
    if loops is None:
        return False
    dtypes = tuple(_DTYPES[each.dtype] for each in arrays)
    sizes, *steps = zip(*loops, strict=True)
    places = [(each.data_ptr(), step) for each, step in zip(arrays, steps, strict=True)]
    to.table(elementwise(name, dtypes), elementwise_table(sizes, places, dtypes))
    return True


def _bytes(tensor: Tensor) -> list[int]:
    """From one number to the next along each axis."""
    return [step * tensor.itemsize for step in tensor.stride()]


def _operation(name: str) -> Callable[..., bool]:
    return lambda to, result, *operands: _compute(to, name, result, *operands)


def _scaled(name: str) -> Callable[..., bool]:
    """a ± alpha · b."""

    def way(to: Instructions, result: Tensor, a: Any, b: Any, alpha: float = 1) -> bool:
        if alpha == 1:
            return _compute(to, name, result, a, b)
        return _compute(to, f"{name}_scaled", result, a, b, alpha)

    return way


def _rsub(to: Instructions, result: Tensor, a: Any, b: Any, alpha: float = 1) -> bool:
    return alpha == 1 and _compute(to, "sub", result, b, a)


def _pow(to: Instructions, result: Tensor, base: Any, exponent: Any) -> bool:
    known = {1: "copy", 2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
    if isinstance(exponent, Tensor) or exponent not in known:
        return False
    return _compute(to, known[exponent], result, base)


def _addcmul(to: Instructions, result: Tensor, a: Tensor, b: Tensor, c: Tensor, value: float = 1) -> bool:
    return _compute(to, "addcmul", result, a, b, c, value)


def _masked_fill(to: Instructions, result: Tensor, x: Tensor, mask: Tensor, value: Any) -> bool:
    return _compute(to, "where", result, mask, value, x)


def _softplus(to: Instructions, result: Tensor, x: Tensor, beta: float = 1, threshold: float = 20) -> bool:
    return _compute(to, "softplus", result, x, beta, threshold)


def copy(to: Instructions, result: Tensor, values: Tensor) -> bool:
    """result = values, converted."""
    if result.dtype == values.dtype:
        return _apply(to, "copy", result, [values])
    return result.dtype in _FLOATS and _apply(to, f"to_{_FLOATS[result.dtype]}", result, [values])


def _copied(to: Instructions, result: Tensor, values: Tensor, **_: Any) -> bool:
    """A copy in another layout, or of another type; how is what `result` shows."""
    return copy(to, result, values)


def _cat(to: Instructions, result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> bool:
    start, done = 0, True
    for each in tensors:
        if each.dim() != result.dim():  # torch skips empty vectors
            return False
        length = each.shape[dim]
        if each.numel():
            done = done and copy(to, result.narrow(dim, start, length), each)
        start += length
    return done


def _stack(to: Instructions, result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> bool:
    return all(copy(to, result.select(dim, at), each) for at, each in enumerate(tensors))


def _slice_scatter(
    to: Instructions, result: Tensor, x: Tensor, source: Tensor, dim: int = 0, start: Any = None,
    end: Any = None, step: int = 1,
) -> bool:  # fmt: skip
    """`x`, and `source` where the slice is."""
    index = [slice(None)] * result.dim()
    index[dim] = slice(start, end, step)
    return copy(to, result, x) and copy(to, result[tuple(index)], source)


def _slice_backward(
    to: Instructions, result: Tensor, grad: Tensor, sizes: Any, dim: int, start: int, end: int, step: int
) -> bool:
    """`grad` where the slice was, and zeros around it."""
    index = [slice(None)] * result.dim()
    index[dim] = slice(start, end, step)
    return _compute(to, "copy", result, 0.0) and (not grad.numel() or copy(to, result[tuple(index)], grad))


# ── sums and products ───────────────────────────────────────────────────────────────────────────────────


def _sum(to: Instructions, result: Tensor, x: Tensor, dims: Any = None, keepdim: bool = False) -> bool:
    if x.dtype != result.dtype or x.dtype not in _FLOATS:
        return False
    if not x.numel():
        return _compute(to, "copy", result, 0.0)
    chosen = [dims] if isinstance(dims, int) else list(dims or range(x.dim()))
    summed = sorted({dim % max(x.dim(), 1) for dim in chosen}) if x.dim() else []
    kept = [dim for dim in range(x.dim()) if dim not in summed]
    whole = result.view([1 if axis in summed else size for axis, size in enumerate(x.shape)])
    steps, origins = _bytes(whole), _bytes(x)
    over = loops_over(
        [x.shape[d] for d in kept], [[steps[d] for d in kept], [origins[d] for d in kept]], OUTER
    )
    folds = loops_over([x.shape[d] for d in summed], [[origins[d] for d in summed]], OUTER)
    if over is None or folds is None:
        return False
    sizes, to_steps, of_steps = zip(*over, strict=True)
    counts, fold_steps = zip(*folds, strict=True)
    places = [(result.data_ptr(), to_steps), (x.data_ptr(), (*of_steps, *fold_steps))]
    to.table(sums(_DTYPES[x.dtype]), sums_table(sizes, counts, _DTYPES[x.dtype], places))
    return True


def _vector_norm(
    to: Instructions, result: Tensor, x: Tensor, order: float = 2, dims: Any = None, keepdim: bool = False
) -> bool:
    """√Σ x²."""
    squared = torch.empty_like(x)
    to.keep(squared)
    found = order == 2 and _compute(to, "square", squared, x) and _sum(to, result, squared, dims, keepdim)
    return found and _compute(to, "sqrt", result, result)


def _mm(to: Instructions, result: Tensor, a: Tensor, b: Tensor) -> bool:
    return _product(to, result, a, b, 0.0)


def _addmm(to: Instructions, result: Tensor, bias: Tensor, a: Tensor, b: Tensor) -> bool:
    return copy(to, result, bias) and _product(to, result, a, b, 1.0)


def _bmm(to: Instructions, result: Tensor, a: Tensor, b: Tensor) -> bool:
    few = len(a) <= _MOST_PRODUCTS
    return few and all(_product(to, *each, 0.0) for each in zip(result, a, b, strict=True))


def _baddbmm(to: Instructions, result: Tensor, bias: Tensor, a: Tensor, b: Tensor) -> bool:
    if len(a) > _MOST_PRODUCTS or not copy(to, result, bias):
        return False
    return all(_product(to, *each, 1.0) for each in zip(result, a, b, strict=True))


_MOST_PRODUCTS = 64
"""More matrix products than this are left to torch, which knows how to do many at once."""


def _product(to: Instructions, result: Tensor, a: Tensor, b: Tensor, beta: float) -> bool:
    """result = a · b + beta · result, as BLAS computes it: rows are its columns, so bᵀ · aᵀ."""
    function = gemm(result.dtype) if result.dtype in _FLOATS else 0
    (rows, inner), columns = a.shape, b.shape[1]
    if not (function and inner and result.is_contiguous()):
        return False
    a, (turn_a, step_a) = _leading(to, a)
    b, (turn_b, step_b) = _leading(to, b)
    sizes = (ctypes.c_int32 * 6)(columns, rows, inner, step_b, step_a, columns)
    letters = ctypes.create_string_buffer(turn_b + turn_a)
    factors = torch.tensor([1.0, beta], dtype=result.dtype)
    m, n, k, ldb, lda, ldc = (ctypes.addressof(sizes) + 4 * at for at in range(6))
    turns, start = ctypes.addressof(letters), factors.data_ptr()
    to.call(
        function, turns, turns + 1, m, n, k, start, b.data_ptr(), ldb, a.data_ptr(), lda,
        start + factors.itemsize, result.data_ptr(), ldc, alive=(sizes, letters, factors),
    )  # fmt: skip
    return True


def _leading(to: Instructions, matrix: Tensor) -> tuple[Tensor, tuple[bytes, int]]:
    """A matrix, perhaps a copy, and how BLAS, which takes its rows for columns, is told of it: turned or not,
    and the step from one row, or column, to the next."""
    rows, columns = matrix.shape
    along_rows, along_columns = matrix.stride()
    if (columns == 1 or along_columns == 1) and (rows == 1 or along_rows >= columns):
        return matrix, (b"N", along_rows if rows > 1 else columns)
    if (rows == 1 or along_rows == 1) and (columns == 1 or along_columns >= rows):
        return matrix, (b"T", along_columns if columns > 1 else rows)
    copied = torch.empty_like(matrix, memory_format=torch.contiguous_format)
    to.keep(copied)
    copy(to, copied, matrix)
    return copied, (b"N", columns)


# ── rows by their numbers ───────────────────────────────────────────────────────────────────────────────


def _gather(to: Instructions, result: Tensor, rows: Tensor, index: Tensor, *_: Tensor) -> bool:
    return _index_select(to, result, rows, 0, index)


def _index_select(to: Instructions, result: Tensor, rows: Tensor, dim: int, index: Tensor) -> bool:
    return dim == 0 and _moves_rows(to, result, rows, index, adds=False)


def _index(to: Instructions, result: Tensor, rows: Tensor, indices: Sequence[Any]) -> bool:
    return len(indices) == 1 and _index_select(to, result, rows, 0, indices[0])


def _index_add(
    to: Instructions, result: Tensor, before: Tensor, dim: int, index: Tensor, source: Tensor
) -> bool:
    return dim == 0 and copy(to, result, before) and _moves_rows(to, result, source, index, adds=True)


def _moves_rows(to: Instructions, result: Tensor, rows: Tensor, index: Tensor, adds: bool) -> bool:
    """result[k] = rows[index[k]]; or, where it `adds`, result[index[k]] += rows[k]."""
    if not (_are_rows(rows) and rows.dtype == result.dtype and result.is_contiguous() and _lists_rows(index)):
        return False
    width, size = rows[:1].numel(), rows.itemsize
    places = rows.data_ptr(), index.data_ptr(), result.data_ptr()
    steps = rows.stride(0) * size, width * size
    to.table(row_moves(_DTYPES[rows.dtype], adds), [len(index), width, *places, *steps])
    return True


def _are_rows(tensor: Tensor) -> bool:
    return tensor.dtype in _FLOATS and tensor.dim() > 0 and len(tensor) > 0 and tensor[0].is_contiguous()


def _lists_rows(index: Tensor) -> bool:
    return index.dtype == torch.int64 and index.dim() == 1 and index.is_contiguous()


_WAYS: dict[str, Callable[..., bool]] = {
    **{
        name: _operation(name)
        for name in (
            *("mul", "div", "neg", "abs", "sqrt", "rsqrt", "reciprocal", "exp", "where"),
            *("eq", "ne", "lt", "le", "gt", "ge", "sigmoid", "sigmoid_backward", "silu", "silu_backward"),
            *("softplus_backward", "sin", "cos", "tanh", "log"),
        )
    },
    **{name: _scaled(name) for name in ("add", "sub")},
    **dict.fromkeys(("clone", "contiguous", "_to_copy"), _copied),
    "rsub": _rsub,
    "zero_": lambda to, result, _: _compute(to, "copy", result, 0.0),
    "pow": _pow,
    "addcmul": _addcmul,
    "masked_fill": _masked_fill,
    "softplus": _softplus,
    "linalg_vector_norm": _vector_norm,
    "slice_scatter": _slice_scatter,
    "cat": _cat,
    "stack": _stack,
    "slice_backward": _slice_backward,
    "sum": _sum,
    "mm": _mm,
    "addmm": _addmm,
    "bmm": _bmm,
    "baddbmm": _baddbmm,
    "gather_rows": _gather,
    "index": _index,
    "index_select": _index_select,
    "index_add": _index_add,
}
"""By the name of torch's function."""
