"""Memory of large results: used again when nobody refers to it, and never before."""

import os
import threading

import pytest
import torch

from tfngen.runtime.cpu import memory

LIKE = torch.empty(0)
ROWS, COLUMNS = 1024, memory.LARGE // 4096
"""A result just large enough."""


@pytest.fixture(autouse=True)
def nothing_kept():
    memory.release_memory()
    yield
    memory.release_memory()


def test_memory_is_used_again_when_its_tensor_is_gone():
    first = memory.empty(LIKE, ROWS, COLUMNS)
    assert (first.shape, first.dtype) == ((ROWS, COLUMNS), torch.float32)
    assert first.is_contiguous()
    address = first.data_ptr()
    assert address % 64 == 0
    second = memory.empty(LIKE, ROWS, COLUMNS)
    assert second.data_ptr() != address
    view = first[3:]
    del first
    third = memory.empty(LIKE, ROWS, COLUMNS)
    assert third.data_ptr() != address, "a view still refers to it"
    del view
    assert memory.empty(LIKE.double(), ROWS // 2, COLUMNS).data_ptr() == address


def test_a_little_more_or_less_fits_and_much_less_does_not():
    address = memory.empty(LIKE, 8 * ROWS, COLUMNS).data_ptr()
    assert memory.empty(LIKE, 6 * ROWS, COLUMNS).data_ptr() == address
    assert memory.empty(LIKE, 2 * ROWS, COLUMNS).data_ptr() != address
    assert memory.empty(LIKE, 8 * ROWS + 1, COLUMNS).data_ptr() != address


def test_small_results_are_torch_s_own_and_memory_not_asked_for_goes_back():
    memory.empty(LIKE, ROWS - 1, COLUMNS)
    assert not memory._free
    memory.empty(LIKE, 8 * ROWS, COLUMNS)
    assert len(memory._free) == 1
    for _ in range(memory.PATIENCE + 1):
        memory.empty(LIKE, ROWS, COLUMNS)
    assert [block.size for block in memory._free] == [memory.LARGE_PAGE]
    memory.release_memory()
    assert not memory._free


def test_more_than_there_is_is_refused_as_torch_refuses_it():
    with pytest.raises(RuntimeError, match="memory"):
        memory.empty(LIKE, 2**28, 2**28)
    with pytest.raises(RuntimeError):
        memory.empty(LIKE, 2**40, 2**40)


def test_autograd_keeps_what_it_saved(tfn_l1):
    """Derivatives of one step are not overwritten by those of the next while somebody holds them."""
    from tfngen import Graph

    convolution = tfn_l1.Convolution("64x0e+64x1e", "0e+1e", "0e+1e")
    edges = memory.LARGE // (4 * convolution.weight_numel) + 1
    generator = torch.Generator().manual_seed(0)
    graph = Graph(torch.randint(0, 9, (2, edges), generator=generator), 9)
    features = {
        irrep: torch.randn(9, irrep.dim, channels, generator=generator).transpose(1, 2)
        for channels, irrep in convolution.irreps_in
    }
    weights = torch.randn(edges, convolution.weight_numel, generator=generator, requires_grad=True)

    def step(y):
        out = convolution(graph, y, features, weights)
        return torch.autograd.grad(sum(t.square().sum() for t in out.values()), weights)[0]

    y = torch.randn(edges, 4, generator=generator)
    first = step(y)
    copy, address = first.clone(), first.data_ptr()
    other = step(2 * y)
    assert torch.equal(first, copy)
    assert not torch.equal(other, copy)
    del first
    assert step(y).data_ptr() == address


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_its_own():
    kept = memory.empty(LIKE, ROWS, COLUMNS).fill_(1.0)
    memory.empty(LIKE, ROWS, COLUMNS).fill_(2.0)  # free, and the child's to take
    child = os.fork()
    if child == 0:
        memory.empty(LIKE, ROWS, COLUMNS).numpy()[:] = 3.0  # by numpy, as OpenMP does not survive a fork
        kept.numpy()[:] = 3.0
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (kept == 1.0).all()
    assert (memory.empty(LIKE, ROWS, COLUMNS) == 2.0).all()


def test_several_threads_never_share():
    wrong = []

    def work(number):
        for _ in range(50):
            tensor = memory.empty(LIKE, ROWS, COLUMNS).fill_(number)
            if not (tensor == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_room_is_used_again_once_it_is_given_back():
    first = memory.take_room(1000)
    second = memory.take_room(10)
    assert first.start % 64 == second.start % 64 == 0
    assert first.start != second.start
    memory.give_room_back(first)
    assert memory.take_room(500) is first
    memory.give_room_back(second)
    assert memory.take_room(1000).length >= 1000, "what is too small is not used"
    memory.give_room_back(first)
    memory.release_memory()
    assert memory.take_room(500) is not first
