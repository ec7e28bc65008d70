"""The report on kernels for GPUs: counts that can be checked by hand, floors, occupancy, and a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tfngen
from tfngen.forms import FORMS
from tfngen.report import MACHINES, Machine, page, report
from tfngen.report.kernels import totals


@pytest.fixture(scope="module")
def folder():
    package = tfngen.load(
        irreps_in="16x0e+8x1o",
        irreps_filter="0e+1o",
        irreps_out="0e+1o",
        targets=("cuda",),
        dtypes=("float32",),
    )
    return Path(package.__file__).parent


@pytest.fixture(scope="module")
def found(folder):
    return report(folder, neighbors=10)


def test_every_kernel_over_a_graph_and_of_points_is_there(found):
    names = [(each.module, each.name) for each in found]
    assert names == [
        *((f"input_{l}", form.name) for form in FORMS for l in (0, 1)),
        *(("harmonics", name) for name in ("harmonics", "harmonics_vjp", "harmonics_vjp_vjp")),
    ]
    assert all(sum(each.stack.values()) == 0 for each in found)
    assert all(16 <= registers <= 255 for each in found for registers in each.registers.values())


def test_operations_and_bytes_are_those_counted_by_hand(found):
    """16x0e by 0e and 1o: two paths; w·y·x and its sum, of 1 and 3 components."""
    output = next(each for each in found if (each.channels, each.name) == (16, "output"))
    assert (output.paths, output.channels) == (2, 16)
    assert output.flops == 16 * ((2 + 1) + (1 + 2 * 3))
    filters, inputs, weights, sums = 1 + 3, 16 / 10, 2 * 16, 16 * (1 + 3) / 10
    assert output.bytes == pytest.approx(4 * (filters + inputs + weights + sums) + 16)
    assert output.intensity == output.flops / output.bytes


def test_half_precision_moves_half_the_bytes_and_computes_in_float32():
    one_path = {"irreps_in": "16x0e", "irreps_filter": "0e", "irreps_out": "0e"}
    package = tfngen.load(**one_path, targets=("cuda",), dtypes=("float32",))
    folder = Path(package.__file__).parent
    halves, wholes = (report(folder, dtype=each, neighbors=10) for each in ("float16", "float32"))
    for half, full in zip(halves, wholes, strict=True):
        assert (half.module, half.name, half.flops) == (full.module, full.name, full.flops)
        indices = 16 if full.unit == "edge" else 0
        kept = 1 if full.unit == "point" else 2  # harmonics have float32 in memory
        assert kept * (half.bytes - indices) == pytest.approx(full.bytes - indices)
        at_h200 = next(machine for machine in MACHINES if machine.name == "H200")
        assert half.nanoseconds["H200"] == pytest.approx(1e9 * at_h200.seconds(half.flops, half.bytes))
        assert sum(half.stack.values()) == 0


def test_products_are_reported_where_they_are_asked_for(folder, found):
    every = report(folder, neighbors=10, products=True)
    products = [each for each in every if each.unit == "row"]
    assert [each for each in every if each.unit != "row"] == found
    assert len(products) == 4 * len({each.module for each in products})
    output = next(each for each in products if (each.module, each.name) == ("path_1_0_1", "output"))
    # Filters of 3, an input, a weight and 3 outputs for each of 16 channels; w·x once, then its 3 products.
    assert output.channels == 16
    assert output.bytes == 4 * (3 + 16 * (1 + 1 + 3))
    assert output.flops == 16 * 4
    assert [name for name, *_ in totals(every)] == [form.name for form in FORMS]


def test_a_floor_is_what_takes_longer():
    machine = Machine("some", (9, 0), teraflops=10.0, terabytes=2.0, shared=2**17)
    assert machine.seconds(10e12, 1e12) == 1.0
    assert machine.seconds(10e12, 4e12) == 2.0
    assert machine.seconds(10e12, 1e12, itemsize=8) == 2.0


@pytest.mark.parametrize(
    ("threads", "registers", "shared", "warps"),
    [
        (128, 32, 0, 64),  # as many warps as there may be
        (32, 32, 0, 32),  # as many blocks
        (128, 128, 0, 16),  # 65,536 registers
        (128, 129, 0, 12),  # which come in units of 8 a thread
        (128, 32, 31 * 1024, 16),  # 128 KiB of shared memory
    ],
)
def test_occupancy_is_bounded_by_what_runs_out_first(threads, registers, shared, warps):
    machine = Machine("some", (9, 0), 1.0, 1.0, shared=2**17)
    assert machine.warps(threads, registers, shared) == warps


def test_totals_are_sums_over_input_degrees(found):
    rows = list(totals(found))
    assert [name for name, *_ in rows] == [form.name for form in FORMS]
    name, flops, moved, times = rows[0]
    own = [each for each in found if each.name == name]
    assert flops == sum(each.flops for each in own)
    assert moved == sum(each.bytes for each in own)
    assert times == {m.name: sum(each.nanoseconds[m.name] for each in own) for m in MACHINES}


def test_the_page_holds_everything_and_asks_for_nothing(found):
    from tfngen.plot.roofline import as_svg, plot_roofline

    roofs = [(machine.name, machine.teraflops, machine.terabytes) for machine in MACHINES]
    svg = as_svg(plot_roofline(roofs, [(each.name, each.intensity) for each in found]))
    text = page("mine", "what it is", found, svg)
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<svg") == 1
    for each in found:
        assert f"<td>{each.module}.{each.name}</td>" in text
    assert not re.search(r"<(script|link|img)\b|src=", text)


def test_nothing_to_draw_is_an_error():
    from tfngen.plot.roofline import plot_roofline

    with pytest.raises(ValueError, match="there are none to draw"):
        plot_roofline([], [])


def test_bad_input_is_named(folder, tmp_path):
    with pytest.raises(ValueError, match="channels: got 0"):
        report(folder, channels=0)
    with pytest.raises(ValueError, match="neighbors: got -1"):
        report(folder, neighbors=-1)
    with pytest.raises(ValueError, match=r"dtype: got 'float64'; .* was built for float32"):
        report(folder, dtype="float64")
    with pytest.raises(ValueError, match="not a tfngen package"):
        report(tmp_path)
    processors = Path(tfngen.load(0).__file__).parent
    with pytest.raises(ValueError, match=r"was built for cpu; build it with --target all to report"):
        report(processors)


def test_the_command_prints_and_writes(folder, tmp_path):
    from typer.testing import CliRunner

    from tfngen.cli import app

    file = tmp_path / "made" / "report.html"
    result = CliRunner().invoke(app, ["report", str(folder), "--products", "--html", str(file)])
    assert result.exit_code == 0, result.output
    assert "path_0_0_0.d_weight" in result.output
    assert "input_1.double_backward" in result.output
    assert "ns H200" in result.output
    assert file.read_text(encoding="utf-8").rstrip().endswith("</html>")
