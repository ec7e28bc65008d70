"""Where an experiment computes: on the CPU, or on a GPU that is there."""

from __future__ import annotations

import torch

from tfngen.runtime.convolution import Kernels


def find_device(name: str, local_rank: int = 0) -> torch.device:
    """The device called `name`.

    Args:
        name: ``"cpu"``, or ``"cuda"`` for one GPU per process.
        local_rank: this process's number on its machine.

    Raises:
        ValueError: another device, or a GPU that is not there.
    """
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device: {name!r}; it must be 'cpu' or 'cuda'")
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ValueError("device: 'cuda', but torch finds no GPU here; leave it out to train on the CPU")
    if local_rank >= torch.cuda.device_count():
        raise ValueError(f"device: process {local_rank} of this machine has no GPU of its own")
    return torch.device("cuda", local_rank)


def kernels_for(lmax: int, device: str) -> Kernels:
    """Kernels of all paths up to `lmax` for the device called `device`."""
    from tfngen import load

    return load(lmax=lmax, targets=("cpu",) if device == "cpu" else ("cpu", "cuda"))
