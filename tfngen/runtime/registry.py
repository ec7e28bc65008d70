"""The generated packages that have been imported, by the name under which operators know them."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch

_homes: dict[str, str] = {}
_modules: dict[tuple[str, str, torch.dtype, str], ModuleType] = {}


def register(fingerprint: str, home: str) -> None:
    """Make the package imported as module `home` known as `fingerprint`."""
    _homes[fingerprint] = home


def folder(fingerprint: str) -> Path | None:
    """Where the package known as `fingerprint` was imported from."""
    file = getattr(sys.modules.get(_homes.get(fingerprint, "")), "__file__", None)
    return None if file is None else Path(file).parent


def kernels(fingerprint: str, target: str, dtype: torch.dtype, module: str) -> ModuleType:
    """One module of kernels, imported when first asked for.

    Raises:
        RuntimeError: no package of that fingerprint has been imported in this process.
        ValueError: the package has no such kernels.
    """
    key = (fingerprint, target, dtype, module)
    found = _modules.get(key)
    if found is None:
        if fingerprint not in _homes:
            raise RuntimeError(
                f"kernels of {fingerprint!r} are not loaded; import the generated package of that name first"
            )
        name = f"{_homes[fingerprint]}.{target}.{str(dtype).removeprefix('torch.')}.{module}"
        try:
            found = _modules[key] = import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ValueError(f"{fingerprint} has no kernels {target}.{dtype}.{module}") from None
    return found


def coefficients(fingerprint: str) -> ModuleType:
    """The package's exact tables."""
    return import_module(f"{_homes[fingerprint]}.coefficients")
