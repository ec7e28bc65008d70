"""Every mode of a contender that is a torch function, from its forward alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.bench.peers import SAMPLE_ROWS, Layout, Prepared
from tfngen.bench.problem import Problem

Forward = Callable[..., Sequence[Tensor]]
"""(vectors, features, weights, …) → outputs; a contender's features and outputs may be several tensors."""


def prepare(
    problem: Problem,
    forward: Forward,
    layout: Layout,
    compiled: bool = False,
    split_features: Callable[[Tensor], list[Tensor]] = lambda packed: [packed],
    split_outputs: Callable[[Tensor], list[Tensor]] = lambda packed: [packed],
    others: Sequence[Any] = (),
    record: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda mode: mode,
) -> Prepared:
    """All modes.

    Args:
        problem: the operands.
        forward: what is measured.
        layout: how the contender packs.
        compiled: put `forward` under torch.compile.
        split_features: packed features as the contender takes them.
        split_outputs: packed outputs as the contender gives them, for their cotangents.
        others: what else `forward` takes.
        record: what each mode, a function of `forward`'s arguments, is put through.
    """
    if compiled:
        forward = torch.compile(forward, dynamic=False)
    vectors, target = problem.vectors.requires_grad_(), problem.target  # nothing below keeps `problem`
    weights = _arranged(problem.weights, layout.weights).requires_grad_()
    features = [
        each.requires_grad_() for each in split_features(_arranged(problem.features, layout.features))
    ]
    scale = torch.ones(()) if layout.scale is None else torch.from_numpy(layout.scale).float()
    scale = scale.to(vectors.device)
    # The contender's output is scale · ours: with these, Σ cotangent · out and Σ cotangent · out² are ours.
    linear = split_outputs(_arranged(problem.cotangent / scale, layout.outputs))
    squared = split_outputs(_arranged(problem.cotangent / scale**2, layout.outputs))

    def sums(*given: Any) -> Sequence[Tensor]:
        with torch.no_grad():
            return forward(*given)

    def gradient(vectors: Tensor, features: list[Tensor], weights: Tensor, *others: Any) -> Sequence[Tensor]:
        outputs = forward(vectors, features, weights, *others)
        return torch.autograd.grad(outputs, [vectors, *features, weights], linear)

    def forces(vectors: Tensor, *given: Any) -> Sequence[Tensor]:
        outputs = forward(vectors, *given)
        (slope,) = torch.autograd.grad(outputs, vectors, linear)
        with torch.no_grad():
            energy = torch.stack(
                [(part * out).sum() for part, out in zip(linear, outputs, strict=True)]
            ).sum()
        return [-slope, energy]

    def training(vectors: Tensor, features: list[Tensor], weights: Tensor, *others: Any) -> Sequence[Tensor]:
        outputs = forward(vectors, features, weights, *others)
        energy = sum((part * out * out).sum() for part, out in zip(squared, outputs, strict=True)) / 2
        assert isinstance(energy, Tensor)
        (slope,) = torch.autograd.grad(energy, vectors, create_graph=True)
        return torch.autograd.grad((-slope * target).sum(), [*features, weights])

    def sample(mode: str, results: Sequence[Tensor]) -> list[np.ndarray]:
        if mode == "forward":
            return [_sampled(results, layout.outputs) / scale.cpu().numpy()]
        if mode == "forces":
            return [_sampled(results[:1], None), results[1].cpu().numpy()[None]]
        *by_features, by_weights = results[1:] if mode == "gradient" else results
        found = [_sampled(by_features, layout.features), _sampled([by_weights], layout.weights)]
        return [_sampled(results[:1], None), *found] if mode == "gradient" else found

    modes = {"forward": sums, "gradient": gradient, "forces": forces, "training": training}
    run = {name: partial(record(mode), vectors, features, weights, *others) for name, mode in modes.items()}
    return Prepared(run, sample, {})


def _arranged(packed: Tensor, columns: np.ndarray | None) -> Tensor:
    """Packed rows in the contender's order of columns."""
    if columns is None:
        return packed
    return packed[:, torch.from_numpy(np.argsort(columns)).to(packed.device)]


def _sampled(parts: Sequence[Tensor], columns: np.ndarray | None) -> Any:
    """The first rows, packed in our order of columns."""
    rows = torch.cat([part.detach()[:SAMPLE_ROWS].flatten(1) for part in parts], dim=1).cpu().numpy()
    return rows if columns is None else rows[:, columns]
