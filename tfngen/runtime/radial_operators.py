"""The torch operators of radial functions: each is its own derivative, of one order higher.

``tfngen::bessel`` and ``tfngen::polynomial_cutoff`` compute the functions of `tfngen.nn.BesselBasis` and
`tfngen.nn.PolynomialCutoff` or a derivative of theirs by the distance, of any order: on a processor by one
kernel, elsewhere by torch's operations. Left to autograd, each derivative would take some tens of
operations more than the one before.
"""

from __future__ import annotations

import math
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


def _check(distances: Tensor, cutoff: float, order: int, name: str, value: int, least: int) -> None:
    if distances.dtype not in (torch.float32, torch.float64, *HALF):
        raise ValueError(f"distances: {distances.dtype}; they must be floating-point numbers")
    if not 0 < cutoff < math.inf:
        raise ValueError(f"cutoff: {cutoff!r}; it must be a finite number > 0")
    for each, given, smallest in (("order", order, 0), (name, value, least)):
        if given < smallest:
            raise ValueError(f"{each}: {given}; it must be an integer ≥ {smallest}")


def _register(name: str, parameter: str, least: int, are_several: bool) -> None:
    """Register ``tfngen::name``.

    Args:
        name: of the operator, and of what computes it.
        parameter: its second argument, an integer.
        least: what that may be.
        are_several: whether that is how many functions there are, along a last axis.
    """

    def fake(cutoff: float, value: int, order: int, distances: Tensor) -> Tensor:
        return distances.new_empty(*distances.shape, *[value] * are_several)

    def implementation(cutoff: float, value: int, order: int, distances: Tensor) -> Tensor:
        _check(distances, cutoff, order, parameter, value, least)
        if distances.dtype in HALF:
            return implementation(cutoff, value, order, distances.float()).to(distances.dtype)
        home = backend(distances.device) if distances.is_cpu else radial
        result: Tensor = getattr(home, name)(distances, cutoff, value, order)
        return result

    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        cutoff, value, order = ctx.numbers
        (distances,) = ctx.saved_tensors
        gradient = cotangent * call(name, cutoff, value, order + 1, distances)
        return None, None, None, gradient.sum(-1) if are_several else gradient

    schema = f"(float cutoff, int {parameter}, int order, Tensor distances) -> Tensor"
    register(name, schema, implementation, fake, backward, _context)


def _context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    *ctx.numbers, distances = inputs
    ctx.save_for_backward(distances)


_register("bessel", "number", 1, are_several=True)
_register("polynomial_cutoff", "p", 2, are_several=False)
