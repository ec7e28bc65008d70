"""A specification is checked where it is made, and survives the manifest it is written into."""

import json
from dataclasses import FrozenInstanceError

import pytest

from tfngen.irreps import MAX_DEGREE, enumerate_paths
from tfngen.spec import DTYPES, NORMALIZATIONS, STRATEGIES, TARGETS, BuildSpec


def test_the_defaults():
    spec = BuildSpec(3)
    assert TARGETS == ("cpu", "cuda")
    assert spec.targets == ("cpu",)  # kernels for GPUs are asked for
    assert spec.dtypes == DTYPES == ("float32", "float64")
    assert (spec.normalization, spec.name, spec.strategy, spec.channels) == (
        "component",
        "tfn_l3",
        "auto",
        32,
    )
    assert spec.paths == enumerate_paths(3)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *(("lmax", value) for value in (-1, MAX_DEGREE + 1, True, False, "3", 3.0, None, (3,))),
        *(
            ("targets", value)
            for value in ((), [], "cpu", ("tpu",), ("cpu", "tpu"), 1, None, ("",), (("cpu",),))
        ),
        *(
            ("dtypes", value)
            for value in ((), "float32", ("float16",), ("float32", "int8"), None, 32, (None,), {})
        ),
        *(("normalization", value) for value in ("", "Component", "unit", None, 1, ("component",), ["norm"])),
        *(("strategy", value) for value in ("", "fastest", None, 0, ("auto",))),
        *(("channels", value) for value in (0, -32, 1.5, "32", True)),
        *(
            ("name", value)
            for value in ("1st", "a b", "a-b", "a.b", "../a", "/tmp/a", "class", "None", "a\n", " ")
        ),
        *(("name", value) for value in (3, None, ("tfn",), "\N{LATIN SMALL LIGATURE FI}n", "π")),
    ],
    ids=lambda each: each if isinstance(each, str) and each.isidentifier() else ascii(each),
)
def test_a_bad_attribute_is_refused_by_name(attribute, value):
    """The message begins with the attribute and shows what it got."""
    with pytest.raises(ValueError, match=rf"^{attribute}: got ") as error:
        BuildSpec(**{"lmax": 1, attribute: value})
    shown = value if isinstance(value, tuple) else (value,)
    assert any(repr(each) in str(error.value) for each in (value, *shown))
    assert "must be" in str(error.value)


def test_the_largest_degree_is_allowed():
    assert BuildSpec(MAX_DEGREE).lmax == MAX_DEGREE
    assert BuildSpec(0).paths == ((0, 0, 0),)


@pytest.mark.parametrize("name", ["tfn", "_private", "tfn_l3", "Tfn", "match", "x9"])
def test_importable_names_are_allowed(name):
    assert BuildSpec(1, name=name).name == name


def test_the_same_request_is_the_same_specification():
    """However the choices are ordered, repeated or held."""
    same = [
        BuildSpec(1, dtypes=("float64", "float32")),
        BuildSpec(1, dtypes=["float64", "float32", "float64"]),
        BuildSpec(1, dtypes={"float32", "float64"}, targets=["cpu"], name="tfn_l1"),
    ]
    assert {*same, BuildSpec(1)} == {BuildSpec(1)}
    assert BuildSpec(1, dtypes=("float64",)) != BuildSpec(1)


def test_a_specification_does_not_change():
    with pytest.raises(FrozenInstanceError):
        BuildSpec(1).lmax = 2


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")], ids="+".join)
def test_json_gives_it_back(normalization, strategy, dtypes):
    spec = BuildSpec(
        2, dtypes=dtypes, normalization=normalization, strategy=strategy, name="mine", channels=7
    )
    record = json.loads(json.dumps(spec.to_json()))
    assert record == spec.to_json()
    assert BuildSpec.from_json(record) == spec


@pytest.mark.parametrize(
    "record", [None, [], "lmax", 3, {}, {"name": "tfn"}, {"lmax": 1, "colour": "red"}, {1: 2}]
)
def test_a_record_of_something_else_is_refused(record):
    with pytest.raises(ValueError, match=r"^spec: not a build specification \("):
        BuildSpec.from_json(record)


def test_a_record_with_a_bad_attribute_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^dtypes: got "):
        BuildSpec.from_json({**BuildSpec(1).to_json(), "dtypes": ["float8"]})
    with pytest.raises(ValueError, match=r"^lmax: got "):
        BuildSpec.from_json({**BuildSpec(1).to_json(), "lmax": "1"})
