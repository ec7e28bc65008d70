"""tfngen: exact mathematics in, fast readable kernels out, for Tensor Field Networks.

`tfngen.load(lmax=3)` gives a generated package; `tfngen.Graph` says who is whose neighbour;
`tfngen.nn` has the layers. Generating and running are separate: nothing here imports sympy until a package
has to be built.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfngen.cache import load
    from tfngen.irreps import Irrep, Irreps, Path
    from tfngen.runtime.cpu.memory import release_memory
    from tfngen.runtime.features import Features
    from tfngen.runtime.graph import Graph
    from tfngen.tracing import trace

__all__ = ["Features", "Graph", "Irrep", "Irreps", "Path", "load", "release_memory", "trace"]
__version__ = "0.1.0"

_HOMES = {
    "Features": "tfngen.runtime.features",
    "Graph": "tfngen.runtime.graph",
    "Irrep": "tfngen.irreps",
    "Irreps": "tfngen.irreps",
    "Path": "tfngen.irreps",
    "load": "tfngen.cache",
    "release_memory": "tfngen.runtime.cpu.memory",
    "trace": "tfngen.tracing",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tfngen' has no attribute {name!r}")
