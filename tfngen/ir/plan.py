"""Decide how every kernel is computed: lower it, optimise it, and keep what that came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfngen.ir.cost import Cost, cost
from tfngen.ir.lower_harmonics import GradientEntry, lower_harmonics
from tfngen.ir.lower_paths import Coupling, lower_path
from tfngen.ir.nodes import Kernel
from tfngen.ir.passes import optimise
from tfngen.irreps import Path
from tfngen.roles import Role


@dataclass(frozen=True, slots=True)
class PlannedKernel:
    """A kernel ready to print, the strategy that won, and its cost before and after."""

    kernel: Kernel
    strategy: str
    plain: Cost
    cost: Cost


@dataclass(frozen=True, slots=True)
class PathPlan:
    """The four kernels of a path, in the order of `Role`."""

    path: Path
    couplings: tuple[Coupling, ...]
    kernels: tuple[PlannedKernel, ...]


@dataclass(frozen=True, slots=True)
class HarmonicsPlan:
    """The spherical harmonics' value, vjp and vjp of the vjp, in that order."""

    lmax: int
    normalization: str
    kernels: tuple[PlannedKernel, ...]


def plan_path(path: Path, couplings: Sequence[Coupling], strategy: str, channels: int) -> PathPlan:
    """All four roles of `path`, each in its cheapest form (see `passes.optimise`)."""
    plain = [lower_path(path, couplings, role) for role in Role]
    return PathPlan(path, tuple(couplings), tuple(_plan(kernel, strategy, channels) for kernel in plain))


def plan_harmonics(
    lmax: int, normalization: str, gradient: Callable[[int], Sequence[GradientEntry]]
) -> HarmonicsPlan:
    """The harmonics up to `lmax` and their first two derivatives."""
    plain = [lower_harmonics(lmax, normalization, gradient, order) for order in range(3)]
    return HarmonicsPlan(lmax, normalization, tuple(_plan(kernel, "outer", 1) for kernel in plain))


def _plan(plain: Kernel, strategy: str, channels: int) -> PlannedKernel:
    best = optimise(plain, strategy, channels)
    return PlannedKernel(best.kernel, best.strategy, cost(plain), cost(best.kernel))
