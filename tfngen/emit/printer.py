"""Print IR as Python: one method per node, every constant with its name and its type.

A bare float in a float32 kernel would make the compiler compute in double precision, so no number is ever
printed into an expression: coefficients become named constants, ``SQRT_3_10`` for √(3/10), which the module
defines once with ``constant(…)`` in the kernel's own type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt, pi

from tfngen.ir.nodes import ONE, Factor, Statement, Sum, Term
from tfngen.symbolic.surd import Surd

MAX_LINE = 110
_CLOSED = ")"


@dataclass(frozen=True, slots=True)
class Constant:
    """A named number: what it is called, its value to 17 digits, and what it is exactly."""

    name: str
    value: float
    exact: str


@dataclass
class Printer:
    """Prints expressions, and remembers which constants they need."""

    _constants: dict[str, Constant] = field(default_factory=dict)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The constants used so far, by name."""
        return tuple(self._constants[name] for name in sorted(self._constants))

    def statement(self, statement: Statement, indent: int = 0) -> str:
        """``name = value`` (``+=`` for an accumulator), broken over lines where it is too long."""
        head = f"{' ' * indent}{statement.name} {'+=' if statement.accumulate else '='} "
        line = head + self.sum(statement.value)
        if len(line) <= MAX_LINE:
            return line
        opened = self._opened_at_its_end(statement.value, head, indent)
        lines = opened or (head + "(", *self._lines(statement.value, indent + 4), " " * indent + _CLOSED)
        return "\n".join(lines)

    def sum(self, value: Sum) -> str:
        """``a + b - c``; a sum without terms is ``zero()``."""
        return " ".join(self._pieces(value))

    def _pieces(self, value: Sum) -> list[str]:
        """The terms as text, each but the first behind its operator."""
        if not value.terms:
            return ["zero()"]
        first, *rest = _positive_first(value.terms)
        return [self._signed(first), *(f"{_operator(term)} {self._unsigned(term)}" for term in rest)]

    def _lines(self, value: Sum, indent: int) -> list[str]:
        """The terms over as few lines as hold them; one too long for a line is broken between its factors."""
        margin = " " * indent
        if not value.terms:
            return [margin + self.sum(value)]
        lines: list[str] = []
        for term, piece in zip(_positive_first(value.terms), self._pieces(value), strict=True):
            if lines and lines[-1] != margin + _CLOSED and len(lines[-1]) + 1 + len(piece) <= MAX_LINE:
                lines[-1] += f" {piece}"
            elif indent + len(piece) <= MAX_LINE:
                lines.append(margin + piece)
            else:
                sign = f"{_operator(term)} " if lines else _minus(term)
                lines += self._broken(term, margin + sign, indent)
        return lines

    def _broken(self, term: Term, head: str, indent: int) -> list[str]:
        """`head` and the factors over as few lines as hold them; a bracket that does not fit is opened."""
        margin = " " * indent
        lines = [head]
        for at, factor in enumerate(self._parts(term)):
            times = "* " if at else ""
            joint = f" {times}" if at else ""
            whole = self._factor(factor)
            fits = len(lines[-1] + joint + whole) <= MAX_LINE
            text = "(" if isinstance(factor, Sum) and not fits else whole
            if len(lines[-1] + joint + text) <= MAX_LINE:
                lines[-1] += joint + text
            else:
                lines.append(margin + times + text)
            if isinstance(factor, Sum) and not fits:
                lines += [*self._lines(factor, indent + 4), margin + _CLOSED]
        return lines

    def _opened_at_its_end(self, value: Sum, head: str, indent: int) -> list[str] | None:
        """``name = a * b * (``, the bracket's terms, ``)``: a product that needs no brackets around it."""
        if len(value.terms) != 1:
            return None
        (term,) = value.terms
        *front, last = self._parts(term)
        start = head + _minus(term) + " * ".join((*map(self._factor, front), "("))
        fits = isinstance(last, Sum) and len(start) <= MAX_LINE
        return self._broken(term, head + _minus(term), indent) if fits else None

    def _signed(self, term: Term) -> str:
        text = self._unsigned(term)
        if term.coefficient.sign > 0:
            return text
        one_part = abs(term.coefficient) != ONE or len(term.factors) <= 1
        return f"-{text}" if one_part else f"-({text})"  # one rounding either way

    def _unsigned(self, term: Term) -> str:
        return " * ".join(map(self._factor, self._parts(term)))

    def _parts(self, term: Term) -> tuple[Factor, ...]:
        """What is multiplied, the sign apart: the constant's name, where there is one, and the factors."""
        size = abs(term.coefficient)
        return term.factors if size == ONE and term.factors else (self._surd(size), *term.factors)

    def _factor(self, factor: Factor) -> str:
        if isinstance(factor, Sum):
            return f"({self.sum(factor)})"
        if factor == "INVERSE_SQRT_PI":
            self._constants[factor] = Constant(factor, 1 / pi**0.5, "1/√π")
        return factor

    def _surd(self, value: Surd) -> str:
        constant = Constant(constant_name(value), float(value), str(value))
        self._constants[constant.name] = constant
        return constant.name


def constant_name(value: Surd) -> str:
    """The name of a positive surd: ``SQRT_3_10`` for √(3/10), ``HALF``-like rationals as ``RATIO_1_2``."""
    numerator, denominator = value.numerator, value.denominator
    root, under = isqrt(numerator), isqrt(denominator)
    if root * root == numerator and under * under == denominator:
        return f"RATIO_{root}_{under}" if under != 1 else f"INTEGER_{root}"
    return f"SQRT_{numerator}_{denominator}" if denominator != 1 else f"SQRT_{numerator}"


def _operator(term: Term) -> str:
    return "-" if term.coefficient.sign < 0 else "+"


def _minus(term: Term) -> str:
    return "-" if term.coefficient.sign < 0 else ""


def _positive_first(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms with a positive one in front, where there is one, so that no leading minus is printed."""
    at = next((at for at, term in enumerate(terms) if term.coefficient.sign > 0), 0)
    return (terms[at], *terms[:at], *terms[at + 1 :])
