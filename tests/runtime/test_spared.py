"""What Numba is spared changes how long it takes, and nothing else."""

from __future__ import annotations

import re
from contextlib import nullcontext
from importlib import import_module

import pytest
from numba import njit
from numba.core import analysis, postproc
from numba.core.errors import TypingError
from numba.core.types.functions import BaseFunction

from tfngen.runtime.cpu import kernel as module
from tfngen.runtime.spared import lifetimes_when_asked, looked_up_once


def instructions(kernel):
    """Without the numbers that Numba gives functions."""
    return re.sub(r"v\d+|_\d+\b", "", kernel.assembly())


@pytest.mark.parametrize("name", ["output", "backward", "double_backward"])
def test_machine_code_is_the_same(tfn_l1, name, monkeypatch):
    kernel = getattr(import_module(f"{tfn_l1.__name__}.cpu.float32.convolution_1_1_1"), name)
    once = instructions(kernel)
    monkeypatch.setattr(module, "looked_up_once", nullcontext)
    monkeypatch.setattr(module, "lifetimes_when_asked", nullcontext)
    assert once == instructions(kernel)
    assert len(once) > 10_000


def test_it_is_done_once():
    asked = []
    original = BaseFunction.get_call_type

    def counted(self, *arguments):
        asked.append(self)
        return original(self, *arguments)

    def sum_of_many(x):
        return x * x + x * x + x * x + x * x + x * x + x * x + x * x + x * x

    counts = []
    for context in (nullcontext, looked_up_once):
        asked.clear()
        BaseFunction.get_call_type = counted
        try:
            with context():
                assert njit("float64(float64)")(sum_of_many)(2.0) == 32.0
        finally:
            BaseFunction.get_call_type = original
        counts.append(len(asked))
    many, few = counts
    assert few * 3 < many


def test_lifetimes_are_found_where_they_are_asked_for(monkeypatch):
    found = []
    original = analysis.compute_live_map
    monkeypatch.setattr(analysis, "compute_live_map", lambda *given: found.append(0) or original(*given))

    def sum_below(n):
        total = 0
        for i in range(n):
            total += i
        return total

    counts = []
    for context in (nullcontext, lifetimes_when_asked):
        found.clear()
        with context(postproc):
            assert njit("int64(int64)")(sum_below)(5) == 10
        counts.append(len(found))
    many, few = counts
    assert 0 < few * 3 <= many


def test_a_generator_is_compiled_as_ever():
    def counted(n):
        for i in range(n):
            yield i * i

    with lifetimes_when_asked(postproc):
        assert list(njit(counted)(4)) == [0, 1, 4, 9]


def test_what_was_there_before_is_there_after():
    originals = BaseFunction.get_call_type, postproc.PostProcessor.run
    with (
        pytest.raises(TypingError),
        looked_up_once(),
        looked_up_once(),
        lifetimes_when_asked(postproc),
    ):
        njit("float64(float64)")(lambda x: x + "text")
    assert (BaseFunction.get_call_type, postproc.PostProcessor.run) == originals
