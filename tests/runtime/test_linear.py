"""The linear layer of many results: torch's own numbers and derivatives, in memory that is used again."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from tfngen.runtime.cpu import memory
from tfngen.runtime.linear import linear


def operands(dtype=torch.float64, rows=7, columns=3, results=5, bias=True):
    generator = torch.Generator().manual_seed(0)
    shapes = [(rows, columns), (results, columns), *([(results,)] if bias else [])]
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_as_torch_has_it(dtype, rows, bias):
    given = operands(dtype, rows, bias=bias)
    found, wanted = linear(*given), functional.linear(*given)
    assert found.dtype == dtype
    assert found.is_contiguous()
    torch.testing.assert_close(found, wanted)
    for one, other in zip(
        torch.autograd.grad(found.sum(), given), torch.autograd.grad(wanted.sum(), given), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("bias", [False, True])
def test_derivatives_of_the_first_three_orders(bias):
    given = operands(bias=bias)
    assert gradcheck(lambda *each: linear(*each).sin(), given)
    assert gradgradcheck(lambda *each: linear(*each).sin(), given)

    def gradient(*each):
        return torch.autograd.grad(linear(*each).sin().sum(), each, create_graph=True)

    assert gradgradcheck(gradient, given)


def test_only_what_is_asked_for_is_computed(monkeypatch):
    """A force asks for no derivative by parameters, which would cost as much as the layer itself."""
    rows, matrix, bias = operands()
    products = []

    class Counting(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            products.append(function.__name__)
            return function(*args, **kwargs or {})

    result = linear(rows, matrix, bias).sum()
    with Counting():
        torch.autograd.grad(result, rows)
    assert sum(name.startswith("mm") for name in products) == 1


def test_large_results_and_derivatives_are_in_memory_that_is_used_again():
    memory.release_memory()
    rows, columns, results = 1024, 4, memory.LARGE // 1024
    given = operands(torch.float32, rows, columns, results)
    found = linear(*given)
    assert found.data_ptr() % 64 == 0
    address = found.data_ptr()
    del found
    assert linear(*given).data_ptr() == address
    with torch.no_grad():
        assert linear(*given).data_ptr() == address
    cotangent = torch.ones(rows, results, requires_grad=True)
    (by_rows,) = torch.autograd.grad(linear(*given), given[0], cotangent, create_graph=True)
    (second,) = torch.autograd.grad(by_rows.sum(), cotangent)
    assert second.shape == (rows, results)
    where = second.data_ptr()
    del second, by_rows
    assert where in {linear(*given).data_ptr(), memory.empty(given[0], rows, results).data_ptr()}
    memory.release_memory()


def test_under_autocast_it_is_torchs_own():
    given = operands(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(*given).dtype == torch.bfloat16


def test_whoever_watches_sees_torchs_own():
    given = operands()
    traced = torch.func.vjp(lambda rows: linear(rows, *given[1:]), given[0])[0]
    torch.testing.assert_close(traced, functional.linear(*given))
    compiled = torch.compile(lambda *each: linear(*each), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*given), functional.linear(*given))
