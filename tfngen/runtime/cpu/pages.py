"""Ask the operating system for large pages under large results.

A result of tens of megabytes is memory nobody has touched yet: with pages of 4 KiB the first write to each
interrupts the kernel that makes it, thousands of times. Linux gives pages of 2 MiB to who asks.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LARGE_PAGE = 2**21
_PAGE, _MADV_HUGEPAGE = 2**12, 14


@cache
def _advise() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return advise


def prefer_large_pages(tensor: Tensor) -> None:
    """Let the memory of a new, contiguous `tensor` come in large pages, if it is large and Linux has them."""
    size = tensor.numel() * tensor.itemsize
    if size < 2 * LARGE_PAGE:
        return
    advise = _advise()
    if advise is not None:
        start = -(-tensor.data_ptr() // _PAGE) * _PAGE
        advise(start, tensor.data_ptr() + size - start, _MADV_HUGEPAGE)  # advice: it may be refused
