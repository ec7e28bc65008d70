"""What LLVM's vectors are moved with: addresses, rows of points as lanes and back.

Parts of the operations in `operations`, written in LLVM's terms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir
from numba.core import cgutils

from tfngen.runtime.cpu.vector import STORES_MASKED, splat


def address_of(builder: ir.IRBuilder, base: ir.Value, offset: ir.Value, element: ir.Type) -> ir.Value:
    """The pointer to an `element`, `offset` of them after the integer `base`."""
    pointer = builder.inttoptr(base, element.as_pointer())
    return builder.gep(pointer, [offset])


def vector_address(builder: ir.IRBuilder, base, offset, vector: ir.VectorType) -> ir.Value:
    """The same, to a whole `vector`."""
    return builder.bitcast(address_of(builder, base, offset, vector.element), vector.as_pointer())


def call_llvm(builder: ir.IRBuilder, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
    """Call LLVM's own function `name`."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def suffix(kind: ir.Type) -> str:
    """How LLVM's function names say what they work on: numbers, or vectors of them."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{suffix(kind.element)}"
    return "f32" if isinstance(kind, ir.FloatType) else "f64"


def all_active(builder: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    """Whether every lane is in the mask."""
    bits = ir.IntType(mask.type.count)
    return builder.icmp_unsigned("==", builder.bitcast(mask, bits), bits(2**mask.type.count - 1))


def pieces(builder: ir.IRBuilder, pointer: ir.Value, value: ir.Value, count: int) -> list[Piece]:
    """The first `count` lanes of `value`, in shorter vectors that processors know, and where each belongs."""
    found, start, number = [], 0, value.type.element
    for size in (each for each in (16, 8, 4, 2, 1) if count & each):
        kind = ir.VectorType(number, size)
        index = ir.Constant(ir.VectorType(ir.IntType(32), size), list(range(start, start + size)))
        first = builder.gep(builder.bitcast(pointer, number.as_pointer()), [ir.IntType(32)(start)])
        place = builder.bitcast(first, kind.as_pointer())
        found.append((builder.shuffle_vector(value, value, index), place))
        start += size
    return found


def transposed(builder: ir.IRBuilder, vectors: list[ir.Value], kind: ir.VectorType) -> list[ir.Value]:
    """Lane k of each vector, as vector k: halves change places in blocks of half the size each time."""
    lanes = kind.count
    rows = [*vectors, *[ir.Constant(kind, ir.Undefined)] * (lanes - len(vectors))]
    width = lanes // 2
    while width:
        low = [at if not at & width else lanes + at - width for at in range(lanes)]
        high = [at + width if not at & width else lanes + at for at in range(lanes)]
        index = ir.VectorType(ir.IntType(32), lanes)
        for at in range(lanes):
            if not at & width:
                pair = rows[at], rows[at + width]
                rows[at] = builder.shuffle_vector(*pair, ir.Constant(index, low))
                rows[at + width] = builder.shuffle_vector(*pair, ir.Constant(index, high))
        width //= 2
    return rows


Piece = tuple[ir.Value, ir.Value]

DENSE = 4
"""Rows of up to so many numbers, with nothing between them, are read and written end to end."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of `width` numbers that begin `offset`, `offset + stride`, … elements after address `base`,
    one for each lane in `mask`."""

    builder: ir.IRBuilder
    base: ir.Value
    offset: ir.Value
    stride: int
    width: int
    mask: ir.Value
    vector: ir.VectorType

    @property
    def lanes(self) -> int:
        return int(self.vector.count)

    @property
    def is_dense(self) -> bool:
        return self.stride == self.width <= DENSE

    def read(self, alignment: ir.Constant) -> list[ir.Value]:
        """A vector for each of the `width` numbers, a row in each lane."""
        name = f"llvm.masked.load.{suffix(self.vector)}.p0"
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        read = [
            [
                call_llvm(self.builder, name, self.vector, [pointer, alignment, which, zeros])
                for pointer, which in places
            ]
            for places in self._places()
        ]
        if self.is_dense:
            return _picked(self.builder, read[0], lambda at, lane: self.width * lane + at)
        turned = [vector for rows in read for vector in transposed(self.builder, rows, self.vector)]
        return turned[: self.width]

    def write(self, values: list[ir.Value], alignment: ir.Constant) -> None:
        """The inverse of `read`."""
        if self.is_dense:
            rows = [_picked(self.builder, values, self._dense_source)]
        else:
            chunks = [values[start : start + self.lanes] for start in range(0, self.width, self.lanes)]
            rows = [transposed(self.builder, chunk, self.vector) for chunk in chunks]
        if STORES_MASKED:
            self._write_active(rows, alignment)
            return
        with self.builder.if_else(all_active(self.builder, self.mask), likely=True) as (every, some):
            with every:
                self._write_all(rows, alignment)
            with some:
                self._write_active(rows, alignment)

    def _write_all(self, rows: list[list[ir.Value]], alignment: ir.Constant) -> None:
        for at, (chunk, places) in enumerate(zip(rows, self._places(), strict=True)):
            count = self.lanes if self.is_dense else min(self.width - at * self.lanes, self.lanes)
            for row, (pointer, _) in zip(chunk, places, strict=True):
                for piece, place in pieces(self.builder, pointer, row, count):
                    self.builder.store(piece, place, align=alignment.constant)

    def _write_active(self, rows: list[list[ir.Value]], alignment: ir.Constant) -> None:
        name = f"llvm.masked.store.{suffix(self.vector)}.p0"
        for chunk, places in zip(rows, self._places(), strict=True):
            for row, (pointer, which) in zip(chunk, places, strict=True):
                call_llvm(self.builder, name, ir.VoidType(), [row, pointer, alignment, which])

    def _dense_source(self, at: int, lane: int) -> int:
        row, component = divmod(self.lanes * at + lane, self.width)
        return component * self.lanes + row

    def _places(self) -> list[list[tuple[ir.Value, ir.Value]]]:
        """Pointers to whole vectors in memory, with the masks of what is wanted of them: a list for rows that
        are dense, end to end; else one for each vector that a row is long, row after row."""
        if self.is_dense:
            index = ir.VectorType(ir.IntType(32), self.lanes)
            dense = []
            for at in range(self.width):
                rows = ir.Constant(
                    index, [(self.lanes * at + lane) // self.width for lane in range(self.lanes)]
                )
                which = self.builder.shuffle_vector(self.mask, self.mask, rows)
                dense.append((self._pointer(self.lanes * at), which))
            return [dense]
        bits = ir.VectorType(ir.IntType(1), self.lanes)
        found = []
        for start in range(0, self.width, self.lanes):
            within = ir.Constant(bits, [start + at < self.width for at in range(self.lanes)])
            places = []
            for lane in range(self.lanes):
                active = self.builder.extract_element(self.mask, ir.Constant(ir.IntType(32), lane))
                which = self.builder.and_(within, splat(self.builder, active, bits))
                places.append((self._pointer(self.stride * lane + start), which))
            found.append(places)
        return found

    def _pointer(self, number: int) -> ir.Value:
        place = self.builder.add(self.offset, ir.Constant(ir.IntType(64), number))
        return vector_address(self.builder, self.base, place, self.vector)


@dataclass(frozen=True, slots=True)
class Square:
    """As many rows as a vector has lanes, of as many numbers: they begin `offset`, `offset + stride`, …
    elements after address `base`; `active` says which rows there are, `within` which of their numbers."""

    builder: ir.IRBuilder
    base: ir.Value
    offset: ir.Value
    stride: ir.Value
    active: ir.Value
    within: ir.Value
    vector: ir.VectorType

    def read(self, alignment: ir.Constant) -> list[ir.Value]:
        """A vector for each number of a row, a row in each lane."""
        name = f"llvm.masked.load.{suffix(self.vector)}.p0"
        zeros = ir.Constant(self.vector, [0.0] * self.vector.count)
        rows = [
            call_llvm(self.builder, name, self.vector, [pointer, alignment, which, zeros])
            for pointer, which in self._places()
        ]
        return transposed(self.builder, rows, self.vector)

    def write(self, columns: list[ir.Value], alignment: ir.Constant) -> None:
        """The inverse of `read`."""
        rows = [*zip(transposed(self.builder, columns, self.vector), self._places(), strict=True)]
        if STORES_MASKED:
            self._write_active(rows, alignment)
            return
        full = self.builder.and_(*(all_active(self.builder, mask) for mask in (self.active, self.within)))
        with self.builder.if_else(full, likely=True) as (every, some):
            with every:
                for row, (pointer, _) in rows:
                    self.builder.store(row, pointer, align=alignment.constant)
            with some:
                self._write_active(rows, alignment)

    def _write_active(
        self, rows: list[tuple[ir.Value, tuple[ir.Value, ir.Value]]], alignment: ir.Constant
    ) -> None:
        name = f"llvm.masked.store.{suffix(self.vector)}.p0"
        for row, (pointer, which) in rows:
            call_llvm(self.builder, name, ir.VoidType(), [row, pointer, alignment, which])

    def _places(self) -> list[tuple[ir.Value, ir.Value]]:
        """A pointer to each row, and the mask of what is wanted of it."""
        found, place = [], self.offset
        for lane in range(self.vector.count):
            active = self.builder.extract_element(self.active, ir.Constant(ir.IntType(32), lane))
            which = self.builder.and_(self.within, splat(self.builder, active, self.within.type))
            found.append((vector_address(self.builder, self.base, place, self.vector), which))
            place = self.builder.add(place, self.stride)
        return found


def _picked(
    builder: ir.IRBuilder, vectors: list[ir.Value], source: Callable[[int, int], int]
) -> list[ir.Value]:
    """As many vectors again: lane k of the one at c is number source(c, k) of the given ones, end to end."""
    kind = vectors[0].type
    index = ir.VectorType(ir.IntType(32), kind.count)
    results = []
    for at in range(len(vectors)):
        numbers = [divmod(source(at, lane), kind.count) for lane in range(kind.count)]
        result = ir.Constant(kind, ir.Undefined)
        for given, vector in enumerate(vectors):
            lanes = [
                kind.count + number if which == given else lane
                for lane, (which, number) in enumerate(numbers)
            ]
            result = builder.shuffle_vector(result, vector, ir.Constant(index, lanes))
        results.append(result)
    return results
