"""The networks the Tetris experiment compares: a tensor field network and a plain one."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn

from tfngen.experiments.tetris_shapes import NAMES
from tfngen.nn import GaussianBasis, NormNonlinearity, Pooling, TensorFieldNetwork
from tfngen.runtime.convolution import Kernels
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph

CHANNELS, LAYERS, RADIAL_HIDDEN = 4, 3, 16
RADIAL_FUNCTIONS, CUTOFF = 4, 3.5
RADIAL_WIDTH = math.sqrt(0.5 * CUTOFF / RADIAL_FUNCTIONS)
"""σ of the radial Gaussians; exp(−γ(r − μ)²) with γ = RADIAL_FUNCTIONS / CUTOFF in the paper's code."""


class TetrisNetwork(nn.Module):
    """The classifier of arXiv:1802.08219, §5.1: logits that no rotation, shift or reordering changes.

    A 1 at every point → self-interaction → 3 × (convolution with l ≤ 1, concatenation, self-interaction to 4
    channels, nonlinearity) → the scalars' mean over the points → a dense layer. Every irrep is taken as
    even, so that a mirror image may get other logits.

    Args:
        kernels: a generated package.
        odd_paths: whether paths with l_F + l_I + l_O odd, the cross products, are kept. Without them a
            network commutes with reflections too: taking degree l with parity (−1)^l, every even path
            conserves parity, so the logits, of degree 0, are true scalars.
    """

    def __init__(self, kernels: Kernels, odd_paths: bool = True) -> None:
        super().__init__()
        self.odd_paths = odd_paths
        scalars = f"{CHANNELS}x0e"
        self.points = TensorFieldNetwork(
            "1x0e",
            f"{scalars}+{CHANNELS}x1e",
            scalars,
            LAYERS,
            kernels=kernels,
            basis=GaussianBasis(RADIAL_FUNCTIONS, CUTOFF, width=RADIAL_WIDTH),
            irreps_filter="0e+1e",
            radial_hidden=RADIAL_HIDDEN,
            paths=None if odd_paths else lambda path: path.even,
        )
        self.nonlinearity = NormNonlinearity(scalars)
        self.pooling = Pooling("mean")
        self.dense = nn.Linear(CHANNELS, len(NAMES))

    def forward(self, positions: Tensor) -> Tensor:
        """Pieces (pieces, points, 3) → logits (pieces, shapes), every piece a complete graph of its own."""
        pieces, points, _ = positions.shape
        graph = _complete_graphs(pieces, points)
        ones = Features({"0e": positions.new_ones(pieces * points, 1, 1)})
        features = self.points(graph, positions.reshape(-1, 3), ones)
        pooled = self.pooling(graph, self.nonlinearity(features))
        logits: Tensor = self.dense(pooled["0e"][:, :, 0])
        return logits


class PlainNetwork(nn.Module):
    """A multilayer perceptron on the coordinates, relative to their mean."""

    def __init__(self, points: int = 4, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3 * points, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, len(NAMES)),
        )

    def forward(self, positions: Tensor) -> Tensor:
        """Pieces (pieces, points, 3) → logits (pieces, shapes)."""
        logits: Tensor = self.layers((positions - positions.mean(1, keepdim=True)).flatten(1))
        return logits


@functools.lru_cache(maxsize=8)
def _complete_graphs(pieces: int, points: int) -> Graph:
    return Graph.complete([points] * pieces)


def predict(model: nn.Module, positions: Tensor, dtype: torch.dtype, chunk: int = 1000) -> Tensor:
    """Logits (…, shapes) of pieces (…, points, 3), in chunks of pieces and without gradients.

    Args:
        model: in `dtype`.
        positions: float64; rounded to `dtype` here.
        dtype: what to compute in.
        chunk: how many pieces at once.
    """
    pieces = positions.reshape(-1, *positions.shape[-2:]).to(dtype)
    with torch.no_grad():
        logits = torch.cat([model(part) for part in torch.split(pieces, chunk)])
    return logits.reshape(*positions.shape[:-2], -1)
