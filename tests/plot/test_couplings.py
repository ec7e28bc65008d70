"""Heat maps of the coupling coefficients."""

from itertools import pairwise

import numpy as np
import pytest

from tfngen import naming
from tfngen.irreps import Path, enumerate_paths
from tfngen.plot import plot_couplings
from tfngen.plot.couplings import coupling_tensor
from tfngen.symbolic.clebsch_gordan import clebsch_gordan


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label().startswith("m_O")]


@pytest.mark.parametrize("path", [(0, 0, 0), (1, 1, 1), (2, 1, 3), (3, 2, 3)])
def test_a_panel_per_output_component_holds_the_exact_table(path: tuple[int, int, int]) -> None:
    drawn = panels(plot_couplings(path=path))
    assert [axes.get_label()[6:] for axes in drawn] == list(naming.components(path[2]))
    expected = np.zeros([2 * l + 1 for l in path])
    for c in clebsch_gordan(*path):
        expected[c.m_filter + path[0], c.m_input + path[1], c.m_output + path[2]] = float(c.value)
    shown = np.stack([axes.images[0].get_array() for axes in drawn], axis=-1)
    np.testing.assert_array_equal(shown, expected)
    limit = np.abs(expected).max()
    assert {axes.images[0].get_clim() for axes in drawn} == {(-limit, limit)}


def test_small_tables_have_their_exact_entries_written_in() -> None:
    written = {
        (
            axes.get_label()[-1],
            "xyz"[int(text.get_position()[1])],
            "xyz"[int(text.get_position()[0])],
        ): text.get_text()
        for axes in panels(plot_couplings(path=(1, 1, 1)))
        for text in axes.texts
    }
    assert written == {  # (m_O, m_F, m_I): the cross product over √2
        ("x", "y", "z"): "√(1/2)", ("y", "z", "x"): "√(1/2)", ("z", "x", "y"): "√(1/2)",
        ("x", "z", "y"): "−√(1/2)", ("y", "x", "z"): "−√(1/2)", ("z", "y", "x"): "−√(1/2)",
    }  # fmt: skip


def test_large_tables_have_no_entries_written_in() -> None:
    assert not any(axes.texts for axes in panels(plot_couplings(path=(3, 1, 2))))


def test_components_are_named_on_the_axes() -> None:
    axes = panels(plot_couplings(path=(2, 1, 1)))[0]
    across = [label.get_text() for label in axes.get_xticklabels()]
    down = [label.get_text() for label in axes.get_yticklabels()]
    assert across == ["$x$", "$y$", "$z$"]
    assert down == [rf"$\mathrm{{{name}}}$" for name in naming.components(2)]


@pytest.mark.parametrize("lmax", [0, 1, 3])
def test_every_path_is_a_block_of_the_grid_with_cells_of_one_size(lmax: int) -> None:
    axes = plot_couplings(lmax).axes[0]
    images = {image.get_gid(): image for image in axes.images}
    assert list(images) == [str(path) for path in enumerate_paths(lmax)]
    for path in enumerate_paths(lmax):
        image, (rows, columns) = images[str(path)], images[str(path)].get_array().shape
        assert (rows, columns) == (2 * path.l_output + 1, (2 * path.l_filter + 1) * (2 * path.l_input + 1))
        tensor = coupling_tensor(path)
        np.testing.assert_array_equal(image.get_array(), np.moveaxis(tensor, -1, 0).reshape(rows, columns))
        left, right, bottom, top = image.get_extent()
        assert (right - left, bottom - top) == pytest.approx((columns, rows))
        assert image.get_clim() == (-1, 1)


def test_a_complete_stack_is_an_orthogonal_matrix() -> None:
    images = {image.get_gid(): image for image in plot_couplings(2).axes[0].images}
    stack = [images[str(Path(1, 1, l))] for l in range(3)]
    matrix = np.concatenate([image.get_array() for image in stack])
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(9), atol=1e-15)
    for above, below in pairwise(stack):
        assert above.get_extent()[2] == below.get_extent()[3]  # they touch


@pytest.mark.parametrize("path", [(1, 1, 3), (1, 1), (13, 13, 0), (-1, 1, 1), "111", 5, (1, 1.0, 1)])
def test_a_bad_path_is_named(path: object) -> None:
    with pytest.raises(ValueError, match=r"^path: "):
        plot_couplings(path=path)


@pytest.mark.parametrize("lmax", [-1, 13, "3", True])
def test_a_bad_lmax_is_named(lmax: object) -> None:
    with pytest.raises(ValueError, match=r"^lmax: "):
        plot_couplings(lmax)


def test_exactly_one_of_lmax_and_path_is_wanted() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        plot_couplings()
    with pytest.raises(ValueError, match="exactly one"):
        plot_couplings(1, path=(1, 1, 1))
