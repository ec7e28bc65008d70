"""Slices through the filters F(r) = R(|r|) Y_lm(r̂)."""

import numpy as np
import pytest

from tfngen.irreps import MAX_DEGREE
from tfngen.plot import gaussian_bump, plot_filters
from tfngen.plot.filters import best_plane, slice_values
from tfngen.symbolic.harmonics import harmonic


def panel(figure, name):
    return next(axes for axes in figure.axes if axes.get_label() == name)


@pytest.mark.parametrize(
    ("l", "m", "plane"),
    [
        (0, 0, "z = 0"), (1, -1, "z = 0"), (1, 0, "z = 0"), (1, 1, "x = 0"),
        (2, -2, "y = 0"), (2, -1, "z = 0"), (2, 1, "x = 0"), (2, 2, "y = 0"),
        (3, -2, "x = z"), (5, -4, r"\varphi = 22.5°"),
    ],
)  # fmt: skip
def test_the_plane_is_one_that_shows_the_filter(l: int, m: int, plane: str) -> None:
    assert best_plane(l, m).name == plane


@pytest.mark.parametrize("l", range(MAX_DEGREE + 1))
def test_no_filter_is_invisible_and_planes_are_orthonormal(l: int) -> None:
    for m in range(-l, l + 1):
        plane = best_plane(l, m)
        frame = np.array([plane.right, plane.up])
        np.testing.assert_allclose(frame @ frame.T, np.eye(2), atol=1e-15)
        assert np.abs(slice_values(l, m, plane, np.ones_like, 1.0, pixels=40)).max() > 0.5


@pytest.mark.parametrize(("l", "m"), [(0, 0), (1, 1), (2, -2), (2, 2), (3, -2), (3, 1)])
def test_a_pixel_is_the_radial_function_times_the_harmonic(l: int, m: int) -> None:
    figure = plot_filters(l, m, radial=lambda r: np.exp(-r) * np.cos(r), extent=1.5)
    (image,) = panel(figure, figure.axes[1].get_label()).images
    values, plane = image.get_array(), best_plane(l, m)
    pixels = len(values)
    assert pixels % 2 == 0
    for row, column in [(0, 0), (31, 100), (pixels // 2, pixels // 2), (200, 17)]:
        right = 1.5 * (2 * column + 1 - pixels) / pixels
        up = -1.5 * (2 * row + 1 - pixels) / pixels
        point = right * np.array(plane.right) + up * np.array(plane.up)
        r = np.linalg.norm(point)
        solid = sum(float(c) * np.prod(point ** np.array(e)) for e, c in harmonic(l, m).terms)
        assert values[row, column] == pytest.approx(np.exp(-r) * np.cos(r) * solid / r**l, abs=1e-12)


def test_there_is_one_panel_per_filter_on_one_scale_centred_at_zero() -> None:
    figure = plot_filters((1, 2))
    names = ["Y_1_x", "Y_1_y", "Y_1_z", "Y_2_n2", "Y_2_n1", "Y_2_0", "Y_2_p1", "Y_2_p2"]
    assert [axes.get_label() for axes in figure.axes] == ["R", *names, "scale"]
    limits = {panel(figure, name).images[0].get_clim() for name in names}
    ((low, high),) = limits
    assert low == -high
    assert high == max(np.abs(panel(figure, name).images[0].get_array()).max() for name in names)


def test_positive_is_red_and_negative_is_blue() -> None:
    (image,) = panel(plot_filters(1, -1), "Y_1_x").images
    colours = image.to_rgba(image.get_array())
    left, right = colours[120, 60], colours[120, 180]  # the bump at x = ∓1
    assert right[0] > right[2] + 0.3
    assert left[2] > left[0] + 0.3
    assert image.to_rgba(0.0) == pytest.approx((1, 1, 1, 1))


def test_the_radial_function_is_drawn_beside_and_defaults_to_a_bump() -> None:
    curve = panel(plot_filters(0, extent=3), "R").lines[-1]
    r, values = curve.get_data()
    assert (r[0], r[-1]) == (0, 3)
    np.testing.assert_array_equal(values, gaussian_bump(1.0, 0.35)(r))
    assert gaussian_bump(2.0, 0.5)(np.array([2.0, 2.5])) == pytest.approx([1, np.exp(-0.5)])


def test_a_constant_and_a_vanishing_radial_function_are_drawn() -> None:
    assert plot_filters(1, 0, radial=lambda r: 1.0).axes[1].images[0].get_clim() == pytest.approx(
        (-(3**0.5), 3**0.5), rel=1e-4
    )
    assert plot_filters(1, 0, radial=np.zeros_like).axes[1].images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"l": 13}, "l"), ({"l": -1}, "l"), ({"l": "2"}, "l"), ({"l": ()}, "l"), ({"l": (0, 1.5)}, "l"),
        ({"l": 1, "m": 2}, "m"), ({"l": (0, 1), "m": 1}, "m"), ({"l": 1, "m": 0.5}, "m"),
        ({"l": 0, "extent": 0}, "extent"), ({"l": 0, "extent": np.inf}, "extent"),
        ({"l": 0, "extent": np.nan}, "extent"), ({"l": 0, "radial": 3}, "radial"),
        ({"l": 0, "radial": lambda r: r[:3]}, "radial"), ({"l": 0, "radial": lambda r: 1j * r}, "radial"),
        ({"l": 0, "radial": lambda r: np.full_like(r, np.nan)}, "radial"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments: dict, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: "):
        plot_filters(**arguments)


@pytest.mark.parametrize(
    ("arguments", "named"), [((1, 0), "width"), ((1, -1), "width"), ((np.nan,), "centre")]
)
def test_a_bad_bump_is_named(arguments: tuple, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: "):
        gaussian_bump(*arguments)
