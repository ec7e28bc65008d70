"""The torch operators of symmetric contractions: polynomials of a node's own features, channel by channel.

With a coefficient for each species, monomial and channel, S is one form, the same in its three inputs:

    S = Σ_nodes Σ_channels Σ_M grad[M] Σ_{i, j, k} C[M, {i, j, k}] · a[i] b[j] d[k]

``tfngen::symmetric_output`` is its derivative by grad, ``symmetric_d_input`` that by one of the inputs and
``symmetric_d_coefficient`` that by C: as for a path (`tfngen.roles`), the derivative of any of them is one of
them again, so autograd closes to every order. This is the product of MACE (Batatia et al., arXiv:2206.07697,
eq. 10 and 11), where a = b = d; monomials of lower degree have a component that is always one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from tfngen.runtime.autocast import HALF
from tfngen.runtime.backend import backend
from tfngen.runtime.dispatch import call, register
from tfngen.runtime.monomials import Monomials


def symmetric_contraction(monomials: Monomials, species: Tensor, coefficients: Tensor, x: Tensor) -> Tensor:
    """out[n, M, c] = Σ_{i, j, k} C[species[n], {i, j, k}, c] · x[n, i, c] x[n, j, c] x[n, k, c].

    The sum runs over the monomials of M, each in all orders of i, j and k: that of three different components
    has six terms with one coefficient.

    Args:
        monomials: which there are.
        species: (nodes,) int64, the row of coefficients that each node has.
        coefficients: (species, monomials, channels).
        x: (nodes, components, channels), float32 or float64.

    Returns:
        (nodes, outputs, channels). Differentiable to every order in x and the coefficients; sums over nodes
        run in their order, whatever the number of threads.

    Raises:
        ValueError: a wrong shape, dtype or device, or a species that has no row; on a GPU, which would have
            to be waited for, such a one has the nearest row there is.
    """
    result: Tensor = call("symmetric_output", monomials.numbers, species, coefficients, x, x, x)
    return result


SLOTS = ("coefficients", "grad", "one", "two", "three")
"""What S is linear in; it is the same if the last three change places."""
INPUTS = SLOTS[2:]
_MISSING = {"symmetric_output": "grad", "symmetric_d_input": "one", "symmetric_d_coefficient": "coefficients"}
"""By operator, the slot that its result has the shape of; it takes the others, in their order."""


def _taken(name: str) -> tuple[str, ...]:
    return tuple(slot for slot in SLOTS if slot != _MISSING[name])


def _shapes(monomials: Monomials, nodes: int, species: int, channels: int) -> dict[str, tuple[int, int, int]]:
    """By slot."""
    inputs = dict.fromkeys(INPUTS, (nodes, monomials.components, channels))
    coefficients = species, len(monomials.each), channels
    return {"coefficients": coefficients, "grad": (nodes, monomials.outputs, channels), **inputs}


def _check(monomials: Monomials, species: Tensor, rows: int, slots: dict[str, Tensor]) -> None:
    like = slots["three"]
    if like.dtype not in (torch.float32, torch.float64, *HALF) or like.ndim != 3:
        raise ValueError(
            f"three: {like.dtype} {tuple(like.shape)}; it must be floats (nodes, components, channels)"
        )
    nodes, _, channels = like.shape
    wanted = _shapes(monomials, nodes, rows, channels)
    for name, tensor in slots.items():
        if tuple(tensor.shape) != wanted[name]:
            raise ValueError(f"{name}: shape {tuple(tensor.shape)}; it must be {wanted[name]}")
        if tensor.dtype != like.dtype or tensor.device != like.device:
            raise ValueError(
                f"{name}: {tensor.dtype} on {tensor.device}; three is {like.dtype} on {like.device}"
            )
    if species.dtype != torch.int64 or tuple(species.shape) != (nodes,) or species.device != like.device:
        raise ValueError(
            f"species: {species.dtype} {tuple(species.shape)} on {species.device}; it must be int64 "
            f"({nodes},) on {like.device}"
        )
    if nodes and like.is_cpu:  # a GPU would be waited for; its kernels take the nearest row there is
        low, high = (int(bound) for bound in torch.aminmax(species))
        if low < 0 or high >= rows:
            raise ValueError(
                f"species: holds {low if low < 0 else high}; with {rows} rows of coefficients it must be in "
                f"[0, {rows})"
            )


def _register(name: str) -> None:
    taken, missing = _taken(name), _MISSING[name]
    counts = missing == "coefficients"  # how many rows of coefficients there are is told, not seen

    def result_of(numbers: Sequence[int], rows: int, slots: dict[str, Tensor]) -> Tensor:
        like = slots["three"]
        shapes = _shapes(Monomials.of(tuple(numbers)), like.shape[0], rows, like.shape[2])
        return like.new_empty(shapes[missing])

    def told(arguments: Sequence[Any]) -> tuple[int, dict[str, Tensor]]:
        slots = dict(zip(taken, arguments[counts:], strict=True))
        return (arguments[0] if counts else slots["coefficients"].shape[0]), slots

    def fake(numbers: Sequence[int], species: Tensor, *arguments: Any) -> Tensor:
        return result_of(numbers, *told(arguments))

    def implementation(numbers: Sequence[int], species: Tensor, *arguments: Any) -> Tensor:
        numbers = tuple(numbers)
        rows, slots = told(arguments)
        _check(Monomials.of(numbers), species, rows, slots)
        like = slots["three"]
        if like.dtype in HALF:
            wide = [each.float() if isinstance(each, Tensor) else each for each in arguments]
            return implementation(numbers, species, *wide).to(like.dtype)
        result = result_of(numbers, rows, slots)
        laid_out = {slot: each.contiguous() for slot, each in slots.items()}
        inputs = [each for slot, each in laid_out.items() if slot in INPUTS]
        others = [each for slot, each in laid_out.items() if slot not in INPUTS]
        run = getattr(backend(like.device), name)
        run(numbers, species.contiguous(), *others, inputs, result)
        return result

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.numbers, *tensors = inputs
        ctx.rows = tensors.pop(1) if counts else tensors[1].shape[0]
        ctx.save_for_backward(*tensors)

    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        species, *operands = ctx.saved_tensors
        slots = {**dict(zip(taken, operands, strict=True)), missing: cotangent}
        wanted = [slot for slot, each in zip(taken, ctx.needs_input_grad[2 + counts :], strict=True) if each]
        found = _derivatives(ctx.numbers, species, ctx.rows, slots, wanted)
        return (None, None, *[None] * counts, *(found.get(slot) for slot in taken))

    tensors = ", ".join(f"Tensor {slot}" for slot in taken)
    schema = f"(int[] monomials, Tensor species, {'int rows, ' * counts}{tensors}) -> Tensor"
    register(name, schema, implementation, fake, backward, setup_context)


def _derivatives(
    numbers: Sequence[int], species: Tensor, rows: int, slots: dict[str, Tensor], wanted: Iterable[str]
) -> dict[str, Tensor]:
    """∂S/∂slot for the slots `wanted`; those by inputs that are one tensor are one."""
    found: dict[str, Tensor] = {}
    for slot in wanted:
        inputs = [slots[each] for each in INPUTS if each != slot]
        if slot == "grad":
            arguments = slots["coefficients"], *inputs
            found[slot] = call("symmetric_output", numbers, species, *arguments)
        elif slot == "coefficients":
            found[slot] = call("symmetric_d_coefficient", numbers, species, rows, slots["grad"], *inputs)
        else:
            same = next((each for each in found if each in INPUTS and slots[each] is slots[slot]), None)
            arguments = slots["coefficients"], slots["grad"], *inputs
            found[slot] = (
                call("symmetric_d_input", numbers, species, *arguments) if same is None else found[same]
            )
    return found


for _name in _MISSING:
    _register(_name)
