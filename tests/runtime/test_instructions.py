"""Calls that are written down are made in order, of whatever functions, on as many threads as before."""

from __future__ import annotations

import sys

import pytest
import torch

from tfngen.runtime.cpu.drive import clear_bytes
from tfngen.runtime.cpu.instructions import MOST_ARGUMENTS, Instructions, gemm
from tfngen.runtime.cpu.rows import SUM_COPIES, sum_copies
from tfngen.runtime.cpu.strided import OUTER, elementwise, elementwise_table
from tfngen.runtime.cpu.threads import MIN_WORK, Launch, is_recording, parallel_for, recorded_launches


def doubling(numbers):
    """The table of a call that adds `numbers` to themselves."""
    place = numbers.data_ptr(), [0] * OUTER + [4]
    return elementwise_table([1] * OUTER + [len(numbers)], [place] * 3, ["float32"] * 3)


def test_calls_are_made_in_order_and_in_part():
    numbers, code = torch.ones(11), Instructions()
    for _ in range(3):
        code.table(elementwise("add", ("float32",) * 3), doubling(numbers))
    code.run()
    assert numbers.tolist() == [8.0] * 11
    code.run(1, 2)
    assert numbers.tolist() == [16.0] * 11
    code.take_back(1)
    assert code.count == 1
    code.run()
    assert numbers.tolist() == [32.0] * 11
    code.run(1)
    assert numbers.tolist() == [32.0] * 11


@pytest.mark.parametrize("work", [0, 100 * MIN_WORK])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_launch_is_made_again_on_one_thread_or_more(threads, work):
    before = torch.get_num_threads()
    values, result, done = torch.randn(3, 4000), torch.zeros(4000), []
    try:
        torch.set_num_threads(threads)
        with recorded_launches(done):
            assert is_recording()
            sum_copies(values, result)
        assert not is_recording()
        (launch,) = done
        code = Instructions()
        code.launch(launch._replace(work=work))
        values.normal_()
        code.run()
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(result, values.sum(0))
    assert launch.kernel is SUM_COPIES[torch.float32]


def test_what_others_launch_is_not_recorded():
    done, memory = [], torch.ones(4)
    with recorded_launches(done):
        pass
    parallel_for(clear_bytes, 8, 0, (memory.data_ptr(),))
    assert memory.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert not done


def test_nothing_is_launched_over_nothing():
    code = Instructions()
    code.launch(Launch(clear_bytes, 0, 0, (0,), ()))
    assert code.count == 0


def test_more_arguments_than_an_instruction_has():
    with pytest.raises(ValueError, match=f"arguments: {MOST_ARGUMENTS + 1}; there can be {MOST_ARGUMENTS}"):
        Instructions().call(1, *range(MOST_ARGUMENTS + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="torch may keep its BLAS to itself elsewhere")
def test_the_matrix_product_is_torchs_own():
    assert gemm(torch.float32)
    assert gemm(torch.float64) != gemm(torch.float32)
