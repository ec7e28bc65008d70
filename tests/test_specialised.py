"""A package made for a model's convolutions: the paths they need, no others, and the same numbers."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from hashlib import sha256

import pytest
import torch

import tfngen
from tests.conftest import REPOSITORY
from tests.reference import random_features
from tfngen.build import build, derive, make_plan, sources
from tfngen.check import check
from tfngen.irreps import Path
from tfngen.runtime.convolution import Convolution
from tfngen.spec import BuildSpec, ConvolutionSpec

# Mixed widths, none a multiple of a vector's length but one; no 1o goes in; an input beyond the filters' l.
MIXED = {
    "first": {"irreps_in": "5x0e", "irreps_filter": "0e+1o", "irreps_out": "0e+1o"},
    "second": {"irreps_in": "16x0e+7x2e", "irreps_filter": "0e+1o", "irreps_out": "0e+1o+2e"},
}
BLIND = {"irreps_in": "3x0e+2x1e+1x2e", "irreps_filter": "0e+1e+2e", "irreps_out": "0e+1e+2e"}


@pytest.fixture(scope="module")
def mixed():
    return tfngen.load(convolutions=MIXED)


def texts(spec: BuildSpec) -> dict[str, str]:
    return sources(make_plan(spec, derive(spec)))


# — the specification ———————————————————————————————————————————————————————————————————————————————————————


def test_the_paths_are_those_the_irreps_need():
    """MACE's: of the 34 paths up to l = 3 parity leaves half to inputs up to 2."""
    spec = BuildSpec(
        convolutions={"a": ConvolutionSpec("128x0e+128x1o+128x2e", "0e+1o+2e+3o", "0e+1o+2e+3o")}
    )
    assert spec.paths == tuple(path for path in BuildSpec(3).paths if path.even and path.l_input < 3)
    assert spec.lmax == 3
    assert set(spec.widths.values()) == {128}
    assert BuildSpec(convolutions=MIXED).paths == ((0, 0, 0), (0, 2, 2), (1, 0, 1), (1, 2, 1))


def test_without_parity_odd_paths_are_needed_too():
    assert BuildSpec(convolutions={"blind": BLIND}).paths == BuildSpec(2).paths


def test_lmax_is_that_of_the_filters():
    """It is how far the spherical harmonics go; inputs and outputs may go further."""
    spec = BuildSpec(convolutions={"a": ConvolutionSpec("2x3o", "0e+2e", "3o+5o")})
    assert spec.lmax == 2
    assert spec.paths == ((0, 3, 3), (2, 3, 3), (2, 3, 5))


def test_a_path_is_planned_for_the_mean_of_its_uses():
    assert BuildSpec(convolutions=MIXED).widths == {
        Path(0, 0, 0): 10, Path(0, 2, 2): 7, Path(1, 0, 1): 10, Path(1, 2, 1): 7,
    }  # fmt: skip


def test_the_strategy_is_that_of_the_real_width():
    """(1, 1, 1) shares products of pairs for one channel, and contracts C with the filter for many."""

    def kernels(spec: BuildSpec):
        return make_plan(spec, derive(spec)).paths[-1].kernels

    def specialised(width: int) -> BuildSpec:
        return BuildSpec(convolutions={"a": ConvolutionSpec(f"{width}x1e", "1e", "1e")})

    assert kernels(specialised(1)) == kernels(BuildSpec(1, channels=1))
    assert kernels(specialised(256)) == kernels(BuildSpec(1, channels=256))
    assert kernels(specialised(1)) != kernels(specialised(256))


def test_a_specification_survives_its_manifest():
    spec = BuildSpec(convolutions=MIXED, dtypes=("float64",))
    record = json.loads(json.dumps(spec.to_json()))
    assert record["convolutions"] == MIXED
    assert BuildSpec.from_json(record) == spec
    assert hash(BuildSpec.from_json(record)) == hash(spec)


def test_the_name_is_given_or_follows_from_the_convolutions():
    names = {BuildSpec(convolutions=each).name for each in (MIXED, {"a": BLIND}, {"b": BLIND})}
    assert len(names) == 3
    assert all(name.isidentifier() and name.startswith("tfn_l") for name in names)
    assert BuildSpec(convolutions=MIXED, name="mine").name == "mine"


def test_blocks_of_one_irrep_are_joined():
    spec = ConvolutionSpec("1x0e+2x1o+3x0e", "0e", "1o+0e")
    assert spec.texts == ("4x0e+2x1o", "0e", "1o+0e")
    assert str(spec.irreps_produced) == "2x1o+4x0e"


@pytest.mark.parametrize("given", [3, "first", [MIXED], ("first",), None])
def test_convolutions_of_another_kind_are_refused(given):
    with pytest.raises(ValueError, match=r"^convolutions: got "):
        BuildSpec(convolutions=given)


# — the files ———————————————————————————————————————————————————————————————————————————————————————————————


def test_the_files_are_those_of_the_paths():
    spec = BuildSpec(convolutions=MIXED, dtypes=("float32",))
    modules = {name for name in texts(spec) if name.startswith("cpu/float32/")}
    assert modules == {
        "cpu/float32/__init__.py",
        "cpu/float32/harmonics.py",
        "cpu/float32/mixing.py",
        *(
            f"cpu/float32/{kind}_{'_'.join(map(str, path))}.py"
            for path in spec.paths
            for kind in ("path", "convolution", "rows")
        ),
    }


def test_the_package_says_what_it_is_for():
    text = texts(BuildSpec(convolutions=MIXED, name="mine"))["__init__.py"]
    assert 'conv = tfn.convolution("first")' in text
    assert '    "second": ("16x0e+7x2e", "0e+1o", "0e+1o+2e"),\n' in text
    assert "        irreps_out     16x0e+23x1o+7x2e\n" in text
    assert [line for line in text.split("\n") if line != line.rstrip() or len(line) > 120] == []
    compile(text, "mine", "exec")


def test_bytes_do_not_depend_on_the_hash_seed():
    script = f"""if True:
        from hashlib import sha256
        from tfngen.build import derive, make_plan, sources
        from tfngen.spec import BuildSpec
        spec = BuildSpec(convolutions={MIXED!r})
        print(sha256(repr(list(sources(make_plan(spec, derive(spec))).items())).encode()).hexdigest())
    """
    here = sha256(repr(list(texts(BuildSpec(convolutions=MIXED)).items())).encode()).hexdigest()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert run.stdout.strip() == here


def test_it_is_checked_and_building_it_again_writes_nothing(tmp_path):
    spec = BuildSpec(convolutions=MIXED)
    folder = build(spec, tmp_path).written.folder
    assert list(check(folder)) == []
    assert build(spec, tmp_path).written.written == ()
    kernel = folder / "cpu/float32/path_1_2_1.py"
    kernel.write_text(kernel.read_text(encoding="utf-8").replace("weight * ", "", 1), encoding="utf-8")
    assert [line.split(":")[0] for line in check(folder)] == ["cpu/float32/path_1_2_1.py"]


# — the convolutions ————————————————————————————————————————————————————————————————————————————————————————


def run(convolution: Convolution, harmonics, dtype: torch.dtype = torch.float64):
    """Result and gradients on a small graph."""
    generator = torch.Generator().manual_seed(0)
    graph = tfngen.Graph(torch.randint(0, 6, (2, 20), generator=generator), 6)
    vectors = torch.randn(20, 3, generator=generator, dtype=dtype).requires_grad_()
    weights = torch.randn(20, convolution.weight_numel, generator=generator, dtype=dtype).requires_grad_()
    features = random_features(str(convolution.irreps_in), 6, dtype)
    result = convolution(graph, harmonics(vectors), features, weights).packed()
    return result, *torch.autograd.grad(result.square().sum(), (vectors, weights))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", MIXED)
def test_it_computes_what_a_generic_package_computes(mixed, tfn_l2, name, dtype):
    convolution = mixed.convolution(name)
    generic = tfn_l2.Convolution(*mixed.CONVOLUTIONS[name])
    assert convolution.irreps_out == generic.irreps_out
    assert [str(path) for path in convolution.paths] == [str(path) for path in generic.paths]
    # Sums of some 20 products; the two may be planned differently, and so round differently.
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    for ours, theirs in zip(
        run(convolution, mixed.spherical_harmonics, dtype),
        run(generic, tfn_l2.spherical_harmonics, dtype),
        strict=True,
    ):
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def test_harmonics_have_a_third_derivative_though_its_couplings_have_no_kernels(tfn_l2):
    """(1, 0, 1) and (1, 1, 2), of which the third derivative is composed, are not among the paths."""
    package = tfngen.load(irreps_in="2x0e", irreps_filter="2e", irreps_out="2e")
    assert package.PATHS == ((2, 0, 2),)
    r = torch.tensor([[0.3, -0.7, 0.5]], dtype=torch.float64, requires_grad=True)

    def third(tfn):
        value = tfn.spherical_harmonics(r).pow(2).sum() + tfn.spherical_harmonics(r)[0, 5]
        for _ in range(3):
            (gradient,) = torch.autograd.grad(value, r, create_graph=True)
            value = gradient[0, 0]
        return gradient

    torch.testing.assert_close(third(package), third(tfn_l2), rtol=1e-12, atol=1e-12)


def test_the_only_convolution_needs_no_name():
    package = tfngen.load(irreps_in="2x0e", irreps_filter="2e", irreps_out="2e")
    assert list(package.CONVOLUTIONS) == ["interaction"]
    assert repr(package.convolution()) == repr(package.convolution("interaction"))
    assert package.LMAX == 2


def test_a_convolution_travels_like_any_other(mixed):
    assert pickle.loads(pickle.dumps(mixed.convolution("second"))).paths == mixed.convolution("second").paths


def test_a_file_and_its_options_load_the_same_package(mixed, tmp_path):
    file = tmp_path / "model.toml"
    file.write_text(
        "".join(
            f"[convolutions.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in irreps.items())
            for name, irreps in MIXED.items()
        )
    )
    assert tfngen.load(config=file) is mixed
    with pytest.raises(ValueError, match=r"^path: .* is built already; config cannot be changed"):
        tfngen.load(path=tmp_path, config=file)
    with pytest.raises(ValueError, match=r"^load: .*colour"):
        tfngen.load(config=file, colour="red")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tfn: tfn.convolution(), "^name: got None; it must be one of 'first', 'second'"),
        (lambda tfn: tfn.convolution("third"), "^name: got 'third'; it must be one of 'first', 'second'"),
        (
            lambda tfn: tfn.Convolution("4x1o", "0e+1o", "0e+1o"),
            r"^paths: the kernels do not have \(0, 1, 1\), \(1, 1, 0\); build them with "
            r"`tfngen build --irreps-in 4x1o --irreps-filter 0e\+1o --irreps-out 0e\+1o`",
        ),
        (lambda tfn: tfn.Convolution("4x0e", "0e+2e", "2e"), r"^irreps_filter: .* l = 2; the kernels end"),
        (lambda tfn: tfn.Convolution("4x3o", "0e", "3o"), r"^irreps_in: .* l = 3; the kernels end at 2"),
        (
            lambda tfn: tfn.tensor_product((1, 1, 1), torch.ones(1, 3), torch.ones(1, 1, 3)),
            r"^path: got \(1, 1, 1\); it must be one of \w+\.PATHS; build it with "
            "`tfngen build --irreps-in 1e --irreps-filter 1e --irreps-out 1e`",
        ),
        (
            lambda tfn: tfn.tensor_product((0, 1, 2), torch.ones(1, 1), torch.ones(1, 1, 3)),
            r"^path: got \(0, 1, 2\); it must be one of \w+\.PATHS$",
        ),
    ],
)  # fmt: skip
def test_what_it_was_not_made_for_is_refused_with_the_command_that_makes_it(mixed, call, message):
    with pytest.raises(ValueError, match=message):
        call(mixed)


def test_convolution_makes_others_of_the_same_paths(mixed):
    other = mixed.Convolution("9x2e", "1o", "1o")
    assert [path.path for path in other.paths] == [(1, 2, 1)]
    unneeded = mixed.Convolution("4x0e+4x1o", "0e+1o", "0e+1o", paths=lambda path: path.l_input == 0)
    assert [path.path for path in unneeded.paths] == [(0, 0, 0), (1, 0, 1)]
