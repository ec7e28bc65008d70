"""Self-interaction, nonlinearity, pooling and the learnt convolution, one at a time."""

from __future__ import annotations

import pytest
import torch
from e3nn import o3

from tests.reference import assert_same_bits, largest_difference, random_features, transformed
from tfngen.nn import BesselBasis, Convolution, Geometry, NormNonlinearity, Pooling, SelfInteraction
from tfngen.nn.geometry import safe_norm
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

IRREPS = "3x0e+2x0o+2x1o+1x2e"


@pytest.fixture(params=["rotation", "reflection"])
def orthogonal(request: pytest.FixtureRequest) -> torch.Tensor:
    torch.manual_seed(0)
    return o3.rand_matrix(dtype=torch.float64) * (1 if request.param == "rotation" else -1)


def with_random_biases(module: torch.nn.Module) -> torch.nn.Module:
    """Biases start at zero, where a test would not see them."""
    torch.manual_seed(1)
    module = module.double()
    for name, parameter in module.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter)
    return module


# -- self-interaction -----------------------------------------------------------------------------------


def test_self_interaction_mixes_channels_by_its_formula() -> None:
    layer = with_random_biases(SelfInteraction("3x0e+2x1o", "4x1o+5x0e"))
    features = random_features("3x0e+2x1o", 6)
    result = layer(features)
    assert str(result.irreps) == "4x1o+5x0e"
    vectors = torch.einsum("dc,acm->adm", layer.weight["1o"], features["1o"])
    scalars = torch.einsum("dc,acm->adm", layer.weight["0e"], features["0e"]) + layer.bias["0e"][:, None]
    torch.testing.assert_close(result["1o"], vectors)
    torch.testing.assert_close(result["0e"], scalars)
    assert result["1o"].transpose(1, 2).is_contiguous()


def test_only_even_scalars_have_a_bias() -> None:
    layer = SelfInteraction(IRREPS, IRREPS)
    assert list(layer.bias) == ["0e"]
    assert list(SelfInteraction(IRREPS, IRREPS, bias=False).bias) == []
    assert set(layer.state_dict()) == {"weight.0e", "weight.0o", "weight.1o", "weight.2e", "bias.0e"}


# -- nonlinearity ---------------------------------------------------------------------------------------


def test_nonlinearity_scales_by_a_function_of_the_length() -> None:
    layer = with_random_biases(NormNonlinearity("3x0e+2x1o", epsilon=1e-12))
    features = random_features("3x0e+2x1o", 6)
    norm = features["1o"].norm(dim=-1, keepdim=True)
    gain = layer.activation(norm + layer.bias["1o"][:, None])
    torch.testing.assert_close(layer(features)["1o"], gain * features["1o"] / norm)
    torch.testing.assert_close(
        layer(features)["0e"], layer.activation(features["0e"] + layer.bias["0e"][:, None])
    )
    layer.normalize = False  # as printed in the paper
    torch.testing.assert_close(layer(features)["1o"], gain * features["1o"])


@pytest.mark.parametrize("normalize", [True, False])
def test_nonlinearity_is_zero_at_zero_with_finite_derivatives(normalize: bool) -> None:
    layer = with_random_biases(NormNonlinearity("1x1o", normalize=normalize, epsilon=0.1))
    zero = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)

    def packed(x: torch.Tensor) -> torch.Tensor:
        return layer(Features.from_packed(x, "1x1o")).packed()

    assert not packed(zero).any()
    torch.autograd.gradcheck(packed, zero)
    torch.autograd.gradgradcheck(packed, zero)
    default = with_random_biases(NormNonlinearity("1x1o"))
    (first,) = torch.autograd.grad(
        default(Features({"1o": zero[:, None]})).packed().sum(), zero, create_graph=True
    )
    (second,) = torch.autograd.grad(first.sum(), zero)
    assert torch.isfinite(first).all()
    assert torch.isfinite(second).all()


@pytest.mark.parametrize("make", [SelfInteraction, NormNonlinearity])
def test_pointwise_layers_commute_with_rotations_and_reflections(make, orthogonal: torch.Tensor) -> None:
    layer = with_random_biases(make(IRREPS, IRREPS) if make is SelfInteraction else make(IRREPS))
    features = random_features(IRREPS, 5)
    result = layer(transformed(features, orthogonal))
    assert largest_difference(result, transformed(layer(features), orthogonal)) < 1e-12


# -- pooling --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_pooling_reduces_each_graph_alone(reduce: str) -> None:
    batch = torch.tensor([2, 0, 2, 0, 3])  # graph 1 has no points
    graph = Graph(torch.empty(2, 0, dtype=torch.int64), 5, batch=batch)
    features = random_features("3x0e+2x1o", 5)
    result = Pooling(reduce)(graph, features)
    assert result.irreps == features.irreps
    assert result.num_points == 4
    assert not result.packed()[1].any()
    for index in (0, 2, 3):
        for irrep, tensor in features.items():
            torch.testing.assert_close(
                result[irrep][index], getattr(tensor[batch == index], reduce)(dim=0), rtol=1e-12, atol=1e-12
            )


def test_pooling_differentiates() -> None:
    graph = Graph.complete([2, 1])
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    pooled = lambda x: Pooling("mean")(graph, Features.from_packed(x, "1x0e+1x1o")).packed()  # noqa: E731
    torch.autograd.gradcheck(pooled, x)


# -- learnt convolution ---------------------------------------------------------------------------------


def test_convolution_weighs_paths_by_radial_functions(kernels: Kernels) -> None:
    torch.manual_seed(2)
    layer = Convolution(
        "3x0e+1x1o", "0e+1o", "0e+1o", kernels=kernels, basis=BesselBasis(4, 3.0), mean_neighbors=4.0
    ).double()
    graph = Graph.complete(5)
    positions = torch.randn(5, 3, dtype=torch.float64)
    geometry = Geometry.measure(graph, positions, kernels)
    features = random_features("3x0e+1x1o", 5)
    weights = layer.radial(geometry.distances)
    expected = layer.product(graph, geometry.harmonics, features, weights).map(lambda x: x / 2)
    assert largest_difference(layer(graph, features, geometry), expected) < 1e-12
    assert layer.radial.outer.out_features == layer.product.weight_numel
    assert str(layer.irreps_out) == "4x0e+4x1o" == str(layer(graph, features, geometry).irreps)


def test_geometry_measures_lengths_and_directions(kernels: Kernels) -> None:
    graph = Graph.complete(3, self_loops=True)
    positions = torch.tensor([[0.0, 0, 0], [3, 0, 4], [1, 2, 2]], dtype=torch.float64, requires_grad=True)
    geometry = Geometry.measure(graph, positions, kernels)
    vectors = positions[graph.target] - positions[graph.source]
    torch.testing.assert_close(geometry.distances, vectors.norm(dim=1))
    torch.testing.assert_close(
        geometry.harmonics,
        torch.where(
            vectors.any(1, keepdim=True) | (torch.arange(9) == 0),
            o3.spherical_harmonics([0, 1, 2], vectors, True, "component"),
            0.0,
        ),
    )


def test_the_safe_norm_has_zero_derivatives_at_zero() -> None:
    vectors = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(safe_norm(vectors).sum(), vectors, create_graph=True)
    assert not first.any()
    away = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradgradcheck(safe_norm, away)
    torch.testing.assert_close(safe_norm(away), away.norm(dim=1))


# -- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SelfInteraction("2x0e", "1x0e+1x1o"), "irreps_out: 1o is not among the inputs, 2x0e"),
        (lambda: SelfInteraction("2x0e", ""), "irreps_out: empty"),
        (lambda: SelfInteraction("2x0e", "1x0e")(random_features("3x0e", 1)), "features: irreps 3x0e"),
        (lambda: NormNonlinearity("2x0e")(random_features("2x0o", 1)), "features: irreps 2x0o"),
        (lambda: NormNonlinearity("2x0e", epsilon=0.0), "epsilon: 0.0"),
        (lambda: Pooling("max"), "reduce: 'max'; it must be 'sum' or 'mean'"),
        (lambda: Pooling()(Graph.complete(2), random_features("1x0e", 3)), "values: shape"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_layers_start_the_same_from_the_same_seed() -> None:
    layers = []
    for _ in range(2):
        torch.manual_seed(3)
        layers.append(SelfInteraction("3x0e+2x1o", "3x0e+2x1o"))
    features = random_features("3x0e+2x1o", 2, torch.float32)
    assert_same_bits(layers[0](features), layers[1](features))
