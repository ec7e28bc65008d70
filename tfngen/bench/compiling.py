"""What compiling a whole convolution costs: first calls in fresh processes, with and without a cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tfngen.bench.timing import Progress
from tfngen.bench.workloads import Workload

_SCRIPT = """
import json, sys, time
import torch, numba, tfngen
sys.path.insert(0, sys.argv[1])
graph = tfngen.Graph.complete(3)
start = time.perf_counter()
package = __import__(sys.argv[2])
convolution = package.Convolution(*sys.argv[3:6])
r = torch.randn(6, 3, requires_grad=True)
w = torch.randn(6, convolution.weight_numel, requires_grad=True)
x = {irrep: torch.randn(3, c, irrep.dim, requires_grad=True) for c, irrep in convolution.irreps_in}
seconds = []

def lap():
    seconds.append(time.perf_counter() - start - sum(seconds))

energy = sum(out.square().sum() for out in convolution(graph, package.spherical_harmonics(r), x, w).values())
lap()
gradients = torch.autograd.grad(energy, [r, w, *x.values()], create_graph=True)
lap()
torch.autograd.grad(sum(each.square().sum() for each in gradients), [r, w, *x.values()])
lap()
print(json.dumps(seconds))
"""


@dataclass(frozen=True, slots=True)
class Compiling:
    """Seconds beyond ``import torch, numba, tfngen``, each beyond the one before, from import to result."""

    workload: str
    paths: int
    forward_compiling: float
    backward_compiling: float
    double_backward_compiling: float
    forward_cached: float
    backward_cached: float
    double_backward_cached: float


def measure(package: Path, workload: Workload, progress: Progress) -> Compiling:
    """Run two fresh processes on a copy of `package`: one that compiles, in float32, and one that need not.

    Raises:
        RuntimeError: one of them failed, with the last line of what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / package.name
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
        found = []
        for done in range(2):
            progress("measure", done, 2)
            found += _run(copy, workload)
        progress("measure", 2, 2)
        paths = len(list((copy / "cpu" / "float32").glob("__pycache__/convolution_*output*.nbi")))
    return Compiling(workload.name, paths, *found)


def _run(package: Path, workload: Workload) -> list[float]:
    irreps = (workload.irreps_in, workload.irreps_filter, workload.irreps_out)
    command = [sys.executable, "-c", _SCRIPT, str(package.parent), package.name, *irreps]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"the measured process failed: {result.stderr.strip().splitlines()[-1]}")
    seconds: list[float] = json.loads(result.stdout)
    return seconds
