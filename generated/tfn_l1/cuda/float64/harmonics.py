"""Real spherical harmonics up to degree 1 and two derivatives, component normalisation, in float64.

Vectors are (x, y, z), y is the polar axis, and m runs from −l to l, so that degree 1 is (x, y, z) again.
Each thread has a point of its own, and each point 4 values, degree after degree.

    kernel             per point      plain sum
    harmonics          3 mul 0 add    3 mul 0 add
    harmonics_vjp      12 mul 5 add   15 mul 5 add
    harmonics_vjp_vjp  37 mul 18 add  57 mul 28 add
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cuda.float64 import (
    Floats,
    Size,
    constant,
    cuda,
    kernel,
    reciprocal_norm,
    zero,
)

INTEGER_1 = constant(1.0)  # 1
SQRT_3 = constant(1.7320508075688772)  # √3


@kernel
def harmonics(
    points: Size,
    vectors: Floats,
    results: Floats,
):
    """results[l, m] = Y[l, m](r/|r|)"""
    point = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if point >= points:
        return
    vector_x, vector_y, vector_z = vectors[3 * point], vectors[3 * point + 1], vectors[3 * point + 2]
    inverse_norm = reciprocal_norm(vector_x, vector_y, vector_z)
    x = vector_x * inverse_norm
    y = vector_y * inverse_norm
    z = vector_z * inverse_norm
    Y_0 = INTEGER_1 + zero()
    results[4 * point] = Y_0
    Y_1_x = SQRT_3 * x
    results[4 * point + 1] = Y_1_x
    Y_1_y = SQRT_3 * y
    results[4 * point + 2] = Y_1_y
    Y_1_z = SQRT_3 * z
    results[4 * point + 3] = Y_1_z


@kernel
def harmonics_vjp(
    points: Size,
    vectors: Floats,
    grads: Floats,
    results: Floats,
):
    """results = Σ grads[l, m] · ∂Y[l, m](r/|r|)/∂r"""
    point = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if point >= points:
        return
    vector_x, vector_y, vector_z = vectors[3 * point], vectors[3 * point + 1], vectors[3 * point + 2]
    inverse_norm = reciprocal_norm(vector_x, vector_y, vector_z)
    x = vector_x * inverse_norm
    y = vector_y * inverse_norm
    z = vector_z * inverse_norm
    grad_Y_1_x = grads[4 * point + 1]
    slope_x = SQRT_3 * grad_Y_1_x
    grad_Y_1_y = grads[4 * point + 2]
    slope_y = SQRT_3 * grad_Y_1_y
    grad_Y_1_z = grads[4 * point + 3]
    slope_z = SQRT_3 * grad_Y_1_z
    radial = x * slope_x + y * slope_y + z * slope_z
    d_x = inverse_norm * (slope_x - x * radial)
    results[3 * point] = d_x
    d_y = inverse_norm * (slope_y - y * radial)
    results[3 * point + 1] = d_y
    d_z = inverse_norm * (slope_z - z * radial)
    results[3 * point + 2] = d_z


@kernel
def harmonics_vjp_vjp(
    points: Size,
    vectors: Floats,
    grads: Floats,
    tangents: Floats,
    results: Floats,
    grad_results: Floats,
):
    """The derivatives of tangents · harmonics_vjp(r, grads), by r and by grads."""
    point = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if point >= points:
        return
    vector_x, vector_y, vector_z = vectors[3 * point], vectors[3 * point + 1], vectors[3 * point + 2]
    inverse_norm = reciprocal_norm(vector_x, vector_y, vector_z)
    x = vector_x * inverse_norm
    y = vector_y * inverse_norm
    z = vector_z * inverse_norm
    grad_Y_1_x = grads[4 * point + 1]
    slope_x = SQRT_3 * grad_Y_1_x
    grad_Y_1_y = grads[4 * point + 2]
    slope_y = SQRT_3 * grad_Y_1_y
    grad_Y_1_z = grads[4 * point + 3]
    slope_z = SQRT_3 * grad_Y_1_z
    tangent_x = tangents[3 * point]
    tangent_y = tangents[3 * point + 1]
    tangent_z = tangents[3 * point + 2]
    along = x * tangent_x + y * tangent_y + z * tangent_z
    t_x = inverse_norm * (tangent_x - x * along)
    t_y = inverse_norm * (tangent_y - y * along)
    t_z = inverse_norm * (tangent_z - z * along)
    d_grad_Y_0 = zero()
    grad_results[4 * point] = d_grad_Y_0
    d_grad_Y_1_x = SQRT_3 * t_x
    grad_results[4 * point + 1] = d_grad_Y_1_x
    d_grad_Y_1_y = SQRT_3 * t_y
    grad_results[4 * point + 2] = d_grad_Y_1_y
    d_grad_Y_1_z = SQRT_3 * t_z
    grad_results[4 * point + 3] = d_grad_Y_1_z
    radial_slope = x * slope_x + y * slope_y + z * slope_z
    slope_along_t = t_x * slope_x + t_y * slope_y + t_z * slope_z
    across_x = slope_x - x * radial_slope
    along_inverse_norm = along * inverse_norm
    d_x = -(inverse_norm * (t_x * radial_slope + x * slope_along_t + along_inverse_norm * across_x))
    results[3 * point] = d_x
    across_y = slope_y - y * radial_slope
    d_y = -(inverse_norm * (t_y * radial_slope + y * slope_along_t + along_inverse_norm * across_y))
    results[3 * point + 1] = d_y
    across_z = slope_z - z * radial_slope
    d_z = -(inverse_norm * (t_z * radial_slope + z * slope_along_t + along_inverse_norm * across_z))
    results[3 * point + 2] = d_z
