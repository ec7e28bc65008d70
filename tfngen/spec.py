"""What to build: the one record that, with tfngen's version, determines every byte of a package."""

from __future__ import annotations

import keyword
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from tfngen import naming
from tfngen.irreps import MAX_DEGREE, Irrep, Path, enumerate_paths

__all__ = ["DTYPES", "NORMALIZATIONS", "TARGETS", "BuildSpec", "Irrep", "Path", "enumerate_paths"]

TARGETS = ("cpu",)
DTYPES = ("float32", "float64")
NORMALIZATIONS = ("component", "norm", "integral")
STRATEGIES = ("auto", "direct", "outer", "coupling")


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """A package to generate.

    Attributes:
        lmax: the highest degree of filters, inputs and outputs, 0 to 12.
        targets: which kernels to write; ``cpu``.
        dtypes: the precisions to write them in.
        normalization: of the spherical harmonics; ``component``, ``norm`` or ``integral``.
        name: the package's name, an importable identifier; ``tfn_l3`` for lmax 3 unless given.
        strategy: how products are computed; ``auto`` counts each way and takes the cheapest.
        channels: the number of channels at which ``auto`` counts.

    Raises:
        ValueError: naming the attribute, what it is and what it may be.
    """

    lmax: int
    targets: tuple[str, ...] = TARGETS
    dtypes: tuple[str, ...] = DTYPES
    normalization: str = "component"
    name: str = ""
    strategy: str = "auto"
    channels: int = 32

    def __post_init__(self) -> None:
        if isinstance(self.lmax, bool) or not isinstance(self.lmax, int) or not 0 <= self.lmax <= MAX_DEGREE:
            raise ValueError(f"lmax: got {self.lmax!r}; it must be an integer from 0 to {MAX_DEGREE}")
        _check_choices("targets", self.targets, TARGETS)
        _check_choices("dtypes", self.dtypes, DTYPES)
        _check_choices("normalization", (self.normalization,), NORMALIZATIONS)
        _check_choices("strategy", (self.strategy,), STRATEGIES)
        if isinstance(self.channels, bool) or not isinstance(self.channels, int) or self.channels < 1:
            raise ValueError(f"channels: got {self.channels!r}; it must be an integer ≥ 1")
        if not isinstance(self.name, str) or (self.name and not _importable(self.name)):
            raise ValueError(f"name: got {self.name!r}; it must be an ASCII name that Python can import")
        object.__setattr__(self, "name", self.name or naming.package(self.lmax))
        # One order, whatever order they were asked for in: the same request is the same package.
        object.__setattr__(self, "targets", tuple(t for t in TARGETS if t in self.targets))
        object.__setattr__(self, "dtypes", tuple(d for d in DTYPES if d in self.dtypes))

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path up to `lmax`."""
        return enumerate_paths(self.lmax)

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON has them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> BuildSpec:
        """The inverse of `to_json`; ValueError where the record is not one."""
        try:
            attributes: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in record.items()
            }
            return cls(**attributes)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"spec: not a build specification ({error})") from None


def _importable(name: str) -> bool:
    """Python folds some letters beyond ASCII into others, so an imported name need not be a file's."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _check_choices(name: str, given: Collection[str], allowed: tuple[str, ...]) -> None:
    if isinstance(given, str) or not isinstance(given, Collection) or not given:
        raise ValueError(f"{name}: got {given!r}; it must be one or more of {', '.join(allowed)}")
    for each in given:
        if each not in allowed:
            raise ValueError(f"{name}: got {each!r}; it must be one of {', '.join(allowed)}")
