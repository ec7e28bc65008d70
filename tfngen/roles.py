"""The four roles of a path: the partial derivatives of one multilinear form.

A path is a number-valued form per edge that is linear in each of four slots:

    T = Σ C[m_F, m_I, m_O] · weight[c] · filter[m_F] · input[c, m_I] · grad[c, m_O]

Differentiating by a slot leaves a function of the other three. Those four functions are the kernels, and
differentiating any of them again gives the same four, so automatic differentiation closes to every order.
"""

from __future__ import annotations

from enum import Enum

SLOTS = ("filter", "input", "weight", "grad")
"""The slots in the order in which every kernel and operator takes them."""


class Role(str, Enum):
    """A kernel of a path, named for what it returns."""

    OUTPUT = "output"
    D_INPUT = "d_input"
    D_FILTER = "d_filter"
    D_WEIGHT = "d_weight"

    @property
    def slot(self) -> str:
        """The slot by which T is differentiated."""
        return _SLOT[self]

    @property
    def operands(self) -> tuple[str, ...]:
        """The three slots that remain, in the order of `SLOTS`."""
        return tuple(slot for slot in SLOTS if slot != self.slot)

    def __str__(self) -> str:
        return self.value


_SLOT = {Role.OUTPUT: "grad", Role.D_INPUT: "input", Role.D_FILTER: "filter", Role.D_WEIGHT: "weight"}

ROLE_OF_SLOT = {role.slot: role for role in Role}
"""The role that differentiates by a given slot."""
