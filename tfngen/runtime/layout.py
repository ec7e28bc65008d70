"""How features lie in memory: logically (rows, channels, components), with the channels side by side."""

from __future__ import annotations

from torch import Tensor


def channels_innermost(tensor: Tensor) -> Tensor:
    """`tensor` (rows, channels, components) itself if its channels are side by side, else a copy that is."""
    if tensor.stride(1) == 1 or tensor.shape[1] == 1:
        return tensor
    return tensor.transpose(1, 2).contiguous().transpose(1, 2)


def channels_first_empty(like: Tensor, rows: int, channels: int, components: int) -> Tensor:
    """An uninitialised (rows, channels, components) tensor, channels side by side."""
    return like.new_empty(rows, components, channels).transpose(1, 2)
