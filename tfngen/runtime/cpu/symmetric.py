"""Symmetric contractions for processors: a node's own features times themselves, channel by channel.

The products of pairs of components are made once for a vector of channels, and are in the first-level cache
while every group of monomials takes what it wants. Which monomials there are is read from tables: the same
machine code is right for all of them.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import torch
from numba import njit
from torch import Tensor

from tfngen.runtime.cpu import float32, float64
from tfngen.runtime.cpu.drive import clear_bytes
from tfngen.runtime.cpu.index import load_index, load_indices
from tfngen.runtime.cpu.kernel import Kernel, kernel
from tfngen.runtime.cpu.memory import address_of, give_room_back, take_room
from tfngen.runtime.cpu.threads import AT_ONCE, is_recording, parallel_for, threads_for
from tfngen.runtime.cpu.vector import REGISTER_BYTES
from tfngen.runtime.monomials import Table, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

WORDS = ("LANES", "active_lanes", "add", "load", "load_lanes", "store", "zero")
LANES, active_lanes, zero = float32.LANES, float32.active_lanes, float32.zero
add, load, store, load_lanes = float32.add, float32.load, float32.store, float32.load_lanes


def _multiplier(words: ModuleType) -> Callable[..., None]:
    """What makes the products of pairs, in the precision of `words`."""
    lanes, load, store_lanes = words.LANES, words.load, words.store_lanes

    @njit(inline="always")
    def multiply(products, pairs, count, twos, threes, at_node, channels, active):
        """products[j, k] = a[j] b[k] + a[k] b[j], or once if j = k, of the vector of a node's channels"""
        for pair in range(count):
            j = at_node + load_index(pairs, 2 * pair) * channels
            k = at_node + load_index(pairs, 2 * pair + 1) * channels
            product = load(twos, j, active) * load(threes, k, active)
            if j != k:
                product += load(twos, k, active) * load(threes, j, active)
            store_lanes(products, pair * lanes, product)

    made: Callable[..., None] = multiply
    return made


multiply_pairs = _multiplier(float32)


@kernel
def contract(first, last, call):
    """results[node, row] = Σ_groups factor Σ coefficient · products[pair]; see `_contract`"""
    nodes, channels, species, components, twos, threes, pair_count, pairs = load_indices(call, 8)
    rows, groups, monomials, room, room_length, monomial_count = load_indices(call + 8 * 8, 6)
    parts, coefficients, factors, factor_count, results, row_count = load_indices(call + 8 * 14, 6)
    for part in range(first, last):
        products = room + part * room_length
        for node in range(nodes * part // parts, nodes * (part + 1) // parts):
            own = load_index(species, node) * monomial_count * channels
            for channel in range(0, channels, LANES):
                active = active_lanes(channels - channel)
                at_node = node * components * channels + channel
                multiply_pairs(products, pairs, pair_count, twos, threes, at_node, channels, active)
                for row in range(row_count):
                    total = zero()
                    for group in range(load_index(rows, row), load_index(rows, row + 1)):
                        inner = zero()
                        for at in range(load_index(groups, 2 * group + 1), load_index(groups, 2 * group + 3)):
                            place = own + load_index(monomials, 2 * at) * channels + channel
                            product = load_lanes(products, load_index(monomials, 2 * at + 1) * LANES)
                            inner += load(coefficients, place, active) * product
                        factor = node * factor_count + load_index(groups, 2 * group)
                        total += load(factors, factor * channels + channel, active) * inner
                    store(results, (node * row_count + row) * channels + channel, total, active)


@kernel
def differentiate(first, last, call):
    """results[species, monomial] += grad[row] · factor · products[pair], for some vectors of channels"""
    nodes, channels, species, components, twos, threes, pair_count, pairs = load_indices(call, 8)
    rows, groups, monomials, room, room_length, monomial_count = load_indices(call + 8 * 8, 6)
    grads, row_count, factors, results = load_indices(call + 8 * 14, 4)
    for vector in range(first, last):
        products, channel = room + vector * room_length, vector * LANES
        active = active_lanes(channels - channel)
        for node in range(nodes):
            own = load_index(species, node) * monomial_count * channels
            at_node = node * components * channels + channel
            multiply_pairs(products, pairs, pair_count, twos, threes, at_node, channels, active)
            for row in range(row_count):
                grad = load(grads, (node * row_count + row) * channels + channel, active)
                for group in range(load_index(rows, row), load_index(rows, row + 1)):
                    factor = grad * load(factors, at_node + load_index(groups, 2 * group) * channels, active)
                    for at in range(load_index(groups, 2 * group + 1), load_index(groups, 2 * group + 3)):
                        place = own + load_index(monomials, 2 * at) * channels + channel
                        product = load_lanes(products, load_index(monomials, 2 * at + 1) * LANES)
                        add(results, place, factor * product, active)


def _of_each_dtype(one: Kernel) -> dict[torch.dtype, Kernel]:
    words = {name: getattr(float64, name) for name in WORDS} | {"multiply_pairs": _multiplier(float64)}
    return {torch.float32: one, torch.float64: one.variant("float64", words)}


CONTRACT, DIFFERENTIATE = _of_each_dtype(contract), _of_each_dtype(differentiate)


def symmetric_output(
    numbers: tuple[int, ...],
    species: Tensor,
    coefficients: Tensor,
    inputs: Sequence[Tensor],
    result: Tensor,
) -> None:
    """See `tfngen.runtime.symmetric_operators`; everything is contiguous and known to fit."""
    tables = Tables.of(numbers)
    one, two, three = inputs
    _contract(tables, tables.by_output, species, coefficients, one, (two, three), result)


def symmetric_d_input(
    numbers: tuple[int, ...],
    species: Tensor,
    coefficients: Tensor,
    grad: Tensor,
    inputs: Sequence[Tensor],
    result: Tensor,
) -> None:
    """See `tfngen.runtime.symmetric_operators`; everything is contiguous and known to fit."""
    tables = Tables.of(numbers)
    _contract(tables, tables.by_input, species, coefficients, grad, inputs, result)


def symmetric_d_coefficient(
    numbers: tuple[int, ...], species: Tensor, grad: Tensor, inputs: Sequence[Tensor], result: Tensor
) -> None:
    """See `tfngen.runtime.symmetric_operators`; everything is contiguous and known to fit."""
    tables = Tables.of(numbers)
    vectors, (one, two, three) = -(-grad.shape[2] * grad.itemsize // REGISTER_BYTES), inputs
    parallel_for(clear_bytes, result.nbytes, 0, (result.data_ptr(),))
    others = grad.data_ptr(), grad.shape[1], one.data_ptr(), result.data_ptr()
    alive = species, grad, one, two, three, result
    _run(DIFFERENTIATE, vectors, tables, tables.by_output, species, (two, three), others, alive)


def _contract(
    tables: Tables,
    table: Table,
    species: Tensor,
    coefficients: Tensor,
    factors: Tensor,
    pair: Sequence[Tensor],
    result: Tensor,
) -> None:
    nodes, rows, channels = result.shape
    parts = max(min(threads_for(_work(tables, nodes * channels)), nodes), 1)
    others = parts, coefficients.data_ptr(), factors.data_ptr(), factors.shape[1], result.data_ptr(), rows
    alive = species, coefficients, factors, *pair, result
    _run(CONTRACT, parts, tables, table, species, pair, others, alive)


def _run(
    kernels: dict[torch.dtype, Kernel],
    count: int,
    tables: Tables,
    table: Table,
    species: Tensor,
    pair: Sequence[Tensor],
    others: Sequence[int],
    alive: Sequence[Tensor],
) -> None:
    """Run a kernel over 0 … `count`, with so many pieces of room and what both kernels are called with.

    Args:
        kernels: by dtype.
        count: of parts of the nodes, or of vectors of channels.
        tables: of the monomials.
        table: by which rows they are summed.
        species: of each node.
        pair: what pairs are products of.
        others: what the kernel is called with besides.
        alive: whose memory that is.
    """
    two, three = pair
    nodes, components, channels = two.shape
    length = max(len(tables.pairs), 1) * REGISTER_BYTES // 8
    room = take_room(count * length)
    call = [nodes, channels, species.data_ptr(), components, two.data_ptr(), three.data_ptr()]
    call += [len(tables.pairs), address_of(tables.pairs), *map(address_of, table), room.start, 8 * length]
    numbers = array("q", [*call, tables.count, *others])
    work = _work(tables, nodes * channels)
    where = (numbers.buffer_info()[0],)
    parallel_for(kernels[two.dtype], count, work, where, (numbers, tables, room, *alive))
    if not is_recording():
        give_room_back(room)


def _work(tables: Tables, numbers: int) -> int:
    """As `parallel_for` counts it, for so many channels of all nodes."""
    return numbers * (len(tables.pairs) + len(tables.by_output.monomials)) // AT_ONCE
