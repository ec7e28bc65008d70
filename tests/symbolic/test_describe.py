"""What `tfngen coefficients` prints says what the tables hold, as text, as LaTeX and as JSON."""

import json

import pytest

from tfngen.symbolic.clebsch_gordan import clebsch_gordan, complex_table
from tfngen.symbolic.describe import (
    describe_clebsch_gordan,
    describe_complex_clebsch_gordan,
    describe_harmonics,
)
from tfngen.symbolic.harmonics import harmonics
from tfngen.symbolic.surd import Surd


def test_real_table_as_text():
    assert describe_clebsch_gordan(1, 1, 0).text() == (
        "C(1, 1, 0): 3 nonzero real Clebsch–Gordan coefficients\n"
        "Unitary, for real spherical harmonics with y as polar axis; l = 1 is (x, y, z).\n"
        "\n"
        "m_F  m_I  m_O\n"
        " -1   -1    0   √(1/3)\n"
        "  0    0    0   √(1/3)\n"
        "  1    1    0   √(1/3)\n"
    )


def test_complex_table_as_text():
    assert describe_complex_clebsch_gordan("1/2", 0.5, 0).text().splitlines()[3:] == [
        " m_1   m_2  m",
        "-1/2   1/2  0   -√(1/2)",
        " 1/2  -1/2  0   √(1/2)",
    ]


def test_harmonics_as_text():
    assert describe_harmonics(2, "integral").text().splitlines()[3:] == [
        " m",
        "-2   √(15/4)·xz/√π",
        "-1   √(15/4)·xy/√π",
        " 0   √(5/16)·(2y² - x² - z²)/√π",
        " 1   √(15/4)·yz/√π",
        " 2   √(15/16)·(z² - x²)/√π",
    ]


def test_latex():
    assert describe_harmonics(1).latex() == (
        "% Y_1: real spherical harmonics of degree 1, normalization 'component'\n"
        "\\begin{align*}\n"
        "  Y_{1,-1} &= \\sqrt{3}\\,x \\\\\n"
        "  Y_{1,0} &= \\sqrt{3}\\,y \\\\\n"
        "  Y_{1,1} &= \\sqrt{3}\\,z\n"
        "\\end{align*}\n"
    )
    assert r"C^{(2,-2)}_{(1,-1)(1,1)} &= \sqrt{\frac{1}{2}}" in describe_clebsch_gordan(1, 1, 2).latex()
    half = r"\tfrac{1}{2}"
    ket = (
        rf"\langle \tfrac{{3}}{{2}}\;-{half}\;{half}\;{half} \,|\, 1\;0 \rangle &= -\sqrt{{\frac{{1}}{{2}}}}"
    )
    assert ket in describe_complex_clebsch_gordan("3/2", "1/2", 1).latex()
    assert r"\frac{1}{\sqrt{\pi}}\,\sqrt{\frac{3}{4}}\,x" in describe_harmonics(1, "integral").latex()


def test_entries_pair_labels_with_exact_values():
    entries = describe_clebsch_gordan(1, 2, 2).entries()
    assert [value for _, value in entries] == [c.value for c in clebsch_gordan(1, 2, 2)]
    assert describe_clebsch_gordan(1, 1, 1).entries()[0] == ("m_F=-1, m_I=0, m_O=1", Surd(1, 1, 2))
    assert [value for _, value in describe_harmonics(3).entries()] == list(harmonics(3))


def test_json_holds_the_tables_exactly():
    rows = json.loads(json.dumps(describe_complex_clebsch_gordan("3/2", 1, "1/2").json()))["rows"]
    assert [Surd(*row["value"]) for row in rows] == [c.value for c in complex_table("3/2", 1, "1/2")]
    assert rows[0]["m_1"] == "-3/2"
    assert rows[0]["m_2"] == 1
    assert rows[0]["float"] == pytest.approx(0.5**0.5, rel=1e-15)

    data = json.loads(json.dumps(describe_harmonics(3, "integral").json()))
    assert data["pi_exponent"] == -1
    for row, polynomial in zip(data["rows"], harmonics(3, "integral"), strict=True):
        terms = tuple((tuple(term["exponents"]), Surd(*term["value"])) for term in row["terms"])
        assert terms == polynomial.terms


def test_bad_arguments_are_value_errors():
    for call in (
        lambda: describe_clebsch_gordan(1, 1, 3),
        lambda: describe_complex_clebsch_gordan(1, "1/3", 1),
        lambda: describe_harmonics(2, "unit"),
    ):
        with pytest.raises(ValueError, match="it must be"):
            call()
