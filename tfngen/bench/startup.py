"""What it costs to begin: importing a package, a first call that compiles, a first call from the cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tfngen.bench.timing import Progress

_SCRIPT = """
import json, sys, time
import torch, numba
sys.path.insert(0, sys.argv[1])
operands = torch.randn(8, 3), torch.randn(8, 32, 3), torch.randn(8, 32)
start = time.perf_counter()
package = __import__(sys.argv[2])
imported = time.perf_counter()
package.tensor_product((1, 1, 1), *operands)
first = time.perf_counter()
package.tensor_product((1, 1, 0), *operands)
second = time.perf_counter()
print(json.dumps([imported - start, first - imported, second - first]))
"""


@dataclass(frozen=True, slots=True)
class Startup:
    """Seconds beyond ``import torch, numba``, medians over fresh processes."""

    import_package: float
    first_call_compiling: float
    next_path_compiling: float
    first_call_cached: float
    next_path_cached: float


def measure(package: Path, rounds: int, progress: Progress) -> Startup:
    """Time fresh processes on a copy of `package`, without and with compiled kernels beside it."""
    cold: list[list[float]] = []
    cached: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / package.name
        for done in range(rounds):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
            cold.append(_run(copy))
            cached.append(_run(copy))
            progress("measure", done + 1, rounds)
    return Startup(
        import_package=median(each[0] for each in cached),
        first_call_compiling=median(each[1] for each in cold),
        next_path_compiling=median(each[2] for each in cold),
        first_call_cached=median(each[1] for each in cached),
        next_path_cached=median(each[2] for each in cached),
    )


def _run(package: Path) -> list[float]:
    command = [sys.executable, "-c", _SCRIPT, str(package.parent), package.name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"the measured process failed: {result.stderr.strip().splitlines()[-1]}")
    seconds: list[float] = json.loads(result.stdout)
    return seconds
