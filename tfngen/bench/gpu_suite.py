"""Everything a GPU can show, in one command: ``python -m tfngen.bench.gpu_suite --out DIR``.

Tests first, which compile the kernels for this GPU, then the workloads of `tfngen bench conv --device cuda`
one by one, so that what has been measured is on disk when time runs out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MINUTES = 10.0
"""What everything may take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is that of the tests."""
    parser = argparse.ArgumentParser(prog="python -m tfngen.bench.gpu_suite", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where JSON, logs and pictures go")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after so long nothing new is begun")
    parser.add_argument("--tests", type=Path, default=Path("tests/gpu"), help="the tests to run")
    parser.add_argument("--peers", default=None, help="whom to compare with, by commas; all by default")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * given.minutes

    (given.out / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n", encoding="utf-8")
    tests = _logged(given.out / "tests.log", "pytest", str(given.tests), "-q")
    from tfngen.bench.workloads import SERIES

    for workload in ("tfn-l3", *SERIES["gpu"]):
        left = until - time.monotonic()
        if left < 30:
            print(f"{workload}: not begun, the time is up")
            continue
        options = ["--workload", workload, "--device", "cuda", "--no-compiled"]
        options += ["--rounds", "5", "--seconds", "5"]
        options += ["--patience", f"{left:.0f}", "--json", str(given.out / f"{workload}.json")]
        options += ["--plot", str(given.out / f"{workload}.png")]
        options += [] if given.peers is None else ["--peers", given.peers]
        _logged(given.out / f"{workload}.log", "tfngen", "bench", "conv", *options)
    return tests


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


def _logged(log: Path, module: str, *arguments: str) -> int:
    """Run a module, its output on the screen and in `log`; its exit status."""
    print(f"$ python -m {module} {' '.join(arguments)}", flush=True)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
