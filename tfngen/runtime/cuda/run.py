"""Run kernels on tensors: on the GPU they are on, or, where Numba's simulator is on, thread by thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tfngen.runtime.cuda.driver import launch
from tfngen.runtime.cuda.kernel import Kernel
from tfngen.runtime.cuda.seam import SIMULATED
from tfngen.runtime.cuda.sequence import LaunchSequence, Step

if TYPE_CHECKING:
    import numpy as np


def run(
    kernel: Kernel,
    grid: tuple[int, int],
    threads: int,
    values: Mapping[str, Any],
    device: torch.device,
) -> None:
    """Run a kernel with the arguments it names, of those in `values`: numbers, and places of tensors."""
    if grid[1]:
        alone = _alone(kernel, grid[1], threads)
        run_all(alone, grid[0], [values[name] for name in alone.names], device)


def run_all(sequence: LaunchSequence, blocks: int, values: Iterable[Any], device: torch.device) -> None:
    """Run kernels one after another; `values` are numbers, and places of tensors, in the sequence's order."""
    if not blocks:
        return
    if SIMULATED:
        _simulate(sequence, blocks, dict(zip(sequence.names, values, strict=True)))
    else:
        launch(sequence, blocks, values, device)


@lru_cache(maxsize=1024)
def _alone(kernel: Kernel, blocks: int, threads: int) -> LaunchSequence:
    return LaunchSequence([Step(kernel, blocks, threads)], kernel.arguments)


def _simulate(sequence: LaunchSequence, blocks: int, values: Mapping[str, Any]) -> None:
    from tfngen.runtime.cuda.seam import simulate

    for kernel, across, threads, shared_bytes, called, _ in sequence.steps:
        taken = {name: values[called.get(name, name)] for name in kernel.arguments}
        arguments = [*_in_pairs(kernel, taken), *kernel.constants.values()]
        simulate(kernel.function, (blocks, across), threads, shared_bytes, arguments)


def _in_pairs(kernel: Kernel, values: Mapping[str, Any]) -> Iterator[Any]:
    """Arguments for the simulator; arrays whose channels a lane takes two at a time have two columns."""
    for name, value in values.items():
        if kernel.pairs and kernel.arguments[name].per_channel:
            yield value[: len(value) // 2 * 2].reshape(-1, 2)
        else:
            yield value


def _memory(tensor: Tensor) -> np.ndarray:
    """From the first element of a tensor on, as far as its memory goes, as a flat array."""
    storage = tensor.detach().untyped_storage()
    flat = torch.tensor([], dtype=tensor.dtype).set_(storage)[tensor.storage_offset() :]
    return flat.view(torch.uint16).numpy() if tensor.dtype == torch.bfloat16 else flat.numpy()


place: Callable[[Tensor], Any] = _memory if SIMULATED else Tensor.data_ptr
"""What stands for a tensor among a kernel's arguments: the address of its first element.

In the simulator it is what begins there, as a flat array.
"""
