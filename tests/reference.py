"""The kernels' interface in plain PyTorch, built from e3nn, and so independent of what tfngen derives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import e3nn
import torch
from e3nn import o3

from tfngen.irreps import Irrep, Irreps, Path, enumerate_paths
from tfngen.runtime.features import Features, channels_last


class ReferenceKernels:
    """What a generated package offers, as einsums over e3nn's tables, for any float dtype.

    Slow and obviously right: `tensor_product` is Σ C[m_F, m_I, m_O] · w_c · y_{m_F} · x_{c m_I} with
    C = √(2l_O+1) · ``o3.wigner_3j``, and `spherical_harmonics` is e3nn's.
    """

    def __init__(self, lmax: int, normalization: str = "component") -> None:
        self.LMAX = lmax
        self.NORMALIZATION = normalization
        self.PATHS = enumerate_paths(lmax)
        self.coefficients = {
            path: o3.wigner_3j(*path, dtype=torch.float64) * math.sqrt(2 * path.l_output + 1)
            for path in self.PATHS
        }
        jit_mode = e3nn.get_optimization_defaults()["jit_mode"]
        e3nn.set_optimization_defaults(jit_mode="eager")  # TorchScript cannot be traced by torch.compile
        self._harmonics = o3.SphericalHarmonics(list(range(lmax + 1)), False, normalization)
        e3nn.set_optimization_defaults(jit_mode=jit_mode)

    def spherical_harmonics(self, r: torch.Tensor) -> torch.Tensor:
        """Y of r/|r|, (..., 3) → (..., (lmax+1)²); a zero vector has Y_0 only, and zero derivatives."""
        squared_length = (r * r).sum(-1, keepdim=True)
        is_zero = squared_length == 0
        safe = torch.where(is_zero, torch.tensor([0.0, 1.0, 0.0], dtype=r.dtype, device=r.device), r)
        direction = safe / (safe * safe).sum(-1, keepdim=True).sqrt()
        y = self._harmonics(direction)
        return torch.cat([y[..., :1], torch.where(is_zero, torch.zeros_like(y[..., 1:]), y[..., 1:])], -1)

    def tensor_product(
        self, path: tuple[int, int, int], y: torch.Tensor, x: torch.Tensor, w: torch.Tensor | None = None
    ) -> torch.Tensor:
        """y (E, 2l_F+1), x (E, C, 2l_I+1), w (E, C) or None → (E, C, 2l_O+1), channels innermost."""
        coefficients = self.coefficients[Path(*path)].to(y)
        coupled = torch.einsum("fio,ef->eio", coefficients, y)
        out = torch.einsum("eio,eci->eoc", coupled, x)
        if w is not None:
            out = out * w[:, None, :]
        return out.contiguous().transpose(1, 2)


def random_features(irreps: str, points: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Features:
    """Normally distributed features, channels innermost in memory."""
    generator = torch.Generator().manual_seed(seed)
    return Features(
        {
            irrep: channels_last(torch.randn(points, channels, irrep.dim, generator=generator, dtype=dtype))
            for channels, irrep in Irreps.parse(irreps)
        }
    )


def transformed(features: Features, matrix: torch.Tensor) -> Features:
    """D(R) V for each irrep, for a rotation or a reflection R; the D matrices are e3nn's."""
    rotated = [
        (irrep, tensor @ d_matrix(irrep, matrix).to(tensor.dtype).T) for irrep, tensor in features.items()
    ]
    return Features(rotated)


def d_matrix(irrep: Irrep, matrix: torch.Tensor) -> torch.Tensor:
    """e3nn's float64 D matrix of a rotation or reflection."""
    with default_dtype(torch.float64):
        return o3.Irrep(irrep.l, irrep.p).D_from_matrix(matrix.double())


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """e3nn rounds D matrices and product coefficients to torch's default dtype, whatever it is given."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def largest_difference(one: Features, other: Features) -> float:
    """max |one − other| over all irreps and components."""
    assert one.irreps == other.irreps
    return max(((one[irrep] - other[irrep]).abs().max().item() for irrep in one), default=0.0)


def assert_same_bits(one: Features, other: Features) -> None:
    assert one.irreps == other.irreps
    for irrep in one:
        torch.testing.assert_close(one[irrep], other[irrep], rtol=0, atol=0)
