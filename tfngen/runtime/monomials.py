"""Which products of a node's own features there are in a symmetric contraction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Monomials:
    """Which products of three components each output is a sum of.

    Attributes:
        components: how many there are.
        outputs: how many there are.
        each: (M, i, j, k) of every monomial, i ≤ j ≤ k; its place is that of its coefficient.
    """

    components: int
    outputs: int
    each: tuple[tuple[int, int, int, int], ...]

    def __post_init__(self) -> None:
        for output, *three in self.each:
            if not 0 <= output < self.outputs:
                raise ValueError(f"each: output {output}; with outputs = {self.outputs} it must be less")
            if sorted(three) != three or not 0 <= three[0] <= three[2] < self.components:
                raise ValueError(
                    f"each: components {tuple(three)}; they must ascend, from 0 to below {self.components}"
                )
        if len({*self.each}) < len(self.each):
            raise ValueError("each: some monomial is there twice; its coefficients must be added")

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The same as integers, which is what an operator's schema can carry."""
        return (self.components, self.outputs, *(number for each in self.each for number in each))

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, numbers: tuple[int, ...]) -> Monomials:
        """The inverse of `numbers`.

        Raises:
            ValueError: as many integers as no `Monomials` have, or others than those may be.
        """
        if len(numbers) < 2 or len(numbers) % 4 != 2:
            raise ValueError(f"monomials: {len(numbers)} integers; there must be 2 and 4 for each of them")
        components, outputs, *others = numbers
        each = zip(*(others[at::4] for at in range(4)), strict=True)
        return cls(components, outputs, tuple(each))


class Table(NamedTuple):
    """Rows of sums, for each of them groups with a common factor, for each of those monomials with a pair.

    Attributes:
        rows: where each row's groups begin, and after the last of them where they end.
        groups: for each group its factor's component and where its monomials begin; the end of the last.
        monomials: for each of a group which one it is, and which pair it goes with.
    """

    rows: np.ndarray
    groups: np.ndarray
    monomials: np.ndarray

    @classmethod
    def of(cls, found: Iterable[tuple[int, int, int, int]], count: int) -> Table:
        """Of (row, factor, monomial, pair) in any order, with `count` rows."""
        ordered = sorted(found)
        heads = [at for at, each in enumerate(ordered) if at == 0 or each[:2] != ordered[at - 1][:2]]
        groups = [(ordered[at][1], at) for at in heads] + [(0, len(ordered))]
        starts = np.searchsorted([ordered[at][0] for at in heads], range(count + 1))
        return cls(
            np.ascontiguousarray(starts, np.int64),
            np.array(groups, np.int64),
            np.array([each[2:] for each in ordered], np.int64).reshape(-1, 2),
        )


class Tables(NamedTuple):
    """Everything that kernels read of some `Monomials`.

    Attributes:
        count: how many monomials there are.
        pairs: the components of each pair j ≤ k.
        by_output: outputs are the rows, the factors components.
        by_input: components are the rows, the factors outputs.
        by_monomial: monomials are the rows, the factors components, and outputs stand where monomials did.
    """

    count: int
    pairs: np.ndarray
    by_output: Table
    by_input: Table
    by_monomial: Table

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, numbers: tuple[int, ...]) -> Tables:
        """Every monomial x_i x_j x_k in all ways to call one of its components the first.

        Args:
            numbers: those of `Monomials`.
        """
        monomials = Monomials.of(numbers)
        pairs: dict[tuple[int, int], int] = {}
        found = []
        for number, (output, *three) in enumerate(monomials.each):
            for first in sorted({*three}):
                others = sorted(three)
                others.remove(first)
                pair = pairs.setdefault((others[0], others[1]), len(pairs))
                found.append((output, first, number, pair))
        return cls(
            len(monomials.each),
            np.array([*pairs], np.int64).reshape(-1, 2),
            Table.of(found, monomials.outputs),
            Table.of([(first, output, *others) for output, first, *others in found], monomials.components),
            Table.of(
                [(number, first, output, pair) for output, first, number, pair in found], len(monomials.each)
            ),
        )
