"""Rows cut into pieces: every edge once, in order, and as many pieces and spare rows as there is room for."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tfngen.gpu import ALIGNED, WARP
from tfngen.runtime.cuda.block import MOST_SHARED_BYTES, SHARED_BY, SHARED_BYTES, Shared, block_for
from tfngen.runtime.cuda.pieces import BLOCKS, FEW_BLOCKS, LONGEST, SHORTEST, _cut, piece_length


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 40), max_size=12), st.sampled_from([1, 2, 8, 32]))
def test_pieces_cover_every_edge_once_and_in_order(degrees, length):
    pointers = torch.tensor([0, *torch.tensor(degrees, dtype=torch.int64).cumsum(0).tolist()])
    edges, nodes = int(pointers[-1]), len(degrees)
    pieces = _cut(pointers, edges, length)
    real = [tuple(row) for row in pieces.table.tolist() if row[0] >= 0]
    assert pieces.table.shape[0] == nodes + edges // length

    spare_rows = []
    for node in range(nodes):
        own = [row for row in real if row[0] == node]
        ends = [(begin, end) for _, begin, end, _ in own]
        assert [edge for begin, end in ends for edge in range(begin, end)] == list(
            range(int(pointers[node]), int(pointers[node + 1]))
        )
        assert all(end - begin <= length for begin, end in ends)
        homes = [row[3] for row in own]
        first, count = pieces.shares[node].tolist()
        if len(own) == 1:
            assert homes == [node]
            assert count == 0
        else:
            assert homes == [-1 - row for row in range(first, first + count)]
            spare_rows += range(first, first + count)
    assert sorted(spare_rows) == list(range(len(spare_rows)))
    assert len(spare_rows) <= pieces.spares


@settings(deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=8), st.integers(0, 50))
def test_pointers_that_somebody_made_up_stay_within_the_edges(pointers, edges):
    pieces = _cut(torch.tensor(pointers), edges, 4)
    rows, spares = len(pointers) - 1, pieces.spares
    for node, begin, end, home in pieces.table.tolist():
        assert -1 <= node < max(rows, 1)
        if node >= 0:
            assert 0 <= begin <= end <= edges
            assert -spares <= home < rows


def test_there_are_pieces_enough_for_a_gpu_and_no_more():
    assert piece_length(5000, 10**6) == LONGEST
    assert piece_length(1000, 30_000) == SHORTEST
    assert piece_length(1, 0) == SHORTEST
    assert piece_length(1000, 158_000, FEW_BLOCKS) == LONGEST
    length = piece_length(1000, 10**6)
    assert SHORTEST < length < LONGEST
    assert 1000 + 10**6 // length >= BLOCKS > 1000 + 10**6 // (2 * length)


def test_a_blocks_couplings_fit_its_shared_memory():
    for channels, threads, edges in ((1, 32, 8), (33, 64, 16), (96, 96, 16), (128, 128, 32), (500, 128, 32)):
        block = block_for(channels, False, Shared(12, 4, 0, 3), 4, 4)
        assert (block.threads, 1 << block.tile_bits) == (threads, edges)
        assert 4 * block.ring_at == (12 + 4 * threads // 32) * 4 * edges
    large = block_for(128, False, Shared(700, 49, 0, 2), 8, 8)
    assert 8 * large.ring_at <= SHARED_BYTES < 16 * large.ring_at


def test_every_lane_has_a_ring_behind_the_couplings():
    """As many places as its bytes allow, two at least, in whatever precision numbers are kept."""
    for kept, copied, pairs, stages in (
        (4, 3, False, 3),
        (4, 13, True, 2),
        (8, 40, False, 2),
        (2, 13, True, 3),
    ):
        block = block_for(32, False, Shared(12, 0, 0, copied), 4, kept, pairs)
        assert block.stages == stages
        assert block.ring_at * 4 % ALIGNED == 0
        assert block.shared_bytes == 4 * block.ring_at + stages * copied * kept * (1 + pairs) * block.threads


@pytest.mark.parametrize(
    ("itemsize", "kept", "pairs"), [(4, 4, False), (4, 4, True), (4, 2, True), (8, 8, False)]
)
def test_no_block_wants_more_than_every_gpu_has(itemsize, kept, pairs):
    """However many channels, couplings and values there are: rings of two, and tiles of some edges."""
    for lanes, couplings, copied, in_teams in product(
        (1, 33, 96, 500), (0, 99, 700), (1, 12, 34, 66), (0, 1)
    ):
        block = block_for(lanes, bool(in_teams), Shared(couplings, 16, 7, copied), itemsize, kept, pairs)
        assert block.shared_bytes <= MOST_SHARED_BYTES, (lanes, couplings, copied, in_teams)
        assert block.stages >= 2
        assert block.lanes % WARP == 0


def test_teams_hand_over_what_fits_shared_memory():
    for lanes, itemsize, pairs in ((32, 4, False), (64, 4, True), (128, 8, False)):
        block = block_for(lanes, True, Shared(12, 0, 7, 4), itemsize, itemsize, pairs)
        assert (block.lanes, block.threads) == (lanes, block.teams * lanes)
        handed = (block.teams - 1) * 7 * lanes * itemsize * (1 + pairs)
        assert handed <= block.shared_bytes <= MOST_SHARED_BYTES
        assert block.threads <= SHARED_BY
    some = [block_for(lanes, True, Shared(12, 0, 7, 4), 4, 4) for lanes in (32, 64, 96, 128)]
    assert [block.teams for block in some] == [4, 4, 2, 2]
    assert block_for(64, True, Shared(12, 0, 41, 4), 8, 8).teams == 2
    assert block_for(64, True, Shared(12, 0, 7, 13), 4, 4, pairs=True).teams == 1  # rings take the room
