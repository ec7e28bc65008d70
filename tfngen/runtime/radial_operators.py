"""The torch operators of radial functions: each is its own derivative, of one order higher.

``tfngen::bessel`` and ``tfngen::polynomial_cutoff`` compute the functions of `tfngen.nn.BesselBasis` and
`tfngen.nn.PolynomialCutoff` or a derivative of theirs by the distance, of any order: on a processor by one
kernel, elsewhere by torch's operations. Left to autograd, each derivative would take some tens of
operations more than the one before.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tfngen.runtime import radial
from tfngen.runtime.autocast import HALF
from tfngen.runtime.backend import backend
from tfngen.runtime.dispatch import call, register


def bessel(distances: Tensor, cutoff: float, number: int, order: int = 0) -> Tensor:
    """dᵐ/drᵐ √(2/c) sin(nπr/c) / r for n = 1…number: (…) → (…, number).

    Args:
        distances: (…) r ≥ 0.
        cutoff: c.
        number: how many functions.
        order: m, ≥ 0.

    Raises:
        ValueError: naming the argument, what it is and what it must be.
    """
    result: Tensor = call("bessel", cutoff, number, order, distances)
    return result


def polynomial_cutoff(distances: Tensor, cutoff: float, p: int, order: int = 0) -> Tensor:
    """dᵐ/drᵐ u(r), u = 1 − ½(p+1)(p+2) dᵖ + p(p+2) dᵖ⁺¹ − ½p(p+1) dᵖ⁺² where d = r/c < 1, else 0.

    Args:
        distances: (…) r ≥ 0.
        cutoff: c.
        p: ≥ 2.
        order: m, ≥ 0.

    Raises:
        ValueError: naming the argument, what it is and what it must be.
    """
    result: Tensor = call("polynomial_cutoff", cutoff, p, order, distances)
    return result


def _check(distances: Tensor, cutoff: float, order: int, **least: tuple[int, int]) -> None:
    if distances.dtype not in (torch.float32, torch.float64, *HALF):
        raise ValueError(f"distances: {distances.dtype}; they must be floating-point numbers")
    if not 0 < cutoff < math.inf:
        raise ValueError(f"cutoff: {cutoff!r}; it must be a finite number > 0")
    for name, (value, smallest) in {"order": (order, 0), **least}.items():
        if value < smallest:
            raise ValueError(f"{name}: {value}; it must be an integer ≥ {smallest}")


# ── the operators ───────────────────────────────────────────────────────────────────────────────────────


def _home(distances: Tensor) -> ModuleType:
    return backend(distances.device) if distances.is_cpu else radial


def _bessel_fake(cutoff: float, number: int, order: int, distances: Tensor) -> Tensor:
    return distances.new_empty(*distances.shape, number)


def _bessel(cutoff: float, number: int, order: int, distances: Tensor) -> Tensor:
    _check(distances, cutoff, order, number=(number, 1))
    result: Tensor = _home(distances).bessel(distances, cutoff, number, order)
    return result


def _bessel_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    cutoff, number, order = ctx.numbers
    (distances,) = ctx.saved_tensors
    return None, None, None, (cotangent * bessel(distances, cutoff, number, order + 1)).sum(-1)


def _cutoff_fake(cutoff: float, p: int, order: int, distances: Tensor) -> Tensor:
    return distances.new_empty(distances.shape)


def _cutoff(cutoff: float, p: int, order: int, distances: Tensor) -> Tensor:
    _check(distances, cutoff, order, p=(p, 2))
    result: Tensor = _home(distances).polynomial_cutoff(distances, cutoff, p, order)
    return result


def _cutoff_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    cutoff, p, order = ctx.numbers
    (distances,) = ctx.saved_tensors
    return None, None, None, cotangent * polynomial_cutoff(distances, cutoff, p, order + 1)


def _context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    *ctx.numbers, distances = inputs
    ctx.save_for_backward(distances)


register(
    "bessel",
    "(float cutoff, int number, int order, Tensor distances) -> Tensor",
    _bessel,
    _bessel_fake,
    _bessel_backward,
    _context,
)
register(
    "polynomial_cutoff",
    "(float cutoff, int p, int order, Tensor distances) -> Tensor",
    _cutoff,
    _cutoff_fake,
    _cutoff_backward,
    _context,
)
