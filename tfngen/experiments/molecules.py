"""Molecules and where they come from: QM9 in the package qm9pack, extended XYZ, npz."""

from __future__ import annotations

import csv
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tfngen.experiments.results import require
from tfngen.experiments.training import Progress, silent

SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F"}
"""The elements of QM9, by atomic number."""

QM9_FILES = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
_NUMBERS = {symbol: number for number, symbol in SYMBOLS.items()}


@dataclass(frozen=True)
class Molecule:
    """Atoms in space."""

    name: str
    numbers: Tensor
    """(atoms,) int64: atomic numbers."""
    positions: Tensor
    """(atoms, 3) float64, in Å."""

    def __len__(self) -> int:
        return self.numbers.shape[0]


def read(path: str | os.PathLike[str] | None, progress: Progress = silent) -> list[Molecule]:
    """All molecules of QM9, or of a file.

    Args:
        path: an npz (see `read_npz`), or anything ase reads, such as extended XYZ; QM9 from qm9pack by
            default.
        progress: told how far reading is.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, is cut off, or holds elements or molecules it should not.
        ModuleNotFoundError: qm9pack, or ase for a file, is not installed.
    """
    if path is None:
        return read_qm9(progress)
    if not Path(path).is_file():
        raise FileNotFoundError(f"data: {os.fspath(path)} is not a file")
    return read_npz(path) if Path(path).suffix == ".npz" else read_structures(path)


def read_qm9(progress: Progress = silent) -> list[Molecule]:
    """QM9 (Ramakrishnan et al., 10.1038/sdata.2014.22): 130,831 molecules of 3 to 29 atoms, as relaxed.

    The files of the PyPI package qm9pack are read as they are, without importing it: it asks for setuptools.
    """
    folder = _qm9_folder()
    molecules = []
    for done, name in enumerate(QM9_FILES):
        progress("read QM9", done, len(QM9_FILES))
        molecules += list(_qm9_rows(folder / name))
    progress("read QM9", len(QM9_FILES), len(QM9_FILES))
    return molecules


def read_structures(path: str | os.PathLike[str]) -> list[Molecule]:
    """Every structure of a file that ase reads (``.xyz``, ``.extxyz``, …), in Å; cells are ignored."""
    require("ase")
    import ase.io

    file = Path(path)
    try:
        frames = ase.io.read(file, index=":")
    except Exception as error:  # ase's readers raise what their parsers raise
        raise ValueError(f"data: {file} cannot be read ({type(error).__name__}: {error})") from error
    return [
        _molecule(f"{file.name}, structure {at}", frame.numbers, frame.positions)
        for at, frame in enumerate(frames)
    ]


def read_npz(path: str | os.PathLike[str]) -> list[Molecule]:
    """Structures of an npz, in Å: ``z`` and ``pos``, or rMD17's ``nuclear_charges`` and ``coords``.

    Atomic numbers are (atoms,) or (structures, atoms), positions (atoms, 3) or (structures, atoms, 3).
    Atoms of number 0 are padding.
    """
    file = Path(path)
    try:
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except Exception as error:  # zipfile, zlib and numpy each have their own
        raise ValueError(f"data: {file} cannot be read ({type(error).__name__}: {error})") from error
    numbers = _one_of(file, arrays, ("z", "nuclear_charges", "numbers"))
    positions = _one_of(file, arrays, ("pos", "coords", "positions", "R"))
    positions = positions[None] if positions.ndim == 2 else positions
    shape = positions.shape
    if positions.ndim != 3 or shape[2] != 3 or numbers.shape not in ((shape[1],), shape[:2]):
        raise ValueError(
            f"data: {file} has positions of shape {shape} and atomic numbers of shape {numbers.shape}; they "
            "must be (structures, atoms, 3) and (structures, atoms), or without the structures"
        )
    numbers = np.broadcast_to(numbers, shape[:2])
    return [
        _molecule(f"{file.name}, structure {at}", row[row != 0], places[row != 0])
        for at, (row, places) in enumerate(zip(numbers, positions, strict=True))
    ]


def _qm9_folder() -> Path:
    found = importlib.util.find_spec("qm9pack")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            "data: QM9 comes with the package qm9pack; install it with: pip install 'tfngen[experiments]', "
            "or name a file of molecules with --data",
            name="qm9pack",
        )
    return Path(next(iter(found.submodule_search_locations))) / "data"


def _qm9_rows(file: Path) -> Iterator[Molecule]:
    if not file.is_file():
        raise FileNotFoundError(f"data: {file} is missing; install qm9pack again")
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        for row in rows:
            try:
                name = row["XYZ_file"].removesuffix(".xyz")
                numbers = [_NUMBERS[symbol] for symbol in _list(row["Elements"])]
                places = [_number(each) for each in _list(row["XYZ_Ang"])]
                if len(numbers) != int(row["N_atoms"]) or len(places) != 3 * len(numbers):
                    raise ValueError(f"{len(places)} coordinates of {len(numbers)} atoms")
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                where = f"{file}, line {rows.line_num}"
                raise ValueError(f"data: {where}: {error!r}; the file is damaged or cut off") from error
            yield _molecule(name, np.array(numbers), np.array(places).reshape(-1, 3))


def _list(text: str) -> list[str]:
    """``"[['a','b'],[1.,2.]]"`` → its entries, brackets and quotes aside."""
    return text.translate(_BRACKETS).split(",")


_BRACKETS = str.maketrans("", "", "[]' ")


def _number(text: str) -> float:
    """Mathematica writes powers of ten as ``1.2*^-6``."""
    return float(text.replace("*^", "e"))


def _one_of(file: Path, arrays: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise ValueError(f"data: {file} has the arrays {', '.join(arrays) or 'none'}; one must be {names[0]}")


def _molecule(name: str, numbers: np.ndarray, positions: np.ndarray) -> Molecule:
    if not np.isfinite(positions).all():
        raise ValueError(f"data: {name}: a position is not finite")
    return Molecule(
        name,
        torch.from_numpy(np.asarray(numbers).astype(np.int64)),
        torch.from_numpy(np.asarray(positions).astype(np.float64)),
    )


def check(molecules: list[Molecule], elements: Mapping[int, str] = SYMBOLS) -> list[Molecule]:
    """`molecules`, once each has two atoms or more, of these elements only.

    Raises:
        ValueError: naming the first that is not so.
    """
    for molecule in molecules:
        if len(molecule) < 2:
            raise ValueError(
                f"data: {molecule.name} has {len(molecule)} atoms; one to remove and one to tell"
            )
        if unknown := sorted({int(z) for z in molecule.numbers} - elements.keys()):
            names = ", ".join(elements.values())
            raise ValueError(
                f"data: {molecule.name} has the element Z = {unknown[0]}; the model knows {names}"
            )
    return molecules


def sample(molecules: list[Molecule], number: int, seed: int) -> list[Molecule]:
    """`number` of them at random, or all if they are fewer; the same for the same seed."""
    order = torch.randperm(len(molecules), generator=torch.Generator().manual_seed(seed))
    return [molecules[at] for at in order[:number].tolist()]
