"""SevenNet's convolution as one pass over the edges.

Written for sevenn 0.11 to 0.13 (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)); its
`IrrepsConvolution` gathers node features, multiplies them with an e3nn tensor product whose weights a radial
network makes per edge, and scatters to the nodes.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from tfngen.interop.description import UnsupportedError
from tfngen.interop.e3nn import convolution_of
from tfngen.interop.edges import edges_of, once_for_both, pairs_of
from tfngen.interop.standin import Made, Standin
from tfngen.runtime.segments import EdgeOrder

EDGE_VECTORS = "edge_vec"
"""Where SevenNet keeps the vectors along edges."""


class IrrepsConvolution(Standin):
    """A `sevenn.nn.convolution.IrrepsConvolution` without messages.

    Args:
        original: what to stand in for; instantiated, and not a part of a parallel model.
        kernels: a generated package with the paths needed; one from the user's cache by default.

    Raises:
        UnsupportedError: with the reason.
    """

    by = "a fused convolution"
    absorbed = ("convolution",)

    def __init__(self, original: nn.Module, kernels: ModuleType | None = None) -> None:
        if original.is_parallel:
            raise UnsupportedError("part of a model that is spread over processes")
        if original.convolution is None:
            raise UnsupportedError("not instantiated yet")
        super().__init__(original)
        product = convolution_of(original.convolution, kernels)
        self.__dict__ |= {"product": product, "packages": product.packages, "outputs": None}

    def placed_in(self, model: nn.Module) -> None:
        """Learn of the modules that may split a virial among atoms, edge by edge."""
        self.__dict__["outputs"] = [each for each in model.modules() if hasattr(each, "use_atomic_virial")]

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """Node features after the convolution, under `key_x`."""
        x, filters = data[self.key_x], data[self.key_filter]
        if not self.product.computes(x, filters, data[self.key_weight_input]):
            return self.original.forward(data)
        # SevenNet lists the node that is summed into first.
        edges = edges_of(data[self.key_edge_idx], x.shape[0], source_row=1)
        weight, sharing = self._weights(data)
        data[self.key_x] = self.product(x, filters, weight, edges, sharing).div(self.denominator)
        return data

    def _weights(self, data: dict[str, Any]) -> tuple[Tensor, EdgeOrder | None]:
        """Weights per edge; or per pair of edges that lead there and back, as these depend on lengths alone.

        The two then have the mean of their derivatives, so what is summed over both stays what it is, and
        only shares of single edges, as in atomic virials, would not.
        """
        given, vectors = data[self.key_weight_input], data.get(EDGE_VECTORS)
        if self.outputs is not None and vectors is not None and given.shape[0] == vectors.shape[0]:
            pairs = None
            if not any(each.use_atomic_virial for each in self.outputs):
                pairs = pairs_of(data[self.key_edge_idx], vectors)
            if pairs is not None and (shared := once_for_both(pairs, given)) is not None:
                return self.weight_nn(shared), pairs.order
        return self.weight_nn(given), None


def _convolution(original: nn.Module) -> Made:
    standin = IrrepsConvolution(original)
    given = standin.product.description
    width = original.weight_nn_kwargs["hs"][0]
    dtype = original.denominator.dtype

    def call(module: nn.Module) -> Tensor:
        data = {
            original.key_x: torch.randn(3, given.irreps_in1.dim, dtype=dtype),
            original.key_filter: torch.randn(4, given.irreps_in2.dim, dtype=dtype),
            original.key_weight_input: torch.randn(4, width, dtype=dtype),
            original.key_edge_idx: torch.tensor([[0, 1, 1, 2], [1, 0, 2, 2]]),
        }
        return module(data)[original.key_x]

    return standin, call


CLASSES = {"sevenn.nn.convolution.IrrepsConvolution": _convolution}
