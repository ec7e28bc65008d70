"""How pictures reach the disk, and what drawing leaves behind: nothing."""

import builtins
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import matplotlib
import pytest

from tfngen import plot
from tfngen.plot import style

OPENINGS = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(scope="module")
def figure():
    return plot.plot_couplings(path=(1, 1, 1))


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "PNG"])
def test_the_suffix_says_the_format_and_nothing_else_is_left(figure, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / "folder" / f"picture.{suffix}"
    assert plot.save(figure, path) == path
    assert path.read_bytes().startswith(OPENINGS[suffix.lower()])
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["picture", "picture.jpg", "picture.png.txt", ".png"])
def test_another_suffix_is_refused_before_anything_is_written(figure, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"^path: .*\.png, \.svg, \.pdf"):
        plot.save(figure, tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_picture_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = (
        plot.save(plot.plot_harmonics(0), tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab"
    )
    assert first == second


def test_a_failure_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    class Broken:
        def savefig(self, path: BytesIO, **_: object) -> None:
            path.write(b"half")
            raise OSError("disk full")

    path = tmp_path / "picture.png"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        plot.save(Broken(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_ignore_and_keep_the_users_settings(tmp_path: Path, figure) -> None:
    usual = plot.save(figure, tmp_path / "usual.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "mathtext.fontset": "cm", "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        mine = plot.save(plot.plot_couplings(path=(1, 1, 1)), tmp_path / "mine.png").read_bytes()
        assert dict(matplotlib.rcParams) == before
    assert mine == usual


def test_zero_is_white_and_the_ends_are_blue_and_red() -> None:
    colours = style.diverging()
    assert colours(0.5) == pytest.approx((1, 1, 1, 1))
    assert colours(0.0)[2] > 2 * colours(0.0)[0]
    assert colours(1.0)[0] > 2 * colours(1.0)[2]


def test_importing_needs_no_matplotlib_and_drawing_needs_no_pyplot_nor_torch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from tfngen import plot\n"
        "assert not any(name.startswith('matplotlib') for name in sys.modules)\n"
        f"plot.save(plot.plot_couplings(1), {str(tmp_path / 'picture.png')!r})\n"
        "assert 'matplotlib' in sys.modules\n"
        "assert not {'matplotlib.pyplot', 'torch', 'sympy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("draw", [plot.plot_harmonics, plot.plot_filters, lambda: plot.plot_couplings(1)])
def test_without_matplotlib_the_message_says_what_to_install(draw, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tfngen\[plot\]'"):
        draw()
