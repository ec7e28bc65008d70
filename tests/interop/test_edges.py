"""The edges of other people's graphs, found by looking at them and, in a recorded program, without."""

from __future__ import annotations

import torch

import tfngen
from tfngen.interop.edges import edges_of, pairs_of


def drawn(seed: int, edges: int, nodes: int) -> torch.Tensor:
    return torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(seed))


def test_edges_are_the_same_without_looking_at_them():
    traced = tfngen.trace(lambda index, features: edges_of(index, features.shape[0]))
    for seed, edges, nodes in ((0, 30, 7), (1, 41, 5)):
        index, features = drawn(seed, edges, nodes), torch.zeros(nodes, 3)
        for dtype in (torch.int64, torch.int32):
            found, wanted = traced(index.to(dtype), features), edges_of(index.to(dtype), nodes)
            for one, other in zip(found, wanted, strict=True):
                assert all(
                    torch.equal(a, b)
                    for a, b in zip(one.tensors, other.tensors, strict=True)
                    if b is not None
                )
    assert len(traced.programs) == 2  # one for each dtype


def test_pairs_cannot_be_found_without_looking():
    index = drawn(0, 10, 4)
    index = torch.cat([index, index.flip(0)], dim=1)
    half = torch.randn(10, 3)
    vectors = torch.cat([half, -half])
    assert pairs_of(index, vectors) is not None
    assert tfngen.trace(lambda index, vectors: pairs_of(index, vectors))(index, vectors) is None
