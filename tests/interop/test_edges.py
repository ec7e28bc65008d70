"""The graphs of other people's models: found again while they live, and paired where they can be."""

from __future__ import annotations

import pytest
import torch

import tfngen
from tfngen.interop.edges import edges_between, edges_of, pairs_of


def lattice(images: int = 1):
    """Two atoms in a periodic cell, each joined to both and their images: (edge_index, vectors)."""
    positions, cell = torch.tensor([[0.1, 0.2, 0.3], [0.6, 0.4, 0.5]]), torch.eye(3)
    shifts = torch.cartesian_prod(*[torch.arange(-images, images + 1)] * 3).float()
    edges, vectors = [], []
    for i in range(2):
        for j in range(2):
            for shift in shifts:
                if i != j or shift.any():
                    edges.append((i, j))
                    vectors.append(positions[j] - positions[i] + shift @ cell)
    order = torch.randperm(len(edges), generator=torch.Generator().manual_seed(0))
    return torch.tensor(edges)[order].T.contiguous(), torch.stack(vectors)[order]


def test_a_graph_is_sorted_once_for_all_layers():
    index, _ = lattice()
    edges = edges_of(index, 2)
    assert edges_of(index, 2) is edges
    assert edges_between(index[0], index[1], 2) is edges
    assert edges_of(index, 3) is not edges
    turned = edges_of(index, 2, source_row=1)
    assert torch.equal(turned.graph[0], index[1])
    index[0, 0] = 1 - index[0, 0]
    assert torch.equal(edges_of(index, 2).graph[0], index[0])
    loose = edges_between(index[0].clone(), index[1].clone(), 2)
    assert torch.equal(loose.graph[1], index[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_edge_is_paired_with_the_one_that_leads_back(dtype):
    index, vectors = lattice()
    # Nodes on a grid of quarters, so that differences are exact and opposite edges negative to the last bit.
    vectors = (4 * vectors).round().to(dtype) / 4
    pairs = pairs_of(index, vectors)
    assert pairs is not None
    one, other = pairs.first, pairs.second
    assert sorted([*one.tolist(), *other.tolist()]) == list(range(index.shape[1]))
    assert torch.equal(index[:, one], index[:, other].flip(0))
    assert torch.equal(vectors[one], -vectors[other])
    assert torch.equal(pairs.order.index[one], torch.arange(one.shape[0]))
    assert torch.equal(pairs.order.index[other], torch.arange(one.shape[0]))
    assert pairs_of(index, vectors) is pairs


def test_what_has_no_opposite_is_not_paired():
    index, vectors = torch.tensor([[0, 1], [1, 0]]), torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]])
    assert pairs_of(index, vectors) is not None
    assert pairs_of(index, vectors + 1e-6) is None
    assert pairs_of(index[:, :1], vectors[:1]) is None
    assert pairs_of(index[:, :0], vectors[:0]) is None
    assert pairs_of(torch.tensor([[0, 0], [1, 1]]), vectors) is None
    repeated = pairs_of(index.repeat(1, 2), vectors.repeat(2, 1))
    assert repeated is not None
    assert repeated.first.tolist() == [0, 2]
    vectors[0, 1] = 2.0  # written to: looked at again
    assert pairs_of(index, vectors) is None


def test_nothing_is_remembered_of_what_does_not_tell_of_writing():
    """In inference mode tensors have no version, so each call looks anew."""
    with torch.inference_mode():
        index, vectors = torch.tensor([[0, 1], [1, 0]]), torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]])
        assert pairs_of(index, vectors) is not None
        vectors[0, 1] = 2.0
        assert pairs_of(index, vectors) is None
        assert torch.equal(edges_of(index, 2).graph[0], index[0])


# ── while a program is recorded ──────────────────────────────────────────────────────────────────────────


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
