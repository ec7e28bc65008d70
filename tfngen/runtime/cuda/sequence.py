"""Kernels launched one after another, with one crossing from Python to machine code for all of them.

A launch through `ctypes` takes Python longer than it takes the driver. So what is to be launched is laid out
as one piece of memory by one `struct.pack`, and some machine code goes through it. For each kernel:

    function, blocks along x and y, threads, shared bytes, early, bytes of arguments, to the next | arguments

each but the arguments a 64-bit integer. A kernel that is early begins where the last blocks of the one before
leave room, and waits for that one itself (``wait_for_last``).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from tfngen.gpu import Capability
from tfngen.runtime.cuda.kernel import Kernel
from tfngen.runtime.machine_code import address_of_function

_MODULE = """
%attribute = type { i32, i32, i32, [60 x i8] }
%config = type { i32, i32, i32, i32, i32, i32, i32, ptr, ptr, i32 }

define i64 @go_through(ptr %launch, ptr %stream, i64 %count, ptr %table) {
start:
  %extra = alloca [5 x ptr]
  store ptr inttoptr (i64 1 to ptr), ptr %extra
  %arguments_at = getelementptr ptr, ptr %extra, i64 1
  %size_follows = getelementptr ptr, ptr %extra, i64 2
  store ptr inttoptr (i64 2 to ptr), ptr %size_follows
  %size_place = getelementptr ptr, ptr %extra, i64 3
  %end = getelementptr ptr, ptr %extra, i64 4
  store ptr null, ptr %end

  %overlap = alloca %attribute
  store %attribute { i32 6, i32 0, i32 1, [60 x i8] zeroinitializer }, ptr %overlap
  %how = alloca %config
  %blocks_z = getelementptr %config, ptr %how, i32 0, i32 2
  store i32 1, ptr %blocks_z
  %threads_y = getelementptr %config, ptr %how, i32 0, i32 4
  store i32 1, ptr %threads_y
  %threads_z = getelementptr %config, ptr %how, i32 0, i32 5
  store i32 1, ptr %threads_z
  %stream_at = getelementptr %config, ptr %how, i32 0, i32 7
  store ptr %stream, ptr %stream_at
  %attributes_at = getelementptr %config, ptr %how, i32 0, i32 8
  store ptr %overlap, ptr %attributes_at
  br label %head
head:
  %number = phi i64 [ 0, %start ], [ %next, %run ]
  %step = phi ptr [ %table, %start ], [ %after, %run ]
  %more = icmp slt i64 %number, %count
  br i1 %more, label %run, label %done
run:
  %function = load ptr, ptr %step
  %x_at = getelementptr i64, ptr %step, i64 1
  %x = load i64, ptr %x_at
  %blocks_x = trunc i64 %x to i32
  store i32 %blocks_x, ptr %how
  %y_at = getelementptr i64, ptr %step, i64 2
  %y = load i64, ptr %y_at
  %blocks_y = trunc i64 %y to i32
  %blocks_y_at = getelementptr %config, ptr %how, i32 0, i32 1
  store i32 %blocks_y, ptr %blocks_y_at
  %block_at = getelementptr i64, ptr %step, i64 3
  %block = load i64, ptr %block_at
  %threads = trunc i64 %block to i32
  %threads_at = getelementptr %config, ptr %how, i32 0, i32 3
  store i32 %threads, ptr %threads_at
  %bytes_at = getelementptr i64, ptr %step, i64 4
  %bytes = load i64, ptr %bytes_at
  %shared = trunc i64 %bytes to i32
  %shared_at = getelementptr %config, ptr %how, i32 0, i32 6
  store i32 %shared, ptr %shared_at
  %early_at = getelementptr i64, ptr %step, i64 5
  %early = load i64, ptr %early_at
  %attributes = trunc i64 %early to i32
  %count_at = getelementptr %config, ptr %how, i32 0, i32 9
  store i32 %attributes, ptr %count_at
  %size_at = getelementptr i64, ptr %step, i64 6
  store ptr %size_at, ptr %size_place
  %length_at = getelementptr i64, ptr %step, i64 7
  %length = load i64, ptr %length_at
  %arguments = getelementptr i64, ptr %step, i64 8
  store ptr %arguments, ptr %arguments_at
  %status = call i32 %launch(ptr %how, ptr %function, ptr null, ptr %extra)
  %after = getelementptr i8, ptr %arguments, i64 %length
  %next = add i64 %number, 1
  %well = icmp eq i32 %status, 0
  br i1 %well, label %head, label %refused
done:
  ret i64 0
refused:
  %what = zext i32 %status to i64
  %where = shl i64 %number, 32
  %both = or i64 %where, %what
  ret i64 %both
}
"""
"""`launch` is ``cuLaunchKernelEx``, which is told by tags that arguments (1) and their size (2) follow, and
the end (0); attribute 6 lets a kernel begin early (programmatic stream serialization). What `go_through`
returns is 0, or the status of a launch that was refused and, 32 bits up, its number."""


@cache
def go_through() -> Callable[[int, int, int, bytes], int]:
    """The machine code: of `launch`, a stream, how many launches there are, and what they are made with."""
    address, pointer = ctypes.c_void_p, ctypes.c_char_p
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, address, address, ctypes.c_int64, pointer)
    return kind(address_of_function(_MODULE, "go_through"))


class Step(NamedTuple):
    """One kernel of a sequence.

    Attributes:
        kernel: what is launched.
        blocks: along y; how many there are along x is said when the sequence is launched.
        threads: of a block.
        shared_bytes: what a block has beside its static shared memory.
        called: by argument, the name of the value it is, where that is another.
        early: whether it may begin before the last one has ended, on GPUs that can; it waits for that itself.
    """

    kernel: Kernel
    blocks: int
    threads: int
    shared_bytes: int = 0
    called: Mapping[str, str] = MappingProxyType({})
    early: bool = False

    @property
    def values(self) -> list[str]:
        """The names of what its arguments are, in order."""
        return [self.called.get(name, name) for name in self.kernel.arguments]


class LaunchSequence:
    """Kernels that are launched one after another.

    Args:
        steps: the kernels.
        names: of the values they are launched with, in order; a kernel takes those that it wants.
        prepare: called before the first of them is compiled for a GPU, with its capability.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        names: Iterable[str],
        prepare: Callable[[Capability], None] = lambda capability: None,
    ) -> None:
        self.steps, self.names, self.prepare = tuple(steps), tuple(names), prepare
        self.loaded: dict[int, tuple[int, ...]] = {}  # by device, see `packed`
        codes = [_codes(step.kernel) for step in self.steps]
        self._layout = struct.Struct("@" + "".join(f"8q{each}0q" for each in codes))
        # Where each number of the layout is among: blocks, values, what is loaded, and what never changes.
        place = {name: at for at, name in enumerate(self.names, start=1)}
        function = 1 + len(place)
        after = function + 2 * len(self.steps)
        chosen: list[int] = []
        self._fixed: list[int] = []
        for number, (step, code) in enumerate(zip(self.steps, codes, strict=True)):
            others = range(after + len(self._fixed), after + len(self._fixed) + 5)
            across, threads, shared, *sizes = others
            early = function + len(self.steps) + number
            chosen += [function + number, 0, across, threads, shared, early, *sizes]
            chosen += [place[name] for name in step.values]
            size, length = struct.calcsize(f"@{code}"), struct.calcsize(f"@{code}0q")
            self._fixed += [step.blocks, step.threads, step.shared_bytes, size, length]
        self._choose = itemgetter(*chosen) if chosen else lambda numbers: ()

    def packed(self, loaded: Iterable[int], blocks: int, values: Iterable[int]) -> bytes:
        """What the machine code goes through.

        Args:
            loaded: what the driver calls the kernels, and then whether each of them is to begin early.
            blocks: along x, of every kernel.
            values: what `names` are.
        """
        return self._layout.pack(*self._choose((blocks, *values, *loaded, *self._fixed)))


def _codes(kernel: Kernel) -> str:
    """A kernel's arguments, as `struct` packs them."""
    return "".join(each.code for each in kernel.arguments.values())
