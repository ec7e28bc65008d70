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
        if len(statement.value.terms) == 1:
            return "\n".join(self._opened(statement.value.terms[0], head, indent))
        return "\n".join((head + "(", *self._lines(statement.value, indent + 4), " " * indent + ")"))

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
        """The terms over as few lines as hold them; one too long for a line is opened at its bracket."""
        lines: list[str] = []
        margin = " " * indent
        for term, piece in zip(_positive_first(value.terms), self._pieces(value), strict=True):
            if lines and lines[-1] != margin + _CLOSED and len(lines[-1]) + 1 + len(piece) <= MAX_LINE:
                lines[-1] += f" {piece}"
            elif indent + len(piece) <= MAX_LINE:
                lines.append(margin + piece)
            else:
                sign = f"{_operator(term)} " if lines else ""
                lines += self._opened(abs(term) if lines else term, margin + sign, indent)
        return lines

    def _opened(self, term: Term, head: str, indent: int) -> list[str]:
        """``head a * b * (``, the last bracket's terms on lines of their own, ``)``."""
        *front, bracket = term.factors
        if not isinstance(bracket, Sum):
            return [head + self._signed(term)]
        before = self._signed(Term(term.coefficient, (*front, "")))
        return [f"{head}{before}(", *self._lines(bracket, indent + 4), " " * indent + _CLOSED]

    def _signed(self, term: Term) -> str:
        text = self._unsigned(term)
        if term.coefficient.sign > 0:
            return text
        if abs(term.coefficient) != ONE or not term.factors:
            return f"-{text}"
        return f"-{text}" if len(term.factors) == 1 else f"-({text})"  # one rounding either way

    def _unsigned(self, term: Term) -> str:
        parts = [self._factor(factor) for factor in term.factors]
        if abs(term.coefficient) != ONE or not parts:
            parts.insert(0, self._surd(abs(term.coefficient)))
        return " * ".join(parts)

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


def _positive_first(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms with a positive one in front, where there is one, so that no leading minus is printed."""
    at = next((at for at, term in enumerate(terms) if term.coefficient.sign > 0), 0)
    return (terms[at], *terms[:at], *terms[at + 1 :])
