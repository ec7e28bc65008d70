"""MACE's convolutions as one pass over the edges; its products are in `tfngen.interop.mace_products`.

Written for mace-torch 0.3.10 to 0.3.16 (Batatia et al., arXiv:2206.07697). Its interaction blocks gather
node features, multiply them with `conv_tp`, which has weights per edge, and scatter; or they hand the edges
to a `conv_tp` that does all three, if they have an attribute ``conv_fusion``. A stand-in has both.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from tfngen.interop.description import UnsupportedError
from tfngen.interop.e3nn import column_of_vectors, convolution_of, dtype_of
from tfngen.interop.edges import edges_of, once_for_both, pairs_of
from tfngen.interop.mace_products import symmetric_contraction_of
from tfngen.interop.standin import Made, Standin

OF_LENGTHS = ("RealAgnosticInteractionBlock", "RealAgnosticResidualInteractionBlock")
"""Blocks that ask an edge's features for nothing but weights."""


class InteractionBlock(Standin):
    """A `mace.modules.blocks.InteractionBlock` of any kind whose convolution has no messages.

    Where features of edges are the same there and back, weights are made once for both. The two then have
    the mean of their derivatives: sums over both stay what they are, shares of one edge alone would not.

    Args:
        original: what to stand in for.
        kernels: a generated package with the paths needed; one from the user's cache by default.

    Raises:
        UnsupportedError: with the reason.
    """

    by = "a fused convolution"
    absorbed = ("conv_tp",)

    def __init__(self, original: nn.Module, kernels: ModuleType | None = None) -> None:
        if hasattr(original, "conv_fusion"):
            raise UnsupportedError("its convolution is fused by another package already")
        if not hasattr(original, "conv_tp"):
            raise UnsupportedError("it has no conv_tp")
        super().__init__(original)
        product = convolution_of(original.conv_tp, kernels)
        column = column_of_vectors(original.edge_attrs_irreps)

        def convolve(x: Tensor, filters: Tensor, weight: Tensor, edge_index: Tensor) -> Tensor:
            if not product.computes(x, filters, weight):
                messages = original.conv_tp(x[edge_index[0]], filters, weight)
                return messages.new_zeros(x.shape[0], messages.shape[1]).index_add(0, edge_index[1], messages)
            is_shared = weight.shape[0] != filters.shape[0]
            pairs = pairs_of(edge_index, filters, column) if is_shared else None
            return product(x, filters, weight, edges_of(edge_index, x.shape[0]), pairs and pairs.order)

        self.__dict__ |= {"conv_fusion": True, "conv_tp": convolve, "column": column}
        self.__dict__ |= {"product": product, "packages": product.packages}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the original's, with this convolution."""
        if not args and type(self.original).__name__ in OF_LENGTHS:
            kwargs |= self._once_for_both(**kwargs)
        return type(self.original).forward(self, *args, **kwargs)

    def _once_for_both(
        self,
        edge_attrs: Tensor,
        edge_feats: Tensor,
        edge_index: Tensor,
        cutoff: Tensor | None = None,
        **others: Any,
    ) -> dict[str, Tensor]:
        """What weights are made of, for each pair of edges there and back, if both have the same."""
        if self.column is None or not self.product.computes(edge_attrs, edge_feats):
            return {}
        pairs = pairs_of(edge_index, edge_attrs, self.column)
        given = {"edge_feats": edge_feats} | ({} if cutoff is None else {"cutoff": cutoff})
        shared: dict[str, Tensor] = {}
        for name, each in given.items():
            if (row := once_for_both(pairs, each)) is None:
                return {}
            shared[name] = row
        return shared


def _interaction(original: nn.Module) -> Made:
    dtype = dtype_of(original)

    def call(module: nn.Module) -> Tensor:
        def rows(count: int, irreps: Any) -> Tensor:
            return torch.randn(count, irreps.dim, dtype=dtype)

        found = module(
            node_attrs=rows(3, original.node_attrs_irreps),
            node_feats=rows(3, original.node_feats_irreps),
            edge_attrs=rows(4, original.edge_attrs_irreps),
            edge_feats=rows(4, original.edge_feats_irreps),
            edge_index=torch.tensor([[1, 0, 2, 2], [0, 1, 1, 2]]),
        )
        return found[0]

    return InteractionBlock(original), call


CLASSES = {
    "mace.modules.blocks.InteractionBlock": _interaction,
    "mace.modules.symmetric_contraction.SymmetricContraction": symmetric_contraction_of,
}
