"""What every generated kernel is written with: masked loads and stores, and sums over the lanes of a warp."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from tfngen.gpu import FOLDED, MOST_THREADS, WARP
from tfngen.runtime.cuda.kernel import Argument
from tfngen.runtime.cuda.memory import (
    across,
    offset,
    read,
    write,
    zero_like,
)
from tfngen.runtime.cuda.seam import SIMULATED, cuda, device, scalar


@device
def fold_place(lane):
    """Which of the folded values a lane ends up with; none, and `FOLDED`, in odd lanes."""
    if lane % 2:
        return FOLDED
    return (lane >> 4 & 1) | (lane >> 3 & 1) << 1 | (lane >> 2 & 1) << 2 | (lane >> 1 & 1) << 3


@device
def within(index, count):
    """`index`, or the nearest one there is: graphs are checked when they are made, memory is safe always."""
    return max(min(index, count - 1), 0)


@device
def load_piece(pieces, number):
    """Of a block's edges: their target, the first of them, the end of them, and the row of their sum."""
    at = 4 * number
    return pieces[at], pieces[at + 1], pieces[at + 2], pieces[at + 3]


@device
def row_of(results, spares, row, length):
    """Where a piece's sum belongs: in its node's row, or in a spare one where nodes have several pieces."""
    return offset(results, row * length) if row >= 0 else offset(spares, (-1 - row) * length)


@device
def column_of(start, m):
    """Where component `m` of what begins at `start` stands; −1 for what is not there."""
    return start + m if start >= 0 else -1


def vocabulary(number: type) -> SimpleNamespace:
    """The operations on `number`, a NumPy type, under the names that generated code imports."""
    fold_all = _simulated_fold(number) if SIMULATED else folding(shuffle)

    @device
    def zero():
        return number(0)

    @device
    def load(array, at, live):
        """An element, or zero for who has none."""
        return read(array, at) if live else zero_like(array)

    @device
    def store(array, at, value, live):
        if live:
            write(array, at, value)

    @device
    def put(array, at, value, live, adding):
        """Store, or add to what an earlier launch has left there."""
        if live:
            write(array, at, read(array, at) + value if adding else value)

    @device
    def over_teams(value, others, step, teams):
        """`value`, and those of the other teams, one after another."""
        total = value
        for team in range(teams - 1):
            total += read(others, team * step)
        return total

    @device
    def total_of(partials, step, warps):
        """Σ partials[step · warp] over the block's warps, four at most."""
        total = partials[0]
        if warps > 1:
            total += partials[step]
        if warps > 2:
            total += partials[2 * step]
        if warps > 3:
            total += partials[3 * step]
        return total

    @device
    def reciprocal_norm(x, y, z):
        """1 / √(x² + y² + z²), and 0 for a zero vector; NaN stays NaN."""
        squared = x * x + y * y + z * z
        return number(0) if squared == number(0) else number(1) / number(math.sqrt(squared))

    return SimpleNamespace(
        Channels=Argument(number, is_array=True, per_channel=True),
        Floats=Argument(number, is_array=True),
        constant=number,
        number=scalar(number),
        over_teams=over_teams,
        fold_all=fold_all,
        load=load,
        put=put,
        reciprocal_norm=reciprocal_norm,
        store=store,
        total_of=total_of,
        zero=zero,
    )


def folding(exchange: Any) -> Any:
    """How sixteen values are summed over a warp, given how two lanes exchange one."""

    @device
    def fold(first, second, distance):
        """Half of a warp goes on with the sums of `first`, half with those of `second`."""
        upper = cuda.threadIdx.x & distance != 0
        kept = second if upper else first
        given = first if upper else second
        return kept + exchange(given, distance)

    @device
    def fold_all(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p):
        """Sixteen values summed over a warp: each lane returns the one that `fold_place` says."""
        a, b, c, d = across(a), across(b), across(c), across(d)
        e, f, g, h = across(e), across(f), across(g), across(h)
        i, j, k, l = across(i), across(j), across(k), across(l)
        m, n, o, p = across(m), across(n), across(o), across(p)
        a, c, e, g = fold(a, b, 16), fold(c, d, 16), fold(e, f, 16), fold(g, h, 16)
        i, k, m, o = fold(i, j, 16), fold(k, l, 16), fold(m, n, 16), fold(o, p, 16)
        a, e, i, m = fold(a, c, 8), fold(e, g, 8), fold(i, k, 8), fold(m, o, 8)
        total = fold(fold(a, e, 4), fold(i, m, 4), 2)
        return total + exchange(total, 1)

    return fold_all


@device
def shuffle(value, distance):
    """The value of the lane whose number differs in one bit."""
    return cuda.shfl_xor_sync(0xFFFFFFFF, value, distance)


def _simulated_fold(number: type) -> Any:
    """The same sums for the simulator, which has no shuffles; all threads of a block take part."""
    kind = scalar(number)

    def fold_all(*values):
        lane, everyone = cuda.threadIdx.x, cuda.shared.array((MOST_THREADS, FOLDED), kind)
        everyone[lane] = [across(value) for value in values]
        cuda.syncthreads()
        place, first = fold_place(lane % WARP), lane // WARP * WARP
        total = everyone[first : first + WARP, place % FOLDED].sum()
        cuda.syncthreads()
        return total

    return fold_all
