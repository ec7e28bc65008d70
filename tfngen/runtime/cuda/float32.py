"""What generated kernels import to compute in float32."""

import numpy as np
from numba import int64 as index

from tfngen.gpu import ALIGNED, MOST_EDGES, WARP
from tfngen.runtime.cuda.kernel import Indices, Int, Size, kernel
from tfngen.runtime.cuda.operations import fold_place, load_piece, row_of, vocabulary, within
from tfngen.runtime.cuda.seam import cuda, device, offset, pointer, read

_words = vocabulary(np.float32)
Floats = _words.Floats
constant = _words.constant
fold_all = _words.fold_all
load = _words.load
number = _words.number
put = _words.put
reciprocal_norm = _words.reciprocal_norm
store = _words.store
write_totals = _words.write_totals
zero = _words.zero

__all__ = [
    "ALIGNED",
    "MOST_EDGES",
    "WARP",
    "Floats",
    "Indices",
    "Int",
    "Size",
    "constant",
    "cuda",
    "device",
    "fold_all",
    "fold_place",
    "index",
    "kernel",
    "load",
    "load_piece",
    "number",
    "offset",
    "pointer",
    "put",
    "read",
    "reciprocal_norm",
    "row_of",
    "store",
    "within",
    "write_totals",
    "zero",
]
