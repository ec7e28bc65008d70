"""What every test may ask for: generated packages, built once, their machine code kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Packages built on demand go below .pytest_cache, in this process and in those it starts.

    Beside other workers, threads of torch's that wait leave their core to whoever has something to do: while
    they spin, each of some thousand short calls costs a time slice of the other worker's.
    """
    os.environ.setdefault("TFNGEN_CACHE", str(REPOSITORY / ".pytest_cache" / "tfngen"))
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        os.environ.setdefault("TFNGEN_COMPILE_PROCESSES", "1")  # there is one for every core already


@pytest.fixture(scope="session")
def tfn_l1():
    """The generated package for degrees up to 1."""
    import tfngen

    return tfngen.load(1)


@pytest.fixture(scope="session")
def tfn_l2():
    """The generated package for degrees up to 2."""
    import tfngen

    return tfngen.load(2)


@pytest.fixture(scope="session")
def tfn_l3():
    """The generated package for degrees up to 3."""
    import tfngen

    return tfngen.load(3)


@pytest.fixture(scope="session")
def kernels(tfn_l2):
    """The kernels that layers and models are tested on."""
    return tfn_l2
