"""tfn_l1: kernels of Tensor Field Networks up to degree 1.

    from generated import tfn_l1 as tfn

    y = tfn.spherical_harmonics(r)                      # r (..., 3) → (..., 4)
    z = tfn.tensor_product((l_F, l_I, l_O), y, x, w)    # y (E, 2l_F+1), x (E, C, 2l_I+1), w (E, C)
    conv = tfn.Convolution(irreps_in, irreps_filter, irreps_out)
    out = conv(graph, y, features, weights)

Spherical harmonics: component normalisation, y the polar axis, m = −l … l. Everything is
differentiable to every order. Kernels (cpu, cuda; float32, float64) compile at their first call and
are cached.

The 5 paths (l_F, l_I, l_O) with the nonzeros of C, and for each kernel how it is computed and its
floating-point operations per edge at 32 channels:

    path       nonzeros  output        d_input       d_filter      d_weight
    (0, 0, 0)  1         64 direct     64 direct     96 direct     64 direct
    (0, 1, 1)  3         128 outer     128 outer     224 direct    192 direct
    (1, 0, 1)  3         128 outer     192 direct    224 outer     192 direct
    (1, 1, 0)  3         195 coupling  131 coupling  227 coupling  195 coupling
    (1, 1, 1)  6         387 coupling  387 coupling  486 coupling  451 coupling
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime import Package

from .coefficients import CLEBSCH_GORDAN, HARMONICS

__all__ = [
    "CLEBSCH_GORDAN",
    "HARMONICS",
    "LMAX",
    "NORMALIZATION",
    "PATHS",
    "Convolution",
    "spherical_harmonics",
    "tensor_product",
]

LMAX = 1
NORMALIZATION = "component"
PATHS = (
    (0, 0, 0),
    (0, 1, 1),
    (1, 0, 1),
    (1, 1, 0),
    (1, 1, 1),
)

_package = Package(
    __name__,
    lmax=LMAX,
    normalization=NORMALIZATION,
    paths=PATHS,
    dtypes=("float32", "float64"),
    targets=("cpu", "cuda"),
    fingerprint="tfn_l1-fac4c8cf1155",
    interface=12,
)

spherical_harmonics = _package.spherical_harmonics
tensor_product = _package.tensor_product
Convolution = _package.Convolution
