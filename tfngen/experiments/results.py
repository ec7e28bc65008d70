"""What an experiment leaves behind: files written whole, the versions that made them, the time it took."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REPORTED = ("tfngen", "torch", "numba", "numpy")


def prepare_folder(out: str | os.PathLike[str]) -> Path:
    """Make the folder `out` and try it, so that an experiment fails before its work and not after.

    Raises:
        ValueError: `out` cannot be made or written to.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"out: cannot write to {folder} ({error.strerror or error})") from error
    return folder


def require(*modules: str) -> None:
    """Raise before the work starts if a module an experiment writes with is missing.

    Raises:
        ModuleNotFoundError: naming the module and how to install it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(
                f"experiments need {module}; install it with: pip install 'tfngen[experiments]'", name=module
            )


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


class Stopwatch:
    """Seconds spent in each phase; a phase entered twice adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start
