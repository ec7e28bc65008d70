"""Run a kernel on tensors: on the GPU they are on, or, where Numba's simulator is on, thread by thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from tfngen.runtime.cuda.seam import SIMULATED

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from tfngen.runtime.cuda.kernel import Kernel


def run(
    kernel: Kernel,
    grid: tuple[int, int],
    threads: int,
    values: Mapping[str, Tensor | int],
    device: torch.device,
    shared_bytes: int = 0,
) -> None:
    """Run `kernel` with the arguments it names, of those in `values`.

    A tensor stands for the address of its first element; rows have been laid out by now.
    """
    if not (grid[0] and grid[1]):
        return
    arguments = [values[name] for name in kernel.arguments]
    if SIMULATED:
        from tfngen.runtime.cuda.seam import simulate

        flat = [each if isinstance(each, int) else _memory(each) for each in arguments]
        simulate(kernel.function, grid, threads, shared_bytes, flat)
        return
    from tfngen.runtime.cuda.driver import launch

    numbers = [each if isinstance(each, int) else each.data_ptr() for each in arguments]
    launch(kernel, grid, threads, shared_bytes, numbers, device)


def _memory(tensor: Tensor) -> np.ndarray:
    """From the first element of a tensor on, as far as its memory goes, as a flat array."""
    storage = tensor.detach().untyped_storage()
    flat = torch.tensor([], dtype=tensor.dtype).set_(storage)
    return flat[tensor.storage_offset() :].numpy()
