"""Put printed kernels into their frames. Templates hold no arithmetic: every value arrives finished."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta


@cache
def template_folder() -> Path:
    """Where the templates are: inside an installed wheel, beside the package in a checkout.

    Raises:
        FileNotFoundError: in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_templates", package.parent / "templates"):
        if (folder / "coefficients.py.jinja").is_file():
            return folder
    raise FileNotFoundError(f"tfngen's templates are missing beside {package}; install tfngen again")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


@cache
def variables(template: str) -> frozenset[str]:
    """The names `template` needs."""
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, template)
    return frozenset(jinja2.meta.find_undeclared_variables(environment.parse(source)))


def render(template: str, values: Mapping[str, Any]) -> str:
    """`template` filled with `values`, which must be exactly the names it uses.

    Raises:
        ValueError: a name is missing, or one is given that the template does not use.
    """
    wanted = variables(template)
    if wanted != values.keys():
        missing, unused = sorted(wanted - values.keys()), sorted(values.keys() - wanted)
        raise ValueError(f"template {template}: missing {missing}, unused {unused}")
    return _environment().get_template(template).render(values)
