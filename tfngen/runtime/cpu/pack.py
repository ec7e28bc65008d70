"""Lay the irreps of features side by side: one call for all of them, in whatever layout each one is."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import torch
from torch import Tensor

from tfngen.runtime import layout
from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.index import load_index
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.memory import empty
from tfngen.runtime.cpu.threads import parallel_for

WORDS = ("LANES", "load_lanes", "load_scalar", "store_lanes", "store_scalar")
LANES, load_lanes, store_lanes = float32.LANES, float32.load_lanes, float32.store_lanes
load_scalar, store_scalar = float32.load_scalar, float32.store_scalar


@kernel
def pack_rows(first, last, blocks, count, results, width):
    """results[row] = block after block, each component's channels side by side.

    A row of `blocks` is an array's address, how far apart its rows, channels and components are, and the
    numbers of the latter two.
    """
    for row in range(first, last):
        place = row * width
        for block in range(blocks, blocks + 48 * count, 48):
            values, apart = load_index(block, 0), load_index(block, 2)
            channels, components = load_index(block, 4), load_index(block, 5)
            if apart == 1 and load_index(block, 3) == channels:  # as they are to be
                channels, components = channels * components, 1
            for component in range(components):
                origin = row * load_index(block, 1) + component * load_index(block, 3)
                if apart == 1:
                    whole = channels - channels % LANES
                    for channel in range(0, whole, LANES):
                        store_lanes(results, place + channel, load_lanes(values, origin + channel))
                    for channel in range(whole, channels):
                        store_scalar(results, place + channel, load_scalar(values, origin + channel))
                else:
                    for channel in range(channels):
                        store_scalar(results, place + channel, load_scalar(values, origin + channel * apart))
                place += channels


PACK = {
    torch.float32: pack_rows,
    torch.float64: pack_rows.variant("float64", {name: getattr(float64, name) for name in WORDS}),
}


def pack(features: Sequence[Tensor]) -> Tensor:
    """`tfngen.runtime.layout.pack` of what autograd does not hear of."""
    like = features[0]
    if like.dtype not in PACK or len(features) == 1:
        return layout.pack(features)
    nodes, width, blocks = like.shape[0], 0, array("q")
    for each in features:
        _, channels, components = each.shape
        blocks.extend((each.data_ptr(), *each.stride(), channels, components))
        width += channels * components
    result = empty(like, nodes, width)
    arguments = blocks.buffer_info()[0], len(features), result.data_ptr(), width
    parallel_for(PACK[like.dtype], nodes, result.numel(), arguments, (blocks,))
    return result
