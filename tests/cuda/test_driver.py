"""How kernels reach a GPU, as far as that can be seen without one: a driver that takes notes."""

import ctypes
import struct
import subprocess
import sys

import pytest
import torch

from tfngen.runtime.cuda import driver
from tfngen.runtime.cuda.compiled import Compiled, Resources
from tfngen.runtime.cuda.kernel import Argument, Indices, Int, Size, kernel
from tfngen.runtime.cuda.sequence import LaunchSequence, Step

Floats = Argument(float, is_array=True)


@kernel
def example(values: Floats, count: Int, rows: Indices, length: Size, step: Int, at: Int):
    """Never run."""


SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)
EARLY = struct.pack("<iiI60x", 6, 0, 1)
"""An attribute of a launch, 72 bytes of the driver's header: it is serialized by the program, and may be."""


class Config(ctypes.Structure):
    """CUlaunchConfig of the driver's header."""

    _fields_ = (
        *[(name, ctypes.c_uint) for name in ("x", "y", "z", "threads", "one", "another", "shared")],
        *[(name, ctypes.c_void_p) for name in ("stream", "attributes")],
        ("count", ctypes.c_uint),
    )


class Notes:
    """A driver's library; `cuLaunchKernelEx` says `statuses`, then 0, and remembers what it was given."""

    def __init__(self, version=13000):
        self.statuses, self.version = [], version
        self.launches, self.attributes = [], []
        self.cuLaunchKernelEx = SIGNATURE(self.launched)

    def cuDriverGetVersion(self, version):
        version._obj.value = self.version
        return 0

    def launched(self, config, function, arguments, extra):
        how = Config.from_address(config)
        before, buffer, between, size, end = (ctypes.c_void_p * 5).from_address(extra)
        assert (before, between, end, arguments) == (1, 2, None, None)
        packed = ctypes.string_at(buffer, ctypes.c_size_t.from_address(size).value)
        grid, block = (how.x, how.y, how.z), (how.threads, how.one, how.another)
        self.launches.append((function, grid, block, how.shared, how.stream, packed))
        self.attributes.append(ctypes.string_at(how.attributes, 72 * how.count))
        return self.statuses.pop(0) if self.statuses else 0

    def cuGetErrorString(self, status, text):
        text._obj.value = b"out of something" if status == 2 else b"something else"
        return 0


@pytest.fixture
def notes(monkeypatch):
    library = Notes()
    driver._launcher.cache_clear()
    monkeypatch.setattr(driver, "_driver", lambda: library)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, index))
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda index: 77, raising=False)
    monkeypatch.setitem(example.loaded, 0, 2**40 + 1)
    yield library
    driver._launcher.cache_clear()


def sequence(*steps):
    return LaunchSequence(steps, [*example.arguments, "half"])


def test_arguments_are_packed_as_the_driver_reads_them(notes):
    """In order, each aligned to its size; zero bytes among them end nothing."""
    values = [2**40, 7, 2**41, 2**35, 256, -1, 3]
    driver.launch(sequence(Step(example, 2, 64, 1024)), 5, values, torch.device("cuda", 0))
    ((function, grid, block, shared, stream, packed),) = notes.launches
    assert (function, grid, block, shared, stream) == (2**40 + 1, (5, 2, 1), (64, 1, 1), 1024, 77)
    assert packed == struct.pack("<Qi4xQqii", 2**40, 7, 2**41, 2**35, 256, -1)


def test_kernels_of_a_sequence_are_launched_in_order_with_their_own_arguments(notes):
    fitted = example.fitted({"at": 1})
    fitted.loaded[0] = 5
    steps = [Step(example, 2, 64), Step(fitted, 3, 32, 16, {"count": "half"}), Step(example, 1, 128)]
    driver.launch(sequence(*steps), 9, [1, 2, 3, 4, 5, 6, 7], torch.device("cuda"))
    first, second, third = notes.launches
    assert [each[0] for each in notes.launches] == [2**40 + 1, 5, 2**40 + 1]
    assert [each[1:4] for each in notes.launches] == [
        ((9, 2, 1), (64, 1, 1), 0),
        ((9, 3, 1), (32, 1, 1), 16),
        ((9, 1, 1), (128, 1, 1), 0),
    ]
    assert first[-1] == third[-1] == struct.pack("<Qi4xQqii", 1, 2, 3, 4, 5, 6)
    assert second[-1] == struct.pack("<Qi4xQqi", 1, 7, 3, 4, 5)


@pytest.mark.parametrize(("index", "early"), [(0, True), (1, False)])
def test_kernels_begin_early_where_gpus_can_but_for_the_first(notes, monkeypatch, index, early):
    capability = (9, 0) if early else (8, 9)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: index)
    monkeypatch.setitem(example.loaded, index, 5)
    steps = [Step(example, 1, 32, early=each) for each in (True, True, False)]
    driver.launch(sequence(*steps), 9, [0] * 7, torch.device("cuda", index))
    assert notes.attributes == [b"", EARLY if early else b"", b""]


def test_kernels_may_be_made_ready_before_the_first_launch_on_a_device(notes):
    asked = []
    sequence = LaunchSequence([Step(example, 1, 32)], example.arguments, asked.append)
    for _ in range(2):
        driver.launch(sequence, 1, [0] * 6, torch.device("cuda", 0))
    assert asked == [(9, 0)]


def test_what_a_kernel_is_fitted_to_is_no_argument_any_more(notes):
    fitted = example.fitted({"step": 256, "at": -1, "values": 3, "not one of them": 5})
    assert [*fitted.arguments] == ["values", "count", "rows", "length"]  # the last ones alone
    assert fitted.constants == {"step": 256, "at": -1}
    assert example.fitted({"at": -1, "step": 256}) is fitted
    fitted.loaded[0] = 2
    alone = LaunchSequence([Step(fitted, 1, 32)], fitted.arguments)
    driver.launch(alone, 1, [1, 2, 3, 4], torch.device("cuda"))
    assert notes.launches[0][-1] == struct.pack("<Qi4xQq", 1, 2, 3, 4)


def test_a_refusal_says_what_was_asked_for_and_ends_the_sequence(notes):
    notes.statuses = [0, 2]
    steps = [Step(example, 3, 32), Step(example, 1, 128, 50000), Step(example, 3, 32)]
    message = r"would not launch \(9, 1\) blocks of 128 threads with 50000 bytes .* cuda:0: out of something"
    with pytest.raises(RuntimeError, match=message):
        driver.launch(sequence(*steps), 9, [0] * 7, torch.device("cuda", 0))
    assert len(notes.launches) == 2


def test_shared_memory_beyond_what_every_block_has_is_asked_for_when_loading(notes, monkeypatch):
    resources = Resources(registers=32, stack=0, shared=1024, instructions={})
    monkeypatch.setattr(driver, "compiled", lambda *_: Compiled(b"", "example", resources))
    monkeypatch.setattr(torch.cuda, "current_blas_handle", lambda: 0)
    asked = []

    def found(function, module, name):
        function._obj.value = 9
        return 0

    notes.cuModuleLoadData, notes.cuModuleGetFunction = lambda *_: 0, found
    notes.cuFuncSetAttribute = lambda function, what, value: asked.append((function.value, what, value)) or 0
    for at, shared_bytes in enumerate((47 * 1024, 47 * 1024 + 1)):
        fitted = example.fitted({"at": 100 + at})
        alone = LaunchSequence([Step(fitted, 1, 32, shared_bytes)], fitted.arguments)
        driver.launch(alone, 1, [0] * 5, torch.device("cuda", 0))
        assert asked == [(9, 8, shared_bytes)] * at
    assert [each[3] for each in notes.launches] == [47 * 1024, 47 * 1024 + 1]


def test_an_old_driver_is_named_with_what_to_install(monkeypatch):
    driver._driver.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Notes(version=12040))
    with pytest.raises(RuntimeError, match=r"made for CUDA 12\.4; .* install driver 580 or newer"):
        driver._driver()


def test_a_missing_driver_is_named_with_what_to_install(monkeypatch):
    def missing(name):
        raise OSError("cannot open shared object file")

    driver._driver.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(RuntimeError, match=r"cannot be loaded \(.*\); install NVIDIA's driver"):
        driver._driver()


def test_a_missing_compiler_is_named_with_what_to_install():
    script = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba_cuda" else find(name, *rest)
from tfngen.runtime.cuda import seam
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (
        "ImportError: kernels for a GPU are compiled by numba-cuda, which is not installed" in result.stderr
    )
    assert "pip install 'tfngen[cuda]'" in result.stderr


def test_a_package_without_such_kernels_says_how_to_build_them(tfn_l1):
    there = torch.empty(2, 3)
    package = tfn_l1._package
    only_gpu = type(package).__new__(type(package))
    only_gpu.__dict__.update({**package.__dict__, "targets": ("cuda",)})
    with pytest.raises(
        ValueError, match=r"r: got device cpu; .* was built for cuda; build it with --target all"
    ):
        only_gpu.check_tensor("r", there, there)
    with pytest.raises(ValueError, match=r"r: got device meta; .* was built for cpu$"):
        package.check_tensor("r", there.to("meta"), there)


def test_processors_need_nothing_of_cuda():
    """Neither building for them nor computing on them imports numba.cuda."""
    script = """
import sys, tempfile, pathlib, torch, tfngen
from tfngen.build import build
from tfngen.cache import import_package
from tfngen.spec import BuildSpec
with tempfile.TemporaryDirectory() as folder:
    build(BuildSpec(0), pathlib.Path(folder))
    package = import_package(pathlib.Path(folder) / "tfn_l0")
    package.spherical_harmonics(torch.ones(1, 3))
print([name for name in ("numba_cuda", "numba.cuda", "tfngen.runtime.cuda") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
