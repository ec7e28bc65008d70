"""The convolution over a graph: tfngen's fused operator against e3nn's gather, product and scatter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tfngen.bench import ceiling as machine
from tfngen.bench.timing import Progress, interleave
from tfngen.irreps import Irreps
from tfngen.runtime.graph import Graph


@dataclass(frozen=True, slots=True)
class Workload:
    """A convolution and a random graph for it: every node has `neighbors` random sources."""

    irreps_in: str
    irreps_filter: str
    irreps_out: str
    nodes: int
    neighbors: int


WORKLOADS = {
    "tfn-l3": Workload("32x0e+32x1e+32x2e+32x3e", "0e+1e+2e+3e", "0e+1e+2e+3e", 1000, 30),
    "mace-large": Workload("128x0e+128x1o+128x2e", "0e+1o+2e+3o", "0e+1o+2e+3o", 100, 158),
    "sevennet-l3i5": Workload("128x0e+64x1e+32x2e+32x3e", "0e+1e+2e+3e", "0e+1e+2e+3e", 250, 64),
}


def measure(
    name: str, kernels: ModuleType, rounds: int, progress: Progress
) -> tuple[list[dict[str, Any]], machine.Ceiling]:
    """Time forward and gradient (by filter, weights and features), contenders and ceilings taking turns.

    Raises:
        ValueError: no such workload.
        AssertionError: the two do not compute the same numbers.
    """
    if name not in WORKLOADS:
        raise ValueError(f"workload: got {name!r}; it must be one of {', '.join(WORKLOADS)}")
    workload = WORKLOADS[name]
    convolution = kernels.Convolution(workload.irreps_in, workload.irreps_filter, workload.irreps_out)
    generator = torch.Generator().manual_seed(0)
    edges = workload.nodes * workload.neighbors
    index = torch.stack(
        [
            torch.randint(0, workload.nodes, (edges,), generator=generator),
            torch.arange(workload.nodes).repeat_interleave(workload.neighbors),
        ]
    )
    graph = Graph(index, workload.nodes)
    y = torch.randn(edges, (Irreps.parse(workload.irreps_filter).lmax + 1) ** 2, generator=generator)
    weights = torch.randn(edges, convolution.weight_numel, generator=generator)
    features = {
        irrep: torch.randn(workload.nodes, irrep.dim, channels, generator=generator).transpose(1, 2)
        for channels, irrep in convolution.irreps_in
    }
    packed = torch.cat([value.flatten(1) for value in features.values()], 1)

    def ours(y: Tensor, weights: Tensor, *values: Tensor) -> list[Tensor]:
        return list(convolution(graph, y, dict(zip(features, values, strict=True)), weights).values())

    peer = _e3nn(convolution, index, workload.nodes)
    operands = {"tfngen": (ours, (y, weights, *features.values())), "e3nn": (peer, (y, weights, packed))}
    _assert_same(ours(*operands["tfngen"][1]), peer(*operands["e3nn"][1]), convolution)
    contenders: dict[str, Callable[[], object]] = {}
    for who, (function, arguments) in operands.items():
        contenders[f"forward {who}"] = lambda function=function, arguments=arguments: function(*arguments)
        contenders[f"gradient {who}"] = _gradient(function, arguments)
    timings = interleave({**contenders, **machine.contenders()}, rounds, progress=progress)
    top = machine.ceiling(timings)
    floor = top.seconds(_multiply_adds(convolution) * 2 * edges, 4 * edges * convolution.weight_numel)
    rows = []
    for mode in ("forward", "gradient"):
        peer_seconds = timings[f"{mode} e3nn"].median
        for who in operands:
            seconds = timings[f"{mode} {who}"].median
            rows.append(
                {
                    "mode": mode,
                    "contender": who,
                    "milliseconds": 1e3 * seconds,
                    "microseconds_per_edge": 1e6 * seconds / edges,
                    "times_faster": peer_seconds / seconds,
                    "percent_of_ceiling": 100 * floor / seconds if mode == "forward" else None,
                }
            )
    return rows, top


def as_json(name: str, rows: list[dict[str, Any]], top: machine.Ceiling) -> dict[str, Any]:
    """What a run found, as JSON has it."""
    return {
        "workload": name,
        **asdict(WORKLOADS[name]),
        "threads": torch.get_num_threads(),
        "sgemm_gflops": top.flops / 1e9,
        "read_gb_per_s": top.bandwidth / 1e9,
        "rows": rows,
    }


def _multiply_adds(convolution: Any) -> int:
    """Per edge: one for each nonzero of the coupling M[m_I, m_O] and one weight per output, per channel."""
    total = 0
    for path in convolution.paths:
        entries = convolution.kernels.CLEBSCH_GORDAN[tuple(path.path)]
        pairs = {(m_input, m_output) for _, m_input, m_output, *_ in entries}
        total += path.channels * (len(pairs) + min(2 * path.path.l_input, 2 * path.path.l_output) + 1)
    return total


def _gradient(function: Callable[..., Any], arguments: tuple[Tensor, ...]) -> Callable[[], object]:
    leaves = [argument.detach().requires_grad_() for argument in arguments]

    def run() -> object:
        outputs = function(*leaves)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return torch.autograd.grad(outputs, leaves, [torch.ones_like(each) for each in outputs])

    return run


def _e3nn(convolution: Any, index: Tensor, nodes: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    try:
        from e3nn import o3
    except ImportError:
        raise ImportError("e3nn is not installed; pip install 'tfngen[e3nn]'") from None
    filters = list(convolution.irreps_filter)
    product = o3.TensorProduct(
        o3.Irreps(str(convolution.irreps_in)),
        o3.Irreps(str(convolution.irreps_filter)),
        o3.Irreps([(path.channels, str(path.irrep_output)) for path in convolution.paths]),
        [
            (path.input_block, [f.irrep for f in filters].index(path.irrep_filter), at, "uvu", True)
            for at, path in enumerate(convolution.paths)
        ],
        irrep_normalization="none",
        path_normalization="none",
        shared_weights=False,
        internal_weights=False,
    )

    def run(y: Tensor, weights: Tensor, packed: Tensor) -> Tensor:
        messages = product(packed.index_select(0, index[0]), y, weights)
        return messages.new_zeros(nodes, messages.shape[1]).index_add(0, index[1], messages)

    return run


def _assert_same(ours: list[Tensor], theirs: Tensor, convolution: Any) -> None:
    """e3nn's symbols have norm 1 and take input before filter: √(2l_O+1), and a sign on odd paths."""
    widths = [path.channels * path.irrep_output.dim for path in convolution.paths]
    for path, part in zip(convolution.paths, theirs.split(widths, dim=1), strict=True):
        wanted = part.reshape(len(part), path.channels, -1) * path.irrep_output.dim**0.5
        wanted = wanted if path.path.even else -wanted
        got = ours[path.output_block][:, path.output_slice]
        error = (got - wanted).abs().max() / wanted.abs().max()
        assert error < 1e-5, f"tfngen and e3nn differ by {error:.1e} on {path}"
