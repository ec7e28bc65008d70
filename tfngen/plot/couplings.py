"""The coupling coefficients C^{(l_O, m_O)}_{(l_F, m_F)(l_I, m_I)} as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfngen import naming
from tfngen.irreps import Path, enumerate_paths
from tfngen.plot import style
from tfngen.symbolic import arguments
from tfngen.symbolic.clebsch_gordan import clebsch_gordan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

WRITTEN_DIMENSION = 5
"""Tables at most this large in every direction have their exact entries written into the cells."""


def coupling_tensor(path: Path) -> NDArray[np.float64]:
    """C[m_F, m_I, m_O], float64 of shape (2l_F+1, 2l_I+1, 2l_O+1); ValueError for a path not allowed."""
    tensor = np.zeros([2 * l + 1 for l in path])
    for entry in clebsch_gordan(*path):
        place = (entry.m_filter + path[0], entry.m_input + path[1], entry.m_output + path[2])
        tensor[place] = float(entry.value)
    return tensor


def plot_couplings(lmax: int | None = None, *, path: Sequence[int] | None = None) -> Figure:
    """Draw one path's coupling coefficients, or those of every path up to `lmax`.

    `path` = (l_F, l_I, l_O): a panel for each m_O, an axes labelled ``m_O = …``, with m_F down and m_I
    across, named as in `naming.components`; up to five components the exact values are written in.

    `lmax`: for each product l_F ⊗ l_I (rows l_F, columns l_I) the blocks of its paths under each other, m_O
    down and (m_F, m_I) across, m_I running faster. Every cell has one size, so that a complete stack, one
    with l_F + l_I ≤ lmax, is a square: the orthogonal matrix that reduces the product. All in one axes, an
    image per path, its gid the path. On a page legible to about lmax = 5; beyond, ask for a path.

    Red is positive, blue negative, white zero.

    Formula: Σ_{m_F, m_I} C u_{m_F} v_{m_I} is of degree l_O if u and v are of degrees l_F and l_I.
    Source: Thomas et al., Tensor field networks, arXiv:1802.08219, eq. 10; signs and normalisation as in
    `tfngen.symbolic.clebsch_gordan`.

    Raises:
        ValueError: both or neither of `lmax` and `path` given, a degree out of 0 … MAX_DEGREE, a path not
            allowed.
        ModuleNotFoundError: matplotlib is not installed.
    """
    if (lmax is None) == (path is None):
        raise ValueError(f"lmax: got {lmax!r} with path {path!r}; exactly one of the two must be given")
    if path is not None:
        checked = _path(path)
        with style.look():
            return _draw_path(checked)
    degree = arguments.degree("lmax", lmax)
    with style.look():
        return _draw_all(degree)


def _path(path: Sequence[int]) -> Path:
    if isinstance(path, str) or not isinstance(path, Sequence) or len(path) != 3:
        raise ValueError(f"path: got {path!r}; it must be three degrees (l_filter, l_input, l_output)")
    try:
        checked = Path(*(arguments.degree(name, l) for name, l in zip(Path._fields, path, strict=True)))
        clebsch_gordan(*checked)
    except ValueError as error:
        raise ValueError(f"path: {error}") from None
    return checked


def _draw_path(path: Path) -> Figure:
    tensor = coupling_tensor(path)
    rows, columns, panels = tensor.shape
    written = max(tensor.shape) <= WRITTEN_DIMENSION
    cell = 0.47 if written else min(0.3, 2.1 / max(rows, columns))
    step_across, step_down = columns * cell + 0.4, rows * cell + 0.75
    lines = -(-panels // max(1, int(13.5 / step_across)))
    per_line = -(-panels // lines)
    across, up = max(per_line * step_across + 1.2, 5.6), 0.8 + lines * step_down
    figure = style.figure(across, up)
    title = (
        r"Coupling coefficients   $C^{{(\ell_O,\,m_O)}}_{{(\ell_F,\,m_F)(\ell_I,\,m_I)}}$   for the path {}"
    )
    style.text(figure, across / 2, up - 0.36, title.format(path), style.TITLE, ha="center")
    limit = float(np.abs(tensor).max())
    start, top = (across - per_line * step_across) / 2 + 0.1, up - 0.95
    for panel, name in enumerate(naming.components(path.l_output)):
        line, place = divmod(panel, per_line)
        left, bottom = start + place * step_across, top - line * step_down - rows * cell
        axes = style.axes(figure, left, bottom, columns * cell, rows * cell, f"m_O = {name}")
        image = _draw_table(axes, tensor[:, :, panel], limit)
        axes.set_title(f"$m_O = {_symbol(path.l_output, name)}$", fontsize=style.LABEL, pad=5)
        step = 1 + int(0.2 / cell)  # fewer names where they would touch
        axes.set_xticks(range(columns)[::step], _tick_labels(path.l_input)[::step])
        axes.set_yticks(range(rows)[::step], _tick_labels(path.l_filter)[::step])
        axes.tick_params(length=0, labelsize=9 if written else 7, pad=3)
        axes.set_xlabel("$m_I$", fontsize=style.LABEL, labelpad=2)
        if place == 0:
            axes.set_ylabel("$m_F$", fontsize=style.LABEL, labelpad=3)
    if written:
        _write_values(figure, path, limit)
    side = min(rows * cell, 1.6)
    style.scale(figure, image, start + per_line * step_across - 0.22, top - side, side)
    return figure


def _draw_table(axes: Axes, values: NDArray[np.float64], limit: float) -> AxesImage:
    image = axes.imshow(values, cmap=style.diverging(), vmin=-limit, vmax=limit, aspect="auto")
    rows, columns = values.shape
    axes.hlines(np.arange(rows - 1) + 0.5, -0.5, columns - 0.5, color=style.FAINT, linewidth=0.35, alpha=0.6)
    axes.vlines(np.arange(columns - 1) + 0.5, -0.5, rows - 0.5, color=style.FAINT, linewidth=0.35, alpha=0.6)
    return image


def _write_values(figure: Figure, path: Path, limit: float) -> None:
    """Each nonzero coefficient into its cell, in white on the strongest colours."""
    for entry in clebsch_gordan(*path):
        axes = figure.axes[entry.m_output + path.l_output]
        strong = abs(float(entry.value)) > 0.5 * limit
        axes.text(
            entry.m_input + path.l_input,
            entry.m_filter + path.l_filter,
            str(entry.value).replace("-", "−"),
            ha="center",
            va="center_baseline",
            fontsize=8 if len(str(entry.value)) <= 7 else 7,
            color="white" if strong else style.INK,
        )


def _draw_all(lmax: int) -> Figure:
    paths = enumerate_paths(lmax)
    gap = 0.7 + 0.35 * (2 * lmax + 1)  # between products, in cells
    heights = [max(_stack_height(lmax, l, other) for other in range(lmax + 1)) for l in range(lmax + 1)]
    widths = [(2 * l + 1) * (2 * lmax + 1) for l in range(lmax + 1)]
    row_starts, column_starts = (np.cumsum([0, *(s + gap for s in sizes)]) for sizes in (heights, widths))
    cells_down, cells_across = row_starts[-1] - gap, column_starts[-1] - gap
    cell = min(0.16, 12.5 / cells_across)  # inches
    head, foot = 1.35, 0.25
    across = max(cells_across * cell + 1.9, 5.6)
    up = max(cells_down * cell, 1.0) + head + foot
    figure = style.figure(across, up)
    count = f"{len(paths)} paths" if len(paths) > 1 else "only path"
    title = rf"Coupling coefficients of the {count} up to $\ell = {lmax}$"
    style.text(figure, across / 2, up - 0.36, title, style.TITLE, ha="center")
    caption = r"rows $m_O$, numbered blocks of $\ell_O$ under each other;  columns $(m_F,\, m_I)$"
    style.text(figure, across / 2, up - 0.62, caption, 9, ha="center", color=style.SOFT)
    left, top = (across - cells_across * cell) / 2 - 0.05, up - head
    place = (left, top - cells_down * cell, cells_across * cell, cells_down * cell)
    axes = style.axes(figure, *place, label="couplings")
    axes.set_axis_off()
    for path in paths:
        above = range(abs(path.l_filter - path.l_input), path.l_output)
        x, y = column_starts[path.l_input], row_starts[path.l_filter] + sum(2 * l + 1 for l in above)
        image = _draw_block(axes, path, float(x), float(y), line=min(0.5, 6 * cell))
        if cell > 0.05:
            middle = y + path.l_output + 0.5
            axes.text(
                x - 0.35, middle, f"{path.l_output}", fontsize=7, ha="right", va="center", color=style.SOFT
            )
    axes.set(xlim=(0, cells_across), ylim=(cells_down, 0), aspect="auto")
    size = min(style.LABEL, 72 * cell * gap)
    for l in range(lmax + 1):
        x, y = left + column_starts[l] * cell, top - row_starts[l] * cell
        style.text(figure, x, top + 0.12, rf"$\ell_I = {l}$", size, color=style.SOFT)
        style.text(figure, left - 0.3, y, rf"$\ell_F = {l}$", size, ha="right", va="top", color=style.SOFT)
    style.scale(figure, image, across - 0.6, top - 1.0, 1.0)
    return figure


def _stack_height(lmax: int, l_filter: int, l_input: int) -> int:
    """The components of all l_O ≤ lmax in l_F ⊗ l_I."""
    return sum(2 * l + 1 for l in range(abs(l_filter - l_input), min(l_filter + l_input, lmax) + 1))


def _draw_block(axes: Axes, path: Path, x: float, y: float, line: float) -> AxesImage:
    """C as a matrix of m_O × (m_F, m_I) with its upper left corner at (x, y), cells of side 1."""
    tensor = coupling_tensor(path)
    rows, columns = tensor.shape[2], tensor.shape[0] * tensor.shape[1]
    image = axes.imshow(
        tensor.reshape(columns, rows).T,
        cmap=style.diverging(),
        vmin=-1,
        vmax=1,
        extent=(x, x + columns, y + rows, y),
        interpolation="nearest",
    )
    image.set_gid(str(path))
    between = x + np.arange(1, tensor.shape[0]) * tensor.shape[1]  # from one m_F to the next
    axes.vlines(between, y, y + rows, color=style.FAINT, linewidth=0.6 * line, alpha=0.6)
    outline = ([x, x + columns, x + columns, x, x], [y, y, y + rows, y + rows, y])
    axes.plot(*outline, color=style.FAINT, linewidth=line, clip_on=False)
    return image


def _tick_labels(l: int) -> list[str]:
    return [f"${_symbol(l, name)}$" for name in naming.components(l)]


def _symbol(l: int, component: str) -> str:
    """A component's name for mathtext, in italics where it is an axis."""
    return component if l == 1 else rf"\mathrm{{{component}}}"
