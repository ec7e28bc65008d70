"""What float32 kernels for the processor are written with (see `vector`, `operations` and `index`)."""

from numpy import float32 as constant

from tfngen.forms import AHEAD, EDGE_STRIDE, Tile
from tfngen.runtime.cpu.access import Access
from tfngen.runtime.cpu.index import clear, load_index, load_indices
from tfngen.runtime.cpu.kernel import kernel
from tfngen.runtime.cpu.operations import define_operations
from tfngen.runtime.cpu.vector import FLOAT32

__all__ = [
    "AHEAD",
    "BYTES",
    "COUPLINGS",
    "D_FILTER_ROW",
    "D_INPUT_ROW",
    "EDGES",
    "EDGE_POINTERS",
    "EDGE_ROWS",
    "EDGE_STRIDE",
    "FILTERS",
    "FILTER_TANGENTS",
    "FIRST",
    "HELD",
    "LANES",
    "LAST",
    "NEIGHBOR_ROWS",
    "NODE_ROW",
    "ROW",
    "SLOT",
    "WEIGHT_ROWS",
    "WRITING",
    "active_lanes",
    "add",
    "add_lanes",
    "add_totals",
    "again",
    "bring",
    "clear",
    "constant",
    "fetch",
    "kernel",
    "load",
    "load_index",
    "load_indices",
    "load_lanes",
    "load_rows",
    "load_scalar",
    "reciprocal_norm",
    "store",
    "store_lanes",
    "store_rows",
    "store_scalar",
    "total",
    "turn_in",
    "turn_out",
    "write_row",
    "zero",
]

LANES = SLOT = FLOAT32.lanes
BYTES = 4
_operations = define_operations(Access(FLOAT32))

active_lanes, again = _operations.active_lanes, _operations.again
add, add_totals = _operations.add, _operations.add_totals
load, store = _operations.load, _operations.store
load_lanes, store_lanes = _operations.load_lanes, _operations.store_lanes
add_lanes = _operations.add_lanes
turn_in, turn_out = _operations.turn_in, _operations.turn_out
write_row = _operations.write_row
bring, fetch = _operations.bring, _operations.fetch
load_rows = _operations.load_rows
store_rows = _operations.store_rows
load_scalar, store_scalar = _operations.load_scalar, _operations.store_scalar
zero, total = _operations.zero, _operations.total
reciprocal_norm = _operations.reciprocal_norm

# fmt: off
(
    FIRST, LAST, EDGES, NODE_ROW, EDGE_POINTERS, NEIGHBOR_ROWS, WEIGHT_ROWS, EDGE_ROWS, FILTERS,
    FILTER_TANGENTS, D_FILTER_ROW, COUPLINGS, WRITING, HELD, ROW, D_INPUT_ROW,
) = map(int, Tile)
# fmt: on
