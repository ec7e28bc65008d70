"""Radial functions: their formulas, their smoothness at zero and at the cutoff."""

from __future__ import annotations

import math

import pytest
import torch

from tfngen.nn import (
    BesselBasis,
    CosineBasis,
    CosineCutoff,
    GaussianBasis,
    PolynomialCutoff,
    RadialNetwork,
    ShiftedSoftplus,
)

CUTOFF = 2.5
R = torch.linspace(0.05, 3.0, 60, dtype=torch.float64)


def derivatives(function, at: float, orders: int, dtype=torch.float64) -> list[torch.Tensor]:
    """Value and derivatives of every output of a scalar function, up to `orders`."""
    r = torch.tensor([at], dtype=dtype, requires_grad=True)
    values = function(r).reshape(-1)
    found = [values]
    for _ in range(orders):
        values = torch.stack([torch.autograd.grad(v, r, create_graph=True)[0].squeeze() for v in values])
        found.append(values)
    return [value.detach() for value in found]


def test_gaussians_are_gaussians_and_peak_at_their_centres() -> None:
    basis = GaussianBasis(6, CUTOFF, start=0.5).double()
    centers = torch.linspace(0.5, CUTOFF, 6, dtype=torch.float64)
    # the centres are rounded to float32 when the module is made
    torch.testing.assert_close(basis.centers, centers, rtol=0, atol=1e-7)
    torch.testing.assert_close(
        basis(R), torch.exp(-((R[:, None] - basis.centers) ** 2) / (2 * 0.4**2)), rtol=1e-12, atol=0
    )
    assert GaussianBasis(4, 2.0, width=0.1).width == 0.1


def test_cosine_bumps_sum_to_one_between_the_end_centres() -> None:
    basis = CosineBasis(7, CUTOFF).double()
    inside = R < CUTOFF
    torch.testing.assert_close(
        basis(R)[inside].sum(1), torch.ones(int(inside.sum())).double(), atol=1e-6, rtol=0
    )
    assert not basis(torch.tensor([CUTOFF + basis.spacing + 0.1], dtype=torch.float64)).any()


def test_bessel_functions_are_equation_7() -> None:
    """√(2/c) sin(nπr/c)/r (arXiv:2003.03123)."""
    basis = BesselBasis(5, CUTOFF).double()
    n = torch.arange(1, 6, dtype=torch.float64)
    expected = math.sqrt(2 / CUTOFF) * torch.sin(n * math.pi * R[:, None] / CUTOFF) / R[:, None]
    torch.testing.assert_close(basis(R), expected, rtol=0, atol=1e-13)


def test_bessel_functions_are_orthonormal_in_the_ball() -> None:
    """∫₀ᶜ B_m B_n r² dr = δ_mn."""
    basis = BesselBasis(4, CUTOFF).double()
    r = (torch.arange(4000, dtype=torch.float64) + 0.5) * CUTOFF / 4000
    values = basis(r) * r[:, None]
    torch.testing.assert_close(
        values.T @ values * CUTOFF / 4000, torch.eye(4, dtype=torch.float64), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("at", [0.0, 1e-9, 3e-3, 0.15, 1.5])
def test_bessel_functions_have_all_derivatives_near_zero(at: float) -> None:
    """Against the power series Σ_k (−1)^k (kr)^2k / (2k+1)!, differentiated term by term."""
    basis = BesselBasis(3, CUTOFF).double()
    k = torch.arange(1, 4, dtype=torch.float64) * math.pi / CUTOFF
    for order, found in enumerate(derivatives(basis, at, 3)):
        expected = torch.zeros_like(k)
        for power in range(order + order % 2, 40, 2):
            coefficient = (-1) ** (power // 2) * math.perm(power, order) / math.factorial(power + 1)
            expected += coefficient * k**power * at ** (power - order)
        torch.testing.assert_close(found, math.sqrt(2 / CUTOFF) * k * expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("at", [0.0, 0.02, 0.1, 0.25])
def test_fewer_terms_do_in_float32(at: float) -> None:
    """Series end where float32 does: values and three derivatives are those of float64, rounded."""
    wanted = derivatives(BesselBasis(3, CUTOFF).double(), at, 3)
    found = derivatives(BesselBasis(3, CUTOFF), at, 3, torch.float32)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("cutoff", "vanishing"),
    [(PolynomialCutoff(CUTOFF), 2), (PolynomialCutoff(CUTOFF, p=2), 2), (CosineCutoff(CUTOFF), 1)],
)
def test_cutoffs_are_smooth(cutoff, vanishing: int) -> None:
    """1 at zero, falling, and with `vanishing` derivatives zero where they end."""
    values = cutoff(R)
    assert cutoff(torch.zeros(1)) == 1
    assert (values.diff() <= 0).all()
    assert not values[CUTOFF <= R].any()
    for below in derivatives(cutoff, CUTOFF - 1e-9, vanishing):
        assert below.abs() < 1e-6  # at 1e-9 from the end, times the next derivative
    for order, beyond in enumerate(derivatives(cutoff, CUTOFF + 1e-9, vanishing)):
        assert beyond == 0, order


def test_shifted_softplus_is_its_formula_and_linear_far_out() -> None:
    activation = ShiftedSoftplus()
    x = torch.linspace(-30, 30, 101, dtype=torch.float64)
    torch.testing.assert_close(activation(x), torch.log(0.5 * torch.exp(x) + 0.5), rtol=1e-12, atol=1e-14)
    assert activation(torch.zeros(1)) == 0
    assert torch.isfinite(activation(torch.tensor([1e4, -1e4]))).all()


def test_the_radial_network_is_its_formula() -> None:
    torch.manual_seed(0)
    basis, envelope = GaussianBasis(4, CUTOFF), PolynomialCutoff(CUTOFF)
    network = RadialNetwork(basis, 8, 3, envelope=envelope).double()
    torch.nn.init.normal_(network.inner.bias)
    torch.nn.init.normal_(network.outer.bias)
    hidden = basis(R) @ network.inner.weight.T + network.inner.bias
    expected = torch.log(0.5 * hidden.exp() + 0.5) @ network.outer.weight.T + network.outer.bias
    torch.testing.assert_close(network(R), expected * envelope(R)[:, None])
    assert network(R).shape == (60, 3)
    assert network(R[:0]).shape == (0, 3)


def test_the_radial_network_starts_the_same_from_the_same_seed() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(5)
        networks.append(RadialNetwork(BesselBasis(4, CUTOFF), 8, 3))
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(one, other)
    assert {name for name, _ in networks[0].named_parameters()} == {
        "inner.weight", "inner.bias", "outer.weight", "outer.bias",
    }  # fmt: skip
    assert set(networks[0].state_dict()) == {name for name, _ in networks[0].named_parameters()}


def test_radial_modules_say_what_they_are() -> None:
    assert repr(GaussianBasis(4, 2.0)) == "GaussianBasis(number=4, cutoff=2, start=0, width=0.666667)"
    assert repr(BesselBasis(4, 2.0)) == "BesselBasis(number=4, cutoff=2)"
    assert repr(PolynomialCutoff(2.0)) == "PolynomialCutoff(cutoff=2, p=6)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianBasis(0, 1.0), "number: 0"),
        (lambda: GaussianBasis(2.0, 1.0), "number: 2.0"),
        (lambda: GaussianBasis(2, -1.0), "cutoff: -1.0"),
        (lambda: GaussianBasis(2, math.nan), "cutoff: nan"),
        (lambda: GaussianBasis(2, "1"), "cutoff: '1'"),
        (lambda: GaussianBasis(2, 1.0, start=1.0), "start: 1.0; it must be below the cutoff"),
        (lambda: GaussianBasis(2, 1.0, width=0), "width: 0"),
        (lambda: CosineBasis(1, 1.0), "number: 1; a cosine basis"),
        (lambda: BesselBasis(3, 0), "cutoff: 0"),
        (lambda: PolynomialCutoff(1.0, p=1), "p: 1"),
        (lambda: CosineCutoff(math.inf), "cutoff: inf"),
        (lambda: RadialNetwork(BesselBasis(3, 1.0), 0, 1), "hidden: 0"),
        (lambda: RadialNetwork(BesselBasis(3, 1.0), 1, 1.5), "out: 1.5"),
        (lambda: RadialNetwork(BesselBasis(3, 1.0), 4, 2)(torch.zeros(3, 1)), r"distances: shape \(3, 1\)"),
        (lambda: RadialNetwork(BesselBasis(3, 1.0), 4, 2)(R), "distances: dtype torch.float64"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
