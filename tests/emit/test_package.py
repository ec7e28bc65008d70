"""Writing a package: all of it or nothing, nothing that is there already, and nobody else's folder."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tfngen.emit.package import (
    MANIFEST,
    Written,
    check_destination,
    digest,
    manifest_source,
    present_files,
    read_manifest,
    write_package,
)
from tfngen.spec import BuildSpec

CONTENT = {
    "__init__.py": '"""π."""\n',
    "cpu/one.py": "a = 1\n",
    "cpu/two.py": "b = 2\n",
    "deep/down/x.py": "\n",
}


def package(**changes: str | None) -> dict[str, str]:
    """Files with a manifest; `changes` maps names with __ for / and . to new text, or to None for none."""
    files = dict(CONTENT)
    for name, text in changes.items():
        path = name.replace("__", "/") + ".py"
        files.pop(path, None)
        if text is not None:
            files[path] = text
    return {**files, MANIFEST: manifest_source(BuildSpec(0), files)}


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below `folder`, hidden ones and caches too, with its content and time."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    """A package on disk."""
    write_package(tmp_path / "tfn", package())
    return tmp_path / "tfn"


def test_a_new_package_holds_exactly_the_files(tmp_path):
    """Missing parents are made; text is UTF-8 with plain newlines, whatever the platform."""
    folder = tmp_path / "a" / "b" / "tfn"
    written = write_package(folder, package())
    assert written == Written(folder, tuple(package()), (), ())
    assert {name: content for name, (content, _) in tree(folder).items()} == {
        name: text.encode() for name, text in package().items()
    }
    assert os.listdir(folder.parent) == ["tfn"]
    assert present_files(folder) == {name: digest(text) for name, text in package().items()}
    assert read_manifest(folder)["spec"] == BuildSpec(0).to_json()


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "tfn").mkdir()
    write_package(tmp_path / "tfn", package())
    assert present_files(tmp_path / "tfn").keys() == package().keys()


def test_building_again_touches_nothing(folder):
    before = tree(folder), folder.stat().st_mtime_ns, folder.stat().st_ino
    assert write_package(folder, package()) == Written(folder, (), tuple(package()), ())
    assert (tree(folder), folder.stat().st_mtime_ns, folder.stat().st_ino) == before


def test_only_what_changed_is_written(folder):
    """The other files keep content and time, so that what was compiled from them stays valid."""
    before = tree(folder)
    changed = package(cpu__two="b = 3\n")
    written = write_package(folder, changed)
    assert set(written.written) == {"cpu/two.py", MANIFEST}
    assert set(written.unchanged) == changed.keys() - {"cpu/two.py", MANIFEST}
    after = tree(folder)
    assert after["cpu/two.py"][0] == b"b = 3\n"
    assert {name: after[name] for name in written.unchanged} == {
        name: before[name] for name in written.unchanged
    }


def test_stale_files_and_the_folders_they_leave_empty_are_removed(folder):
    (folder / "stray.txt").write_text("not ours")
    written = write_package(folder, package(deep__down__x=None))
    assert written.removed == ("deep/down/x.py", "stray.txt")
    assert present_files(folder).keys() == package(deep__down__x=None).keys()
    assert not (folder / "deep").exists()


def test_a_file_may_take_a_folders_place_and_the_other_way_round(tmp_path):
    first = {"one": "file\n", "two.py/inner.py": "\n"}
    second = {"one/inner.py": "\n", "two.py": "file\n"}
    for files in (first, second, first):
        files = {**files, MANIFEST: manifest_source(BuildSpec(0), files)}
        write_package(tmp_path / "tfn", files)
        assert present_files(tmp_path / "tfn") == {name: digest(text) for name, text in files.items()}


def test_caches_of_files_that_stay_are_kept(folder):
    """Compiled kernels lie in __pycache__; they go with the folder whose last file goes."""
    for place in ("cpu", "deep/down"):
        (folder / place / "__pycache__").mkdir()
        (folder / place / "__pycache__" / "kernel.nbi").write_bytes(b"machine code")
    before = tree(folder)
    assert write_package(folder, package()).written == ()
    write_package(folder, package(cpu__two="b = 3\n", deep__down__x=None))
    assert tree(folder)["cpu/__pycache__/kernel.nbi"] == before["cpu/__pycache__/kernel.nbi"]
    assert not (folder / "deep").exists()


def test_a_package_below_a_folder_called_pycache_is_a_package_too(tmp_path):
    folder = tmp_path / "__pycache__" / "tfn"
    write_package(folder, package())
    assert present_files(folder).keys() == package().keys()
    assert write_package(folder, package()).written == ()


# — interrupted ————————————————————————————————————————————————————————————————————————————————————————————


def fail_at(monkeypatch, method: str, number: int, error: BaseException, after: bool = False) -> None:
    """Let the `number`-th call of Path.`method` raise `error`, before or after it has done its work."""
    original = getattr(Path, method)
    calls = iter(range(1, 1000))

    def failing(self, *arguments, **options):
        if next(calls) != number:
            return original(self, *arguments, **options)
        if after:
            original(self, *arguments, **options)
        raise error

    monkeypatch.setattr(Path, method, failing)


INTERRUPTIONS = [
    ("write_text", 1, False),
    ("write_text", 2, True),
    ("rename", 1, False),
    ("rename", 1, True),  # the old package is gone, the new one not there yet
    ("rename", 2, False),
    ("chmod", 1, False),
    ("mkdir", 2, False),
]


@pytest.mark.parametrize(
    "error", [OSError("disk full"), KeyboardInterrupt()], ids=["OSError", "KeyboardInterrupt"]
)
@pytest.mark.parametrize(("method", "number", "after"), INTERRUPTIONS)
def test_an_interruption_leaves_the_old_package_untouched(folder, monkeypatch, method, number, after, error):
    (folder / "cpu" / "__pycache__").mkdir()
    (folder / "cpu" / "__pycache__" / "kernel.nbi").write_bytes(b"machine code")
    before = tree(folder)
    fail_at(monkeypatch, method, number, error, after)
    with pytest.raises(type(error)):
        write_package(folder, package(cpu__two="b = 3\n", new__file="\n", deep__down__x=None))
    monkeypatch.undo()
    assert tree(folder) == before
    assert os.listdir(folder.parent) == ["tfn"]


@pytest.mark.parametrize(("method", "number", "after"), [("write_text", 2, False), ("rename", 1, False)])
def test_an_interrupted_first_build_leaves_nothing(tmp_path, monkeypatch, method, number, after):
    fail_at(monkeypatch, method, number, KeyboardInterrupt(), after)
    with pytest.raises(KeyboardInterrupt):
        write_package(tmp_path / "tfn", package())
    assert os.listdir(tmp_path) == []


def test_an_interruption_behind_the_exchange_leaves_the_new_package(folder, monkeypatch):
    """Once it is in place, it stays there."""
    fail_at(monkeypatch, "rename", 2, KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        write_package(folder, package(cpu__two="b = 3\n"))
    assert present_files(folder) == {name: digest(text) for name, text in package(cpu__two="b = 3\n").items()}
    assert os.listdir(folder.parent) == ["tfn"]


# — refused ————————————————————————————————————————————————————————————————————————————————————————————————


def refuses(folder: Path, message: str) -> None:
    """Both before the work and instead of it, and what was there is there still."""
    before = tree(folder.parent)
    for attempt in (check_destination, lambda destination: write_package(destination, package())):
        with pytest.raises(ValueError, match=message):
            attempt(folder)
    assert tree(folder.parent) == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "tfn").mkdir()
    (tmp_path / "tfn" / "thesis.tex").write_text("years of work")
    refuses(
        tmp_path / "tfn",
        r"^out: .*tfn is not a tfngen package: manifest.json cannot be read .*nothing was overwr",
    )


@pytest.mark.parametrize(
    "manifest", ["", "{", "[]", "{}", '{"generator": "other"}', '"tfngen"', "\N{SNOWMAN}"], ids=repr
)
def test_a_manifest_of_something_else_is_refused(tmp_path, manifest):
    (tmp_path / "tfn").mkdir()
    (tmp_path / "tfn" / MANIFEST).write_text(manifest, encoding="utf-8")
    refuses(tmp_path / "tfn", r"^out: .*tfn is not a tfngen package")


def test_a_manifest_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "tfn").mkdir()
    (tmp_path / "tfn" / MANIFEST).write_bytes(b"\xff\xfe\x00")
    refuses(tmp_path / "tfn", "is not a tfngen package")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "tfn").write_text("a file")
    refuses(tmp_path / "tfn", r"^out: .*tfn exists and is not a folder; choose another --out or --name$")


def test_a_link_is_refused_even_to_a_package_or_to_nothing(folder):
    """Moving it into place would replace the link, not what it points to."""
    (folder.parent / "link").symlink_to(folder)
    refuses(folder.parent / "link", "link exists and is not a folder")
    (folder.parent / "broken").symlink_to(folder.parent / "nowhere")
    refuses(folder.parent / "broken", "broken exists and is not a folder")


def test_a_parent_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ValueError, match=r"^out: .*file cannot be written to; choose another --out$"):
        write_package(tmp_path / "file" / "tfn", package())


def test_a_parent_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    """Asked of the nearest folder that exists; root may write anywhere, so the answer is simulated."""
    asked = []

    def access(path, mode):
        asked.append((path, mode))
        return False

    monkeypatch.setattr(os, "access", access)
    refuses(tmp_path / "new" / "tfn", rf"^out: {tmp_path} cannot be written to; choose another --out$")
    assert set(asked) == {(tmp_path, os.W_OK | os.X_OK)}


def test_reading_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"is not a tfngen package: manifest.json cannot be read"):
        read_manifest(tmp_path)


def test_the_manifest_lists_every_other_file_in_order(folder):
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert list(manifest["files"]) == sorted(CONTENT)
    assert manifest["files"] == {name: digest(text) for name, text in CONTENT.items()}


def test_a_package_can_be_moved_and_built_again_there(folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    assert write_package(tmp_path / "elsewhere", package()).written == ()
