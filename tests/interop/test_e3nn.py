"""To e3nn and back without changing a bit, and e3nn's own layers between ours."""

from __future__ import annotations

import sys

import pytest
import torch
from e3nn import o3

from tests.reference import assert_same_bits, default_dtype, random_features
from tfngen.interop.e3nn import from_e3nn, irreps_from_e3nn, irreps_to_e3nn, to_e3nn
from tfngen.irreps import Irreps
from tfngen.nn import SelfInteraction


@pytest.mark.parametrize("irreps", ["3x0e", "2x1o+1x0e+4x2e", "1x0e+2x1o+3x0e", "0x0e+1x1o", ""])
def test_irreps_convert_block_for_block(irreps: str) -> None:
    converted = irreps_to_e3nn(irreps)
    assert converted == o3.Irreps(irreps)
    assert irreps_from_e3nn(converted) == Irreps.parse(irreps)


def test_features_pass_through_e3nn_unchanged() -> None:
    features = random_features("3x0e+2x1o+1x1e+4x2e", 5)
    tensor, irreps = to_e3nn(features)
    assert tensor.shape == (5, irreps.dim)
    assert_same_bits(from_e3nn(tensor, irreps), features)
    packed = torch.randn(5, o3.Irreps("1x0e+2x1o+3x0e").dim)
    assert torch.equal(from_e3nn(packed, o3.Irreps("1x0e+2x1o+3x0e")).packed("1x0e+2x1o+3x0e"), packed)


def test_self_interaction_is_e3nns_linear() -> None:
    """Same channels, same components: e3nn's Linear with our weights (it divides by √fan-in)."""
    torch.manual_seed(0)
    with default_dtype(torch.float64):
        linear = o3.Linear("3x0e+2x1o", "2x0e+4x1o")
        layer = SelfInteraction("3x0e+2x1o", "2x0e+4x1o")
    weights = [layer.weight[name].T * layer.weight[name].shape[1] ** 0.5 for name in ("0e", "1o")]
    features = random_features("3x0e+2x1o", 5)
    expected = linear(to_e3nn(features)[0], weight=torch.cat([weight.reshape(-1) for weight in weights]))
    torch.testing.assert_close(to_e3nn(layer(features))[0], expected)


def test_a_tensor_of_the_wrong_width_is_named() -> None:
    with pytest.raises(ValueError, match=r"2x1o packs into \(points, 6\)"):
        from_e3nn(torch.zeros(2, 5), o3.Irreps("2x1o"))


def test_a_missing_e3nn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "e3nn", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tfngen\[e3nn\]'"):
        irreps_to_e3nn("1x0e")
