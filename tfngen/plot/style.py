"""The one look all pictures share, and how a picture reaches the disk.

Positive is red, negative is blue, zero is white, everywhere. Matplotlib is imported in functions only, and
always under `look`, which says how to install it where it is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfngen import naming
from tfngen.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

POSITIVE, NEGATIVE = "#c8402f", "#2f6db3"
INK, SOFT, FAINT = "#22262b", "#5a626b", "#a4abb3"
TITLE, LABEL, SMALL = 13.0, 10.0, 7.5
"""Font sizes in points."""

HAIRLINE = 0.5
"""Line width of frames and grids in points."""

PIXELS_PER_INCH = 200

FORMATS = ("png", "svg", "pdf")

_DIVERGING = ("#173f78", NEGATIVE, "#a9c6e6", "#ffffff", "#f3bcaa", POSITIVE, "#8a1d16")

_WITHOUT_DATE = {"png": None, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def look() -> Iterator[None]:
    """Matplotlib's settings for drawing and saving, whatever the user's are; undone on leaving.

    Raises ModuleNotFoundError when matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "pictures need matplotlib; install it with: pip install 'tfngen[plot]'"
        ) from error
    with matplotlib.rc_context():
        matplotlib.rcParams.update({k: v for k, v in matplotlib.rcParamsDefault.items() if k != "backend"})
        matplotlib.rcParams.update(
            {
                "font.family": "STIXGeneral",
                "mathtext.fontset": "stix",
                "text.color": INK,
                "axes.labelcolor": INK,
                "axes.edgecolor": FAINT,
                "axes.linewidth": HAIRLINE,
                "xtick.color": FAINT,
                "ytick.color": FAINT,
                "xtick.labelcolor": INK,
                "ytick.labelcolor": INK,
                "pdf.fonttype": 42,
                "svg.hashsalt": "tfngen",
            }
        )
        yield


def figure(width: float, height: float) -> Figure:
    """An empty white figure of this size in inches; call it inside `look`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, facecolor="white")


def axes(figure: Figure, left: float, bottom: float, width: float, height: float, label: str = "") -> Axes:
    """Axes at a place given in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up), label=label)


def text(figure: Figure, left: float, bottom: float, words: str, size: float = LABEL, **kwargs: Any) -> None:
    """Text at a place given in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    figure.text(left / across, bottom / up, words, fontsize=size, **kwargs)


def harmonic_symbol(l: int, m: int) -> str:
    """Y_lm for mathtext, x, y, z for the order at degree 1; minus as a sign, without an operator's spaces."""
    order = naming.component(l, m) if l == 1 else f"{{-}}{-m}" if m < 0 else str(m)
    return rf"Y_{{{l},\,{order}}}"


def diverging() -> LinearSegmentedColormap:
    """Blue for negative, white for zero, red for positive."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("tfngen", _DIVERGING, N=511)


def scale(
    figure: Figure, image: AxesImage, left: float, bottom: float, height: float, title: str = ""
) -> None:
    """The colour bar of `image`, −limit … limit, at a place in inches."""
    low, high = image.get_clim()
    bar = figure.colorbar(image, cax=axes(figure, left, bottom, 0.09, height, "scale"))
    bar.outline.set_linewidth(HAIRLINE)
    bar.outline.set_edgecolor(FAINT)
    bar.set_ticks([low, 0, high], labels=[f"−{-low:.3g}", "0", f"{high:.3g}"])
    bar.ax.tick_params(labelsize=SMALL, width=HAIRLINE, length=2)
    bar.ax.set_title(title, fontsize=LABEL, pad=5)


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write `figure` to `path` as its suffix says, .png (200 dpi), .svg or .pdf, and return the path.

    The file is written beside its place and moved there, so it is never seen half-written; missing folders
    are made. The same figure gives the same bytes: no date goes in. Raises ValueError for other suffixes.
    """
    target = Path(path)
    form = target.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        wanted = ", ".join(f".{known}" for known in FORMATS)
        raise ValueError(f"path: got {os.fspath(path)!r}; its suffix must be one of {wanted}")
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO()
    with look():
        figure.savefig(drawn, format=form, dpi=PIXELS_PER_INCH, metadata=_WITHOUT_DATE[form])
    write_bytes(target, drawn.getvalue())
    return target
