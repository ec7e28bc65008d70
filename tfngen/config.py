"""What a model wants built: a TOML file, options, or both together, as one `BuildSpec`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfngen.spec import DTYPES, TARGETS, BuildSpec, ConvolutionSpec, check_choices

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_LMAX = 3
ONLY_CONVOLUTION = "interaction"
"""The name of a convolution that is given by its irreps alone."""

_ATTRIBUTES = {"target": "targets", "dtype": "dtypes"} | {
    key: key for key in ("name", "lmax", "normalization", "strategy", "channels", "convolutions")
}
_IRREPS = ("irreps_in", "irreps_filter", "irreps_out")


def specification(config: str | os.PathLike[str] | None, options: Mapping[str, Any]) -> BuildSpec:
    """The package that a file and options ask for together.

    Args:
        config: a TOML file; its keys are ``name``, ``lmax``, ``target``, ``dtype``, ``normalization``,
            ``strategy``, ``channels`` and a table ``convolutions.NAME`` for each convolution, with
            ``irreps_in``, ``irreps_filter`` and ``irreps_out``.
        options: attributes of `BuildSpec`, and the three irreps of a convolution, which is then called
            ``interaction``. Only what was asked for: an option that is there may not differ from the file.

    Returns:
        The specification; for every path up to l = 3 where neither says how far to go.

    Raises:
        ValueError: naming the key or option, what it is and what it may be.
        TypeError: an option that `BuildSpec` does not have.
    """
    given = dict(options)
    irreps = {name: given.pop(name) for name in _IRREPS if name in given}
    if irreps and "convolutions" in given:
        raise ValueError(f"{next(iter(irreps))}: given beside convolutions; put it among them")
    asked = {} if config is None else _read(Path(config))
    for name in given.keys() & asked.keys():
        if _comparable(given[name]) != _comparable(asked[name]):
            raise ValueError(
                f"{name}: got {given[name]!r}, but {config} says {asked[name]!r}; leave one of them out"
            )
    if irreps and "convolutions" in asked:
        raise ValueError(
            f"{next(iter(irreps))}: given beside the convolutions of {config}; add it to them there"
        )
    attributes = asked | given
    if irreps:
        if missing := [name for name in _IRREPS if name not in irreps]:
            raise ValueError(f"{missing[0]}: missing; {', '.join(_IRREPS)} go together")
        attributes["convolutions"] = {ONLY_CONVOLUTION: ConvolutionSpec(**irreps)}
    if not attributes.get("convolutions"):
        attributes.setdefault("lmax", DEFAULT_LMAX)
    return BuildSpec(**attributes)


def _read(file: Path) -> dict[str, Any]:
    """The attributes of `BuildSpec` that `file` gives."""
    try:
        record = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"config: {file} cannot be read ({error.strerror})") from None
    except ValueError as error:  # what is no TOML, and what is no UTF-8
        raise ValueError(f"config: {file} is not a TOML file ({error})") from None
    for key in record:
        if key not in _ATTRIBUTES:
            raise ValueError(f"{key}: unknown; {file} may have {', '.join(sorted(_ATTRIBUTES))}")
    if not isinstance(record.get("convolutions", {}), dict):
        raise ValueError(
            f"convolutions: got {record['convolutions']!r}; it must be tables [convolutions.NAME], each with "
            f"{', '.join(_IRREPS)}"
        )
    for key, allowed in (("target", TARGETS), ("dtype", DTYPES)):
        if key in record:
            record[key] = _choices(key, record[key], allowed)
    return {_ATTRIBUTES[key]: value for key, value in record.items()}


def _choices(key: str, given: Any, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """One choice or a list of them."""
    chosen = (given,) if isinstance(given, str) else given
    check_choices(key, chosen, allowed)
    return tuple(chosen)


def _comparable(value: Any) -> Any:
    """Whether choices are listed in one order or another makes no difference."""
    return set(value) if isinstance(value, tuple | list) else value
