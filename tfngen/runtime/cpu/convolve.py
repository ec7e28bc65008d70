"""Launch the kernels over a graph: tables of addresses for `drive`, made of tensors and a plan."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from tfngen import naming
from tfngen.forms import EDGE_STRIDE, FORM, TILE_EDGES, Form
from tfngen.runtime import registry
from tfngen.runtime.cpu.drive import TILE_BYTES, Job, drive, scratch_length
from tfngen.runtime.cpu.pages import prefer_large_pages
from tfngen.runtime.cpu.threads import parallel_for, parts_of, threads_for
from tfngen.runtime.plan import decode

FAR_BYTES = 2**22
"""A result this large will not be in a cache when it is read."""

if TYPE_CHECKING:
    from torch import Tensor

    from tfngen.runtime.plan import Edges


def convolution(
    package: str,
    form: Form,
    plan: tuple[int, ...],
    operands: Mapping[str, Tensor],
    edges: Edges,
    results: Mapping[str, Tensor],
) -> None:
    """Fill `results` with what `form` returns, summed over a graph and all paths of `plan`.

    Operands and results are rows: (nodes or edges, all components of all paths' irreps, side by side), each
    irrep's channels innermost. Rows of nodes are contiguous; an operand and its tangent have equal strides.
    """
    named = {**operands, **results}
    anyone = next(iter(named.values()))
    calls = _calls(package, form.name, plan, anyone.dtype)
    if not edges.count or not calls.count:
        for result in results.values():
            result.zero_()
        return
    for result in results.values():
        prefer_large_pages(result)
    by_target = form.node == "target"
    rows = edges.by_target if by_target else edges.by_source
    parts = min(threads_for(edges.count * calls.work), edges.num_nodes)
    pointers = torch.tensor(parts_of(rows.row_pointers, parts))
    addresses = {f"{name}s": tensor.data_ptr() for name, tensor in named.items()}
    table = calls.table + torch.tensor([0, *(addresses.get(name, 0) for name in form.arguments)])
    filters = named["filter"] if "filter" in named else named["d_filter"]
    length = scratch_length(filters.shape[1], calls.couplings, anyone.itemsize)
    scratch = torch.zeros(parts, length, dtype=torch.int64)
    job = dict.fromkeys(Job, 0) | {
        Job.PART_POINTERS: pointers.data_ptr(),
        Job.EDGE_POINTERS: rows.row_pointers.data_ptr(),
        Job.ORDER: rows.order.data_ptr(),
        Job.NUM_EDGES: edges.count,
        Job.NEIGHBORS: (edges.sources if by_target else edges.targets).data_ptr(),
        Job.COMPONENTS: filters.shape[1],
        Job.WEIGHT_INDEX: 0 if edges.weight_index is None else edges.weight_index.data_ptr(),
        Job.CALLS: table.data_ptr(),
        Job.CALL_COUNT: calls.count,
        Job.CALL_LENGTH: table.shape[1],
        Job.SCRATCH: scratch.data_ptr(),
        Job.SCRATCH_LENGTH: length,
        Job.ITEMSIZE: anyone.itemsize,
        Job.NUM_NODES: edges.num_nodes,
        Job.WEIGHT_ROWS: edges.weight_rows,
    }
    for name in (*form.held, *form.results):
        if name in named and "filter" not in name and "weight" not in name:
            job[Job.NODE_ROW] = named[name].stride(0)
    for name in form.gathered:
        job[Job.NEIGHBOR_ROW] = named[name].stride(0)
    for name in set(form.results) & {"output", "d_input", "d_grad"}:
        job[Job.NODE_SUMS] = named[name].data_ptr()
    for name, at in (("filter", Job.FILTERS), ("filter_tangent", Job.FILTER_TANGENTS)):
        if name in named:
            job[at], job[Job(at + 1)] = named[name].data_ptr(), named[name].stride(0)
    if "d_filter" in named:
        job[Job.D_FILTERS] = named["d_filter"].data_ptr()
    if "weight" in named:
        job[Job.WEIGHT_ROW] = named["weight"].stride(0)
    if "d_weight" in named:
        job[Job.EDGE_ROW] = named["d_weight"].stride(0)
        job[Job.FAR] = named["d_weight"].nbytes > FAR_BYTES
    per_edge = sum(tensor[0].nbytes for name, tensor in named.items() if "weight" in name)
    job[Job.MOST_EDGES] = max(min(TILE_EDGES, TILE_BYTES // per_edge), 1)
    jobs = torch.tensor([job[field] for field in Job])
    parallel_for(drive, parts, edges.count * calls.work, (jobs.data_ptr(),))
    if fault := int(jobs[Job.FAULT]):
        name = {Job.EDGE_POINTERS: "pointers", Job.ORDER: "order", Job.WEIGHT_INDEX: "weight_index"}
        raise ValueError(
            f"{name.get(Job(fault), 'neighbors')}: holds an index out of range for {edges.count} edges of "
            f"{edges.num_nodes} nodes and {edges.weight_rows} rows of weights; let tfngen.Graph make it"
        )


class _Calls:
    """What the kernels of a form are called with, but for the addresses of tensors: made once per plan.

    Attributes:
        table: (paths, 1 + arguments) int64; arrays are offsets in bytes.
        count: the number of paths.
        couplings: the most coupling coefficients of any path.
        work: multiply-adds per edge, about.
    """

    def __init__(self, package: str, form: Form, plan: tuple[int, ...], dtype: torch.dtype) -> None:
        _, paths = decode(plan)
        rows = []
        for path in paths:
            module = registry.kernels(package, "cpu", dtype, naming.convolution_module(path.degrees))
            values = {
                "channels": path.channels,
                "filter_at": path.filter_offset * EDGE_STRIDE,
                "input_step": path.channels,
                "grad_step": path.grad_step,
            }
            for name in (*form.operands, *form.results):
                slot = "grad" if name == "output" else name.removeprefix("d_").removesuffix("_tangent")
                values[f"{name}s"] = path.offset(slot) * dtype.itemsize
            rows.append([getattr(module, form.name).address, *(values[name] for name in form.arguments)])
        self.table = torch.tensor(rows, dtype=torch.int64)
        self.count = len(paths)
        pairs = [(2 * path.l_input + 1) * (2 * path.l_output + 1) for path in paths]
        copies = len(form.by) + form.along_tangents
        self.couplings = copies * max(pairs, default=0)
        self.work = copies * sum(path.channels * each for path, each in zip(paths, pairs, strict=True))


@lru_cache(maxsize=256)
def _calls(package: str, form: str, plan: tuple[int, ...], dtype: torch.dtype) -> _Calls:
    return _Calls(package, FORM[form], plan, dtype)
