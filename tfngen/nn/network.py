"""Tensor field networks: convolution, self-interaction and nonlinearity, layer after layer."""

from __future__ import annotations

from torch import Tensor, nn

from tfngen.irreps import Block, Irrep, Irreps
from tfngen.nn.convolution import Convolution
from tfngen.nn.geometry import Geometry
from tfngen.nn.nonlinearity import NormNonlinearity
from tfngen.nn.radial import RadialBasis
from tfngen.nn.self_interaction import SelfInteraction
from tfngen.runtime.convolution import Kernels, PathFilter, couplings
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph


class InteractionLayer(nn.Module):
    """Convolution, concatenation, self-interaction, nonlinearity: one layer of arXiv:1802.08219, fig. 2.

    Args:
        convolution: the convolution; its channels, several per path, are mixed by the self-interaction.
        irreps_out: what the layer gives.
        concatenate_input: whether the self-interaction sees the layer's input beside the convolution.
        nonlinear: whether a `NormNonlinearity` follows; a network's last layer has none.
    """

    def __init__(
        self,
        convolution: Convolution,
        irreps_out: Irreps | str,
        concatenate_input: bool = True,
        nonlinear: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.concatenate_input = concatenate_input
        mixed = convolution.irreps_out
        if concatenate_input:
            mixed = (mixed + convolution.irreps_in).regroup()
        self.self_interaction = SelfInteraction(mixed, irreps_out)
        self.nonlinearity = NormNonlinearity(irreps_out) if nonlinear else None

    @property
    def irreps_in(self) -> Irreps:
        return self.convolution.irreps_in

    @property
    def irreps_out(self) -> Irreps:
        return self.self_interaction.irreps_out

    def forward(self, graph: Graph, features: Features, geometry: Geometry) -> Features:
        """V (nodes, channels, 2l+1) for each irrep of `irreps_in` → the same for `irreps_out`."""
        convolved = self.convolution(graph, features, geometry)
        if self.concatenate_input:
            convolved = Features.cat([convolved, features])
        mixed = self.self_interaction(convolved)
        return mixed if self.nonlinearity is None else self.nonlinearity(mixed)

    def extra_repr(self) -> str:
        return f"concatenate_input={self.concatenate_input}"


class TensorFieldNetwork(nn.Module):
    """A rotation-, reflection-, translation- and permutation-equivariant network on points in space.

    Thomas et al., arXiv:1802.08219: a self-interaction embeds the input, then come `num_layers` times
    convolution, self-interaction and nonlinearity; the last layer, without nonlinearity, gives
    `irreps_out` at every point. An irrep of `irreps_hidden` that no path reaches yet, such as 1e from
    scalars in the first layer, joins in the first layer that reaches it.

    Args:
        irreps_in: the features of the points, such as ``5x0e``.
        irreps_hidden: the features between layers, such as ``32x0e+16x1o``.
        irreps_out: the features the network gives, such as ``1x0e``.
        num_layers: the number of convolutions, ≥ 1.
        kernels: a generated package.
        basis: the radial basis, shared by all layers.
        lmax_filter: filters of every degree up to this one, with true parity; the kernels' LMAX by default.
        irreps_filter: the filters themselves instead, as in ``0e+1e`` to ignore parity.
        radial_hidden: the width of the radial networks' hidden layer.
        hidden_per_path: whether each path has such a layer of its own; see `Convolution`.
        envelope: a smooth cutoff for the radial functions, shared by all layers.
        mean_neighbors: divides the sums over neighbours by its square root; see `Convolution`.
        concatenate_input: whether a layer's self-interaction sees its input beside the convolution.
        paths: the paths to keep, all by default.

    Raises:
        ValueError: `irreps_out` cannot be reached, or an argument of the convolutions is wrong.
    """

    def __init__(
        self,
        irreps_in: Irreps | str,
        irreps_hidden: Irreps | str,
        irreps_out: Irreps | str,
        num_layers: int = 2,
        *,
        kernels: Kernels,
        basis: RadialBasis,
        lmax_filter: int | None = None,
        irreps_filter: Irreps | str | None = None,
        radial_hidden: int = 32,
        hidden_per_path: bool = False,
        envelope: nn.Module | None = None,
        mean_neighbors: float | None = None,
        concatenate_input: bool = True,
        paths: PathFilter | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(num_layers, int) or isinstance(num_layers, bool) or num_layers < 1:
            raise ValueError(f"num_layers: {num_layers!r}; it must be an integer ≥ 1")
        self.irreps_in = Irreps.parse(irreps_in).regroup()
        self.irreps_out = Irreps.parse(irreps_out).regroup()
        self.irreps_filter = _filters(lmax_filter, irreps_filter, kernels.LMAX)
        hidden = Irreps.parse(irreps_hidden).regroup()
        embedded = Irreps(
            tuple(Block(hidden.multiplicity(irrep) or count, irrep) for count, irrep in self.irreps_in)
        )
        self.embedding = SelfInteraction(self.irreps_in, embedded)
        self.layers = nn.ModuleList()
        current = embedded
        for layer in range(num_layers):
            last = layer == num_layers - 1
            found = couplings(kernels, current, self.irreps_filter, paths)
            by_convolution = dict.fromkeys(irrep for _, _, irrep in found)
            kept = {irrep for _, irrep in current} if concatenate_input else set()
            reached = by_convolution.keys() | kept
            wanted = self.irreps_out if last else hidden
            given = Irreps(tuple(block for block in wanted if block.irrep in reached))
            if missing := [str(irrep) for _, irrep in wanted if last and irrep not in reached]:
                raise ValueError(
                    f"irreps_out: {', '.join(missing)} out of reach of the last layer's input, {current}, "
                    f"by {self.irreps_filter}"
                )
            convolved = Irreps(tuple(Block(1, irrep) for _, irrep in given if irrep in by_convolution))
            if not convolved.blocks:
                raise ValueError(f"irreps_hidden: {hidden}; layer {layer} reaches none of it from {current}")
            convolution = Convolution(
                current,
                self.irreps_filter,
                convolved,
                kernels=kernels,
                basis=basis,
                hidden=radial_hidden,
                hidden_per_path=hidden_per_path,
                envelope=envelope,
                mean_neighbors=mean_neighbors,
                paths=paths,
            )
            self.layers.append(InteractionLayer(convolution, given, concatenate_input, nonlinear=not last))
            current = given

    @property
    def kernels(self) -> Kernels:
        """The generated package the network computes with."""
        first = self.layers[0]
        assert isinstance(first, InteractionLayer)
        return first.convolution.product.kernels

    def forward(
        self, graph: Graph, positions: Tensor, features: Features, cell: Tensor | None = None
    ) -> Features:
        """Run the network.

        Args:
            graph: edges between the points, listed in any order; the result does not depend on it.
            positions: (nodes, 3), of the parameters' dtype; differentiate by them for forces.
            features: (nodes, channels, 2l+1) for each irrep of `irreps_in`.
            cell: lattice vectors if they are to be differentiated by (stress), else the graph's own.

        Returns:
            `Features` with `irreps_out`, (nodes, channels, 2l+1) for each irrep.
        """
        graph = graph.sorted_by_target
        geometry = Geometry.measure(graph, positions, self.kernels, cell)
        features = self.embedding(features)
        for layer in self.layers:
            features = layer(graph, features, geometry)
        return features

    def extra_repr(self) -> str:
        return f"{self.irreps_in} → {self.irreps_out}, filters {self.irreps_filter}"


def _filters(lmax: int | None, irreps: Irreps | str | None, kernels_lmax: int) -> Irreps:
    if irreps is not None:
        if lmax is not None:
            raise ValueError(f"irreps_filter: {irreps} beside lmax_filter={lmax}; give one of them")
        return Irreps.parse(irreps)
    lmax = kernels_lmax if lmax is None else lmax
    if not isinstance(lmax, int) or isinstance(lmax, bool) or not 0 <= lmax <= kernels_lmax:
        raise ValueError(f"lmax_filter: {lmax!r}; it must be an integer from 0 to {kernels_lmax}")
    return Irreps(tuple(Block(1, Irrep(l, (-1) ** l)) for l in range(lmax + 1)))
