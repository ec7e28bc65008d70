"""Arithmetic on small strided tensors as machine code that is called without Python.

torch spends some microseconds on finding out how to add a few numbers. Here that has been found out before:
`elementwise`, `sums` and `row_moves` give functions of one table, which has addresses, sizes and strides.
They are compiled when they are first asked for, in milliseconds; nothing is kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from llvmlite import ir
from numba.core import cgutils

from tfngen.runtime.cpu.elementary import OPERATIONS
from tfngen.runtime.machine_code import address_of_function

LANES = 8
"""The numbers of a vector, whatever their type."""
OUTER = 3
"""Loops around the innermost one."""
_INTEGER, _BYTE = ir.IntType(64), ir.IntType(8)
KINDS: dict[str, ir.Type] = {"float32": ir.FloatType(), "float64": ir.DoubleType(), "bool": _BYTE}
SIZES = {"float32": 4, "float64": 8, "bool": 1}


def _index(number: int) -> ir.Constant:
    return ir.Constant(_INTEGER, number)


@contextmanager
def _function(name: str) -> Iterator[tuple[ir.IRBuilder, ir.Value]]:
    """A function of the address of a table, which returns nothing; its lines are written inside."""
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_INTEGER]), name)
    builder = ir.IRBuilder(function.append_basic_block())
    yield builder, function.args[0]
    builder.ret_void()


def _compiled(builder: ir.IRBuilder) -> int:
    return address_of_function(str(builder.module), builder.function.name)


def _field(builder: ir.IRBuilder, table: ir.Value, at: int) -> ir.Value:
    return builder.load(builder.gep(builder.inttoptr(table, _INTEGER.as_pointer()), [_index(at)]))


class _Array:
    """An operand or a result: where it begins, and bytes from one number to the next, loop by loop."""

    def __init__(self, builder: ir.IRBuilder, table: ir.Value, at: int, loops: int, dtype: str) -> None:
        self._builder, self.kind, self.dtype = builder, KINDS[dtype], dtype
        self.start, *self.steps = (_field(builder, table, at + k) for k in range(1 + loops))

    def at(self, indices: Sequence[ir.Value], start: ir.Value | None = None, skip: int = 0) -> ir.Value:
        """The address at which so many loops have come to `indices`, the first of them after `skip`."""
        builder, address = self._builder, self.start if start is None else start
        for step, index in zip(self.steps[skip:], indices, strict=False):
            address = builder.add(address, builder.mul(step, index))
        return address

    def load(self, address: ir.Value, lanes: int = 1) -> ir.Value:
        kind = self._type(lanes)
        pointer = self._builder.inttoptr(address, kind.as_pointer())
        value = self._builder.load(pointer, align=SIZES[self.dtype])
        if self.dtype != "bool":
            return value
        return self._builder.icmp_unsigned("!=", value, ir.Constant(kind, None))

    def store(self, value: ir.Value, address: ir.Value, lanes: int = 1) -> None:
        kind = self._type(lanes)
        if self.dtype == "bool":
            value = self._builder.zext(value, kind)
        pointer = self._builder.inttoptr(address, kind.as_pointer())
        self._builder.store(value, pointer, align=SIZES[self.dtype])

    def _type(self, lanes: int) -> ir.Type:
        return self.kind if lanes == 1 else ir.VectorType(self.kind, lanes)


@contextmanager
def _loops(builder: ir.IRBuilder, counts: Sequence[ir.Value]) -> Iterator[list[ir.Value]]:
    """Loops within each other; their indices."""
    if not counts:
        yield []
        return
    with cgutils.for_range(builder, counts[0]) as loop, _loops(builder, counts[1:]) as inner:
        yield [loop.index, *inner]


def _carried(
    builder: ir.IRBuilder, count: ir.Value, start: ir.Value, body: Callable[[ir.Value, ir.Value], ir.Value]
) -> ir.Value:
    """What `body` of an index and the value so far makes of `start` in `count` turns, kept in a register."""
    before = builder.block
    head, turn, done = (builder.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    index, value = builder.phi(_INTEGER), builder.phi(start.type)
    index.add_incoming(_index(0), before)
    value.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<", index, count), turn, done)
    builder.position_at_end(turn)
    found = body(index, value)
    index.add_incoming(builder.add(index, _index(1)), builder.block)
    value.add_incoming(found, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return value


# ── number by number ────────────────────────────────────────────────────────────────────────────────────


def elementwise_table(
    sizes: Sequence[int], arrays: Sequence[tuple[int, Sequence[int]]], dtypes: Sequence[str]
) -> list[int]:
    """The table of a function that `elementwise` gives.

    Args:
        sizes: of all loops, `OUTER` and the innermost.
        arrays: the result and the operands: addresses, and bytes from number to number for each loop.
        dtypes: theirs.
    """
    steps = [(each[-1], SIZES[dtype]) for (_, each), dtype in zip(arrays, dtypes, strict=True)]
    side_by_side = steps[0][0] == steps[0][1] and all(step in (0, size) for step, size in steps)
    in_vectors = sizes[-1] // LANES * LANES if side_by_side else 0
    return [*sizes, in_vectors, *(number for start, each in arrays for number in (start, *each))]


@cache
def elementwise(name: str, dtypes: tuple[str, ...]) -> int:
    """The address of a function that computes `name`, one of `OPERATIONS`, number by number.

    Args:
        name: of the operation.
        dtypes: of its result, and of its operands.
    """
    with _function(f"{name}_{'_'.join(dtypes)}") as (builder, table):
        *outer, count, in_vectors = (_field(builder, table, at) for at in range(OUTER + 2))
        arrays = [
            _Array(builder, table, OUTER + 2 + at * (OUTER + 2), OUTER + 1, dtype)
            for at, dtype in enumerate(dtypes)
        ]
        result, *operands = arrays
        rooms = [builder.alloca(ir.VectorType(each.kind, LANES)) for each in operands]
        compute = OPERATIONS[name]
        with _loops(builder, outer) as indices:
            rows = [each.at(indices) for each in arrays]
            starts = [  # of an operand that is the same number all along, a vector full of it
                _repeated(builder, each, row, room)
                for each, row, room in zip(operands, rows[1:], rooms, strict=True)
            ]
            with cgutils.for_range_slice(builder, _index(0), in_vectors, _index(LANES), inc=True) as (at, _):
                given = [
                    each.load(each.at([at], start, OUTER), LANES)
                    for each, start in zip(operands, starts, strict=True)
                ]
                result.store(compute(builder, *given), result.at([at], rows[0], OUTER), LANES)
            with cgutils.for_range_slice(builder, in_vectors, count, _index(1), inc=True) as (at, _):
                given = [
                    each.load(each.at([at], row, OUTER)) for each, row in zip(operands, rows[1:], strict=True)
                ]
                result.store(compute(builder, *given), result.at([at], rows[0], OUTER))
    return _compiled(builder)


def _repeated(builder: ir.IRBuilder, operand: _Array, row: ir.Value, room: ir.Value) -> ir.Value:
    """Where vectors of a row are to be read: `row`, or a `room` filled with its one number."""
    pointer = builder.inttoptr(row, operand.kind.as_pointer())
    number = builder.load(pointer, align=SIZES[operand.dtype])
    builder.store(_splat(builder, number), room)
    alone = builder.icmp_signed("==", operand.steps[-1], _index(0))
    return builder.select(alone, builder.ptrtoint(room, _INTEGER), row)


def _splat(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    vector = ir.VectorType(number.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), LANES), None))


# ── sums ────────────────────────────────────────────────────────────────────────────────────────────────


def sums_table(
    sizes: Sequence[int], summed: Sequence[int], dtype: str, arrays: Sequence[tuple[int, Sequence[int]]]
) -> list[int]:
    """The table of a function that `sums` gives.

    Args:
        sizes: of the loops over results, `OUTER`.
        summed: of the loops that are summed over, `OUTER`.
        dtype: of both.
        arrays: the result's address, and bytes from number to number for each loop over results; and the
            operand's, for each loop of both kinds.
    """
    (_, to), (_, of) = arrays
    size = SIZES[dtype]
    lanes = sizes[-1] // LANES * LANES if to[-1] == size and of[OUTER - 1] == size else 0
    along = summed[-1] // LANES if of[-1] == size and not lanes else 0
    return [*sizes, *summed, lanes, along, *(number for start, each in arrays for number in (start, *each))]


@cache
def sums(dtype: str) -> int:
    """The address of a function that sums an operand over some of its axes."""
    kind = KINDS[dtype]
    vector = ir.VectorType(kind, LANES)
    with _function(f"sums_{dtype}") as (builder, table):
        fields = [_field(builder, table, at) for at in range(2 * OUTER + 2)]
        *outer, count = fields[:OUTER]
        *folds, last, lanes, along = fields[OUTER:]
        result = _Array(builder, table, 2 * OUTER + 2, OUTER, dtype)
        operand = _Array(builder, table, 3 * OUTER + 3, 2 * OUTER, dtype)

        def summed(row: ir.Value, turns: ir.Value, step: int, width: int) -> ir.Value:
            """Over the folds, and so many turns of `step` numbers in the last loop."""
            start = ir.Constant(kind if width == 1 else vector, None)

            def over(loops: list[ir.Value], row: ir.Value, skip: int, value: ir.Value) -> ir.Value:
                if loops:
                    return _carried(
                        builder,
                        loops[0],
                        value,
                        lambda at, sofar: over(loops[1:], operand.at([at], row, skip), skip + 1, sofar),
                    )
                apart = builder.mul(operand.steps[-1], _index(step))
                return _carried(
                    builder,
                    turns,
                    value,
                    lambda at, sofar: builder.fadd(
                        sofar, operand.load(builder.add(row, builder.mul(apart, at)), width)
                    ),
                )

            return over(folds, row, OUTER, start)

        with _loops(builder, outer) as indices:
            to, of = result.at(indices), operand.at(indices)
            skip = OUTER - 1
            with cgutils.for_range_slice(builder, _index(0), lanes, _index(LANES), inc=True) as (at, _):
                found = summed(operand.at([at], of, skip), last, 1, LANES)
                result.store(found, result.at([at], to, skip), LANES)
            with cgutils.for_range_slice(builder, lanes, count, _index(1), inc=True) as (at, _):
                row = operand.at([at], of, skip)
                total = _total(builder, summed(row, along, LANES, LANES))
                done = builder.mul(along, _index(LANES))
                rest = builder.add(row, builder.mul(operand.steps[-1], done))
                total = builder.fadd(total, summed(rest, builder.sub(last, done), 1, 1))
                result.store(total, result.at([at], to, skip))
    return _compiled(builder)


def _total(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum over lanes, halves added to each other."""
    count = LANES
    while count > 1:
        count //= 2
        index = ir.VectorType(ir.IntType(32), count)
        low, high = (
            builder.shuffle_vector(vector, vector, ir.Constant(index, [*range(start, start + count)]))
            for start in (0, count)
        )
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


# ── rows by their numbers ───────────────────────────────────────────────────────────────────────────────


@cache
def row_moves(dtype: str, adds: bool) -> int:
    """The address of a function that gathers rows, result[k] = operand[index[k]]; or one that adds them up,
    result[index[k]] += operand[k]. Its table: how many rows, how many numbers in each, the addresses of
    operand, index and result, and bytes from row to row of the operand and of the result."""
    with _function(f"{'add' if adds else 'gather'}_rows_{dtype}") as (builder, table):
        rows, numbers, operand, index, result, step_of, step_to = (
            _field(builder, table, at) for at in range(7)
        )
        kind = KINDS[dtype]
        with cgutils.for_range(builder, rows) as loop:
            pointer = builder.inttoptr(index, _INTEGER.as_pointer())
            listed = builder.load(builder.gep(pointer, [loop.index]))
            of, to = (loop.index, listed) if adds else (listed, loop.index)
            origin, place = (
                builder.inttoptr(builder.add(start, builder.mul(step, row)), kind.as_pointer())
                for start, step, row in ((operand, step_of, of), (result, step_to, to))
            )
            with cgutils.for_range(builder, numbers) as column:
                value = builder.load(builder.gep(origin, [column.index]), align=SIZES[dtype])
                at = builder.gep(place, [column.index])
                if adds:
                    value = builder.fadd(builder.load(at, align=SIZES[dtype]), value)
                builder.store(value, at, align=SIZES[dtype])
    return _compiled(builder)
