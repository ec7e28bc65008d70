"""`load_rows` and `store_rows` turn rows into lanes and back, and touch nothing but those rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numba import njit

from tfngen.runtime.cpu import float32, float64

MODULES = {np.float32: float32, np.float64: float64}
WIDTHS = (1, 3, 4, 5, 9, 16)


def turn(module, width: int, stride: int):
    """Numba functions: rows to lanes with a vector for each component, and back."""
    load_rows, store_rows = module.load_rows, module.store_rows
    load, store, active_lanes, lanes = module.load, module.store, module.active_lanes, module.LANES
    names = ", ".join(f"v{at}" for at in range(width))
    text = f"""
def load_lanes(rows, vectors, count):
    ({names},) = load_rows(rows, {stride}, {stride}, {width}, active_lanes(count))
    """
    text += "".join(f"store(vectors, {lanes * at}, v{at}, active_lanes({lanes})); " for at in range(width))
    text += "\n\ndef store_lanes(vectors, rows, count):\n    "
    text += "".join(f"v{at} = load(vectors, {lanes * at}, active_lanes({lanes})); " for at in range(width))
    text += f"\n    store_rows(rows, {stride}, {stride}, ({names},), active_lanes(count))\n"
    scope = {
        "load_rows": load_rows, "store_rows": store_rows, "load": load, "store": store,
        "active_lanes": active_lanes,
    }  # fmt: skip
    exec(text, scope)
    return njit(scope["load_lanes"]), njit(scope["store_lanes"])


@pytest.mark.parametrize("dtype", MODULES)
@pytest.mark.parametrize(("width", "gap"), [*product(WIDTHS, (0, 2)), (8, 41)])
def test_rows_become_lanes_and_back(dtype, width, gap):
    module, stride = MODULES[dtype], width + gap
    lanes = module.LANES
    load_lanes, store_lanes = turn(module, width, stride)
    for count in (1, 2, lanes // 2, lanes - 1, lanes):
        rows = np.full((lanes + 2, stride), np.nan, dtype)  # the row ahead and all behind are not ours
        mine = np.arange(count * width, dtype=dtype).reshape(count, width)
        rows[1 : 1 + count, :width] = mine

        vectors = np.full((width, lanes), np.nan, dtype)
        load_lanes(rows.ctypes.data, vectors.ctypes.data, count)
        wanted = np.zeros((width, lanes), dtype)
        wanted[:, :count] = mine.T
        np.testing.assert_array_equal(vectors, wanted)

        written = np.full_like(rows, np.nan)
        vectors[:, count:] = 7.0  # lanes that are not active, and must not arrive
        store_lanes(vectors.ctypes.data, written.ctypes.data, count)
        np.testing.assert_array_equal(written, rows)
