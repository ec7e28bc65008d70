"""A layer as models have it: a radial network makes a convolution's weights of distances, and learns to.

`forward` is the layer without gradients. `forces` is −∂E/∂r and E = Σ out², `training` the gradient of
Σ (∂E/∂r)² by features and parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tfngen.bench.peers import Prepared, first_rows
from tfngen.bench.workloads import WORKLOADS, Workload, build_graph, kernels_of
from tfngen.nn import BesselBasis, Convolution, Geometry, PolynomialCutoff, RadialNetwork
from tfngen.nn.geometry import safe_norm
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features

BASES = 8
CUTOFF = 6.0
TFNGEN, BY_TORCH, E3NN = "tfngen", "weights by torch", "e3nn"


def prepare(contender: str, given: Sequence[str], accelerated: bool = True) -> Prepared:
    """What a process of its own times.

    Args:
        contender: `TFNGEN`, `BY_TORCH` or `E3NN`.
        given: the name of a workload, the width of the hidden layer, and the folder of a package or "".
        accelerated: every layer is what its name says.
    """
    name, hidden, package = given
    workload = WORKLOADS[name]
    kernels = kernels_of(workload, package or None, "cpu")
    return prepared(layer(contender, workload, kernels, int(hidden)), workload)


def layer(contender: str, workload: Workload, kernels: Kernels, hidden: int) -> Convolution:
    """The same layer with the same parameters, whoever computes it."""
    torch.manual_seed(0)
    found = Convolution(
        workload.irreps_in, workload.irreps_filter, workload.irreps_out, kernels=kernels,
        basis=BesselBasis(BASES, CUTOFF), hidden=hidden, envelope=PolynomialCutoff(CUTOFF),
    )  # fmt: skip
    if contender != TFNGEN:
        found.radial = _ByTorch(found.radial)  # type: ignore[assignment]
    if contender == E3NN:
        from tfngen.experiments.on_e3nn import on_e3nn

        return on_e3nn(copy.deepcopy(found))
    return found


class _ByTorch(nn.Module):
    """A radial network as it is commonly written: torch's own linear layer, and the envelope behind it."""

    def __init__(self, network: RadialNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, distances: Tensor, compute: object) -> Tensor:
        network = self.network
        assert network.envelope is not None
        hidden = network.activation(network.inner(network.basis(distances)))
        radial = functional.linear(hidden, network.outer.weight, network.outer.bias)
        return radial * network.envelope(distances)[:, None]


def prepared(layer: Convolution, workload: Workload) -> Prepared:
    """Every mode of a layer over the workload's graph."""
    graph, vectors = build_graph(workload)
    harmonics = layer.product.kernels.spherical_harmonics
    generator = torch.Generator().manual_seed(2)
    shapes = {irrep: (graph.num_nodes, irrep.dim, channels) for channels, irrep in layer.irreps_in}
    features = Features(
        {
            irrep: torch.randn(shape, generator=generator).mT.requires_grad_()
            for irrep, shape in shapes.items()
        }
    )
    learnt = [*features.values(), *layer.parameters()]

    def sums(r: Tensor) -> list[Tensor]:
        geometry = Geometry(safe_norm(r), harmonics(r), graph.undirected)
        return list(layer(graph, features, geometry).values())

    def forward() -> Sequence[Tensor]:
        with torch.no_grad():
            return sums(vectors)

    def slope(differentiable: bool) -> tuple[Tensor, Tensor]:
        r = vectors.detach().requires_grad_()
        energy = torch.stack([(each * each).sum() for each in sums(r)]).sum()
        return torch.autograd.grad(energy, r, create_graph=differentiable)[0], energy

    def forces() -> Sequence[Tensor]:
        found, energy = slope(differentiable=False)
        return [-found, energy.detach()]

    def training() -> Sequence[Tensor]:
        found, _ = slope(differentiable=True)
        return torch.autograd.grad((found * found).sum(), learnt)

    run: dict[str, Callable[[], Sequence[Tensor]]] = {
        "forward": forward,
        "forces": forces,
        "training": training,
    }
    return Prepared(run, first_rows, {})
