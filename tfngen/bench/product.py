"""The tensor product of every path on its own: tfngen's per-path operators against e3nn's uvu product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tfngen.bench import ceiling as machine
from tfngen.bench.peers import e3nn
from tfngen.bench.timing import Progress, Timing, interleave
from tfngen.irreps import Irrep, Path

CONTENDERS = ("tfngen", "e3nn")
MODES = ("forward", "gradient")


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in one mode."""

    mode: str
    contender: str
    milliseconds: float
    microseconds_per_edge: float
    times_faster: float
    percent_of_ceiling: float | None


@dataclass(frozen=True, slots=True)
class Workload:
    """Every path of a package, with `channels` channels, over `edges` edges, float32."""

    kernels: ModuleType
    edges: int
    channels: int

    @property
    def bytes(self) -> int:
        """Each weight read once, each output written once, inputs and filters shared by the paths."""
        inputs = sum(2 * l + 1 for l in _input_degrees(self.kernels))
        shared = (self.kernels.LMAX + 1) ** 2 + inputs * self.channels
        per_path = sum(1 + 2 * path[2] + 1 for path in self.kernels.PATHS) * self.channels
        return 4 * self.edges * (shared + per_path)


def measure(workload: Workload, rounds: int, progress: Progress) -> tuple[list[Row], machine.Ceiling]:
    """Time forward and forward + gradient, tfngen and e3nn and the machine's ceilings taking turns.

    Raises:
        AssertionError: the two do not compute the same numbers.
        ImportError: e3nn is not installed.
    """
    kernels, edges, channels = workload.kernels, workload.edges, workload.channels
    filters, inputs = range(kernels.LMAX + 1), _input_degrees(kernels)
    paths = [Path(*path) for path in kernels.PATHS]
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(edges, len(filters) ** 2, generator=generator)
    x = [torch.randn(edges, 2 * l + 1, channels, generator=generator).transpose(1, 2) for l in inputs]
    w = torch.randn(edges, len(paths) * channels, generator=generator)
    packed = torch.cat([value.reshape(edges, -1) for value in x], dim=1)

    peer = e3nn.product(
        "+".join(f"{channels}x{l}e" for l in inputs),
        "+".join(f"1x{l}e" for l in filters),
        [(channels, Irrep(path.l_output)) for path in paths],
        [(inputs.index(path.l_input), path.l_filter) for path in paths],
    )
    contenders = {
        "tfngen": (partial(_products, kernels), (y, w, *x)),
        "e3nn": (lambda y, w, packed: peer(packed, y, w), (y, w, packed)),
    }
    _assert_same(paths, _products(kernels, y, w, *x), peer(packed, y, w))
    timings = interleave({**_turns(contenders), **machine.contenders()}, rounds, progress=progress)
    top = machine.ceiling(timings)
    return _rows(timings, edges, top.seconds(0, workload.bytes)), top


def as_json(rows: list[Row], top: machine.Ceiling, workload: Workload) -> dict[str, Any]:
    """What a run found, as JSON has it."""
    return {
        "lmax": workload.kernels.LMAX,
        "edges": workload.edges,
        "channels": workload.channels,
        "threads": torch.get_num_threads(),
        "sgemm_gflops": top.flops / 1e9,
        "read_gb_per_s": top.bandwidth / 1e9,
        "rows": [asdict(row) for row in rows],
    }


def _products(kernels: ModuleType, y: Tensor, w: Tensor, *x: Tensor) -> list[Tensor]:
    """Every path's product, one operator each."""
    filters = y.split([2 * l + 1 for l in range(kernels.LMAX + 1)], dim=1)
    weights = w.split(w.shape[1] // len(kernels.PATHS), dim=1)
    inputs = dict(zip(_input_degrees(kernels), x, strict=True))
    return [
        kernels.tensor_product(path, filters[path[0]], inputs[path[1]], weight)
        for path, weight in zip(kernels.PATHS, weights, strict=True)
    ]


def _input_degrees(kernels: ModuleType) -> list[int]:
    """The degrees of inputs that a path takes: not all of them where a package was made for a model."""
    return sorted({path[1] for path in kernels.PATHS})


def _rows(timings: Mapping[str, Timing], edges: int, floor: float) -> list[Row]:
    """What was measured under the names "forward tfngen", …; `floor` is the least a forward could take."""
    return [
        Row(
            mode,
            contender,
            1e3 * (seconds := timings[f"{mode} {contender}"].median),
            1e6 * seconds / edges,
            timings[f"{mode} e3nn"].median / seconds,
            100 * floor / seconds if mode == "forward" else None,
        )
        for mode in MODES
        for contender in CONTENDERS
    ]


def _turns(
    functions: Mapping[str, tuple[Callable[..., Any], Sequence[Tensor]]],
) -> dict[str, Callable[[], object]]:
    """Both modes of each contender's function on its operands, under the names that `_rows` reads."""
    return {
        name: run
        for who, (function, operands) in functions.items()
        for name, run in (
            (f"forward {who}", _forward(function, operands)),
            (f"gradient {who}", _gradient(function, operands)),
        )
    }


def _forward(function: Callable[..., Any], operands: Sequence[Tensor]) -> Callable[[], object]:
    return lambda: function(*operands)


def _gradient(function: Callable[..., Any], operands: Sequence[Tensor]) -> Callable[[], object]:
    """Forward, then the gradient by every operand."""
    leaves = [operand.detach().requires_grad_() for operand in operands]

    def run() -> object:
        outputs = function(*leaves)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return torch.autograd.grad(outputs, leaves, [torch.ones_like(each) for each in outputs])

    return run


def _assert_same(paths: Sequence[Path], ours: Sequence[Tensor], theirs: Tensor) -> None:
    """Raise AssertionError unless e3nn's packed result is ours, path by path.

    e3nn's symbols have norm 1 and take the input before the filter: √(2l_O+1), and a sign on odd paths.
    """
    widths = [each.shape[1] * each.shape[2] for each in ours]
    for path, got, part in zip(paths, ours, theirs.split(widths, dim=1), strict=True):
        wanted = part.reshape(got.shape) * (2 * path.l_output + 1) ** 0.5
        wanted = wanted if path.even else -wanted
        error = (got - wanted).abs().max() / wanted.abs().max()
        assert error < 1e-5, f"tfngen and e3nn differ by {error:.1e} on path {path}"
