r"""Coefficients and harmonics for people: as aligned text, as LaTeX, as JSON.

A `Description` is a title and rows; each row is a label (its quantum numbers) and an exact value. What a
value times π^(pi_exponent/2) equals is the number described.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tfngen.symbolic.clebsch_gordan import HalfInteger, clebsch_gordan, complex_table
from tfngen.symbolic.harmonics import PI_EXPONENT, harmonics
from tfngen.symbolic.polynomial import Polynomial
from tfngen.symbolic.surd import Surd

Orders = tuple[int | Fraction, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the orders that label it, and its exact value."""

    orders: Orders
    value: Surd | Polynomial
    latex_symbol: str


@dataclass(frozen=True, slots=True)
class Description:
    """A titled table of exact values, ready to print.

    `columns` names the orders of each row, `conventions` says in a sentence what the numbers mean.
    """

    title: str
    conventions: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    pi_exponent: int = 0

    def entries(self) -> list[tuple[str, Surd | Polynomial]]:
        """(label, value) of every row, labels such as ``m_F=-1, m_I=0, m_O=1``."""
        return [(_label(self.columns, row.orders), row.value) for row in self.rows]

    def text(self) -> str:
        """The table as aligned plain text."""
        cells = [[str(order) for order in row.orders] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        suffix = "/√π" if self.pi_exponent else ""
        lines = [self.title, self.conventions, "", _aligned(self.columns, widths)]
        lines += [
            f"{_aligned(orders, widths)}   {row.value}{suffix}"
            for orders, row in zip(cells, self.rows, strict=True)
        ]
        return "\n".join(lines) + "\n"

    def latex(self) -> str:
        r"""The table as one ``align*`` environment (package amsmath)."""
        prefix = r"\frac{1}{\sqrt{\pi}}\," if self.pi_exponent else ""
        lines = [rf"  {row.latex_symbol} &= {prefix}{row.value.latex()}" for row in self.rows]
        return "% " + self.title + "\n\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}\n"

    def json(self) -> dict[str, object]:
        """The table as plain data for `json.dumps`; a Surd is [sign, numerator, denominator]."""
        return {
            "title": self.title,
            "conventions": self.conventions,
            "pi_exponent": self.pi_exponent,
            "rows": [
                {**dict(zip(self.columns, map(_plain, row.orders), strict=True)), **_plain_value(row.value)}
                for row in self.rows
            ],
        }


def describe_clebsch_gordan(l_filter: int, l_input: int, l_output: int) -> Description:
    """The nonzero real coefficients of a path; errors as for `clebsch_gordan`."""
    rows = tuple(
        Row(
            (c.m_filter, c.m_input, c.m_output),
            c.value,
            f"C^{{({l_output},{c.m_output})}}_{{({l_filter},{c.m_filter})({l_input},{c.m_input})}}",
        )
        for c in clebsch_gordan(l_filter, l_input, l_output)
    )
    return Description(
        f"C({l_filter}, {l_input}, {l_output}): {len(rows)} nonzero real Clebsch–Gordan coefficients",
        "Unitary, for real spherical harmonics with y as polar axis; l = 1 is (x, y, z).",
        ("m_F", "m_I", "m_O"),
        rows,
    )


def describe_complex_clebsch_gordan(j1: HalfInteger, j2: HalfInteger, j: HalfInteger) -> Description:
    """The nonzero complex coefficients ⟨j₁ m₁ j₂ m₂ | j m⟩; errors as for `complex_table`."""
    table = complex_table(j1, j2, j)
    spins = [Fraction(spin) for spin in (j1, j2, j)]
    rows = tuple(
        Row(
            (c.m1, c.m2, c.m),
            c.value,
            r"\langle {}\;{}\;{}\;{} \,|\, {}\;{} \rangle".format(
                *map(_half_latex, (spins[0], c.m1, spins[1], c.m2, spins[2], c.m))
            ),
        )
        for c in table
    )
    return Description(
        f"{spins[0]} × {spins[1]} → {spins[2]}: {len(rows)} nonzero Clebsch–Gordan coefficients",
        "Complex harmonics, Condon–Shortley phases, as in the Particle Data Group's table.",
        ("m_1", "m_2", "m"),
        rows,
    )


def describe_harmonics(l: int, normalization: str = "component") -> Description:
    """The 2l+1 real spherical harmonics of degree l as polynomials; errors as for `harmonics`."""
    polynomials = harmonics(l, normalization)
    rows = tuple(
        Row((m,), polynomial, f"Y_{{{l},{m}}}")
        for m, polynomial in zip(range(-l, l + 1), polynomials, strict=True)
    )
    return Description(
        f"Y_{l}: real spherical harmonics of degree {l}, normalization '{normalization}'",
        "Homogeneous polynomials: on the unit sphere they are the harmonics, with y as polar axis.",
        ("m",),
        rows,
        PI_EXPONENT[normalization],
    )


def _label(columns: tuple[str, ...], orders: Orders) -> str:
    return ", ".join(f"{name}={order}" for name, order in zip(columns, orders, strict=True))


def _aligned(cells: tuple[str, ...] | list[str], widths: list[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _half_latex(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value)
    return rf"{'-' if value < 0 else ''}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _plain(order: int | Fraction) -> int | str:
    """Whole numbers as numbers, halves as text."""
    return int(order) if order == int(order) else str(order)


def _plain_value(value: Surd | Polynomial) -> dict[str, object]:
    if isinstance(value, Surd):
        return {"value": _triple(value), "float": float(value)}
    return {"terms": [{"exponents": list(exponents), "value": _triple(c)} for exponents, c in value.terms]}


def _triple(value: Surd) -> list[int]:
    return [value.sign, value.numerator, value.denominator]
