"""e3nn's tensor products and harmonics, and their stand-ins: the same numbers, derivatives and names."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

o3 = pytest.importorskip("e3nn.o3")

from tfngen.interop import products  # noqa: E402
from tfngen.interop.e3nn import SphericalHarmonics, TensorProduct, UnsupportedError  # noqa: E402

MANY = "8x0o+7x1o+3x2e"


@pytest.fixture(autouse=True)
def in_float64():
    """e3nn keeps coefficients in the precision that is default when a product is made."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


PRODUCTS = {
    "uvu": lambda: o3.TensorProduct(
        "8x0e+7x1o", "0e+1o+2e", "8x0e+7x1o+7x1e+8x2e+7x1o",
        [(*at, "uvu", True) for at in ((0, 0, 0), (1, 0, 1), (1, 1, 2), (0, 2, 3), (1, 2, 4))],
        shared_weights=False,
    ),
    "uvu, filters of several channels, into one output": lambda: o3.TensorProduct(
        MANY, "4x0e+3x1e+2x2e", MANY,
        [(0, 0, 0, "uvu", True), *((i, j, i, "uvu", True) for i in (1, 2) for j in range(3))],
    ),
    "uvv, some without weights": lambda: o3.TensorProduct(
        "2x1o+0e", "6x1o+5x2e", "6x1e+5x2e+5x1o",
        [(0, 0, 0, "uvv", True), (1, 1, 1, "uvv", False), (0, 1, 2, "uvv", True)],
        shared_weights=False,
    ),
    "uvw, shared": lambda: o3.FullyConnectedTensorProduct("8x0e+7x1o+3x2e", "0e+1o", "5x0e+4x1o+2x1e+2x2e"),
    "uvw, channels on both sides": lambda: o3.FullyConnectedTensorProduct(
        "5x0e+4x1o", "3x0e+6x1o", "5x0e+4x1o+2x1e"
    ),
    "uvw, a row's own": lambda: o3.FullyConnectedTensorProduct(
        "0e+1o", "8x0e+7x1o", "5x0e+4x1o+2x1e", shared_weights=False
    ),
    "uuu": lambda: o3.ElementwiseTensorProduct("8x0e+7x1o", "8x1o+7x1o", ["0e", "1e", "1o", "2e"]),
    "uuu, with weights": lambda: o3.TensorProduct(
        "5x1o", "5x1o", "5x0e+5x1e", [(0, 0, 0, "uuu", True), (0, 0, 1, "uuu", True)], shared_weights=False
    ),
    "every mode, other normalisations": lambda: o3.TensorProduct(
        "4x1o", "4x1o", "4x0e+4x1e+4x2e+4x0e",
        [(0, 0, 0, "uvu", True, 2.0), (0, 0, 1, "uvv", True), (0, 0, 2, "uuu", True), (0, 0, 3, "uvw", True)],
        irrep_normalization="norm", path_normalization="path", in1_var=[2.0], out_var=[1.0, 3.0, 1.0, 1.0],
    ),
    "degree 5": lambda: o3.FullyConnectedTensorProduct("2x5o", "1x2e", "2x4o+2x5e"),
}  # fmt: skip
every_product = pytest.mark.parametrize("name", PRODUCTS)


def operands(product, rows: int = 4) -> tuple[torch.Tensor, ...]:
    given = [product.irreps_in1.randn(rows, -1), product.irreps_in2.randn(rows, -1)]
    if not product.internal_weights and product.weight_numel:
        given.append(torch.randn(*(() if product.shared_weights else (rows,)), product.weight_numel))
    return tuple(tensor.requires_grad_() for tensor in given)


def close(found, wanted) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13 * float(wanted.detach().abs().max() + 1))


@every_product
def test_values_and_gradients_are_those_of_e3nn(name):
    torch.manual_seed(1)
    original = PRODUCTS[name]()
    standin = TensorProduct(original)
    given = operands(original)
    leaves = (*given, *original.parameters())
    wanted, found = original(*given), standin(*given)
    close(found, wanted)
    cotangent = torch.randn_like(wanted)
    gradients = [torch.autograd.grad(value, leaves, cotangent) for value in (wanted, found)]
    for theirs, ours in zip(*gradients, strict=True):
        close(ours, theirs)


@pytest.mark.parametrize("name", ["uvu", "uvw, shared", "every mode, other normalisations"])
def test_derivatives_of_every_order_are_derivatives(name):
    torch.manual_seed(2)
    standin = TensorProduct(PRODUCTS[name]())
    given = operands(standin.original, rows=2)
    assert gradcheck(standin, given)
    assert gradgradcheck(standin, given)


@settings(max_examples=15, deadline=None)
@given(
    channels=st.lists(st.integers(1, 9), min_size=2, max_size=3),
    filters=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    seed=st.integers(0, 99),
)
def test_random_fully_connected_products_agree(channels, filters, seed):
    torch.manual_seed(seed)
    irreps = ["+".join(f"{n}x{l}{'eo'[l % 2]}" for l, n in enumerate(each)) for each in (channels, filters)]
    original = o3.FullyConnectedTensorProduct(*irreps, irreps[0])
    given = operands(original)
    close(TensorProduct(original)(*given), original(*given))


def test_leading_axes_are_broadcast():
    original = PRODUCTS["uvw, shared"]()
    standin = TensorProduct(original)
    x, y = original.irreps_in1.randn(2, 1, 3, -1), original.irreps_in2.randn(5, 1, -1)
    close(standin(x, y), original(x, y))
    x, y = original.irreps_in1.randn(-1), original.irreps_in2.randn(-1)
    close(standin(x, y), original(x, y))
    assert standin(original.irreps_in1.randn(0, -1), original.irreps_in2.randn(0, -1)).shape == (
        0,
        5 + 18 + 10,
    )


def test_state_dicts_fit_both_ways():
    torch.manual_seed(3)
    original, other = PRODUCTS["uvw, shared"](), PRODUCTS["uvw, shared"]()
    standin = TensorProduct(original)
    assert standin.state_dict().keys() == original.state_dict().keys()
    standin.load_state_dict(other.state_dict())
    given = operands(original)
    close(original(*given), other(*given))
    standin.to(torch.float32)
    assert original.weight.dtype == torch.float32
    assert standin.weight is original.weight
    assert standin.irreps_out == original.irreps_out
    assert standin.train(False).original.training is False


def test_copies_and_pickles_are_whole():
    torch.manual_seed(4)
    standin = TensorProduct(PRODUCTS["uvw, shared"]())
    given = operands(standin.original)
    wanted = standin(*given).detach()
    twin = copy.deepcopy(standin)
    again = pickle.loads(pickle.dumps(standin))
    with torch.no_grad():
        standin.weight.zero_()
    assert not standin(*given).any()
    for each in (twin, again):
        close(each(*given).detach(), wanted)
        assert each.weight is each.original.weight


def test_what_there_are_no_kernels_for_is_done_by_the_original():
    standin = TensorProduct(PRODUCTS["uvw, shared"]())
    x, y = operands(standin.original)
    with pytest.raises(RuntimeError, match="dtype"):  # e3nn's own complaint
        standin(x.float(), y)
    with pytest.raises(Exception, match=r"[Ii]ncorrect"):
        standin(x[:, 1:], y)


def test_unsupported_modes_say_so():
    original = o3.TensorProduct("4x1o", "4x1o", "2x0e", [(0, 0, 0, "uuw", True)])
    with pytest.raises(UnsupportedError, match="uuw"):
        TensorProduct(original)
    with pytest.raises(ValueError, match=r"^original: Linear"):
        TensorProduct(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("normalization", ["component", "integral", "norm"])
@pytest.mark.parametrize("degrees", [[0, 1, 2, 3], [1, 2], [3, 1], 2, [0, 4]], ids=str)
def test_harmonics_are_those_of_e3nn(normalization, degrees):
    original = o3.SphericalHarmonics(degrees, True, normalization)
    standin = SphericalHarmonics(original)
    r = torch.randn(4, 5, 3, requires_grad=True)
    wanted, found = original(r), standin(r)
    close(found, wanted)
    cotangent = torch.randn_like(wanted)
    close(*(torch.autograd.grad(value, r, cotangent)[0] for value in (found, wanted)))


def test_harmonics_of_vectors_as_they_are_stay():
    with pytest.raises(UnsupportedError, match="not normalised"):
        SphericalHarmonics(o3.SphericalHarmonics(2, False))


def test_both_compile_in_one_graph():
    product = TensorProduct(PRODUCTS["uvw, shared"]())
    harmonics = SphericalHarmonics(o3.SphericalHarmonics([0, 1], True, "norm"))

    def model(x, r):
        return product(x, harmonics(r))

    x, r = product.original.irreps_in1.randn(6, -1), torch.randn(6, 3, requires_grad=True)
    found, wanted = torch.compile(model, fullgraph=True, backend="aot_eager")(x, r), model(x, r)
    close(found, wanted)
    cotangent = torch.randn_like(wanted)
    close(*(torch.autograd.grad(value, r, cotangent)[0] for value in (found, wanted)))


def by_species(monkeypatch):
    """A product with twelve scalars, its stand-in, and how many of them each call multiplies with."""
    original, widths = o3.FullyConnectedTensorProduct("6x0e+5x1o", "12x0e", "4x0e+7x1o"), []
    multiply = products.row_product

    def watched(package, plan, x, y, weight):
        widths.append(y.shape[1])
        return multiply(package, plan, x, y, weight)

    monkeypatch.setattr(products, "row_product", watched)
    return original, TensorProduct(original), widths


@pytest.mark.parametrize("species", [[3, 3, 3, 3, 3], [7, 0, 7, 11, 0], [5, 1, 9, 0, 2]])
def test_scalars_that_are_zero_in_all_rows_are_left_out(species, monkeypatch):
    """One-hot species: the same numbers and derivatives, by those columns alone that some row has."""
    original, product, widths = by_species(monkeypatch)
    x = original.irreps_in1.randn(5, -1).requires_grad_()
    y = torch.nn.functional.one_hot(torch.tensor(species), 12).to(x)
    results = []
    for module in (original, product):
        out = module(x, y)
        (slope,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        results.append([out, slope, *torch.autograd.grad(slope.square().sum(), [x, original.weight])])
    for wanted, found in zip(*results, strict=True):
        close(found, wanted)
    assert widths == [len({*species})]


@pytest.mark.parametrize("kind", ["differentiated", "seven of twelve", "all of them zero"])
def test_scalars_are_all_taken_where_they_may_matter(kind, monkeypatch):
    original, product, widths = by_species(monkeypatch)
    x, y = original.irreps_in1.randn(7, -1), torch.zeros(7, 12)
    if kind == "seven of twelve":
        y[range(7), range(7)] = 1.0
    elif kind == "differentiated":
        y[:, 3] = 1.0
        y.requires_grad_()
    close(product(x, y), original(x, y))
    assert widths == [12]
    if kind == "differentiated":
        close(*(torch.autograd.grad(each(x, y).square().sum(), y)[0] for each in (product, original)))
