"""Radial functions of distances and their derivatives, for processors: computed in double precision.

One number of a distance after another, so that its sine and cosine are computed once for all functions.
"""

from __future__ import annotations

import math
from array import array

import torch
from numba import njit
from torch import Tensor

from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.kernel import Kernel, kernel
from tfngen.runtime.cpu.threads import parallel_for

WORDS = ("constant", "load_scalar", "store_scalar")
constant, load_scalar, store_scalar = float32.constant, float32.load_scalar, float32.store_scalar
load_double = float64.load_scalar

NEAR = (1e-4, 0.3, 1.0, 2.0)
"""Below it sin(x)/x and its derivatives are summed as series, beyond it they follow from each other, and each
loses as many digits as 1/x has: by order, the last for all higher ones."""
ENOUGH = 1e-17
"""What is not seen beside a sum of one any more."""
COST = 60
"""Multiply-adds that a value of a Bessel function takes the time of."""


@njit(inline="always")
def sinc_derivative(x, sine, cosine, order, near):
    """dᵐ/dxᵐ sin(x)/x, m = `order`, given sin(x) and cos(x)."""
    if abs(x) < near:
        # Σ_j (−1)ʲ x²ʲ / (2j+1)!, each term differentiated m times, from the first that is not gone.
        j = (order + 1) // 2
        term = (1.0 - 2.0 * (j % 2)) / (2.0 * j + 1.0)
        if order % 2:
            term *= x
        total, squared = term, x * x
        for _ in range(16):
            left = 2.0 * j + 2.0 - order
            term *= -squared * (2.0 * j + 1.0) / ((2.0 * j + 3.0) * left * (left - 1.0))
            total += term
            j += 1
            if abs(term) < ENOUGH * abs(total):
                break
        return total
    # x s = sin x, and m times differentiated: x s⁽ᵐ⁾ + m s⁽ᵐ⁻¹⁾ = sin⁽ᵐ⁾ x
    value, one, other = sine / x, cosine, -sine
    for m in range(1, order + 1):
        value = (one - m * value) / x
        one, other = other, -one
    return value


@kernel
def bessel_functions(first, last, distances, results, number, order, numbers):
    """results[edge, n − 1] = dᵐ/drᵐ a sin(n k r) / r, m = `order`; k, a and what is near are `numbers`."""
    step, scale, near = load_double(numbers, 0), load_double(numbers, 1), load_double(numbers, 2)
    for edge in range(first, last):
        r = float(load_scalar(distances, edge))
        cosine_step, sine_step = math.cos(step * r), math.sin(step * r)
        cosine, sine = 1.0, 0.0
        for n in range(number):
            turned = cosine * cosine_step - sine * sine_step
            sine = sine * cosine_step + cosine * sine_step
            cosine = turned
            k = step * (n + 1)
            factor = scale * k
            for _ in range(order):
                factor *= k
            value = factor * sinc_derivative(k * r, sine, cosine, order, near)
            store_scalar(results, edge * number + n, constant(value))


@kernel
def polynomial_cutoffs(first, last, distances, results, p, order, numbers):
    """results[edge] = dᵐ/drᵐ (1 − ½(p+1)(p+2) dᵖ + p(p+2) dᵖ⁺¹ − ½p(p+1) dᵖ⁺²), d = k r < 1, else 0."""
    step = load_double(numbers, 0)
    for edge in range(first, last):
        d = step * float(load_scalar(distances, edge))
        value = 0.0
        if d < 1.0:
            for i in range(3):
                if i == 0:
                    factor = -0.5 * (p + 1) * (p + 2)
                elif i == 1:
                    factor = 1.0 * p * (p + 2)
                else:
                    factor = -0.5 * p * (p + 1)
                for m in range(order):
                    factor *= (p + i - m) * step
                if p + i >= order:
                    for _ in range(p + i - order):
                        factor *= d
                    value += factor
            if order == 0:
                value += 1.0
        store_scalar(results, edge, constant(value))


def _of_each_dtype(one: Kernel) -> dict[torch.dtype, Kernel]:
    words = {name: getattr(float64, name) for name in WORDS}
    return {torch.float32: one, torch.float64: one.variant("float64", words)}


BESSEL, CUTOFFS = _of_each_dtype(bessel_functions), _of_each_dtype(polynomial_cutoffs)


def bessel(distances: Tensor, cutoff: float, number: int, order: int) -> Tensor:
    """See `tfngen.runtime.radial_operators.bessel`."""
    result = distances.new_empty(*distances.shape, number)
    near = NEAR[min(order, len(NEAR) - 1)]
    _run(BESSEL, distances, result, number, order, (math.pi / cutoff, math.sqrt(2 / cutoff), near))
    return result


def polynomial_cutoff(distances: Tensor, cutoff: float, p: int, order: int) -> Tensor:
    """See `tfngen.runtime.radial_operators.polynomial_cutoff`."""
    result = distances.new_empty(distances.shape)
    _run(CUTOFFS, distances, result, p, order, (1 / cutoff,))
    return result


def _run(
    kernels: dict[torch.dtype, Kernel],
    distances: Tensor,
    result: Tensor,
    number: int,
    order: int,
    numbers: tuple[float, ...],
) -> None:
    distances, doubles = distances.contiguous(), array("d", numbers)
    arguments = distances.data_ptr(), result.data_ptr(), number, order, doubles.buffer_info()[0]
    parallel_for(kernels[distances.dtype], distances.numel(), COST * result.numel(), arguments, (doubles,))
