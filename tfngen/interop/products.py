"""Tensor products as other packages describe them, row by row or along the edges of a graph."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from math import prod
from types import ModuleType

import torch
from torch import Tensor

from tfngen.interop.description import Description, UnsupportedError
from tfngen.interop.edges import Edges
from tfngen.interop.layout import turned
from tfngen.interop.packages import OnDevices, Packages
from tfngen.irreps import Block, Irreps
from tfngen.runtime.convolution_operators import convolve
from tfngen.runtime.dispatch import are_watched
from tfngen.runtime.plan import PackedPath, Widths, encode
from tfngen.runtime.row_operators import row_product
from tfngen.runtime.row_plan import MODES, RowInstruction, RowWidths, encode_rows
from tfngen.runtime.segments import EdgeOrder

MANY = 8
"""Channels of scalars from which on it is worth a look how many of them are not zero."""


class Product:
    """A tensor product of rows, whatever its modes, as one operator.

    Where the second side is many scalars, such as the species of atoms, it is one of those that some row has.

    Args:
        description: what to compute.
        kernels: a generated package with its paths; one from the user's cache by default.
    """

    def __init__(self, description: Description, kernels: ModuleType | None = None) -> None:
        self.description = description
        x_offsets, y_offsets, out_offsets = _offsets(description)
        columns = _Columns(description)
        found: list[RowInstruction] = []
        for at, each in enumerate(description.instructions):
            if prod(description.shape(each)):
                whole = RowInstruction(
                    MODES.index(each.mode),
                    *description.path(at, features_first=True),
                    *description.channels(each),
                    x_offset=x_offsets[each.at_in1],
                    y_offset=y_offsets[each.at_in2],
                    weight_offset=len(columns),
                    out_offset=out_offsets[each.at_out],
                )
                found += whole.in_pieces()
                columns.add(at)
        widths = RowWidths(x_offsets[-1], y_offsets[-1], len(columns), out_offsets[-1])
        self.packages = Packages([each.path for each in found], given=kernels)
        self._plan, self._weights = encode_rows(widths, found), columns.weights(scaled=True)
        self._kernels, self._fewer = kernels, dict[int, Product]()
        scalars = description.irreps_in2.blocks
        self._may_have_zeros = (
            len(scalars) == 1
            and scalars[0].irrep.l == 0
            and scalars[0].multiplicity >= MANY
            and all(each.mode == "uvw" for each in description.instructions)
        )

    def computes(self, *tensors: Tensor) -> bool:
        """Whether there are kernels for such tensors together; for products of rows GPUs have none."""
        return all(each.is_cpu for each in tensors) and self.packages.compute(*tensors)

    def __call__(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Multiply.

        Args:
            x: (rows, irreps_in1.dim).
            y: (rows, irreps_in2.dim).
            weight: (numel,), the same for every row, or (rows, numel).

        Returns:
            (rows, irreps_out.dim).
        """
        if self._may_have_zeros and weight.ndim == 1 and not (y.requires_grad or are_watched((x, y, weight))):
            columns = (y != 0).any(0).nonzero()[:, 0]
            if 0 < columns.shape[0] <= y.shape[1] // 2:
                return self._of(columns, x, y, weight)
        package = _package(self.packages, x)
        return row_product(package, self._plan, x, y, self._weights(weight))

    def _of(self, columns: Tensor, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """The same by the columns of y that are not zero, and their weights."""
        given, count = self.description, columns.shape[0]
        if count not in self._fewer:
            ((_, irrep),) = given.irreps_in2.blocks
            fewer = replace(given, irreps_in2=Irreps((Block(count, irrep),)))
            self._fewer[count] = Product(fewer, self._kernels)
        sizes = [prod(given.shape(each)) for each in given.instructions]
        parts = [
            part.view(given.shape(each)).index_select(1, columns).flatten()
            for part, each in zip(weight.split(sizes), given.instructions, strict=True)
        ]
        return self._fewer[count](x, y.index_select(1, columns), torch.cat(parts))


class EdgeProduct:
    """A ``uvu`` tensor product along edges, from their sources and summed at their targets.

    It is a fused convolution: each channel of `irreps_in2` is a filter, and a path for each joins channels of
    `irreps_in1` to the columns of one output block.

    Args:
        description: what to compute.
        kernels: a generated package with its paths; one from the user's cache by default.

    Raises:
        UnsupportedError: some of its channels are mixed, or meet one by one.
    """

    def __init__(self, description: Description, kernels: ModuleType | None = None) -> None:
        self.description = description
        x_offsets, y_offsets, out_offsets = _offsets(description)
        columns, paths = _Columns(description), []
        scaled: dict[tuple[int, float], int] = {}
        filter_width = 0
        for at, each in enumerate(description.instructions):
            if each.mode != "uvu":
                raise UnsupportedError("its tensor product is not channel by channel with weights per edge")
            channels, copies, _ = description.channels(each)
            path, scale = (
                description.path(at, features_first=True),
                description.scale(at, features_first=True),
            )
            for copy in range(copies if channels else 0):
                key = y_offsets[each.at_in2] + copy * (2 * path.l_filter + 1), scale
                if key not in scaled:
                    scaled[key], filter_width = filter_width, filter_width + 2 * path.l_filter + 1
                paths.append(
                    PackedPath(
                        *path,
                        channels=channels,
                        filter_offset=scaled[key],
                        input_offset=x_offsets[each.at_in1],
                        weight_offset=len(columns),
                        grad_offset=out_offsets[each.at_out],
                        grad_step=channels,
                    )
                )
                columns.add(at, first=copy, step=copies)
        widths = Widths(filter_width, x_offsets[-1], len(columns), out_offsets[-1])
        self.packages = Packages([path.degrees for path in paths], given=kernels)
        self._plan, self._weights = encode(widths, paths), columns.weights(scaled=False)
        self._is_weighted = any(each.has_weight for each in description.instructions)
        self._scales = OnDevices(_scales(description, scaled, widths))

    def computes(self, *tensors: Tensor) -> bool:
        """Whether there are kernels for such tensors together."""
        return self.packages.compute(*tensors)

    def __call__(
        self, x: Tensor, y: Tensor, weight: Tensor, edges: Edges, sharing: EdgeOrder | None = None
    ) -> Tensor:
        """Multiply and sum.

        Args:
            x: (nodes, irreps_in1.dim).
            y: (edges, irreps_in2.dim).
            weight: (edges, numel).
            edges: of the graph.
            sharing: which row of `weight` each edge has, (rows, numel) then; its own by default.

        Returns:
            (nodes, irreps_out.dim).
        """
        given = self.description
        scales = self._scales.like(y)
        filters = y if scales is None else y @ scales
        if self._is_weighted:
            weights, over = self._weights(weight), edges.graph.shared_by(sharing)
        else:
            weights, over = self._weights(y.new_empty(1, 0)), edges.one_row
        operands = filters, turned(x, given.irreps_in1, "mul_ir", "ir_mul"), weights
        sums = convolve("output", _package(self.packages, x), self._plan, operands, over)
        return turned(sums, given.irreps_out, "ir_mul", "mul_ir")


def _package(packages: Packages, like: Tensor) -> str:
    """The fingerprint of the package for tensors on the device of `like`."""
    found = packages.on(like.device)
    if found is None:
        raise ValueError(f"x: on {like.device}; there are no kernels for it")
    fingerprint: str = found._package.fingerprint
    return fingerprint


def _offsets(description: Description) -> tuple[list[int], ...]:
    """Where blocks of both inputs and of the output begin in their rows, and where rows end."""
    sides = (description.irreps_in1, description.irreps_in2, description.irreps_out)
    return tuple(list(accumulate((block.dim for block in irreps), initial=0)) for irreps in sides)


def _scales(description: Description, scaled: dict[tuple[int, float], int], widths: Widths) -> Tensor | None:
    """What takes filters to those that paths read, each times a scale; None where it has no effect."""
    begins = [0]
    dims: dict[int, int] = {}
    for multiplicity, irrep in description.irreps_in2:
        for _ in range(multiplicity):
            dims[begins[-1]] = irrep.dim
            begins.append(begins[-1] + irrep.dim)
    matrix = torch.zeros(begins[-1], widths.filter, dtype=torch.float64)
    for (origin, scale), column in scaled.items():
        for m in range(dims[origin]):
            matrix[origin + m, column + m] = scale
    square = matrix.shape[0] == matrix.shape[1]
    return None if square and torch.equal(matrix, torch.eye(len(matrix), dtype=matrix.dtype)) else matrix


class _Columns:
    """Which of a product's weights an operator is given where: in their order, as far as possible."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.offsets = description.weight_offsets()
        self.columns: list[int] = []
        self.scales: list[float] = []

    def __len__(self) -> int:
        return len(self.columns)

    def add(self, at: int, first: int = 0, step: int = 1) -> None:
        """Every `step`-th weight of instruction `at`, from its `first` on; ones where it has none."""
        size = prod(self.description.shape(self.description.instructions[at]))
        taken = range(first, size, step)
        if self.description.instructions[at].has_weight:
            self.columns += [self.offsets[at] + column for column in taken]
        else:  # what has no weight takes the one at the end
            self.columns += [self.offsets[-1]] * len(taken)
        self.scales += [self.description.scale(at, features_first=True)] * len(taken)

    def weights(self, scaled: bool) -> _Weights:
        return _Weights(self.columns, self.offsets[-1], self.scales if scaled else None)


class _Weights:
    """A product's weights as an operator takes them."""

    def __init__(self, columns: list[int], numel: int, scales: list[float] | None) -> None:
        self._columns = OnDevices(None if columns == list(range(numel)) else torch.tensor(columns))
        self._has_ones = numel in columns
        self._scales = OnDevices(None if scales is None else torch.tensor(scales, dtype=torch.float64))

    def __call__(self, weight: Tensor) -> Tensor:
        """(…, numel) → (…, the operator's own number of them)."""
        if self._has_ones:
            weight = torch.cat([weight, weight.new_ones(*weight.shape[:-1], 1)], dim=-1)
        columns, scales = self._columns.like(weight), self._scales.like(weight)
        if columns is not None:
            weight = weight.index_select(-1, columns)
        return weight if scales is None else weight * scales
