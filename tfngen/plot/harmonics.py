"""The real spherical harmonics as surfaces, a pyramid with a row per degree and a column per order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tfngen import naming
from tfngen.plot import style, surface
from tfngen.symbolic import arguments
from tfngen.symbolic.harmonics import harmonic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAMERA = surface.Camera.at(azimuth=28, elevation=18)

FORMULA_DEGREES = 3
"""The largest degree whose polynomials fit beneath the surfaces."""

_SUPERSAMPLING = 2
_MARGIN, _HEAD, _FOOT = 0.2, 0.62, 0.12  # inches


def plot_harmonics(lmax: int = 3) -> Figure:
    """Draw every real spherical harmonic up to degree `lmax` as the surface r = |Y_lm(r̂)|.

    A row per degree l, a column per order m = −l … l, all at one scale; red where Y_lm > 0, blue where
    Y_lm < 0. The y axis, upright, is the polar one, so that degree 1 reads x, y, z. Up to degree 3 the
    polynomial that equals Y_lm on the unit sphere is written beneath, in `component` normalisation
    (‖Y_l‖² = 2l+1). One axes per harmonic, labelled by `naming.harmonic`.

    Source: Varshalovich, Moskalev, Khersonskii, Quantum Theory of Angular Momentum (1988), ch. 5; axes and
    phases as in `tfngen.symbolic.harmonics`.

    Raises:
        ValueError: `lmax` is not an integer from 0 to MAX_DEGREE.
        ModuleNotFoundError: matplotlib is not installed.
    """
    lmax = arguments.degree("lmax", lmax)
    with style.look():
        return _pyramid(lmax)


def surface_image(l: int, m: int, pixels: tuple[int, int], scale: float) -> surface.Array:
    """The shaded surface as RGBA (height, width, 4), seen from `CAMERA`; a pixel's side is `scale`."""
    from matplotlib.colors import to_rgb

    height, width = pixels
    finer = (height * _SUPERSAMPLING, width * _SUPERSAMPLING)
    hits = surface.trace(l, m, CAMERA, finer, scale / _SUPERSAMPLING)
    colours = (np.array(to_rgb(colour)) for colour in (style.POSITIVE, style.NEGATIVE))
    return surface.smooth(surface.shade(hits, CAMERA, *colours), _SUPERSAMPLING)


def _pyramid(lmax: int) -> Figure:
    columns = 2 * lmax + 1
    width = min(1.6, 15 / columns)
    reach = [1.03 * max(surface.largest(l, m) for m in range(-l, l + 1)) for l in range(lmax + 1)]
    scale = 2 * max(reach[-1], 2.0) / width / style.PIXELS_PER_INCH  # of a pixel
    formulas = lmax <= FORMULA_DEGREES
    caption = 0.5 if formulas else 0.06 + 0.14 * width
    heights = [round(2 * r / scale) / style.PIXELS_PER_INCH for r in reach]
    across = max(columns * width, 5.4) + 2 * _MARGIN
    up = _HEAD + sum(heights) + (lmax + 1) * caption + _FOOT
    figure = style.figure(across, up)
    title = r"Real spherical harmonics   $r = |\,Y_{\ell m}(\hat{r})\,|$"
    style.text(figure, across / 2, up - 0.36, title, style.TITLE, ha="center")
    _draw_key(figure, across, up)
    bottom = up - _HEAD
    for l, height in enumerate(heights):
        bottom -= height
        for m in range(-l, l + 1):
            middle = across / 2 + m * width
            axes = style.axes(figure, middle - width / 2, bottom, width, height, naming.harmonic(l, m))
            axes.set_axis_off()
            pixels = (round(height * style.PIXELS_PER_INCH), round(width * style.PIXELS_PER_INCH))
            h, v = scale * pixels[1] / 2, scale * pixels[0] / 2
            axes.imshow(surface_image(l, m, pixels, scale), extent=(-h, h, -v, v), aspect="auto")
            below: dict[str, Any] = {"ha": "center", "va": "top"}
            size = style.LABEL if formulas else min(style.LABEL, 9 * width)
            style.text(figure, middle, bottom - 0.03, f"${style.harmonic_symbol(l, m)}$", size, **below)
            if formulas:
                style.text(
                    figure, middle, bottom - 0.22, f"${harmonic(l, m).latex()}$", 8, color=style.SOFT, **below
                )
        bottom -= caption
    return figure


def _draw_key(figure: Figure, across: float, up: float) -> None:
    """The three axes in the upper left corner, the meaning of the colours in the upper right one."""
    side = 0.95
    axes = style.axes(figure, _MARGIN, up - 0.2 - side, side, side, label="axes")
    axes.set_axis_off()
    axes.set(xlim=(-0.9, 1.25), ylim=(-0.7, 1.45))
    for name, tip in zip("xyz", CAMERA.project(np.eye(3)), strict=True):
        arrow = {"arrowstyle": "-|>,head_length=0.35,head_width=0.13", "color": style.SOFT, "lw": 0.9}
        axes.annotate("", tip, (0, 0), arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
        axes.text(1.22 * tip[0], 1.22 * tip[1], f"${name}$", ha="center", va="center", fontsize=style.LABEL)
    axes = style.axes(figure, across - _MARGIN - 0.85, up - 0.75, 0.85, 0.5, label="signs")
    axes.set_axis_off()
    axes.set(xlim=(0, 0.85), ylim=(0, 0.5))
    for height, colour, words in ((0.37, style.POSITIVE, "positive"), (0.13, style.NEGATIVE, "negative")):
        axes.plot([0.1], [height], "o", color=colour, markersize=6, markeredgewidth=0)
        axes.text(0.22, height, words, va="center_baseline", fontsize=style.LABEL)
