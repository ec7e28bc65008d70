"""Half precision in memory: kernels read and write it, and compute and sum in float32."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch

from tfngen.runtime import registry
from tfngen.runtime.cuda.kernel import Kernel
from tfngen.runtime.cuda.seam import BFLOAT16

STORED: dict[torch.dtype, type] = {torch.float16: np.float16, torch.bfloat16: BFLOAT16}
"""What stands for them among a kernel's arguments."""


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """The dtype of the kernels for tensors of `dtype`."""
    return torch.float32 if dtype in STORED else dtype


def named(dtype: str) -> torch.dtype:
    """The dtype called ``float32`` or ``float64``."""
    found: torch.dtype = getattr(torch, dtype)
    return found


def kernels(package: str, dtype: torch.dtype, module: str) -> ModuleType:
    """The module of a generated package whose kernels are for tensors of `dtype`, once they are `suited`."""
    return registry.kernels(package, "cuda", computed_in(dtype), module)


def suited(kernel: Kernel, dtype: torch.dtype) -> Kernel:
    """`kernel`, whose arrays are of `dtype` in memory."""
    return kernel.stored_as(STORED.get(dtype))
