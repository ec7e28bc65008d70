"""Which paths go through the edges together, and what their kernels are fitted to; no GPU is asked."""

from __future__ import annotations

import pytest
import torch

import tfngen
from tfngen.forms import FORMS
from tfngen.gpu import MOST_THREADS, WARP
from tfngen.runtime.cuda import convolve
from tfngen.runtime.plan import PackedPath, Widths, encode

MODEL = ("64x0e+64x1o+32x2e", "0e+1o", "0e+1o")


@pytest.fixture(scope="module")
def package():
    irreps = dict(zip(("irreps_in", "irreps_filter", "irreps_out"), MODEL, strict=True))
    return tfngen.load(**irreps, targets=("cuda",))


def passes(package, form="output", dtype=torch.float32, even=True, irreps=MODEL):
    convolve._passes.cache_clear()
    plan = tuple(package.Convolution(*irreps)._numbers)
    return convolve._passes(package._package.fingerprint, form, plan, dtype, even)


def inputs(found):
    """Where the input irreps begin that each pass is for."""
    return [each.kernel.constants["input_at"] for each in found.sequence.steps]


def test_a_pass_is_for_all_paths_of_an_input_irrep(package):
    found = passes(package, even=False)
    assert inputs(found) == [0, 64, 256]
    names = [each.kernel.__module__.rpartition(".")[2] for each in found.sequence.steps]
    assert names == ["input_0", "input_1", "input_2"]


def test_two_irreps_of_a_degree_do_not_share_a_pass():
    package = tfngen.load(1, targets=("cuda",))
    found = passes(package, irreps=("8x0e+8x0o+8x1o", "0e+1o", "0e+0o+1o+1e"))
    assert sorted(inputs(found)) == [0, 8, 16]


def test_two_channels_share_a_lane_where_none_is_idle(package):
    found = passes(package).sequence.steps
    assert [each.kernel.pairs for each in found] == [True, True, False]  # 64, 64 and 32 channels
    assert {each.kernel.constants["lanes"] for each in found} == {WARP}
    assert not any(each.kernel.pairs for each in passes(package, even=False).sequence.steps)
    assert not any(each.kernel.pairs for each in passes(package, dtype=torch.float64).sequence.steps)
    assert any(each.kernel.pairs for each in passes(package, dtype=torch.bfloat16).sequence.steps)


def test_places_count_pairs_where_lanes_have_two_channels(package):
    pairs, single = (passes(package, even=each).sequence.steps[1].kernel.constants for each in (True, False))
    assert (pairs["channels"], single["channels"]) == (32, 64)
    assert (pairs["input_at"], single["input_at"]) == (32, 64)
    assert pairs["filter_at_1"] == single["filter_at_1"] == 1
    for name in ("grad_step_0_1_1", "weight_at_0_1_1", "grad_at_1_1_0"):
        assert 2 * pairs[name] == single[name]


def test_passes_have_derivatives_by_filters_of_their_own(package):
    found = passes(package, "backward")
    first, second, third = (each.kernel.constants for each in found.sequence.steps)
    assert [each["d_filter_slot"] for each in (first, second, third)] == [0, 1, 2]
    assert found.slots == 3


def test_passes_begin_early_unless_they_add_to_rows_edge_by_edge(package):
    assert [step.early for step in passes(package, "backward").sequence.steps] == [True, True, True]
    twice = [PackedPath(1, 0, 1, 64, at, 0, 64 * at, 64 * at, 64) for at in (0, 3)]  # by two filters
    twice = encode(Widths(filter=6, input=64, weight=256, grad=384), twice)

    def early(form):
        found = convolve._passes(package._package.fingerprint, form, twice, torch.float32, True)
        return [step.early for step in found.sequence.steps]

    assert early("backward") == [True, False]
    assert early("d_weight") == [True, True]


def test_filters_that_some_pass_leaves_out_begin_as_zeros(package):
    found = passes(package, "backward", irreps=("64x0e", "0e+1o", "0e"))
    assert found.fill_filters
    assert found.slots == 1


@pytest.mark.parametrize("form", FORMS, ids=lambda each: each.name)
def test_only_sums_without_tangents_are_shared_by_teams(package, form):
    for step in passes(package, form.name).sequence.steps:
        lanes, teams = (step.kernel.constants[name] for name in ("lanes", "teams"))
        assert lanes <= MOST_THREADS
        assert teams == (4 if form.name == "output" else 1)
        assert step.threads == lanes * teams
