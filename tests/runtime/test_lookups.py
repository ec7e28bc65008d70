"""Looking things up once changes how long Numba takes, and nothing else."""

from __future__ import annotations

import re
from contextlib import nullcontext
from importlib import import_module

import pytest
from numba import njit
from numba.core.errors import TypingError
from numba.core.types.functions import BaseFunction

from tfngen.runtime.cpu import kernel as module
from tfngen.runtime.lookups import looked_up_once


def instructions(kernel):
    """Without the numbers that Numba gives functions."""
    return re.sub(r"v\d+|_\d+\b", "", kernel.assembly())


@pytest.mark.parametrize("name", ["output", "backward", "double_backward"])
def test_machine_code_is_the_same(tfn_l1, name, monkeypatch):
    kernel = getattr(import_module(f"{tfn_l1.__name__}.cpu.float32.convolution_1_1_1"), name)
    once = instructions(kernel)
    monkeypatch.setattr(module, "looked_up_once", nullcontext)
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


def test_what_was_there_before_is_there_after():
    original = BaseFunction.get_call_type
    with pytest.raises(TypingError), looked_up_once(), looked_up_once():
        njit("float64(float64)")(lambda x: x + "text")
    assert BaseFunction.get_call_type is original
