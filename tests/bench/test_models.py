"""Models are benchmarked as they are and accelerated, by the same numbers; who is missing is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfngen.bench import models, tables
from tfngen.bench.turns import Effort
from tfngen.plot.bench import plot_bench, read_runs

pytest.importorskip("e3nn")
from tfngen.bench import model_problem


@pytest.mark.parametrize("name", ["uvw", "uvu", "uvu-rows"])
def test_products_are_the_same_either_way(name):
    model = models.MODELS[name]
    plain, fast = (model_problem.prepare(model.maker, model.given, each) for each in (False, True))
    for mode in model.modes:
        wanted, found = (each.sample(mode, each.run[mode]()) for each in (plain, fast))
        assert len(found) == len(wanted) == {"forward": 1, "gradient": 3}[mode]
        for one, other in zip(found, wanted, strict=True):
            assert np.abs(one - other).max() < models.TOLERANCE * np.abs(other).max()


def test_a_network_is_the_same_recorded():
    plain, fast = (model_problem.network("9", each) for each in (False, True))
    for mode in models.TRACED:
        wanted, found = (each.sample(mode, each.run[mode]()) for each in (plain, fast))
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert np.abs(one - other).max() <= models.TOLERANCE * np.abs(other).max()


def test_sevennets_convolutions_are_found_and_the_same():
    pytest.importorskip("sevenn")
    plain, fast = (model_problem.sevennet("7net-0", "salt", each) for each in (False, True))
    for mode, count in (("forces", 2), ("convolutions", 15)):
        wanted, found = (each.sample(mode, each.run[mode]()) for each in (plain, fast))
        assert len(found) == len(wanted) == count
        for one, other in zip(found, wanted, strict=True):
            assert np.abs(one - other).max() < models.TOLERANCE * np.abs(other).max()


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    missing = models.Model("none", "no_such_package", "product", (), models.PRODUCT, "nothing")
    monkeypatch.setitem(models.MODELS, "none", missing)
    runs = list(models.run(["none", "uvu"], ["default"], Effort(rounds=1, seconds=0.0)))
    assert tables.reasons(runs[0]) == [
        "tfngen: not installed: no_such_package",
        "no_such_package: not installed: no_such_package",
    ]
    assert tables.table(runs[0]).row_count == tables.table(runs[1]).row_count == 4
    (tmp_path / "models.json").write_text(json.dumps({"runs": runs}))
    figure = plot_bench(read_runs(tmp_path / "models.json"))
    assert [axes.get_title() for axes in figure.axes] == ["forward", "gradient"]


def test_an_unknown_model_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="model: got 'gpt'; it must be one of sevennet-0-diamond, "):
        list(models.run(["gpt"]))
