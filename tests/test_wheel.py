"""An installed wheel needs nothing of the checkout: it builds and computes in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(out),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (file,) = out.glob("*.whl")
    return file


def test_a_wheel_has_the_templates_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    templates = {f"tfngen/_templates/{p.relative_to(REPOSITORY / 'templates').as_posix()}"
                 for p in (REPOSITORY / "templates").rglob("*.jinja")}  # fmt: skip
    assert templates <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "generated/"))]
    assert {"tfngen/py.typed", "tfngen/experiments/missing_atom.safetensors"} <= set(names)


def test_an_installed_wheel_builds_and_imports(wheel, tmp_path):
    """tfngen itself comes from the wheel alone; its dependencies from this environment."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    # Not the checkout's own path, which a .pth file of an editable install would bring along.
    (site / "dependencies.pth").write_text(
        "import sys; sys.path.append({!r})\n".format(sysconfig.get_path("purelib"))
    )
    script = """
import subprocess, sys, torch, tfngen
assert "site-packages" in tfngen.__file__, tfngen.__file__
subprocess.run([sys.executable, "-m", "tfngen", "build", "--lmax", "2"], check=True)
subprocess.run([sys.executable, "-m", "tfngen", "check", "generated/tfn_l2"], check=True)
from generated import tfn_l2
z = tfn_l2.tensor_product((1, 1, 0), torch.eye(3), torch.eye(3)[:, None, :].contiguous())
assert torch.allclose(z.flatten(), torch.full((3,), 3 ** -0.5)), z
print("fine")
"""
    result = subprocess.run([python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip().endswith("fine")
