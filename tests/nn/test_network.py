"""Tensor field networks: symmetries, forces, odd graphs, batches, compilation."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from e3nn import o3

from tests.reference import assert_same_bits, largest_difference, random_features, transformed
from tfngen.irreps import Irreps
from tfngen.nn import BesselBasis, PolynomialCutoff, Pooling, TensorFieldNetwork
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

CUTOFF = 2.0
IN, HIDDEN, OUT = "2x0e+1x1o", "4x0e+1x0o+3x1o+2x1e+1x2e", "1x0e+1x1o+1x2e"


def network(
    kernels: Kernels,
    irreps_in: str = IN,
    hidden: str = HIDDEN,
    out: str = OUT,
    num_layers: int = 2,
    **options,
) -> TensorFieldNetwork:
    torch.manual_seed(0)
    options = {"radial_hidden": 8, "mean_neighbors": 3.0, "envelope": PolynomialCutoff(CUTOFF)} | options
    return TensorFieldNetwork(
        irreps_in, hidden, out, num_layers, kernels=kernels, basis=BesselBasis(4, CUTOFF), **options
    ).double()


def points(count: int = 6, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 1.5 * torch.rand(count, 3, generator=generator, dtype=torch.float64)


def energy_of(
    model: TensorFieldNetwork, graph: Graph, features: Features, positions: torch.Tensor
) -> torch.Tensor:
    return Pooling("sum")(graph, model(graph, positions, features))["0e"].sum()


# -- symmetry -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reflect", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_it_commutes_with_euclidean_motions(
    kernels: Kernels, reflect: bool, dtype: torch.dtype, tolerance: float
) -> None:
    """Rotation or reflection, then translation. float32: three layers of sums, and r_ab after a shift."""
    model = network(kernels, num_layers=3).to(dtype)
    positions, features = points(), random_features(IN, 6)
    graph = Graph.from_points(positions, CUTOFF)
    torch.manual_seed(1)
    matrix = o3.rand_matrix(dtype=torch.float64) * (-1 if reflect else 1)
    moved = positions @ matrix.T + torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    result = model(graph, moved.to(dtype), transformed(features, matrix).to(dtype))
    expected = transformed(model(graph, positions.to(dtype), features.to(dtype)), matrix)
    assert largest_difference(result, expected) < tolerance
    assert expected.packed().abs().max() > 0.1


def test_it_commutes_with_permutations_of_points(kernels: Kernels) -> None:
    model, positions, features = network(kernels), points(), random_features(IN, 6)
    shuffle = torch.randperm(6, generator=torch.Generator().manual_seed(2))
    result = model(
        Graph.from_points(positions[shuffle], CUTOFF), positions[shuffle], features.map(lambda x: x[shuffle])
    )
    expected = model(Graph.from_points(positions, CUTOFF), positions, features).map(lambda x: x[shuffle])
    assert largest_difference(result, expected) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_and_forces_do_not_depend_on_the_order_of_edges_in_any_bit(
    kernels: Kernels, dtype: torch.dtype
) -> None:
    model, features = network(kernels).to(dtype), random_features(IN, 9, dtype)
    positions = points(9).to(dtype).requires_grad_()
    graph = Graph.from_points(positions, CUTOFF)
    shuffle = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(3))
    shuffled = Graph(graph.edge_index[:, shuffle], 9)
    assert not shuffled.is_sorted
    assert_same_bits(model(graph, positions, features), model(shuffled, positions, features))
    forces = [
        torch.autograd.grad(energy_of(model, g, features, positions), positions)[0] for g in (graph, shuffled)
    ]
    assert torch.equal(*forces)


def test_ignoring_parity_reaches_more_and_still_rotates(kernels: Kernels) -> None:
    model = network(kernels, "1x0e", "4x0e+2x1e", "1x0e+1x1e", irreps_filter="0e+1e")
    positions, features = points(), random_features("1x0e", 6)
    graph = Graph.from_points(positions, CUTOFF)
    torch.manual_seed(1)
    rotation = o3.rand_matrix(dtype=torch.float64)
    result = model(graph, positions @ rotation.T, features)
    assert largest_difference(result, transformed(model(graph, positions, features), rotation)) < 1e-10


def test_without_odd_paths_a_parity_blind_network_cannot_see_handedness(kernels: Kernels) -> None:
    """A mirror image gives the same scalars without odd paths, and other scalars with them."""
    positions, features = points(), random_features("1x0e", 6)
    graph = Graph.from_points(positions, CUTOFF)
    scalars = {}
    for name, paths in (("even", lambda path: path.even), ("all", None)):
        model = network(
            kernels, "1x0e", "4x0e+4x1e", "1x0e", num_layers=4, irreps_filter="0e+1e", paths=paths
        )
        pair = [model(graph, sign * positions, features)["0e"] for sign in (1, -1)]
        scalars[name] = (pair[0] - pair[1]).abs().max()
    assert scalars["even"] < 1e-12
    assert scalars["all"] > 1e-8


# -- derivatives ----------------------------------------------------------------------------------------


def test_forces_and_their_derivatives_are_those_of_the_energy(kernels: Kernels) -> None:
    model = network(kernels, "2x0e", "2x0e+1x1o", "1x0e", lmax_filter=1)
    positions, features = points(4).requires_grad_(), random_features("2x0e", 4)
    graph = Graph.complete(4, self_loops=True)
    torch.autograd.gradcheck(lambda x: energy_of(model, graph, features, x), positions)
    torch.autograd.gradgradcheck(lambda x: energy_of(model, graph, features, x), positions)


def test_the_hessian_is_symmetric_and_forces_sum_to_zero(kernels: Kernels) -> None:
    model = network(kernels)
    positions, features = points(5), random_features(IN, 5)
    graph = Graph.from_points(positions, CUTOFF)
    hessian = torch.autograd.functional.hessian(lambda x: energy_of(model, graph, features, x), positions)
    hessian = hessian.reshape(15, 15)
    assert hessian.abs().max() > 1e-2
    torch.testing.assert_close(hessian, hessian.T, rtol=0, atol=1e-10 * float(hessian.abs().max()))
    # Translating all points changes no force.
    assert hessian.reshape(15, 5, 3).sum(1).abs().max() < 1e-10 * hessian.abs().max()


def test_the_energy_is_smooth_where_a_neighbour_leaves_the_cutoff(kernels: Kernels) -> None:
    model, features = network(kernels), random_features(IN, 2)

    def energy_and_force(distance: float) -> tuple[float, float]:
        positions = torch.tensor([[0.0, 0, 0], [0, 0, distance]], dtype=torch.float64, requires_grad=True)
        energy = energy_of(model, Graph.from_points(positions, CUTOFF), features, positions)
        (gradient,) = torch.autograd.grad(energy, positions)
        return energy.item(), gradient[1, 2].item()

    inside, outside = energy_and_force(CUTOFF - 1e-6), energy_and_force(CUTOFF + 1e-6)
    assert inside == pytest.approx(outside, abs=1e-8)  # the envelope vanishes like (Δr)³
    assert outside[1] == 0


def test_stress_is_the_derivative_by_the_cell(kernels: Kernels) -> None:
    model = network(kernels, "1x0e", "2x0e+1x1o", "1x0e", lmax_filter=1)
    cell = (1.4 * torch.eye(3, dtype=torch.float64)).requires_grad_()
    positions, features = points(2), random_features("1x0e", 2)
    graph = Graph.from_points(positions, CUTOFF, cell=cell)
    energy = lambda cell: model(graph, positions, features, cell)["0e"].sum()  # noqa: E731
    torch.autograd.gradcheck(energy, cell)


def test_every_parameter_receives_a_gradient(kernels: Kernels) -> None:
    model = network(kernels, num_layers=2)
    positions, features = points(), random_features(IN, 6)
    model(Graph.from_points(positions, CUTOFF), positions, features).packed().square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


# -- graphs of every shape ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 3])
def test_points_without_neighbours(kernels: Kernels, count: int) -> None:
    model, features = network(kernels), random_features(IN, count)
    graph = Graph(torch.empty(2, 0, dtype=torch.int64), count)
    positions = points(count).requires_grad_()
    result = model(graph, positions, features)
    assert result.irreps == Irreps.parse(OUT)
    assert torch.isfinite(result.packed()).all()
    result.packed().sum().backward()
    assert positions.grad is None or not positions.grad.any()


def test_coinciding_points_give_finite_values_and_forces(kernels: Kernels) -> None:
    model, features = network(kernels), random_features(IN, 4)
    positions = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    energy = energy_of(model, Graph.complete(4, self_loops=True), features, positions)
    (force,) = torch.autograd.grad(energy, positions, create_graph=True)
    (second,) = torch.autograd.grad(force.square().sum() + energy, positions)
    for tensor in (energy, force, second):
        assert torch.isfinite(tensor).all()


def test_a_batch_gives_each_graphs_own_result(kernels: Kernels) -> None:
    model = network(kernels)
    parts = [(points(n, n), random_features(IN, n, seed=n)) for n in (3, 1, 5)]
    graphs = [Graph.from_points(positions, CUTOFF) for positions, _ in parts]
    together = model(
        Graph.batch(graphs),
        torch.cat([positions for positions, _ in parts]),
        Features.cat_points([features for _, features in parts]),
    )
    alone = [model(graph, *part) for graph, part in zip(graphs, parts, strict=True)]
    assert largest_difference(together, Features.cat_points(alone)) < 1e-12


def test_a_periodic_crystal_equals_its_supercell(kernels: Kernels) -> None:
    """Two cells side by side hold the same environments as one."""
    model = network(kernels)
    cell = torch.diag(torch.tensor([1.3, 1.6, 1.9], dtype=torch.float64))
    one, features = points(2), random_features(IN, 2)
    double = cell * torch.tensor([[2.0], [1.0], [1.0]], dtype=torch.float64)
    two = torch.cat([one, one + cell[0]])
    single = model(Graph.from_points(one, CUTOFF, cell=cell), one, features)
    supercell = model(Graph.from_points(two, CUTOFF, cell=double), two, Features.cat_points([features] * 2))
    assert largest_difference(supercell, Features.cat_points([single] * 2)) < 1e-12


# -- construction ---------------------------------------------------------------------------------------


def test_irreps_join_in_the_first_layer_that_reaches_them(kernels: Kernels) -> None:
    model = network(kernels, "1x0e", "4x0e+2x1o+2x1e", "1x0e", num_layers=3)
    assert [str(layer.irreps_out) for layer in model.layers] == ["4x0e+2x1o", "4x0e+2x1o+2x1e", "1x0e"]
    assert str(model.embedding.irreps_out) == "4x0e"


def test_layers_can_leave_their_input_out(kernels: Kernels) -> None:
    model = network(kernels, concatenate_input=False)
    assert all(layer.self_interaction.irreps_in == layer.convolution.irreps_out for layer in model.layers)
    positions, features = points(), random_features(IN, 6)
    assert model(Graph.from_points(positions, CUTOFF), positions, features).irreps == Irreps.parse(OUT)


def test_equal_seeds_give_equal_networks_and_copies_work(kernels: Kernels) -> None:
    one, other = network(kernels), network(kernels)
    positions, features = points(), random_features(IN, 6)
    graph = Graph.from_points(positions, CUTOFF)
    assert_same_bits(one(graph, positions, features), other(graph, positions, features))
    assert_same_bits(one(graph, positions, features), copy.deepcopy(one)(graph, positions, features))
    assert "2x0e+1x1o → 1x0e+1x1o+1x2e, filters 1x0e+1x1o+1x2e" in repr(one)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers: 0"),
        ({"lmax_filter": 3}, "lmax_filter: 3; it must be an integer from 0 to 2"),
        ({"lmax_filter": 1, "irreps_filter": "0e"}, "irreps_filter: 0e beside lmax_filter=1"),
        ({"out": "1x3o"}, "irreps_out: 3o out of reach"),
        ({"out": "1x1e", "num_layers": 1, "irreps_in": "1x0e"}, "irreps_out: 1e out of reach"),
        ({"hidden": "3x0o", "irreps_in": "1x0e"}, "irreps_hidden: 3x0o; layer 0 reaches none of it"),
        ({"mean_neighbors": 0}, "mean_neighbors: 0"),
    ],
)
def test_bad_options_are_named(kernels: Kernels, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(kernels, **options)


def test_bad_tensors_are_named(kernels: Kernels) -> None:
    model, graph, features = network(kernels), Graph.complete(6), random_features(IN, 6)
    with pytest.raises(ValueError, match=r"positions: shape \(5, 3\)"):
        model(graph, points(5), features)
    with pytest.raises(ValueError, match=r"distances: dtype torch.float32; the network's parameters"):
        model(graph, points().float(), features)
    with pytest.raises(ValueError, match="features: irreps 2x0e; this layer wants"):
        model(graph, points(), random_features("2x0e", 6))
    with pytest.raises(ValueError, match="features: 5 points; the graph has 6 nodes"):
        model(graph, points(), random_features(IN, 5))


# -- compilation ----------------------------------------------------------------------------------------


def assert_compiled_is_eager(kernels: Kernels, backend: str, num_layers: int) -> None:
    model = network(kernels, "2x0e", "2x0e+1x1o", "1x0e+1x1o", num_layers, lmax_filter=1)
    positions, features = points().requires_grad_(), random_features("2x0e", 6)
    graph = Graph.from_points(positions, CUTOFF)
    shuffle = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(4))
    graph = Graph(graph.edge_index[:, shuffle], 6)
    results = []
    for run in (model, torch.compile(model, fullgraph=True, backend=backend)):
        result = run(graph, positions, features)
        results.append((result, torch.autograd.grad(result.packed().square().sum(), positions)[0]))
    assert largest_difference(results[0][0], results[1][0]) < 1e-12
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-10, atol=1e-12)


def test_a_compiled_network_gives_the_same_numbers_and_forces(kernels: Kernels) -> None:
    assert_compiled_is_eager(kernels, "aot_eager", num_layers=2)


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor compiles C++")
def test_inductor_gives_the_same_numbers_and_forces(kernels: Kernels) -> None:
    assert_compiled_is_eager(kernels, "inductor", num_layers=1)  # half a minute for two


def test_an_exported_network_gives_the_same_numbers(kernels: Kernels) -> None:
    class OnOneGraph(torch.nn.Module):
        def __init__(self, model: TensorFieldNetwork, graph: Graph) -> None:
            super().__init__()
            self.model, self.graph = model, graph

        def forward(self, positions: torch.Tensor, features: Features) -> Features:
            return self.model(self.graph, positions, features)

    positions, features = points(), random_features("2x0e", 6)
    module = OnOneGraph(
        network(kernels, "2x0e", "2x0e+1x1o", "1x0e+1x1o", lmax_filter=1),
        Graph.from_points(positions, CUTOFF),
    )
    exported = torch.export.export(module, (positions, features)).module()
    assert largest_difference(exported(positions, features), module(positions, features)) < 1e-13
