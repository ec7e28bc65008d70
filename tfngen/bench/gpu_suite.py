"""Everything a GPU can show, in one command: ``python -m tfngen.bench.gpu_suite --out DIR``.

Tests first, which compile the kernels for this GPU on all cores, and some of them again under
compute-sanitizer; then what a call costs before the GPU begins; then the workloads of `tfngen bench conv
--device cuda` one by one, each with a package of its own that all cores compile first, so that what has been
measured is on disk when time runs out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MINUTES = 10.0
"""What everything may take."""

MOST_FAILURES = 10
"""After so many tests that fail the rest is left out, and why they failed is printed in time."""

SANITIZED = "every_form and parity or little_in_them or spherical_harmonics_and"
"""Tests that run every kind of kernel, on little: under a sanitizer they take tens of times as long."""

SANITIZERS = ("memcheck", "racecheck")
SANITIZER_SECONDS = 120
"""What each of them may take."""

TOOLKIT = "/usr/local/cuda"
"""Where NVIDIA's installer puts CUDA's toolkit."""

TIMED_OUT = 124
"""The exit status of coreutils' timeout when it had to end what it ran."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is that of the tests, or else of the first sanitizer that is not content."""
    parser = argparse.ArgumentParser(prog="python -m tfngen.bench.gpu_suite", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where JSON, logs and pictures go")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after so long nothing new is begun")
    parser.add_argument("--tests", type=Path, default=Path("tests/gpu"), help="the tests to run")
    parser.add_argument("--peers", default=None, help="whom to compare with, by commas; all by default")
    parser.add_argument("--data", type=Path, default=None, help="the protein 5DFR, for the workload dhfr")
    parser.add_argument(
        "--sanitize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run some of the tests under NVIDIA's compute-sanitizer, where there is one",
    )
    given = parser.parse_args(arguments)
    from tfngen.bench.workloads import find, left_out

    workloads = find(["tfn-l3", "gpu"], given.data)
    given.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * given.minutes

    about, packages = machine(), {}
    (given.out / "machine.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    tests = _python("pytest", str(given.tests), "-q", "-n", "auto", f"--maxfail={MOST_FAILURES}")
    status = _logged(given.out / "tests.log", *tests)
    if given.sanitize:
        sanitized = sanitize(given.out, given.tests)
        status = status or sanitized
    launching = _python("tfngen.bench.launching", "--json", str(given.out / "launch.json"))
    _logged(given.out / "launch.log", *launching)
    for line in left_out(["gpu"], given.data):
        print(line)
    for workload in workloads:
        name, irreps = workload.name, (workload.irreps_in, workload.irreps_filter, workload.irreps_out)
        if until - time.monotonic() < 30:
            print(f"{name}: not begun, the time is up")
            continue
        if irreps not in packages:
            packages[irreps] = build(given.out, name, irreps, about["capability"])
        options = ["--workload", name, "--package", str(packages[irreps]), "--device", "cuda"]
        options += [] if given.data is None else ["--data", str(given.data)]
        command = _python(
            "tfngen.bench.operators", *options, "--json", str(given.out / f"{name}-operators.json")
        )
        _logged(given.out / f"{name}-operators.log", *command)
        left = max(until - time.monotonic(), 30)
        options += ["--no-compiled", "--rounds", "5", "--seconds", "5"]
        options += ["--patience", f"{left:.0f}", "--json", str(given.out / f"{name}.json")]
        options += ["--plot", str(given.out / f"{name}.png")]
        options += [] if given.peers is None else ["--peers", given.peers]
        _logged(given.out / f"{name}.log", *_python("tfngen", "bench", "conv", *options))
    return status


def build(out: Path, workload: str, irreps: tuple[str, str, str], capability: str) -> Path:
    """The folder of a package with a workload's convolution, compiled for this GPU on all cores."""
    name, folder = workload.replace("-", "_"), out / "packages"
    command = ["--target", "cuda", "--dtype", "float32", "--precompile", "--capability", capability]
    for option, value in zip(("--irreps-in", "--irreps-filter", "--irreps-out"), irreps, strict=True):
        command += [option, value]
    command += ["--name", name, "--out", str(folder)]
    _logged(out / f"build-{workload}.log", *_python("tfngen", "build", *command))
    return folder / name


def sanitize(out: Path, tests: Path) -> int:
    """Run `SANITIZED` of the tests under each sanitizer; the first exit status that is not 0.

    torch asks the driver for every tensor, so that memory beyond its end is not another tensor's.
    """
    program = find_sanitizer()
    if program is None:
        print("compute-sanitizer: not found; it comes with the CUDA toolkit and nvidia-cuda-sanitizer-api")
        return 0
    status = 0
    for tool in SANITIZERS:
        command = ["env", "PYTORCH_NO_CUDA_MEMORY_CACHING=1", "timeout", str(SANITIZER_SECONDS), program]
        command += ["--tool", tool, "--error-exitcode", "1", "--target-processes", "all"]
        found = _logged(out / f"{tool}.log", *command, *_python("pytest", str(tests), "-q", "-k", SANITIZED))
        if found == TIMED_OUT:
            print(f"{tool}: not done in {SANITIZER_SECONDS} s, nothing found so far")
        else:
            status = status or found
    return status


def find_sanitizer() -> str | None:
    """Where compute-sanitizer is: on PATH, in a CUDA toolkit, or in the package nvidia-cuda-sanitizer-api."""
    return next(filter(None, (shutil.which("compute-sanitizer", path=each) for each in _folders())), None)


def _folders() -> Iterator[str | None]:
    yield None  # PATH
    toolkits = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")]
    yield from (os.path.join(each, "bin") for each in (*filter(None, toolkits), TOOLKIT))
    yield from (str(each) for folder in sys.path for each in Path(folder).glob("nvidia/*/bin"))


def machine() -> dict[str, Any]:
    """What the figures were measured on, and with."""
    import torch

    import tfngen

    if not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU; install its CUDA build, and NVIDIA's driver")
    found = torch.cuda.get_device_properties(0)
    return {
        "gpu": found.name,
        "capability": f"{found.major}.{found.minor}",
        "multiprocessors": found.multi_processor_count,
        "memory_bytes": found.total_memory,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "tfngen": tfngen.__version__,
    }


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _logged(log: Path, *command: str) -> int:
    """Run a command, its output on the screen and in `log`; its exit status."""
    print("$", *command, flush=True)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
