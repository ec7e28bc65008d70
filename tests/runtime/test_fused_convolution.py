"""The fused convolution: one pass over the edges, equal to gather, product and scatter, at every order."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from tfngen import Features, Graph, Irreps
from tfngen.roles import SLOTS, Role
from tfngen.runtime import plan

CASES = {
    "every path": ("4x0e+4x1e+4x2e", "0e+1e+2e", "0e+1e+2e"),
    "widths of their own": ("7x0e+33x1o+2x2e", "0e+1o+2e", "0e+1o+1e+2e+2o"),
    "parity": ("3x0o+5x0e+2x1o+1x1e", "0e+1o+2e", "0o+0e+1o+1e+2o"),
    "one scalar": ("1x0e", "0e", "0e"),
    "vectors alone": ("16x1o", "1o", "0e+1e"),
}


def case(kernels, name, nodes=9, edges=40, dtype=torch.float64, seed=0):
    """A random convolution and operands for it; some nodes have no edges, some edges repeat."""
    convolution = kernels.Convolution(*CASES[name])
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)

    index = torch.randint(0, nodes, (2, edges), generator=generator)
    features = {
        irrep: random(nodes, irrep.dim, channels).transpose(1, 2)
        for channels, irrep in Irreps.parse(CASES[name][0])
    }
    y = random(edges, convolution._components)
    return convolution, Graph(index, nodes), y, features, random(edges, convolution.weight_numel)


def tensors(result):
    return list(result.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_fused_and_composed_agree_in_value_and_gradient(tfn_l2, name, dtype):
    convolution, graph, y, features, weights = case(tfn_l2, name, dtype=dtype)
    leaves = [y, weights, *features.values()]
    results = []
    for product in (convolution._fused, convolution._composed):
        tracked = [leaf.clone().requires_grad_() for leaf in leaves]
        given = Features(dict(zip(features, tracked[2:], strict=True)))
        out = tensors(product(graph, tracked[0], given, tracked[1]))
        loss = sum(t.sin().sum() for t in out)
        results.append([*out, *torch.autograd.grad(loss, tracked)])
    bound = 2e-6 if dtype == torch.float32 else 1e-14  # sums of a few hundred products in another order
    for fused, composed in zip(*results, strict=True):
        assert (fused - composed).abs().max() <= bound * 5 * composed.abs().max().clamp(min=1e-30)


@pytest.mark.parametrize("name", ["widths of their own", "parity"])
def test_first_and_second_derivatives(tfn_l2, name):
    convolution, graph, y, features, weights = case(tfn_l2, name, nodes=3, edges=4)
    small = [leaf.requires_grad_() for leaf in (y, weights, *features.values())]

    def function(y, weights, *values):
        return tuple(tensors(convolution(graph, y, dict(zip(features, values, strict=True)), weights)))

    fast = {"fast_mode": True}  # random directions: the full Jacobian has hundreds of columns
    assert gradcheck(function, small, **fast)
    assert gradgradcheck(function, small, **fast)


def operator_arguments(tfn_l2, role):
    convolution, graph, *_ = case(tfn_l2, "parity", nodes=3, edges=5)
    widths, _ = plan.decode(convolution._numbers)
    generator = torch.Generator().manual_seed(1)
    slots = {
        slot: torch.randn(
            3 if slot in ("input", "grad") else 5,
            getattr(widths, slot),
            dtype=torch.float64,
            generator=generator,
            requires_grad=True,
        )
        for slot in SLOTS
    }
    orders = [t for by in (graph.by_target, graph.by_source) for t in (by.order, by.row_pointers)]
    operands = [slots[slot] for slot in role.operands]
    fixed = [graph.source, graph.target, *orders]
    return tfn_l2._package.fingerprint, convolution._numbers, operands, fixed


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_every_role_over_a_graph_passes_opcheck_and_is_differentiable_three_times(tfn_l2, role):
    tfn_l2.spherical_harmonics(torch.zeros(1, 3))
    package, numbers, operands, fixed = operator_arguments(tfn_l2, role)
    operator = getattr(torch.ops.tfngen, f"convolution_{role.value}")
    torch.library.opcheck(operator.default, (package, numbers, *operands, *fixed))

    def gradient(*arguments):
        value = operator(package, numbers, *arguments, *fixed)
        return torch.autograd.grad(value.square().sum(), arguments, create_graph=True)

    assert gradgradcheck(gradient, operands, fast_mode=True)


def test_results_do_not_depend_on_threads_or_on_the_order_of_edges(tfn_l2):
    """Bitwise, in value and gradient: 4,000 distinct edges are enough for several threads."""
    convolution, _, _, features, _ = case(tfn_l2, "every path", nodes=80, dtype=torch.float32)
    pairs = torch.cartesian_prod(torch.arange(80), torch.arange(80))[:4000].T
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(4000, 9, generator=generator)
    weights = torch.randn(4000, convolution.weight_numel, generator=generator)
    shuffle = torch.randperm(4000, generator=generator)
    before = torch.get_num_threads()
    results = []
    try:
        for threads, order in ((1, slice(None)), (2, slice(None)), (3, shuffle)):
            torch.set_num_threads(threads)
            tracked = {irrep: value.clone().requires_grad_() for irrep, value in features.items()}
            out = tensors(convolution(Graph(pairs[:, order], 80), y[order], tracked, weights[order]))
            gradients = torch.autograd.grad(sum(t.square().sum() for t in out), list(tracked.values()))
            results.append([*out, *gradients])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_threads_share_edges_and_not_nodes():
    """One node with most of the edges: the split follows the row pointers."""
    from tfngen.runtime.cpu import threads

    seen = []
    pointers = torch.tensor([0, 90, 92, 94, 96, 98, 100])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run = lambda first, last: seen.append((first, last))  # noqa: E731
        threads.parallel_for(run, 6, 10 * threads.MIN_WORK, (), pointers)
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == [(0, 1), (1, 6)]


@pytest.mark.parametrize(("nodes", "edges"), [(4, 0), (1, 1), (1, 7)])
def test_graphs_with_next_to_nothing(tfn_l2, nodes, edges):
    convolution, graph, y, features, weights = case(tfn_l2, "every path", nodes, edges)
    fused = tensors(convolution._fused(graph, y, Features(features), weights))
    composed = tensors(convolution._composed(graph, y, Features(features), weights))
    for one, other in zip(fused, composed, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)
        assert one.shape[0] == nodes


def test_a_node_with_very_many_neighbours(tfn_l2):
    convolution, _, y, features, weights = case(tfn_l2, "one scalar", 9, 30_000, torch.float32)
    graph = Graph(torch.stack([torch.arange(30_000) % 9, torch.zeros(30_000, dtype=torch.int64)]), 9)
    fused = convolution._fused(graph, y, Features(features), weights)[0]
    exact = torch.zeros(9, dtype=torch.float64)
    x = features[Irreps.parse("0e").blocks[0].irrep].double()[graph.source, 0, 0]
    exact[0] = (y[:, 0].double() * weights[:, 0].double() * x).sum()
    # 30,000 roundings of a running sum, each within half a unit of the largest partial sum
    assert (fused[:, 0, 0] - exact).abs().max() < 30_000 * 6e-8 * exact.abs().max().clamp(min=300)


def test_shared_and_missing_weights(tfn_l2):
    convolution, graph, y, features, weights = case(tfn_l2, "widths of their own")
    shared = weights[0]
    repeated = shared.expand_as(weights).contiguous()
    for one, other in zip(
        tensors(convolution(graph, y, features, shared)),
        tensors(convolution(graph, y, features, repeated)),
        strict=True,
    ):
        assert torch.equal(one, other)
    ones = tensors(convolution(graph, y, features, torch.ones_like(weights)))
    missing = tensors(convolution(graph, y, features))
    assert all(torch.equal(a, b) for a, b in zip(ones, missing, strict=True))


def test_a_dtype_without_kernels_is_refused(tfn_l2):
    convolution, graph, y, features, weights = case(tfn_l2, "one scalar")
    half = {irrep: value.half() for irrep, value in features.items()}
    with pytest.raises(ValueError, match=r"features: got dtype torch\.float16"):
        convolution(graph, y.half(), half, weights.half())


def test_a_plan_survives_being_written_as_numbers(tfn_l2):
    convolution = case(tfn_l2, "parity")[0]
    widths, paths = plan.decode(convolution._numbers)
    assert plan.encode(widths, paths) == convolution._numbers
    assert widths.weight == convolution.weight_numel
    assert widths.grad == convolution.irreps_out.dim
    assert [path.degrees for path in paths] == [path.path for path in convolution.paths]
