"""Packages built on demand: `tfngen.load` builds into a per-user cache and imports from there."""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfngen.spec import BuildSpec


def cache_folder() -> Path:
    """Where packages built on demand live: $TFNGEN_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("TFNGEN_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "tfngen"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/tfngen"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tfngen"


def load(
    lmax: int | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    **options: Any,
) -> ModuleType:
    """A generated package, built into the user's cache the first time it is asked for.

    Args:
        lmax: the highest degree, 0 to 12, for every path up to it; 3 unless a model says which it needs.
        path: load the package in this folder instead, and build nothing.
        config: a TOML file that names a model's convolutions; see `tfngen.config.specification`.
        options: ``irreps_in``, ``irreps_filter`` and ``irreps_out``, for the paths of one convolution, and
            the other attributes of `tfngen.spec.BuildSpec`, such as ``normalization="norm"``.

    Returns:
        The module: ``spherical_harmonics``, ``tensor_product``, ``Convolution``, ``PATHS``, …, and for
        convolutions ``convolution`` and ``CONVOLUTIONS``.

    Raises:
        ValueError: an option is not what `BuildSpec` wants, or `path` holds no generated package.
    """
    if lmax is not None:
        options["lmax"] = lmax
    if path is not None:
        if config is not None:
            options["config"] = config
        if options:
            raise ValueError(f"path: {path} is built already; {', '.join(options)} cannot be changed")
        return import_package(Path(path))
    from tfngen.config import specification

    try:
        spec = specification(config, options)
    except TypeError as error:
        raise ValueError(f"load: {error}") from None
    folder = cache_folder() / _digest(repr(sorted(spec.to_json().items())))
    if not (folder / spec.name / "manifest.json").is_file():
        _build_beside(spec, folder)
    return import_package(folder / spec.name)


def _build_beside(spec: BuildSpec, folder: Path) -> None:
    """Build a package beside its `folder` and move it there, unless another process has been faster."""
    from tfngen.build import build

    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=folder) as beside:
        made = build(spec, Path(beside)).written.folder
        try:
            made.rename(folder / spec.name)
        except OSError:
            if not (folder / spec.name / "manifest.json").is_file():
                build(spec, folder)  # says what is wrong with what stands there


def import_package(folder: Path) -> ModuleType:
    """Import the generated package in `folder`, once per process."""
    folder = folder.resolve()
    init = folder / "__init__.py"
    if not (folder / "manifest.json").is_file() or not init.is_file():
        raise ValueError(f"path: {folder} is not a generated package; write one with `tfngen build`")
    name = f"{folder.name}_{sha256(str(folder).encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        found = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
        assert found is not None
        assert found.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(found)
        try:
            found.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _digest(request: str) -> str:
    """A folder name for a request, different whenever the generator itself is."""
    return sha256(_generator() + request.encode()).hexdigest()[:16]


@cache
def _generator() -> bytes:
    """What this process writes packages with, in few bytes: a model's stand-ins ask for theirs one by one."""
    import tfngen
    from tfngen.emit.render import template_folder

    text = sha256(tfngen.__version__.encode())
    package = Path(tfngen.__file__).parent
    generator = [package / f"{name}.py" for name in ("build", "forms", "irreps", "naming", "roles", "spec")]
    for folder in (*(package / room for room in ("symbolic", "ir", "emit")), template_folder()):
        generator += (file for file in sorted(folder.rglob("*.py*")) if file.suffix in (".py", ".jinja"))
    for file in generator:
        text.update(file.read_bytes())
    return text.digest()
