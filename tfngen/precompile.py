"""Fill the kernel cache ahead of time: compile every kernel of a package, on every core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path


def kernel_modules(folder: Path) -> Iterator[str]:
    """The modules of the package in `folder` that hold kernels, as dotted names below it."""
    for file in sorted(folder.glob("cpu/*/*.py")):
        if file.stem != "__init__":
            yield ".".join(file.relative_to(folder).with_suffix("").parts)


def precompile(
    folder: Path, progress: Callable[[int, int], None] = lambda *_: None, workers: int | None = None
) -> int:
    """Compile every kernel of the package in `folder`, unless its machine code is cached already.

    Args:
        folder: the package.
        progress: called with (modules done, modules in all).
        workers: processes to use; all cores by default.

    Returns:
        The number of kernels.
    """
    modules = list(kernel_modules(folder))
    kernels = 0
    # Fresh processes: a fork would inherit torch's and Numba's threads in an unknown state.
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(_compile_module, folder, module) for module in modules]
        for done, future in enumerate(as_completed(pending), start=1):
            kernels += future.result()
            progress(done, len(modules))
    return kernels


def _compile_module(folder: Path, module: str) -> int:
    from importlib import import_module

    from tfngen.cache import import_package
    from tfngen.runtime.cpu.kernel import Kernel

    package = import_package(folder)
    found = vars(import_module(f"{package.__name__}.{module}")).values()
    kernels = [each for each in found if isinstance(each, Kernel)]
    for kernel in kernels:
        kernel.compile()
    return len(kernels)
