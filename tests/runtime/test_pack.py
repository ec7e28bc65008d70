"""Irreps side by side: one call on the processor is torch's concatenation, bit for bit, in any layout."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tfngen.runtime import layout
from tfngen.runtime.cpu.pack import pack

SHAPE = st.tuples(st.integers(1, 35), st.integers(1, 7))
LAYOUTS = {
    "channels innermost": lambda values: values.mT.contiguous().mT,
    "components innermost": lambda values: values.contiguous(),
    "rows apart": lambda values: torch.cat([values, values], dim=2)[..., : values.shape[2]],
    "every second channel": lambda values: values.repeat_interleave(2, dim=1)[:, ::2],
    "one number again and again": lambda values: values[:1, :1, :1].expand(values.shape),
}


@settings(derandomize=True, deadline=None)
@given(
    st.integers(0, 9),
    st.lists(st.tuples(SHAPE, st.sampled_from(sorted(LAYOUTS))), min_size=1, max_size=5),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_as_torch_would_concatenate_them(rows, blocks, dtype):
    generator = torch.Generator().manual_seed(rows)
    features = [
        LAYOUTS[name](torch.randn(rows, *shape, generator=generator).to(dtype)) if rows
        else torch.empty(0, *shape, dtype=dtype)
        for shape, name in blocks
    ]  # fmt: skip
    found = pack(features)
    assert found.dtype == dtype
    assert torch.equal(found, layout.pack(features))


@pytest.mark.parametrize("threads", [1, 3])
def test_large_features_on_several_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        features = [torch.randn(20_000, 3, channels).mT for channels in (16, 5)]
        assert torch.equal(pack(features), layout.pack(features))
    finally:
        torch.set_num_threads(before)
