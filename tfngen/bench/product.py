"""The tensor product of every path on its own: tfngen's per-path operators against e3nn's uvu product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tfngen.bench import ceiling as machine
from tfngen.bench.timing import Progress, Timing, interleave


@dataclass(frozen=True, slots=True)
class Workload:
    """Every path of a package, with `channels` channels, over `edges` edges, float32."""

    kernels: ModuleType
    edges: int
    channels: int

    @property
    def bytes(self) -> int:
        """Each weight read once, each output written once, inputs and filters shared by the paths."""
        degrees = range(self.kernels.LMAX + 1)
        shared = sum(2 * l + 1 for l in degrees) * (self.channels + 1)
        per_path = sum(1 + 2 * path[2] + 1 for path in self.kernels.PATHS) * self.channels
        return 4 * self.edges * (shared + per_path)


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in one mode."""

    mode: str
    contender: str
    milliseconds: float
    microseconds_per_edge: float
    times_faster: float
    percent_of_ceiling: float | None


def measure(workload: Workload, rounds: int, progress: Progress) -> tuple[list[Row], machine.Ceiling]:
    """Time forward and forward + gradient, tfngen and e3nn and the machine's ceilings taking turns.

    Raises:
        AssertionError: the two do not compute the same numbers.
        ImportError: e3nn is not installed.
    """
    forward, peer = _tfngen(workload), _e3nn(workload)
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(workload.edges, (workload.kernels.LMAX + 1) ** 2, generator=generator)
    x = {
        l: torch.randn(workload.edges, 2 * l + 1, workload.channels, generator=generator).transpose(1, 2)
        for l in range(workload.kernels.LMAX + 1)
    }
    numel = len(workload.kernels.PATHS) * workload.channels
    w = torch.randn(workload.edges, numel, generator=generator)
    packed = torch.cat([value.reshape(workload.edges, -1) for value in x.values()], dim=1)
    _assert_same(workload, forward(y, x, w), peer(packed, y, w))

    def gradient(function: Callable[..., Any], *operands: Any) -> Callable[[], object]:
        tensors = [t for each in operands for t in (each.values() if isinstance(each, dict) else [each])]
        leaves = [tensor.detach().requires_grad_() for tensor in tensors]

        def run() -> object:
            queue = iter(leaves)
            given = [
                {l: next(queue) for l in each} if isinstance(each, dict) else next(queue) for each in operands
            ]
            outputs = function(*given)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            return torch.autograd.grad(outputs, leaves, [torch.ones_like(o) for o in outputs])

        return run

    timings = interleave(
        {
            "forward tfngen": lambda: forward(y, x, w),
            "forward e3nn": lambda: peer(packed, y, w),
            "gradient tfngen": gradient(forward, y, x, w),
            "gradient e3nn": gradient(peer, packed, y, w),
            **machine.contenders(),
        },
        rounds,
        progress=progress,
    )
    top = machine.ceiling(timings)
    return [row for mode in ("forward", "gradient") for row in _rows(mode, workload, timings, top)], top


def _rows(mode: str, workload: Workload, timings: dict[str, Timing], top: machine.Ceiling) -> list[Row]:
    floor = top.seconds(0, workload.bytes) if mode == "forward" else None
    slowest = timings[f"{mode} e3nn"].median
    return [
        Row(
            mode,
            name,
            1e3 * (seconds := timings[f"{mode} {name}"].median),
            1e6 * seconds / workload.edges,
            slowest / seconds,
            None if floor is None else 100 * floor / seconds,
        )
        for name in ("tfngen", "e3nn")
    ]


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


def _tfngen(workload: Workload) -> Callable[..., list[Tensor]]:
    kernels, channels = workload.kernels, workload.channels

    def forward(y: Tensor, x: dict[int, Tensor], w: Tensor) -> list[Tensor]:
        filters = y.split([2 * l + 1 for l in range(kernels.LMAX + 1)], dim=1)
        weights = w.split(channels, dim=1)
        return [
            kernels.tensor_product(path, filters[path[0]], x[path[1]], weight)
            for path, weight in zip(kernels.PATHS, weights, strict=True)
        ]

    return forward


def _e3nn(workload: Workload) -> Callable[..., Tensor]:
    try:
        from e3nn import o3
    except ImportError:
        raise ImportError("e3nn is not installed; pip install 'tfngen[e3nn]'") from None
    degrees = range(workload.kernels.LMAX + 1)
    irreps_in = o3.Irreps([(workload.channels, (l, 1)) for l in degrees])
    irreps_filter = o3.Irreps([(1, (l, 1)) for l in degrees])
    irreps_out = o3.Irreps([(workload.channels, (path[2], 1)) for path in workload.kernels.PATHS])
    instructions = [(path[1], path[0], at, "uvu", True) for at, path in enumerate(workload.kernels.PATHS)]
    return o3.TensorProduct(
        irreps_in,
        irreps_filter,
        irreps_out,
        instructions,
        irrep_normalization="none",
        path_normalization="none",
        shared_weights=False,
        internal_weights=False,
    )


def _assert_same(workload: Workload, ours: list[Tensor], theirs: Tensor) -> None:
    """e3nn's symbols have norm 1 and take input before filter: √(2l_O+1), and a sign on odd paths."""
    at = 0
    for path, got in zip(workload.kernels.PATHS, ours, strict=True):
        width = workload.channels * (2 * path[2] + 1)
        wanted = theirs[:, at : at + width].reshape(got.shape) * (2 * path[2] + 1) ** 0.5
        wanted = wanted if sum(path) % 2 == 0 else -wanted
        error = (got - wanted).abs().max() / wanted.abs().max()
        assert error < 1e-5, f"tfngen and e3nn differ by {error:.1e} on path {path}"
        at += width
