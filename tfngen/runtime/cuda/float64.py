"""What generated kernels import to compute in float64."""

import numpy as np
from numba import int64 as index

from tfngen.gpu import ALIGNED, MOST_EDGES, WARP
from tfngen.runtime.cuda.kernel import Indices, Int, Size, kernel
from tfngen.runtime.cuda.memory import (
    copy,
    end_copies,
    kept_like,
    offset,
    pointer,
    read,
    shared_like,
    wait_for_copies,
    zero_like,
)
from tfngen.runtime.cuda.operations import column_of, fold_place, load_piece, row_of, vocabulary, within
from tfngen.runtime.cuda.seam import cuda, device

_words = vocabulary(np.float64)
Channels = _words.Channels
Floats = _words.Floats
constant = _words.constant
fold_all = _words.fold_all
load = _words.load
number = _words.number
over_teams = _words.over_teams
put = _words.put
reciprocal_norm = _words.reciprocal_norm
store = _words.store
stream_out = _words.stream_out
total_of = _words.total_of
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
    "column_of",
    "constant",
    "copy",
    "cuda",
    "device",
    "end_copies",
    "fold_all",
    "fold_place",
    "index",
    "kept_like",
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
    "stream_out",
    "total_of",
    "wait_for_copies",
    "within",
    "zero",
    "zero_like",
]
