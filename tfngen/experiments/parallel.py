"""Several processes that train one model, as `torchrun` starts them, or a single one that knows no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tfngen.experiments.devices import find_device


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress; one does."""
        return self.rank == 0

    def share(self, model: nn.Module) -> nn.Module:
        """`model`, made to average its gradients over the team in its backward pass."""
        if self.world == 1:
            return model
        return DistributedDataParallel(
            model, device_ids=None if self.device.type == "cpu" else [self.device.index]
        )

    def part(self, count: int) -> slice:
        """Which of `count` things this process works on; the team's parts follow one another."""
        return slice(self.rank * count // self.world, (self.rank + 1) * count // self.world)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of what each process has, the same in all of them."""
        if self.world == 1:
            return values
        sums = values.detach().clone()
        distributed.all_reduce(sums)
        return sums / self.world

    def wait(self) -> None:
        """Until everybody is here."""
        if self.world > 1:
            distributed.barrier()


@contextmanager
def team(device: str) -> Iterator[Team]:
    """Join the processes torchrun started, over gloo on CPUs and nccl on GPUs; alone where it did not.

    Args:
        device: ``"cpu"``, or ``"cuda"`` for one GPU per process.

    Raises:
        ValueError: another device, or a GPU that is not there.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = find_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Team(device=place)
        return
    distributed.init_process_group("gloo" if place.type == "cpu" else "nccl")
    try:
        yield Team(rank, world, place)
    finally:
        distributed.destroy_process_group()
