"""What generated kernels import to compute in float64."""

import numpy as np
from numba import int64 as index

from tfngen.gpu import ALIGNED, MOST_EDGES, WARP
from tfngen.runtime.cuda.kernel import Indices, Int, Size, kernel
from tfngen.runtime.cuda.memory import offset, pointer, read, shared_like, zero_like
from tfngen.runtime.cuda.operations import fold_place, load_piece, row_of, vocabulary, within
from tfngen.runtime.cuda.seam import cuda, device

_words = vocabulary(np.float64)
Channels = _words.Channels
Floats = _words.Floats
constant = _words.constant
fold_all = _words.fold_all
gather = _words.gather
load = _words.load
number = _words.number
over_teams = _words.over_teams
put = _words.put
reciprocal_norm = _words.reciprocal_norm
store = _words.store
stream = _words.stream
stream_out = _words.stream_out
write_totals = _words.write_totals
zero = _words.zero

__all__ = [
    "ALIGNED",
    "MOST_EDGES",
    "WARP",
    "Channels",
    "Floats",
    "Indices",
    "Int",
    "Size",
    "constant",
    "cuda",
    "device",
    "fold_all",
    "fold_place",
    "gather",
    "index",
    "kernel",
    "load",
    "load_piece",
    "number",
    "offset",
    "over_teams",
    "pointer",
    "put",
    "read",
    "reciprocal_norm",
    "row_of",
    "shared_like",
    "store",
    "stream",
    "stream_out",
    "within",
    "write_totals",
    "zero",
    "zero_like",
]
