"""What can be read off compiled kernels without a GPU: precision, registers, spills, shared memory."""

from __future__ import annotations

import re
from contextlib import nullcontext
from importlib import import_module
from itertools import product

import pytest
import torch

import tfngen
from tfngen.forms import FORM, FORMS
from tfngen.gpu import CAPABILITIES, MOST_THREADS
from tfngen.irreps import enumerate_paths
from tfngen.naming import path_module
from tfngen.runtime.cuda import symmetric
from tfngen.runtime.cuda.block import MOST_SHARED_BYTES
from tfngen.runtime.cuda.compiled import compiled
from tfngen.runtime.cuda.convolve import fitted_kernels
from tfngen.runtime.cuda.kernel import Kernel
from tfngen.runtime.cuda.precision import suited
from tfngen.runtime.cuda.rows import KERNELS

REGISTERS = 65536
"""Of a multiprocessor, in every GPU since 2014."""
BLOCK_SHARED = 64 * 1024
"""Bytes of shared memory that a block may have on any of them."""
GROUPS = [f"input_{l}" for l in range(4)]
EVERY = tuple(form.name for form in FORMS)
LARGEST = ("output", "backward", "backward_along")
"""The forms whose kernels have all that the others have; of high degrees these alone are compiled here."""
OTHERS = ["harmonics", *map(path_module, enumerate_paths(3))]


@pytest.fixture(scope="module")
def package():
    return tfngen.load(3, targets=("cuda",))


@pytest.fixture(scope="module")
def small():
    return tfngen.load(1, targets=("cuda",))


def kernels(package, module, dtype="float32", channels=32, forms=EVERY):
    """By name; those over a graph fitted to every path of so many channels."""
    if module in GROUPS:
        degrees = range(package.LMAX + 1)
        rows, filters = ("+".join(f"{count}{l}e" for l in degrees) for count in (f"{channels}x", ""))
        plan = tuple(package.Convolution(rows, filters, filters)._numbers)
        fitted = {
            form: fitted_kernels(package._package.fingerprint, FORM[form], plan, getattr(torch, dtype))
            for form in forms
        }
        return {name: each[GROUPS.index(module)] for name, each in fitted.items()}
    found = vars(import_module(f"{package.__name__}.cuda.{dtype}.{module}"))
    return {name: each for name, each in found.items() if isinstance(each, Kernel)}


HALVES = ("b16", "u16", "b32", "u32")
"""What moves one of them, or two."""
UNWANTED = ("call", "div.s", "div.u", "rem", "ld.local", "st.local", "atom")


@pytest.mark.parametrize("module", [*GROUPS, *OTHERS])
def test_machine_code(package, module):
    """No spills, no double precision, no calls: one test a module, since compiling is what takes long."""
    forms = LARGEST if module in GROUPS[2:] else EVERY
    found = kernels(package, module, forms=forms)
    assert len(found) == (len(forms) if module in GROUPS else 3 if module == "harmonics" else 4)
    for (name, kernel), capability in product(found.items(), CAPABILITIES):
        resources, where = compiled(kernel, capability).resources, (name, capability)
        assert resources.stack == 0, where
        assert resources.registers * MOST_THREADS * 2 <= REGISTERS, where
        dynamic = MOST_SHARED_BYTES if module in GROUPS else 0
        assert resources.shared + dynamic <= BLOCK_SHARED, where
        assert not any("f64" in kind for kind in resources.instructions), where
        assert any(kind.startswith(("fma.rn.f32", "mul.f32")) for kind in resources.instructions), where
        assert not any(kind.startswith(UNWANTED) for kind in resources.instructions), where


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_of_rows_have_four_on_their_way(dtype):
    other = "f64" if dtype == torch.float32 else "f32"
    for kernel, capability in product(vars(KERNELS[dtype]).values(), CAPABILITIES):
        resources = compiled(kernel, capability).resources
        assert resources.stack == 0
        assert resources.registers <= 64
        assert not any(other in kind for kind in resources.instructions)
    loads = compiled(KERNELS[dtype].sum_pieces, (9, 0)).resources.instructions
    assert loads[f"ld.global.{'f32' if dtype == torch.float32 else 'f64'}"] >= 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_symmetric_contractions_stay_in_registers(dtype):
    other = "f64" if dtype == torch.float32 else "f32"
    for kernel, capability in product(vars(symmetric.KERNELS[dtype]).values(), CAPABILITIES):
        resources = compiled(kernel, capability).resources
        assert resources.stack == 0
        assert resources.registers <= 64
        assert not any(other in kind for kind in resources.instructions)
        assert not any(kind.startswith(("atom", "call")) for kind in resources.instructions)


@pytest.mark.parametrize("channels", [32, 64])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_in_memory_alone(small, dtype, channels):
    """Two bytes a number are read and written; products and sums are float32's, and so are registers."""
    name = str(dtype).removeprefix("torch.")
    found = [*kernels(small, "input_1", name, channels, LARGEST[:2]).values()]
    found += [suited(each, dtype) for each in (kernels(small, "path_1_1_1")["d_filter"], *_sums())]
    for kernel in found:
        resources = compiled(kernel, (9, 0)).resources
        mix = resources.instructions
        assert resources.stack == 0, kernel
        assert resources.registers * MOST_THREADS * 2 <= REGISTERS, kernel
        assert any(name.startswith(("ld.global", "ld.shared")) and name.endswith(HALVES) for name in mix), (
            kernel
        )
        assert any(name.startswith("st.global") and name.endswith(HALVES) for name in mix), kernel
        assert not any(re.match(r"(ld|st)\.global.*f32", name) for name in mix), kernel
        assert not any("f64" in name or name.startswith(("fma.rn.f16", "fma.rn.bf")) for name in mix), kernel
        assert not any(name.startswith(UNWANTED) for name in mix), kernel


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_lanes_with_two_channels_move_both_at_once(small, dtype):
    """Half as many lanes, each with twice the arithmetic."""
    one, two = (kernels(small, "input_1", dtype, each, LARGEST[:1])["output"] for each in (32, 64))
    assert (one.pairs, two.pairs) == (False, True)
    few, many = (compiled(each, (9, 0)).resources.instructions for each in (one, two))
    wide = ("v2.f32", "b64") if dtype == "float32" else ("b32", "v2.b16", "v2.u16", "u32")
    assert sum(count for name, count in many.items() if name.startswith("ld.shared") and name.endswith(wide))
    arithmetic = [sum(mix.get(f"{kind}.f32", 0) for kind in ("fma.rn", "mul", "add")) for mix in (few, many)]
    assert arithmetic[1] > 1.5 * arithmetic[0]


def _sums():
    return vars(KERNELS[torch.float32]).values()


@pytest.mark.parametrize("module", ["input_0", "harmonics", "path_1_1_1"])
def test_float64_kernels_do_not_compute_in_single(small, module):
    for kernel in kernels(small, module, "float64").values():
        mix = compiled(kernel, (9, 0)).resources.instructions
        assert not any("f32" in kind for kind in mix), mix
        assert any("f64" in kind for kind in mix)


def test_what_lanes_read_is_copied_by_itself_where_gpus_can(small):
    """And nothing of an edge is loaded to registers; older GPUs load it, in code of the same kernels."""
    kernel = kernels(small, "input_1", forms=("output",))["output"]
    (new, old) = (compiled(kernel, each).resources.instructions for each in ((8, 0), (7, 5)))
    copies = [name for name in new if name.startswith("cp.async.ca.shared.global")]
    assert sum(new[name] for name in copies) == 3 + 3
    assert not any(name.startswith("cp.async") for name in old)
    assert not any("policy" in name or "hint" in name for name in new)  # some assemblers lose them
    assert old["st.shared.f32"] >= new.get("st.shared.f32", 0) + 6


def test_kernels_wait_for_those_before_them_where_they_may_begin_early(small):
    """They let the next begin at once, and wait behind their edges, before sums are added to."""
    kernel = kernels(small, "input_1", forms=("output",))["output"]
    (new, old) = (compiled(kernel, each).resources.instructions for each in ((9, 0), (8, 0)))
    assert {name: new[name] for name in new if name.startswith("griddepcontrol")} == {
        "griddepcontrol.launch_dependents": 1,
        "griddepcontrol.wait": 1,
    }
    assert not any(name.startswith("griddepcontrol") for name in old)


def test_lanes_read_couplings_four_at_a_time(package):
    mix = compiled(kernels(package, "input_1", forms=("d_input",))["d_input"], (9, 0)).resources.instructions
    assert 4 * mix["ld.shared.v4.f32"] > 2 * mix.get("ld.shared.v2.f32", 0) + mix.get("ld.shared.f32", 0)


def test_code_comes_from_the_cache(package, monkeypatch):
    from tfngen.runtime.cuda import compiled as module

    kernel = kernels(package, "harmonics")["harmonics"]
    made = compiled(kernel, (9, 0))

    def fail(*_):
        raise AssertionError("it was compiled again")

    monkeypatch.setattr(module, "assemble", fail)
    assert compiled(kernel, (9, 0)) == made


def test_what_numba_is_spared_changes_nothing(small, monkeypatch):
    from tfngen.runtime.cuda import compiled as module
    from tfngen.runtime.cuda import seam

    kernel, found = kernels(small, "input_0", forms=("output",))["output"], []
    for spared in (True, False):
        if not spared:
            monkeypatch.setattr(seam, "looked_up_once", nullcontext)
            monkeypatch.setattr(seam, "lifetimes_when_asked", nullcontext)
        module._intermediate.cache_clear()
        found.append(module.assemble(kernel, (9, 0)).resources)
    assert found[0] == found[1]


def test_a_damaged_file_is_made_again(package, tmp_path, monkeypatch):
    from tfngen.runtime.cuda import compiled as module

    kernel = kernels(package, "harmonics")["harmonics"]
    file = tmp_path / "kernel.cubin"
    monkeypatch.setattr(module, "_files", lambda *_: iter([file]))
    made = compiled(kernel, (9, 0))
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], b"{}\n", whole.replace(b"entry", b"exit", 1)):
        file.write_bytes(damaged)
        again = compiled(kernel, (9, 0))
        assert again.resources == made.resources
        assert compiled(kernel, (9, 0)) == again  # what it has put in the damaged file's place


@pytest.mark.parametrize("capability", [(5, 0), (7, 0)])
def test_gpus_too_old_are_refused(package, capability):
    with pytest.raises(ValueError, match=r"capability: got [57]\.0; CUDA 13 compiles for GPUs of 7\.5"):
        compiled(kernels(package, "harmonics")["harmonics"], capability)


def test_a_package_is_compiled_ahead_for_gpus_that_are_not_there(tmp_path):
    from typer.testing import CliRunner

    from tfngen.cli import app

    command = ["build", "--lmax", "0", "--target", "cuda", "--dtype", "float32", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*command, "--precompile", "--capability", "8.6"])
    assert result.exit_code == 0, result.output
    assert "7 kernels are compiled" in result.output  # harmonics 3, roles 4; forms wait for a convolution
    cubins = sorted((tmp_path / "tfn_l0").rglob("*.cubin"))
    assert len(cubins) == 7
    assert all(".sm_86." in file.name for file in cubins)


def test_kernels_for_half_precision_are_compiled_ahead_where_asked(tmp_path):
    from typer.testing import CliRunner

    from tfngen.cli import app

    irreps = ["--irreps-in", "4x0e", "--irreps-filter", "0e", "--irreps-out", "0e", "--name", "model"]
    command = ["build", *irreps, "--target", "cuda", "--dtype", "float32", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*command, "--precompile", "--capability", "9.0", "--stored", "float16"])
    assert result.exit_code == 0, result.output
    assert "31 kernels are compiled" in result.output  # harmonics 3; roles 4 and forms 10, each twice
    assert len([*(tmp_path / "model").rglob("*.cubin")]) == 31


@pytest.mark.parametrize("option", [["--capability", "9.0"], ["--stored", "float16"]])
@pytest.mark.parametrize("command", [["--target", "cuda"], ["--target", "cpu", "--precompile"]])
def test_what_would_have_no_effect_is_an_error(command, option, tmp_path):
    from typer.testing import CliRunner

    from tfngen.cli import app

    result = CliRunner().invoke(app, ["build", "--lmax", "0", "--out", str(tmp_path), *command, *option])
    assert result.exit_code != 0
    assert f"{option[0][2:]}: it says what kernels for GPUs are compiled for now" in str(result.exception)
    assert not any(tmp_path.iterdir())


def test_precision_that_is_no_half_is_named(tmp_path):
    from tfngen.precompile import precompile

    with pytest.raises(ValueError, match="stored: got 'float8'; it must be one of float16, bfloat16"):
        precompile(tmp_path, stored=["float8"])


@pytest.mark.parametrize("text", ["5.0", "nine", "90", ""])
def test_a_capability_that_cannot_be_is_named(text):
    from typer.testing import CliRunner

    from tfngen.cli import app

    result = CliRunner().invoke(app, ["build", "--lmax", "0", "--target", "cuda", "--capability", text])
    assert result.exit_code != 0
    message = str(result.exception) if result.exception else result.output
    assert "capability: got" in message
