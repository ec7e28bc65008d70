"""What generated kernels import to compute in float64."""

import numpy as np
from numba import int64 as index

from tfngen.gpu import ALIGNED, MOST_EDGES, WARP
from tfngen.runtime.cuda.kernel import Indices, Int, Size, kernel
from tfngen.runtime.cuda.memory import (
    copy,
    end_copies,
    kept_like,
    let_next_begin,
    offset,
    pointer,
    read,
    shared_like,
    wait_for_copies,
    wait_for_last,
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
    "let_next_begin",
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
    "total_of",
    "wait_for_copies",
    "wait_for_last",
    "within",
    "zero",
    "zero_like",
]
