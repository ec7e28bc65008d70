"""Count and compile the kernels of a package: operations, bytes, registers, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate
from pathlib import Path as FilePath
from typing import Any

from tfngen import naming
from tfngen.build import derive, make_plan
from tfngen.cache import import_package
from tfngen.emit.cuda_functions import lane_statements
from tfngen.emit.package import read_manifest
from tfngen.emit.sources import Plan
from tfngen.forms import FORMS, TANGENT, Form
from tfngen.gpu import HALVES, MOST_THREADS, Capability
from tfngen.ir.cost import sum_operations
from tfngen.ir.plan import PathPlan, PlannedKernel
from tfngen.irreps import Path
from tfngen.report.machines import MACHINES, Machine
from tfngen.runtime.cuda.precision import computed_in, named, suited
from tfngen.runtime.plan import PackedPath
from tfngen.spec import BuildSpec

INDEX = 8
"""Bytes of an index."""


@dataclass(frozen=True, slots=True)
class KernelReport:
    """One kernel.

    Attributes:
        module: where it stands.
        name: what it is called there.
        unit: what it does its work for: an ``edge`` of a graph, a ``row`` of a product, or a ``point``.
        paths: how many paths it is for.
        channels: of its paths, those of the widest.
        flops: operations for one, all paths and channels.
        bytes: what goes through memory for one.
        registers: of a thread, by compute capability.
        stack: bytes of a thread that had no register, by compute capability.
        warps: how many a multiprocessor of each machine holds.
        nanoseconds: the floor for one on each machine.
    """

    module: str
    name: str
    unit: str
    paths: int
    channels: int
    flops: int
    bytes: float
    registers: Mapping[Capability, int]
    stack: Mapping[Capability, int]
    warps: Mapping[str, int]
    nanoseconds: Mapping[str, float]

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.flops / self.bytes


def report(
    folder: FilePath,
    *,
    dtype: str = "float32",
    channels: int | None = None,
    neighbors: int = 30,
    products: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[KernelReport]:
    """Every kernel of the package in `folder` that goes over a graph, and its spherical harmonics.

    Args:
        folder: a generated package with kernels for GPUs.
        dtype: which of its kernels; ``float16`` and ``bfloat16`` are what those of float32 then have in
            memory (harmonics, which are computed of positions, excepted).
        channels: of every irrep; those that the package was built for, unless given.
        neighbors: the edges of a node, which share its row.
        products: report the kernels of ``tensor_product`` too, four for each path.
        progress: told about each step.

    Raises:
        ValueError: `folder` is no package, or has no such kernels; `channels` or `neighbors` is not positive.
    """
    for name, value in (("channels", channels), ("neighbors", neighbors)):
        if value is not None and value < 1:
            raise ValueError(f"{name}: got {value}; it must be an integer ≥ 1")
    spec = BuildSpec.from_json(read_manifest(folder).get("spec", {}))
    if "cuda" not in spec.targets:
        raise ValueError(
            f"path: {folder} was built for {', '.join(spec.targets)}; build it with --target all to report"
        )
    computed = "float32" if dtype in HALVES else dtype
    if computed not in spec.dtypes:
        raise ValueError(f"dtype: got {dtype!r}; {folder} was built for {', '.join(spec.dtypes)}")
    plan = make_plan(spec, derive(spec, progress), progress)
    home = f"{import_package(folder).__name__}.cuda.{computed}"
    tasks = _Counting(plan, home, dtype, channels, neighbors).tasks(products)
    found = []
    for done, task in enumerate(tasks, start=1):
        found.append(task())
        progress("compile", done, len(tasks))
    return found


class _Counting:
    """What a package's kernels cost.

    Attributes:
        home: the module that has those of the dtype they compute in.
        dtype: of what is in memory.
        itemsize, computed: bytes of a number in memory, and of one that is computed with.
    """

    def __init__(self, plan: Plan, home: str, dtype: str, channels: int | None, neighbors: int) -> None:
        self.home, self.dtype, self.neighbors = home, named(dtype), neighbors
        self.itemsize, self.computed = self.dtype.itemsize, computed_in(self.dtype).itemsize
        self.plan = plan
        self.plans: dict[Path, PathPlan] = {each.path: each for each in plan.paths}
        self.widths = {path: channels or width for path, width in plan.spec.widths.items()}

    def tasks(self, products: bool) -> list[Callable[[], KernelReport]]:
        """What there is to be done, kernel by kernel."""
        graph = [
            lambda form=form, name=name, paths=paths: self._over_a_graph(form, name, paths)
            for form in FORMS
            for name, paths in self._passes()
        ]
        rows = [
            lambda path=each.path, planned=planned: self._of_rows(path, planned)
            for each in self.plan.paths
            for planned in each.kernels
        ]
        points = [lambda planned=planned: self._of_points(planned) for planned in self.plan.harmonics.kernels]
        return [*graph, *(rows if products else ()), *points]

    def _passes(self) -> Iterator[tuple[str, list[PackedPath]]]:
        """What goes through the edges together where every degree has one input irrep."""
        from tfngen.runtime.cuda.convolve import going_together

        home = import_module(f"{self.home}.{naming.GROUPS_MODULE}").GROUP
        return going_together(_packed([Path(*each) for each in home], self.widths), home)

    def _over_a_graph(self, form: Form, name: str, rows: list[PackedPath]) -> KernelReport:
        from tfngen.runtime.cuda.convolve import launch_of

        paths = [row.degrees for row in rows]
        widest = max(self.widths[path] for path in paths)
        planned = [(self._planned(path, form), self.widths[path]) for path in paths]
        module = import_module(f"{self.home}.{name}")
        launch = launch_of(form, module, rows, dtype=self.dtype)
        return self._report(
            name,
            launch.kernel,
            "edge",
            len(paths),
            widest,
            sum(_operations(each, width) for each, width in planned),
            self._bytes(form, paths),
            launch.threads,
            launch.shared_bytes,
        )

    def _planned(self, path: Path, form: Form) -> PlannedKernel:
        return next(each for each in self.plans[path].graph_kernels if each.kernel.name == form.name)

    def _bytes(self, form: Form, paths: Sequence[Path]) -> float:
        """What one edge moves: its own rows, its part of its target's, and its indices.

        Rows of inputs are gathered from caches, as far as they fit, and come from memory once for each node.
        """
        channels = max(self.widths[path] for path in paths)
        row = {
            "filter": sum(2 * l + 1 for l in {path.l_filter for path in paths}),
            "input": channels * (2 * paths[0].l_input + 1),
            "weight": sum(self.widths[path] for path in paths),
            "grad": sum(self.widths[path] * (2 * path.l_output + 1) for path in paths),
        }
        elements = 0.0
        for operand in form.operands:
            slot = operand.removesuffix(TANGENT)
            elements += row[slot] / (self.neighbors if slot in ("input", "grad") else 1)
        for slot in form.by:  # derivatives by inputs are written edge by edge, and read to be summed
            elements += row[slot] * {"grad": 1 / self.neighbors, "input": 2}.get(slot, 1)
        return elements * self.itemsize + 2 * INDEX

    def _of_rows(self, path: Path, planned: PlannedKernel) -> KernelReport:
        """One of a path's four, row by row: everything is read and written once."""
        name, width = naming.path_module(path), self.widths[path]
        kernel = suited(getattr(import_module(f"{self.home}.{name}"), planned.kernel.name), self.dtype)
        flops, moved = planned.cost.flops(width), planned.cost.bytes(width, self.itemsize)
        return self._report(name, kernel, "row", 1, width, flops, moved, MOST_THREADS, 0)

    def _of_points(self, planned: PlannedKernel) -> KernelReport:
        module = import_module(f"{self.home}.{naming.HARMONICS_MODULE}")
        kernel = planned.kernel
        values = sum(len(operand.symbols) for operand in (*kernel.inputs, *kernel.outputs))
        flops = planned.cost.channel.flops + planned.cost.edge.flops
        function = getattr(module, kernel.name)
        return self._report(
            naming.HARMONICS_MODULE, function, "point", 0, 1, flops, values * self.computed, MOST_THREADS, 0
        )

    def _report(
        self,
        module: str,
        kernel: object,
        unit: str,
        paths: int,
        channels: int,
        flops: int,
        moved: float,
        threads: int,
        shared: int,
    ) -> KernelReport:
        from tfngen.runtime.cuda.compiled import compiled

        capabilities = sorted({machine.capability for machine in MACHINES})
        resources = {each: compiled(kernel, each).resources for each in capabilities}

        def warps(machine: Machine) -> int:
            taken = resources[machine.capability]
            return machine.warps(threads, taken.registers, taken.shared + shared)

        return KernelReport(
            module=module,
            name=kernel.function.__name__,
            unit=unit,
            paths=paths,
            channels=channels,
            flops=flops,
            bytes=moved,
            registers={each: taken.registers for each, taken in resources.items()},
            stack={each: taken.stack for each, taken in resources.items()},
            warps={machine.name: warps(machine) for machine in MACHINES},
            nanoseconds={
                machine.name: 1e9 * machine.seconds(flops, moved, self.computed) for machine in MACHINES
            },
        )


def _packed(paths: Sequence[Path], widths: Mapping[Path, int]) -> tuple[PackedPath, ...]:
    """The paths in rows with one input irrep and filter for each degree, and an output irrep for each path.

    An input irrep has the most channels of any of its paths.
    """
    channels = {p.l_input: max(widths[q] for q in paths if q.l_input == p.l_input) for p in paths}
    filter_at = _places({path.l_filter: 2 * path.l_filter + 1 for path in paths})
    input_at = _places({l: count * (2 * l + 1) for l, count in channels.items()})
    weight_at = _places({path: channels[path.l_input] for path in paths})
    grad_at = _places({path: channels[path.l_input] * (2 * path.l_output + 1) for path in paths})
    return tuple(
        PackedPath(
            *path,
            channels=(count := channels[path.l_input]),
            filter_offset=filter_at[path.l_filter],
            input_offset=input_at[path.l_input],
            weight_offset=weight_at[path],
            grad_offset=grad_at[path],
            grad_step=count,
        )
        for path in paths
    )


def _places(lengths: Mapping[Any, int]) -> dict[Any, int]:
    """Where each begins, one after another in a row."""
    return dict(zip(lengths, accumulate(lengths.values(), initial=0), strict=False))


def _operations(planned: PlannedKernel, channels: int) -> int:
    """Of an edge: couplings once, and what every channel's lane computes."""
    kernel = planned.kernel
    once = sum(sum_operations(statement.value).flops for statement in kernel.before)
    each = sum(sum_operations(statement.value).flops for statement in lane_statements(kernel))
    return once + channels * each


def totals(reports: Sequence[KernelReport]) -> Iterator[tuple[str, int, float, dict[str, float]]]:
    """For each form its name, operations and bytes for an edge, and nanoseconds on each machine, in all."""
    for name in (form.name for form in FORMS):
        own = [each for each in reports if each.unit == "edge" and each.name == name]
        if own:
            times = {m.name: sum(each.nanoseconds[m.name] for each in own) for m in MACHINES}
            yield name, sum(each.flops for each in own), sum(each.bytes for each in own), times
