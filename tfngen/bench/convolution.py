"""The convolution over a graph: tfngen's fused operator against e3nn's gather, product and scatter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tfngen.bench import ceiling as machine
from tfngen.bench import peers
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
) -> tuple[list[peers.Row], machine.Ceiling]:
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

    filters = [irrep for _, irrep in convolution.irreps_filter]
    product = peers.e3nn_product(
        str(convolution.irreps_in),
        str(convolution.irreps_filter),
        [(path.channels, path.irrep_output) for path in convolution.paths],
        [(path.input_block, filters.index(path.irrep_filter)) for path in convolution.paths],
    )

    def theirs(y: Tensor, weights: Tensor, packed: Tensor) -> Tensor:
        messages = product(packed.index_select(0, index[0]), y, weights)
        return messages.new_zeros(workload.nodes, messages.shape[1]).index_add(0, index[1], messages)

    blocks = ours(y, weights, *features.values())
    by_path = [blocks[path.output_block][:, path.output_slice] for path in convolution.paths]
    peers.assert_same([path.path for path in convolution.paths], by_path, theirs(y, weights, packed))
    contenders = {
        "tfngen": (ours, (y, weights, *features.values())),
        "e3nn": (theirs, (y, weights, packed)),
    }
    timings = interleave({**peers.turns(contenders), **machine.contenders()}, rounds, progress=progress)
    top = machine.ceiling(timings)
    floor = top.seconds(_multiply_adds(convolution) * 2 * edges, 4 * edges * convolution.weight_numel)
    return peers.rows(timings, edges, floor), top


def as_json(name: str, rows: list[peers.Row], top: machine.Ceiling) -> dict[str, Any]:
    """What a run found, as JSON has it."""
    return {
        "workload": name,
        **asdict(WORKLOADS[name]),
        "threads": torch.get_num_threads(),
        "sgemm_gflops": top.flops / 1e9,
        "read_gb_per_s": top.bandwidth / 1e9,
        "rows": [asdict(row) for row in rows],
    }


def _multiply_adds(convolution: Any) -> int:
    """Per edge: one for each nonzero of the coupling M[m_I, m_O] and one weight per output, per channel."""
    total = 0
    for path in convolution.paths:
        entries = convolution.kernels.CLEBSCH_GORDAN[tuple(path.path)]
        pairs = {(m_input, m_output) for _, m_input, m_output, *_ in entries}
        total += path.channels * (len(pairs) + min(2 * path.path.l_input, 2 * path.path.l_output) + 1)
    return total
