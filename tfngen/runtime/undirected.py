"""Directed edges taken two by two: the edge from b to a, and the one from a back to b."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tfngen.runtime.segments import EdgeOrder


@dataclass(frozen=True, slots=True)
class Undirected:
    """The undirected edges, or pairs, of a graph: r_ab = −r_ba, so whatever depends on |r| is one per pair.

    The edge (b → a, shift) belongs with the edge (a → b, −shift); a self-loop without shift is a pair of its
    own. Edges that repeat belong together first with first, second with second, in the order given. Pairs are
    numbered by their representatives in the order of `Graph.by_target`, so however the edges were listed.
    """

    by_pair: EdgeOrder
    """The edges by pair: `index` (edges,) is the pair of each, and a pair's representative comes first."""
    representative: Tensor
    """(pairs,) int64: the edge of each pair that comes first by (target, source, shift)."""

    @property
    def num_pairs(self) -> int:
        return self.representative.shape[0]

    def _map(self, function: Callable[[Tensor], Tensor]) -> Undirected:
        return Undirected(self.by_pair._map(function), function(self.representative))

    def _relisted(self, order: Tensor, position: Tensor) -> Undirected:
        """The same pairs once edge `order[i]` is listed as edge i, and so edge e as edge `position[e]`."""
        by_pair = self.by_pair
        return Undirected(
            EdgeOrder(by_pair.index[order], position[by_pair.order], by_pair.row_pointers),
            position[self.representative],
        )


def pair_edges(
    by_target: EdgeOrder, by_source: EdgeOrder, shift_keys: Tensor | None, backward: Tensor
) -> Undirected | None:
    """Match each edge with its opposite, in linear time, or give None where an edge has none.

    Args:
        by_target: the edges by (target, source, shift), ties in the order given.
        by_source: the edges by (source, target, shift), ties in the order given.
        shift_keys: (edges,) int64, one number per shift, for −shift its negative; None without shifts.
        backward: (edges,) int64, the edges by (source, target, −shift), ties in the order given. In a graph
            that has every opposite they are the opposites of `by_target.order`, one by one.
    """
    forward, source, target = by_target.order, by_source.index, by_target.index
    if not torch.equal(by_target.row_pointers, by_source.row_pointers):
        return None  # some node has more edges one way than the other
    if not torch.equal(_take(source, forward), _take(target, backward)):
        return None
    if shift_keys is not None and not torch.equal(_take(shift_keys, forward), -_take(shift_keys, backward)):
        return None

    # From here on an edge is called by its position in `forward`.
    position = _inverse(forward)
    edges = torch.arange(forward.shape[0], device=forward.device)
    opposite = _take(position, backward)
    first = torch.minimum(edges, opposite)
    representatives = (edges == first).nonzero().flatten()
    pair = _take((edges == first).cumsum(0) - 1, first)
    sizes = 1 + _take((edges != opposite).long(), representatives)
    row_pointers = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    place = _take(row_pointers, pair) + (edges != first)
    by_pair = EdgeOrder(_take(pair, position), _take(forward, _inverse(place)), row_pointers)
    return Undirected(by_pair, _take(forward, representatives))


def _take(tensor: Tensor, index: Tensor) -> Tensor:
    return tensor.index_select(0, index)  # several times as fast as tensor[index]


def _inverse(permutation: Tensor) -> Tensor:
    positions = torch.arange(permutation.shape[0], device=permutation.device)
    return torch.empty_like(permutation).scatter_(0, permutation, positions)
