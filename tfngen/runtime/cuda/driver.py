"""Load machine code and launch it on torch's current stream, through the driver that torch has loaded.

A launch is one call of ``cuLaunchKernel`` with the arguments packed side by side: a few microseconds from
Python, and recorded like any other where a CUDA graph is being captured.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any

import torch

from tfngen.runtime.cuda.compiled import compiled
from tfngen.runtime.cuda.kernel import Call, Kernel

NEEDED_DRIVER = 13000
"""The oldest driver, as it counts itself, that loads what CUDA 13 compiles."""
_END, _BUFFER, _SIZE = 0, 1, 2
_loading = Lock()


class _Extra(ctypes.Structure):
    """How a launch is told where all arguments are, packed side by side, and how long they are."""

    _fields_ = (
        ("buffer_follows", ctypes.c_void_p),
        ("buffer", ctypes.c_char_p),
        ("size_follows", ctypes.c_void_p),
        ("size", ctypes.POINTER(ctypes.c_size_t)),
        ("end", ctypes.c_void_p),
    )


def launch(
    call: Call,
    grid: tuple[int, int],
    threads: int,
    shared_bytes: int,
    arguments: Sequence[int],
    device: torch.device,
) -> None:
    """Launch a kernel on torch's current stream of `device`.

    Args:
        call: what to run.
        grid: blocks along x and y.
        threads: of a block.
        shared_bytes: what a block has beside its static shared memory.
        arguments: addresses and numbers for the call's names.
        device: where the addresses are.

    Raises:
        RuntimeError: the driver refuses; it names what it was asked for.
    """
    current = torch.cuda.current_device()
    if device.index is None or device.index == current:
        status = _launch(call, current, grid, threads, shared_bytes, arguments)
    else:
        with torch.cuda.device(device):
            status = _launch(call, device.index, grid, threads, shared_bytes, arguments)
    if status:
        raise RuntimeError(
            f"{call.kernel!r}: the driver would not launch {grid} blocks of {threads} threads with "
            f"{shared_bytes} bytes of shared memory on {device}: {_message(status)}"
        )


def _launch(
    call: Call, index: int, grid: tuple[int, int], threads: int, shared_bytes: int, arguments: Sequence[int]
) -> int:
    """Launch on the current device, which is `index`; what the driver says to it."""
    function = call.kernel.loaded.get(index) or _load(call.kernel, index)
    extra = _Extra(_BUFFER, call.packed(arguments), _SIZE, call.size_of, _END)
    stream = ctypes.c_void_p(torch._C._cuda_getCurrentRawStream(index))
    status: int = _driver().cuLaunchKernel(
        function, *grid, 1, threads, 1, 1, shared_bytes, stream, None, ctypes.byref(extra)
    )
    return status


def _load(kernel: Kernel, index: int) -> ctypes.c_void_p:
    """The kernel's function on a device, compiled and loaded by whoever comes first."""
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
        kernel.loaded[index] = function
        return function


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
