"""Real spherical harmonics up to degree 1 and two derivatives, component normalisation, in float32.

Vectors are (x, y, z), y is the polar axis, and m runs from −l to l, so that degree 1 is (x, y, z) again.
Each lane has a point of its own, and each point 4 values, degree after degree.

    kernel             per point      plain sum
    harmonics          3 mul 0 add    3 mul 0 add
    harmonics_vjp      12 mul 5 add   15 mul 5 add
    harmonics_vjp_vjp  37 mul 18 add  57 mul 28 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float32 import (
    LANES,
    active_lanes,
    constant,
    kernel,
    load_rows,
    reciprocal_norm,
    store_rows,
    zero,
)

INTEGER_1 = constant(1.0)  # 1
SQRT_3 = constant(1.7320508075688772)  # √3


@kernel
def harmonics(first, last, vectors, results):
    """results[l, m] = Y[l, m](r/|r|)"""
    for point in range(first, last, LANES):
        active = active_lanes(last - point)
        vector_x, vector_y, vector_z = load_rows(vectors, 3 * point, 3, 3, active)
        inverse_norm = reciprocal_norm(vector_x, vector_y, vector_z)
        x = vector_x * inverse_norm
        y = vector_y * inverse_norm
        z = vector_z * inverse_norm
        Y_0 = INTEGER_1 + zero()
        Y_1_x = SQRT_3 * x
        Y_1_y = SQRT_3 * y
        Y_1_z = SQRT_3 * z
        store_rows(results, 4 * point, 4, (Y_0, Y_1_x, Y_1_y, Y_1_z), active)


@kernel
def harmonics_vjp(first, last, vectors, grads, results):
    """results = Σ grads[l, m] · ∂Y[l, m](r/|r|)/∂r"""
    for point in range(first, last, LANES):
        active = active_lanes(last - point)
        vector_x, vector_y, vector_z = load_rows(vectors, 3 * point, 3, 3, active)
        inverse_norm = reciprocal_norm(vector_x, vector_y, vector_z)
        x = vector_x * inverse_norm
        y = vector_y * inverse_norm
        z = vector_z * inverse_norm
        _, grad_Y_1_x, grad_Y_1_y, grad_Y_1_z = load_rows(grads, 4 * point, 4, 4, active)
        slope_x = SQRT_3 * grad_Y_1_x
        slope_y = SQRT_3 * grad_Y_1_y
        slope_z = SQRT_3 * grad_Y_1_z
        radial = x * slope_x + y * slope_y + z * slope_z
        d_x = inverse_norm * (slope_x - x * radial)
        d_y = inverse_norm * (slope_y - y * radial)
        d_z = inverse_norm * (slope_z - z * radial)
        store_rows(results, 3 * point, 3, (d_x, d_y, d_z), active)


@kernel
def harmonics_vjp_vjp(first, last, vectors, grads, tangents, results, grad_results):
    """The derivatives of tangents · harmonics_vjp(r, grads), by r and by grads."""
    for point in range(first, last, LANES):
        active = active_lanes(last - point)
        vector_x, vector_y, vector_z = load_rows(vectors, 3 * point, 3, 3, active)
        inverse_norm = reciprocal_norm(vector_x, vector_y, vector_z)
        x = vector_x * inverse_norm
        y = vector_y * inverse_norm
        z = vector_z * inverse_norm
        _, grad_Y_1_x, grad_Y_1_y, grad_Y_1_z = load_rows(grads, 4 * point, 4, 4, active)
        slope_x = SQRT_3 * grad_Y_1_x
        slope_y = SQRT_3 * grad_Y_1_y
        slope_z = SQRT_3 * grad_Y_1_z
        tangent_x, tangent_y, tangent_z = load_rows(tangents, 3 * point, 3, 3, active)
        along = x * tangent_x + y * tangent_y + z * tangent_z
        t_x = inverse_norm * (tangent_x - x * along)
        t_y = inverse_norm * (tangent_y - y * along)
        t_z = inverse_norm * (tangent_z - z * along)
        d_grad_Y_0 = zero()
        d_grad_Y_1_x = SQRT_3 * t_x
        d_grad_Y_1_y = SQRT_3 * t_y
        d_grad_Y_1_z = SQRT_3 * t_z
        store_rows(grad_results, 4 * point, 4, (d_grad_Y_0, d_grad_Y_1_x, d_grad_Y_1_y, d_grad_Y_1_z), active)
        radial_slope = x * slope_x + y * slope_y + z * slope_z
        slope_along_t = t_x * slope_x + t_y * slope_y + t_z * slope_z
        across_x = slope_x - x * radial_slope
        along_inverse_norm = along * inverse_norm
        d_x = -(inverse_norm * (t_x * radial_slope + x * slope_along_t + along_inverse_norm * across_x))
        across_y = slope_y - y * radial_slope
        d_y = -(inverse_norm * (t_y * radial_slope + y * slope_along_t + along_inverse_norm * across_y))
        across_z = slope_z - z * radial_slope
        d_z = -(inverse_norm * (t_z * radial_slope + z * slope_along_t + along_inverse_norm * across_z))
        store_rows(results, 3 * point, 3, (d_x, d_y, d_z), active)
