"""FlashCart: the same convolution of Cartesian tensors, by Triton on a GPU, by torch alone on a processor.

Of a symmetric traceless tensor of rank l it keeps 2l + 1 components, which are combinations of the spherical
ones. Features, cotangents and results are turned into one basis and back outside what is timed, but for
`training`: its E has squares of spherical components, so outputs are turned, node by node, in what is timed.

It has the paths with l_F + l_I + l_O even, of every degree up to a highest, with as many channels for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.bench.peers import Layout, Prepared, ratio, torch_modes
from tfngen.bench.problem import Problem, coefficients


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """`Irreps` of the vectors and `TensorProduct` over the edges, which come in order of their targets.

    Raises:
        ValueError: irreps that FlashCart does not have.
    """
    ours, device = problem.convolution, problem.vectors.device
    channels = _check(ours)
    from flashcart.o3 import Irreps, TensorProduct

    tops = [irreps.lmax for irreps in (ours.irreps_in, ours.irreps_filter, ours.irreps_out)]
    on_gpu = device.type == "cuda"
    expand = Irreps(tops[1], use_triton=on_gpu)
    multiply = TensorProduct(*tops, channels, 1, use_triton=on_gpu)
    sources, targets = problem.graph.source, problem.graph.target

    def forward(vectors: Tensor, features: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
        return [multiply(features[0], expand(vectors), weights, targets, sources)]

    bases = _bases(ours.kernels, max(tops), device)
    layout = _layout(ours, channels, bases)
    features_in = _turn([channels] * (tops[0] + 1), bases)
    features_out = _turn([channels] * (tops[0] + 1), [basis.T for basis in bases])  # of gradients
    widths = [channels * count for count in multiply.out_paths]
    outputs = _turn(widths, [basis.inverse() for basis in bases])
    cotangents = _turn(widths, [basis.inverse().T for basis in bases])

    def prepare(function: torch_modes.Forward, split: Callable[[Tensor], Tensor]) -> Prepared:
        return torch_modes.prepare(
            problem, function, layout, compiled, lambda x: [features_in(x)], lambda g: [split(g)]
        )

    cartesian = prepare(forward, cotangents)
    spherical = prepare(lambda *operands: [outputs(forward(*operands)[0])], lambda packed: packed)

    def sample(mode: str, results: Sequence[Tensor]) -> list[np.ndarray]:
        results = list(results)
        if mode == "forward":
            results = [outputs(results[0])]
        elif mode in ("gradient", "training"):
            results[-2] = features_out(results[-2])
        return cartesian.sample(mode, results)

    return Prepared({**cartesian.run, "training": spherical.run["training"]}, sample, {})


def _check(ours: Any) -> int:
    """The channels of every degree of the features."""
    channels = {block.multiplicity for block in ours.irreps_in}
    complete = all(
        [(irrep.l, irrep.p) for _, irrep in irreps] == [(l, (-1) ** l) for l in range(irreps.lmax + 1)]
        for irreps in (ours.irreps_in, ours.irreps_filter, ours.irreps_out)
    )
    if len(channels) > 1 or not complete:
        raise ValueError(
            "FlashCart has irreps 0e+1o+2e+… up to a highest, with as many channels for each; these are "
            f"{ours.irreps_in}, {ours.irreps_filter.without_widths()}, {ours.irreps_out.without_widths()}"
        )
    return channels.pop()


def _turn(widths: Sequence[int], matrices: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """Rows (components, paths and channels) of each degree, one after the other, times its matrix."""
    shapes = [(len(matrix), width) for matrix, width in zip(matrices, widths, strict=False)]

    def turned(packed: Tensor) -> Tensor:
        parts = packed.split([rows * columns for rows, columns in shapes], dim=1)
        blocks = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
        return torch.cat([(m @ block).flatten(1) for m, block in zip(matrices, blocks, strict=False)], dim=1)

    return turned


def _bases(kernels: Any, lmax: int, device: torch.device) -> list[Tensor]:
    """For each degree the matrix from spherical components to FlashCart's, found from vectors' own."""
    from flashcart.o3 import Irreps

    vectors = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    spherical = kernels.spherical_harmonics(vectors.to(device)).cpu().double()
    theirs = Irreps(lmax)(vectors.double())
    degrees = [slice(l**2, (l + 1) ** 2) for l in range(lmax + 1)]
    found = [torch.linalg.lstsq(spherical[:, at], theirs[:, at]).solution.T for at in degrees]
    return [basis.float().to(device) for basis in found]


def _layout(ours: Any, channels: int, bases: Sequence[Tensor]) -> Layout:
    """Where FlashCart has each of our columns: by degree, then component, then path, then channel."""
    order = _paths(ours)
    weights, outputs, scale = [], [], []
    for path in ours.paths:
        l_output, dim = path.path.l_output, path.irrep_output.dim
        first = sum(len(order[l]) * (2 * l + 1) for l in range(l_output))
        place = order[l_output].index(path.path)
        weights.append(channels * (sum(map(len, order[:l_output])) + place) + np.arange(channels))
        rows = first + np.arange(dim) * len(order[l_output]) + place
        outputs.append((channels * rows + np.arange(channels)[:, None]).ravel())
        scale.append(np.full(channels * dim, _ratio(ours.kernels, path.path, bases)))
    features = [
        (channels * (irrep.l**2 + np.arange(irrep.dim)) + np.arange(channels)[:, None]).ravel()
        for _, irrep in ours.irreps_in
    ]
    return Layout(*(np.concatenate(each) for each in (features, weights, outputs, scale)))


def _paths(ours: Any) -> list[list[Any]]:
    """The paths to each degree in FlashCart's order: those with l_I ≥ l_F before those with l_I < l_F.

    Within either they are sorted by the higher and then the lower of the two degrees.
    """

    def place(path: Any) -> tuple[bool, int, int]:
        degrees = path.l_input, path.l_filter
        return path.l_input < path.l_filter, max(degrees), min(degrees)

    tops = range(ours.irreps_out.lmax + 1)
    return [sorted((p.path for p in ours.paths if p.path.l_output == l), key=place) for l in tops]


def _ratio(kernels: Any, path: Any, bases: Sequence[Tensor]) -> float:
    """FlashCart's product of every two components along a path, over ours in its basis."""
    from flashcart.o3 import TensorProduct

    degrees = path.l_input, path.l_filter, path.l_output
    into_input, into_filter, into_output = (bases[l].cpu().double().numpy() for l in degrees)
    back = np.linalg.inv(into_input), np.linalg.inv(into_filter)
    ours = np.einsum("ifo,ix,fy,zo->xyz", coefficients(kernels, path), *back, into_output)
    multiply = TensorProduct(*degrees, 1, 1, reduce_paths=True)
    x, y = (torch.eye((l + 1) ** 2, dtype=torch.float64)[l**2 :] for l in degrees[:2])
    pairs = x.repeat_interleave(len(y), 0), y.repeat(len(x), 1)
    weights = torch.ones(len(pairs[0]), multiply.n_total_paths, dtype=torch.float64)
    theirs = multiply(*pairs, weights)[:, -ours.shape[2] :].reshape(ours.shape).numpy()
    return ratio("FlashCart", path, theirs, ours)
