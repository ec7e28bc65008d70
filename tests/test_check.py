"""`check` finds every change to a package, and says which came first."""

from __future__ import annotations

import shutil

import pytest

from tfngen.build import build
from tfngen.check import check
from tfngen.spec import BuildSpec


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return build(BuildSpec(2, normalization="integral"), tmp_path_factory.mktemp("generated")).written.folder


@pytest.fixture
def package(pristine, tmp_path):
    copy = tmp_path / pristine.name
    shutil.copytree(pristine, copy)
    return copy


def edit(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_was_just_built_is_right(package):
    assert list(check(package)) == []


def test_a_changed_coefficient_is_named_with_what_it_should_be(package):
    edit(package / "coefficients.py", "(-1, 0, 1, 1, 1, 2)", "(-1, 0, 1, -1, 1, 2)")
    first, *others = check(package)
    assert first.startswith("coefficients.py: CLEBSCH_GORDAN[(1, 1, 1)]")
    assert "derived: (-1, 0, 1, 1, 1, 2)" in first
    assert any("coefficients.py: differs" in other for other in others)


def test_a_changed_harmonic_is_found(package):
    edit(package / "coefficients.py", "((0, 1, 0), (1, 3, 4))", "((0, 1, 0), (1, 3, 5))")
    assert next(iter(check(package))).startswith("coefficients.py: HARMONICS[(1, 0)]")


def test_a_missing_coefficient_is_found(package):
    edit(package / "coefficients.py", "        (0, 0, 0, 1, 1, 1),\n", "")
    assert "has 0 entries; derived: 1" in next(iter(check(package)))


def test_a_changed_sign_in_a_kernel_is_found(package):
    edit(package / "cpu/float32/path_1_1_1.py", "- coupling", "+ coupling")
    assert [line.split(":")[0] for line in check(package)] == ["cpu/float32/path_1_1_1.py"]


def test_missing_and_stray_files_are_found(package):
    (package / "cpu/float64/path_1_1_0.py").unlink()
    (package / "cpu/extra.py").write_text("")
    assert list(check(package)) == [
        "cpu/extra.py: not part of the package",
        "cpu/float64/path_1_1_0.py: missing",
    ]


def test_broken_coefficients_are_a_difference_and_are_never_executed(package):
    (package / "coefficients.py").write_text("raise SystemExit('executed')\n")
    assert "HARMONICS does not have the entries" in next(iter(check(package)))
    (package / "coefficients.py").write_text("HARMONICS = {\n")
    assert "cannot be read" in next(iter(check(package)))


def test_another_versions_package_is_told_apart(package):
    edit(package / "manifest.json", '"tfngen": "', '"tfngen": "0.0.')
    assert "written by tfngen 0.0." in list(check(package))[-1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"generator": "other"}'])
def test_what_is_no_package_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match="is not a tfngen package"):
        list(check(tmp_path))


def test_a_manifest_with_a_broken_spec_is_refused(package):
    edit(package / "manifest.json", '"lmax": 2', '"lmax": 99')
    with pytest.raises(ValueError, match="lmax: got 99"):
        list(check(package))
