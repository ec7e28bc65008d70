"""The generated packages that stand-ins compute with: one for each kind of device."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor

from tfngen.irreps import Path
from tfngen.runtime.dispatch import are_watched

SHARED_DEGREE = 3
"""Up to here all models share the package of every path, and with it what was compiled for another."""

DTYPES = (torch.float32, torch.float64)
"""Those there are kernels for."""


class Packages:
    """Packages with the same paths and harmonics.

    Args:
        paths: what they have kernels for.
        lmax: the highest degree of their harmonics, at least.
        given: the only package there is; by default they come from the user's cache.
    """

    def __init__(self, paths: Sequence[Path], lmax: int = 0, given: ModuleType | None = None) -> None:
        self.paths, self.lmax = tuple(paths), lmax
        self._found: dict[str, ModuleType | None] = {}
        if given is not None:
            targets = given._package.targets
            self._found = {kind: given if kind in targets else None for kind in ("cpu", "cuda")}
        # Now, since torch.compile cannot look into the making of a package.
        for kind in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            self.on(torch.device(kind))

    def on(self, device: torch.device) -> ModuleType | None:
        """The package for tensors of `device`; None where there is none."""
        kind = device.type
        if kind not in self._found:
            self._found[kind] = _load(self.paths, self.lmax, kind) if compiles_for(device) else None
        return self._found[kind]

    def missing_on(self, device: torch.device) -> str:
        """What is to be said where there is none for `device`; else nothing."""
        return "" if self.on(device) is not None else f"there are no kernels for {device.type} here"

    def compute(self, *tensors: Tensor) -> bool:
        """Whether there are kernels for such tensors together: on one device, of one dtype."""
        device, dtype = tensors[0].device, tensors[0].dtype
        alike = all(each.device == device and each.dtype == dtype for each in tensors)
        return alike and dtype in DTYPES and self.on(device) is not None


def _load(paths: Sequence[Path], lmax: int, target: str) -> ModuleType:
    """A package from the user's cache."""
    from tfngen.cache import load

    options = {} if target == "cpu" else {"targets": (target,)}
    if max((lmax, *(max(path) for path in paths))) <= SHARED_DEGREE:
        return load(SHARED_DEGREE, **options)
    wanted = sorted({*paths, *(Path(l, 0, l) for l in range(lmax + 1))})
    convolutions = {
        "path_{}_{}_{}".format(*path): {
            "irreps_in": f"32x{path.l_input}e",
            "irreps_filter": f"{path.l_filter}e",
            "irreps_out": f"{path.l_output}e",
        }
        for path in wanted
    }
    return load(convolutions=convolutions, **options)


def compiles_for(device: torch.device) -> bool:
    """Whether kernels for `device` can be compiled here."""
    return device.type == "cpu" or (device.type == "cuda" and _compiles_for_gpus())


@cache
def _compiles_for_gpus() -> bool:
    """Whether kernels for GPUs can be compiled; says once what is missing."""
    if find_spec("numba_cuda") is not None:
        return True
    warnings.warn(
        "on a GPU this model runs as it came: kernels are compiled by numba-cuda, which is not installed; "
        "pip install 'tfngen[cuda]'",
        stacklevel=2,
    )
    return False


class OnDevices:
    """A constant tensor, or None, as it is wanted on some device and in some dtype; copied there once."""

    def __init__(self, tensor: Tensor | None) -> None:
        self._tensor = tensor
        self._there: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, other: Tensor) -> Tensor | None:
        """On the device of `other`, and of its dtype unless it holds integers."""
        if self._tensor is None:
            return None
        dtype = other.dtype if self._tensor.is_floating_point() else self._tensor.dtype
        if torch.compiler.is_compiling():
            return self._tensor.to(other.device, dtype)
        key = other.device, dtype
        if key in self._there:
            return self._there[key]
        made = self._tensor.to(*key)
        if not are_watched((other,)):  # while a program is recorded it may be no tensor to keep
            self._there[key] = made
        return made
