"""Put a package on disk: all of it or nothing, and not a byte that was there already."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tfngen
from tfngen.spec import BuildSpec

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Written:
    """What writing a package changed: files (re)written, left alone, and removed."""

    folder: Path
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def digest(text: str) -> str:
    """The sha256 of a file's text."""
    return sha256(text.encode()).hexdigest()


def manifest_source(spec: BuildSpec, files: Mapping[str, str]) -> str:
    """The manifest: what was asked for, what wrote it, and the sha256 of every other file."""
    record = {
        "generator": "tfngen",
        "tfngen": tfngen.__version__,
        "sympy": version("sympy"),
        "spec": spec.to_json(),
        "files": {name: digest(text) for name, text in sorted(files.items())},
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the package in `folder`.

    Raises:
        ValueError: `folder` holds no package that tfngen wrote.
    """
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} is not a tfngen package: {MANIFEST} cannot be read ({error})") from None
    if not isinstance(record, dict) or record.get("generator") != "tfngen":
        raise ValueError(f"{folder} is not a tfngen package: {MANIFEST} was not written by tfngen")
    return record


def check_destination(folder: Path) -> None:
    """Make sure that a package may be written to `folder`, before any work is done.

    Raises:
        ValueError: something is there that tfngen did not write, or the place cannot be written to.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"out: {folder} exists and is not a folder; choose another --out or --name")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            read_manifest(folder)
        except ValueError as error:
            message = f"out: {error}; nothing was overwritten, choose another --out or --name"
            raise ValueError(message) from None
    parent = folder.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ValueError(f"out: {parent} cannot be written to; choose another --out")


def write_package(folder: Path, files: Mapping[str, str]) -> Written:
    """Make `folder` hold exactly `files` (and whatever Python and Numba cached for those that stay).

    The new package is completed beside the old one and then moved into its place, so an interruption
    leaves the old package or the new one. When every file is there already, nothing is touched.

    Raises:
        ValueError: see `check_destination`.
    """
    check_destination(folder)
    present = present_files(folder)
    written = tuple(name for name, text in files.items() if present.get(name) != digest(text))
    removed = tuple(sorted(present.keys() - files.keys()))
    unchanged = tuple(name for name in files if name not in written)
    if not written and not removed:
        return Written(folder, (), unchanged, ())

    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh = staging / "new"
        if folder.is_dir():  # copies keep their times, so compiled kernels of unchanged files stay valid
            shutil.copytree(folder, fresh, copy_function=shutil.copy2)
        fresh.mkdir(exist_ok=True)
        for name in removed:
            (fresh / name).unlink()
        _remove_empty_folders(fresh)
        for name in written:
            destination = fresh / name
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_text(files[name], encoding="utf-8", newline="\n")
        fresh.chmod(0o755)
        _exchange(fresh, folder, staging / "old")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Written(folder, written, unchanged, removed)


def _exchange(fresh: Path, folder: Path, old: Path) -> None:
    """Move `folder` to `old` and `fresh` into its place; put the old one back if that fails."""
    try:
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise


def present_files(folder: Path) -> dict[str, str]:
    """The sha256 of every file in the package, caches left out."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.relative_to(folder).parts
    }


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and path.name != "__pycache__":
            sources = [each for each in path.iterdir() if each.name != "__pycache__"]
            if not sources:
                shutil.rmtree(path)
