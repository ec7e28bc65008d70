"""Symmetric contractions for GPUs: a lane has a node's channel, or a species' coefficient of a channel.

What is summed over nodes is summed in their order, by one lane: no atomics, the same bits in every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tfngen.gpu import WARP
from tfngen.runtime.cuda.kernel import Argument, Indices, Kernel, Size
from tfngen.runtime.cuda.memory import read, write, zero_like
from tfngen.runtime.cuda.operations import within
from tfngen.runtime.cuda.run import place, run
from tfngen.runtime.cuda.seam import cuda, device
from tfngen.runtime.monomials import Table, Tables

MOST_THREADS = 128


@device
def product_of(twos, threes, pairs, pair, at, channels):
    """a[j] b[k] + a[k] b[j], or once if j = k, of a node's channel"""
    first, second = pairs[2 * pair], pairs[2 * pair + 1]
    j, k = at + first * channels, at + second * channels
    product = read(twos, j) * read(threes, k)
    if first != second:
        product += read(twos, k) * read(threes, j)
    return product


def _kernels(number: type) -> SimpleNamespace:
    Numbers = Argument(number, is_array=True)

    def contract(
        species: Indices,
        coefficients: Numbers,
        factors: Numbers,
        twos: Numbers,
        threes: Numbers,
        results: Numbers,
        pairs: Indices,
        rows: Indices,
        groups: Indices,
        monomials: Indices,
        channels: Size,
        components: Size,
        factor_count: Size,
        row_count: Size,
        monomial_count: Size,
        species_count: Size,
    ):
        node, channel = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        if channel >= channels:
            return
        own = within(species[node], species_count) * monomial_count * channels + channel
        at = node * components * channels + channel
        for row in range(row_count):
            total = zero_like(results)
            for group in range(rows[row], rows[row + 1]):
                inner = zero_like(results)
                for entry in range(groups[2 * group + 1], groups[2 * group + 3]):
                    product = product_of(twos, threes, pairs, monomials[2 * entry + 1], at, channels)
                    inner += read(coefficients, own + monomials[2 * entry] * channels) * product
                factor = (node * factor_count + groups[2 * group]) * channels + channel
                total += read(factors, factor) * inner
            write(results, (node * row_count + row) * channels + channel, total)

    def differentiate(
        order: Indices,
        pointers: Indices,
        grads: Numbers,
        factors: Numbers,
        twos: Numbers,
        threes: Numbers,
        results: Numbers,
        pairs: Indices,
        rows: Indices,
        groups: Indices,
        monomials: Indices,
        channels: Size,
        components: Size,
        outputs: Size,
        monomial_count: Size,
    ):
        channel = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        if channel >= channels:
            return
        kind, row = cuda.blockIdx.x // monomial_count, cuda.blockIdx.x % monomial_count
        total = zero_like(results)
        for number in range(pointers[kind], pointers[kind + 1]):
            node = order[number]
            at = node * components * channels + channel
            for group in range(rows[row], rows[row + 1]):
                inner = zero_like(results)
                for entry in range(groups[2 * group + 1], groups[2 * group + 3]):
                    product = product_of(twos, threes, pairs, monomials[2 * entry + 1], at, channels)
                    grad = (node * outputs + monomials[2 * entry]) * channels + channel
                    inner += read(grads, grad) * product
                total += read(factors, at + groups[2 * group] * channels) * inner
        write(results, cuda.blockIdx.x * channels + channel, total)

    for function in (contract, differentiate):
        function.__name__ = f"{function.__name__}_{np.dtype(number).name}"
        function.__annotations__ = {
            name: {"Indices": Indices, "Size": Size, "Numbers": Numbers}[each]
            for name, each in function.__annotations__.items()
        }
    return SimpleNamespace(contract=Kernel(contract), differentiate=Kernel(differentiate))


KERNELS = {torch.float32: _kernels(np.float32), torch.float64: _kernels(np.float64)}


def symmetric_output(
    numbers: tuple[int, ...],
    species: Tensor,
    coefficients: Tensor,
    inputs: Sequence[Tensor],
    result: Tensor,
) -> None:
    """See `tfngen.runtime.symmetric_operators`; everything is contiguous and known to fit."""
    one, two, three = inputs
    _contract(numbers, "by_output", species, coefficients, one, (two, three), result)


def symmetric_d_input(
    numbers: tuple[int, ...],
    species: Tensor,
    coefficients: Tensor,
    grad: Tensor,
    inputs: Sequence[Tensor],
    result: Tensor,
) -> None:
    """See `tfngen.runtime.symmetric_operators`; everything is contiguous and known to fit."""
    _contract(numbers, "by_input", species, coefficients, grad, inputs, result)


def symmetric_d_coefficient(
    numbers: tuple[int, ...], species: Tensor, grad: Tensor, inputs: Sequence[Tensor], result: Tensor
) -> None:
    """See `tfngen.runtime.symmetric_operators`; everything is contiguous and known to fit."""
    one, two, three = inputs
    kinds, monomials, _ = result.shape
    sorted_species, order = species.clamp(0, max(kinds - 1, 0)).sort(stable=True)
    pointers = torch.searchsorted(sorted_species, torch.arange(kinds + 1, device=species.device))
    values = {"order": place(order), "pointers": place(pointers), "grads": place(grad)}
    values |= {"factors": place(one), "outputs": grad.shape[1], "monomial_count": monomials}
    _run("differentiate", kinds * monomials, numbers, "by_monomial", (two, three), values, result)


def _contract(
    numbers: tuple[int, ...],
    table: str,
    species: Tensor,
    coefficients: Tensor,
    factors: Tensor,
    pair: Sequence[Tensor],
    result: Tensor,
) -> None:
    values = {"species": place(species), "coefficients": place(coefficients), "factors": place(factors)}
    values |= {"factor_count": factors.shape[1], "row_count": result.shape[1]}
    values |= {"species_count": coefficients.shape[0], "monomial_count": coefficients.shape[1]}
    _run("contract", result.shape[0], numbers, table, pair, values, result)


def _run(
    name: str,
    blocks: int,
    numbers: tuple[int, ...],
    table: str,
    pair: Sequence[Tensor],
    values: dict[str, Any],
    result: Tensor,
) -> None:
    (two, three), channels = pair, result.shape[2]
    if not blocks or not channels:
        return
    pairs, rows, groups, monomials = map(place, _tables(numbers, table, result.device))
    values |= {"twos": place(two), "threes": place(three), "results": place(result), "pairs": pairs}
    values |= {"rows": rows, "groups": groups, "monomials": monomials}
    values |= {"channels": channels, "components": two.shape[1]}
    across = -(-channels // MOST_THREADS)
    threads = min(-(-channels // (across * WARP)) * WARP, MOST_THREADS)
    run(getattr(KERNELS[result.dtype], name), (blocks, across), threads, values, result.device)


@lru_cache(maxsize=64)
def _tables(numbers: tuple[int, ...], name: str, where: torch.device) -> tuple[Tensor, ...]:
    """Pairs and the table of that name, on a device."""
    tables = Tables.of(numbers)
    table: Table = getattr(tables, name)
    return tuple(torch.from_numpy(each).flatten().to(where) for each in (tables.pairs, *table))
