"""Sizes of recorded tensors: numbers, or expressions of those that were left open.

They are compared as they stand. To ask torch whether two are equal would settle them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


def number(size: int | torch.SymInt) -> Any:
    """A size that is known, or the expression of one that is not."""
    if not isinstance(size, torch.SymInt):
        return size
    expression = size.node.expr
    return int(expression) if expression.is_number else expression


def numbers(sizes: Iterable[int | torch.SymInt]) -> list[Any]:
    """The same of several."""
    return [number(size) for size in sizes]
