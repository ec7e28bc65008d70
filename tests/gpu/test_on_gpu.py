"""Everything that only a GPU can show: the same numbers as on a processor, in every way torch may call."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import tfngen
from tfngen import Graph, Irreps
from tfngen.forms import FORM, FORMS, TANGENT
from tfngen.irreps import enumerate_paths
from tfngen.roles import SLOTS, Role
from tfngen.runtime import operators, plan
from tfngen.runtime.convolution_operators import compute as run_form

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

BOUND = {torch.float32: 5e-6, torch.float64: 1e-13, torch.float16: 2**-10, torch.bfloat16: 2**-7}
CASES = {
    "every path": ("32x0e+32x1e+32x2e+32x3e", "0e+1e+2e+3e", "0e+1e+2e+3e"),
    "mace": ("128x0e+128x1o+128x2e", "0e+1o+2e+3o", "0e+1o+2e+3o"),
    "widths": ("128x0e+64x1e+33x2e+7x3e", "0e+1e+2e+3e", "0e+1e+2e+3e"),
    "many channels": ("300x0e+160x1o", "0e+1o", "0e+1o+1e"),
    "parity": ("3x0o+5x0e+2x1o+1x1e", "0e+1o+2e", "0o+0e+1o+1e+2o"),
    "one scalar": ("1x0e", "0e", "0e"),
}
COMBINATIONS = [
    *((name, torch.float32) for name in CASES),
    *((name, torch.float64) for name in ("widths", "parity", "one scalar")),
    *((name, half) for half in (torch.float16, torch.bfloat16) for name in ("many channels", "parity")),
]
"""Precisions differ in how numbers are read and written, whatever the degree: few cases show that, and
kernels take seconds each to compile."""
SMALL = "many channels", "parity", "one scalar"
"""Those whose kernels for processors are compiled soon; oracle.py knows what all of them are to return."""


@pytest.fixture(scope="module")
def tfn():
    return tfngen.load(3, targets=("cpu", "cuda"))


def random(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)


def random_graph(nodes, edges):
    generator = torch.Generator().manual_seed(1)
    return Graph(torch.randint(0, max(nodes, 1), (2, edges), generator=generator), nodes)


def operands_of(plan, edges, dtype):
    rows = {"filter": edges.num_edges, "input": edges.num_nodes}
    rows |= {"weight": edges.weight_rows, "grad": edges.num_nodes}
    shapes = {slot: (rows[slot], width) for slot, width in zip(SLOTS, plan, strict=False)}
    names = [slot + tail for slot in SLOTS for tail in ("", TANGENT)]
    return {
        name: random(*shapes[name.removesuffix(TANGENT)], dtype=dtype, seed=seed)
        for seed, name in enumerate(names)
    }


def assert_same(expected, found):
    for one, other in zip(expected, found, strict=True):
        other = other.cpu()
        assert one.shape == other.shape
        if one.numel():
            assert (one - other).abs().max() <= BOUND[one.dtype] * one.abs().max().clamp(min=1e-30)


def check_forms(tfn, plan, graph, dtype):
    operands = operands_of(plan, graph.edges, dtype)
    on_gpu = graph.to("cuda")
    for form in FORMS:
        taken = {name: operands[name] for name in form.operands}
        moved = {name: each.cuda() for name, each in taken.items()}
        fingerprint = tfn._package.fingerprint
        expected = run_form(form, fingerprint, plan, taken, graph.edges)
        assert_same(expected, run_form(form, fingerprint, plan, moved, on_gpu.edges))


@pytest.mark.parametrize(("name", "dtype"), [each for each in COMBINATIONS if each[0] in SMALL])
def test_every_form_equals_the_processors(tfn, name, dtype):
    check_forms(tfn, tfn.Convolution(*CASES[name])._numbers, random_graph(60, 900), dtype)


@pytest.mark.parametrize(("nodes", "edges"), [(0, 0), (3, 0), (1, 1), (40, 3)])
def test_graphs_with_little_in_them(tfn, nodes, edges):
    check_forms(tfn, tfn.Convolution(*CASES["parity"])._numbers, random_graph(nodes, edges), torch.float64)


def test_a_node_with_a_hundred_thousand_neighbours(tfn):
    index = torch.stack([torch.arange(100_000) % 50, torch.zeros(100_000, dtype=torch.int64)])
    check_forms(tfn, tfn.Convolution("8x0e+8x1e", "0e+1e", "0e+1e")._numbers, Graph(index, 50), torch.float64)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("path", enumerate_paths(3))
def test_every_role_of_a_path(tfn, path, role):
    operands = {
        "filter": random(50, 2 * path.l_filter + 1),
        "input": random(50, 2 * path.l_input + 1, 40, seed=1).transpose(1, 2),
        "weight": random(50, 40, seed=2),
        "grad": random(50, 2 * path.l_output + 1, 40, seed=3).transpose(1, 2),
    }
    taken = [operands[slot] for slot in role.operands]
    expected = operators.path_role(role, tfn._package.fingerprint, path, taken)
    found = operators.path_role(role, tfn._package.fingerprint, path, [each.cuda() for each in taken])
    assert_same([expected], [found])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spherical_harmonics_and_their_derivatives(tfn, dtype):
    points = torch.cat([random(1000, 3, dtype=dtype), torch.zeros(1, 3, dtype=dtype)])
    results = []
    for device in ("cpu", "cuda"):
        r = points.to(device).requires_grad_()
        value = tfn.spherical_harmonics(r)
        (first,) = torch.autograd.grad((value**2 * value).sum(), r, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), r)
        results.append([each.detach() for each in (value, first, second)])
    assert_same(*results)


def small(tfn):
    """A convolution, and leaves on the GPU for it."""
    convolution = tfn.Convolution("3x0e+2x1o", "0e+1o+2e", "0e+1o+1e")
    graph = random_graph(4, 6).to("cuda")
    features = [random(4, c, irrep.dim, seed=c).cuda() for c, irrep in Irreps.parse("3x0e+2x1o")]
    leaves = [random(6, 9).cuda(), random(6, convolution.weight_numel).cuda(), *features]

    def function(y, weights, *values):
        return tuple(convolution(graph, y, dict(zip(("0e", "1o"), values, strict=True)), weights).values())

    return function, [leaf.requires_grad_() for leaf in leaves]


def test_first_and_second_derivatives(tfn):
    function, leaves = small(tfn)
    assert gradcheck(function, leaves, fast_mode=True)
    assert gradgradcheck(function, leaves, fast_mode=True)


def test_the_same_bits_again_and_whatever_the_order_of_edges(tfn):
    plan = tfn.Convolution(*CASES["mace"])._numbers
    graph = random_graph(30, 2000)
    operands = operands_of(plan, graph.edges, torch.float32)
    order = torch.randperm(2000, generator=torch.Generator().manual_seed(3))
    index = torch.stack([graph.source, graph.target])
    found = []
    for edges in (torch.arange(2000), torch.arange(2000), order):
        taken = {
            name: (each if name == "input" else each[edges]).cuda()
            for name, each in operands.items()
            if name in FORM["output"].operands
        }
        on_gpu = Graph(index[:, edges], 30).to("cuda")
        found += run_form(FORM["output"], tfn._package.fingerprint, plan, taken, on_gpu.edges)
    assert torch.equal(found[0], found[1])
    distinct = torch.unique(index, dim=1).shape[1] == 2000
    if distinct:
        assert torch.equal(found[0], found[2])


def test_on_another_stream_and_in_a_captured_graph(tfn):
    function, leaves = small(tfn)
    fixed = [leaf.detach() for leaf in leaves]
    expected = function(*fixed)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        found = function(*fixed)
    stream.synchronize()
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))

    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        again = function(*fixed)
    for each in fixed:
        each.mul_(2)
    captured.replay()
    torch.cuda.synchronize()
    for one, other in zip(function(*fixed), again, strict=True):
        assert torch.equal(one, other)


def test_under_torch_compile(tfn):
    function, leaves = small(tfn)
    compiled = torch.compile(function, fullgraph=True)
    for one, other in zip(function(*leaves), compiled(*leaves), strict=True):
        assert torch.allclose(one, other)


def test_memory_beyond_results_is_small(tfn):
    """Forward: the sums, spare rows for long ones, and nothing for every edge and channel."""
    convolution = tfn.Convolution(*CASES["mace"])
    graph = random_graph(1000, 30_000).to("cuda")
    features = {str(i): torch.randn(1000, c, i.dim, device="cuda") for c, i in Irreps.parse(CASES["mace"][0])}
    y = torch.randn(30_000, 16, device="cuda")
    weights = torch.randn(30_000, convolution.weight_numel, device="cuda")
    convolution(graph, y, features, weights)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    out = convolution(graph, y, features, weights)
    peak = torch.cuda.max_memory_allocated() - before
    messages = 30_000 * sum(each.shape[1] * each.shape[2] for each in out.values()) * 4
    assert peak < messages / 4


def test_an_experiment_learns_the_same(tfn, tmp_path):
    from tfngen.experiments import gravity

    options = {"steps": 30, "validation_sets": 5, "picture": False, "dtype": "float64"}
    found = [gravity.run(tfn, tmp_path / each, device=each, **options) for each in ("cpu", "cuda")]
    one, other = (each.fitted["batched"].curves["loss"] for each in found)
    assert other == pytest.approx(one, rel=1e-6)


def test_tensors_on_different_devices_are_refused(tfn):
    function, leaves = small(tfn)
    with pytest.raises(ValueError, match="on cpu"):
        function(leaves[0].detach().cpu(), *leaves[1:])


OVER_A_GRAPH = {
    **{role.value: role.operands for role in Role},
    "d_input_weight": SLOTS,
    "backward": SLOTS,
    "double_backward": FORM["double_backward"].operands,
}


@pytest.mark.parametrize("sharing", [False, True], ids=["own weights", "shared weights"])
@pytest.mark.parametrize("name", OVER_A_GRAPH)
def test_operators_over_a_graph_pass_opcheck_and_have_third_derivatives(tfn, name, sharing):
    numbers = tfn.Convolution(*CASES["parity"])._numbers
    graph = random_graph(3, 5).to("cuda")
    shared = graph.group_edges(torch.tensor([1, 0, 1, 1, 0], device="cuda"), 2) if sharing else None
    edges = graph.edges.shared_by(shared)
    operands = operands_of(plan.decode(numbers)[0], edges, torch.float64)
    operands = [operands[each].to("cuda").requires_grad_() for each in OVER_A_GRAPH[name]]
    operator = getattr(torch.ops.tfngen, f"convolution_{name}")
    torch.library.opcheck(operator.default, (tfn._package.fingerprint, numbers, *operands, *edges.tensors))

    def gradient(*arguments):
        values = operator(tfn._package.fingerprint, numbers, *arguments, *edges.tensors)
        values = [values] if isinstance(values, torch.Tensor) else values
        return torch.autograd.grad(sum(v.square().sum() for v in values), arguments, create_graph=True)

    assert gradgradcheck(gradient, operands, fast_mode=True)


@pytest.mark.parametrize("role", Role)
def test_operators_of_a_path_pass_opcheck_and_have_third_derivatives(tfn, role):
    shapes = {"filter": (2, 3), "input": (2, 4, 5), "weight": (2, 4), "grad": (2, 4, 3)}
    operands = [random(*shapes[slot], seed=2).to("cuda").requires_grad_() for slot in role.operands]
    operator = getattr(torch.ops.tfngen, role.value)
    torch.library.opcheck(operator.default, (tfn._package.fingerprint, [1, 2, 1], *operands))

    def gradient(*arguments):
        value = operator(tfn._package.fingerprint, [1, 2, 1], *arguments)
        return torch.autograd.grad(value.square().sum(), arguments, create_graph=True)

    assert gradgradcheck(gradient, operands, fast_mode=True)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_operators_of_the_harmonics_pass_opcheck_and_have_derivatives(tfn, order):
    """Of the second derivative the derivative is the third."""
    operands = [random(5, width, seed=width).to("cuda").requires_grad_() for width in (3, 16, 3)[: order + 1]]
    operator = getattr(torch.ops.tfngen, f"spherical_harmonics{order * '_vjp'}")
    torch.library.opcheck(operator.default, (tfn._package.fingerprint, 16, *operands))
    assert gradcheck(partial(operator, tfn._package.fingerprint, 16), operands, fast_mode=True)


@pytest.mark.parametrize("name", ["gather_rows", "sum_rows", "turn_rows"])
def test_operators_of_rows_pass_opcheck(tfn, name):
    index = ([2, 0, 2, 1], [1, 3, 0, 2], [0, 1, 2, 4, 4])
    rows = [torch.tensor(each, device="cuda") for each in index]
    values = random(*((4, 22) if name == "turn_rows" else (4, 3, 2))).to("cuda").requires_grad_()
    others = [[4, 3, 2, 5]] if name == "turn_rows" else rows
    torch.library.opcheck(getattr(torch.ops.tfngen, name).default, (values, *others))


def example(tfn, device, dtype=torch.float32):
    """A convolution, a graph on `device`, and harmonics, weights and features there."""
    convolution = tfn.Convolution("3x0e+40x1o", "0e+1o+2e", "0e+1o+1e")
    graph = random_graph(20, 100).to(device)
    shapes = [(100, 9), (100, convolution.weight_numel)]
    shapes += [(20, channels, irrep.dim) for channels, irrep in convolution.irreps_in]
    y, weights, *features = [random(*shape, dtype=dtype).to(device) for shape in shapes]
    return convolution, graph, y, weights, features


def convolved(convolution, graph, y, weights, features):
    """Its results, and the gradients of their squares."""
    leaves = [each.detach().requires_grad_() for each in (y, weights, *features)]
    named = dict(zip(("0e", "1o"), leaves[2:], strict=True))
    out = list(convolution(graph, leaves[0], named, leaves[1]).values())
    return [*out, *torch.autograd.grad(sum(each.square().sum() for each in out), leaves)]


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_under_autocast_half_precision_is_widened(tfn, half):
    """Results are those of the rounded operands in float32, and are float32 themselves."""
    convolution, graph, y, weights, features = example(tfn, "cuda")
    y, weights, features = y.to(half), weights.to(half), [each.to(half) for each in features]
    named = dict(zip(("0e", "1o"), features, strict=True))
    with torch.autocast("cuda", dtype=half):
        found = convolution(graph, y, named, weights)
        z = tfn.tensor_product((1, 1, 0), y[:, 1:4], features[1][:1].expand(100, -1, -1), weights[:, :40])
        harmonics = tfn.spherical_harmonics(y[:, 1:4])
    wide = {irrep: each.float() for irrep, each in named.items()}
    expected = convolution(graph, y.float(), wide, weights.float())
    for irrep in expected:
        assert found[irrep].dtype == torch.float32
        assert torch.equal(found[irrep], expected[irrep])
    assert z.dtype == harmonics.dtype == torch.float32
    assert torch.equal(harmonics, tfn.spherical_harmonics(y[:, 1:4].float()))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch sees one GPU")
def test_several_devices_in_one_process(tfn):
    """In turn, and whichever is the current one."""
    expected = [each.detach() for each in convolved(*example(tfn, "cpu", torch.float64))]
    for at in (1, 0, 1):
        found = convolved(*example(tfn, f"cuda:{at}", torch.float64))
        assert {each.device.index for each in found} == {at}
        assert_same(expected, [each.detach() for each in found])


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_indices_of_either_width(tfn, dtype):
    """Of edges, of their graphs, and of the rows of weights they share."""
    convolution, graph, y, weights, features = example(tfn, "cuda", torch.float64)
    rows = (torch.arange(100, device="cuda") // 2).to(dtype)
    named = dict(zip(("0e", "1o"), features, strict=True))
    expected = convolution(graph, y, named, weights[:50].repeat_interleave(2, 0))
    again = Graph(graph.edge_index.to(dtype), 20, batch=torch.zeros(20, dtype=dtype, device="cuda"))
    found = convolution(again, y, named, weights[:50], rows)
    for irrep in expected:
        assert torch.equal(found[irrep], expected[irrep])


def apart(tensor):
    """The same numbers, with others between them in memory."""
    return torch.stack([tensor, tensor + 1], dim=-1)[..., 0]


@pytest.mark.parametrize(
    "seen",
    [apart, lambda each: each.mT.contiguous().mT, lambda each: torch.cat([each, each])[len(each) :]],
    ids=["strided", "transposed", "second half"],
)
def test_views_give_the_same_numbers(tfn, seen):
    """Operands apart in memory, in another order, or from an address in the middle of an allocation."""
    convolution, graph, y, weights, features = example(tfn, "cuda")
    found = convolved(convolution, graph, seen(y), seen(weights), [seen(each) for each in features])
    for one, other in zip(convolved(convolution, graph, y, weights, features), found, strict=True):
        assert torch.equal(one, other)
    x = features[1][:1].expand(100, -1, -1)
    one = tfn.tensor_product((1, 1, 2), y[:, 1:4], x, weights[:, :40])
    other = tfn.tensor_product((1, 1, 2), seen(y[:, 1:4]), seen(x), seen(weights[:, :40]))
    assert torch.equal(one, other)
    assert torch.equal(tfn.spherical_harmonics(y[:, 1:4]), tfn.spherical_harmonics(seen(y[:, 1:4])))
