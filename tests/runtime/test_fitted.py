"""Kernels fitted to a row's width: which vectors suit it, and that they compute what all others do."""

from __future__ import annotations

import platform
import re

import pytest
import torch

import tfngen
from tfngen import Features, Graph
from tfngen.forms import FORM
from tfngen.irreps import Path
from tfngen.runtime import registry
from tfngen.runtime.cpu import convolve
from tfngen.runtime.cpu.fitted import SHORTEST, Fit, fit, fitted, sums_of
from tfngen.runtime.cpu.vector import LINE_BYTES, REGISTER_BYTES, STORES_MASKED

WIDTHS = [
    *(
        (torch.float32, each)
        for each in ("1x0e+4x1e", "7x0e+8x1e", "8x0e+24x1e", "16x0e+15x1e", "48x0e+33x1e")
    ),
    *((torch.float64, each) for each in ("4x0e+7x1e", "8x0e+4x1e")),
]


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("channels", [*range(1, 36), 64, 100, 128])
def test_vectors_are_no_longer_than_needed(itemsize, channels):
    found = fit(itemsize, channels)
    longest, shortest = REGISTER_BYTES // itemsize, SHORTEST // itemsize
    assert shortest <= found.lanes <= longest
    assert found.whole == (channels % found.lanes == 0)
    if found.whole:
        assert found.lanes in (longest, channels)
    else:
        assert found == Fit(longest)


def test_sums_alone_leave_registers_for_longer_vectors():
    half = REGISTER_BYTES == LINE_BYTES // 2
    assert fit(4, 32, sums=3).lanes == (16 if half else REGISTER_BYTES // 4)
    assert fit(4, 32, sums=1).lanes == (32 if half else REGISTER_BYTES // 4)
    assert fit(4, 16, sums=1).lanes == (16 if half else REGISTER_BYTES // 4)
    assert fit(4, 24, sums=3) == fit(4, 24)
    assert fit(8, 4, sums=3) == fit(8, 4)


def test_sums_are_counted_where_there_is_nothing_else():
    path = Path(1, 2, 3)
    assert sums_of(FORM["output"], path) == sums_of(FORM["d_grad"], path) == 7
    assert sums_of(FORM["d_input"], path) == 5
    assert sums_of(FORM["backward"], path) == sums_of(FORM["d_input_weight"], path) == 0


def operands(convolution, dtype, nodes=6, edges=50):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype).requires_grad_()

    graph = Graph(torch.randint(0, nodes, (2, edges), generator=generator), nodes)
    features = {irrep: random(nodes, channels, irrep.dim) for channels, irrep in convolution.irreps_in}
    return graph, random(edges, 4), features, random(edges, convolution.weight_numel)


def derivatives(convolution, graph, y, features, weights, product=None):
    """Results, gradients, and the gradients of those."""
    leaves = [y, *features.values(), weights]
    sums = (product or convolution)(graph, y, Features(dict(features)), weights)
    outputs = list(sums.values())
    energy = sum(each.sin().sum() for each in outputs)
    first = torch.autograd.grad(energy, leaves, create_graph=True)
    second = torch.autograd.grad(sum(each.square().sum() for each in first), leaves)
    return [*outputs, *first, *second]


@pytest.mark.parametrize(("dtype", "irreps"), WIDTHS)
def test_every_width_agrees_with_products_path_by_path(tfn_l1, irreps, dtype):
    convolution = tfn_l1.Convolution(irreps, "0e+1e", "0e+1e")
    given = operands(convolution, dtype)
    bound = 2e-5 if dtype == torch.float32 else 1e-13
    found = derivatives(convolution, *given)
    expected = derivatives(convolution, *given, product=convolution._composed)
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= bound * other.abs().max().clamp(min=1)


@pytest.mark.parametrize(("dtype", "irreps"), WIDTHS)
def test_what_goes_past_the_caches_arrives(tfn_l1, irreps, dtype, monkeypatch):
    """The same bits, however derivatives by weights are written and wherever their rows begin."""
    convolution = tfn_l1.Convolution(irreps, "0e+1e", "0e+1e")
    given = operands(convolution, dtype)
    near = derivatives(convolution, *given)
    monkeypatch.setattr(convolve, "FAR_BYTES", 0)
    for one, other in zip(derivatives(convolution, *given), near, strict=True):
        assert torch.equal(one, other)


def test_a_kernel_is_fitted_once(tfn_l1):
    kernel = registry.kernels(tfn_l1._package.fingerprint, "cpu", torch.float32, "convolution_1_1_1").output
    form, like = FORM["output"], fit(4, 32)
    assert fitted(kernel, form, 4, like) is fitted(kernel, form, 4, like)
    assert fitted(kernel, form, 4, like) is not kernel
    assert fitted(kernel, form, 4, Fit(REGISTER_BYTES // 4)) is kernel
    assert fitted(kernel, form, 4, fit(4, 64)) is not fitted(kernel, form, 4, like)  # a kernel for each width


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads the code of x86-64")
def test_whole_rows_need_no_masks_and_no_vector_waits_across_two_lines():
    """What finds no register lies in the stack where vectors are aligned: `vmovaps`, never `vmovups`."""
    package = tfngen.load(3, dtypes=("float32",))
    kernel = registry.kernels(
        package._package.fingerprint, "cpu", torch.float32, "convolution_3_2_3"
    ).double_backward
    form = FORM["double_backward"]
    whole, masked = (fitted(kernel, form, 4, fit(4, channels)).assembly() for channels in (64, 63))
    masks = re.compile(r"vmaskmov|\{%k")
    assert masks.search(masked)
    assert STORES_MASKED or not masks.search(whole)  # sums over channels are fewer than lanes
    spilled = set(re.findall(r"vmov([au])ps\s+.*\(%r[sb]p\)", whole))
    assert spilled == {"a"} or (STORES_MASKED and not spilled)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads the code of x86-64")
@pytest.mark.parametrize("form", ["d_weight", "backward", "double_backward"])
def test_derivatives_by_weights_can_go_past_the_caches(tfn_l1, form):
    """Nothing else does: sums are read again."""
    module = registry.kernels(tfn_l1._package.fingerprint, "cpu", torch.float32, "convolution_1_1_1")
    past_caches = re.compile(r"v?movnt(ps|dq)")
    assert past_caches.search(fitted(getattr(module, form), FORM[form], 4, fit(4, 32)).assembly())
    assert not past_caches.search(fitted(module.d_filter, FORM["d_filter"], 4, fit(4, 32)).assembly())
