"""What float64 kernels for the processor are written with (see `vector`)."""

from numpy import float64 as constant

from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.vector import FLOAT64, define_operations, load_index

__all__ = [
    "LANES",
    "active_lanes",
    "add",
    "add_scalar",
    "constant",
    "kernel",
    "load",
    "load_index",
    "load_scalar",
    "load_strided",
    "reciprocal_norm",
    "store",
    "store_scalar",
    "store_strided",
    "total",
    "zero",
]

LANES = FLOAT64.lanes
_operations = define_operations(FLOAT64)

active_lanes = _operations.active_lanes
add, add_scalar = _operations.add, _operations.add_scalar
load, store = _operations.load, _operations.store
load_strided, store_strided = _operations.load_strided, _operations.store_strided
load_scalar, store_scalar = _operations.load_scalar, _operations.store_scalar
zero, total = _operations.zero, _operations.total
reciprocal_norm = _operations.reciprocal_norm
