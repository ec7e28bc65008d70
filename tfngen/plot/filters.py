"""The filters of a Tensor Field Network, F(r) = R(|r|) Y_lm(r̂), as slices through the origin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfngen import naming
from tfngen.plot import style
from tfngen.plot.surface import spherical_harmonic
from tfngen.symbolic import arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Array = NDArray[np.float64]
Radial = Callable[[Array], Array]

PIXELS = 240
"""Samples along each side of a slice; even, so that none falls on the origin, where r̂ means nothing."""


class Plane(NamedTuple):
    """A plane through the origin: its name, and the directions drawn to the right and up with theirs."""

    name: str
    right: tuple[float, float, float]
    up: tuple[float, float, float]
    right_name: str
    up_name: str


_Z0 = Plane("z = 0", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), "x", "y")
_X0 = Plane("x = 0", (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), "z", "y")
_Y0 = Plane("y = 0", (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), "z", "x")


def gaussian_bump(centre: float = 1.0, width: float = 0.35) -> Radial:
    """R(r) = exp(−(r − centre)² / 2 width²). Raises ValueError unless `width` > 0 and both are finite."""
    if not np.isfinite(centre):
        raise ValueError(f"centre: got {centre!r}; it must be finite")
    if not (np.isfinite(width) and width > 0):
        raise ValueError(f"width: got {width!r}; it must be finite and greater than 0")
    return lambda r: np.exp(-((r - centre) ** 2) / (2 * width**2))


def plot_filters(
    l: int | Iterable[int] = (0, 1, 2, 3),
    m: int | None = None,
    radial: Radial | None = None,
    extent: float = 2.0,
) -> Figure:
    """Draw F(r) = R(|r|) Y_lm(r̂) on a plane through the origin, and R beside it.

    A row per degree, a column per order, red where F > 0 and blue where F < 0 on one scale. Each slice is
    taken where the filter is strongest (`best_plane`) and named under its picture: z = 0, x = 0, y = 0, or a
    plane through the polar axis y. Harmonics are in `component` normalisation. One axes per filter, labelled
    by `naming.harmonic`; the one labelled ``R`` holds the radial function.

    Source: Thomas et al., Tensor field networks, arXiv:1802.08219, eq. 4.

    Args:
        l: a degree, or several, each from 0 to MAX_DEGREE.
        m: the one order to draw; all 2l+1 if None.
        radial: R, from an array of distances to an array of values; `gaussian_bump()` if None.
        extent: the slices show |coordinate| ≤ extent, in the unit of `radial`'s argument.

    Raises:
        ValueError: a degree or order out of range, an `extent` that is not a finite number > 0, a `radial`
            whose values are not finite real numbers of the argument's shape.
        ModuleNotFoundError: matplotlib is not installed.
    """
    degrees = _degrees(l)
    orders = {degree: _orders(degree, m) for degree in degrees}
    if isinstance(extent, bool) or not isinstance(extent, int | float) or not (0 < extent < np.inf):
        raise ValueError(f"extent: got {extent!r}; it must be a finite number greater than 0")
    radial = gaussian_bump() if radial is None else radial
    if not callable(radial):
        raise ValueError(f"radial: got {radial!r}; it must be a function from distances to values")
    slices = {
        (d, k): slice_values(d, k, best_plane(d, k), radial, extent) for d in degrees for k in orders[d]
    }
    with style.look():
        return _draw(orders, slices, radial, float(extent))


def best_plane(l: int, m: int) -> Plane:
    """The plane through the origin on which Y_lm has the largest mean square; of equals the first.

    Candidates are z = 0, x = 0, y = 0 and, for m < 0, the plane through y at the azimuth π/2|m| (from z
    toward x), where sin |m|φ = 1: of the four one always shows the harmonic.
    """
    candidates = [_Z0, _X0, _Y0]
    if m < -1:
        azimuth = pi / (2 * -m)
        name = "x = z" if m == -2 else rf"\varphi = {90 / -m:g}°"
        along = (sin(azimuth), 0.0, cos(azimuth))
        candidates.append(Plane(name, along, (0.0, 1.0, 0.0), "x = z" if m == -2 else r"\rho", "y"))
    angles = np.linspace(0, 2 * pi, 720, endpoint=False)
    strengths = []
    for plane in candidates:
        circle = np.outer(np.cos(angles), plane.right) + np.outer(np.sin(angles), plane.up)
        strengths.append(round(float(np.mean(spherical_harmonic(l, m, circle) ** 2)), 9))
    return candidates[strengths.index(max(strengths))]


def slice_values(l: int, m: int, plane: Plane, radial: Radial, extent: float, pixels: int = PIXELS) -> Array:
    """F on `plane`, (pixels, pixels), row 0 on top; samples at the centres of square cells."""
    ticks = extent * (2 * np.arange(pixels) + 1 - pixels) / pixels
    up, right = np.meshgrid(ticks[::-1], ticks, indexing="ij")
    points = right[..., None] * np.array(plane.right) + up[..., None] * np.array(plane.up)
    return _radial_values(radial, np.hypot(right, up)) * spherical_harmonic(l, m, points)


def _draw(
    orders: dict[int, tuple[int, ...]], slices: dict[tuple[int, int], Array], radial: Radial, extent: float
) -> Figure:
    side, gap, label, margin, head = 1.2, 0.14, 0.52, 0.25, 0.62  # inches
    columns = max(map(len, orders.values()))
    beside = 2.15 if _room_beside(orders) * (side + gap) < 2.15 else 0.0  # else R fits into the empty corner
    across = 2 * margin + beside + columns * (side + gap) + 0.75
    across = max(across, 5.6)
    up = head + len(orders) * (side + label) + 0.05
    figure = style.figure(across, up)
    title = r"Filters   $F(\mathbf{r}) = R(|\mathbf{r}|)\,Y_{\ell m}(\hat{\mathbf{r}})$"
    style.text(figure, across / 2, up - 0.36, title, style.TITLE, ha="center")
    top = up - head
    _draw_radial(style.axes(figure, margin + 0.4, top - 1.12, 1.45, 1.07, "R"), radial, extent)
    limit = max(float(np.abs(values).max()) for values in slices.values()) or 1.0
    centre = margin + beside + (across - 2 * margin - beside - 0.75) / 2
    for row, (l, row_orders) in enumerate(orders.items()):
        bottom = top - row * (side + label) - side
        for column, m in enumerate(row_orders):
            left = centre + (column - len(row_orders) / 2) * (side + gap) + gap / 2
            axes = style.axes(figure, left, bottom, side, side, naming.harmonic(l, m))
            image = _draw_slice(axes, slices[l, m], best_plane(l, m), extent, limit)
            below: dict[str, Any] = {"ha": "center", "va": "top"}
            middle, plane = left + side / 2, f"${best_plane(l, m).name}$"
            style.text(figure, middle, bottom - 0.05, f"${style.harmonic_symbol(l, m)}$", **below)
            style.text(figure, middle, bottom - 0.23, plane, 8, color=style.SOFT, **below)
    style.scale(figure, image, across - margin - 0.55, top - side, side, "$F$")
    return figure


def _draw_slice(axes: Axes, values: Array, plane: Plane, extent: float, limit: float) -> AxesImage:
    image = axes.imshow(
        values,
        cmap=style.diverging(),
        vmin=-limit,
        vmax=limit,
        extent=(-extent, extent, -extent, extent),
        interpolation="bilinear",
    )
    axes.set(xticks=[], yticks=[])
    name: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 8, "color": style.SOFT}
    axes.text(0.97, 0.03, f"${plane.right_name}$", ha="right", va="bottom", **name)
    axes.text(0.04, 0.97, f"${plane.up_name}$", ha="left", va="top", **name)
    return image


def _draw_radial(axes: Axes, radial: Radial, extent: float) -> None:
    r = np.linspace(0, extent, 401)
    values = _radial_values(radial, r)
    axes.axhline(0, color=style.FAINT, linewidth=style.HAIRLINE)
    axes.fill_between(r, values, where=values >= 0, color=style.POSITIVE, alpha=0.14, linewidth=0)
    axes.fill_between(r, values, where=values <= 0, color=style.NEGATIVE, alpha=0.14, linewidth=0)
    axes.plot(r, values, color=style.INK, linewidth=1.2)
    axes.set_xlim(0, extent)
    axes.spines[["top", "right"]].set_visible(False)
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize=style.SMALL, width=style.HAIRLINE, length=2)
    axes.set_xlabel("$r$", fontsize=style.LABEL, labelpad=1)
    axes.set_ylabel("$R(r)$", fontsize=style.LABEL, labelpad=2)


def _radial_values(radial: Radial, r: Array) -> Array:
    values = np.asarray(radial(r))
    if values.dtype.kind not in "fiu" or values.shape not in ((), r.shape) or not np.isfinite(values).all():
        raise ValueError(
            f"radial: got {values.dtype} values of shape {values.shape} for distances of shape {r.shape}; "
            "it must return finite real numbers of its argument's shape"
        )
    return np.broadcast_to(values, r.shape).astype(np.float64)


def _room_beside(orders: dict[int, tuple[int, ...]]) -> float:
    """How many columns are empty on the left of the first row."""
    lengths = [len(row) for row in orders.values()]
    return (max(lengths) - lengths[0]) / 2


def _degrees(l: int | Iterable[int]) -> tuple[int, ...]:
    if isinstance(l, Iterable) and not isinstance(l, str):
        degrees = tuple(dict.fromkeys(arguments.degree("l", degree) for degree in l))
        if not degrees:
            raise ValueError("l: got no degrees; it must be at least one")
        return degrees
    return (arguments.degree("l", l),)


def _orders(l: int, m: int | None) -> tuple[int, ...]:
    return tuple(range(-l, l + 1)) if m is None else (arguments.order("m", m, l),)
