"""MACE's symmetric contractions, which multiply a node's features with themselves.

A contraction up to degree 3 is a polynomial of a channel's components, whose coefficients are sums of
weights: U has one for each order of the components, most of them zero. Collected by monomial few are left.
Polynomials of degree 3 alone are computed (`tfngen.runtime.symmetric_operators`): those of lower degree have
a component that is always one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from math import factorial

import torch
from torch import Tensor, nn

from tfngen.interop.description import UnsupportedError
from tfngen.interop.e3nn import dtype_of
from tfngen.interop.edges import remembered
from tfngen.interop.packages import DTYPES, OnDevices, compiles_for
from tfngen.interop.standin import Made, Standin
from tfngen.runtime.dispatch import are_watched
from tfngen.runtime.monomials import Monomials
from tfngen.runtime.symmetric_operators import symmetric_contraction

DEGREE = 3
NOTHING = 1e-6
"""Of the largest coefficient: what rounding has left of one that is zero."""


class SymmetricContraction(Standin):
    """A `mace.modules.symmetric_contraction.SymmetricContraction` that multiplies each pair once.

    Args:
        original: what to stand in for.

    Raises:
        UnsupportedError: with the reason.
    """

    by = "polynomials with one term for each monomial"

    def __init__(self, original: nn.Module) -> None:
        super().__init__(original)
        parts, self.__dict__["outputs"] = _parts(original.contractions)
        each = [monomial for monomials, _, _ in parts for monomial in monomials]
        components, outputs = _components(original) + 1, sum(self.outputs)
        self.__dict__["monomials"] = Monomials(components, outputs, tuple(each))
        self.__dict__["parts"] = [(OnDevices(matrix), weight) for _, matrix, weight in parts]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """As the original's: x (nodes, channels, components) and y (nodes, species), one of them 1.0.

        Where y is something else, or there are no kernels for x, the original computes. Who records a program
        may not look: then each node has coefficients of its own, which are right for any y.
        """
        is_known = x.dtype in DTYPES and compiles_for(x.device)
        if is_known and are_watched((x, y)):
            rows = torch.arange(x.shape[0], device=x.device)
            return self._sums(x, rows, lambda weight: (y @ weight.flatten(1)).unflatten(1, weight.shape[1:]))
        species = remembered((y,), "species", lambda: _species(y)) if is_known else None
        if species is None:
            found: Tensor = self.original(x, y)
            return found
        present, rows = species
        return self._sums(x, rows, lambda weight: weight.index_select(0, present))

    def _sums(self, x: Tensor, rows: Tensor, chosen: Callable[[Tensor], Tensor]) -> Tensor:
        """The products of x, where each node has that row of the weights that are chosen."""
        coefficients = [matrix.like(x) @ chosen(self._weight(*which)) for matrix, which in self.parts]
        given = torch.cat([x.mT, x.new_ones(x.shape[0], 1, x.shape[1])], 1)
        sums = symmetric_contraction(self.monomials, rows, torch.cat(coefficients, 1), given)
        return torch.cat([each.mT.flatten(1) for each in sums.split(self.outputs, 1)], 1)

    def left_on(self, device: torch.device) -> str:
        """Why tensors of `device` would be left to the original; empty where they would not."""
        return "" if compiles_for(device) else f"there are no kernels for {device.type} here"

    def _weight(self, contraction: int, degree: int) -> Tensor:
        weight: Tensor = _weight(self.contractions[contraction], degree)
        return weight


_Part = tuple[list[tuple[int, int, int, int]], Tensor, tuple[int, int]]
"""Monomials, what their coefficients are made of weights by (monomials, weights), and whose and which."""


def _parts(contractions: nn.ModuleList) -> tuple[list[_Part], list[int]]:
    """All that there is to them, degree by degree; and how many components the output of each has."""
    parts: list[_Part] = []
    outputs: list[int] = []
    for number, contraction in enumerate(contractions):
        degree = contraction.correlation
        if not 1 <= degree <= DEGREE:
            raise UnsupportedError(f"correlation {degree}; known are 1 to {DEGREE}")
        tables = [_table(contraction.U_tensors(each), each) for each in range(1, degree + 1)]
        for each, table in enumerate(tables, start=1):
            if monomials := [*_monomials(table, each, sum(outputs))]:
                places, others = zip(*monomials, strict=True)
                matrix = torch.stack([table[place] for place in places])
                matrix *= factorial(DEGREE - each) / factorial(DEGREE)
                parts.append(([*others], matrix, (number, each)))
        outputs.append(tables[0].shape[0])
    return parts, outputs


def _table(matrix: Tensor, degree: int) -> Tensor:
    """U (outputs, components, …, components, weights) in float64, summed over all orders of components."""
    table = matrix.detach().cpu().double()
    table = table if table.dim() == degree + 2 else table[None]
    return sum(
        (table.permute(0, *order, degree + 1) for order in permutations(range(1, degree + 1))),
        start=torch.zeros_like(table),
    )


def _monomials(
    table: Tensor, degree: int, before: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, int, int, int]]]:
    """Where in the table each monomial is, and what it is once outputs come after so many others."""
    size = table.abs().amax(-1)
    one = table.shape[1]
    for place in (size > NOTHING * size.max()).nonzero().tolist():
        output, *components = place
        if components == sorted(components):
            three = [*components, *[one] * (DEGREE - degree)]
            yield tuple(place), (before + output, three[0], three[1], three[2])


def _weight(contraction: nn.Module, degree: int) -> Tensor:
    """(species, weights, channels): from the highest degree down they are the last and then in a list."""
    highest: int = contraction.correlation
    weight: Tensor = (
        contraction.weights_max if degree == highest else contraction.weights[highest - 1 - degree]
    )
    return weight


def _components(original: nn.Module) -> int:
    """How many components a channel has."""
    first = original.contractions[0]
    found: int = first.U_tensors(first.correlation).shape[-2]
    return found


def _species(y: Tensor) -> tuple[Tensor, Tensor] | None:
    """The species there are, and which of them each node is of; None if some node is not of one."""
    if y.requires_grad:
        return None
    species = y.argmax(1)
    is_one = torch.zeros_like(y).scatter_(1, species[:, None], 1.0)
    return species.unique(return_inverse=True) if torch.equal(is_one, y) else None


def symmetric_contraction_of(original: nn.Module) -> Made:
    """The stand-in, and a call of either with five nodes of random species."""
    dtype = dtype_of(original)
    weight = _weight(original.contractions[0], original.contractions[0].correlation)

    def call(module: nn.Module) -> Tensor:
        species = torch.randint(weight.shape[0], (5,))
        one_of = torch.nn.functional.one_hot(species, weight.shape[0]).to(dtype)
        found: Tensor = module(torch.randn(5, weight.shape[2], _components(original), dtype=dtype), one_of)
        return found

    return SymmetricContraction(original), call
