"""Machine code of kernels for one kind of GPU, kept on disk; making it takes no GPU."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from tfngen.runtime.cuda.kernel import Kernel

CAPABILITIES = ((8, 0), (9, 0))
"""What is compiled for when nobody says: A100, and H100 and H200."""
OLDEST = (7, 5)
"""The oldest compute capability that CUDA 13 compiles for."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a kernel takes of a multiprocessor, as the assembler reports it.

    Attributes:
        registers: of a thread.
        spilled: bytes that are stored to or loaded from local memory for want of registers.
        stack: bytes of local memory a thread has.
        shared: bytes of a block, those that a launch asks for left out.
    """

    registers: int
    spilled: int
    stack: int
    shared: int


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


def compiled(kernel: Kernel, capability: tuple[int, int]) -> Compiled:
    """The machine code of `kernel`, from the cache on disk or made and put there.

    Raises:
        ValueError: no code can be made for `capability`.
    """
    if capability < OLDEST:
        raise ValueError(
            f"capability: got {capability[0]}.{capability[1]}; CUDA 13 compiles for "
            f"{OLDEST[0]}.{OLDEST[1]} and newer GPUs"
        )
    files = _files(kernel, capability)
    for file in files:
        if (found := _read(file)) is not None:
            return found
    made = assemble(kernel, capability)
    for file in files:
        if _write(file, made):
            break
    return made


def assemble(kernel: Kernel, capability: tuple[int, int]) -> Compiled:
    """Compile `kernel` anew."""
    from cuda.core import Linker, LinkerOptions, ObjectCode

    from tfngen.runtime.cuda.seam import to_ptx

    ptx = to_ptx(kernel.function, kernel.types, capability)
    options = LinkerOptions(arch=f"sm_{capability[0]}{capability[1]}", ptxas_options=["-v"])
    linker = Linker(ObjectCode.from_ptx(ptx.text.encode()), options=options)
    image = linker.link("cubin").code
    return Compiled(bytes(image), ptx.entry, _resources(linker.get_info_log()))


def _resources(log: str) -> Resources:
    """Read the assembler's report."""

    def number(pattern: str) -> int:
        return max((int(found) for found in re.findall(pattern, log)), default=0)

    registers = number(r"Used (\d+) registers")
    assert registers, f"the assembler reports registers: {log}"
    spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    return Resources(registers, spilled, number(r"(\d+) bytes stack frame"), number(r"(\d+) bytes smem"))


# ── on disk ─────────────────────────────────────────────────────────────────────────────────────────────


def _files(kernel: Kernel, capability: tuple[int, int]) -> Iterator[Path]:
    """Where the code may be: beside the module's other compiled files, or in the user's cache."""
    module = Path(kernel.function.__code__.co_filename)
    digest = _digest(kernel.function.__module__)
    name = f"{module.stem}.{kernel.function.__name__}.sm_{capability[0]}{capability[1]}.{digest}.cubin"
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
    """Whether it could be written, beside its place and then into it."""
    record = {
        "entry": made.entry,
        "sha256": sha256(made.image).hexdigest(),
        **asdict(made.resources),
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as beside:
            beside.write(json.dumps(record).encode() + b"\n" + made.image)
        os.replace(beside.name, file)
    except OSError:
        return False
    return True


@cache
def _digest(module: str) -> str:
    """Of everything a module's kernels are made of: sources, compilers, the words they are written with."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("kernel", "operations", "seam")]
    home = sys.modules[module]
    imported = [each for each in vars(home).values() if isinstance(each, ModuleType)]
    files += sorted(
        Path(each.__file__)
        for each in (home, *imported)
        if each.__file__ and Path(each.__file__).parent == Path(home.__file__ or "").parent
    )
    text = sha256(b"".join(file.read_bytes() for file in files))
    text.update(repr([version(name) for name in ("numba-cuda", "cuda-core")]).encode())
    return text.hexdigest()[:12]
