"""Lay out the kernels that mix channels in lanes: sums of some channels at once, which stay in registers."""

from __future__ import annotations

from dataclasses import dataclass

from tfngen.emit.blocks import indented

MIXED_AT_ONCE = {0: (8, 4, 2, 1), 1: (4, 2, 1), 2: (4, 1), 3: (3, 1)}
"""How many channels of a degree are mixed at once, as many as there are and then fewer."""
OF_HIGHER_DEGREE = (2, 1)
DERIVED_AT_ONCE = ((4, 4), (4, 1), (1, 4), (1, 1))
"""How many weights are differentiated by at once: of so many channels mixed, to so many."""


@dataclass(frozen=True, slots=True)
class MixingBlock:
    """A loop over so many channels at once.

    Attributes:
        channels: what the loop counts.
        size: by how many.
        start: the sums, beginning at zero or at what is there.
        body: the statements of the innermost loop.
        add: the sums, added to what is there.
        store: the sums, written.
    """

    channels: str
    size: int
    start: str
    body: str
    add: str
    store: str


def mixing_blocks(l: int, by_row: bool) -> list[MixingBlock]:
    """The loops of ``mix_l``, or of ``mix_rows_l``, whose weights are in lanes too."""
    components = 2 * l + 1
    load, step = ("load_lanes", "weight_width * LANES") if by_row else ("load_scalar", "weight_width")
    found = []
    for size in MIXED_AT_ONCE.get(l, OF_HIGHER_DEGREE):
        sums = [(at, m, f"sum_{at}_{m}") for at in range(size) for m in range(components)]
        body = [f"weight_{at} = {load}(weights, weight_at{_further(at, step)})" for at in range(size)]
        for m in range(components):
            body.append(f"input_{m} = load_lanes(inputs, input_at{_further(m, 'LANES')})")
            body += [f"sum_{at}_{m} += weight_{at} * input_{m}" for at in range(size)]
        places = [(_further(components * at + m, "LANES"), name) for at, m, name in sums]
        found.append(
            MixingBlock(
                channels=_range("done", "width", size),
                size=size,
                start=indented([f"{name} = zero()" for *_, name in sums], 12),
                body=indented(body, 16),
                add=indented([f"add_lanes(outputs, output_at{at}, {name})" for at, name in places], 16),
                store=indented([f"store_lanes(outputs, output_at{at}, {name})" for at, name in places], 16),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Rows:
    """A loop over so many of the channels mixed at once, and the loops inside it."""

    channels: str
    size: int
    blocks: list[MixingBlock]


def derivative_blocks(l: int) -> list[Rows]:
    """The loops of ``d_mix_l``."""
    found: dict[int, list[MixingBlock]] = {}
    for rows, size in DERIVED_AT_ONCE:
        found.setdefault(rows, []).append(_derivative_block(2 * l + 1, rows, size))
    return [Rows(_range("begun", "count", rows), rows, blocks) for rows, blocks in found.items()]


def _derivative_block(components: int, rows: int, size: int) -> MixingBlock:
    places = [f"row_{row}_at = weight_at{_further(row, 'weight_step * LANES')}" for row in range(rows)]
    sums = [
        (f"row_{row}_at{_further(at, 'weight_width * LANES')}", f"sum_{row}_{at}")
        for row in range(rows)
        for at in range(size)
    ]
    body = []
    for m in range(components):
        for row in range(rows):
            body.append(
                f"input_{row} = load_lanes(inputs, input_at{_further(components * row + m, 'LANES')})"
            )
        for at in range(size):
            body.append(f"grad = load_lanes(grads, grad_at{_further(components * at + m, 'LANES')})")
            body += [f"sum_{row}_{at} += input_{row} * grad" for row in range(rows)]
    return MixingBlock(
        channels=_range("done", "width", size),
        size=size,
        start=indented([*places, *(f"{name} = load_lanes(d_weights, {at})" for at, name in sums)], 16),
        body=indented(body, 20),
        add="",
        store=indented([f"store_lanes(d_weights, {at}, {name})" for at, name in sums], 16),
    )


def _further(count: int, step: str) -> str:
    """What is added to reach the place `count` steps on."""
    if count == 0:
        return ""
    return f" + {step}" if count == 1 else f" + {count} * {step}"


def _range(start: str, end: str, size: int) -> str:
    return f"{start}, {end}" if size == 1 else f"{start}, {end} - {size - 1}, {size}"
