"""Files appear complete or not at all."""

from __future__ import annotations

import json

import pytest

from tfngen.files import write_bytes, write_json


def test_files_appear_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, {"ℓ": [1, 2.5]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ℓ": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"loss": float("nan")})
    with pytest.raises(TypeError):
        write_bytes(path, "text")  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
    assert json.loads(path.read_text(encoding="utf-8")) == {"ℓ": [1, 2.5]}
