"""Contract the coefficients once per edge: the coupling M[m_I, m_O] = Σ C[m_F, m_I, m_O] · filter[m_F].

Σ over nonzeros of C · filter · input becomes Σ M · input in the channel loop, with M computed ahead of it.
Where channels are summed (`d_filter`) it works the other way round: the loop sums the moments
Σ_c weight · input · grad, and the coefficients are applied once, after it.
"""

from __future__ import annotations

from dataclasses import replace

from tfngen.ir.nodes import ONE, Factor, Kernel, Scope, Statement, Sum, Term, fresh

Monomial = tuple[Factor, ...]


def hoist(kernel: Kernel) -> Kernel:
    """Move everything that is the same for all channels out of the channel loop.

    No operation is added per channel, no multiplication anywhere; the moments of one sum are added up after
    the loop, though, so `optimise` counts whether they are worth it.
    """
    return _hoisted(_Hoister(kernel), kernel)


def hoist_few_sums(kernel: Kernel) -> Kernel:
    """`hoist`, with few sums instead of many moments: a sum of all that one size of coefficient multiplies.

    A product in several results is added up in each of them, which is more work than one moment for all; but
    sums are what a processor has few registers for.
    """
    return _hoisted(_FewSums(kernel), kernel)


def _hoisted(hoister: _Hoister, kernel: Kernel) -> Kernel:
    for statement in kernel.body:
        hoister.rewrite(statement)
    return replace(
        kernel,
        before=(*kernel.before, *hoister.before),
        body=tuple(hoister.body),
        after=(*hoister.after, *kernel.after),
    )


class _Hoister:
    """The statements moved so far, and the names they took."""

    def __init__(self, kernel: Kernel) -> None:
        self.edge_symbols = set(kernel.edge_symbols)
        self.outputs = frozenset(kernel.output_symbols)
        self.taken = set(kernel.names)
        self.components = {
            symbol: symbol.removeprefix(operand.name).removeprefix("_")
            for operand in kernel.inputs + kernel.outputs
            if operand.scope is Scope.CHANNEL
            for symbol in operand.symbols
        }
        for statement in kernel.body:  # weighted_input_x is as much of a component x as input_x
            ends = (each for each in self.components if statement.name.endswith(f"_{each}"))
            self.components.setdefault(statement.name, self.components.get(next(ends, ""), ""))
        self.origins = {
            symbol: operand.name.removeprefix("filter")
            for operand in kernel.inputs
            if operand.scope is Scope.EDGE
            for symbol in operand.symbols
        }
        self.before: list[Statement] = []
        self.body: list[Statement] = []
        self.after: list[Statement] = []
        self.moments: dict[Monomial, str] = {}

    def rewrite(self, statement: Statement) -> None:
        """Divide `statement` among the three blocks."""
        groups: dict[Monomial, list[Term]] = {}
        for term in statement.value.terms:
            channel = tuple(factor for factor in term.factors if not self._same_for_all_channels(factor))
            edge = tuple(factor for factor in term.factors if self._same_for_all_channels(factor))
            groups.setdefault(channel, []).append(Term(term.coefficient, edge))
        if statement.accumulate and () not in groups:
            self._contract_after(statement, groups)
        elif not statement.accumulate and statement.name not in self.outputs and groups.keys() <= {()}:
            self.before.append(statement)
            self.edge_symbols.add(statement.name)
        else:
            coupled = (self._coupled(statement, channel, edge) for channel, edge in groups.items())
            self.body.append(statement.with_value(Sum(tuple(term for terms in coupled for term in terms))))

    def _same_for_all_channels(self, factor: Factor) -> bool:
        symbols = (factor,) if isinstance(factor, str) else factor.symbols()
        return self.edge_symbols.issuperset(symbols)

    def _coupled(self, statement: Statement, channel: Monomial, edge: list[Term]) -> list[Term]:
        """The terms `edge` · `channel`, with the sum over `edge` computed ahead of the loop."""
        if not any(term.factors for term in edge) or Sum(tuple(edge)).is_alias:
            return [Term(term.coefficient, (*term.factors, *channel)) for term in edge]
        origins = {self.origins.get(symbol, "") for symbol in Sum(tuple(edge)).symbols()}
        kind = f"coupling{origins.pop()}" if len(origins) == 1 else "coupling"
        name = self._name(kind, (*channel, statement.name))
        self.before.append(Statement(name, Sum(tuple(edge))))
        return [Term(ONE, (name, *channel))]

    def _contract_after(self, statement: Statement, groups: dict[Monomial, list[Term]]) -> None:
        """Sum each channel monomial over the channels; combine the sums after the loop."""
        if self._is_contracted(groups):
            self.body.append(statement)
            (monomial, *others) = groups
            if not others and groups[monomial] == [Term(ONE)]:
                self.moments[monomial] = statement.name
            return
        contracted: list[Term] = []
        for channel, edge in groups.items():
            if channel not in self.moments:
                self.moments[channel] = self._name("moment", channel)
                summand = Sum((Term(ONE, channel),))
                self.body.append(Statement(self.moments[channel], summand, accumulate=True))
            moment = self.moments[channel]
            contracted += [Term(term.coefficient, (*term.factors, moment)) for term in edge]
        self.after.append(Statement(statement.name, Sum(tuple(contracted))))

    def _is_contracted(self, groups: dict[Monomial, list[Term]]) -> bool:
        """Whether there is neither a coefficient to apply later nor a moment to use again."""
        bare = all(len(edge) == 1 and abs(edge[0]) == Term(ONE) for edge in groups.values())
        return bool(groups) and bare and self.moments.keys().isdisjoint(groups)

    def _name(self, kind: str, factors: Monomial) -> str:
        suffixes = (self.components.get(factor, "") for factor in factors if isinstance(factor, str))
        name = fresh("_".join((kind, *filter(None, suffixes))), self.taken)
        self.taken.add(name)
        return name


class _FewSums(_Hoister):
    """Moments that share the size of their coefficient are summed together, over terms and channels."""

    def _contract_after(self, statement: Statement, groups: dict[Monomial, list[Term]]) -> None:
        sums: dict[Term, list[Term]] = {}
        for channel, edge in groups.items():
            for term in edge:
                sign = ONE if term.coefficient.sign > 0 else -ONE
                sums.setdefault(abs(term), []).append(Term(sign, channel))
        if list(sums) == [Term(ONE)]:
            self.body.append(statement)
            return
        contracted: list[Term] = []
        for scale, terms in sums.items():
            name = fresh(f"sum_{statement.name.rpartition('_')[2]}", self.taken)
            self.taken.add(name)
            self.body.append(Statement(name, Sum(tuple(terms)), accumulate=True))
            contracted.append(Term(scale.coefficient, (*scale.factors, name)))
        self.after.append(Statement(statement.name, Sum(tuple(contracted))))
