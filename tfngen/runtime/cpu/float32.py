"""What float32 kernels for the processor are written with (see `vector`, `operations` and `index`)."""

from numpy import float32 as constant

from tfngen.forms import AHEAD, EDGE_STRIDE, Tile
from tfngen.runtime.cpu.index import load_index, load_indices
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.operations import define_operations
from tfngen.runtime.cpu.vector import FLOAT32

__all__ = [
    "AHEAD",
    "COUPLINGS",
    "D_FILTER_ROWS",
    "EDGES",
    "EDGE_POINTERS",
    "EDGE_ROWS",
    "EDGE_STRIDE",
    "FILTERS",
    "FILTER_TANGENTS",
    "FIRST",
    "LANES",
    "LAST",
    "NEIGHBOR_ROWS",
    "NODE_ROW",
    "WEIGHT_ROWS",
    "WRITING",
    "active_lanes",
    "add",
    "add_totals",
    "bring",
    "constant",
    "fetch",
    "kernel",
    "load",
    "load_edges",
    "load_index",
    "load_indices",
    "load_rows",
    "load_scalar",
    "reciprocal_norm",
    "store",
    "store_edges",
    "store_rows",
    "store_scalar",
    "total",
    "write",
    "zero",
]

LANES = FLOAT32.lanes
_operations = define_operations(FLOAT32)

active_lanes = _operations.active_lanes
add, add_totals = _operations.add, _operations.add_totals
load, store = _operations.load, _operations.store
load_edges, store_edges = _operations.load_edges, _operations.store_edges
write = _operations.write
bring, fetch = _operations.bring, _operations.fetch
load_rows = _operations.load_rows
store_rows = _operations.store_rows
load_scalar, store_scalar = _operations.load_scalar, _operations.store_scalar
zero, total = _operations.zero, _operations.total
reciprocal_norm = _operations.reciprocal_norm

# fmt: off
(
    FIRST, LAST, EDGES, NODE_ROW, EDGE_POINTERS, NEIGHBOR_ROWS, WEIGHT_ROWS, EDGE_ROWS, FILTERS,
    FILTER_TANGENTS, D_FILTER_ROWS, COUPLINGS, WRITING,
) = map(int, Tile)
# fmt: on
