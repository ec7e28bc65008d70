"""The same network on e3nn: its harmonics, tensor products and `index_add`, to compare speed and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tfngen.irreps import Block, Irreps
from tfngen.nn import Convolution
from tfngen.runtime.convolution import Convolution as PointConvolution
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import EdgeOrder

Network = TypeVar("Network", bound=nn.Module)


def on_e3nn(network: Network) -> Network:
    """`network`, its convolutions computed by e3nn from now on; parameters and results stay what they were.

    Raises:
        ModuleNotFoundError: e3nn is not installed.
    """
    for module in network.modules():
        if isinstance(module, Convolution):
            module.product = Product(module.product, next(module.parameters()))  # type: ignore[assignment]
    return network


class Product:
    """A point convolution as NequIP and MACE do it with e3nn: gather, `o3.TensorProduct`, `index_add`.

    Args:
        convolution: what to compute; weights and channels keep its order.
        like: of the dtype and on the device of what is to be computed.
    """

    def __init__(self, convolution: PointConvolution, like: Tensor) -> None:
        from e3nn import o3

        self.kernels = Harmonics(convolution.kernels.LMAX, convolution.kernels.PATHS)
        self.irreps_in, self.irreps_out = convolution.irreps_in, convolution.irreps_out
        self.irreps_filter, self.paths = convolution.irreps_filter, convolution.paths
        self.weight_numel = convolution.weight_numel
        self._slots = Irreps(tuple(Block(path.channels, path.irrep_output) for path in self.paths))
        filters = [irrep for _, irrep in self.irreps_filter]
        self._degrees = [irrep.l for irrep in filters]
        instructions = [
            (path.input_block, filters.index(path.irrep_filter), slot, "uvu", True)
            for slot, path in enumerate(self.paths)
        ]
        self._multiply = o3.TensorProduct(
            str(self.irreps_in),
            str(self.irreps_filter),
            str(self._slots),
            instructions,
            shared_weights=False,
            internal_weights=False,
        ).to(like)
        # e3nn takes the features first, we the filter: on odd paths that changes the sign.
        signs = [torch.full((path.channels,), 1.0 if path.path.even else -1.0) for path in self.paths]
        self._signs = torch.cat(signs).to(like)

    def __call__(
        self,
        graph: Graph,
        y: Tensor,
        features: Features,
        weights: Tensor,
        edge_weight_index: EdgeOrder | None = None,
    ) -> Features:
        """As `tfngen.runtime.convolution.Convolution`."""
        if edge_weight_index is not None:
            weights = weights.index_select(0, edge_weight_index.index)
        filters = torch.cat([y[:, l * l : (l + 1) * (l + 1)] for l in self._degrees], dim=1)
        gathered = features.packed(self.irreps_in).index_select(0, graph.source)
        messages = self._multiply(gathered, filters, weights * self._signs)
        sums = messages.new_zeros(graph.num_nodes, messages.shape[1]).index_add(0, graph.target, messages)
        return Features.from_packed(sums, self._slots)

    def __deepcopy__(self, memo: dict[int, Any]) -> Product:
        return self  # it has no state of its own


class Harmonics:
    """`o3.spherical_harmonics` where a generated package is asked for them."""

    NORMALIZATION = "component"

    def __init__(self, lmax: int, paths: Sequence[tuple[int, int, int]]) -> None:
        self.LMAX, self.PATHS = lmax, paths

    def spherical_harmonics(self, r: Tensor) -> Tensor:
        """(edges, 3) → (edges, (LMAX + 1)²)."""
        from e3nn import o3

        degrees = list(range(self.LMAX + 1))
        harmonics: Tensor = o3.spherical_harmonics(degrees, r, normalize=True, normalization="component")
        return harmonics
