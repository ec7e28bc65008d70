"""Tensor products as other packages describe them, in the terms of fused convolutions.

e3nn's modes say how channels meet. Where one side's channels are few, each is a filter, and the other side's
channels are what a kernel does side by side:

    uvu   out_u = Σ_v w_uv x_u ⊗ y_v     a path for each v, channels u, into the same columns
    uvv   out_v = Σ_u w_uv x_u ⊗ y_v     the same with the sides exchanged
    uvw   out_w = Σ_uv w_uvw x_u ⊗ y_v   products of all pairs side by side, then a matrix product with w
    uuu   out_u = w_u x_u ⊗ y_u          every channel a row of its own

A tensor product of rows is the convolution over a graph in which each row is a node joined to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import prod
from types import ModuleType

import torch
from torch import Tensor

from tfngen.interop.description import Description, Instruction
from tfngen.interop.edges import Edges, row_edges
from tfngen.interop.layout import turned
from tfngen.irreps import Irreps, Path
from tfngen.runtime.convolution_operators import convolve
from tfngen.runtime.plan import PackedPath, Widths, encode
from tfngen.runtime.segments import EdgeOrder

SHARED_DEGREE = 3
"""Up to here all models share the package of every path, and with it what was compiled for another."""

MANY = 16
"""Channels that fill a vector."""
DTYPES = (torch.float32, torch.float64)
"""Those there are kernels for."""


def computable(*tensors: Tensor) -> bool:
    """Whether there are kernels for such tensors together: on the processor, of one dtype."""
    return (
        all(each.is_cpu and each.dtype == tensors[0].dtype for each in tensors) and tensors[0].dtype in DTYPES
    )


def kernels_for(paths: Sequence[Path], lmax: int = 0) -> ModuleType:
    """A package with these paths and harmonics up to `lmax`, from the user's cache."""
    from tfngen.cache import load

    if max((lmax, *(max(path) for path in paths))) <= SHARED_DEGREE:
        return load(SHARED_DEGREE)
    wanted = sorted({*paths, *(Path(l, 0, l) for l in range(lmax + 1))})
    return load(
        convolutions={
            "path_{}_{}_{}".format(*path): {
                "irreps_in": f"32x{path.l_input}e",
                "irreps_filter": f"{path.l_filter}e",
                "irreps_out": f"{path.l_output}e",
            }
            for path in wanted
        }
    )


class Product:
    """A tensor product on generated kernels.

    Args:
        description: what to compute.
        kernels: a generated package with `paths`; one from the user's cache by default.

    Raises:
        UnsupportedError: with what there are no kernels for.
    """

    def __init__(self, description: Description, kernels: ModuleType | None = None) -> None:
        self.description = description
        self._by_row: list[int] = []
        chosen: dict[tuple[bool, int | None], list[int]] = {}
        for at, each in enumerate(description.instructions):
            u, v, _ = description.channels(each)
            if not prod(description.shape(each)):
                continue
            if each.mode == "uuu":
                self._by_row.append(at)
            elif each.mode == "uvw":
                chosen.setdefault((u >= v, each.at_out), []).append(at)
            else:
                chosen.setdefault((each.mode == "uvu", None), []).append(at)
        self._parts = tuple(
            _Part(description, instructions, features_first, at_out is not None)
            for (features_first, at_out), instructions in chosen.items()
        )
        paths = [path for part in self._parts for path in part.paths]
        paths += [description.path(at, features_first=True) for at in self._by_row]
        self.kernels = kernels_for(paths) if kernels is None else kernels

    @property
    def gains_nothing(self) -> bool:
        """Whether e3nn is as fast: channels meet one by one, are few, or are mixed and scaled by a number."""

        def gains(each: Instruction) -> bool:
            (u, v, _), (l1, l2, _) = self.description.channels(each), self.description.degrees(each)
            mixed = each.mode == "uvw" and max(u, v) >= MANY and (u, l1) != (1, 0) != (v, l2)
            return each.mode in ("uvu", "uvv") or mixed

        return not any(gains(each) for each in self.description.instructions)

    @property
    def needs_rows(self) -> bool:
        """Whether weights mix channels or channels meet one by one, before any sum over edges."""
        return bool(self._by_row) or any(part.mixes for part in self._parts)

    def __call__(
        self,
        x: Tensor,
        y: Tensor,
        weight: Tensor,
        edges: Edges | None = None,
        sharing: EdgeOrder | None = None,
    ) -> Tensor:
        """Multiply.

        Args:
            x: (rows, irreps_in1.dim), or (nodes, …) with the edges of a graph.
            y: (rows, irreps_in2.dim), or (edges, …).
            weight: (numel,) for all alike, or (rows, numel), or (edges, numel).
            edges: of a graph, whose sums at targets are returned; row by row by default, and always where
                `needs_rows`.
            sharing: which row of `weight` each edge has, (rows, numel) then; its own by default.

        Returns:
            (rows, irreps_out.dim), or (nodes, …).
        """
        given, edges = self.description, edges or row_edges(x.shape[0], x.device)
        if len(self._parts) == 1 and not self._by_row and self._parts[0].is_whole:
            sums = self._parts[0].sums(self.kernels, x, y, weight, edges, sharing)
            return turned(sums, given.irreps_out, "ir_mul", "mul_ir")
        blocks = [None] * len(given.irreps_out)  # type: list[Tensor | None]
        for at, block in self._blocks(x, y, weight, edges, sharing):
            found = blocks[at]
            blocks[at] = block if found is None else found + block
        rows = [
            x.new_zeros(x.shape[0], shape.dim) if block is None else block.flatten(1)
            for block, shape in zip(blocks, given.irreps_out, strict=True)
        ]
        return turned(torch.cat(rows, dim=1), given.irreps_out, "ir_mul", "mul_ir")

    def _blocks(
        self, x: Tensor, y: Tensor, weight: Tensor, edges: Edges, sharing: EdgeOrder | None
    ) -> Iterator[tuple[int, Tensor]]:
        """Summands of output blocks: their places, and (rows, 2l + 1, channels)."""
        for part in self._parts:
            yield from part.blocks(part.sums(self.kernels, x, y, weight, edges, sharing), weight)
        offsets = self.description.weight_offsets()
        for at in self._by_row:
            each = self.description.instructions[at]
            own = weight[..., offsets[at] : offsets[at + 1]] if each.has_weight else None
            yield each.at_out, self._uuu(at, x, y, own)

    def _uuu(self, at: int, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """Channel by channel, each a row: (rows, 2l_O + 1, channels)."""
        given, rows = self.description, x.shape[0]
        each = given.instructions[at]
        channels = given.channels(each)[0]
        path = given.path(at, features_first=True)
        filters = _block(y, given.irreps_in2, each.at_in2).unflatten(1, (channels, -1)).flatten(0, 1)
        features = _block(x, given.irreps_in1, each.at_in1).unflatten(1, (channels, 1, -1)).flatten(0, 1)
        own = None if weight is None else weight.expand(rows, channels).reshape(-1, 1)
        scaled = given.scale(at, features_first=True) * filters
        found: Tensor = self.kernels.tensor_product(path, scaled, features, own)
        return found.view(rows, channels, -1).transpose(1, 2)


class _Part:
    """Instructions whose channels lie on one side: one operator does them all.

    Either their output blocks are what it returns, or they all mix into one block, and it returns the
    products of all pairs of channels side by side.
    """

    def __init__(self, given: Description, chosen: Sequence[int], features_first: bool, mixes: bool) -> None:
        self.given, self.chosen, self.features_first, self.mixes = given, chosen, features_first, mixes
        sides = (given.irreps_in1, given.irreps_in2)
        self.features, self.filters = sides if features_first else sides[::-1]
        widths: dict[int, int] = {}
        for each in (given.instructions[at] for at in chosen):
            u, v, w = given.channels(each)
            widths[each.at_out] = widths.get(each.at_out, 0) + u * v if mixes else w
        self.slots = sorted(widths.items())
        dims = [width * given.irreps_out.blocks[at].irrep.dim for at, width in self.slots]
        starts = dict(zip(sorted(widths), accumulate(dims, initial=0), strict=False))
        input_offsets = list(accumulate((block.dim for block in self.features), initial=0))
        filter_offsets = list(accumulate((block.dim for block in self.filters), initial=0))
        weight_offsets = given.weight_offsets()

        self.columns: list[int] = []
        scaled: dict[tuple[int, float], int] = {}
        filter_width, begin, paths = 0, 0, []
        for at in chosen:
            each = given.instructions[at]
            u, v, _ = given.channels(each)
            at_features, at_filter = each[:2] if features_first else each[1::-1]
            channels, copies = (u, v) if features_first else (v, u)
            path = given.path(at, features_first)
            for copy in range(copies):
                key = (
                    filter_offsets[at_filter] + copy * (2 * path.l_filter + 1),
                    given.scale(at, features_first),
                )
                if key not in scaled:
                    scaled[key], filter_width = filter_width, filter_width + 2 * path.l_filter + 1
                paths.append(
                    PackedPath(
                        *path,
                        channels=channels,
                        filter_offset=scaled[key],
                        input_offset=input_offsets[at_features],
                        weight_offset=len(self.columns),
                        grad_offset=starts[each.at_out] + begin,
                        grad_step=widths[each.at_out],
                    )
                )
                begin += channels * mixes
                if each.has_weight and not mixes:
                    step, first = (copies, copy) if features_first else (1, copy * channels)
                    first += weight_offsets[at]
                    self.columns += range(first, first + step * channels, step)
                else:
                    self.columns += [-1] * channels
        self.paths = [path.degrees for path in paths]
        self.scaling = [(origin, scale, self._degree(origin)) for origin, scale in scaled]
        widths_of = Widths(filter_width, input_offsets[-1], len(self.columns), sum(dims))
        self.numbers = encode(widths_of, paths)

        blocks = [(at, block.multiplicity) for at, block in enumerate(given.irreps_out)]
        self.is_whole = not mixes and self.slots == blocks
        """Whether what kernels write are all output blocks, as they are and in order."""
        read = [origin + m for origin, _, l in self.scaling for m in range(2 * l + 1)]
        plain = all(scale == 1 for _, scale, _ in self.scaling) and read == list(range(self.filters.dim))
        self._scales = None if plain else self._scale_matrix()
        has_ones = any(column < 0 for column in self.columns)
        numel = weight_offsets[-1] + has_ones  # ones come last
        self.is_weighted = any(column >= 0 for column in self.columns)
        in_order = self.columns == list(range(numel))
        self._chosen = None if in_order else torch.tensor([column % numel for column in self.columns])
        self._has_ones = has_ones

    def sums(
        self,
        kernels: ModuleType,
        x: Tensor,
        y: Tensor,
        weight: Tensor,
        edges: Edges,
        sharing: EdgeOrder | None,
    ) -> Tensor:
        """What kernels write: a row with all slots, component by component."""
        features, filters = (x, y) if self.features_first else (y, x)
        weights, one_row = self._weights(filters, weight)
        # Views, as the engine does not tell of leaves whether their gradient is wanted.
        operands = self._scaled(filters), turned(features, self.features, "mul_ir", "ir_mul"), weights
        sums: Tensor = convolve(
            "output",
            kernels._package.fingerprint,
            self.numbers,
            [operand.view_as(operand) for operand in operands],
            edges.one_row if one_row else edges.graph.shared_by(sharing),
        )
        return sums

    def blocks(self, sums: Tensor, weight: Tensor) -> Iterator[tuple[int, Tensor]]:
        """For each output block in `sums` its place, and (rows, 2l + 1, channels)."""
        if self.mixes:
            ((at, width),) = self.slots
            products, mixing = sums.unflatten(1, (-1, width)), self._mixing_weights(weight)
            if mixing.ndim == 3:
                yield at, torch.bmm(products, mixing)
            else:
                yield at, (products.flatten(0, 1) @ mixing).view(*products.shape[:2], mixing.shape[1])
            return
        dims = [width * self.given.irreps_out.blocks[at].irrep.dim for at, width in self.slots]
        for (at, width), block in zip(self.slots, sums.split(dims, dim=1), strict=True):
            yield at, block.unflatten(1, (-1, width))

    def _degree(self, origin: int) -> int:
        end = 0
        for block in self.filters:
            end += block.dim
            if origin < end:
                return block.irrep.l
        raise AssertionError(f"no filter has a component {origin}")

    def _scaled(self, filters: Tensor) -> Tensor:
        """The filters that paths read, each times the scale of those that read it."""
        return filters if self._scales is None else filters @ self._scales.to(filters)

    def _scale_matrix(self) -> Tensor:
        matrix = torch.zeros(self.filters.dim, self.numbers[0], dtype=torch.float64)
        column = 0
        for origin, scale, l in self.scaling:
            for m in range(2 * l + 1):
                matrix[origin + m, column] = scale
                column += 1
        return matrix

    def _weights(self, like: Tensor, weight: Tensor) -> tuple[Tensor, bool]:
        """The weights that paths multiply by, and whether they are one row."""
        if not self.is_weighted:
            return like.new_ones(1, len(self.columns)), True
        one_row = weight.ndim == 1
        rows = weight[None] if one_row else weight
        if self._has_ones:
            rows = torch.cat([rows, rows.new_ones(rows.shape[0], 1)], dim=1)
        if self._chosen is not None:
            rows = rows.index_select(1, self._chosen.to(rows.device))
        return rows, one_row

    def _mixing_weights(self, weight: Tensor) -> Tensor:
        """(K, channels) or (rows, K, channels): what products of channels are mixed by."""
        offsets, parts = self.given.weight_offsets(), []
        for at in self.chosen:
            own = weight[..., offsets[at] : offsets[at + 1]]
            own = own.unflatten(-1, self.given.shape(self.given.instructions[at]))
            own = own.transpose(-3, -2) if self.features_first else own
            parts.append(own.flatten(-3, -2))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)


def _block(rows: Tensor, irreps: Irreps, at: int) -> Tensor:
    begin = sum(block.dim for block in irreps.blocks[:at])
    return rows[:, begin : begin + irreps.blocks[at].dim]
