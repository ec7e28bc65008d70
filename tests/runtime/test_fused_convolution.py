"""The fused convolution: one pass over the edges, equal to gather, product and scatter, at every order."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import tfngen
from tests.reference import assert_same_bits
from tfngen import Features, Graph, Irreps
from tfngen.forms import FORM, TANGENT
from tfngen.roles import ROLE_OF_SLOT, SLOTS, Role
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


def test_derivatives_by_filters_longer_than_needed_end_in_zeros(tfn_l2):
    """A package's harmonics may go further than a convolution's filters; so do the two derivatives."""
    convolution, graph, y, features, weights = case(tfn_l2, "vectors alone", nodes=3, edges=4)
    (irrep,) = features
    longer = torch.cat([y, torch.ones(4, 5, dtype=y.dtype)], dim=1)
    small = [leaf.requires_grad_() for leaf in (longer, weights, features[irrep])]

    def function(y, weights, values):
        return tuple(tensors(convolution(graph, y, {irrep: values}, weights)))

    assert gradcheck(function, small, fast_mode=True)
    assert gradgradcheck(function, small, fast_mode=True)
    out = sum(each.square().sum() for each in function(*small))
    (d_y,) = torch.autograd.grad(out, longer)
    assert d_y.shape == longer.shape
    assert d_y[:, :4].any()
    assert not d_y[:, 4:].any()


@pytest.mark.parametrize(
    ("wanted", "forms"),
    [
        ("y", ["d_filter"]),
        ("weights", ["d_weight"]),
        ("features", ["d_input"]),
        ("weights features", ["d_input_weight"]),
        ("y weights features", ["backward"]),
    ],
)
@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "results"])
def test_only_derivatives_that_somebody_asked_for_are_computed(tfn_l2, monkeypatch, wanted, forms, leaves):
    """All operands could be differentiated by, whether they are leaves or computed themselves."""
    from tfngen.runtime import convolution_operators

    convolution, graph, y, features, weights = case(tfn_l2, "parity", nodes=3, edges=5)
    given = [each.requires_grad_() for each in (y, weights, *features.values())]
    given = given if leaves else [each * 2 for each in given]
    out = tensors(convolution(graph, given[0], dict(zip(features, given[2:], strict=True)), given[1]))
    computed, compute = [], convolution_operators.compute

    def noted(form, *arguments):
        computed.append(form.name)
        return compute(form, *arguments)

    monkeypatch.setattr(convolution_operators, "compute", noted)
    groups = {"y": given[:1], "weights": given[1:2], "features": given[2:]}
    by = [each for name in wanted.split() for each in groups[name]]
    found = torch.autograd.grad(sum(each.square().sum() for each in out), by)
    assert computed == forms
    assert [each.shape for each in found] == [each.shape for each in by]
    assert all(each.any() for each in found)


def test_irreps_in_another_order_and_by_name_are_the_same_features(tfn_l2):
    convolution, graph, y, features, weights = case(tfn_l2, "parity")
    named = {str(irrep): each for irrep, each in reversed(features.items())}
    given = convolution(graph, y, features, weights)
    for other in (named, Features(named)):
        assert_same_bits(given, convolution(graph, y, other, weights))


OPERATORS = {
    **{role.value: role.operands for role in Role},
    "d_input_weight": SLOTS,
    "backward": SLOTS,
    "double_backward": FORM["double_backward"].operands,
}


def operator_arguments(tfn_l2, name, sharing):
    """What the operator `name` is called with: a package, a plan, random operands and a graph."""
    convolution, graph, *_ = case(tfn_l2, "parity", nodes=3, edges=5)
    widths, _ = plan.decode(convolution._numbers)
    generator = torch.Generator().manual_seed(1)
    shared = graph.group_edges(torch.tensor([1, 0, 1, 1, 0]), 2)
    rows = {"filter": 5, "input": 3, "weight": 2 if sharing else 5, "grad": 3}
    operands = [
        torch.randn(
            rows[slot], getattr(widths, slot), dtype=torch.float64, generator=generator, requires_grad=True
        )
        for slot in (operand.removesuffix(TANGENT) for operand in OPERATORS[name])
    ]
    fixed = graph.edges.shared_by(shared if sharing else None).tensors
    return tfn_l2._package.fingerprint, convolution._numbers, operands, fixed


@pytest.mark.parametrize("sharing", [False, True], ids=["own weights", "shared weights"])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_over_a_graph_passes_opcheck_and_is_differentiable_three_times(tfn_l2, name, sharing):
    import tfngen.runtime.convolution_operators  # noqa: F401 (registers them)

    package, numbers, operands, fixed = operator_arguments(tfn_l2, name, sharing)
    operator = getattr(torch.ops.tfngen, f"convolution_{name}")
    torch.library.opcheck(operator.default, (package, numbers, *operands, *fixed))

    def gradient(*arguments):
        values = operator(package, numbers, *arguments, *fixed)
        values = values if isinstance(values, tuple | list) else [values]
        return torch.autograd.grad(sum(v.square().sum() for v in values), arguments, create_graph=True)

    assert gradgradcheck(gradient, operands, fast_mode=True)


@pytest.mark.parametrize("name", ["every path", "parity"])
def test_backward_and_double_backward_are_what_the_roles_add_up_to(tfn_l2, name):
    """One pass over the edges gives what autograd composes of the four roles."""
    from tfngen.runtime.convolution_operators import convolve

    convolution, graph, y, features, weights = case(tfn_l2, name)
    packed = torch.cat([each.transpose(1, 2).flatten(1) for each in features.values()], dim=1)
    call = tfn_l2._package.fingerprint, convolution._numbers
    generator = torch.Generator().manual_seed(2)
    slots = {"filter": y, "input": packed, "weight": weights}
    slots["grad"] = torch.randn(9, convolution.irreps_out.dim, dtype=y.dtype, generator=generator)
    tangents = {
        slot: torch.randn(each.shape, dtype=y.dtype, generator=generator) for slot, each in slots.items()
    }

    def role(slot, moved=None):
        operands = [tangents[s] if s == moved else slots[s] for s in ROLE_OF_SLOT[slot].operands]
        return convolve(ROLE_OF_SLOT[slot].value, *call, operands, graph.edges)

    backward = convolve("backward", *call, list(slots.values()), graph.edges)
    for slot, result in zip(SLOTS, backward, strict=False):
        assert torch.allclose(result, role(slot), rtol=1e-12, atol=1e-12)
    operands = [*slots.values(), *(tangents[slot] for slot in SLOTS[:3])]
    twice = convolve("double_backward", *call, operands, graph.edges)
    for slot, result in zip(SLOTS, twice, strict=True):
        wanted = sum(role(slot, moved) for moved in SLOTS[:3] if moved != slot)
        assert torch.allclose(result, wanted, rtol=1e-12, atol=1e-12)


def test_a_node_with_more_edges_than_a_tile_sums_them_all(tfn_l2):
    """100,000 edges into one node, and out of one: summed piece by piece, in a fixed order."""
    convolution, *_ = case(tfn_l2, "one scalar")
    for sources, targets in (
        (torch.arange(100_000) % 7, torch.ones(100_000)),
        (torch.ones(100_000), torch.arange(100_000) % 7),
    ):
        graph = Graph(torch.stack([sources, targets]).long(), 7)
        generator = torch.Generator().manual_seed(3)
        y, weights = (torch.rand(100_000, 1, dtype=torch.float64, generator=generator) for _ in range(2))
        x = torch.rand(7, 1, 1, dtype=torch.float64, generator=generator, requires_grad=True)
        (out,) = tensors(convolution(graph, y, {"0e": x}, weights))
        wanted = torch.zeros(7, 1, 1, dtype=torch.float64).index_add(
            0, graph.target, y[:, :, None] * weights[:, :, None] * x[graph.source]
        )
        assert torch.allclose(out, wanted, rtol=1e-12)
        cotangent = torch.rand(7, 1, 1, dtype=torch.float64, generator=generator)
        gradients = [torch.autograd.grad(each, x, cotangent)[0] for each in (out, wanted)]
        assert torch.allclose(*gradients, rtol=1e-12)


def test_results_do_not_depend_on_threads_or_on_the_order_of_edges(tfn_l2):
    """Bitwise, in value and gradient: 6,400 distinct edges are enough for three threads."""
    convolution, _, _, features, _ = case(tfn_l2, "every path", nodes=80, dtype=torch.float32)
    pairs = torch.cartesian_prod(torch.arange(80), torch.arange(80)).T
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(6400, 9, generator=generator)
    weights = torch.randn(6400, convolution.weight_numel, generator=generator)
    shuffle = torch.randperm(6400, generator=generator)
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


@pytest.mark.parametrize("rows", [1, 40, 2000], ids=["one row", "kinds of edges", "pairs"])
def test_derivatives_of_shared_weights_do_not_depend_on_threads_or_on_the_order_of_edges(tfn_l2, rows):
    """Bitwise; and each row has what its edges would have, had they rows of their own."""
    convolution, _, _, features, _ = case(tfn_l2, "every path", nodes=80, dtype=torch.float32)
    pairs = torch.cartesian_prod(torch.arange(80), torch.arange(80)).T
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(6400, 9, generator=generator)
    weights = torch.randn(rows, convolution.weight_numel, generator=generator, requires_grad=True)
    kind = torch.randint(0, rows, (6400,), generator=generator)

    def derivatives(order, rows_of_weights, index):
        out = tensors(convolution(Graph(pairs[:, order], 80), y[order], features, rows_of_weights, index))
        return torch.autograd.grad(sum(t.square().sum() for t in out), rows_of_weights)[0]

    shuffle = torch.randperm(6400, generator=generator)
    before, found = torch.get_num_threads(), []
    try:
        for threads, order in ((1, torch.arange(6400)), (2, torch.arange(6400)), (3, shuffle)):
            torch.set_num_threads(threads)
            found.append(derivatives(order, weights, kind[order]))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])
    by_edge = derivatives(torch.arange(6400), weights.detach()[kind].requires_grad_(), None)
    wanted = torch.zeros_like(weights, dtype=torch.float64).index_add(0, kind, by_edge.double())
    torch.testing.assert_close(found[0].double(), wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


def test_derivatives_of_weights_all_edges_share_take_no_row_per_edge(tfn_l2, monkeypatch):
    """The parts that sum them are no more for a million edges than for thousands."""
    from tfngen.runtime.cpu import convolve
    from tfngen.runtime.cpu.job import MOST_COPIES

    convolution, graph, y, features, weights = case(tfn_l2, "every path", nodes=9, edges=3000)
    seen = []
    run = convolve._run

    def noted(launch, named, *rest):
        seen.append(named.get("d_weight", weights[:0]).shape[0])
        run(launch, named, *rest)

    monkeypatch.setattr(convolve, "_run", noted)
    shared = weights[0].clone().requires_grad_()
    out = tensors(convolution(graph, y, features, shared))
    torch.autograd.grad(sum(t.square().sum() for t in out), shared)
    assert seen[0] == 0
    assert MOST_COPIES // 2 < seen[1] <= MOST_COPIES


def test_another_default_device_is_not_asked(tfn_l2):
    """Tables of the graph's own are made where the graph is."""
    from tfngen.runtime.convolution_operators import convolve

    convolution, graph, y, features, _ = case(tfn_l2, "every path", nodes=60, edges=3000)
    packed = torch.cat([each.transpose(1, 2).flatten(1) for each in features.values()], dim=1)
    grad = torch.ones(60, convolution.irreps_out.dim, dtype=y.dtype)
    edges = graph.edges.shared_by(graph.group_edges(torch.zeros(3000, dtype=torch.int64), 1))
    call = "d_weight", tfn_l2._package.fingerprint, convolution._numbers, (y, packed, grad), edges
    wanted = convolve(*call)
    with torch.device("meta"):
        found = convolve(*call)
    assert torch.equal(found, wanted)


def test_threads_share_edges_and_not_nodes():
    """One node with most of the edges: the parts follow the row pointers."""
    from tfngen.runtime.cpu.threads import parts_of

    pointers = torch.tensor([0, 90, 92, 94, 96, 98, 100])
    assert parts_of(pointers, 1) == [0, 6]
    assert parts_of(pointers, 2) == [0, 1, 6]
    assert parts_of(pointers, 4) == [0, 1, 1, 1, 6]


def test_a_thread_takes_large_parts_first():
    """A quarter of the edges for each of two threads, an eighth, … in the end no fewer than are worth it."""
    from tfngen.runtime.cpu.threads import parts_in_turn

    every_eighth = torch.arange(0, 1601, 8)
    assert parts_in_turn(every_eighth, 1, 100) == [0, 200]
    edges = [8 * row for row in parts_in_turn(every_eighth, 2, 100)]
    assert edges == [0, 400, 800, 1000, 1200, 1304, 1400, 1504, 1600]
    assert parts_in_turn(every_eighth, 2, 10_000) == [0, 100, 200]  # both have something to do
    assert parts_in_turn(torch.tensor([0, 0, 0]), 2, 100) == [0, 2]


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_dtype_without_kernels_is_refused(dtype):
    """Half precision is computed in float32: what has float64 alone can take neither."""
    wide = tfngen.load(2, dtypes=("float64",))
    convolution, graph, y, features, weights = case(wide, "one scalar", dtype=dtype)
    with pytest.raises(ValueError, match=rf"features: got dtype {dtype}; .* was built for float64"):
        convolution(graph, y, features, weights)


def test_a_plan_survives_being_written_as_numbers(tfn_l2):
    convolution = case(tfn_l2, "parity")[0]
    widths, paths = plan.decode(convolution._numbers)
    assert plan.encode(widths, paths) == convolution._numbers
    assert widths.weight == convolution.weight_numel
    assert widths.grad == convolution.irreps_out.dim
    assert [path.degrees for path in paths] == [path.path for path in convolution.paths]
