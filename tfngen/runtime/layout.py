"""How features lie in memory: logically (rows, channels, components), with the channels side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def channels_innermost(tensor: Tensor) -> Tensor:
    """`tensor` (rows, channels, components) itself if its channels are side by side, else a copy that is."""
    if tensor.stride(1) == 1 or tensor.shape[1] == 1:
        return tensor
    return tensor.transpose(1, 2).contiguous().transpose(1, 2)


def channels_first_empty(like: Tensor, rows: int, channels: int, components: int) -> Tensor:
    """An uninitialised (rows, channels, components) tensor, channels side by side."""
    return like.new_empty(rows, components, channels).transpose(1, 2)


def pack(features: Sequence[Tensor]) -> Tensor:
    """(nodes, channels, 2l + 1) tensors → (nodes, their entries side by side), channels innermost."""
    nodes, channels, _ = features[0].shape
    rows = [each.mT for each in features]
    if any(each.shape[2] != channels for each in rows):
        return torch.cat([each.reshape(nodes, each.shape[1] * each.shape[2]) for each in rows], dim=1)
    joined = rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)
    return joined.reshape(nodes, joined.shape[1] * channels)
