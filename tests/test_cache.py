"""Packages built on demand, by several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfngen


def test_processes_that_want_the_same_package_at_once_all_get_it(tmp_path):
    """One of them is first; nothing of the others is left."""
    script = "import tfngen; print(tfngen.load(1).__file__)"
    command, surroundings = [sys.executable, "-c", script], {**os.environ, "TFNGEN_CACHE": str(tmp_path)}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings) for _ in range(3)
    ]
    found = [each.communicate()[0].strip() for each in running]
    assert [each.returncode for each in running] == [0, 0, 0]
    assert len(set(found)) == 1
    package = Path(found[0]).parent
    assert [each.name for each in package.parent.iterdir()] == ["tfn_l1"]
    assert (package / "manifest.json").is_file()


def test_what_is_no_package_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setenv("TFNGEN_CACHE", str(tmp_path))
    file = Path(tfngen.load(0, name="one").__file__)
    file.with_name("manifest.json").unlink()
    with pytest.raises(ValueError, match="is not a tfngen package"):
        tfngen.load(0, name="one")
    assert file.is_file()
