"""A model's TOML file and options become one specification, or one message that names the key."""

from __future__ import annotations

import pytest

from tfngen.config import specification
from tfngen.spec import BuildSpec

MODEL = """
name = "my_model"
dtype = ["float32"]
normalization = "norm"

[convolutions.first]
irreps_in = "64x0e"
irreps_filter = "0e+1o+2e+3o"
irreps_out = "0e+1o+2e+3o"

[convolutions.second]
irreps_in = "128x0e+64x1o+32x2e"
irreps_filter = "0e+1o+2e"
irreps_out = "0e"
"""
IRREPS = {"irreps_in": "4x0e", "irreps_filter": "0e+1o", "irreps_out": "0e+1o"}


@pytest.fixture
def write(tmp_path):
    def file(text: str):
        path = tmp_path / "model.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return file


def test_a_file_is_the_specification_it_says(write):
    spec = specification(write(MODEL), {})
    assert (spec.name, spec.dtypes, spec.normalization, spec.lmax) == ("my_model", ("float32",), "norm", 3)
    assert [(name, convolution.texts) for name, convolution in spec.convolutions] == [
        ("first", ("64x0e", "0e+1o+2e+3o", "0e+1o+2e+3o")),
        ("second", ("128x0e+64x1o+32x2e", "0e+1o+2e", "0e")),
    ]
    assert BuildSpec.from_json(spec.to_json()) == spec


def test_a_file_may_ask_for_every_path_up_to_a_degree(write):
    assert specification(write('lmax = 2\ntarget = "cpu"\nchannels = 64'), {}) == BuildSpec(2, channels=64)


def test_three_irreps_are_one_convolution():
    spec = specification(None, IRREPS)
    assert [(name, convolution.texts) for name, convolution in spec.convolutions] == [
        ("interaction", ("4x0e", "0e+1o", "0e+1o"))
    ]


def test_with_nothing_asked_for_it_is_degree_three():
    assert specification(None, {}) == BuildSpec(3)


def test_options_add_to_a_file_and_may_repeat_it(write):
    file = write(MODEL.replace('name = "my_model"', "").replace('["float32"]', '["float64", "float32"]'))
    spec = specification(file, {"name": "mine", "dtypes": ("float32", "float64"), "strategy": "direct"})
    assert (spec.name, spec.strategy, spec.dtypes) == ("mine", "direct", ("float32", "float64"))
    assert specification(write('normalization = "norm"'), IRREPS).normalization == "norm"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "mine"}, r"^name: got 'mine', but .*model\.toml says 'my_model'; leave one of them out$"),
        ({"dtypes": ("float64",)}, r"^dtypes: got \('float64',\), but .* says \('float32',\)"),
        ({"lmax": 2}, r"^lmax: got 2 beside convolutions; .* of their filters, 3$"),
        ({"channels": 8}, r"^channels: got 8 beside convolutions; it must be left out"),
        (IRREPS, r"^irreps_in: given beside the convolutions of .*model\.toml"),
        ({"convolutions": {"first": IRREPS}}, r"^convolutions: got .*, but .*model\.toml says"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, dict) else "",
)
def test_an_option_that_contradicts_the_file_is_refused(write, options, message):
    with pytest.raises(ValueError, match=message):
        specification(write(MODEL), options)


@pytest.mark.parametrize("given", [["irreps_in"], ["irreps_out", "irreps_filter"]], ids="+".join)
def test_irreps_go_together(given):
    missing = next(name for name in IRREPS if name not in given)
    with pytest.raises(
        ValueError, match=rf"^{missing}: missing; irreps_in, irreps_filter, irreps_out go tog"
    ):
        specification(None, {name: IRREPS[name] for name in given})
    with pytest.raises(ValueError, match="given beside convolutions"):
        specification(None, {**IRREPS, "convolutions": {"first": IRREPS}})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "my_model"', 'nom = "my_model"', "^nom: unknown; .*model.toml may have channels"),
        ('name = "my_model"', "name = 3", "^name: got 3; it must be"),
        ('name = "my_model"', 'name = "my-model"', "^name: got 'my-model'; it must be"),
        ('name = "my_model"', "lmax = 2.5", "^lmax: got 2.5 beside convolutions"),
        ('["float32"]', '"float16"', "^dtype: got 'float16'; it must be one of float32, float64"),
        ('["float32"]', "32", "^dtype: got 32; it must be one or more of"),
        ('"norm"', '"unit"', "^normalization: got 'unit'; it must be one of"),
        ("convolutions.first", "convolutions.1st", r"^convolutions\.1st: got the name '1st'; it must be"),
        ("convolutions.first", "convolution.first", "^convolution: unknown"),
        ('"64x0e"', "64", r"^convolutions\.first\.irreps_in: got 64; it must be text such as"),
        ('"64x0e"', '""', r"^convolutions\.first\.irreps_in: got ''; a convolution needs at least one irrep"),
        ('"64x0e"', '"64xOe"', r"^convolutions\.first\.irreps_in: cannot read '64xOe'"),
        ('"64x0e"', '"64x0e+2x13o"', r"^convolutions\.first\.irreps_in: .*l = 13; .* at most 12"),
        ('"64x0e"', '"64x0e+8x9o"', r"^convolutions\.first\.irreps_in: 9o couples to nothing"),
        ('irreps_out = "0e"', 'irreps_out = "0o"', r"^convolutions\.second\.irreps_out: no path .* to 0o"),
        ('irreps_out = "0e"', 'irreps_out = "8x0e"', r"^convolutions\.second\.irreps_out: 8x0e; name each"),
        ('irreps_out = "0e"', 'irreps_to = "0e"', r"^convolutions\.second\.irreps_to: unknown; a conv"),
        ('irreps_out = "0e"', "", r"^convolutions\.second\.irreps_out: missing; a convolution has irreps_in"),
        ('"0e+1o+2e"\n', '"0e+1e+2o"\n', r"^convolutions\.second\.irreps_filter: .* have parity \(−1\)\^l"),
        ('"0e+1o+2e"\n', '"0e+1o+2e+4e"\n', r"^convolutions\.second\.irreps_filter: 4e couples to nothing"),
        ("[convolutions.first]", "[convolutions.first", r"^config: .*model\.toml is not a TOML file \("),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_by_its_key(write, old, new, message):
    assert old in MODEL
    with pytest.raises(ValueError, match=message):
        specification(write(MODEL.replace(old, new)), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("convolutions = 3", r"^convolutions: got 3; it must be tables \[convolutions\.NAME\]"),
        ("convolutions.first = 3", r"^convolutions\.first: got 3; it must have irreps_in, irreps_filter and"),
        ("lmax = 99", "^lmax: got 99; it must be an integer from 0 to 12"),
        ("channels = 0", "^channels: got 0; it must be"),
    ],
)
def test_values_of_another_kind_are_refused(write, text, message):
    with pytest.raises(ValueError, match=message):
        specification(write(text), {})


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"^config: .*nowhere\.toml cannot be read \(No such file"):
        specification(tmp_path / "nowhere.toml", {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"^config: .*binary\.toml is not a TOML file"):
        specification(tmp_path / "binary.toml", {})
