"""Kernels under the roofs of several machines: operations per byte across, operations per second up."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

from tfngen.plot import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOFS = ("#a8782c", "#3f8f5f", style.NEGATIVE, "#7a5aa6")
"""A colour for each machine, in their order."""


def plot_roofline(roofs: Sequence[tuple[str, float, float]], kernels: Sequence[tuple[str, float]]) -> Figure:
    """Draw what each kernel could reach on each machine.

    Args:
        roofs: a machine's name, 10¹² operations and 10¹² bytes per second.
        kernels: a kernel's name and its operations per byte.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not roofs or not kernels:
        raise ValueError("roofs, kernels: there are none to draw")
    low = min(0.3, *(value / 1.5 for _, value in kernels))
    high = max(60.0, *(value * 1.5 for _, value in kernels))
    with style.look():
        figure = style.figure(8.6, 4.4)
        axes = style.axes(figure, 0.75, 0.6, 6.6, 3.5)
        for (name, flops, bandwidth), color in zip(roofs, ROOFS, strict=False):
            corner = flops / bandwidth
            axes.plot([low, corner, high], [low * bandwidth, flops, flops], color=color, linewidth=1.2)
            axes.text(high * 1.06, flops * _apart(name, roofs), name, color=color, va="center")
            reached = [min(flops, value * bandwidth) for _, value in kernels]
            axes.plot([value for _, value in kernels], reached, "o", color=color, markersize=3.5, alpha=0.55)
        axes.set(xscale="log", yscale="log", xlim=(low, high))
        axes.set_xlabel("operations per byte")
        axes.set_ylabel("10¹² operations per second, at most")
        axes.grid(True, which="major", color="#e3e6ea", linewidth=style.HAIRLINE)
        for name, value in _extremes(kernels):
            axes.axvline(value, color=style.FAINT, linewidth=style.HAIRLINE, linestyle=":")
            size = {"fontsize": style.SMALL, "color": style.SOFT}
            axes.text(value, axes.get_ylim()[0] * 1.15, name, rotation=90, ha="right", **size)
    return figure


def as_svg(figure: Figure) -> str:
    """The picture as an ``<svg>`` element, for a page."""
    with style.look():
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    text = drawn.getvalue()
    return text[text.index("<svg") :]


def _apart(name: str, roofs: Sequence[tuple[str, float, float]]) -> float:
    """Labels of machines with the same arithmetic stand above each other."""
    same = {flops for each, flops, _ in roofs if each == name}
    together = [each for each, flops, _ in roofs if flops in same]
    return 1.0 if len(together) == 1 else 1.22 ** (together.index(name) - (len(together) - 1) / 2)


def _extremes(kernels: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """The kernels with the fewest and the most operations per byte."""
    ordered = sorted(kernels, key=lambda kernel: kernel[1])
    return [ordered[0], ordered[-1]]
