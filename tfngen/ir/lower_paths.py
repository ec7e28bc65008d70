"""Write the four roles of a path down as kernels: one product for each nonzero coefficient.

Nothing here tries to be fast. `passes` do, and the plain kernel is what they are judged against.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfngen import naming
from tfngen.ir.nodes import Kernel, Operand, Scope, Statement, Sum, Term
from tfngen.irreps import Path
from tfngen.roles import SLOTS, Role
from tfngen.symbolic.surd import Surd

Coupling = tuple[int, int, int, Surd]
"""(m_filter, m_input, m_output, C)"""

_ARRAYS = {"filter": "filters", "input": "inputs", "weight": "weights", "grad": "grads"}


def lower_path(path: Path, couplings: Iterable[Coupling], role: Role, weighted: bool = True) -> Kernel:
    """The kernel of `role` for `path`, straight from its coefficients.

    Args:
        path: the degrees (l_F, l_I, l_O).
        couplings: the nonzero C[m_F, m_I, m_O].
        role: which derivative of T (see `tfngen.roles`).
        weighted: whether there is a weight; without it T is that of all weights one.
    """
    slots = tuple(slot for slot in ("weight", "filter", "input", "grad") if weighted or slot != "weight")
    result = _operand(path, role.slot, result_of=role)
    terms: dict[str, list[Term]] = {symbol: [] for symbol in result.symbols}
    for m_filter, m_input, m_output, coefficient in couplings:
        index = {
            "filter": m_filter + path.l_filter,
            "input": m_input + path.l_input,
            "weight": 0,
            "grad": m_output + path.l_output,
        }
        factors = tuple(_operand(path, slot).symbols[index[slot]] for slot in slots if slot != role.slot)
        terms[result.symbols[index[role.slot]]].append(Term(coefficient, factors))
    summed_over_channels = result.scope is Scope.EDGE
    return Kernel(
        name=role.value,
        inputs=tuple(_operand(path, slot) for slot in role.operands if slot in slots),
        outputs=(result,),
        body=tuple(
            Statement(symbol, Sum(tuple(products)), accumulate=summed_over_channels)
            for symbol, products in terms.items()
        ),
    )


def _operand(path: Path, slot: str, result_of: Role | None = None) -> Operand:
    """The operand in `slot`, named for itself, or for the role whose result it is."""
    degrees = dict(zip(SLOTS, (path.l_filter, path.l_input, None, path.l_output), strict=True))
    name = slot if result_of is None else result_of.value
    array = _ARRAYS[slot] if result_of is None else "results"
    scope = Scope.EDGE if slot == "filter" else Scope.CHANNEL
    degree = degrees[slot]
    suffixes = () if degree is None else naming.components(degree)
    return Operand(name, array, tuple(f"{name}_{suffix}" for suffix in suffixes) or (name,), scope)
