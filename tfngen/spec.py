"""What to build: the one record that, with tfngen's version, determines every byte of a package."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from tfngen import naming
from tfngen.irreps import (
    MAX_DEGREE,
    Block,
    Irrep,
    IrrepPath,
    Irreps,
    Path,
    enumerate_paths,
    irrep_paths,
    named_once,
)

__all__ = [
    "DTYPES", "NORMALIZATIONS", "TARGETS", "BuildSpec", "ConvolutionSpec", "Irrep", "Path", "enumerate_paths",
]  # fmt: skip

TARGETS = ("cpu", "cuda")
DTYPES = ("float32", "float64")
NORMALIZATIONS = ("component", "norm", "integral")
STRATEGIES = ("auto", "direct", "outer", "coupling")
DEFAULT_CHANNELS = 32

_IRREPS = "irreps_in, irreps_filter and irreps_out"
_LEFT_OUT: Any = None


@dataclass(frozen=True, slots=True)
class ConvolutionSpec:
    """One convolution of a model: the irreps it takes, filters with, and produces; text is read.

    Attributes:
        irreps_in: with widths, ``128x0e+64x1o``; blocks of one irrep are joined.
        irreps_filter: one channel each, ``0e+1o+2e`` for true parities or ``0e+1e+2e`` to ignore parity.
        irreps_out: one channel each in writing; widths follow from the paths.

    Raises:
        ValueError: naming the attribute: no irreps, a degree above 12, an input or a filter that couples to
            none of the outputs, an output no path reaches.
    """

    irreps_in: Irreps
    irreps_filter: Irreps
    irreps_out: Irreps

    def __post_init__(self) -> None:
        for name in ("irreps_in", "irreps_filter", "irreps_out"):
            object.__setattr__(self, name, _read_irreps(name, getattr(self, name)))
        object.__setattr__(self, "irreps_in", self.irreps_in.regroup())
        named_once("irreps_filter", self.irreps_filter)
        named_once("irreps_out", self.irreps_out)
        paths = self.paths
        used = {"irreps_in": {p.irrep_input for p in paths}, "irreps_filter": {p.irrep_filter for p in paths}}
        for name, irreps in used.items():
            if idle := [str(irrep) for _, irrep in getattr(self, name) if irrep not in irreps]:
                given, by, to = self.texts
                raise ValueError(
                    f"{name}: {', '.join(idle)} couples to nothing on the way from {given} by {by} to {to}; "
                    "leave it out"
                )

    @property
    def paths(self) -> tuple[IrrepPath, ...]:
        """Every path there is between its irreps, in the order of the weights."""
        return irrep_paths(self.irreps_in, self.irreps_filter, self.irreps_out)

    @property
    def irreps_produced(self) -> Irreps:
        """`irreps_out` with the widths that follow from the paths."""
        paths = self.paths
        return Irreps(
            tuple(
                Block(sum(each.channels for each in paths if each.irrep_output == irrep), irrep)
                for _, irrep in self.irreps_out
            )
        )

    @property
    def texts(self) -> tuple[str, str, str]:
        """The irreps as a person writes them: in, filter, out."""
        return str(self.irreps_in), self.irreps_filter.without_widths(), self.irreps_out.without_widths()


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """A package to generate: every path up to `lmax`, or the paths that certain `convolutions` need.

    Attributes:
        lmax: the highest degree of filters, inputs and outputs, 0 to 12; with `convolutions` that of their
            filters, and so of the spherical harmonics, which is what it is without being given.
        targets: which kernels to write; ``cpu``, ``cuda`` or both.
        dtypes: the precisions to write them in.
        normalization: of the spherical harmonics; ``component``, ``norm`` or ``integral``.
        name: the package's name, an importable identifier; ``tfn_l3`` for lmax 3 unless given, followed by
            a digest of the convolutions where there are any.
        strategy: how products are computed; ``auto`` counts each way and takes the cheapest.
        channels: the number of channels at which ``auto`` counts, 32 unless given; with `convolutions` there
            is nothing to give, since their widths say it.
        convolutions: by name, what a model's layers are to couple; a mapping to `ConvolutionSpec` or to its
            attributes. None by default.

    Raises:
        ValueError: naming the attribute, what it is and what it may be.
    """

    lmax: int = _LEFT_OUT
    targets: tuple[str, ...] = TARGETS[:1]
    dtypes: tuple[str, ...] = DTYPES
    normalization: str = "component"
    name: str = ""
    strategy: str = "auto"
    channels: int | None = None
    convolutions: tuple[tuple[str, ConvolutionSpec], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "convolutions", _named_convolutions(self.convolutions))
        if self.convolutions:
            self._take_from_convolutions()
        elif self.channels is None:
            object.__setattr__(self, "channels", DEFAULT_CHANNELS)
        if isinstance(self.lmax, bool) or not isinstance(self.lmax, int) or not 0 <= self.lmax <= MAX_DEGREE:
            raise ValueError(f"lmax: got {self.lmax!r}; it must be an integer from 0 to {MAX_DEGREE}")
        check_choices("targets", self.targets, TARGETS)
        check_choices("dtypes", self.dtypes, DTYPES)
        check_choices("normalization", (self.normalization,), NORMALIZATIONS)
        check_choices("strategy", (self.strategy,), STRATEGIES)
        if not self.convolutions and (
            isinstance(self.channels, bool) or not isinstance(self.channels, int) or self.channels < 1
        ):
            raise ValueError(f"channels: got {self.channels!r}; it must be an integer ≥ 1")
        if not isinstance(self.name, str) or (self.name and not _importable(self.name)):
            raise ValueError(f"name: got {self.name!r}; it must be an ASCII name that Python can import")
        object.__setattr__(self, "name", self.name or self._default_name())
        # One order, whatever order they were asked for in: the same request is the same package.
        object.__setattr__(self, "targets", tuple(t for t in TARGETS if t in self.targets))
        object.__setattr__(self, "dtypes", tuple(d for d in DTYPES if d in self.dtypes))

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path up to `lmax`, or those the `convolutions` need; in lexicographic order."""
        return tuple(self.widths)

    @property
    def widths(self) -> dict[Path, int]:
        """For each path the number of channels its kernels are planned for.

        Where a path serves several irreps or convolutions that is the mean of their channels: operations
        grow linearly with channels, so what is cheapest at the mean is cheapest for all of them together.
        """
        if self.channels is not None:
            return dict.fromkeys(enumerate_paths(self.lmax), self.channels)
        uses: dict[Path, list[int]] = {}
        for _, convolution in self.convolutions:
            for each in convolution.paths:
                uses.setdefault(each.path, []).append(each.channels)
        return {path: round(sum(channels) / len(channels)) for path, channels in sorted(uses.items())}

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON has them: `convolutions` where there are any, and else `channels`."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        del record["channels" if self.convolutions else "convolutions"]
        if self.convolutions:
            names = [field.name for field in fields(ConvolutionSpec)]
            record["convolutions"] = {
                name: dict(zip(names, convolution.texts, strict=True))
                for name, convolution in self.convolutions
            }
        return {k: list(v) if isinstance(v, tuple) else v for k, v in record.items()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> BuildSpec:
        """The inverse of `to_json`; ValueError where the record is not one."""
        try:
            attributes: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in record.items()
            }
            if not attributes.keys() & {"lmax", "convolutions"}:
                raise TypeError("it has neither lmax nor convolutions")
            return cls(**attributes)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"spec: not a build specification ({error})") from None

    def _take_from_convolutions(self) -> None:
        """`lmax` is that of the filters, and `channels` stays open."""
        filters = max(convolution.irreps_filter.lmax for _, convolution in self.convolutions)
        if self.lmax is not None and (isinstance(self.lmax, bool) or self.lmax != filters):
            raise ValueError(
                f"lmax: got {self.lmax!r} beside convolutions; it must be left out, or be the highest degree "
                f"of their filters, {filters}"
            )
        if self.channels is not None:
            raise ValueError(
                f"channels: got {self.channels!r} beside convolutions; it must be left out, since their "
                "widths say it"
            )
        object.__setattr__(self, "lmax", filters)

    def _default_name(self) -> str:
        if not self.convolutions:
            return naming.package(self.lmax)
        text = repr([(name, convolution.texts) for name, convolution in self.convolutions])
        return naming.specialised_package(self.lmax, sha256(text.encode()).hexdigest())


def _named_convolutions(given: Any) -> tuple[tuple[str, ConvolutionSpec], ...]:
    """From a mapping, or from the pairs a `BuildSpec` keeps; an error names its convolution."""
    pairs = tuple(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, tuple) or any(not isinstance(each, tuple) or len(each) != 2 for each in pairs):
        raise ValueError(f"convolutions: got {given!r}; it must map names to {_IRREPS}")
    named = []
    for name, record in pairs:
        if not isinstance(name, str) or not _importable(name):
            raise ValueError(f"convolutions.{name}: got the name {name!r}; it must be an ASCII identifier")
        named.append((name, _convolution(f"convolutions.{name}", record)))
    return tuple(named)


def _convolution(where: str, record: Any) -> ConvolutionSpec:
    if isinstance(record, ConvolutionSpec):
        return record
    names = [field.name for field in fields(ConvolutionSpec)]
    if not isinstance(record, Mapping):
        raise ValueError(f"{where}: got {record!r}; it must have {_IRREPS}")
    for name in (*record, *names):
        if name not in names or name not in record:
            problem = "missing" if name in names else "unknown"
            raise ValueError(f"{where}.{name}: {problem}; a convolution has {_IRREPS}")
    try:
        return ConvolutionSpec(**record)
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from None


def _read_irreps(name: str, given: Any) -> Irreps:
    if not isinstance(given, str | Irreps):
        raise ValueError(f"{name}: got {given!r}; it must be text such as '128x0e+64x1o'")
    try:
        irreps = Irreps.parse(given)
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).removeprefix('irreps: ')}") from None
    if not irreps.num_irreps:
        raise ValueError(f"{name}: got {str(given)!r}; a convolution needs at least one irrep")
    if irreps.lmax > MAX_DEGREE:
        raise ValueError(
            f"{name}: got {irreps}, with l = {irreps.lmax}; degrees must be at most {MAX_DEGREE}"
        )
    return irreps


def _importable(name: str) -> bool:
    """Python folds some letters beyond ASCII into others, so an imported name need not be a file's."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def check_choices(name: str, given: Collection[str], allowed: tuple[str, ...]) -> None:
    if isinstance(given, str) or not isinstance(given, Collection) or not given:
        raise ValueError(f"{name}: got {given!r}; it must be one or more of {', '.join(allowed)}")
    for each in given:
        if each not in allowed:
            raise ValueError(f"{name}: got {each!r}; it must be one of {', '.join(allowed)}")
