"""To e3nn and back, and e3nn's tensor products and spherical harmonics on generated kernels.

tfngen uses e3nn's basis (m = −l…l with y as the polar axis) and order of channels, so features are neither
rotated nor rescaled: both ways are exact. Modules are those of e3nn 0.4.4 to 0.6, by their attributes.
"""

from __future__ import annotations

from math import pi, sqrt
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tfngen.interop.description import Description, Instruction, UnsupportedError
from tfngen.interop.packages import Packages
from tfngen.interop.products import EdgeProduct, Product
from tfngen.interop.standin import Made, Standin
from tfngen.irreps import Block, Irrep, Irreps
from tfngen.runtime.features import Features

if TYPE_CHECKING:
    from e3nn import o3

    from tfngen.runtime.convolution import Convolution

ROWS = 3
"""So many are computed when a stand-in is tried."""


# ── features ────────────────────────────────────────────────────────────────────────────────────────────


def irreps_to_e3nn(irreps: Irreps | str) -> o3.Irreps:
    """``tfngen.Irreps`` → ``e3nn.o3.Irreps``, block for block.

    Raises:
        ModuleNotFoundError: e3nn is not installed.
    """
    try:
        from e3nn import o3
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("this needs e3nn; install it with: pip install 'tfngen[e3nn]'") from error
    return o3.Irreps([(multiplicity, (irrep.l, irrep.p)) for multiplicity, irrep in Irreps.parse(irreps)])


def irreps_from_e3nn(irreps: o3.Irreps) -> Irreps:
    """``e3nn.o3.Irreps`` → ``tfngen.Irreps``, block for block."""
    return Irreps(tuple(Block(block.mul, Irrep(block.ir.l, block.ir.p)) for block in irreps))


def to_e3nn(features: Features) -> tuple[Tensor, o3.Irreps]:
    """Features → (tensor (points, irreps.dim), its e3nn irreps)."""
    return features.packed(), irreps_to_e3nn(features.irreps)


def from_e3nn(tensor: Tensor, irreps: o3.Irreps) -> Features:
    """A tensor (points, irreps.dim) of e3nn irreps → Features; repeated irreps are joined, in order.

    Raises:
        ValueError: the tensor's shape is not (points, irreps.dim).
    """
    return Features.from_packed(tensor, irreps_from_e3nn(irreps))


# ── weights ─────────────────────────────────────────────────────────────────────────────────────────────


def weights_from_e3nn(weights: Tensor, original: nn.Module, convolution: Convolution) -> Tensor:
    """An e3nn product's weights, as a tfngen convolution of the same paths takes them.

    Both then compute the same, output slot by output slot. Only signs and order change, and nothing is
    rounded, where paths are normalised as ours are (``component``, each with an output slot of its own).

    Args:
        weights: (…, weight_numel) in the order of the product's instructions.
        original: an `e3nn.o3.TensorProduct` of ``uvu`` instructions, filters of one channel each.
        convolution: of the same irreps, each once.

    Returns:
        (…, weight_numel) in the order of the convolution's paths.

    Raises:
        ValueError: the two do not have the same paths, or the weights another length.
    """
    columns, scales = _matched(weights, original, convolution)
    return weights[..., columns] * weights.new_tensor(scales)


def weights_to_e3nn(weights: Tensor, original: nn.Module, convolution: Convolution) -> Tensor:
    """The inverse of `weights_from_e3nn`."""
    columns, scales = _matched(weights, original, convolution)
    back = torch.empty(len(columns), dtype=torch.int64)
    back[torch.tensor(columns, dtype=torch.int64)] = torch.arange(len(columns))
    return (weights / weights.new_tensor(scales))[..., back.to(weights.device)]


def _matched(weights: Tensor, original: nn.Module, convolution: Convolution) -> tuple[list[int], list[float]]:
    """For each weight of the convolution the product's, and what that is to be multiplied by."""
    given = describe(original)
    offsets = given.weight_offsets()
    known: dict[tuple[Irrep, Irrep, Irrep], int] = {}
    for at, each in enumerate(given.instructions):
        filters, features = given.irreps_in2.blocks[each.at_in2], given.irreps_in1.blocks[each.at_in1]
        if each.mode != "uvu" or not each.has_weight or filters.multiplicity != 1:
            raise ValueError(
                f"original: instruction {at} is not 'uvu' with weights and one channel of filters"
            )
        known[filters.irrep, features.irrep, given.irreps_out.blocks[each.at_out].irrep] = at
    columns: list[int] = []
    scales: list[float] = []
    for path in convolution.paths:
        found = known.pop((path.irrep_filter, path.irrep_input, path.irrep_output), None)
        if found is None or offsets[found + 1] - offsets[found] != path.channels:
            raise ValueError(f"original: it has no path {path}, which the convolution has")
        columns += range(offsets[found], offsets[found + 1])
        scales += [given.scale(found, features_first=True)] * path.channels
    if known or len(columns) != offsets[-1]:
        raise ValueError("convolution: it does not have all paths of the original, or some irrep comes twice")
    if weights.shape[-1:] != (len(columns),):
        raise ValueError(f"weights: shape {tuple(weights.shape)}; it must be (…, {len(columns)})")
    return columns, scales


# ── modules ─────────────────────────────────────────────────────────────────────────────────────────────


def describe(original: nn.Module) -> Description:
    """What an `e3nn.o3.TensorProduct`, or a subclass, computes.

    Raises:
        UnsupportedError: a mode there is nothing for.
    """
    sides = (original.irreps_in1, original.irreps_in2, original.irreps_out)
    return Description(
        *(irreps_from_e3nn(irreps) for irreps in sides),
        tuple(
            Instruction(
                each.i_in1, each.i_in2, each.i_out, each.connection_mode, each.has_weight,
                float(each.path_weight),
            )
            for each in original.instructions
        ),
    )  # fmt: skip


def convolution_of(multiply: nn.Module, kernels: ModuleType | None = None) -> EdgeProduct:
    """What multiplies and sums over edges as an e3nn tensor product with weights of their own does.

    Raises:
        UnsupportedError: it is no such product, or does not keep channels apart.
    """
    if not hasattr(multiply, "instructions") or not hasattr(multiply, "shared_weights"):
        raise UnsupportedError(f"it multiplies with {type(multiply).__name__}, not with e3nn's TensorProduct")
    if multiply.shared_weights:
        raise UnsupportedError("its tensor product is not channel by channel with weights per edge")
    return EdgeProduct(describe(multiply), kernels)


class TensorProduct(Standin):
    """An `e3nn.o3.TensorProduct` on generated kernels: same signature, state dict and numbers.

    ``FullyConnectedTensorProduct``, ``ElementwiseTensorProduct`` and other subclasses are products too.
    Channels may meet as ``uvu``, ``uvw``, ``uuu`` or ``uvv``, with weights that are internal, shared or a
    row's own, or without. Tensors of other devices and dtypes than there are kernels for are given to
    `original`, as is `right`.

    Args:
        original: what to stand in for; its weights stay its own.
        kernels: a generated package with the paths needed; one from the user's cache by default.

    Raises:
        UnsupportedError: a mode there is nothing for.
        ValueError: `original` is not a tensor product.
    """

    by = "a fused product"

    def __init__(self, original: nn.Module, kernels: ModuleType | None = None) -> None:
        if not hasattr(original, "instructions") or not hasattr(original, "irreps_in2"):
            raise ValueError(f"original: {type(original).__name__}; it must be an e3nn.o3.TensorProduct")
        super().__init__(original)
        given = describe(original)
        self.__dict__["product"] = Product(given, kernels)
        # Numbers of our own: torch.compile cannot look into e3nn's irreps.
        self._widths = given.irreps_in1.dim, given.irreps_in2.dim, int(original.weight_numel)
        self._width = given.irreps_out.dim
        self._internal, self._shared = bool(original.internal_weights), bool(original.shared_weights)

    def forward(self, x: Tensor, y: Tensor, weight: Any = None) -> Tensor:
        """w x ⊗ y.

        Args:
            x: (…, irreps_in1.dim).
            y: (…, irreps_in2.dim); leading axes are broadcast.
            weight: (weight_numel,) where weights are shared, else (…, weight_numel); None where they are
                internal.

        Returns:
            (…, irreps_out.dim).
        """
        used = weight
        if weight is None:
            used = self.weight if self._internal else x.new_empty(0)
        if not self._suits(x, y, used):
            return self.original.forward(x, y, weight)
        leading = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1], used.shape[:-1])
        rows = [tensor.expand(*leading, -1).reshape(-1, tensor.shape[-1]) for tensor in (x, y)]
        if used.ndim > 1:
            used = used.expand(*leading, -1).reshape(-1, used.shape[-1])
        return self.product(*rows, used).view(*leading, self._width)

    def left_on(self, device: torch.device) -> str:
        """Wherever there are no kernels for products of rows."""
        return "" if device.type == "cpu" else f"products of rows have kernels for cpu, not {device.type}"

    def _suits(self, x: Tensor, y: Tensor, weight: Any) -> bool:
        """Whether there are kernels for it; what is wrong with the rest `original` knows how to say."""
        if not isinstance(weight, Tensor):
            return False
        if tuple(each.shape[-1] if each.ndim else -1 for each in (x, y, weight)) != self._widths:
            return False
        shared = weight.ndim == 1 if self._shared else weight.ndim > 1
        return self.product.computes(x, y, weight) and (shared or not weight.shape[-1])


class SphericalHarmonics(Standin):
    """An `e3nn.o3.SphericalHarmonics` of normalised vectors on generated kernels.

    At a zero vector values are the same; derivatives are zero here, where e3nn's grow to the inverse of its
    smallest length, 1e12.

    Args:
        original: what to stand in for.
        kernels: a generated package, component-normalised, that reaches the degree; one from the user's cache
            by default.

    Raises:
        UnsupportedError: `original` does not normalise vectors.
        ValueError: `original` is not a module of spherical harmonics, or `kernels` do not suit it.
    """

    by = "generated harmonics"

    def __init__(self, original: nn.Module, kernels: ModuleType | None = None) -> None:
        if not hasattr(original, "normalize") or not hasattr(original, "_ls_list"):
            raise ValueError(f"original: {type(original).__name__}; it must be an e3nn.o3.SphericalHarmonics")
        if not original.normalize:
            raise UnsupportedError("spherical harmonics of vectors that are not normalised")
        super().__init__(original)
        degrees = list(original._ls_list)
        if kernels is not None and (max(degrees) > kernels.LMAX or kernels.NORMALIZATION != "component"):
            raise ValueError(
                f"kernels: they reach l = {kernels.LMAX}, {kernels.NORMALIZATION}-normalised; it must be "
                f"{max(degrees)}, component"
            )
        self.__dict__["packages"] = Packages((), max(degrees), kernels)
        self._is_component = original.normalization == "component"
        norms = {"component": lambda _: 1.0, "integral": lambda _: 1 / sqrt(4 * pi)}
        norms["norm"] = lambda l: 1 / sqrt(2 * l + 1)
        self._columns = [l * l + m for l in degrees for m in range(2 * l + 1)]
        self._scales = [norms[original.normalization](l) for l in degrees for _ in range(2 * l + 1)]

    def forward(self, x: Tensor) -> Tensor:
        """Y(x/|x|).

        Args:
            x: (…, 3).

        Returns:
            (…, irreps_out.dim).
        """
        if x.shape[-1:] != (3,) or not self.packages.compute(x):
            return self.original.forward(x)
        values = self.packages.on(x.device).spherical_harmonics(x)
        if self._columns != list(range(values.shape[-1])):
            first, last = self._columns[0], self._columns[-1] + 1
            if self._columns == list(range(first, last)):
                values = values[..., first:last]
            else:
                values = values[..., self._columns]
        return values if self._is_component else values * values.new_tensor(self._scales)


# ── for `accelerate` ────────────────────────────────────────────────────────────────────────────────────


def _tensor_product(original: nn.Module) -> Made:
    dtype = dtype_of(original)

    def call(module: nn.Module) -> Tensor:
        x, y = (
            torch.randn(ROWS, irreps.dim, dtype=dtype)
            for irreps in (original.irreps_in1, original.irreps_in2)
        )
        if original.internal_weights or not original.weight_numel:
            return module(x, y)
        shape = (original.weight_numel,) if original.shared_weights else (ROWS, original.weight_numel)
        return module(x, y, torch.randn(shape, dtype=dtype))

    if all(each.connection_mode == "uuu" for each in original.instructions):
        raise UnsupportedError("e3nn is as fast where channels meet one by one, in few rows")
    return TensorProduct(original), call


def _spherical_harmonics(original: nn.Module) -> Made:
    return SphericalHarmonics(original), lambda module: module(torch.randn(ROWS, 3, dtype=dtype_of(original)))


def dtype_of(module: nn.Module) -> torch.dtype:
    """That of a module's floating-point tensors; torch's default where it has none."""
    tensors = [*module.parameters(), *module.buffers()]
    return next((each.dtype for each in tensors if each.is_floating_point()), torch.get_default_dtype())


def column_of_vectors(irreps: Any) -> int | None:
    """Where the first harmonics of degree 1 are among those of an edge, which point along it."""
    places = zip(irreps.slices(), irreps, strict=True)
    return next((columns.start for columns, (_, irrep) in places if irrep.l == 1), None)


CLASSES = {
    "e3nn.o3._tensor_product._tensor_product.TensorProduct": _tensor_product,
    "e3nn.o3._spherical_harmonics.SphericalHarmonics": _spherical_harmonics,
}
