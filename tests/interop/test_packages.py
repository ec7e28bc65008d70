"""Which generated packages stand-ins compute with, on which devices, and what is left to the original."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from tfngen.interop import acceleration, packages
from tfngen.interop.packages import OnDevices, Packages
from tfngen.irreps import Path

CPU, GPU, META = (torch.device(kind) for kind in ("cpu", "cuda", "meta"))


def test_every_kind_of_device_has_a_package_of_its_own():
    known = Packages([Path(1, 1, 0)], lmax=2)
    for device in (CPU, GPU):
        package = known.on(device)
        assert package._package.targets == (device.type,)
        assert (1, 1, 0) in package.PATHS
        assert package.LMAX >= 2
        assert known.on(device) is package
        assert known.missing_on(device) == ""
    assert known.on(META) is None
    assert known.missing_on(META) == "there are no kernels for meta here"


def test_beyond_the_shared_degree_packages_have_the_paths_alone():
    for device in (CPU, GPU):
        assert Packages([Path(4, 4, 0)]).on(device).PATHS == ((0, 0, 0), (4, 4, 0))


def test_a_package_that_is_given_is_the_only_one(tfn_l1):
    known = Packages([Path(1, 1, 0)], given=tfn_l1)
    assert known.on(CPU) is tfn_l1
    assert known.on(GPU) is None


def test_tensors_must_be_alike_and_of_a_dtype_with_kernels(tfn_l1):
    known, one = Packages([], given=tfn_l1), torch.zeros(2)
    assert known.compute(one, one)
    assert not known.compute(one, one.double())
    assert not known.compute(one, one.to("meta"))
    assert not known.compute(one.half(), one.half())


def test_without_a_compiler_for_gpus_models_stay_as_they_came_and_it_is_said_once(monkeypatch):
    packages._compiles_for_gpus.cache_clear()
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"runs as it came: .* pip install 'tfngen\[cuda\]'"):
        assert Packages([]).on(GPU) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Packages([]).on(GPU) is None
    packages._compiles_for_gpus.cache_clear()


def test_what_would_be_left_to_the_original_is_not_replaced(monkeypatch):
    o3 = pytest.importorskip("e3nn.o3")
    monkeypatch.setattr(acceleration, "device_of", lambda module: META)
    model = nn.Sequential(
        o3.FullyConnectedTensorProduct("2x0e", "0e", "2x0e"), o3.SphericalHarmonics([0, 1], True)
    )
    report = acceleration.accelerate(model)
    assert report.left == {
        "0": "products of rows have kernels for cpu, not meta",
        "1": "there are no kernels for meta here",
    }


def test_constants_are_moved_once():
    constant, other = OnDevices(torch.ones(3, dtype=torch.float64)), torch.zeros(1)
    assert constant.like(other).dtype == torch.float32
    assert constant.like(other) is constant.like(other)
    assert constant.like(other.to("meta")).device == META
    assert OnDevices(torch.arange(3)).like(other).dtype == torch.int64
    assert OnDevices(None).like(other) is None
