"""Write down the kernels of a path over a graph (`tfngen.forms`): a product for each coefficient and operand.

Where input and weight only occur as their product, its change along their tangents is computed once.

What a target holds, its gradient, is the same for all its edges. Contracted with the coefficients once,

    held[m_F, m_I] = Σ C[m_F, m_I, m_O] · grad[m_O]
    T = Σ_edges Σ weight · filter[m_F] · input[m_I] · held[m_F, m_I]

it leaves nothing but products to the edges: no coefficients, and no couplings to be made for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfngen import naming
from tfngen.forms import TANGENT, Form
from tfngen.ir.lower_paths import Coupling
from tfngen.ir.nodes import ONE, Kernel, Operand, Scope, Statement, Sum, Term
from tfngen.irreps import Path
from tfngen.symbolic.surd import Surd


def lower_convolution(path: Path, couplings: Iterable[Coupling], form: Form, by_node: bool = False) -> Kernel:
    """The kernel of `form` for `path`, one product for each nonzero coefficient and operand.

    Args:
        path: the degrees (l_F, l_I, l_O).
        couplings: the nonzero C[m_F, m_I, m_O].
        form: which derivatives of T; not by its gradient, if `by_node`.
        by_node: whether the gradient is contracted with the coefficients for all edges of its node at once.
    """
    couplings = tuple(couplings)
    products = _Products(path, form)
    node = products.hold(couplings) if by_node else ()
    results = [_operand(path, slot, name) for slot, name in zip(form.by, form.results, strict=True)]
    body = [
        statement
        for slot, result in zip(form.by, results, strict=True)
        for statement in products.statements(slot, result, couplings)
    ]
    return Kernel(
        name=form.name,
        inputs=tuple(_operand(path, name) for name in form.operands),
        outputs=tuple(results),
        body=(*products.shared.values(), *body),
        node=node,
    )


class _Products:
    """What stands in T for weight · input, alone or along tangents, and the statements that define it."""

    def __init__(self, path: Path, form: Form) -> None:
        self.path, self.form = path, form
        self.shared: dict[str, Statement] = {}
        self.held: dict[tuple[str, int, int], str] = {}

    def hold(self, couplings: tuple[Coupling, ...]) -> tuple[Statement, ...]:
        """held[m_F, m_I] = Σ C · grad, which from now on stands for the gradient and its coefficients.

        The same for the gradient's tangent, if it has one.
        """
        terms: dict[tuple[str, int, int], list[Term]] = {}
        for name in self.form.held:
            for *m, coefficient in couplings:
                index = self._index(*m)
                grad = Term(coefficient, (self._symbol(name, index),))
                terms.setdefault((name, index["filter"], index["input"]), []).append(grad)
        filters, inputs = (naming.components(each) for each in (self.path.l_filter, self.path.l_input))
        self.held = {
            each: f"{each[0].replace('grad', 'held')}_{filters[each[1]]}_{inputs[each[2]]}" for each in terms
        }
        return tuple(Statement(self.held[pair], Sum(tuple(each))) for pair, each in terms.items())

    def statements(self, slot: str, result: Operand, couplings: tuple[Coupling, ...]) -> list[Statement]:
        """∂T/∂slot, component by component."""
        terms: dict[str, list[Term]] = {symbol: [] for symbol in result.symbols}
        pairs = dict.fromkeys((m_filter, m_input) for m_filter, m_input, *_ in couplings)
        for *m, coefficient in [(*pair, 0, ONE) for pair in pairs] if self.held else couplings:
            index = self._index(*m)
            terms[result.symbols[index[slot]]] += self._terms(slot, index, coefficient)
        accumulate = result.scope is Scope.EDGE
        return [Statement(symbol, Sum(tuple(each)), accumulate) for symbol, each in terms.items()]

    def _terms(self, slot: str, index: dict[str, int], coefficient: Surd) -> list[Term]:
        others = [each for each in ("filter", "input", "weight", "grad") if each != slot]
        symbols = {each: self._symbol(each, index) for each in others}
        if not self.form.along:
            return [Term(coefficient, tuple(symbols.values()))]
        along = [each for each in others if each in self.form.along]
        if "weight" in others and "input" in others:
            held = {each: symbols[each] for each in others if each not in ("weight", "input")}
            terms = [Term(coefficient, (self._change(index), *held.values()))] if "input" in along else []
            symbols = {"product": self._weighted(index), **held} if held.keys() & along else {}
            along = [each for each in along if each in held]
        else:
            terms = []
        tangents = {each: self._symbol(each + TANGENT, index) for each in along}
        return terms + [
            Term(coefficient, tuple({**symbols, each: tangent}.values()))
            for each, tangent in tangents.items()
        ]

    def _index(self, m_filter: int, m_input: int, m_output: int) -> dict[str, int]:
        """Which component of each slot."""
        return {
            "filter": m_filter + self.path.l_filter,
            "input": m_input + self.path.l_input,
            "weight": 0,
            "grad": m_output + self.path.l_output,
        }

    def _symbol(self, name: str, index: dict[str, int]) -> str:
        if self.held and name in ("grad", f"grad{TANGENT}"):
            return self.held[name, index["filter"], index["input"]]
        return _operand(self.path, name).symbols[index[name.removesuffix(TANGENT)]]

    def _weighted(self, index: dict[str, int]) -> str:
        """weight · input, as a statement of its own."""
        symbol = self._symbol("input", index)
        return self._share(f"weighted_{symbol}", Sum((Term(ONE, (symbol, "weight")),)))

    def _change(self, index: dict[str, int]) -> str:
        """Δ(weight · input) along the tangents of both."""
        symbol, tangent = self._symbol("input", index), self._symbol(f"input{TANGENT}", index)
        terms = Term(ONE, (tangent, "weight")), Term(ONE, (symbol, f"weight{TANGENT}"))
        return self._share(f"change_of_weighted_{symbol}", Sum(terms))

    def _share(self, name: str, value: Sum) -> str:
        self.shared.setdefault(name, Statement(name, value))
        return name


def _operand(path: Path, name: str, named: str | None = None) -> Operand:
    """The operand called `name`, a slot or a slot's tangent; or the result that has its shape."""
    slot = name.removesuffix(TANGENT)
    degrees = {"filter": path.l_filter, "input": path.l_input, "grad": path.l_output}
    scope = Scope.EDGE if slot == "filter" else Scope.CHANNEL
    shown = named or name
    suffixes = naming.components(degrees[slot]) if slot in degrees else ()
    return Operand(shown, f"{shown}s", tuple(f"{shown}_{suffix}" for suffix in suffixes) or (shown,), scope)
