"""The point convolution, against the paper's formula written out as loops, and its symmetries."""

from __future__ import annotations

import copy
import pickle
import sys
import types

import pytest
import torch
from e3nn import o3

from tests.reference import (
    ReferenceKernels,
    assert_same_bits,
    default_dtype,
    largest_difference,
    random_features,
    transformed,
)
from tfngen.irreps import Irrep, Irreps
from tfngen.runtime.convolution import Convolution, Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

IN, FILTER, OUT = "3x0e+2x1o+1x2e", "0e+1o+2e", "0e+1o+1e+2e"


def random_case(kernels: Kernels, convolution: Convolution, nodes: int = 6, edges: int = 25, seed: int = 0):
    """Graph, vectors, harmonics, features and weights; the last node is isolated, edges repeat and loop."""
    generator = torch.Generator().manual_seed(seed)
    graph = Graph(torch.randint(0, max(nodes - 1, 1), (2, edges), generator=generator), nodes)
    vectors = torch.randn(edges, 3, generator=generator, dtype=torch.float64)
    features = random_features(str(convolution.irreps_in), nodes, seed=seed + 1)
    weights = torch.randn(edges, convolution.weight_numel, generator=generator, dtype=torch.float64)
    return graph, vectors, kernels.spherical_harmonics(vectors), features, weights


def written_out(convolution: Convolution, graph: Graph, y, features: Features, weights) -> Features:
    """L_{acm_O} = Σ_b Σ C · w_c · y_{m_F} · V_{b c m_I}, edge by edge, path by path, channel by channel."""
    results = {
        irrep: torch.zeros(graph.num_nodes, channels, irrep.dim, dtype=torch.float64)
        for channels, irrep in convolution.irreps_out
    }
    for path in convolution.paths:
        l_filter, _, l_output = path.path
        coefficients = o3.wigner_3j(*path.path, dtype=torch.float64) * (2 * l_output + 1) ** 0.5
        for edge, (source, target) in enumerate(graph.edge_index.T.tolist()):
            for channel in range(path.channels):
                filtered = weights[edge, path.weight_slice][channel] * torch.einsum(
                    "fio,f,i->o",
                    coefficients,
                    y[edge, l_filter**2 : (l_filter + 1) ** 2],
                    features[path.irrep_input][source, channel],
                )
                results[path.irrep_output][target, path.output_slice][channel] += filtered
    return Features(results)


def test_it_is_the_papers_formula(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    result = convolution(graph, y, features, weights)
    assert result.irreps == convolution.irreps_out
    # float64 sums of some 25 terms of size 1
    assert largest_difference(result, written_out(convolution, graph, y, features, weights)) < 1e-12


def test_paths_follow_degrees_and_parities_output_by_output(kernels: Kernels) -> None:
    convolution = Convolution(kernels, "3x0e+2x1o", FILTER, OUT)
    assert [str(path) for path in convolution.paths] == [
        "0e × 3x0e → 3x0e",
        "1o × 2x1o → 2x0e",
        "1o × 3x0e → 3x1o",
        "0e × 2x1o → 2x1o",
        "2e × 2x1o → 2x1o",
        "1o × 2x1o → 2x1e",
        "2e × 3x0e → 3x2e",
        "1o × 2x1o → 2x2e",
    ]
    assert str(convolution.irreps_out) == "5x0e+7x1o+2x1e+5x2e"
    assert convolution.weight_numel == 19
    ends = 0
    for path in convolution.paths:  # weights are laid out in the order of the paths, without gaps
        assert path.weight_slice == slice(ends, ends + path.channels)
        ends += path.channels


def test_the_order_of_paths_is_that_of_sorted_e3nn_instructions(kernels: Kernels) -> None:
    """e3nn's uvu instructions, enumerated input by input and filter by filter, then sorted by output."""
    convolution = Convolution(kernels, IN, FILTER, OUT)
    outputs = [ir for _, ir in o3.Irreps(OUT)]
    instructions = sorted(
        (outputs.index(ir), i, j)
        for i, (_, ir_in) in enumerate(o3.Irreps(IN))
        for j, (_, ir_filter) in enumerate(o3.Irreps(FILTER))
        for ir in ir_in * ir_filter
        if ir in outputs
    )
    filters = [irrep for _, irrep in convolution.irreps_filter]
    assert instructions == [
        (path.output_block, path.input_block, filters.index(path.irrep_filter)) for path in convolution.paths
    ]


def test_it_agrees_with_e3nns_tensor_product(kernels: Kernels) -> None:
    """The filter is the first factor, so e3nn's mode is 'uvv'; swapped, odd paths would change sign."""
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    filters = [irrep for _, irrep in convolution.irreps_filter]
    middle = [(path.channels, str(path.irrep_output)) for path in convolution.paths]
    with default_dtype(torch.float64):
        product = o3.TensorProduct(
            FILTER,
            IN,
            middle,
            [
                (filters.index(path.irrep_filter), path.input_block, slot, "uvv", True)
                for slot, path in enumerate(convolution.paths)
            ],
            irrep_normalization="component",  # √(2l_O + 1) times the 3j symbol
            path_normalization="none",
            shared_weights=False,
            internal_weights=False,
        )
    edges = product(y, features.packed()[graph.source], weights)
    nodes = edges.new_zeros(graph.num_nodes, edges.shape[1]).index_add(0, graph.target, edges)
    expected = Features.from_packed(nodes, middle)
    assert largest_difference(convolution(graph, y, features, weights), expected) < 1e-12


def test_a_predicate_or_a_list_selects_paths(kernels: Kernels) -> None:
    even = Convolution(kernels, "1x0e+1x1e", "0e+1e", "0e+1e", paths=lambda path: path.even)
    assert [path.path for path in even.paths] == [(0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)]
    listed = Convolution(kernels, "1x0e+1x1e", "0e+1e", "0e+1e", paths=[(1, 1, 1), (1, 1, 0)])
    assert [path.path for path in listed.paths] == [(1, 1, 0), (1, 1, 1)]


def test_blocks_of_one_irrep_are_joined_and_parity_can_be_ignored(kernels: Kernels) -> None:
    convolution = Convolution(kernels, "1x0e+1x1e+2x0e", "0e+1e", "1e")
    assert str(convolution.irreps_in) == "3x0e+1x1e"
    assert str(convolution.irreps_out) == "5x1e"


@pytest.mark.parametrize("channels", [1, 7, 33])
def test_any_number_of_channels(kernels: Kernels, channels: int) -> None:
    convolution = Convolution(kernels, f"{channels}x1o", "1o", "0e+2e")
    graph, _, y, features, weights = random_case(kernels, convolution, edges=6)
    expected = written_out(convolution, graph, y, features, weights)
    assert largest_difference(convolution(graph, y, features, weights), expected) < 1e-12


@pytest.mark.parametrize(("nodes", "edges"), [(0, 0), (1, 0), (4, 0), (1, 3)])
def test_graphs_without_edges_nodes_or_with_loops_only(kernels: Kernels, nodes: int, edges: int) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution, nodes, edges)
    result = convolution(graph, y, features, weights)
    expected = written_out(convolution, graph, y, features, weights)
    torch.testing.assert_close(result.packed(), expected.packed())


def test_isolated_nodes_receive_zeros(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    assert not convolution(graph, y, features, weights).packed()[-1].any()


def test_weights_default_to_one_and_may_be_shared_by_all_edges(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    ones, shared = torch.ones_like(weights), weights[0].expand_as(weights)
    torch.testing.assert_close(
        convolution(graph, y, features).packed(), convolution(graph, y, features, ones).packed()
    )
    torch.testing.assert_close(
        convolution(graph, y, features, weights[0]).packed(),
        convolution(graph, y, features, shared).packed(),
    )


def test_memory_layout_and_index_width_do_not_matter(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    expected = convolution(graph, y, features, weights)
    row_major = features.map(lambda tensor: tensor.contiguous())
    strided = features.map(lambda tensor: torch.stack([tensor, tensor], dim=-1)[..., 1])
    narrow = Graph(graph.edge_index.int(), graph.num_nodes)
    wide = torch.cat([y, y], dim=1)[:, : y.shape[1]], torch.stack([weights, weights])[1].T.contiguous().T
    for inputs in (
        (graph, y, row_major, weights),
        (graph, y, strided, weights),
        (narrow, y, features, weights),
        (graph, wide[0], features, wide[1]),
        (graph, y, {str(irrep): tensor for irrep, tensor in features.items()}, weights),
    ):
        torch.testing.assert_close(convolution(*inputs).packed(), expected.packed(), rtol=1e-13, atol=1e-13)


def test_results_keep_their_channels_innermost(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    for tensor in convolution(graph, y, features, weights).values():
        assert tensor.shape[1] == 1 or tensor.stride(1) == 1


# -- symmetry -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reflect", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 2e-5)])
def test_it_commutes_with_rotations_and_reflections(
    kernels: Kernels, reflect: bool, dtype: torch.dtype, tolerance: float
) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, vectors, y, features, weights = random_case(kernels, convolution)
    torch.manual_seed(1)
    rotation = o3.rand_matrix(dtype=torch.float64) * (-1 if reflect else 1)
    y, features, weights = y.to(dtype), features.to(dtype), weights.to(dtype)
    turned = kernels.spherical_harmonics((vectors @ rotation.T).to(dtype))
    result = convolution(graph, turned, transformed(features, rotation), weights)
    # float32: sums of some 25 products of size up to 10
    expected = transformed(convolution(graph, y, features, weights), rotation)
    assert largest_difference(result, expected) < tolerance


def test_it_commutes_with_permutations_of_nodes(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    graph, _, y, features, weights = random_case(kernels, convolution)
    shuffle = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(2))
    position = torch.argsort(shuffle)
    result = convolution(
        Graph(position[graph.edge_index], graph.num_nodes), y, features.map(lambda x: x[shuffle]), weights
    )
    expected = convolution(graph, y, features, weights).map(lambda x: x[shuffle])
    assert largest_difference(result, expected) < 1e-12


def test_results_and_gradients_do_not_depend_on_the_order_of_edges_in_any_bit(kernels: Kernels) -> None:
    convolution = Convolution(kernels, IN, FILTER, OUT)
    # No repeated edges: between equals, the order given decides.
    edges = torch.cartesian_prod(torch.arange(6), torch.arange(6)).T
    generator = torch.Generator().manual_seed(3)
    y = kernels.spherical_harmonics(torch.randn(36, 3, generator=generator))
    weights = torch.randn(36, convolution.weight_numel, generator=generator)
    features = random_features(IN, 6, torch.float32).map(lambda x: x.requires_grad_())
    shuffle = torch.randperm(36, generator=generator)
    one = convolution(Graph(edges, 6), y, features, weights)
    other = convolution(Graph(edges[:, shuffle], 6), y[shuffle], features, weights[shuffle])
    assert_same_bits(one, other)
    for result in zip(
        *(torch.autograd.grad(r.packed().square().sum(), list(features.values())) for r in (one, other)),
        strict=True,
    ):
        assert torch.equal(*result)


# -- derivatives, copies, compilation -------------------------------------------------------------------


def test_first_and_second_derivatives(kernels: Kernels) -> None:
    convolution = Convolution(kernels, "2x0e+1x1o", "0e+1o", "0e+1o+1e")
    graph, _, y, features, weights = random_case(kernels, convolution, nodes=3, edges=4)

    def packed(y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return convolution(graph, y, Features.from_packed(x, features.irreps), weights).packed()

    inputs = [tensor.detach().requires_grad_() for tensor in (y[:, :4], features.packed(), weights)]
    torch.autograd.gradcheck(packed, inputs)
    torch.autograd.gradgradcheck(packed, inputs)


def test_a_compiled_convolution_gives_the_same_numbers(kernels: Kernels) -> None:
    convolution = Convolution(kernels, "2x0e+1x1o", "0e+1o", "0e+1o+1e")
    graph, _, y, features, weights = random_case(kernels, convolution)

    def run(graph: Graph, y: torch.Tensor, features: Features, weights: torch.Tensor) -> Features:
        return convolution(graph, y, features, weights)

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")(graph, y, features, weights)
    assert largest_difference(compiled, run(graph, y, features, weights)) < 1e-13


def test_copies_find_a_generated_package_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules cannot be pickled or copied, but models must be."""
    package = types.ModuleType("generated_for_this_test")
    package.__dict__.update({name: getattr(ReferenceKernels(1), name) for name in ("LMAX", "PATHS")})
    monkeypatch.setitem(sys.modules, package.__name__, package)
    convolution = Convolution(package, "1x0e", "0e+1o", "1o")
    for twin in (copy.deepcopy(convolution), pickle.loads(pickle.dumps(convolution))):
        assert twin.kernels is package
        assert twin.paths == convolution.paths
    assert convolution.kernels is package
    pickled = pickle.dumps(convolution)
    monkeypatch.delitem(sys.modules, package.__name__)
    with pytest.raises(ModuleNotFoundError, match=r"generated_for_this_test, are not loaded .* tfngen\.load"):
        pickle.loads(pickled)


# -- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("1x0e", "0e+3o", "0e"), "irreps_filter: .* has l = 3; the kernels end at 2"),
        (("1x3o", "0e", "0e"), "irreps_in: .* has l = 3"),
        (("", "0e", "0e"), "irreps_in: empty"),
        (("1x0e", "", "0e"), "irreps_filter: empty"),
        (("1x0e", "0e", ""), "irreps_out: empty"),
        (("1x0e", "2x0e", "0e"), "irreps_filter: 2x0e; name each irrep once"),
        (("1x0e", "0e", "4x0e"), "irreps_out: 4x0e; name each irrep once"),
        (("1x0e", "0e", "0e+0e"), r"irreps_out: 1x0e\+1x0e; name each irrep once"),
        (("1x0e", "0e+1o+2o", "0e"), r"irreps_filter: .* have parity \(−1\)\^l"),
        (("1x0e", "0e+1o", "0e+1e"), r"irreps_out: no path leads .* to 1e; reachable: 1x0e\+1x1o"),
        (("1x0e", "0e", "0e", [(0, 0, 1)]), r"paths: \(0, 0, 1\) not among"),
        (("1x0e", "0e", "0e", []), "reachable: nothing"),
    ],
)
def test_bad_irreps_are_named(kernels: Kernels, arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Convolution(kernels, *arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": random_features("2x0e", 6)}, "features: irreps 2x0e; this layer wants 2x0e"),
        ({"features": random_features("2x0e+2x1o", 6)}, r"features: irreps 2x0e\+2x1o; .* 2x0e\+1x1o"),
        ({"features": random_features("2x0e+1x1o", 5)}, "features: 5 points; the graph has 6 nodes"),
        ({"y": torch.zeros(25, 3).double()}, r"y: shape \(25, 3\); it must be \(25, at least 4\)"),
        ({"y": torch.zeros(24, 4).double()}, r"y: shape \(24, 4\)"),
        ({"y": torch.zeros(25, 4)}, "y: dtype torch.float32; the features are torch.float64"),
        ({"y": torch.zeros(25, 4, device="meta").double()}, "y: on meta; the features are on cpu"),
        (
            {"features": random_features("2x0e+1x1o", 6).to("meta")},
            "features: on meta; the graph is on cpu",
        ),
        (
            {"weights": torch.zeros(25, 2).double()},
            r"weights: shape \(25, 2\); it must be \(25, 6\) or \(6,\)",
        ),
        ({"weights": torch.zeros(6)}, "weights: dtype torch.float32"),
    ],
)
def test_bad_tensors_are_named(kernels: Kernels, change: dict, message: str) -> None:
    convolution = Convolution(kernels, "2x0e+1x1o", "0e+1o", "0e+1o")
    graph, _, y, features, weights = random_case(kernels, convolution)
    inputs = {"y": y, "features": features, "weights": weights} | change
    with pytest.raises(ValueError, match=message):
        convolution(graph, **inputs)


def test_records_speak_the_fields_terms(kernels: Kernels) -> None:
    convolution = Convolution(kernels, "3x0e", "1o", "1o")
    (path,) = convolution.paths
    assert (path.irrep_filter, path.irrep_input, path.irrep_output) == (Irrep(1, -1), Irrep(0), Irrep(1, -1))
    assert path.path == (1, 0, 1)
    assert convolution.irreps_in == Irreps.parse("3x0e")
    assert repr(convolution) == "Convolution(3x0e by 1x1o → 3x1o, 1 paths, 3 weights)"
