"""The whole story on one page: from a specification to a package on disk.

    BuildSpec → exact tables → planned kernels → printed sources → files

Each stage takes what the one before it made, reaches back to nothing, and is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path as FilePath

from tfngen.emit.package import MANIFEST, Written, check_destination, manifest_source, write_package
from tfngen.emit.sources import Monomials, Plan, package_sources, path_source
from tfngen.ir.lower_harmonics import GradientEntry
from tfngen.ir.lower_paths import Coupling
from tfngen.ir.plan import HarmonicsPlan, PathPlan, plan_harmonics, plan_path
from tfngen.irreps import Path
from tfngen.spec import BuildSpec
from tfngen.symbolic import clebsch_gordan, harmonics

Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps in all)."""

PATHS_PER_WORKER = 10
"""With fewer to plan, starting another process takes longer than planning them here."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The exact coefficients a package is made of."""

    monomials: dict[tuple[int, int], Monomials]
    gradients: dict[int, tuple[GradientEntry, ...]]
    couplings: dict[Path, tuple[Coupling, ...]]


@dataclass
class BuildReport:
    """What a build did, for the summary at its end."""

    spec: BuildSpec
    plan: Plan
    written: Written
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def nonzeros(self) -> int:
        return sum(len(each.couplings) for each in self.plan.paths)

    @property
    def operations(self) -> tuple[int, int]:
        """Flops per edge of all four roles of all paths: of the plain sums, and of what was printed."""
        widths = self.spec.widths
        kernels = [(planned, widths[each.path]) for each in self.plan.paths for planned in each.kernels]
        return sum(k.plain.flops(c) for k, c in kernels), sum(k.cost.flops(c) for k, c in kernels)


def build(
    spec: BuildSpec, out: FilePath, progress: Progress = lambda *_: None, workers: int = 1
) -> BuildReport:
    """Write the package that `spec` describes to ``out/name``.

    Args:
        spec: what to build.
        out: the folder to put the package in; made when it is not there.
        progress: told about each step.
        workers: processes to plan in. With several, a script calls this below ``if __name__ == "__main__":``,
            because they are fresh ones and begin by reading it.

    Raises:
        ValueError: ``out/name`` holds something else, or cannot be written to.
    """
    clock = _Clock()
    folder = out / spec.name
    check_destination(folder)
    with clock("derive"):
        tables = derive(spec, progress)
    with clock("plan"):
        plan = make_plan(spec, tables, progress, workers)
    with clock("print"):
        files = sources(plan)
    with clock("write"):
        written = write_package(folder, files)
    return BuildReport(spec, plan, written, clock.seconds)


def derive(spec: BuildSpec, progress: Progress = lambda *_: None) -> Tables:
    """Every exact coefficient of the paths of `spec` and of its harmonics."""
    degrees, norm = range(spec.lmax + 1), spec.normalization
    # From these the runtime composes the harmonics' third derivative, whether or not they have kernels.
    gradient_paths = {Path(1, l - 1, l) for l in degrees[1:]}
    paths = sorted(gradient_paths.union(spec.paths))
    couplings = {}
    for done, path in enumerate(paths, start=1):
        couplings[path] = _couplings(path)
        progress("derive", done, len(paths))
    return Tables(
        monomials={(l, m): harmonics.harmonic(l, m, norm).terms for l in degrees for m in range(-l, l + 1)},
        gradients={
            l: tuple((e.axis, e.m_out, e.m_in, e.value) for e in harmonics.gradient(l, norm))
            for l in degrees[1:]
        },
        couplings=couplings,
    )


def make_plan(
    spec: BuildSpec, tables: Tables, progress: Progress = lambda *_: None, workers: int = 1
) -> Plan:
    """The cheapest form of every kernel."""
    widths = spec.widths
    couplings = [tables.couplings[path] for path in widths]
    paths: list[PathPlan] = []
    with _mapping(min(workers, len(widths) // PATHS_PER_WORKER)) as each:
        for planned in each(
            plan_path, widths, couplings, repeat(spec.strategy), widths.values(), repeat(spec.targets)
        ):
            paths.append(planned)
            progress("plan", len(paths), len(widths))
    spherical: HarmonicsPlan = plan_harmonics(spec.lmax, spec.normalization, tables.gradients.__getitem__)
    return Plan(spec, tables.monomials, tables.couplings, spherical, tuple(paths))


@contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Iterable[PathPlan]]]:
    """`map`, or one that shares the work among `workers` processes and keeps the order."""
    if workers < 2:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def sources(plan: Plan) -> dict[str, str]:
    """Every file of the package as text, the manifest among them."""
    files = package_sources(plan)
    return {**files, MANIFEST: manifest_source(plan.spec, files)}


def path_text(degrees: tuple[int, int, int], dtype: str, strategy: str, channels: int) -> str:
    """The module that would be generated for one path alone.

    Raises:
        ValueError: `degrees` is no path.
    """
    path = Path(*degrees)
    if min(path) < 0 or not path.allowed:
        raise ValueError(f"path: got {path}; it must satisfy |l_F − l_I| ≤ l_O ≤ l_F + l_I with degrees ≥ 0")
    spec = BuildSpec(max(path), dtypes=(dtype,), strategy=strategy, channels=channels)
    plan = plan_path(path, _couplings(path), spec.strategy, channels, targets=())
    return path_source(plan, spec, dtype)


def _couplings(path: Path) -> tuple[Coupling, ...]:
    table = clebsch_gordan.clebsch_gordan(*path)
    return tuple((entry.m_filter, entry.m_input, entry.m_output, entry.value) for entry in table)


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start
