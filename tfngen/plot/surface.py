"""The surface r = |Y_lm(r̂)|, ray traced.

A ray p(t) = p₀ + t d meets the surface where |p| = |Y(p/|p|)|, that is where

    P(p)² = (|p|²)^(l+1),        P the solid harmonic r^l Y_lm, a polynomial of degree l in t.

l+1 values of P therefore give all of them along the ray; the first point that lies inside, seen from the
viewer, brackets the surface and bisection finds it. The normal is the gradient of |p|^(l+1) − |P|, exact too.
No mesh is involved: silhouettes and nodal creases are sharp at any degree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import cos, pi, radians, sin

import numpy as np
from numpy.typing import NDArray

from tfngen.symbolic.harmonics import harmonic
from tfngen.symbolic.polynomial import Polynomial

Array = NDArray[np.float64]

DEPTHS = 96
"""Points looked at along each ray; chords shorter than 1/48 of the radius are seen only at silhouettes."""

BISECTIONS = 14

_BATCH = 512  # rays; what is computed for them at once stays in the cache

LIGHT = np.array([-0.45, 0.75, 0.65]) / np.linalg.norm([-0.45, 0.75, 0.65])
"""Where the light comes from: right, up, toward the viewer."""


@dataclass(frozen=True, slots=True)
class Camera:
    """An orthographic view: three orthonormal rows `right`, `up` and `toward` the viewer."""

    axes: Array

    @classmethod
    def at(cls, azimuth: float, elevation: float) -> Camera:
        """The view with y upright; azimuth 0 looks along −z, elevation lifts the viewer (degrees)."""
        a, e = radians(azimuth), radians(elevation)
        right = np.array([cos(a), 0.0, -sin(a)])
        toward = np.array([sin(a) * cos(e), sin(e), cos(a) * cos(e)])
        return cls(np.stack([right, np.cross(toward, right), toward]))

    def project(self, points: Array) -> Array:
        """Points (..., 3) as (right, up)."""
        return np.asarray(points @ self.axes[:2].T)


@dataclass(frozen=True, slots=True)
class Hits:
    """What the rays met: `mask` (height, width), and for the n pixels in it `points` (n, 3), unit `normals`
    (n, 3) in space and the `signs` (n,) of Y there."""

    mask: NDArray[np.bool_]
    points: Array
    normals: Array
    signs: Array


def evaluate(polynomial: Polynomial, points: Array) -> Array:
    """A polynomial in x, y, z at points (..., 3), in float64."""
    x, y, z = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
    powers = [_powers(axis, polynomial.degree) for axis in (x, y, z)]
    total = np.zeros(x.shape)
    for (i, j, k), coefficient in polynomial.primitive:
        total += coefficient * powers[0][i] * powers[1][j] * powers[2][k]
    return total * float(polynomial.content)


def spherical_harmonic(l: int, m: int, directions: Array) -> Array:
    """Y_lm(r̂), ‖Y_l‖² = 2l+1, for directions (..., 3) of any length but 0; its magnitude is the radius."""
    directions = np.asarray(directions, dtype=np.float64)
    return evaluate(harmonic(l, m), directions / np.linalg.norm(directions, axis=-1, keepdims=True))


@cache
def largest(l: int, m: int) -> float:
    """max |Y_lm| over the sphere: on a meridian where its azimuthal factor is ±1."""
    azimuth = 0.0 if m >= 0 else pi / (2 * abs(m))
    polar = np.linspace(0, pi, 2001)
    across = np.sin(polar)
    meridian = np.stack([across * sin(azimuth), np.cos(polar), across * cos(azimuth)], axis=-1)
    return float(np.abs(spherical_harmonic(l, m, meridian)).max())


def trace(l: int, m: int, camera: Camera, pixels: tuple[int, int], scale: float) -> Hits:
    """The visible points of the surface: (height, width) `pixels` of side `scale`, row 0 on top."""
    solid, reach = harmonic(l, m), 1.001 * largest(l, m)
    right, up, toward = camera.axes
    down, across = (scale * (np.arange(count) - (count - 1) / 2) for count in pixels)
    v, h = np.meshgrid(-down, across, indexing="ij")
    i, j = np.nonzero(h**2 + v**2 < reach**2)
    origins = h[i, j, None] * right + v[i, j, None] * up
    hit, near, far = _bracket(solid, l, origins, toward, reach)
    mask = np.zeros(pixels, dtype=bool)
    mask[i[hit], j[hit]] = True
    points = _bisect(solid, l, origins[hit], toward, near, far)
    signs = np.sign(evaluate(solid, points))
    gradient = np.stack([evaluate(solid.derivative(axis), points) for axis in range(3)], axis=-1)
    length = np.linalg.norm(points, axis=-1, keepdims=True)
    normals = (l + 1) * length ** (l - 1) * points - signs[:, None] * gradient
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-300)
    return Hits(mask, points, normals, signs)


def _bracket(
    solid: Polynomial, l: int, origins: Array, toward: Array, reach: float
) -> tuple[NDArray[np.bool_], Array, Array]:
    """Which rays meet the surface, and for those a depth before and one after they first do."""
    chebyshev = np.polynomial.chebyshev.chebvander
    nodes = np.cos(pi * (np.arange(l + 1) + 0.5) / (l + 1))
    depths = np.linspace(1, -1, DEPTHS)
    interpolation = np.linalg.inv(chebyshev(nodes, l)).T @ chebyshev(depths, l).T
    at_nodes = evaluate(solid, origins[:, None] + (reach * nodes)[:, None] * toward)
    distance = np.einsum("ni,ni->n", origins, origins)[:, None]
    first = np.empty(len(origins), dtype=np.intp)
    hit = np.empty(len(origins), dtype=bool)
    for start in range(0, len(origins), _BATCH):
        batch = slice(start, start + _BATCH)
        values = at_nodes[batch] @ interpolation
        inside = values * values > _power(distance[batch] + (reach * depths) ** 2, l + 1)
        first[batch] = inside.argmax(axis=1)
        hit[batch] = np.take_along_axis(inside, first[batch, None], axis=1)[:, 0]
    first = np.maximum(first[hit], 1)  # rounding alone can put the very first depth inside
    return hit, reach * depths[first - 1], reach * depths[first]


def _bisect(solid: Polynomial, l: int, origins: Array, toward: Array, near: Array, far: Array) -> Array:
    """The points on the surface between the depths `near`, outside, and `far`, inside."""
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        points = origins + middle[:, None] * toward
        distance = np.einsum("ni,ni->n", points, points)
        inside = evaluate(solid, points) ** 2 > _power(distance, l + 1)
        near, far = np.where(inside, near, middle), np.where(inside, middle, far)
    return origins + near[:, None] * toward


def shade(hits: Hits, camera: Camera, positive: Array, negative: Array) -> Array:
    """RGBA of the view, floats in 0…1, premultiplied by alpha; transparent where nothing was met.

    Half-Lambert light with a faint highlight, darker toward the crease at the origin.
    """
    normals = hits.normals @ camera.axes.T
    diffuse = (0.5 + 0.5 * normals @ LIGHT) ** 1.4
    halfway = LIGHT + np.array([0.0, 0.0, 1.0])
    halfway /= np.linalg.norm(halfway)
    highlight = 0.28 * np.clip(normals @ halfway, 0, 1) ** 28
    length = np.linalg.norm(hits.points, axis=-1)
    crease = 1 - 0.35 * np.exp(-4 * length / max(length.max(initial=0), 1e-300))
    base = np.where(hits.signs[:, None] > 0, positive, negative)
    light = ((0.42 + 0.78 * diffuse) * crease)[:, None]
    tint = np.clip(light - 0.95, 0, None)  # where light exceeds the colour, it turns paler, not brighter
    colour = base * np.minimum(light, 1) + (1 - base) * (1.3 * tint + highlight[:, None])
    image = np.zeros((*hits.mask.shape, 4))
    image[hits.mask] = np.column_stack([np.clip(colour, 0, 1), np.ones(len(colour))])
    return image


def smooth(image: Array, factor: int) -> Array:
    """Average factor × factor pixels into one and take the alpha out of the colours: antialiasing."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    mean = image.reshape(height, factor, width, factor, 4).mean(axis=(1, 3))
    mean[..., :3] /= np.maximum(mean[..., 3:], 1e-12)
    return np.asarray(mean)


def _powers(values: Array, degree: int) -> list[Array]:
    chain = [np.ones_like(values)]
    for _ in range(degree):
        chain.append(chain[-1] * values)
    return chain


def _power(values: Array, exponent: int) -> Array:
    """values^exponent for exponent ≥ 1 by squaring: numpy's own takes a logarithm of each."""
    if exponent == 1:
        return values
    half = _power(values, exponent // 2)
    return half * half * values if exponent % 2 else half * half
