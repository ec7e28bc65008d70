"""The package that is committed, for people to read, is what tfngen builds today."""

from hashlib import sha256

import pytest

from tests.conftest import REPOSITORY
from tfngen.build import build, derive, make_plan, sources
from tfngen.emit.package import present_files
from tfngen.spec import TARGETS, BuildSpec

REFERENCE = REPOSITORY / "generated" / "tfn_l1"
HINT = "tfngen has changed what it writes; run `make reference` and look at the difference"


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    spec = BuildSpec(1, targets=TARGETS)
    return sources(make_plan(spec, derive(spec)))


def test_the_reference_has_the_same_files_and_no_others(built):
    assert present_files(REFERENCE).keys() == built.keys(), HINT


def test_the_reference_is_the_same_byte_for_byte(built):
    differing = [name for name, text in built.items() if (REFERENCE / name).read_bytes() != text.encode()]
    assert differing == [], HINT


def test_a_build_on_disk_is_the_same_and_reports_what_it_did(built, tmp_path):
    """Every stage is timed, and progress is told for every path."""
    told = []
    report = build(BuildSpec(1, targets=TARGETS), tmp_path, lambda *step: told.append(step))
    assert present_files(tmp_path / "tfn_l1") == {n: sha256(t.encode()).hexdigest() for n, t in built.items()}
    assert report.written.written == tuple(built)
    assert list(report.seconds) == ["derive", "plan", "print", "write"]
    assert told == [(stage, done, 5) for stage in ("derive", "plan") for done in range(1, 6)]
    assert report.nonzeros == 16
    plain, printed = report.operations
    assert printed < plain
    assert build(BuildSpec(1, targets=TARGETS), tmp_path).written.written == ()


def test_a_build_refuses_a_destination_before_it_starts(tmp_path):
    (tmp_path / "tfn_l1").write_text("a file")
    told = []
    with pytest.raises(ValueError, match="out: "):
        build(BuildSpec(1, targets=TARGETS), tmp_path, lambda *step: told.append(step))
    assert told == []


def test_planning_in_several_processes_writes_the_same(monkeypatch):
    monkeypatch.setattr("tfngen.build.PATHS_PER_WORKER", 5)
    spec = BuildSpec(2)
    told = []
    several = make_plan(spec, derive(spec), lambda *step: told.append(step), workers=2)
    assert sources(several) == sources(make_plan(spec, derive(spec)))
    assert told == [("plan", done, 15) for done in range(1, 16)]
