"""Decide how every kernel is computed: lower it, optimise it, and keep what that came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfngen.forms import FORMS
from tfngen.ir.cost import Cost, cost
from tfngen.ir.lower_convolution import lower_convolution
from tfngen.ir.lower_harmonics import GradientEntry, lower_harmonics
from tfngen.ir.lower_paths import Coupling, lower_path
from tfngen.ir.nodes import Kernel
from tfngen.ir.passes import optimise, optimise_over_graph
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
            the gradient with the coefficients once for all edges of a node.
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
    by_edge = {
        form: _plan_over_graph(lower_convolution(path, couplings, form))
        for form in FORMS
        if "cuda" in targets or (form.sums_only and "cpu" in targets)
    }
    by_node = {
        form: _plan_over_graph(lower_convolution(path, couplings, form, by_node=True))
        for form in FORMS
        if not form.sums_only and "cpu" in targets
    }
    rows = [lower_path(path, couplings, role, weighted=False) for role in UNWEIGHTED]
    return PathPlan(
        path,
        tuple(couplings),
        tuple(_plan(kernel, strategy, channels) for kernel in roles),
        tuple(by_edge[form] for form in FORMS) if "cuda" in targets else (),
        tuple((by_edge | by_node)[form] for form in FORMS) if "cpu" in targets else (),
        tuple(_plan(kernel, strategy, PARTNERS) for kernel in rows),
    )


def plan_harmonics(
    lmax: int, normalization: str, gradient: Callable[[int], Sequence[GradientEntry]]
) -> HarmonicsPlan:
    """The harmonics up to `lmax` and their first two derivatives."""
    plain = [lower_harmonics(lmax, normalization, gradient, order) for order in range(3)]
    return HarmonicsPlan(lmax, normalization, tuple(_plan(kernel, "outer", 1) for kernel in plain))


def _plan(plain: Kernel, strategy: str, channels: int) -> PlannedKernel:
    best = optimise(plain, strategy, channels)
    return PlannedKernel(best.kernel, best.strategy, cost(plain), cost(best.kernel))


def _plan_over_graph(plain: Kernel) -> PlannedKernel:
    best = optimise_over_graph(plain)
    return PlannedKernel(best.kernel, best.strategy, cost(plain), cost(best.kernel))
