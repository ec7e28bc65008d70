"""NequIP's convolution as one pass over the edges.

Written for nequip 0.12 to 0.19 (Batzner et al., Nat. Commun. 13, 2453 (2022)); its `TensorProductScatter`
gathers node features, multiplies them with an e3nn tensor product that has weights per edge, and scatters.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor, nn

from tfngen.interop.e3nn import convolution_of
from tfngen.interop.edges import edges_between
from tfngen.interop.standin import Made, Standin


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
        return self.product(x, edge_attr, edge_weight, edges_between(edge_src, edge_dst, x.shape[0]))


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


CLASSES = {"nequip.nn._tp_scatter_base.TensorProductScatter": _scatter}
