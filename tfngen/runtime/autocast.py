"""Under `torch.autocast`: kernels compute in float32, as torch's own sums do there."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)

MaybeTensor = TypeVar("MaybeTensor", Tensor, "Tensor | None")


def widened(tensor: MaybeTensor) -> MaybeTensor:
    """`tensor`, in float32 where autocast is on and it has fewer digits; otherwise as it is.

    Without autocast half precision is what somebody asked for: operands and results have it in memory, and
    are computed in float32 in between.
    """
    if isinstance(tensor, Tensor) and tensor.dtype in HALF and torch.is_autocast_enabled(tensor.device.type):
        return tensor.float()
    return tensor
