"""The vocabulary everyone shares: irreducible representations of O(3) and the paths between them.

This file is a leaf: the standard library and nothing else, so the exact mathematics, the generated
code's runtime and the torch modules can all speak of the same `Irrep` without importing each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

MAX_DEGREE = 12
"""The largest degree l that is derived and tested exactly."""

_IRREP = re.compile(r"^\s*(\d+)\s*([eo])\s*$")
_BLOCK = re.compile(r"^\s*(?:(\d+)\s*x\s*)?(\d+)\s*([eo])\s*$")


class Path(NamedTuple):
    """One way to couple a filter of degree l_F with an input of degree l_I into an output of degree l_O.

    Allowed when |l_F − l_I| ≤ l_O ≤ l_F + l_I (Thomas et al., arXiv:1802.08219, eq. 10). A plain tuple
    ``(l_filter, l_input, l_output)`` compares equal to it.
    """

    l_filter: int
    l_input: int
    l_output: int

    def __str__(self) -> str:
        return f"({self.l_filter}, {self.l_input}, {self.l_output})"

    @property
    def allowed(self) -> bool:
        """Whether the triangle inequality holds."""
        return abs(self.l_filter - self.l_input) <= self.l_output <= self.l_filter + self.l_input

    @property
    def even(self) -> bool:
        """Whether l_F + l_I + l_O is even; odd paths, like the cross product, see handedness."""
        return (self.l_filter + self.l_input + self.l_output) % 2 == 0


def enumerate_paths(lmax: int) -> tuple[Path, ...]:
    """Every allowed path with degrees up to `lmax`, in lexicographic order (34 of them at lmax = 3)."""
    degrees = range(lmax + 1)
    return tuple(
        path
        for l_filter in degrees
        for l_input in degrees
        for l_output in degrees
        if (path := Path(l_filter, l_input, l_output)).allowed
    )


@dataclass(frozen=True, slots=True, order=True)
class Irrep:
    """An irreducible representation of O(3): degree `l` ≥ 0 and parity `p` = ±1, written ``1o`` or ``2e``.

    Models that ignore parity use p = +1 throughout (``0e``, ``1e``, ``2e``, …).
    """

    l: int
    p: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.l, int) or isinstance(self.l, bool) or self.l < 0:
            raise ValueError(f"Irrep: degree l is {self.l!r}; it must be an integer ≥ 0")
        if not isinstance(self.p, int) or isinstance(self.p, bool) or self.p not in (1, -1):
            raise ValueError(f"Irrep: parity p is {self.p!r}; it must be +1 (even) or -1 (odd)")

    @classmethod
    def parse(cls, text: str | int | Irrep | tuple[int, int]) -> Irrep:
        """Read ``"1o"``, ``(1, -1)``, an `Irrep`, or a bare degree (which means even parity)."""
        if isinstance(text, Irrep):
            return text
        if isinstance(text, int) and not isinstance(text, bool):
            return cls(text)
        if isinstance(text, tuple) and len(text) == 2:
            return cls(*text)
        if isinstance(text, str):
            return _parse_irrep(text)
        raise ValueError(_NOT_AN_IRREP.format(text))

    @property
    def dim(self) -> int:
        """The number of components, 2l + 1."""
        return 2 * self.l + 1

    def __mul__(self, other: Irrep) -> tuple[Irrep, ...]:
        """The irreps in the product of two: l from |l₁ − l₂| to l₁ + l₂, parities multiplied."""
        return tuple(
            Irrep(degree, self.p * other.p) for degree in range(abs(self.l - other.l), self.l + other.l + 1)
        )

    def __str__(self) -> str:
        return f"{self.l}{'e' if self.p == 1 else 'o'}"


class Block(NamedTuple):
    """`multiplicity` channels of one irrep, written ``128x1o``."""

    multiplicity: int
    irrep: Irrep

    @property
    def dim(self) -> int:
        return self.multiplicity * self.irrep.dim

    def __str__(self) -> str:
        return f"{self.multiplicity}x{self.irrep}"


@dataclass(frozen=True, slots=True)
class Irreps:
    """A direct sum of irreps with multiplicities in the order written, ``128x0e+64x1o`` (e3nn's notation)."""

    blocks: tuple[Block, ...] = ()

    @classmethod
    def parse(cls, text: str | Irrep | Irreps | Iterable[Block | tuple[int, str | Irrep]]) -> Irreps:
        """Read e3nn's notation or an iterable of (multiplicity, irrep) pairs; an empty string has none."""
        if isinstance(text, Irreps):
            return text
        if isinstance(text, Irrep):
            return cls((Block(1, text),))
        if not isinstance(text, str):
            return cls(_blocks(text))
        return cls(tuple(_parse_block(part, text) for part in text.split("+"))) if text.strip() else cls()

    @property
    def dim(self) -> int:
        """The length of a packed feature vector: Σ multiplicity · (2l + 1)."""
        return sum(block.dim for block in self.blocks)

    @property
    def num_irreps(self) -> int:
        """The number of channels in all, Σ multiplicity."""
        return sum(block.multiplicity for block in self.blocks)

    @property
    def lmax(self) -> int:
        """The largest degree; −1 when there are no irreps."""
        return max((block.irrep.l for block in self.blocks), default=-1)

    def multiplicity(self, irrep: Irrep) -> int:
        """How many channels of `irrep` there are, over all blocks."""
        return sum(block.multiplicity for block in self.blocks if block.irrep == irrep)

    def without_widths(self) -> str:
        """The irreps alone, ``0e+1o``, as filters and outputs are written."""
        return "+".join(str(block.irrep) for block in self.blocks)

    def regroup(self) -> Irreps:
        """One block per irrep, in order of first appearance, empty blocks dropped."""
        order = dict.fromkeys(block.irrep for block in self.blocks if block.multiplicity)
        return Irreps(tuple(Block(self.multiplicity(irrep), irrep) for irrep in order))

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __contains__(self, irrep: object) -> bool:
        return any(block.irrep == irrep and block.multiplicity for block in self.blocks)

    def __add__(self, other: Irreps) -> Irreps:
        return Irreps(self.blocks + other.blocks)

    def __str__(self) -> str:
        return "+".join(map(str, self.blocks))


class IrrepPath(NamedTuple):
    """One path of a convolution: the irreps it couples, and where these stand in the convolution's irreps."""

    irrep_filter: Irrep
    irrep_input: Irrep
    irrep_output: Irrep
    channels: int
    """The channels of the input irrep, each coupled on its own ('uvu')."""
    input_block: int
    output_block: int

    @property
    def path(self) -> Path:
        """The degrees (l_F, l_I, l_O), which are all a kernel knows."""
        return Path(self.irrep_filter.l, self.irrep_input.l, self.irrep_output.l)


def couplings(irreps_in: Irreps, irreps_filter: Irreps) -> Iterator[tuple[int, Irrep, Irrep]]:
    """Every (position in irreps_in, filter irrep, output irrep) that degrees and parities allow.

    Raises:
        ValueError: a filter whose parity is neither natural nor even.
    """
    natural = all(irrep.p == (-1) ** irrep.l for _, irrep in irreps_filter)
    if not natural and any(irrep.p != 1 for _, irrep in irreps_filter):
        raise ValueError(
            f"irreps_filter: {irreps_filter}; spherical harmonics have parity (−1)^l, as in 0e+1o+2e; "
            "to ignore parity make every irrep even, as in 0e+1e+2e"
        )
    for position, (_, irrep_input) in enumerate(irreps_in):
        for _, irrep_filter in irreps_filter:
            for irrep_output in irrep_filter * irrep_input:
                yield position, irrep_filter, irrep_output


def irrep_paths(
    irreps_in: Irreps,
    irreps_filter: Irreps,
    irreps_out: Irreps,
    keep: Callable[[Path], bool] = lambda _: True,
) -> tuple[IrrepPath, ...]:
    """The paths of a convolution: output by output, within one input by input, within one filter by filter.

    Args:
        irreps_in: each irrep once, with its channels.
        irreps_filter: each irrep once.
        irreps_out: each irrep once.
        keep: which paths to keep, all by default.

    Raises:
        ValueError: an output no path reaches, or a filter whose parity is neither natural nor even.
    """
    found = [
        IrrepPath(irrep_filter, irreps_in.blocks[at].irrep, output, irreps_in.blocks[at].multiplicity, at, -1)
        for at, irrep_filter, output in couplings(irreps_in, irreps_filter)
    ]
    found = [each for each in found if keep(each.path)]
    reached = {each.irrep_output for each in found}
    for _, irrep in irreps_out:
        if irrep not in reached:
            reachable = Irreps(tuple(Block(1, each) for each in dict.fromkeys(p.irrep_output for p in found)))
            raise ValueError(
                f"irreps_out: no path leads from {irreps_in} by {irreps_filter} to {irrep}; "
                f"reachable: {reachable or 'nothing'}"
            )
    return tuple(
        each._replace(output_block=block)
        for block, (_, irrep) in enumerate(irreps_out)
        for each in found
        if each.irrep_output == irrep
    )


def named_once(name: str, irreps: Irreps | str) -> Irreps:
    """`irreps`, of which each is to be named once and with one channel.

    Raises:
        ValueError: naming the argument `name`.
    """
    parsed = Irreps.parse(irreps)
    if any(block.multiplicity != 1 for block in parsed) or len(parsed.regroup()) != len(parsed):
        raise ValueError(f"{name}: {parsed}; name each irrep once and without a width, as in 0e+1o")
    return parsed


def _blocks(pairs: Iterable[Block | tuple[int, str | Irrep]]) -> tuple[Block, ...]:
    try:
        given = [(multiplicity, irrep) for multiplicity, irrep in pairs]
    except (TypeError, ValueError):
        raise ValueError(f"irreps: got {pairs!r}; it must be text or (multiplicity, irrep) pairs") from None
    for multiplicity, _ in given:
        if not isinstance(multiplicity, int) or isinstance(multiplicity, bool) or multiplicity < 0:
            raise ValueError(f"irreps: multiplicity is {multiplicity!r}; it must be an integer ≥ 0")
    return tuple(Block(multiplicity, Irrep.parse(irrep)) for multiplicity, irrep in given)


_NOT_AN_IRREP = "irrep: {!r} is not an irrep; write degree and parity, as in '0e' or '1o'"


@lru_cache(maxsize=256)
def _parse_irrep(text: str) -> Irrep:
    match = _IRREP.match(text)
    if match is None:
        raise ValueError(_NOT_AN_IRREP.format(text))
    return Irrep(int(match[1]), 1 if match[2] == "e" else -1)


def _parse_block(part: str, text: str) -> Block:
    match = _BLOCK.match(part)
    if match is None:
        raise ValueError(f"irreps: cannot read {part!r} in {text!r}; write blocks such as '128x0e+64x1o'")
    return Block(int(match[1] or 1), Irrep(int(match[2]), 1 if match[3] == "e" else -1))
