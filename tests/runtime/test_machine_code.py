"""What the compiler made of the kernels: read from the machine code itself."""

from __future__ import annotations

import platform
import re
from importlib import import_module

import pytest
import torch

from tfngen.roles import Role

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 machine code"
)

# Arithmetic on, and conversion to or from, double precision: …sd (scalar) and …pd (packed). Moves and
# bitwise operations carry the same suffixes and move any bits, so they do not count.
DOUBLE = re.compile(
    r"^\s+v?(?:add|sub|mul|div|sqrt|min|max|f[n]?m(?:add|sub)\w*|cvt\w+2[sp]d|cvt[st]?[sp]d2\w+|rcp\w*|round\w*"
    r"|u?comi|cmp\w*)[sp]d\b",
    re.MULTILINE,
)
FUSED = re.compile(r"^\s+vfn?m(?:add|sub)\d+([sp])([sd])\b", re.MULTILINE)
PATHS = ((0, 0, 0), (1, 1, 1), (1, 2, 2), (3, 3, 3))


def assembly(package, dtype: str, module: str, name: str) -> str:
    kernel = getattr(import_module(f"{package.__name__}.cpu.{dtype}.{module}"), name)
    text: str = kernel.assembly()
    assert re.search(r"^\s+ret", text, re.MULTILINE), "there is no machine code to read"
    return text


@pytest.mark.parametrize("role", list(Role), ids=str)
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_float32_kernels_compute_in_float32_only(tfn_l3, path, role):
    text = assembly(tfn_l3, "float32", "path_{}_{}_{}".format(*path), role.value)
    assert not DOUBLE.findall(text)


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_float32_convolutions_compute_in_float32_only(tfn_l3, role):
    assert not DOUBLE.findall(assembly(tfn_l3, "float32", "convolution_2_1_2", role.value))


@pytest.mark.parametrize("name", ["harmonics", "harmonics_vjp", "harmonics_vjp_vjp"])
def test_float32_harmonics_compute_in_float32_only(tfn_l3, name):
    assert not DOUBLE.findall(assembly(tfn_l3, "float32", "harmonics", name))


def test_the_pattern_does_find_double_precision(tfn_l3):
    """The test above can fail: the float64 kernels are full of what it looks for."""
    assert DOUBLE.findall(assembly(tfn_l3, "float64", "path_1_1_1", "output"))


def test_products_and_sums_are_fused_and_vectorised(tfn_l3):
    """The 3 multiply-adds of C(1, 1, 1) become packed fused instructions."""
    if "capability" in dir(torch.backends.cpu) and "AVX" not in torch.backends.cpu.get_cpu_capability():
        pytest.skip("no AVX here")
    text = assembly(tfn_l3, "float32", "path_1_1_1", "output")
    assert ("p", "s") in FUSED.findall(text)
    assert ("s", "s") not in FUSED.findall(text)
