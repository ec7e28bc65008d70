"""Weights on disk: exact, atomic, and refused by another model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from tfngen.nn import SelfInteraction, load, save


def layer(irreps: str = "3x0e+2x1o", seed: int = 0) -> SelfInteraction:
    torch.manual_seed(seed)
    return SelfInteraction(irreps, irreps)


def test_weights_and_metadata_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved, loaded = layer(seed=0), layer(seed=1)
    save(saved, path, epoch=3, loss=0.25, irreps=["0e", "1o"])
    assert load(loaded, path) == {"epoch": 3, "loss": 0.25, "irreps": ["0e", "1o"]}
    for name, tensor in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    save(layer(), tmp_path / "one", a=1, b=2)
    save(layer(), tmp_path / "two", b=2, a=1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_loading_keeps_the_models_dtype(tmp_path: Path) -> None:
    save(layer(), tmp_path / "model")
    double = layer(seed=1).double()
    load(double, tmp_path / "model")
    assert double.weight["0e"].dtype == torch.float64
    assert torch.equal(double.weight["0e"], layer().weight["0e"].double())


def test_shared_parameters_are_saved(tmp_path: Path) -> None:
    inner = layer()
    model = torch.nn.ModuleList([inner, inner])
    save(model, tmp_path / "model")
    assert load(model, tmp_path / "model") == {}


def test_a_failed_save_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    save(layer(), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save(layer(seed=1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_models_file_is_refused_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(layer(), path)
    with pytest.raises(ValueError, match=r"another model's weights: .*weight.2e is missing"):
        load(layer("3x0e+2x1o+1x2e"), path)
    with pytest.raises(ValueError, match=r"weight.1o is unknown to this model"):
        load(layer("3x0e"), path)
    with pytest.raises(ValueError, match=r"weight.1o has shape \(2, 2\), this model's \(4, 4\)"):
        load(layer("3x0e+4x1o"), path)


def test_other_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"path: .* is not a file"):
        load(layer(), tmp_path / "absent")
    (tmp_path / "text").write_text("not weights")
    with pytest.raises(ValueError, match=r"is not a safetensors file"):
        load(layer(), tmp_path / "text")
    with pytest.raises(ValueError, match=r"metadata: .* not JSON serializable"):
        save(layer(), tmp_path / "model", model=object())
    assert not (tmp_path / "model").exists()


def test_a_missing_safetensors_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tfngen\[experiments\]'"):
        save(layer(), tmp_path / "model")
