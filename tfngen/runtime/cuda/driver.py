"""Load machine code and launch it on torch's current stream, through the driver that torch has loaded.

Launches are recorded like any other where a CUDA graph is being captured.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Any

import torch

from tfngen.gpu import OVERLAPS
from tfngen.runtime.cuda.compiled import compiled
from tfngen.runtime.cuda.kernel import Kernel
from tfngen.runtime.cuda.sequence import LaunchSequence, go_through

NEEDED_DRIVER = 13000
"""The oldest driver, as it counts itself, that loads what CUDA 13 compiles."""
UNASKED_SHARED_BYTES = 48 * 1024
"""What a block may have of shared memory without asking."""
DYNAMIC_SHARED_BYTES = 8
"""The driver's number of what is asked for then."""
_loading = Lock()


def launch(sequence: LaunchSequence, blocks: int, values: Iterable[int], device: torch.device) -> None:
    """Launch kernels, one after another, on torch's current stream of `device`.

    Args:
        sequence: what to run.
        blocks: along x, of every kernel.
        values: addresses and numbers, in the order of the sequence's names.
        device: where the addresses are.

    Raises:
        RuntimeError: the driver refuses; it names what it was asked for.
    """
    current = torch.cuda.current_device()
    if device.index is None or device.index == current:
        status = _launch(sequence, current, blocks, values)
    else:
        with torch.cuda.device(device):
            status = _launch(sequence, device.index, blocks, values)
    if status:
        kernel, across, threads, shared_bytes, *_ = sequence.steps[status >> 32]
        raise RuntimeError(
            f"{kernel!r}: the driver would not launch {(blocks, across)} blocks of {threads} threads with "
            f"{shared_bytes} bytes of shared memory on {device}: {_message(status & 0xFFFFFFFF)}"
        )


def _launch(sequence: LaunchSequence, index: int, blocks: int, values: Iterable[int]) -> int:
    """Launch on the current device, which is `index`; what `go_through` returns."""
    loaded = sequence.loaded.get(index)
    if loaded is None:
        capability = torch.cuda.get_device_capability(index)
        sequence.prepare(capability)
        functions = [_load(step.kernel, index, step.shared_bytes) for step in sequence.steps]
        early = [
            step.early and number > 0 and capability >= OVERLAPS for number, step in enumerate(sequence.steps)
        ]
        loaded = sequence.loaded[index] = (*functions, *early)
    packed = sequence.packed(loaded, blocks, values)
    stream = torch._C._cuda_getCurrentRawStream(index)
    return go_through()(_launcher(), stream, len(sequence.steps), packed)


def _load(kernel: Kernel, index: int, shared_bytes: int) -> int:
    """The kernel's function on a device, compiled and loaded by whoever comes first.

    Blocks may have so much shared memory, beside what the kernel has by itself, each time it is launched.
    """
    with _loading:
        if index in kernel.loaded:
            return kernel.loaded[index]
        capability = torch.cuda.get_device_capability(index)
        made = compiled(kernel, capability)
        torch.cuda.current_blas_handle()  # makes torch's context this thread's current one
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        _check(_driver().cuModuleLoadData(ctypes.byref(module), made.image), f"{kernel!r} does not load")
        _check(
            _driver().cuModuleGetFunction(ctypes.byref(function), module, made.entry.encode()),
            f"{kernel!r} is not in its module",
        )
        assert function.value is not None, "the driver has found it"
        if made.resources.shared + shared_bytes > UNASKED_SHARED_BYTES:
            _check(
                _driver().cuFuncSetAttribute(function, DYNAMIC_SHARED_BYTES, shared_bytes),
                f"{kernel!r} is not given {shared_bytes} bytes of shared memory",
            )
        kernel.loaded[index] = function.value
        return function.value


@cache
def _launcher() -> int:
    """Where the driver's launching of a kernel begins."""
    address = ctypes.cast(_driver().cuLaunchKernelEx, ctypes.c_void_p).value
    assert address is not None, "the library has it"
    return address


@cache
def _driver() -> Any:
    """The driver's library.

    Raises:
        RuntimeError: there is none, or it is too old.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise RuntimeError(f"{name} cannot be loaded ({error}); install NVIDIA's driver") from None
    version = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    if version.value < NEEDED_DRIVER:
        have = f"{version.value // 1000}.{version.value % 1000 // 10}"
        raise RuntimeError(
            f"NVIDIA's driver here is made for CUDA {have}; generated kernels need one for CUDA 13: "
            "install driver 580 or newer"
        )
    return library


def _check(status: int, message: str) -> None:
    if status:
        raise RuntimeError(f"{message}: {_message(status)}")


def _message(status: int) -> str:
    text = ctypes.c_char_p()
    _driver().cuGetErrorString(status, ctypes.byref(text))
    return (text.value or b"unknown error").decode()
