"""A layer as models have it: a radial network makes a convolution's weights of distances, and learns to.

`forward` is the layer without gradients. `forces` adds E = Σ out² and ∂E/∂r, `training` the gradient of
Σ (∂E/∂r)² by features and parameters. Beside e3nn stands the same layer with its weights by torch's own
linear layer and the envelope behind it, as they are commonly written.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tfngen.bench import ceiling
from tfngen.bench.problem import work
from tfngen.bench.timing import Progress, interleave
from tfngen.bench.workloads import Workload, build_graph, kernels_of
from tfngen.nn import BesselBasis, Convolution, Geometry, PolynomialCutoff, RadialNetwork
from tfngen.nn.geometry import safe_norm
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

BASES = 8
CUTOFF = 6.0
MODES = ("forward", "forces", "training")
BY_TORCH = "tfngen, weights by torch"


def measure(
    workload: Workload,
    package: str | None,
    peers: Sequence[str],
    hidden: int,
    rounds: int,
    progress: Progress,
) -> dict[str, Any]:
    """Time every mode of every contender, in turn.

    Args:
        workload: whose irreps and graph to take.
        package: the folder of a generated package, one of the workload's degree by default.
        peers: ``"e3nn"`` or none.
        hidden: the width of the radial network's hidden layer.
        rounds: how often each contender has its turn.
        progress: told about every round.

    Returns:
        Milliseconds of each mode and contender, with this run's ceilings.

    Raises:
        ValueError: a peer that is not known.
        ModuleNotFoundError: a peer that is not installed.
    """
    if unknown := set(peers) - {"e3nn"}:
        raise ValueError(f"peers: got {', '.join(sorted(unknown))}; it must be e3nn or none")
    kernels = kernels_of(workload, package, "cpu")
    graph, vectors = build_graph(workload)
    layers = _layers(workload, kernels, peers, hidden)
    features = {
        irrep: torch.randn(graph.num_nodes, irrep.dim, channels).mT.requires_grad_()
        for channels, irrep in layers["tfngen"].irreps_in
    }
    rows = []
    for mode in MODES:
        contenders: dict[str, Callable[[], object]] = dict(ceiling.contenders())
        for name, layer in layers.items():
            contenders[name] = _step(mode, layer, graph, vectors, Features(features))
        timings = interleave(contenders, rounds, 1, lambda *each, mode=mode: progress(mode, *each[1:]))
        peak = ceiling.ceiling(timings)
        least = work(layers["tfngen"].product, workload, "forward").flops
        least += 2 * graph.num_edges * hidden * (BASES + layers["tfngen"].product.weight_numel)
        for name in layers:
            seconds = timings[name].median
            rows.append(
                {
                    "mode": mode,
                    "contender": name,
                    "milliseconds": 1e3 * seconds,
                    "microseconds_each": 1e6 * seconds / graph.num_edges,
                    "share_of_ceiling": least / peak.flops / seconds if mode == "forward" else None,
                    "times_faster": seconds / timings["tfngen"].median,
                    "sgemm_gflops": peak.flops / 1e9,
                    "read_gb_per_s": peak.bandwidth / 1e9,
                }
            )
    return {
        "workload": workload.name,
        "edges": graph.num_edges,
        "weights": layers["tfngen"].product.weight_numel,
        "hidden": hidden,
        "threads": torch.get_num_threads(),
        "rows": rows,
    }


def _layers(workload: Workload, kernels: Any, peers: Sequence[str], hidden: int) -> dict[str, Convolution]:
    """The same layer, with the same parameters, by every contender."""
    torch.manual_seed(0)
    ours = Convolution(
        workload.irreps_in, workload.irreps_filter, workload.irreps_out, kernels=kernels,
        basis=BesselBasis(BASES, CUTOFF), hidden=hidden, envelope=PolynomialCutoff(CUTOFF),
    )  # fmt: skip
    by_torch = copy.deepcopy(ours)
    by_torch.radial = _ByTorch(by_torch.radial)  # type: ignore[assignment]
    found = {"tfngen": ours, BY_TORCH: by_torch}
    if "e3nn" in peers:
        from tfngen.experiments.on_e3nn import on_e3nn

        found["e3nn"] = on_e3nn(copy.deepcopy(by_torch))
    return found


class _ByTorch(nn.Module):
    """A radial network as it is commonly written."""

    def __init__(self, network: RadialNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, distances: Tensor) -> Tensor:
        network = self.network
        assert network.envelope is not None
        hidden = network.activation(network.inner(network.basis(distances)))
        radial = functional.linear(hidden, network.outer.weight, network.outer.bias)
        return radial * network.envelope(distances)[:, None]


def _step(
    mode: str, layer: Convolution, graph: Graph, vectors: Tensor, features: Features
) -> Callable[[], Sequence[Tensor]]:
    harmonics = layer.product.kernels.spherical_harmonics
    learnt = [*features.values(), *layer.parameters()]

    def sums(r: Tensor) -> list[Tensor]:
        geometry = Geometry(safe_norm(r), harmonics(r), graph.undirected)
        return list(layer(graph, features, geometry).values())

    def forward() -> Sequence[Tensor]:
        with torch.no_grad():
            return sums(vectors)

    def forces(differentiable: bool = False) -> Sequence[Tensor]:
        r = vectors.detach().requires_grad_()
        energy = sum((each * each).sum() for each in sums(r))
        assert isinstance(energy, Tensor)
        return torch.autograd.grad(energy, r, create_graph=differentiable)

    def training() -> Sequence[Tensor]:
        (slope,) = forces(differentiable=True)
        return torch.autograd.grad((slope * slope).sum(), learnt)

    return {"forward": forward, "forces": forces, "training": training}[mode]
