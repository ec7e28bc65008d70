"""Radial functions: bases, smooth cutoffs and the network R_c(r) that turns them into path weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tfngen.runtime.linear import linear
from tfngen.runtime.radial_operators import bessel, polynomial_cutoff


class ShiftedSoftplus(nn.Module):
    """η(x) = ln(½ eˣ + ½): smooth, with η(0) = 0 (Thomas et al., arXiv:1802.08219, §4.3)."""

    def forward(self, x: Tensor) -> Tensor:
        # Beyond x = 40 softplus(x) is x in float64 too, so torch's switch to the identity is exact.
        return functional.softplus(x, threshold=40.0) - math.log(2.0)


class RadialBasis(nn.Module):
    """`number` functions B_j of a distance: (…) → (…, number), in the unit of the cutoff.

    Args:
        number: how many functions, ≥ 1.
        cutoff: the distance > 0 up to which they resolve.
    """

    def __init__(self, number: int, cutoff: float) -> None:
        super().__init__()
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f"number: {number!r}; it must be an integer ≥ 1")
        self.number, self.cutoff = number, positive("cutoff", cutoff)

    def extra_repr(self) -> str:
        return f"number={self.number}, cutoff={self.cutoff:g}"


class GaussianBasis(RadialBasis):
    """B_j(r) = exp(−(r − μ_j)² / 2σ²), centres μ_j evenly from `start` to `cutoff`, both included.

    Args:
        number: how many Gaussians.
        cutoff: the last centre.
        start: the first centre.
        width: σ, the distance between centres by default.
    """

    centers: Tensor

    def __init__(self, number: int, cutoff: float, start: float = 0.0, width: float | None = None) -> None:
        super().__init__(number, cutoff)
        spacing = _spacing(number, start, cutoff)
        self.start, self.width = start, spacing if width is None else positive("width", width)
        self.register_buffer("centers", torch.linspace(start, cutoff, number), persistent=False)

    def forward(self, distances: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((distances[..., None] - self.centers) / self.width) ** 2)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, start={self.start:g}, width={self.width:g}"


class CosineBasis(RadialBasis):
    """B_j(r) = cos²(½π (r − μ_j)/s) where |r − μ_j| < s, else 0: bumps with continuous first derivatives.

    Centres μ_j run evenly from `start` to `cutoff`, s apart; between the two, the bumps sum to 1.

    Args:
        number: how many bumps, ≥ 2.
        cutoff: the last centre.
        start: the first centre.
    """

    centers: Tensor

    def __init__(self, number: int, cutoff: float, start: float = 0.0) -> None:
        super().__init__(number, cutoff)
        if number < 2:
            raise ValueError(f"number: {number}; a cosine basis has at least 2 functions")
        self.start, self.spacing = start, _spacing(number, start, cutoff)
        self.register_buffer("centers", torch.linspace(start, cutoff, number), persistent=False)

    def forward(self, distances: Tensor) -> Tensor:
        steps = ((distances[..., None] - self.centers) / self.spacing).clamp(-1.0, 1.0)
        return 0.5 + 0.5 * torch.cos(math.pi * steps)  # cos² of half the angle, and exactly 0 at ±π

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, start={self.start:g}"


class BesselBasis(RadialBasis):
    """B_n(r) = √(2/c) sin(nπr/c) / r, n = 1…number (Gasteiger [Klicpera] et al., arXiv:2003.03123, eq. 7).

    Finite and smooth at r = 0, zero at the cutoff c; multiply with a smooth cutoff for forces.
    """

    def forward(self, distances: Tensor) -> Tensor:
        return bessel(distances, self.cutoff, self.number)


class PolynomialCutoff(nn.Module):
    """u(r) = 1 − ½(p+1)(p+2) d^p + p(p+2) d^{p+1} − ½p(p+1) d^{p+2}, d = r/cutoff (arXiv:2003.03123, eq. 8).

    Zero from the cutoff on; value, first and second derivative vanish there.

    Args:
        cutoff: > 0, in the unit of the distances.
        p: the order, ≥ 2; larger stays near 1 for longer.
    """

    def __init__(self, cutoff: float, p: int = 6) -> None:
        super().__init__()
        if not isinstance(p, int) or isinstance(p, bool) or p < 2:
            raise ValueError(f"p: {p!r}; it must be an integer ≥ 2")
        self.cutoff, self.p = positive("cutoff", cutoff), p

    def forward(self, distances: Tensor) -> Tensor:
        """(…) distances ≥ 0 → (…) in [0, 1]."""
        return polynomial_cutoff(distances, self.cutoff, self.p)

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff:g}, p={self.p}"


class CosineCutoff(nn.Module):
    """u(r) = ½(1 + cos(πr/cutoff)) below the cutoff, zero from there on (Behler, 10.1063/1.3553717, eq. 4).

    Value and first derivative vanish at the cutoff.
    """

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = positive("cutoff", cutoff)

    def forward(self, distances: Tensor) -> Tensor:
        """(…) distances ≥ 0 → (…) in [0, 1]."""
        d = distances / self.cutoff
        return torch.where(d < 1, 0.5 * (1 + torch.cos(math.pi * d)), torch.zeros_like(d))

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff:g}"


class RadialNetwork(nn.Module):
    """R_c(r) = Σ_h W_ch η(Σ_j W_hj B_j(r) + b_h) + b_c, times u(r) if there is an envelope.

    The radial functions of Thomas et al., arXiv:1802.08219. Weights start normal with variance
    1 / fan-in, biases at zero, from torch's global generator.

    Args:
        basis: the functions B_j, a module (edges,) → (edges, basis.number).
        hidden: the width of the hidden layer.
        out: the number of radial functions c.
        activation: η, shifted softplus by default.
        envelope: a smooth cutoff u, a module (edges,) → (edges,).
        groups: radial functions in groups of these sizes, which sum to `out`, with a hidden layer of their
            own each, as the paper's code gives every path of a convolution; one group by default. The
            groups' outer matrices are multiplied as one block-diagonal matrix: meant for few groups.
    """

    def __init__(
        self,
        basis: RadialBasis,
        hidden: int,
        out: int,
        activation: nn.Module | None = None,
        envelope: nn.Module | None = None,
        groups: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("hidden", hidden), ("out", out)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{name}: {size!r}; it must be an integer ≥ 1")
        self.groups = (out,) if groups is None else tuple(groups)
        if sum(self.groups) != out or min(self.groups) < 1:
            raise ValueError(f"groups: {groups!r}; they must be integers ≥ 1 that sum to out, {out}")
        self.basis = basis
        self.inner = nn.Linear(basis.number, hidden * len(self.groups))
        self.activation = ShiftedSoftplus() if activation is None else activation
        self.outer = nn.Linear(hidden, out)
        self.envelope = envelope
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew from torch's global generator."""
        for layer in (self.inner, self.outer):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, distances: Tensor, compute: Callable[[nn.Module], Tensor] | None = None) -> Tensor:
        """Distances (edges,), or one for each pair of opposite edges → radial weights (edges, out).

        Args:
            distances: (edges,), in the unit of the cutoff.
            compute: what gives the basis, and the envelope, of these distances: `Geometry.of_lengths`, which
                has those that layers share from the layer before. They are called by default.

        Raises:
            ValueError: `distances` is not one-dimensional or not of the parameters' dtype.
        """
        if distances.ndim != 1:
            raise ValueError(f"distances: shape {tuple(distances.shape)}; it must be (edges,)")
        if distances.dtype != self.inner.weight.dtype:
            raise ValueError(
                f"distances: dtype {distances.dtype}; the network's parameters are {self.inner.weight.dtype}"
            )
        compute = compute or (lambda function: function(distances))
        hidden = self.activation(self.inner(compute(self.basis)))
        matrix, bias = self._outer_matrix(), self.outer.bias
        if self.envelope is None:
            return linear(hidden, matrix, bias)
        # u (W h + b) = [W b] [u h, u]: the envelope costs nothing for each radial function.
        envelope = compute(self.envelope)[:, None]
        rows = torch.cat([hidden * envelope, envelope], dim=1)
        return linear(rows, torch.cat([matrix, bias[:, None]], dim=1))

    def _outer_matrix(self) -> Tensor:
        """(out, hidden · groups): the outer weights, where each group sees its own hidden units only."""
        if len(self.groups) == 1:
            return self.outer.weight
        return torch.block_diag(*self.outer.weight.split(self.groups))


def positive(name: str, value: float) -> float:
    """`value` as a float, once it is a finite number > 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name}: {value!r}; it must be a finite number > 0")
    return float(value)


def _spacing(number: int, start: float, cutoff: float) -> float:
    if not start < cutoff:
        raise ValueError(f"start: {start!r}; it must be below the cutoff, {cutoff!r}")
    return (cutoff - start) / max(number - 1, 1)
