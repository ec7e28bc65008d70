"""Fill the kernel cache: compile every kernel of a package ahead of time, on every core.

``python -m tfngen.precompile`` is what `tfngen.runtime.compiling` starts: it reads which kernels of a
convolution to compile, and writes a line for each that is done.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from tfngen import naming
from tfngen.forms import FORM, FORMS
from tfngen.gpu import HALVES, Capability
from tfngen.spec import DEFAULT_CHANNELS

if TYPE_CHECKING:
    from tfngen.runtime.cpu.kernel import Kernel


def kernel_modules(folder: Path, target: str) -> Iterator[str]:
    """The modules of the package in `folder` that hold kernels for `target`, as dotted names below it."""
    for file in sorted(folder.glob(f"{target}/*/*.py")):
        if file.stem != "__init__":
            yield ".".join(file.relative_to(folder).with_suffix("").parts)


def precompile(
    folder: Path,
    progress: Callable[[int, int], None] = lambda *_: None,
    workers: int | None = None,
    capabilities: Sequence[Capability] = (),
    stored: Sequence[str] = (),
) -> int:
    """Compile every kernel of the package in `folder`, unless its machine code is cached already.

    Kernels of GPUs over a graph are compiled for a convolution: for those that the package was built for, if
    any. Others wait for the first call.

    Args:
        folder: the package.
        progress: called with (tasks done, tasks in all): modules, and forms of a GPU's kernels over a graph.
        workers: processes to use; all cores by default.
        capabilities: the GPUs to compile for, such as (9, 0), where the package has kernels for GPUs; no GPU
            is needed.
        stored: ``float16`` or ``bfloat16``, which kernels for GPUs are to read and write too; they compute in
            float32, and harmonics always have float32 in memory.

    Returns:
        The number of kernels.

    Raises:
        ValueError: `stored` names no half precision.
    """
    for each in stored:
        if each not in HALVES:
            raise ValueError(f"stored: got {each!r}; it must be one of {', '.join(HALVES)}")
    tasks: list[_Task] = [_Task(name) for name in kernel_modules(folder, "cpu")]
    for name, capability in product(kernel_modules(folder, "cuda"), capabilities):
        forms = [form.name for form in FORMS] if naming.is_group_module(name) else [""]
        tasks += [_Task(name, capability, form) for form in forms]
    kernels = 0
    # Fresh processes: a fork would inherit torch's and Numba's threads in an unknown state.
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(_compile, folder, task, stored) for task in tasks]
        for done, future in enumerate(as_completed(pending), start=1):
            kernels += future.result()
            progress(done, len(tasks))
    return kernels


class _Task(NamedTuple):
    """A module to compile, for a GPU's capability if it is for GPUs; of kernels over a graph one form."""

    module: str
    capability: Capability | None = None
    form: str = ""


def _compile(folder: Path, task: _Task, stored: Sequence[str]) -> int:
    from importlib import import_module

    from tfngen.cache import import_package

    package, module = import_package(folder), task.module
    found = list(vars(import_module(f"{package.__name__}.{module}")).values())
    if task.capability is None:
        from tfngen.runtime.cpu.kernel import Kernel

        kernels = [each for each in found if isinstance(each, Kernel)]
        if "convolution" in module:
            kernels = _fitted(package, module, kernels)
        for kernel in kernels:
            kernel.compile()
        return len(kernels)
    from tfngen.runtime.cuda.compiled import compiled

    for_gpus = _for_gpus(package, task, found, stored)
    for each in for_gpus:
        compiled(each, task.capability)
    return len(for_gpus)


def _for_gpus(package: ModuleType, task: _Task, found: list[Any], stored: Sequence[str]) -> list[Any]:
    """A module's kernels for GPUs; those over a graph as the package's own convolutions run them."""
    import torch

    from tfngen.runtime.cuda.convolve import fitted_kernels
    from tfngen.runtime.cuda.kernel import Kernel
    from tfngen.runtime.cuda.precision import suited

    _, own, name = task.module.split(".")
    dtypes = [getattr(torch, own)]
    if own == "float32" and name != naming.HARMONICS_MODULE:
        dtypes += [getattr(torch, each) for each in stored]
    if not task.form:
        kernels = [each for each in found if isinstance(each, Kernel)]
        return [suited(each, dtype) for dtype in dtypes for each in kernels]
    info = package._package
    plans = [tuple(package.convolution(each)._numbers) for each in info.convolutions]
    fitted = (
        kernel
        for plan, dtype in product(plans, dtypes)
        for kernel in fitted_kernels(info.fingerprint, FORM[task.form], plan, dtype)
    )
    return list(dict.fromkeys(each for each in fitted if each.__module__.endswith(f".{task.module}")))


def _fitted(package: ModuleType, module: str, kernels: list[Kernel]) -> list[Kernel]:
    """Those of a path over a graph, for rows as wide as in the convolutions that the package was built for.

    Where it was built for any: for rows of every width, and for those of `DEFAULT_CHANNELS`. Others that fill
    their vectors wait for the first call.
    """
    from tfngen.runtime.cpu.fitted import for_path
    from tfngen.runtime.plan import PackedPath, decode

    _, dtype, name = module.split(".")
    itemsize = int(dtype.removeprefix("float")) // 8
    info = package._package
    plans = [package.convolution(each)._numbers for each in info.convolutions]
    planned = [path for plan in plans for path in decode(plan)[1]]
    if not plans:
        planned = [PackedPath(*degrees, DEFAULT_CHANNELS, *[0] * 5) for degrees in info.paths]
    paths = [path for path in planned if naming.convolution_module(path.degrees) == name]
    found = [for_path(each, FORM[each.__name__], path, itemsize) for each in kernels for path in paths]
    return list(dict.fromkeys(found if plans else [*kernels, *found]))


def compile_some(
    *,
    folder: str,
    package: str,
    target: str,
    form: str,
    plan: Sequence[int],
    dtype: str,
    even: bool,
    capability: Sequence[int] | None,
    kernels: Sequence[int],
) -> Iterator[int]:
    """Compile some kernels of a convolution; yields each as it is done.

    Args:
        folder: of the generated package.
        kernels: which, by their places among the form's.
        package, target, form, plan, dtype, even, capability: see `tfngen.runtime.compiling.Request`.
    """
    import torch

    from tfngen.cache import import_package

    found = import_package(Path(folder))._package.fingerprint
    if found != package:
        raise ValueError(f"folder: {folder} holds {found} now, no longer {package}")
    convolution = package, FORM[form], tuple(plan), getattr(torch, dtype)
    if target == "cpu":
        from tfngen.runtime.cpu.convolve import fitted_kernels

        every = fitted_kernels(*convolution)
        for each in kernels:
            every[each].compile()
            yield each
        return
    from tfngen.runtime.cuda.compiled import compiled
    from tfngen.runtime.cuda.convolve import fitted_kernels as fitted_for_gpus

    assert capability is not None
    major, minor = capability
    every_one = fitted_for_gpus(*convolution, even)
    for each in kernels:
        compiled(every_one[each], (major, minor))
        yield each


if __name__ == "__main__":
    for _done in compile_some(**json.load(sys.stdin)):
        print(_done, flush=True)
