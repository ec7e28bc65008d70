"""Decide how every kernel is computed: lower it, optimise it, and keep what that came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfngen.forms import FORMS, Form
from tfngen.ir.cost import Cost, cost
from tfngen.ir.lower_convolution import lower_convolution
from tfngen.ir.lower_harmonics import GradientEntry, lower_harmonics
from tfngen.ir.lower_paths import Coupling, lower_path
from tfngen.ir.nodes import Kernel
from tfngen.ir.passes import Optimised, optimise, optimise_for_registers, optimise_over_graph
from tfngen.irreps import Path
from tfngen.roles import Role

UNWEIGHTED = (Role.OUTPUT, Role.D_INPUT, Role.D_FILTER)
"""The roles of a product without weights."""
PARTNERS = 8
"""The channels that one channel of filters is taken to meet, where kernels of rows are compared."""


@dataclass(frozen=True, slots=True)
class PlannedKernel:
    """A kernel ready to print, the strategy that won, and its cost before and after."""

    kernel: Kernel
    strategy: str
    plain: Cost
    cost: Cost


@dataclass(frozen=True, slots=True)
class PathPlan:
    """The kernels of a path.

    Attributes:
        path: its degrees.
        couplings: the nonzero coefficients.
        kernels: row by row, the four roles in the order of `Role`.
        graph_kernels: over a graph, in the order of `FORMS`, for GPUs; none without that target.
        node_kernels: over a graph, in the order of `FORMS`, for processors: those of more than sums contract
            the gradient with the coefficients once for all edges of a node; the others take what an edge
            gathers in turn, component by component.
        row_kernels: of rows in lanes, pairs of channels and no weights, in the order of `UNWEIGHTED`.
    """

    path: Path
    couplings: tuple[Coupling, ...]
    kernels: tuple[PlannedKernel, ...]
    graph_kernels: tuple[PlannedKernel, ...]
    node_kernels: tuple[PlannedKernel, ...]
    row_kernels: tuple[PlannedKernel, ...]


@dataclass(frozen=True, slots=True)
class HarmonicsPlan:
    """The spherical harmonics' value, vjp and vjp of the vjp, in that order."""

    lmax: int
    normalization: str
    kernels: tuple[PlannedKernel, ...]


def plan_path(
    path: Path,
    couplings: Sequence[Coupling],
    strategy: str,
    channels: int,
    targets: Sequence[str] = ("cpu", "cuda"),
) -> PathPlan:
    """Every kernel of `path` for `targets`, each in its cheapest form (see `passes.optimise`)."""
    roles = [lower_path(path, couplings, role) for role in Role]
    by_edge: tuple[PlannedKernel, ...] = ()
    by_node: tuple[PlannedKernel, ...] = ()
    if "cuda" in targets:
        plain = (lower_convolution(path, couplings, form) for form in FORMS)
        by_edge = tuple(_planned(kernel, optimise_over_graph(kernel)) for kernel in plain)
    if "cpu" in targets:
        by_node = tuple(_plan_for_processors(path, couplings, form) for form in FORMS)
    rows = [lower_path(path, couplings, role, weighted=False) for role in UNWEIGHTED]
    return PathPlan(
        path,
        tuple(couplings),
        tuple(_plan(kernel, strategy, channels) for kernel in roles),
        by_edge,
        by_node,
        tuple(_plan(kernel, strategy, PARTNERS) for kernel in rows),
    )


def plan_harmonics(
    lmax: int, normalization: str, gradient: Callable[[int], Sequence[GradientEntry]]
) -> HarmonicsPlan:
    """The harmonics up to `lmax` and their first two derivatives."""
    plain = [lower_harmonics(lmax, normalization, gradient, order) for order in range(3)]
    return HarmonicsPlan(lmax, normalization, tuple(_plan(kernel, "outer", 1) for kernel in plain))


def _plan(plain: Kernel, strategy: str, channels: int) -> PlannedKernel:
    return _planned(plain, optimise(plain, strategy, channels))


def _plan_for_processors(path: Path, couplings: Sequence[Coupling], form: Form) -> PlannedKernel:
    plain = lower_convolution(path, couplings, form, by_node=not form.sums_only)
    return _planned(plain, optimise_for_registers(plain) if form.sums_only else optimise_over_graph(plain))


def _planned(plain: Kernel, best: Optimised) -> PlannedKernel:
    return PlannedKernel(best.kernel, best.strategy, cost(plain), cost(best.kernel))
