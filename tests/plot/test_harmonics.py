"""The pyramid of spherical harmonics."""

import numpy as np
import pytest

from tfngen.irreps import MAX_DEGREE
from tfngen.plot import harmonics, plot_harmonics
from tfngen.plot.surface import largest


@pytest.fixture(scope="module")
def figure():
    return plot_harmonics(2)


def test_there_is_one_panel_for_every_harmonic_in_a_centred_pyramid(figure) -> None:
    panels = {axes.get_label(): axes.get_position() for axes in figure.axes}
    names = ["Y_0", "Y_1_x", "Y_1_y", "Y_1_z", "Y_2_n2", "Y_2_n1", "Y_2_0", "Y_2_p1", "Y_2_p2"]
    assert list(panels)[2:] == names
    assert set(panels) - set(names) == {"axes", "signs"}
    centres = {name: (box.x0 + box.x1) / 2 for name, box in panels.items()}
    assert centres["Y_0"] == pytest.approx(0.5)
    assert centres["Y_1_x"] == pytest.approx(centres["Y_2_n1"])
    assert centres["Y_1_x"] < centres["Y_1_y"] == pytest.approx(0.5)
    assert panels["Y_0"].y0 > panels["Y_1_y"].y1 > panels["Y_2_0"].y1


def test_all_panels_have_one_scale(figure) -> None:
    scales = []
    for axes in figure.axes[2:]:
        box = axes.get_window_extent()
        scales += [box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim())]
    assert scales == pytest.approx([scales[0]] * len(scales))


def test_polynomials_are_written_beneath_small_degrees_only(figure) -> None:
    words = [text.get_text() for text in figure.texts]
    assert r"$\sqrt{15}\,xz$" in words
    assert r"$Y_{1,\,x}$" in words
    assert r"$Y_{2,\,{-}1}$" in words


@pytest.mark.parametrize(("m", "red"), [(-1, (1, 0, 0)), (0, (0, 1, 0)), (1, (0, 0, 1))], ids=["x", "y", "z"])
def test_the_positive_lobe_is_red_and_lies_along_its_axis(m: int, red: tuple[int, int, int]) -> None:
    pixels, scale = 80, 4 / 80
    image = harmonics.surface_image(1, m, (pixels, pixels), scale)
    right, up = harmonics.CAMERA.project(np.array(red)) * largest(1, m) * 0.75
    for sign, channel, other in ((1, 0, 2), (-1, 2, 0)):
        row, column = (pixels - 1) / 2 - sign * up / scale, (pixels - 1) / 2 + sign * right / scale
        pixel = image[round(row), round(column)]
        assert pixel[3] == 1
        assert pixel[channel] > pixel[other] + 0.1


def test_nothing_is_drawn_outside_the_surface() -> None:
    image = harmonics.surface_image(2, 0, (60, 60), 6 / 60)
    assert image[0, 0, 3] == image[30, 2, 3] == 0
    assert ((image >= 0) & (image <= 1)).all()


@pytest.mark.parametrize("lmax", [-1, MAX_DEGREE + 1, 1.5, True, "2"])
def test_a_bad_lmax_is_named(lmax: object) -> None:
    with pytest.raises(ValueError, match=r"^lmax: "):
        plot_harmonics(lmax)
