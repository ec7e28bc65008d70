"""NequIP's convolution as one pass over the edges.

Written for nequip 0.12 to 0.19 (Batzner et al., Nat. Commun. 13, 2453 (2022)); its `TensorProductScatter`
gathers node features, multiplies them with an e3nn tensor product that has weights per edge, and scatters.
The `InteractionBlock` around it makes those weights of an embedding of the edge's length.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor, nn

from tfngen.interop.description import UnsupportedError
from tfngen.interop.e3nn import column_of_vectors, convolution_of
from tfngen.interop.edges import edges_between, once_for_both, pairs_of
from tfngen.interop.standin import Made, Standin

ATTRIBUTES, EMBEDDING = "edge_attrs", "edge_embedding"
"""Where NequIP keeps the harmonics of edges, and what their weights are made of."""
PAIRS = "_tfngen_pairs"
"""Where the harmonics of edges say which of them share weights."""


class TensorProductScatter(Standin):
    """A `nequip.nn.TensorProductScatter` without messages.

    Args:
        original: what to stand in for.
        kernels: a generated package with the paths needed; one from the user's cache by default.

    Raises:
        UnsupportedError: with the reason.
    """

    by = "a fused convolution"
    absorbed = ("tp",)

    def __init__(self, original: nn.Module, kernels: ModuleType | None = None) -> None:
        super().__init__(original)
        product = convolution_of(original.tp, kernels)
        self.__dict__ |= {"product": product, "packages": product.packages}

    def forward(
        self, x: Tensor, edge_attr: Tensor, edge_weight: Tensor, edge_dst: Tensor, edge_src: Tensor
    ) -> Tensor:
        """Σ over the edges into each node: (nodes, irreps_mid.dim)."""
        if not self.product.computes(x, edge_attr, edge_weight):
            return self.original.forward(x, edge_attr, edge_weight, edge_dst, edge_src)
        pairs = getattr(edge_attr, PAIRS, None) if edge_weight.shape[0] != edge_attr.shape[0] else None
        edges = edges_between(edge_src, edge_dst, x.shape[0])
        return self.product(x, edge_attr, edge_weight, edges, pairs and pairs.order)


class InteractionBlock(Standin):
    """A `nequip.nn.interaction_block.InteractionBlock` that makes weights once for an edge there and back.

    The two then have the mean of their derivatives: sums over both stay what they are, shares of one edge
    alone would not.

    Args:
        original: what to stand in for.

    Raises:
        UnsupportedError: with the reason.
    """

    by = "weights once for both directions of an edge"
    absorbed = ()

    def __init__(self, original: nn.Module) -> None:
        super().__init__(original)
        column = column_of_vectors(original.irreps_in[ATTRIBUTES])
        if column is None:
            raise UnsupportedError("nothing of an edge tells its direction")
        self.__dict__["column"] = column

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """As the original's."""
        forward, embedding = type(self.original).forward, data[EMBEDDING]
        shared = self._once_for_both(data)
        data[EMBEDDING] = embedding if shared is None else shared
        try:
            found: dict[str, Tensor] = forward(self, data)
        finally:
            data[EMBEDDING] = embedding
        found[EMBEDDING] = embedding
        return found

    def _once_for_both(self, data: dict[str, Tensor]) -> Tensor | None:
        """The embedding of each pair of edges there and back, if both have the same; the harmonics say so."""
        scatter, attributes, embedding = self.tp_scatter, data[ATTRIBUTES], data[EMBEDDING]
        if not isinstance(scatter, TensorProductScatter):
            return None
        if not scatter.product.computes(attributes, embedding):
            return None
        pairs = pairs_of(data["edge_index"], attributes, self.column)
        setattr(attributes, PAIRS, pairs)
        return once_for_both(pairs, embedding)


def _scatter(original: nn.Module) -> Made:
    standin = TensorProductScatter(original)
    given, dtype = standin.product.description, original.model_dtype
    targets, sources = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 2]])

    def call(module: nn.Module) -> Tensor:
        x, y = (
            torch.randn(3, given.irreps_in1.dim, dtype=dtype),
            torch.randn(4, given.irreps_in2.dim, dtype=dtype),
        )
        return module(x, y, torch.randn(4, original.tp.weight_numel, dtype=dtype), targets, sources)

    return standin, call


def _interaction(original: nn.Module) -> Made:
    standin = InteractionBlock(original)
    irreps, dtype = original.irreps_in, original.tp_scatter.model_dtype

    def call(module: nn.Module) -> Tensor:
        names = {"node_features": 3, "node_attrs": 3, ATTRIBUTES: 4, EMBEDDING: 4}
        data = {name: torch.randn(count, irreps[name].dim, dtype=dtype) for name, count in names.items()}
        vectors = data[ATTRIBUTES][:, standin.column : standin.column + 3]
        vectors[1::2], data[EMBEDDING][1::2] = -vectors[0::2], data[EMBEDDING][0::2].clone()
        data |= {"pos": torch.randn(3, 3, dtype=dtype), "atom_types": torch.zeros(3, dtype=torch.int64)}
        data["edge_index"] = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        return module(data)["node_features"]

    return standin, call


CLASSES = {
    "nequip.nn.interaction_block.InteractionBlock": _interaction,
    "nequip.nn._tp_scatter_base.TensorProductScatter": _scatter,
}
