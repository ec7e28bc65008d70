"""What a generated package hands its callers: checked, differentiable functions over its kernels."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tfngen import naming
from tfngen.irreps import MAX_DEGREE, Path, enumerate_paths
from tfngen.runtime import registry
from tfngen.runtime.autocast import HALF, widened
from tfngen.runtime.dispatch import call

if TYPE_CHECKING:
    from tfngen.irreps import Irreps
    from tfngen.runtime.convolution import Convolution as PointConvolution
    from tfngen.runtime.convolution import PathFilter


class Package:
    """The functions of one generated package; made by its ``__init__.py``, whose names they become.

    Raises:
        ImportError: the package was generated for another version of this runtime.
    """

    def __init__(
        self,
        home: str,
        *,
        lmax: int,
        normalization: str,
        paths: tuple[tuple[int, int, int], ...],
        dtypes: tuple[str, ...],
        targets: tuple[str, ...],
        fingerprint: str,
        interface: int,
        convolutions: Mapping[str, tuple[str, str, str]] | None = None,
    ) -> None:
        if interface != naming.RUNTIME_INTERFACE:
            raise ImportError(
                f"{home} was generated for runtime interface {interface}; this tfngen has "
                f"{naming.RUNTIME_INTERFACE}: build it again"
            )
        self.home = home
        self.lmax, self.normalization, self.targets = lmax, normalization, targets
        self.paths = frozenset(paths)
        self.dtypes = {getattr(torch, name): name for name in dtypes}
        self.fingerprint = fingerprint
        self.convolutions = dict(convolutions or {})
        registry.register(fingerprint, home)

    def spherical_harmonics(self, r: Tensor) -> Tensor:
        """Real spherical harmonics Y[l, m](r/|r|) of every degree up to LMAX, packed degree after degree.

        Args:
            r: (..., 3) vectors (x, y, z) of any length, in any unit; float32 lengths from 1e-18 to 1e18.

        Returns:
            (..., (LMAX+1)²): index l² + l + m. y is the polar axis and degree 1 is (x, y, z) times a
            constant (e3nn's convention). A zero vector gives Y_0 and zeros, and zero derivatives.

        Raises:
            ValueError: r is not a (..., 3) tensor of a dtype and device this package has kernels for.
        """
        _operators()
        r = widened(r)
        self.check_tensor("r", r, r, stored=False)
        if r.dim() == 0 or r.shape[-1] != 3:
            raise ValueError(f"r: got shape {tuple(r.shape)}; it must be (..., 3)")
        width = (self.lmax + 1) ** 2
        rows = r if r.dim() == 2 else r.reshape(-1, 3)
        packed: Tensor = call("spherical_harmonics", self.fingerprint, width, rows)
        return packed if r.dim() == 2 else packed.reshape(*r.shape[:-1], width)

    def tensor_product(
        self, path: tuple[int, int, int], y: Tensor, x: Tensor, w: Tensor | None = None
    ) -> Tensor:
        """Couple a filter with features, channel by channel, along one path (arXiv:1802.08219, eq. 9).

            z[e, c, m_O] = Σ_{m_F, m_I} C[m_F, m_I, m_O] · w[e, c] · y[e, m_F] · x[e, c, m_I]

        Args:
            path: (l_F, l_I, l_O), one of PATHS.
            y: (E, 2l_F+1) filter values, usually a slice of `spherical_harmonics`.
            x: (E, C, 2l_I+1) features. Fastest with channels side by side in memory (the layout of results);
                any other layout is copied first.
            w: (E, C) radial weights, or (C,) for all edges alike, or None for ones.

        Returns:
            (E, C, 2l_O+1), channels side by side in memory. Differentiable to every order in y, x and w.

        Raises:
            ValueError: an unknown path, or a shape, dtype or device that does not fit; before any memory
                is touched.
        """
        _operators()
        degrees = self._check_path(path)
        y, x, w = widened(y), widened(x), widened(w)
        self.check_tensor("x", x, x)
        edges, channels = self._check_rank("x", x, 3)[:2]
        _check_shape("x", x, (edges, channels, 2 * degrees.l_input + 1))
        self.check_tensor("y", y, x)
        _check_shape("y", y, (edges, 2 * degrees.l_filter + 1))
        if w is not None:
            self.check_tensor("w", w, x)
            if w.dim() == 1:
                _check_shape("w", w, (channels,))
                w = w.expand(edges, channels)
            _check_shape("w", w, (edges, channels))
        return call("output", self.fingerprint, degrees, y, x, w)

    def Convolution(
        self,
        irreps_in: Irreps | str,
        irreps_filter: Irreps | str,
        irreps_out: Irreps | str,
        paths: PathFilter | None = None,
    ) -> PointConvolution:
        """Gather, product and scatter over every path the irreps allow; see `runtime.Convolution`."""
        from tfngen.runtime.convolution import Convolution

        return Convolution(sys.modules[self.home], irreps_in, irreps_filter, irreps_out, paths)

    def convolution(self, name: str | None = None, paths: PathFilter | None = None) -> PointConvolution:
        """One of the CONVOLUTIONS this package was built for.

        Args:
            name: which; needed only where there are several.
            paths: the paths to keep, all by default.

        Raises:
            ValueError: no convolution has this name.
        """
        names = tuple(self.convolutions)
        if name is None and len(names) == 1:
            (name,) = names
        if name not in self.convolutions:
            raise ValueError(f"name: got {name!r}; it must be one of {', '.join(map(repr, names))}")
        return self.Convolution(*self.convolutions[name], paths)

    def _check_path(self, path: Any) -> Path:
        try:
            known = tuple(path) in self.paths
        except TypeError:
            known = False
        if known:
            return Path(*path)
        if self.convolutions:
            raise ValueError(f"path: got {path!r}; it must be one of {self.home}.PATHS{_hint(path)}")
        raise ValueError(
            f"path: got {path!r}; it must be a triple (l_F, l_I, l_O) with degrees up to {self.lmax} and "
            "|l_F − l_I| ≤ l_O ≤ l_F + l_I"
        )

    def check_tensor(self, name: str, tensor: Any, like: Tensor, stored: bool = True) -> None:
        """`tensor` is one, of a dtype there are kernels for, and matches the others.

        Half precision will do where it is `stored`: what has it in memory is computed in float32.
        """
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{name}: got {type(tensor).__name__}; it must be a torch.Tensor")
        if tensor.dtype not in self.dtypes and not (stored and self._stores(tensor.dtype)):
            have = ", ".join(self.dtypes.values())
            raise ValueError(f"{name}: got dtype {tensor.dtype}; {self.home} was built for {have}")
        if tensor.device.type not in self.targets:
            advice = "; build it with --target all" if tensor.device.type in ("cpu", "cuda") else ""
            built_for = " and ".join(self.targets)
            raise ValueError(
                f"{name}: got device {tensor.device}; {self.home} was built for {built_for}{advice}"
            )
        if tensor.dtype != like.dtype or tensor.device != like.device:
            raise ValueError(
                f"{name}: got {tensor.dtype} on {tensor.device}; x is {like.dtype} on {like.device}"
            )

    def _stores(self, dtype: torch.dtype) -> bool:
        return dtype in HALF and torch.float32 in self.dtypes

    @staticmethod
    def _check_rank(name: str, tensor: Tensor, rank: int) -> torch.Size:
        if tensor.dim() != rank:
            raise ValueError(
                f"{name}: got shape {tuple(tensor.shape)}; it must have {rank} axes (edges, channels, 2l+1)"
            )
        return tensor.shape


def _hint(path: Any) -> str:
    """How to build a path that some other package could have."""
    if not isinstance(path, tuple) or path not in enumerate_paths(MAX_DEGREE):
        return ""
    l_filter, l_input, l_output = path
    return f"; build it with `{naming.build_command(f'{l_input}e', f'{l_filter}e', f'{l_output}e')}`"


def _check_shape(name: str, tensor: Tensor, wanted: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != wanted:
        raise ValueError(f"{name}: got shape {tuple(tensor.shape)}; it must be {wanted}")


def _operators() -> None:
    """Register the operators, once, when the first of them is about to be called."""
    from tfngen.runtime import operators  # noqa: F401
