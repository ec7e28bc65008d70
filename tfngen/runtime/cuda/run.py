"""Run a kernel on tensors: on the GPU they are on, or, where Numba's simulator is on, thread by thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from tfngen.runtime.cuda.driver import launch
from tfngen.runtime.cuda.kernel import Call, Kernel
from tfngen.runtime.cuda.seam import SIMULATED

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def place(tensor: Tensor) -> Any:
    """What stands for a tensor among a kernel's arguments: the address of its first element.

    In the simulator it is what begins there, as a flat array.
    """
    return _memory(tensor) if SIMULATED else tensor.data_ptr()


def run(
    call: Kernel | Call,
    grid: tuple[int, int],
    threads: int,
    values: Mapping[str, Any],
    device: torch.device,
    shared_bytes: int = 0,
) -> None:
    """Run a kernel with the arguments it names, of those in `values`: numbers, and places of tensors."""
    if not (grid[0] and grid[1]):
        return
    if isinstance(call, Kernel):
        call = call.call
    arguments = call.values_of(values)
    if SIMULATED:
        from tfngen.runtime.cuda.seam import simulate

        everything = [*_in_pairs(call, arguments), *call.kernel.constants.values()]
        simulate(call.kernel.function, grid, threads, shared_bytes, everything)
    else:
        launch(call, grid, threads, shared_bytes, arguments, device)


def _in_pairs(call: Call, arguments: Sequence[Any]) -> Iterator[Any]:
    """Arguments for the simulator; arrays whose channels a lane takes two at a time have two columns."""
    for name, value in zip(call.names, arguments, strict=True):
        if call.kernel.pairs and call.kernel.arguments[name].per_channel:
            yield value[: len(value) // 2 * 2].reshape(-1, 2)
        else:
            yield value


def _memory(tensor: Tensor) -> np.ndarray:
    """From the first element of a tensor on, as far as its memory goes, as a flat array."""
    storage = tensor.detach().untyped_storage()
    flat = torch.tensor([], dtype=tensor.dtype).set_(storage)[tensor.storage_offset() :]
    return flat.view(torch.uint16).numpy() if tensor.dtype == torch.bfloat16 else flat.numpy()
