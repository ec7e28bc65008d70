"""The one place that knows about devices: which module launches kernels for a tensor."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch


@cache
def backend(device: torch.device) -> ModuleType:
    """The launcher for `device`: `path`, `convolution`, `harmonics`, `gather_rows`, `sum_rows`,
    `turn_rows`, `row_product`, `row_product_backward`, `symmetric_output`, `symmetric_d_input`,
    `symmetric_d_coefficient`, `pack`, and `empty` for their results; that for processors has `bessel` and
    `polynomial_cutoff` besides.

    Raises:
        ValueError: there are no kernels for such a device.
    """
    if device.type == "cpu":
        from tfngen.runtime.cpu import launch

        return launch
    if device.type == "cuda":
        from tfngen.runtime.cuda import launch as launch_on_gpu

        return launch_on_gpu
    raise ValueError(f"device: got {device}; generated kernels run on cpu and cuda")
