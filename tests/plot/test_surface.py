"""The ray-traced surface r = |Y_lm(r̂)|: its points, normals, signs and silhouettes."""

import numpy as np
import pytest

from tfngen.plot import surface
from tfngen.symbolic.harmonics import harmonic

CAMERA = surface.Camera.at(azimuth=28, elevation=18)
SIX = [(0, 0), (1, -1), (2, 0), (3, -2), (4, 3), (7, -4)]


@pytest.mark.parametrize(("l", "m"), SIX)
def test_evaluation_agrees_with_exact_arithmetic(l: int, m: int) -> None:
    points = np.array([[1, -2, 3], [0, 1, 0], [2, 2, -1]])
    exact = [float(harmonic(l, m)(*map(int, point))) for point in points]
    assert surface.evaluate(harmonic(l, m), points) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize(("l", "m"), SIX)
def test_every_hit_lies_on_the_surface_in_its_pixel_with_its_sign(l: int, m: int) -> None:
    scale = 2.1 * surface.largest(l, m) / 60
    hits = surface.trace(l, m, CAMERA, (60, 50), scale)
    values = surface.spherical_harmonic(l, m, hits.points)
    # Bisection leaves 1/48 · 2^−14 of the radius; where the ray grazes, |Y| changes faster than the depth.
    assert np.linalg.norm(hits.points, axis=1) == pytest.approx(np.abs(values), rel=1e-3, abs=1e-3)
    np.testing.assert_array_equal(hits.signs, np.sign(values))
    rows, columns = np.nonzero(hits.mask)
    there = scale * np.column_stack([columns - 24.5, 29.5 - rows])
    np.testing.assert_allclose(CAMERA.project(hits.points), there, atol=1e-12)


@pytest.mark.parametrize(("l", "m"), SIX)
def test_normals_are_unit_face_the_viewer_and_are_perpendicular_to_the_surface(l: int, m: int) -> None:
    hits = surface.trace(l, m, CAMERA, (60, 60), 2.1 * surface.largest(l, m) / 60)
    assert np.linalg.norm(hits.normals, axis=1) == pytest.approx(1)
    assert (hits.normals @ CAMERA.axes[2] > -0.02).all()  # a visible point's; 0.02 at a grazed silhouette
    rng = np.random.default_rng(0)
    directions = hits.points / np.linalg.norm(hits.points, axis=1, keepdims=True)
    radii = np.abs(surface.spherical_harmonic(l, m, directions))
    keep = radii > 0.3  # near the origin the surface has a cone's tip, not a tangent plane
    for _ in range(3):
        moved = directions + 1e-6 * rng.normal(size=directions.shape)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        nearby = moved * np.abs(surface.spherical_harmonic(l, m, moved))[:, None]
        tangents = nearby - directions * radii[:, None]
        tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
        along = np.einsum("ni,ni->n", tangents, hits.normals)
        assert np.abs(along[keep]).max() < 1e-3


def test_the_sphere_fills_its_disc_and_nothing_else() -> None:
    hits = surface.trace(0, 0, CAMERA, (200, 200), 0.0125)
    assert hits.mask.mean() == pytest.approx(np.pi / 2.5**2, rel=2e-3)
    assert (hits.signs == 1).all()


def test_the_camera_draws_y_upright_x_to_the_right_and_z_toward_the_viewer() -> None:
    np.testing.assert_allclose(CAMERA.axes @ CAMERA.axes.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(CAMERA.axes) == pytest.approx(1)
    x, y, _ = CAMERA.project(np.eye(3))
    assert y[0] == 0
    assert y[1] > 0.9
    assert x[0] > 0.8
    assert CAMERA.axes[2, 2] > 0.8


def test_the_largest_radius_is_attained_and_never_exceeded() -> None:
    directions = np.random.default_rng(1).normal(size=(4000, 3))
    for l, m in SIX:
        values = np.abs(surface.spherical_harmonic(l, m, directions))
        assert 0.97 * surface.largest(l, m) < values.max() <= surface.largest(l, m) * (1 + 1e-6)
    assert surface.largest(3, 0) == pytest.approx(7**0.5)
    assert surface.largest(1, -1) == pytest.approx(3**0.5)
