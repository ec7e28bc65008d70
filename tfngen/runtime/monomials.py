"""Which products of a node's own features there are in a symmetric contraction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
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

    @property
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
