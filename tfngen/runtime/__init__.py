"""What generated packages import: operators, launching, graphs. No sympy, no jinja2, no generator.

The names below are loaded when first asked for, so that a generated package imports in milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfngen.runtime.convolution import Convolution
    from tfngen.runtime.features import Features
    from tfngen.runtime.graph import Graph
    from tfngen.runtime.package import Package

__all__ = ["Convolution", "Features", "Graph", "Package"]

_HOMES = {"Convolution": "convolution", "Features": "features", "Graph": "graph", "Package": "package"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"tfngen.runtime.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tfngen.runtime' has no attribute {name!r}")
