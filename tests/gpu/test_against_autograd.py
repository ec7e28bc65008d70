"""Every form on a GPU against torch's autograd of the einsum: nothing of tfngen's on the other side."""

from __future__ import annotations

import pytest
import torch

import tfngen
from tests.gpu.oracle import expected
from tests.gpu.test_on_gpu import CASES, COMBINATIONS, operands_of, random_graph
from tfngen.forms import FORMS
from tfngen.runtime.convolution_operators import compute as run_form

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

BOUND = {torch.float32: 3e-6, torch.float64: 1e-13, torch.float16: 2**-9, torch.bfloat16: 2**-6}
"""‖found − expected‖ / ‖expected‖; halves round a source's derivative edge by edge."""


@pytest.fixture(scope="module")
def tfn():
    return tfngen.load(3, targets=("cpu", "cuda"))


@pytest.mark.parametrize(("case", "dtype"), COMBINATIONS, ids=str)
def test_every_form_is_its_derivative(tfn, case, dtype):
    """Where edges have weights of their own, and where some share them."""
    numbers = tfn.Convolution(*CASES[case])._numbers
    graph = random_graph(37, 700).to("cuda")
    rows = torch.randint(0, 400, (700,), generator=torch.Generator().manual_seed(2)).cuda()
    wrong = {}
    for sharing, order in (("own weights", None), ("shared weights", graph.group_edges(rows, 400))):
        edges = graph.edges.shared_by(order)
        operands = {name: each.cuda() for name, each in operands_of(numbers, edges, dtype).items()}
        for form in FORMS:
            taken = {name: operands[name] for name in form.operands}
            wanted = expected(form, numbers, taken, edges)
            found = run_form(form, tfn._package.fingerprint, numbers, taken, edges)
            for name, one, other in zip(form.results, wanted, found, strict=True):
                error = float((one - other.double()).norm() / one.norm())
                if not error < BOUND[dtype]:
                    wrong[form.name, name, sharing] = error
    assert not wrong
