"""Machine code of kernels for one kind of GPU, kept on disk; making it takes no GPU."""

from __future__ import annotations

import json
import os
import re
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from tfngen.files import write_bytes
from tfngen.gpu import COPIES, OLDEST, OVERLAPS, Capability, check_capability
from tfngen.runtime.cuda.kernel import Kernel

REGISTERS = (64, 80, 96, 128, 168)
"""How many a thread may have: each lets a multiprocessor hold fewer threads than the one before."""
INFO, LISTED = 0x70000000, 4
ATTRIBUTES = {0x2F: "registers", 0x11: "stack"}
"""Of a cubin: what kind of section says what functions take, how it gives more than a number, and which."""
FEWEST = 0.6
"""The share of the registers the assembler would take that it is asked to do with at the least."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a kernel takes of a multiprocessor.

    Attributes:
        registers: of a thread.
        stack: bytes of local memory a thread has, which is slow: what there was no register for.
        shared: bytes of a block, those that a launch asks for left out.
        instructions: how often each kind of instruction occurs in the kernel's PTX, such as ``fma.rn.f32``.
    """

    registers: int
    stack: int
    shared: int
    instructions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A kernel's machine code for one compute capability.

    Attributes:
        image: a cubin.
        entry: the kernel's name in it.
        resources: what it takes.
    """

    image: bytes
    entry: str
    resources: Resources


def compiled(kernel: Kernel, capability: Capability) -> Compiled:
    """The machine code of `kernel`, from the cache on disk or made and put there.

    Raises:
        ValueError: no code can be made for `capability`.
    """
    check_capability(capability)
    files = list(_files(kernel, capability))
    for file in files:
        if (found := _read(file)) is not None:
            return found
    made = assemble(kernel, capability)
    for file in files:
        if _write(file, made):
            break
    return made


def is_missing(kernel: Kernel, capability: Capability) -> bool:
    """Whether there is no machine code of `kernel` on disk."""
    return all(_read(file) is None for file in _files(kernel, capability))


def assemble(kernel: Kernel, capability: Capability) -> Compiled:
    """Compile `kernel` anew, with as few registers as it can do with and spill none.

    Assembled from PTX, which the linker takes for a part of something larger, the same kernels took up to
    twice the registers on sm_80.
    """
    from cuda.core import Linker, LinkerOptions, ObjectCode

    parts = [_intermediate(kernel, capability >= COPIES)]
    if "by_itself" in kernel.parameters:  # those over a graph
        from tfngen.runtime.cuda.memory import between_kernels

        parts += between_kernels(capability >= OVERLAPS)
    code = [ObjectCode.from_ltoir(each) for each in parts]
    arch = f"sm_{capability[0]}{capability[1]}"
    whole = LinkerOptions(arch=arch, link_time_optimization=True, ptx=True)
    ptx = bytes(Linker(*code, options=whole).link("ptx").code).decode()
    found = re.search(r"\.entry\s+(\w+)", ptx)
    assert found is not None, "a kernel has an entry"
    entry, instructions = found[1], _instructions(ptx)
    shared = sum(map(int, re.findall(r"\.shared [^;]*\[(\d+)\];", ptx)))

    def with_at_most(registers: int | None) -> Compiled:
        options = LinkerOptions(arch=arch, link_time_optimization=True, max_register_count=registers)
        image = bytes(Linker(*code, options=options).link("cubin").code)
        taken = Resources(**_taken(image), shared=shared, instructions=instructions)
        return Compiled(image, entry, taken)

    made = with_at_most(None)
    for registers in REGISTERS:
        if FEWEST * made.resources.registers <= registers < made.resources.registers:
            smaller = with_at_most(registers)
            if not smaller.resources.stack:
                return smaller
    return made


@lru_cache(maxsize=64)
def _intermediate(kernel: Kernel, by_itself: bool) -> bytes:
    """What the linker makes code of for any GPU, or for those that copy to shared memory by themselves."""
    from tfngen.runtime.cuda.seam import to_intermediate

    constants = kernel.typed_constants
    if "by_itself" in constants:
        constants["by_itself"] = type(constants["by_itself"])(by_itself)
    return to_intermediate(kernel.function, kernel.types, OLDEST, constants)


def _instructions(ptx: str) -> dict[str, int]:
    """How often each kind occurs."""
    names = re.findall(r"^\s+(?:@!?%p\d+ )?([a-z]+(?:\.[a-zA-Z0-9:_]+)*)\s*[ ;]", ptx, re.MULTILINE)
    return dict(sorted(Counter(names).items()))


def _taken(image: bytes) -> dict[str, int]:
    """Registers and stack of a cubin with one kernel in it, as the loader finds them.

    An ELF file has a table of its sections at its end; ``.nv.info`` is a list of attributes: one byte that
    says how it is given, one that says what it is, two for the length, and then a function and its number.
    """
    table, size, count = _unpack("<Q", image, 0x28), *_unpack("<HH", image, 0x3A)
    found = {}
    for number in range(count):
        kind, start, length = (
            _unpack(code, image, table[0] + number * size + at)[0] for code, at in _SECTION
        )
        if kind != INFO:
            continue
        at, end = start, start + length
        while at < end:
            given, attribute, value = _unpack("<BBH", image, at)
            at += 4
            if given == LISTED:
                if attribute in ATTRIBUTES and value == 8:
                    found[ATTRIBUTES[attribute]] = _unpack("<II", image, at)[1]
                at += value
    assert found.keys() == set(ATTRIBUTES.values()), "a kernel says what it takes"
    return found


_SECTION = (("<I", 4), ("<Q", 24), ("<Q", 32))
"""Of a section in the table: its kind, where it begins and its length."""


def _unpack(code: str, image: bytes, at: int) -> tuple[int, ...]:
    return struct.unpack_from(code, image, at)


# ── on disk ─────────────────────────────────────────────────────────────────────────────────────────────


def _files(kernel: Kernel, capability: Capability) -> Iterator[Path]:
    """Where the code may be: beside the module's other compiled files, or in the user's cache."""
    module = Path(kernel.function.__code__.co_filename)
    digest = _digest(kernel.function.__module__)
    called = kernel.function.__name__ + (f".{kernel.stored.__name__}" if kernel.stored else "")
    if kernel.pairs:
        called += ".pairs"
    if kernel.constants:
        called += f".{sha256(repr(kernel.constants).encode()).hexdigest()[:12]}"
    name = f"{module.stem}.{called}.sm_{capability[0]}{capability[1]}.{digest}.cubin"
    yield module.parent / "__pycache__" / name
    home = os.environ.get("TFNGEN_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(home) / "tfngen-cubin" / name


def _read(file: Path) -> Compiled | None:
    try:
        head, image = file.read_bytes().split(b"\n", 1)
        record = json.loads(head)
        if record.pop("sha256") != sha256(image).hexdigest():
            return None
        return Compiled(image, record.pop("entry"), Resources(**record))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, made: Compiled) -> bool:
    """Whether it could be written."""
    record = {
        "entry": made.entry,
        "sha256": sha256(made.image).hexdigest(),
        **asdict(made.resources),
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, json.dumps(record).encode() + b"\n" + made.image)
    except OSError:
        return False
    return True


@cache
def _digest(module: str) -> str:
    """Of everything a module's kernels are made of: sources, compilers, the words they are written with."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("kernel", "memory", "operations", "seam")]
    files.append(here.parents[1] / "gpu.py")  # its numbers are compiled in
    home = sys.modules[module]
    imported = [each for each in vars(home).values() if isinstance(each, ModuleType)]
    beside = {getattr(each, "__file__", None) for each in (home, *imported)} - {None}
    files += sorted(Path(each) for each in beside if Path(each).parent == Path(home.__file__ or "").parent)
    text = sha256(b"".join(file.read_bytes() for file in files))
    text.update(repr([version(name) for name in ("numba-cuda", "cuda-core")]).encode())
    return text.hexdigest()[:12]
