"""Instructions find again what torch computed: of other numbers, in any layout."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tfngen.runtime.cpu.elementary import OPERATIONS
from tfngen.runtime.cpu.instructions import Instructions, gemm
from tfngen.tracing.lowering import _WAYS, knows, loops_over, lower

aten = torch.ops.aten
DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: {"rtol": 2e-6, "atol": 2e-6}, torch.float64: {"rtol": 2e-14, "atol": 2e-14}}


def normal(*shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def computed_again(function, *arguments, **named):
    """What `function` gives, and what instructions for the same find once its operands hold other numbers."""
    name = called(function)
    result = function(*arguments, **named)
    code = Instructions()
    assert lower(name, arguments, named, result, code), name
    operands = [each for each in torch.utils._pytree.tree_leaves(arguments) if is_floating(each)]
    for seed, each in enumerate(operands):
        each.copy_(normal(*each.shape, dtype=each.dtype, seed=seed + 7).abs() + 0.25)
    wanted = function(*arguments, **named)
    result.fill_(math.nan if is_floating(result) else True)
    code.run()
    return result, wanted


def called(value):
    """What a parameter is called, in every process."""
    if callable(value):
        return getattr(value, "_opname", None) or value.__name__
    return str(value)


def is_floating(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def assert_same(found, wanted):
    assert found.dtype == wanted.dtype
    torch.testing.assert_close(found, wanted, **CLOSE.get(wanted.dtype, {}))


LAYOUTS = {
    "side by side": lambda dtype: normal(5, 3, 19, dtype=dtype),
    "turned": lambda dtype: normal(19, 3, 5, dtype=dtype).permute(2, 1, 0),
    "a part": lambda dtype: normal(7, 6, 40, dtype=dtype)[1:6, ::2, 4:23],
    "one number": lambda dtype: normal(dtype=dtype),
    "a row": lambda dtype: normal(19, dtype=dtype),
    "a column": lambda dtype: normal(3, 1, dtype=dtype),
}
FUNCTIONS = [getattr(torch, name) for name in ("neg", "abs", "sqrt", "rsqrt", "reciprocal", "exp", "sigmoid")]
FUNCTIONS += [torch.sin, torch.cos, torch.tanh, torch.log]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", [*FUNCTIONS, aten.silu.default], ids=called)
def test_functions_of_one_tensor(function, layout, dtype):
    assert_same(*computed_again(function, LAYOUTS[layout](dtype).abs()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", ["side by side", "turned", "a part"])
@pytest.mark.parametrize(
    "function", [torch.add, torch.sub, torch.mul, torch.div, torch.lt, torch.ge], ids=called
)
def test_functions_of_two_tensors(function, left, right, dtype):
    assert_same(*computed_again(function, LAYOUTS[left](dtype), LAYOUTS[right](dtype)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("function", "others", "named"),
    [
        (torch.mul, (0.35,), {}),
        (torch.add, (2,), {}),
        (torch.sub, (2.5,), {}),
        (torch.rsub, (1,), {}),
        (torch.eq, (0,), {}),
        (torch.ne, (0,), {}),
        (torch.gt, (0.5,), {}),
        (torch.le, (0.5,), {}),
        (torch.pow, (2,), {}),
        (torch.pow, (1.0,), {}),
        (torch.pow, (-0.5,), {}),
        (torch.pow, (0.5,), {}),
        (torch.pow, (-1,), {}),
        (torch._C._nn.softplus, (1, 40.0), {}),
        (torch._C._nn.softplus, (2.0, 0.5), {}),
        (aten._to_copy.default, (), {"dtype": torch.float32}),
        (aten._to_copy.default, (), {"dtype": torch.float64}),
        (aten.clone.default, (), {"memory_format": torch.contiguous_format}),
    ],
    ids=called,
)
def test_functions_of_a_tensor_and_numbers(function, others, named, dtype):
    for layout in ("side by side", "turned", "one number"):
        assert_same(*computed_again(function, LAYOUTS[layout](dtype).abs(), *others, **named))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_functions_of_several(dtype):
    x, y, z = (LAYOUTS[name](dtype) for name in ("side by side", "turned", "a column"))
    assert_same(*computed_again(torch.add, x, y, alpha=2))
    assert_same(*computed_again(torch.sub, x, y, alpha=0.5))
    assert_same(*computed_again(torch.addcmul, x, y, z, value=2))
    assert_same(*computed_again(torch.where, y > 0, x, z))
    assert_same(*computed_again(torch.where, z > 0, torch.tensor(0.0, dtype=dtype), x))
    assert_same(*computed_again(aten.softplus_backward.default, x, y, 1, 40.0))
    assert_same(*computed_again(aten.softplus_backward.default, x, y, 1, 0.5))
    assert_same(*computed_again(aten.sigmoid_backward.default, x, y))
    assert_same(*computed_again(aten.silu_backward.default, x, y))
    assert_same(*computed_again(aten._to_copy.default, x > 0, dtype=dtype))
    assert_same(*computed_again(aten.masked_fill.Scalar, x, y > 0, 2.5))
    assert_same(*computed_again(aten.linalg_vector_norm.default, x, 2.0, [-1]))
    assert_same(*computed_again(aten.linalg_vector_norm.default, x, 2, [0, 2], True))
    assert_same(*computed_again(aten.slice_scatter.default, x, y[:, :, 4:9], -1, 2, 7))
    assert_same(*computed_again(aten.slice_scatter.default, x, y[:, :2], 1, 0, 9, 2))
    for dim in (0, 1, 2, -1):
        assert_same(*computed_again(torch.cat, [x, y, x], dim))
        assert_same(*computed_again(torch.stack, [x, y], dim))
    assert_same(*computed_again(aten.slice_backward.default, y, [5, 3, 40], 2, 3, 22, 1))
    assert_same(*computed_again(aten.slice_backward.default, y, [5, 3, 40], 2, 1, 39, 2))


SPECIAL = [0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 39.9, 40.1, -100.0, 88.0, 89.0, 700.0, 710.0, -709.0, -746.0]
SPECIAL += [math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["exp", "sigmoid", "silu", "softplus", "softplus_backward", "silu_backward"])
def test_far_out(name, dtype):
    """What torch gives where exponentials are infinite, zero or none; 17 times, in vectors and alone."""
    x = torch.tensor(SPECIAL, dtype=dtype).repeat(17)
    given = {
        "softplus": (x, 1, 40.0),
        "softplus_backward": (torch.ones_like(x), x, 1, 40.0),
        "silu_backward": (torch.ones_like(x), x),
    }.get(name, (x,))
    function = getattr(aten, name).default
    wanted, code = function(*given), Instructions()
    found = torch.empty_like(wanted)
    assert lower(name, given, {}, found, code)
    code.run()
    smallest = torch.finfo(dtype).tiny * 1e3
    torch.testing.assert_close(found, wanted, rtol=CLOSE[dtype]["rtol"], atol=smallest, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exponentials_are_right_to_the_last_digits(dtype):
    """Beside double precision, or what it is by reference in the next wider one."""
    x = torch.linspace(-30, 30, 4001, dtype=dtype)
    result, code = torch.empty_like(x), Instructions()
    assert lower("exp", (x,), {}, result, code)
    code.run()
    wanted = torch.tensor([math.exp(each) for each in x.tolist()], dtype=torch.float64)
    assert ((result.double() - wanted) / wanted).abs().max() <= torch.finfo(dtype).eps


shapes = st.lists(st.integers(1, 11), min_size=0, max_size=4)


@settings(max_examples=150, deadline=None)
@given(shapes, st.data())
def test_sums(sizes, data):
    """Over any axes, of any order of axes."""
    dtype = data.draw(st.sampled_from(DTYPES))
    order = data.draw(st.permutations(range(len(sizes))))
    x = normal(*[sizes[axis] for axis in order], dtype=dtype).permute(
        [order.index(axis) for axis in range(len(sizes))]
    )
    dims = data.draw(st.lists(st.sampled_from(range(len(sizes))), unique=True)) if sizes else []
    keepdim = data.draw(st.booleans())
    result, code = torch.sum(x, dims, keepdim), Instructions()
    wanted = result.clone()
    if lower("sum", (x, dims, keepdim), {}, result, code):
        result.fill_(math.nan)
        code.run()
        torch.testing.assert_close(
            result, wanted, **CLOSE[dtype] | {"atol": 1e-4 if dtype == DTYPES[0] else 1e-11}
        )
    else:
        assert len(sizes) > 3


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_long_sums(dtype):
    for x in (normal(10_007, dtype=dtype), normal(1_009, 7, dtype=dtype).T, normal(3, 1_009, 9, dtype=dtype)):
        found, wanted = computed_again(torch.sum, x)
        torch.testing.assert_close(found, wanted, rtol=1e-5 if dtype == torch.float32 else 1e-13, atol=0)


@pytest.mark.skipif(not gemm(torch.float32), reason="torch shows no BLAS")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(5, 7, 9), (1, 7, 9), (5, 1, 9), (5, 7, 1), (1, 1, 1), (65, 33, 130)])
def test_matrix_products(sizes, turned, dtype):
    rows, inner, columns = sizes

    def matrix(height, width, is_turned):
        return normal(width, height, dtype=dtype).T if is_turned else normal(height, width, dtype=dtype)

    def pair():
        return matrix(rows, inner, turned[0]), matrix(inner, columns, turned[1])

    def several():
        return [each.expand(3, *each.shape).clone() for each in pair()]

    for found, wanted in (
        computed_again(torch.mm, *pair()),
        computed_again(torch.addmm, normal(columns, dtype=dtype), *pair()),
        computed_again(torch.bmm, *several()),
        computed_again(torch.baddbmm, normal(3, 1, columns, dtype=dtype), *several()),
        computed_again(torch.mm, matrix(2 * rows, inner, turned[0])[::2], pair()[1]),
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4 if dtype == torch.float32 else 1e-12, atol=1e-5)


@pytest.mark.skipif(not gemm(torch.float32), reason="torch shows no BLAS")
def test_a_matrix_whose_rows_are_all_the_same():
    ones = torch.ones(()).expand(6, 4)
    result, code = torch.empty(6, 5), Instructions()
    other = normal(4, 5, dtype=torch.float32)
    assert lower("mm", (ones, other), {}, result, code)
    code.run()
    torch.testing.assert_close(result, ones @ other)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rows_by_their_numbers(dtype):
    index = torch.tensor([3, 0, 3, 5, 1])
    for rows in (normal(6, 7, dtype=dtype), normal(6, dtype=dtype), normal(6, 20, dtype=dtype)[:, 3:10]):
        assert_same(*computed_again(aten.index_select.default, rows, 0, index))
        assert_same(*computed_again(aten.index.Tensor, rows, [index]))
        sums = normal(6, *rows.shape[1:], dtype=dtype)
        assert_same(*computed_again(aten.index_add.default, sums, 0, index, rows[:5]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=0, max_size=5), st.data())
def test_loops_go_through_every_number_once(sizes, data):
    order = data.draw(st.permutations(range(len(sizes))))
    like = torch.empty([sizes[axis] for axis in order]).permute([order.index(a) for a in range(len(sizes))])
    steps = [list(like.stride()), [0] * len(sizes)]
    loops = loops_over(sizes, steps, 5)
    places = {0}
    for count, step, other in loops:
        assert other == 0
        places = {place + turn * step for place in places for turn in range(count)}
    assert places == set(range(like.numel()))


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("erf", (torch.ones(3),), torch.ones(3)),
        ("linalg_vector_norm", (torch.ones(3), 1), torch.tensor(3.0)),
        ("div", (torch.ones(3), 2.0, "floor"), torch.ones(3)),
        ("add", (torch.ones(3), torch.ones(3).double()), torch.ones(3).double()),
        ("add", (torch.ones(3).half(), 1), torch.ones(3).half()),
        ("mul", (torch.ones(3, dtype=torch.int64), 2), torch.ones(3, dtype=torch.int64)),
        ("pow", (torch.ones(3), 3), torch.ones(3)),
        ("sum", (torch.ones(3, dtype=torch.bool),), torch.tensor(3)),
        ("index_select", (torch.ones(3, 4), 1, torch.tensor([1])), torch.ones(3, 1)),
        ("cat", ([torch.ones(0), torch.ones(2, 3)],), torch.ones(2, 3)),
    ],
    ids=str,
)
def test_what_there_is_no_way_for(name, arguments, result):
    code = Instructions()
    assert not lower(name, arguments, {}, result, code)
    assert code.count == 0


TYPES = [torch.bool, torch.int64, torch.float16, torch.float32, torch.float64]
PLAIN = [torch.add, torch.sub, torch.mul, torch.div, torch.rsub, torch.pow, torch.where, torch.sum]
PLAIN += [torch.eq, torch.ne, torch.lt, torch.ge, torch.neg, torch.abs, torch.sqrt, torch.exp, torch.sigmoid]
PLAIN += [torch.sin, torch.clone]
PLAIN += [torch.mm, torch.addmm, torch.addcmul, aten.silu.default, aten.masked_fill.Tensor, aten.index.Tensor]
PLAIN += [aten.index_select.default, aten.index_add.default, aten.linalg_vector_norm.default]


@pytest.mark.filterwarnings("ignore:This overload of add")
@pytest.mark.parametrize("function", PLAIN, ids=called)
def test_whatever_types_torch_takes_the_result_is_the_same_or_left_to_torch(function):
    """Operands of five types, tensors and numbers: nothing is an error, and nothing is wrong."""
    name = called(function)
    for types in itertools.product(TYPES, repeat=3):
        one, two, three = (torch.ones(4, 4, dtype=each) for each in types)
        index, last = torch.tensor([0, 3]), one[:2]
        for operands in (
            (one,), (one, two), (one, two, three), (one, 2), (2, one), (one, 0.5), (one, two, 2), (one, True),
            (one, one[0], 2), (one, two[0, 0]), (one, [index]), (one, 0, index), (one, 0, index, last),
        ):  # fmt: skip
            try:
                wanted = function(*operands)
                found = torch.zeros_like(wanted)
            except (RuntimeError, TypeError, IndexError, NotImplementedError):
                continue
            code = Instructions()
            if lower(name, operands, {}, found, code):
                code.run()
                torch.testing.assert_close(found, wanted)


def test_nothing_is_left_to_compute_of_no_numbers():
    code = Instructions()
    assert lower("add", (torch.ones(0, 3), 1), {}, torch.ones(0, 3), code)
    assert code.count == 0


def test_every_operation_belongs_to_a_function():
    assert all(knows(name) for name in ("add", "softplus_backward", "gather_rows"))
    assert len(_WAYS) > 30
    assert {"add", "where", "softplus"} <= OPERATIONS.keys()
