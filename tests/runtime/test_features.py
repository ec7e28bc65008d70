"""Features: a mapping whose packed form is e3nn's, exactly, both ways."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.utils import _pytree as pytree

from tests.reference import assert_same_bits, random_features
from tfngen.irreps import Irrep, Irreps
from tfngen.runtime.features import Features, UnknownIrrepError, channels_last


def test_every_way_to_write_an_irrep_finds_its_tensor() -> None:
    features = random_features("2x0e+3x1o+1x2e", points=4)
    vectors = features[Irrep(1, -1)]
    assert features["1o"] is features[(1, -1)] is features[1] is vectors
    assert list(features) == [Irrep(0, 1), Irrep(1, -1), Irrep(2, 1)]
    assert "1o" in features
    assert "1e" not in features
    assert features.get("3o") is None
    assert features.irreps == Irreps.parse("2x0e+3x1o+1x2e")


def test_a_bare_degree_must_be_unambiguous() -> None:
    features = random_features("1x1o+1x1e", points=2)
    with pytest.raises(UnknownIrrepError, match="degree 1 has both parities"):
        features[1]
    with pytest.raises(ValueError, match="2 is not among these features' irreps, 1x1o"):
        features[2]


@pytest.mark.parametrize("irreps", ["3x0e", "2x1o+1x0e+4x2e", "1x0e+2x1o+3x0e+1x1o", "33x1e+7x3o"])
@pytest.mark.parametrize("points", [0, 1, 5])
def test_packing_and_unpacking_are_exact_inverses(irreps: str, points: int) -> None:
    packed = torch.randn(points, Irreps.parse(irreps).dim, generator=torch.Generator().manual_seed(0))
    features = Features.from_packed(packed, irreps)
    assert features.irreps == Irreps.parse(irreps).regroup()
    assert torch.equal(features.packed(irreps), packed)
    assert_same_bits(Features.from_packed(features.packed(), features.irreps), features)


def test_packed_components_run_m_fastest_then_channels() -> None:
    features = Features.from_packed(torch.arange(7.0)[None], "1x0e+2x1o")
    assert features["1o"].tolist() == [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]


def test_unpacked_tensors_have_their_channels_innermost() -> None:
    features = Features.from_packed(torch.randn(5, 9), "3x1o")
    assert features["1o"].transpose(1, 2).is_contiguous()
    assert channels_last(features["1o"]).data_ptr() == features["1o"].data_ptr()
    row_major = torch.randn(5, 4, 3)
    assert torch.equal(channels_last(row_major), row_major)
    assert channels_last(row_major).stride() == (12, 1, 4)


def test_concatenation_along_channels_is_the_union_of_irreps() -> None:
    one, other = random_features("2x0e+1x1o", 3), random_features("1x2e+3x1o", 3, seed=1)
    joined = Features.cat([one, other])
    assert str(joined.irreps) == "2x0e+4x1o+1x2e"
    assert torch.equal(joined["1o"], torch.cat([one["1o"], other["1o"]], dim=1))


def test_concatenation_along_points_is_a_batch() -> None:
    one, other = random_features("2x0e+1x1o", 3), random_features("2x0e+1x1o", 2, seed=1)
    assert torch.equal(Features.cat_points([one, other]).packed(), torch.cat([one.packed(), other.packed()]))


def test_conversions_reach_every_tensor() -> None:
    features = random_features("2x0e+1x1o", 3)
    assert features.to(torch.float32).dtype == torch.float32
    assert torch.equal(features.map(lambda tensor: 2 * tensor)["1o"], 2 * features["1o"])
    assert not features.map(lambda tensor: tensor.requires_grad_()).detach()["0e"].requires_grad
    assert_same_bits(pickle.loads(pickle.dumps(features)), features)
    assert_same_bits(copy.deepcopy(features), features)
    leaves, spec = pytree.tree_flatten({"x": features})
    assert [leaf.shape for leaf in leaves] == [(3, 2, 1), (3, 1, 3)]
    assert_same_bits(pytree.tree_unflatten(leaves, spec)["x"], features)
    assert repr(features) == "Features(3 points, 2x0e+1x1o, torch.float64, cpu)"


SCALARS = torch.zeros(4, 2, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Features({}), "tensors: there are none"),
        (lambda: Features({"0": SCALARS}), "irrep: '0' is not an irrep"),
        (lambda: Features({"0e": [1.0]}), r"tensors\[0e\]: a list"),
        (lambda: Features({"0e": SCALARS[0]}), r"tensors\[0e\]: shape \(2, 1\); .*\(points, channels, 1\)"),
        (lambda: Features({"1o": SCALARS}), r"tensors\[1o\]: shape \(4, 2, 1\); .*\(points, channels, 3\)"),
        (lambda: Features({"0e": SCALARS[:, :0]}), r"tensors\[0e\]: no channels"),
        (lambda: Features({"0e": SCALARS.int()}), r"tensors\[0e\]: dtype torch.int32"),
        (lambda: Features([("0e", SCALARS), (0, SCALARS)]), "tensors: 0e is given twice"),
        (lambda: Features({"0e": SCALARS, "0o": SCALARS[:3]}), r"tensors\[0o\]: points 3; .* has 4"),
        (lambda: Features({"0e": SCALARS, "0o": SCALARS.double()}), r"tensors\[0o\]: dtype torch.float64"),
        (lambda: Features({"0e": SCALARS, "0o": SCALARS.to("meta")}), r"tensors\[0o\]: device meta"),
        (lambda: Features.from_packed(torch.zeros(2, 4), "2x1o"), r"2x1o packs into \(points, 6\)"),
        (lambda: Features({"0e": SCALARS}).packed("1x0e"), "irreps: 1x0e does not have the channels"),
        (lambda: Features.cat([]), "parts: there are none"),
        (lambda: Features.cat_points([]), "parts: there are none"),
        (
            lambda: Features.cat_points([Features({"0e": SCALARS}), Features({"0o": SCALARS})]),
            r"parts\[1\]: irreps 2x0o",
        ),
        (lambda: channels_last(torch.zeros(2, 3)), r"tensor: shape \(2, 3\)"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
