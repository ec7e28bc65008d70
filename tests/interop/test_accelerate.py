"""`accelerate` replaces what it knows, says what it did, and can be undone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

o3 = pytest.importorskip("e3nn.o3")

from tfngen.interop import accelerate, acceleration  # noqa: E402
from tfngen.interop.standin import Standin  # noqa: E402


class Model(nn.Module):
    """Harmonics, a product used twice, one there are no kernels for, and a part without any."""

    def __init__(self) -> None:
        super().__init__()
        self.harmonics = o3.SphericalHarmonics([0, 1, 2], True, "component")
        product = o3.FullyConnectedTensorProduct("16x0e+4x1o", "0e+1o+2e", "16x0e+4x1o")
        self.layers = nn.ModuleList([product, product])
        self.gate = o3.ElementwiseTensorProduct("4x0e", "4x1o")
        self.square = o3.TensorSquare("4x1o")
        self.linear = nn.Linear(28, 28)

    def forward(self, x, r):
        y = self.harmonics(r)
        for layer in self.layers:
            x = x + layer(self.linear(x), y)
        return self.square(self.gate(x[..., :4], x[..., 16:]))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Model()


def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, 28, generator=generator), torch.randn(6, 3, generator=generator)


def test_known_modules_are_replaced_and_numbers_stay(model):
    wanted, before = model(*inputs()), set(model.state_dict())
    report = accelerate(model)
    assert report.replaced == ["harmonics", "layers.0", "layers.1"]
    assert isinstance(model.layers[0], Standin)
    assert model.layers[0] is model.layers[1]
    assert "uvu<v" in report.left["square"]
    assert "as fast" in report.left["gate"]
    assert set(model.state_dict()) == before
    torch.testing.assert_close(model(*inputs()), wanted, rtol=1e-5, atol=1e-5)
    assert "replaced  layers.0 (FullyConnectedTensorProduct)" in str(report)


def test_training_moves_the_model_s_own_weights(model):
    accelerate(model)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(*inputs()).square().mean().backward()
    optimizer.step()
    assert not torch.equal(before["layers.0.weight"], model.state_dict()["layers.0.weight"])


def test_undo_puts_the_originals_back(model):
    children = list(model.modules())
    accelerate(model).undo()
    assert [id(each) for each in model.modules()] == [id(each) for each in children]


def test_doing_it_twice_changes_nothing_more(model):
    accelerate(model)
    children = list(model.modules())
    assert accelerate(model).replaced == []
    assert [id(each) for each in model.modules()] == [id(each) for each in children]


def test_a_copy_is_a_model_of_its_own(model):
    accelerate(model)
    twin = copy.deepcopy(model)
    wanted = model(*inputs())
    with torch.no_grad():
        model.layers[0].weight.zero_()
    torch.testing.assert_close(twin(*inputs()), wanted)


def test_a_module_that_computes_something_else_is_left(model, monkeypatch):
    """A subclass that is not the product its attributes describe must not be replaced."""

    class Doubled(o3.FullyConnectedTensorProduct):
        def forward(self, x, y, weight=None):
            return 2 * super().forward(x, y, weight)

    model.layers[0] = Doubled("16x0e+4x1o", "0e+1o+2e", "16x0e+4x1o")
    report = accelerate(model)
    assert report.replaced == ["harmonics", "layers.1"]
    assert "results differ" in report.left["layers.0"]


def test_what_torchscript_compiled_is_left():
    from e3nn.util.jit import script

    model = nn.Sequential(script(o3.FullyConnectedTensorProduct("2x0e", "0e", "2x0e")))
    assert "TorchScript" in accelerate(model).left["0"]


def test_an_unknown_version_is_left(model, monkeypatch):
    monkeypatch.setattr(acceleration, "version", lambda name: "99.1")
    report = accelerate(model)
    assert report.replaced == []
    assert "e3nn 99.1" in report.left["harmonics"]


def test_progress_names_what_is_looked_at(model):
    names: list[str] = []
    accelerate(model, names.append)
    assert names == ["harmonics", "layers.0", "gate", "square"]


def test_only_modules_are_accelerated():
    with pytest.raises(ValueError, match=r"^model: str"):
        accelerate("model")
    assert "nothing" in str(accelerate(nn.Linear(2, 2)))


def test_hooks_run_once_whoever_computes(model):
    accelerate(model)
    calls: list[int] = []
    model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    x, r = inputs()
    y = model.harmonics(r)
    model.layers[0](x, y)
    assert len(calls) == 1
    listed = list(model.layers[0].original.weight_views())  # which is for e3nn to put together
    torch.testing.assert_close(model.layers[0](x, y, listed), model.layers[0](x, y), rtol=1e-5, atol=1e-5)
    assert len(calls) == 3
