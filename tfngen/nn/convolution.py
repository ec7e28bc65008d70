"""The convolution layer: radial networks weigh the paths of a point convolution."""

from __future__ import annotations

from torch import nn

from tfngen.irreps import Irreps
from tfngen.nn.geometry import Geometry
from tfngen.nn.radial import RadialBasis, RadialNetwork, positive
from tfngen.runtime.convolution import Convolution as PointConvolution
from tfngen.runtime.convolution import Kernels, PathFilter
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph


class Convolution(nn.Module):
    """L_{acm} = Σ_b Σ C · R_c(|r_ab|) · Y_{m_F}(r_ab) · V_{b c m_I}: filters learnt, directions exact.

    Thomas et al., arXiv:1802.08219, §4.1. Every path and channel has its own radial function; one
    `RadialNetwork` computes them all, and for both directions of an undirected edge at once. Output channels
    follow from the paths: see `tfngen.runtime.convolution.Convolution`, which this layer owns as `.product`.

    Args:
        irreps_in: the input features.
        irreps_filter: ``0e+1o+2e``, or ``0e+1e+2e`` to ignore parity.
        irreps_out: the irreps to produce, without widths.
        kernels: a generated package.
        basis: radial basis of the network.
        hidden: width of its hidden layer.
        hidden_per_path: whether each path has such a hidden layer of its own, as in the paper's code.
        envelope: a smooth cutoff multiplying every radial function.
        activation: η of the radial network, shifted softplus by default.
        mean_neighbors: the average number of edges per node; the sum is divided by its square root, so
            that features keep their size whatever the density. None sums plainly, as the paper does.
        paths: the paths to keep, all by default.
    """

    def __init__(
        self,
        irreps_in: Irreps | str,
        irreps_filter: Irreps | str,
        irreps_out: Irreps | str,
        *,
        kernels: Kernels,
        basis: RadialBasis,
        hidden: int = 32,
        hidden_per_path: bool = False,
        envelope: nn.Module | None = None,
        activation: nn.Module | None = None,
        mean_neighbors: float | None = None,
        paths: PathFilter | None = None,
    ) -> None:
        super().__init__()
        self.product = PointConvolution(kernels, irreps_in, irreps_filter, irreps_out, paths)
        groups = [path.channels for path in self.product.paths] if hidden_per_path else None
        self.radial = RadialNetwork(basis, hidden, self.product.weight_numel, activation, envelope, groups)
        self.mean_neighbors = None if mean_neighbors is None else positive("mean_neighbors", mean_neighbors)

    @property
    def irreps_in(self) -> Irreps:
        return self.product.irreps_in

    @property
    def irreps_out(self) -> Irreps:
        """The irreps produced, with their channels."""
        return self.product.irreps_out

    def forward(self, graph: Graph, features: Features, geometry: Geometry) -> Features:
        """V (nodes, channels, 2l+1) for each irrep of `irreps_in` → the same for `irreps_out`."""
        harmonics = geometry.harmonics
        if self.mean_neighbors is not None:
            harmonics = harmonics * self.mean_neighbors**-0.5  # the smallest factor of the sum
        weights = self.radial(geometry.lengths, geometry.of_lengths)
        pairs = None if geometry.pairs is None else geometry.pairs.by_pair
        return self.product(graph, harmonics, features, weights, pairs)

    def extra_repr(self) -> str:
        normalized = "" if self.mean_neighbors is None else f", mean_neighbors={self.mean_neighbors:g}"
        return (
            f"{self.irreps_in} by {self.product.irreps_filter} → {self.irreps_out}, "
            f"{len(self.product.paths)} paths{normalized}"
        )
