"""The networks of one convolution that learn Newton's law and the moment of inertia."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tfngen.nn import Convolution, GaussianBasis, Geometry, irreps_to_cartesian
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

GAUSSIANS, REACH, HIDDEN = 30, 2.0, 30
"""Of the radial networks: Thomas et al., arXiv:1802.08219."""


def _basis() -> GaussianBasis:
    # exp(−γ(r − μ)²) with γ = number / reach, as the paper's code has it.
    return GaussianBasis(GAUSSIANS, REACH, width=math.sqrt(0.5 * REACH / GAUSSIANS))


class GravityNetwork(nn.Module):
    """Masses (l = 0) → accelerations (l = 1), by one convolution with a filter of degree 1."""

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()
        self.convolution = Convolution("1x0e", "1o", "1o", kernels=kernels, basis=_basis(), hidden=HIDDEN)

    def forward(self, graph: Graph, positions: Tensor, masses: Tensor) -> Tensor:
        """Positions (points, 3) and masses (points,) → accelerations (points, 3)."""
        geometry = Geometry.measure(graph, positions, self.convolution.product.kernels)
        given = self.convolution(graph, Features({"0e": masses[:, None, None]}), geometry)
        return given["1o"][:, 0]


class InertiaNetwork(nn.Module):
    """Masses (l = 0) → tensors of inertia (l = 0 and 2), by one convolution with filters of degree 0 and 2.

    The 3×3 matrix is put together from its parts exactly: trace / √3 and five traceless symmetric matrices.
    """

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()
        self.convolution = Convolution(
            "1x0e", "0e+2e", "0e+2e", kernels=kernels, basis=_basis(), hidden=HIDDEN, hidden_per_path=True
        )

    def forward(self, graph: Graph, positions: Tensor, masses: Tensor) -> Tensor:
        """Positions (points, 3) and masses (points,) → tensors (points, 3, 3) about every point."""
        geometry = Geometry.measure(graph, positions, self.convolution.product.kernels)
        given = self.convolution(graph, Features({"0e": masses[:, None, None]}), geometry)
        return irreps_to_cartesian({0: given["0e"][:, 0], 2: given["2e"][:, 0]})


def pairs(distances: Tensor) -> tuple[Graph, Tensor, Tensor]:
    """A unit mass at each of `distances` (number,) from the origin, along x, seen from there only.

    Returns:
        The graph, positions (2 · number, 3) and masses: the points at the origin come first.
    """
    number = len(distances)
    origin = torch.arange(number)
    graph = Graph(
        torch.stack([origin + number, origin]), 2 * number, batch=origin.repeat(2), num_graphs=number
    )
    positions = distances.new_zeros(2 * number, 3)
    positions[number:, 0] = distances
    masses = distances.new_zeros(2 * number)
    masses[number:] = 1
    return graph.to(distances.device), positions, masses


def gravity_radial(network: GravityNetwork, distances: Tensor) -> Tensor:
    """f(r) of a = f(r) m r̂_ab, (number,): −1/r² if Newton's law was learnt."""
    graph, positions, masses = pairs(distances)
    with torch.no_grad():
        # r_ab points from the mass at +x to the origin, along −x.
        return -network(graph, positions, masses)[: len(distances), 0]


def inertia_radials(network: InertiaNetwork, distances: Tensor) -> tuple[Tensor, Tensor]:
    """f₀, f₂ of I = m (f₀(r) 1 + f₂(r) (r̂ r̂ᵀ − ⅓ 1)), (number,) each: ⅔ r² and −r² if learnt."""
    graph, positions, masses = pairs(distances)
    with torch.no_grad():
        tensor = network(graph, positions, masses)[: len(distances)]
    return tensor.diagonal(dim1=1, dim2=2).mean(1), tensor[:, 0, 0] - tensor[:, 1, 1]
