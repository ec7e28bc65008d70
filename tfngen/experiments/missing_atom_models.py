"""The networks that tell a missing atom: the paper's, and a better one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tfngen.experiments.holes import Holes
from tfngen.nn import BesselBasis, GaussianBasis, PolynomialCutoff, TensorFieldNetwork
from tfngen.nn.radial import RadialBasis
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import gather, sum_to_nodes

ELEMENTS = (1, 6, 7, 8, 9)
"""Atomic numbers, in the order of one-hot vectors and of scores."""


@dataclass(frozen=True)
class Prediction:
    """What the remaining atoms say about the missing one."""

    position: Tensor
    """(molecules, 3) Å: u = Σ_a p_a (r_a + δ_a)."""
    scores: Tensor
    """(molecules, elements): t = Σ_a p_a T_a; the largest is the answer."""
    votes: Tensor
    """(atoms,) p_a: over the atoms of a molecule they sum to 1."""
    displacements: Tensor
    """(atoms, 3) Å: δ_a, from each atom to where it thinks the missing one is."""


@dataclass(frozen=True)
class Architecture:
    """All that shapes a network; written beside its weights."""

    irreps_hidden: str
    irreps_filter: str
    num_layers: int
    radial_functions: int
    radial_reach: float
    """Of the last Gaussian's centre, or the cutoff of Bessel functions, in Å."""
    radial_hidden: int
    hidden_per_path: bool
    cutoff: float | None
    """Atoms further apart than this many Å do not see each other; None for complete graphs."""
    concatenate_input: bool
    mean_neighbors: float | None
    """Sums over neighbours are divided by its square root; None for plain sums."""

    @property
    def lmax(self) -> int:
        """The degree the kernels must reach."""
        return 2 if "2" in self.irreps_filter else 1


PAPER = Architecture(
    irreps_hidden="15x0e+15x1e",
    irreps_filter="0e+1e",
    num_layers=3,
    radial_functions=4,
    radial_reach=2.5,
    radial_hidden=4,
    hidden_per_path=True,
    cutoff=None,
    concatenate_input=False,
    mean_neighbors=None,
)
"""Thomas et al., arXiv:1802.08219: 3,126 parameters."""

BEST = Architecture(
    irreps_hidden="48x0e+32x1o+16x2e",
    irreps_filter="0e+1o+2e",
    num_layers=4,
    radial_functions=8,
    radial_reach=5.0,
    radial_hidden=32,
    hidden_per_path=False,
    cutoff=5.0,
    concatenate_input=True,
    mean_neighbors=14.0,
)
"""Degrees up to 2 with parity, four layers, a smooth cutoff."""

ARCHITECTURES = {"paper": PAPER, "best": BEST}


class MissingAtomNetwork(nn.Module):
    """Every atom emits element scores T_a, a displacement δ_a and a vote; votes are softmax'ed per molecule.

    Args:
        kernels: a generated package that reaches `architecture.lmax`.
        architecture: `PAPER`, `BEST` or another.
    """

    def __init__(self, kernels: Kernels, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        vector = "1o" if "1o" in architecture.irreps_filter else "1e"
        self.vector = vector
        self.atoms = TensorFieldNetwork(
            f"{len(ELEMENTS)}x0e",
            architecture.irreps_hidden,
            f"{len(ELEMENTS) + 1}x0e+1x{vector}",
            architecture.num_layers,
            kernels=kernels,
            basis=_basis(architecture),
            irreps_filter=architecture.irreps_filter,
            radial_hidden=architecture.radial_hidden,
            hidden_per_path=architecture.hidden_per_path,
            envelope=None if architecture.cutoff is None else PolynomialCutoff(architecture.cutoff),
            mean_neighbors=architecture.mean_neighbors,
            concatenate_input=architecture.concatenate_input,
        )

    def forward(self, holes: Holes) -> Prediction:
        """Tell the missing atom of each molecule."""
        graph, positions = holes.graph, holes.positions
        one_hot = functional.one_hot(holes.elements, len(ELEMENTS)).to(positions.dtype)
        features = self.atoms(graph, positions, Features({"0e": one_hot[:, :, None]}))
        scalars, displacements = features["0e"][:, :, 0], features[self.vector][:, 0]
        votes = softmax_by_graph(graph, scalars[:, 0])
        said = torch.cat([positions + displacements, scalars[:, 1:]], dim=1)
        position, scores = sum_to_nodes(votes[:, None] * said, graph.by_graph).split([3, len(ELEMENTS)], 1)
        return Prediction(position, scores, votes, displacements)

    def describe(self) -> dict[str, Any]:
        """The architecture as JSON says it."""
        return asdict(self.architecture)


def loss(prediction: Prediction, holes: Holes) -> tuple[Tensor, Tensor]:
    """(molecules,) each: ½ |u − x|² in Å², and ½ |t − onehot|²."""
    truth = functional.one_hot(holes.missing_element, len(ELEMENTS)).to(prediction.scores.dtype)
    apart = prediction.position - holes.missing_position
    return 0.5 * apart.square().sum(1), 0.5 * (prediction.scores - truth).square().sum(1)


def softmax_by_graph(graph: Graph, logits: Tensor) -> Tensor:
    """exp(z_a) / Σ exp(z_b) over the nodes b of a's graph, (nodes,) → (nodes,); sums run in a fixed order."""
    index = graph.by_graph.index
    highest = logits.new_full((graph.num_graphs,), -math.inf)
    highest = highest.scatter_reduce(0, index, logits.detach(), "amax")
    exponentials = torch.exp(logits - highest[index])
    sums = sum_to_nodes(exponentials[:, None], graph.by_graph)
    return exponentials / gather(sums, graph.by_graph)[:, 0]


def _basis(architecture: Architecture) -> RadialBasis:
    number, reach = architecture.radial_functions, architecture.radial_reach
    if architecture.cutoff is not None:
        return BesselBasis(number, reach)
    # exp(−γ(r − μ)²) with γ = number / reach, as the paper's code has it.
    return GaussianBasis(number, reach, width=math.sqrt(0.5 * reach / number))
