"""The generated operators against references that share nothing with them, and their derivatives."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from tests.reference import ReferenceKernels
from tfngen.irreps import enumerate_paths
from tfngen.roles import SLOTS, Role

# float32 sums of a few dozen products: 2e-6 of the largest entry is DESIGN §6's bound; float64 likewise.
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-14}
DTYPES = (torch.float32, torch.float64)
GRADCHECK_PATHS = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 1, 2), (1, 2, 3))


def operands(path, edges=6, channels=5, dtype=torch.float64, seed=0, requires_grad=False):
    """Random y, x, w and grad for `path`."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (
        (edges, 2 * path[0] + 1),
        (edges, channels, 2 * path[1] + 1),
        (edges, channels),
        (edges, channels, 2 * path[2] + 1),
    )
    tensors = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
    return [tensor.to(dtype).requires_grad_(requires_grad) for tensor in tensors]


def close(got, wanted, dtype):
    assert got.shape == wanted.shape
    scale = wanted.abs().max().clamp(min=1e-30)
    assert (got.double() - wanted.double()).abs().max() <= TOLERANCE[dtype] * scale


@pytest.fixture(scope="module")
def reference():
    return ReferenceKernels(3)


INDICES = {"filter": "ef", "input": "eci", "weight": "ec", "grad": "eco"}


@pytest.mark.parametrize("role", list(Role), ids=str)
@pytest.mark.parametrize("path", enumerate_paths(3), ids=str)
def test_every_role_of_every_path_is_the_einsum(tfn_l3, reference, path, role):
    """All four partial derivatives of T = Σ C·y·x·w·g, with C from e3nn, in float32."""
    slots = dict(zip(SLOTS, operands(path, channels=19, dtype=torch.float32), strict=True))
    formula = ",".join(["fio", *(INDICES[slot] for slot in role.operands)]) + "->" + INDICES[role.slot]
    exact = (slots[slot].double() for slot in role.operands)
    tfn_l3.spherical_harmonics(torch.zeros(1, 3))  # registers the operators
    operator = getattr(torch.ops.tfngen, role.value)
    got = operator(tfn_l3._package.fingerprint, path, *(slots[slot] for slot in role.operands))
    close(got, torch.einsum(formula, reference.coefficients[path], *exact), torch.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("edges", "channels"), [(0, 4), (3, 1), (1, 7), (5, 33), (2, 16), (700, 64)], ids=str
)
def test_any_number_of_edges_and_channels(tfn_l3, reference, dtype, edges, channels):
    y, x, w, _ = operands((1, 1, 2), edges, channels, dtype)
    got = tfn_l3.tensor_product((1, 1, 2), y, x, w)
    assert got.shape == (edges, channels, 5)
    if edges:
        close(got, reference.tensor_product((1, 1, 2), y.double(), x.double(), w.double()), dtype)


def test_no_channels_at_all(tfn_l3):
    y, x, w, _ = operands((1, 1, 1), 3, 0)
    assert tfn_l3.tensor_product((1, 1, 1), y, x, w).shape == (3, 0, 3)


@pytest.mark.parametrize("layout", ["channels_last", "components_last", "strided", "expanded", "flipped"])
def test_any_memory_layout_gives_the_same_numbers(tfn_l3, layout):
    y, x, w, _ = operands((1, 2, 1), 6, 9)
    expected = tfn_l3.tensor_product((1, 2, 1), y, x.contiguous(), w)
    if layout == "channels_last":
        x = x.transpose(1, 2).contiguous().transpose(1, 2)
    elif layout == "strided":
        x = torch.stack([x, x], dim=1)[:, 0]
        y = torch.stack([y, y], dim=-1)[..., 0]
        w = torch.stack([w, w], dim=-1)[..., 0]
    elif layout == "flipped":
        x, y, w = x.flip(0).flip(0), y.flip(0).flip(0), w.flip(1).flip(1)
    elif layout == "expanded":
        y, x, w = y[:1].expand(6, -1), x[:1].expand(6, -1, -1), w[:1].expand(6, -1)
        expected = expected[:1].expand(6, -1, -1)
    assert torch.equal(tfn_l3.tensor_product((1, 2, 1), y, x, w), expected)


def test_without_weights_the_weights_are_one(tfn_l3):
    y, x, w, _ = operands((1, 1, 1))
    ones = torch.ones_like(w)
    expected = tfn_l3.tensor_product((1, 1, 1), y, x, ones)
    assert torch.equal(tfn_l3.tensor_product((1, 1, 1), y, x), expected)


def test_one_weight_row_serves_every_edge_and_its_gradient_is_the_sum(tfn_l3):
    y, x, w, g = operands((1, 1, 1))
    shared = w[0].clone().requires_grad_()
    per_edge = w[:1].expand_as(w).clone().requires_grad_()
    (tfn_l3.tensor_product((1, 1, 1), y, x, shared) * g).sum().backward()
    (tfn_l3.tensor_product((1, 1, 1), y, x, per_edge) * g).sum().backward()
    torch.testing.assert_close(shared.grad, per_edge.grad.sum(0), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("path", GRADCHECK_PATHS, ids=str)
def test_first_and_second_derivatives_of_a_path(tfn_l3, path):
    y, x, w, _ = operands(path, 2, 3, requires_grad=True)
    function = partial(tfn_l3.tensor_product, path)
    assert gradcheck(function, (y, x, w))
    assert gradgradcheck(function, (y, x, w))
    assert gradgradcheck(function, (y, x))


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_every_role_is_differentiable_three_times(tfn_l3, role):
    """Each role's own gradient, and two more: the four close under differentiation."""
    path = (1, 1, 2)
    slots = dict(zip(SLOTS, operands(path, 2, 2, requires_grad=True), strict=True))
    tfn_l3.tensor_product(path, *(t.detach() for t in list(slots.values())[:3]))
    operator = partial(getattr(torch.ops.tfngen, role.value), tfn_l3._package.fingerprint, path)
    inputs = tuple(slots[slot] for slot in role.operands)
    assert gradcheck(operator, inputs)
    assert gradgradcheck(operator, inputs)

    def gradient(*arguments):
        return torch.autograd.grad(operator(*arguments).square().sum(), arguments, create_graph=True)

    assert gradgradcheck(gradient, inputs)


@pytest.mark.parametrize("lmax", [0, 1, 2, 3, 6, 10])
@pytest.mark.parametrize("dtype", DTYPES)
def test_spherical_harmonics_are_e3nns(lmax, dtype):
    import tfngen

    degrees = "+".join(f"{l}e" for l in range(lmax + 1))
    kernels = tfngen.load(irreps_in="0e", irreps_filter=degrees, irreps_out=degrees)
    generator = torch.Generator().manual_seed(lmax)
    lengths = 10 ** torch.linspace(-6, 6, 7)[:, None]
    r = torch.randn(5, 7, 3, dtype=torch.float64, generator=generator) * lengths
    r = r.to(dtype)
    close(
        kernels.spherical_harmonics(r),
        ReferenceKernels(lmax).spherical_harmonics(r.double().reshape(-1, 3)).reshape(5, 7, -1),
        dtype,
    )


def test_a_zero_vector_has_y0_only_and_no_derivatives(tfn_l3):
    r = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    y = tfn_l3.spherical_harmonics(r)
    assert torch.equal(y[:, 0], torch.ones(3, dtype=torch.float64))
    assert torch.equal(y[:, 1:], torch.zeros(3, 15, dtype=torch.float64))
    (first,) = torch.autograd.grad(y.square().sum() + y.sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), r, create_graph=True)
    assert torch.equal(first, torch.zeros_like(first))
    assert torch.equal(second, torch.zeros_like(second))


def test_nan_is_not_mistaken_for_zero(tfn_l3):
    r = torch.tensor([[float("nan"), 0.0, 1.0]])
    assert tfn_l3.spherical_harmonics(r)[0, 1:].isnan().any()


def test_derivatives_of_the_harmonics_to_third_order(tfn_l3):
    generator = torch.Generator().manual_seed(1)
    r, g, h = (
        torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((2, 3), (2, 16), (2, 3))
    )
    assert gradcheck(tfn_l3.spherical_harmonics, (r,))
    assert gradgradcheck(tfn_l3.spherical_harmonics, (r,))

    def second(r, g, h):
        (first,) = torch.autograd.grad(tfn_l3.spherical_harmonics(r), r, g, create_graph=True)
        return torch.autograd.grad(first, (r, g), h, create_graph=True)

    assert gradcheck(second, (r, g, h))
    assert gradgradcheck(second, (r, g, h))


@pytest.mark.parametrize(
    "name",
    ["output", "d_input", "d_filter", "d_weight", "harmonics", "vjp", "vjp_vjp", "gather", "sum", "turn"],
)
def test_every_operator_passes_opcheck(tfn_l3, name):
    tfn_l3.spherical_harmonics(torch.zeros(1, 3))
    fingerprint, path = tfn_l3._package.fingerprint, [1, 2, 1]
    slots = dict(zip(SLOTS, operands(path, 4, 6, requires_grad=True), strict=True))
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)

    index = torch.tensor([2, 0, 2, 1])
    rows = (index, torch.tensor([1, 3, 0, 2]), torch.tensor([0, 1, 2, 4, 4]))
    ops = torch.ops.tfngen
    operator, arguments = {
        **{
            role.value: (
                getattr(ops, role.value),
                (fingerprint, path, *(slots[slot] for slot in role.operands)),
            )
            for role in Role
        },
        "harmonics": (ops.spherical_harmonics, (fingerprint, 16, random(5, 3))),
        "vjp": (ops.spherical_harmonics_vjp, (fingerprint, 16, random(5, 3), random(5, 16))),
        "vjp_vjp": (
            ops.spherical_harmonics_vjp_vjp,
            (fingerprint, 16, random(5, 3), random(5, 16), random(5, 3)),
        ),
        "gather": (ops.gather_rows, (random(4, 3, 2), *rows)),
        "sum": (ops.sum_rows, (random(4, 3, 2), *rows)),
        "turn": (ops.turn_rows, (random(4, 22), [4, 3, 2, 5])),
    }[name]
    torch.library.opcheck(operator.default, arguments)


def test_a_compiled_function_gives_the_same_numbers(tfn_l3):
    def function(r, x, w):
        y = tfn_l3.spherical_harmonics(r)
        return tfn_l3.tensor_product((1, 1, 2), y[:, 1:4], x, w)

    r, x, w = torch.randn(6, 3), torch.randn(6, 5, 3), torch.randn(6, 5)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(r, x, w), function(r, x, w), rtol=0, atol=0)


def test_an_exported_program_gives_the_same_numbers(tfn_l3):
    class Module(torch.nn.Module):
        def forward(self, r, x):
            return tfn_l3.tensor_product((1, 1, 1), tfn_l3.spherical_harmonics(r)[:, 1:4], x)

    r, x = torch.randn(6, 3), torch.randn(6, 5, 3)
    exported = torch.export.export(Module(), (r, x))
    assert torch.equal(exported.module()(r, x), Module()(r, x))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_do_not_depend_on_the_number_of_threads(tfn_l3, threads):
    y, x, w, g = operands((2, 2, 2), 3000, 40, torch.float32)
    before = torch.get_num_threads()
    try:
        results = []
        for count in (1, threads):
            torch.set_num_threads(count)
            tracked = [t.clone().requires_grad_() for t in (y, x, w)]
            out = tfn_l3.tensor_product((2, 2, 2), *tracked)
            results.append([out, *torch.autograd.grad((out * g).sum(), tracked)])
    finally:
        torch.set_num_threads(before)
    for one, many in zip(*results, strict=True):
        assert torch.equal(one, many)


def test_several_python_threads_may_compile_and_call_at_once(tfn_l3):
    from concurrent.futures import ThreadPoolExecutor

    y, x, w, _ = operands((3, 1, 3), 50, 8)
    with ThreadPoolExecutor(6) as pool:
        results = [
            future.result()
            for future in [pool.submit(tfn_l3.tensor_product, (3, 1, 3), y, x, w) for _ in range(12)]
        ]
    assert all(torch.equal(result, results[0]) for result in results)


BAD_CALLS = {
    "unknown path": (lambda t: t.tensor_product((1, 1, 3), *operands((1, 1, 1))[:3]), "path"),
    "degree too high": (lambda t: t.tensor_product((4, 4, 0), *operands((1, 1, 1))[:3]), "path"),
    "path is text": (lambda t: t.tensor_product("1 1 1", *operands((1, 1, 1))[:3]), "path"),
    "path is a number": (lambda t: t.tensor_product(7, *operands((1, 1, 1))[:3]), "path"),
    "y is too narrow": (lambda t: _call(t, y=torch.randn(6, 2).double()), "y"),
    "y has other edges": (lambda t: _call(t, y=torch.randn(5, 3).double()), "y"),
    "x has no channels axis": (lambda t: _call(t, x=torch.randn(6, 3).double()), "x"),
    "x has other components": (lambda t: _call(t, x=torch.randn(6, 5, 5).double()), "x"),
    "x alone is half": (lambda t: _call(t, x=torch.randn(6, 5, 3).half()), "y"),
    "x is an integer": (lambda t: _call(t, x=torch.ones(6, 5, 3, dtype=torch.int64)), "x"),
    "y is another dtype": (lambda t: _call(t, y=torch.randn(6, 3)), "y"),
    "w is another dtype": (lambda t: _call(t, w=torch.randn(6, 5)), "w"),
    "w has other channels": (lambda t: _call(t, w=torch.randn(6, 4).double()), "w"),
    "w has other edges": (lambda t: _call(t, w=torch.randn(7, 5).double()), "w"),
    "w is shared but too short": (lambda t: _call(t, w=torch.randn(4).double()), "w"),
    "x is on another device": (lambda t: _call(t, x=torch.randn(6, 5, 3, device="meta").double()), "x"),
    "y is a list": (lambda t: _call(t, y=[[1.0, 2.0, 3.0]]), "y"),
    "r is not a vector": (lambda t: t.spherical_harmonics(torch.randn(4, 2)), "r"),
    "r is a number": (lambda t: t.spherical_harmonics(torch.tensor(1.0)), "r"),
    "r is bfloat16": (lambda t: t.spherical_harmonics(torch.randn(4, 3).bfloat16()), "r"),
}


def _call(package, **changed):
    y, x, w, _ = operands((1, 1, 1))
    return package.tensor_product((1, 1, 1), **{"y": y, "x": x, "w": w, **changed})


@pytest.mark.parametrize("mistake", BAD_CALLS)
def test_a_mistake_is_named_before_memory_is_touched(tfn_l3, mistake):
    call, argument = BAD_CALLS[mistake]
    with pytest.raises(ValueError, match=rf"^{argument}: got"):
        call(tfn_l3)


def test_a_dtype_that_was_not_built_is_refused_by_name():
    import tfngen

    narrow = tfngen.load(0, dtypes=("float32",), name="narrow")
    with pytest.raises(ValueError, match=r"r: got dtype torch\.float64; .* was built for float32"):
        narrow.spherical_harmonics(torch.zeros(1, 3, dtype=torch.float64))


@pytest.mark.parametrize(("normalization", "path"), list(product(["norm", "integral"], [(1, 1, 2)])))
def test_the_other_normalisations(normalization, path):
    import tfngen

    kernels, reference = tfngen.load(2, normalization=normalization), ReferenceKernels(2, normalization)
    r = torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    close(kernels.spherical_harmonics(r), reference.spherical_harmonics(r), torch.float64)
    tracked = r.clone().requires_grad_()
    assert gradgradcheck(kernels.spherical_harmonics, (tracked,))


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        (torch.zeros(3, 5), [2, 3]),
        (torch.zeros(3, 6), [2, 3, 1]),
        (torch.zeros(3, 6), [-2, -3]),
        (torch.zeros(3, 6, dtype=torch.int64), [2, 3]),
        (torch.zeros(6), [2, 3]),
    ],
)
def test_blocks_that_do_not_fit_are_refused(values, blocks):
    with pytest.raises(ValueError, match=r"^(values|blocks): "):
        torch.ops.tfngen.turn_rows(values, blocks)


def test_turning_takes_strided_rows_and_none():
    rows = torch.arange(48.0).view(4, 12)[:, 2:8]
    found = torch.ops.tfngen.turn_rows(rows, [2, 3])
    assert torch.equal(found, rows.unflatten(1, (2, 3)).transpose(1, 2).flatten(1))
    assert torch.ops.tfngen.turn_rows(rows[:0], [2, 3]).shape == (0, 6)
