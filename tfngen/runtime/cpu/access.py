"""How vectors reach memory: the lanes in a mask or, where every row fills its vectors, all of them.

Without AVX-512 a store with a mask takes tens of cycles, and what it wrote cannot be read back before it has
reached the cache. So whole vectors go without, and `tfngen.runtime.cpu.fitted` makes such kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from tfngen.runtime.cpu.lanes import all_active, call_llvm, pieces, suffix
from tfngen.runtime.cpu.vector import CONTRACT, LINE_BYTES, REGISTER_BYTES, STORES_MASKED, VectorType


@dataclass(frozen=True, slots=True)
class Access:
    """Loads and stores of vectors of `kind`.

    Attributes:
        whole: no vector has a lane that stands for nothing, whatever a mask says.
    """

    kind: VectorType
    whole: bool = False

    @property
    def alignment(self) -> ir.Constant:
        """That of a single number: all that is known of an address."""
        return ir.Constant(ir.IntType(32), self.kind.element.bitwidth // 8)

    def load(self, builder: ir.IRBuilder, pointer: ir.Value, mask: ir.Value) -> ir.Value:
        """The vector at `pointer`; lanes beyond the mask read as zero."""
        vector = pointer.type.pointee
        if self.whole:
            return builder.load(pointer, align=self.alignment.constant)
        zeros = ir.Constant(vector, [0.0] * vector.count)
        name = f"llvm.masked.load.{suffix(vector)}.p0"
        return call_llvm(builder, name, vector, [pointer, self.alignment, mask, zeros])

    def store(self, builder: ir.IRBuilder, pointer: ir.Value, value: ir.Value, mask: ir.Value) -> None:
        """Write the lanes of `value` that are in the mask."""
        if self.whole:
            builder.store(value, pointer, align=self.alignment.constant)
        elif STORES_MASKED:
            self._store_masked(builder, pointer, value, mask)
        else:
            with builder.if_else(all_active(builder, mask), likely=True) as (all_lanes, some):
                with all_lanes:
                    builder.store(value, pointer, align=self.alignment.constant)
                with some:
                    self._store_masked(builder, pointer, value, mask)

    def add(self, builder: ir.IRBuilder, pointer: ir.Value, value: ir.Value, mask: ir.Value) -> None:
        """Add the lanes of `value` that are in the mask to what stands at `pointer`."""
        before = self.load(builder, pointer, mask)
        self.store(builder, pointer, builder.fadd(before, value, flags=CONTRACT), mask)

    def add_first(self, builder: ir.IRBuilder, pointer: ir.Value, value: ir.Value, count: int) -> None:
        """Add the first `count` lanes of `value` to what stands at `pointer`."""
        lanes = self.kind.lanes
        if count == lanes or STORES_MASKED:
            mask = ir.Constant(ir.VectorType(ir.IntType(1), lanes), [at < count for at in range(lanes)])
            Access(self.kind, whole=count == lanes).add(builder, pointer, value, mask)
            return
        for piece, place in pieces(builder, pointer, value, count):
            before = builder.load(place, align=self.alignment.constant)
            builder.store(builder.fadd(before, piece, flags=CONTRACT), place, align=self.alignment.constant)

    def write_past_caches(self, builder: ir.IRBuilder, pointer: ir.Value, origin: ir.Value) -> None:
        """Copy a line of the cache past the caches; both begin with one. A processor gathers what goes past
        them line by line, and one that it has to give up half full costs as much as ten."""
        element = self.kind.element.bitwidth // 8
        register = ir.VectorType(pointer.type.pointee, REGISTER_BYTES // element)
        to, source = (builder.bitcast(each, register.as_pointer()) for each in (pointer, origin))
        for part in range(LINE_BYTES // REGISTER_BYTES):
            at = [ir.IntType(64)(part)]
            value = builder.load(builder.gep(source, at), align=REGISTER_BYTES)
            written = builder.store(value, builder.gep(to, at), align=REGISTER_BYTES)
            written.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))

    def _store_masked(
        self, builder: ir.IRBuilder, pointer: ir.Value, value: ir.Value, mask: ir.Value
    ) -> None:
        name = f"llvm.masked.store.{suffix(value.type)}.p0"
        call_llvm(builder, name, ir.VoidType(), [value, pointer, self.alignment, mask])
