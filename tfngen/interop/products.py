"""Tensor products as other packages describe them, row by row or along the edges of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from types import ModuleType

import torch
from torch import Tensor

from tfngen.interop.description import Description, UnsupportedError
from tfngen.interop.edges import Edges
from tfngen.interop.layout import turned
from tfngen.irreps import Path
from tfngen.runtime.convolution_operators import convolve
from tfngen.runtime.operators import inner
from tfngen.runtime.plan import PackedPath, Widths, encode
from tfngen.runtime.row_operators import row_product
from tfngen.runtime.row_plan import MODES, RowInstruction, RowWidths, encode_rows
from tfngen.runtime.segments import EdgeOrder

SHARED_DEGREE = 3
"""Up to here all models share the package of every path, and with it what was compiled for another."""

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
    """A tensor product of rows, whatever its modes, as one operator.

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
        self.kernels = kernels_for([each.path for each in found]) if kernels is None else kernels
        self._plan, self._weights = encode_rows(widths, found), columns.weights(scaled=True)

    def __call__(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Multiply.

        Args:
            x: (rows, irreps_in1.dim).
            y: (rows, irreps_in2.dim).
            weight: (numel,), the same for every row, or (rows, numel).

        Returns:
            (rows, irreps_out.dim).
        """
        return row_product(self.kernels._package.fingerprint, self._plan, x, y, self._weights(weight))


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
        self.kernels = kernels_for([path.degrees for path in paths]) if kernels is None else kernels
        self._plan, self._weights = encode(widths, paths), columns.weights(scaled=False)
        self._is_weighted = any(each.has_weight for each in description.instructions)
        self._scales = _scales(description, scaled, widths)

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
        filters = y if self._scales is None else y @ self._scales.to(y)
        if self._is_weighted:
            weights, over = self._weights(weight), edges.graph.shared_by(sharing)
        else:
            weights, over = self._weights(y.new_empty(1, 0)), edges.one_row
        operands = map(inner, (filters, turned(x, given.irreps_in1, "mul_ir", "ir_mul"), weights))
        sums = convolve("output", self.kernels._package.fingerprint, self._plan, list(operands), over)
        return turned(sums, given.irreps_out, "ir_mul", "mul_ir")


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
        self._columns = None if columns == list(range(numel)) else torch.tensor(columns)
        self._has_ones = numel in columns
        self._scales = None if scales is None else torch.tensor(scales, dtype=torch.float64)

    def __call__(self, weight: Tensor) -> Tensor:
        """(…, numel) → (…, the operator's own number of them)."""
        if self._has_ones:
            weight = torch.cat([weight, weight.new_ones(*weight.shape[:-1], 1)], dim=-1)
        if self._columns is not None:
            weight = weight.index_select(-1, self._columns.to(weight.device))
        return weight if self._scales is None else weight * self._scales.to(weight)
