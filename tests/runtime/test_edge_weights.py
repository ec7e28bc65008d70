"""Convolutions whose edges share rows of weights: the same, bit by bit, as with the rows written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.reference import ReferenceKernels, assert_same_bits, largest_difference, random_features
from tfngen.runtime.convolution import Convolution, Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import EdgeOrder

IRREPS = ("2x0e+1x1o", "0e+1o", "0e+1o+1e")
ROWS = 5


def shared_case(kernels: Kernels, dtype: torch.dtype = torch.float64, nodes: int = 6):
    """A convolution over all pairs of nodes, loops included, and an index that leaves row 0 without edges."""
    convolution = Convolution(kernels, *IRREPS)
    generator = torch.Generator().manual_seed(0)
    graph = Graph.complete(nodes, self_loops=True)
    y = kernels.spherical_harmonics(torch.randn(nodes**2, 3, generator=generator, dtype=dtype))
    weights = torch.randn(ROWS, convolution.weight_numel, generator=generator, dtype=dtype)
    index = torch.randint(1, ROWS, (nodes**2,), generator=generator)
    return convolution, graph, y, random_features(IRREPS[0], nodes, dtype), weights, index


GIVEN: dict[str, Callable[[Graph, torch.Tensor], torch.Tensor | EdgeOrder]] = {
    "int64": lambda graph, index: index,
    "int32": lambda graph, index: index.int(),
    "EdgeOrder": lambda graph, index: graph.group_edges(index, ROWS),
}


@pytest.mark.parametrize("reference", [False, True], ids=["generated", "reference"])
@pytest.mark.parametrize("given", GIVEN)
def test_an_index_stands_for_the_rows_written_out(kernels: Kernels, given: str, reference: bool) -> None:
    convolution, graph, y, features, weights, index = shared_case(
        ReferenceKernels(1) if reference else kernels
    )
    weights.requires_grad_()
    shared = convolution(graph, y, features, weights, GIVEN[given](graph, index))
    written_out = convolution(graph, y, features, weights[index])
    assert_same_bits(shared, written_out)
    one, other = (
        torch.autograd.grad(result.packed().sin().sum(), weights)[0] for result in (shared, written_out)
    )
    # sums over some nine edges, in another order
    torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)
    assert not one[0].any()
    assert one[1:].all()


def test_first_and_second_derivatives(kernels: Kernels) -> None:
    convolution, graph, y, features, weights, index = shared_case(kernels, nodes=2)
    order = graph.group_edges(index, ROWS)

    def packed(y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return convolution(graph, y, Features.from_packed(x, features.irreps), weights, order).packed()

    inputs = [tensor.detach().requires_grad_() for tensor in (y[:, :4], features.packed(), weights)]
    torch.autograd.gradcheck(packed, inputs)
    torch.autograd.gradgradcheck(packed, inputs)


@pytest.mark.parametrize("given", GIVEN)
def test_gradients_do_not_depend_on_threads_or_on_the_order_of_edges_in_any_bit(
    kernels: Kernels, given: str
) -> None:
    convolution, graph, y, features, weights, index = shared_case(kernels, torch.float32, nodes=50)
    shuffle = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    results = []
    try:
        for count, order in ((1, torch.arange(graph.num_edges)), (2, shuffle), (3, shuffle.flip(0))):
            torch.set_num_threads(count)
            listed = Graph(graph.edge_index[:, order], graph.num_nodes)
            tracked = weights.clone().requires_grad_()
            result = convolution(listed, y[order], features, tracked, GIVEN[given](listed, index[order]))
            energy = result.packed().square().sum()
            (first,) = torch.autograd.grad(energy, tracked, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), tracked)
            results.append((result.packed(), first, second))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(results[0], other, strict=True))


def test_the_two_directions_of_an_edge_share_a_row(kernels: Kernels) -> None:
    convolution, graph, y, features, _, _ = shared_case(kernels)
    by_pair = graph.undirected.by_pair
    assert by_pair.num_rows == 21  # 15 undirected edges and 6 loops
    weights = torch.randn(21, convolution.weight_numel, dtype=torch.float64)
    shared = convolution(graph, y, features, weights, by_pair)
    assert_same_bits(shared, convolution(graph, y, features, weights[by_pair.index]))


def test_grouped_edges_keep_the_order_of_the_targets() -> None:
    """Edges 0…4 are sorted by target as 3, 0, 4, 1, 2."""
    graph = Graph(torch.tensor([[0, 0, 1, 2, 1], [1, 2, 2, 0, 1]]), 3)
    order = graph.group_edges(torch.tensor([1, 3, 1, 1, 3]), 4)
    assert order.order.tolist() == [3, 0, 2, 4, 1]
    assert order.row_pointers.tolist() == [0, 0, 3, 3, 5]


def test_a_graph_without_edges_needs_no_rows(kernels: Kernels) -> None:
    convolution = Convolution(kernels, *IRREPS)
    graph, none = Graph(torch.empty(2, 0).long(), 3), torch.empty(0).long()
    weights = torch.empty(0, convolution.weight_numel, dtype=torch.float64, requires_grad=True)
    result = convolution(graph, torch.empty(0, 4).double(), random_features(IRREPS[0], 3), weights, none)
    assert not result.packed().any()
    assert torch.autograd.grad(result.packed().sum(), weights)[0].shape == weights.shape


def test_compiled_convolutions_share_rows(kernels: Kernels) -> None:
    convolution, graph, y, features, weights, index = shared_case(kernels)
    order = graph.group_edges(index, ROWS)

    def run(graph: Graph, y: torch.Tensor, features: Features, weights: torch.Tensor, order: EdgeOrder):
        return convolution(graph, y, features, weights, order)

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    arguments = (graph, y, features, weights, order)
    assert largest_difference(compiled(*arguments), run(*arguments)) < 1e-13


@pytest.mark.parametrize(
    ("weights", "index", "message"),
    [
        ((5, 6), [0] * 36, "edge_weight_index: a list; it must be a torch.Tensor"),
        ((5, 6), torch.zeros(36), "edge_weight_index: dtype torch.float32; it must be torch.int32"),
        ((5, 6), torch.zeros(36, dtype=torch.bool), "edge_weight_index: dtype torch.bool"),
        ((5, 6), torch.zeros(35).long(), r"edge_weight_index: shape \(35,\); it must be \(36,\)"),
        ((5, 6), torch.zeros(36, 1).long(), r"edge_weight_index: shape \(36, 1\); it must be \(36,\)"),
        ((5, 6), torch.full((36,), 5), r"holds 5; with weights.shape\[0\] = 5 it must be in \[0, 5\)"),
        ((5, 6), torch.full((36,), -1), "edge_weight_index: holds -1"),
        ((0, 6), torch.zeros(36).long(), "edge_weight_index: holds 0; with"),
        ((5, 6), torch.zeros(36, device="meta").long(), "edge_weight_index: on meta"),
        ((5, 5), torch.zeros(36).long(), r"weights: shape \(5, 5\); .* must be \(rows, 6\)"),
        ((6,), torch.zeros(36).long(), r"weights: shape \(6,\); with edge_weight_index"),
        (None, torch.zeros(36).long(), "edge_weight_index: given without weights"),
        ((5, 6), Graph.complete(6).undirected.by_pair, "an order of 30 edges; the graph has 36"),
        ((5, 6), Graph.complete(6, True).to("meta").undirected.by_pair, "edge_weight_index: on meta"),
        (
            (5, 6),
            Graph.complete(6, True).undirected.by_pair,
            r"weights: shape \(5, 6\); edge_weight_index is into 21 rows, so it must be \(21, 6\)",
        ),
    ],
)
def test_bad_input_is_named(kernels: Kernels, weights: tuple | None, index: object, message: str) -> None:
    convolution, graph, y, features, _, _ = shared_case(kernels)
    convolution = Convolution(kernels, "2x0e+1x1o", "0e+1o", "0e+1o")  # six weights per edge
    given = None if weights is None else torch.zeros(weights, dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        convolution(graph, y, features, given, index)


def test_bad_groups_are_named() -> None:
    graph = Graph.complete(3)
    with pytest.raises(ValueError, match=r"index: holds 4; with num_rows = 4 it must be in \[0, 4\)"):
        graph.group_edges(torch.full((6,), 4), 4)
    with pytest.raises(ValueError, match=r"num_rows: 2\.0"):
        graph.group_edges(torch.zeros(6).long(), 2.0)
    with pytest.raises(ValueError, match=r"index: shape \(5,\); it must be \(6,\)"):
        graph.group_edges(torch.zeros(5).long(), 4)
