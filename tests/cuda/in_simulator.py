"""Kernels for GPUs in Numba's simulator, against those for processors; `test_simulator` runs this file.

Thread after thread runs as Python, so graphs are as small as reach every branch of every template: nodes of
several pieces, channels of several warps and blocks, idle lanes, paths and filters that are not there.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import tfngen
from tfngen import Graph
from tfngen.forms import FORM, FORMS, TANGENT
from tfngen.interop.description import Description, Instruction
from tfngen.interop.edges import graph_edges
from tfngen.interop.products import EdgeProduct
from tfngen.irreps import Irreps, enumerate_paths
from tfngen.roles import SLOTS, Role
from tfngen.runtime import convolution_operators, fused, operators, symmetric_operators
from tfngen.runtime.convolution_operators import compute as run_form
from tfngen.runtime.cpu import launch as cpu
from tfngen.runtime.cuda import block, memory, seam
from tfngen.runtime.cuda import launch as cuda
from tfngen.runtime.cuda.convolve import fitted_kernels
from tfngen.runtime.cuda.operations import fold_place, folding
from tfngen.runtime.cuda.pieces import pieces_of
from tfngen.runtime.cuda.run import place
from tfngen.runtime.cuda.seam import SIMULATED, scalar
from tfngen.runtime.monomials import Monomials
from tfngen.runtime.plan import PackedPath, Widths, encode
from tfngen.runtime.segments import EdgeOrder

assert SIMULATED
if hasattr(os, "sched_setaffinity"):  # one thread runs at a time, and hands over faster on its own core
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

BOUND = {torch.float32: 2e-6, torch.float64: 1e-14, torch.float16: 2**-11, torch.bfloat16: 2**-8}
"""Of the largest entry; for half precision, what rounding a result can change."""
CASES = {
    "every path": ("3x0e+2x1e", "0e+1e", "0e+1e"),
    "one path of many": ("2x1e", "1e", "0e"),
    "parity": ("2x0o+3x0e+1x1o+2x1e", "0e+1o", "0e+1o+1e"),
    "two warps": ("33x1e", "0e+1e", "0e+1e"),
    "two blocks": ("130x0e", "1e", "1e"),
}


TEAMS = 2
"""Of lanes, fewer than on a GPU: here each is a thread of its own."""


@pytest.fixture(scope="session")
def tfn_l1():
    block.MOST_TEAMS = TEAMS
    return tfngen.load(1, targets=("cpu", "cuda"))


@contextmanager
def running_on(launcher):
    """Let every operator use `launcher`, whatever its tensors' device."""
    homes = (operators, convolution_operators, fused, symmetric_operators)
    before = [each.backend for each in homes]
    for each in homes:
        each.backend = lambda device: launcher
    try:
        yield
    finally:
        for each, function in zip(homes, before, strict=True):
            each.backend = function


def both(function):
    """What `function` returns on processors and on GPUs."""
    results = []
    for launcher in (cpu, cuda):
        with running_on(launcher):
            results.append(function())
    return results


_generator = torch.Generator().manual_seed(0)


def random(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=torch.float64, generator=_generator).to(dtype)


def assert_same(expected, found, factor=5):
    for one, other in zip(expected, found, strict=True):
        assert one.shape == other.shape
        if one.numel():
            assert (one - other).abs().max() <= factor * BOUND[one.dtype] * one.abs().max().clamp(min=1e-30)


# ── over a graph ────────────────────────────────────────────────────────────────────────────────────────


def random_graph(nodes, edges):
    return Graph(
        torch.randint(0, max(nodes, 1), (2, edges), generator=torch.Generator().manual_seed(1)), nodes
    )


VARIED = [FORM[name] for name in ("output", "backward", "backward_along")]
"""Forms that have all that the others have: sums, rows of edges, tangents."""


def check_forms(package, plan, edges, dtype=torch.float64, forms=FORMS):
    """Every form is an operator of its own here, with operands that depend on nothing else."""
    rows = {"filter": edges.num_edges, "input": edges.num_nodes}
    rows |= {"weight": edges.weight_rows, "grad": edges.num_nodes}
    operands = {
        slot + tail: random(rows[slot], width, dtype=dtype)
        for slot, width in zip(SLOTS, plan, strict=False)
        for tail in ("", TANGENT)
    }
    for form in forms:
        taken = {name: operands[name] for name in form.operands}
        assert_same(*both(lambda: run_form(form, package._package.fingerprint, plan, taken, edges)))  # noqa: B023


@pytest.mark.parametrize("name", CASES)
def test_every_form_of_a_convolution(tfn_l1, name):
    plan = tfn_l1.Convolution(*CASES[name])._numbers
    check_forms(tfn_l1, plan, random_graph(3, 5).edges)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_two_channels_in_a_lane(tfn_l1, dtype):
    plan = tuple(tfn_l1.Convolution("64x1e", "1e", "0e+1e")._numbers)
    forms = [FORM[name] for name in ("output", "backward")]
    for form in forms:
        (kernel,) = fitted_kernels(tfn_l1._package.fingerprint, form, plan, dtype)
        assert kernel.pairs
    check_forms(tfn_l1, plan, random_graph(2, 2).edges, dtype, forms)


def test_in_float32(tfn_l1):
    plan = tfn_l1.Convolution(*CASES["every path"])._numbers
    check_forms(tfn_l1, plan, random_graph(3, 7).edges, torch.float32, VARIED)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_memory(tfn_l1, dtype):
    """Operands and results have few digits, and so have derivatives by inputs before they are summed."""
    plan = tfn_l1.Convolution(*CASES["every path"])._numbers
    check_forms(tfn_l1, plan, random_graph(3, 7).edges, dtype, VARIED)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_as_torch_does(dtype):
    values = torch.cat([random(200), torch.tensor([0.0, -0.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-11, 3e38])])
    values = torch.cat([values, torch.tensor([torch.inf, -torch.inf, torch.nan])]).float()
    rounded = torch.empty_like(values, dtype=dtype)
    kept, array = values.numpy(), place(rounded)
    for at in range(len(kept)):
        with np.errstate(over="ignore"):
            memory.write(array, at, kept[at])
    assert torch.equal(rounded.nan_to_num(7.0), values.to(dtype).nan_to_num(7.0))
    read = torch.tensor([memory.read(array, at) for at in range(len(kept))])
    assert read.dtype == torch.float32
    assert torch.equal(read.nan_to_num(7.0), rounded.float().nan_to_num(7.0))


@pytest.mark.parametrize(("nodes", "edges"), [(0, 0), (2, 0), (1, 1)])
def test_graphs_with_little_in_them(tfn_l1, nodes, edges):
    plan = tfn_l1.Convolution(*CASES["every path"])._numbers
    check_forms(tfn_l1, plan, random_graph(nodes, edges).edges)


def test_nodes_of_several_pieces(tfn_l1):
    """Sums of many edges come in parts, which spare rows hold until they are added up."""
    plan = tfn_l1.Convolution("2x0e", "0e+1e", "0e+1e")._numbers
    index = torch.tensor([[0, 1, 2, 3] * 20, [1] * 70 + [3] * 10])
    edges = Graph(index, 5).edges
    assert pieces_of(edges.by_target.row_pointers, 80, long=True).spares
    check_forms(tfn_l1, plan, edges)


def test_sums_of_several_paths_and_of_none(tfn_l1):
    """Later passes add to what earlier ones wrote, in spare rows too; what no path leads to is zero."""
    paths = [PackedPath(0, 0, 0, 2, at, 0, 2 * at, 0, 2) for at in range(2)]
    index = torch.tensor([[0, 1, 2, 3] * 10, [1] * 35 + [3] * 5])
    forms = [FORM[name] for name in ("output", "d_grad")]
    check_forms(tfn_l1, encode(Widths(2, 2, 4, 3), paths), Graph(index, 5).edges, forms=forms)
    apart = [*paths[:1], paths[1]._replace(grad_offset=1)]  # columns 0 and 1, and 1 and 2
    check_forms(tfn_l1, encode(Widths(2, 2, 4, 3), apart), random_graph(3, 6).edges, forms=forms)


def test_edges_that_share_weights(tfn_l1):
    plan = tfn_l1.Convolution(*CASES["every path"])._numbers
    rows = torch.tensor([0, 2, 2, 0, 0, 2])
    order = EdgeOrder(rows, rows.argsort(stable=True), torch.tensor([0, 3, 3, 6]))
    check_forms(tfn_l1, plan, random_graph(3, 6).edges.shared_by(order))


def test_paths_that_do_not_fit_one_pass(tfn_l1):
    """The same path twice, and two filters of one degree: later passes add to what earlier ones left."""
    widths = Widths(filter=7, input=6, weight=8, grad=24)
    paths = [  # degrees, channels, then where filter, input, weight and grad begin, and the grad's step
        PackedPath(1, 1, 1, 2, 1, 0, 0, 0, 8),
        PackedPath(1, 1, 1, 2, 1, 0, 2, 2, 8),
        PackedPath(1, 1, 1, 2, 4, 0, 4, 4, 8),
        PackedPath(0, 1, 1, 2, 0, 0, 6, 6, 8),
    ]
    check_forms(tfn_l1, encode(widths, paths), random_graph(3, 6).edges)


def test_derivatives_to_the_third_order(tfn_l1):
    convolution = tfn_l1.Convolution("2x0e+1x1e", "0e+1e", "0e+1e")
    index = random_graph(3, 4)
    leaves = [random(4, 4), random(4, convolution.weight_numel), random(3, 2, 1), random(3, 1, 3)]
    leaves = [leaf.requires_grad_() for leaf in leaves]

    def derivatives():
        features = dict(zip(("0e", "1e"), leaves[2:], strict=True))
        found = list(convolution(index, leaves[0], features, leaves[1]).values())
        orders = [found]
        for power in (2, 3, 2):
            loss = sum((each**power).sum() for each in orders[-1])
            orders.append(list(torch.autograd.grad(loss, leaves, create_graph=True)))
        return [each.detach() for order in orders for each in order]

    assert_same(*both(derivatives), factor=100)  # errors of the lower orders, raised to powers


def test_the_same_bits_whatever_the_order_of_edges(tfn_l1):
    plan = tfn_l1.Convolution(*CASES["every path"])._numbers
    index = torch.tensor([[0, 1, 2, 0, 2, 1], [1, 1, 1, 2, 2, 0]])
    shuffled = torch.tensor([3, 0, 5, 1, 4, 2])
    operands = {"filter": random(6, 4), "input": random(3, plan[1]), "weight": random(6, plan[2])}

    def output(order):
        taken = {name: each if name == "input" else each[order] for name, each in operands.items()}
        with running_on(cuda):
            return run_form(
                FORM["output"], tfn_l1._package.fingerprint, plan, taken, Graph(index[:, order], 3).edges
            )[0]

    assert torch.equal(output(torch.arange(6)), output(shuffled))


def test_indices_out_of_range_touch_nothing_outside(tfn_l1):
    """Graphs are checked when they are made; who makes up an operator's indices gets wrong sums, no more."""
    plan = tfn_l1.Convolution(*CASES["one path of many"])._numbers
    good = random_graph(3, 5).edges
    far = 2**40
    broken = [
        good._replace(sources=good.sources + far),
        good._replace(by_target=good.by_target._replace(order=good.by_target.order - far)),
        good._replace(by_target=good.by_target._replace(row_pointers=torch.tensor([-far, 2, far, 1]))),
    ]
    operands = {"filter": random(5, plan[0]), "input": random(3, plan[1]), "weight": random(5, plan[2])}
    for edges in broken:
        with running_on(cuda):
            run_form(FORM["output"], tfn_l1._package.fingerprint, plan, operands, edges)


EDGE_PRODUCTS = {
    "one channel of filters": ("2x0e+3x1o", "0e+1o", "3x1o+2x1o+3x0e", [(1, 0, 0), (0, 1, 1), (1, 1, 2)]),
    "several, without weights": ("2x1o", "2x0e+2x1e", "2x1o+2x1e", [(0, 0, 0), (0, 1, 1), (0, 1, 1)]),
    "one output for two degrees": ("2x0e+2x1o", "0e+1o", "2x1o+1x0e", [(1, 0, 0), (0, 1, 0)]),
}
"""Irreps of both sides and of the output, and what is coupled into what."""


@pytest.mark.parametrize("name", EDGE_PRODUCTS)
def test_products_over_a_graph_as_other_packages_describe_them(tfn_l1, name):
    """Filters of several channels, scales of their own, and several paths into one output."""
    *sides, coupled = EDGE_PRODUCTS[name]
    weighted = "without" not in name
    instructions = tuple(Instruction(*each, "uvu", weighted, 0.5 + at) for at, each in enumerate(coupled))
    description = Description(*map(Irreps.parse, sides), instructions)
    product, graph = EdgeProduct(description, tfn_l1), random_graph(3, 6)
    x, y = (
        random(rows, irreps.dim)
        for rows, irreps in ((3, description.irreps_in1), (6, description.irreps_in2))
    )
    leaves = [x, y, random(6, description.weight_offsets()[-1])]
    leaves = [each.requires_grad_() for each in leaves]

    def derivatives():
        found = product(*leaves, graph_edges(graph))
        first = torch.autograd.grad((found**2).sum(), leaves, create_graph=True, allow_unused=True)
        first = [each for each in first if each is not None]
        second = torch.autograd.grad(sum((each**2).sum() for each in first), leaves[:2])
        return [each.detach() for each in (found, *first, *second)]

    assert_same(*both(derivatives), factor=100)


# ── edge by edge, and point by point ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("path", enumerate_paths(1))
@pytest.mark.parametrize("channels", [3, 33])
def test_every_role_of_a_path(tfn_l1, path, role, channels):
    edges = 5
    operands = {
        "filter": random(edges, 2 * path.l_filter + 1),
        "input": random(edges, 2 * path.l_input + 1, channels).transpose(1, 2),
        "weight": random(edges, channels),
        "grad": random(edges, 2 * path.l_output + 1, channels).transpose(1, 2),
    }
    taken = [operands[slot] for slot in role.operands]
    one, other = both(lambda: operators.path_role(role, tfn_l1._package.fingerprint, path, taken))
    assert_same([one], [other])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_product_without_weights(tfn_l1, dtype):
    x, y = random(3, 3, 2, dtype=dtype).transpose(1, 2), random(3, 3, dtype=dtype)
    one, other = both(lambda: tfn_l1.tensor_product((1, 1, 0), y, x))
    assert_same([one], [other])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spherical_harmonics_and_their_derivatives(tfn_l1, dtype):
    points = torch.cat([random(4, 3, dtype=dtype), torch.zeros(1, 3, dtype=dtype)]).requires_grad_()

    def derivatives():
        value = tfn_l1.spherical_harmonics(points)
        (first,) = torch.autograd.grad((value**2 * value).sum(), points, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), points)
        return [value.detach(), first.detach(), second]

    assert_same(*both(derivatives), factor=20)


def test_rows_are_turned(tfn_l1):
    values = random(4, 2 * 3 + 5 * 1)
    one, other = both(lambda: torch.ops.tfngen.turn_rows(values, [2, 3, 5, 1]))
    assert torch.equal(one, other)


def test_products_of_rows_are_refused(tfn_l1):
    with pytest.raises(ValueError, match="cpu alone"):
        cuda.row_product()


# ── sums over a warp ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("nodes", "channels", "dtype"),
    [(4, 3, torch.float32), (4, 3, torch.float64), (0, 2, torch.float64), (1, 130, torch.float64)],
)
def test_symmetric_contractions_and_their_derivatives(nodes, channels, dtype):
    """One species has no nodes, one output no monomials; two blocks of channels."""
    each = ((0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 2), (2, 1, 1, 2), (2, 0, 2, 2))
    monomials = Monomials(3, 3, each)
    species = torch.tensor([2, 0, 2, 0])[:nodes]
    coefficients = random(3, len(each), channels, dtype=dtype)
    one, two = (random(nodes, 3, channels, dtype=dtype) for _ in range(2))

    def everything():
        given = [tensor.clone().requires_grad_() for tensor in (coefficients, one, two)]
        operator = torch.ops.tfngen.symmetric_output
        out = operator(monomials.numbers, species, given[0], given[1], given[2], given[2])
        first = torch.autograd.grad(out.square().sum(), given, create_graph=True)
        second = torch.autograd.grad(sum(slope.square().sum() for slope in first), given)
        return [out.detach(), *(slope.detach() for slope in first), *second]

    assert_same(*both(everything))


def test_species_out_of_range_touch_nothing_outside():
    """The nearest one is taken: looking at all of them would mean to wait for the GPU."""
    monomials, x = Monomials(1, 1, ((0, 0, 0, 0),)), torch.ones(3, 1, 2)
    coefficients, result = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), torch.empty(3, 1, 2)
    species = torch.tensor([-5, 1, 2**40])
    cuda.symmetric_output(monomials.numbers, species, coefficients, (x, x, x), result)
    assert result[:, 0].tolist() == [[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]]


def test_folding_by_shuffles():
    """What GPUs do with shuffles, where lanes exchange values through shared memory instead."""
    kind = scalar(np.float64)

    def exchange(value, distance):
        values, lane = seam.cuda.shared.array(32, kind), seam.cuda.threadIdx.x
        values[lane] = value
        seam.cuda.syncthreads()
        other = values[lane ^ distance]
        seam.cuda.syncthreads()
        return other

    fold_all = folding(exchange)

    def kernel(values, totals):
        lane = seam.cuda.threadIdx.x
        total = fold_all(*values[16 * lane : 16 * lane + 16])
        place = fold_place(lane)
        if place < 16:
            totals[place] = total

    values, totals = np.random.default_rng(0).integers(0, 1000, (32, 16)).astype(np.float64), np.zeros(16)
    seam.simulate(kernel, (1, 1), 32, 0, [values.ravel(), totals])
    assert np.array_equal(totals, values.sum(0))


@pytest.mark.parametrize("barriers", [0, 1])
def test_what_fails_in_one_lane_ends_the_launch(barriers):
    """Those that have not begun do not, and those that wait at a barrier for it are not left waiting."""

    def kernel(values, failing):
        for _ in range(barriers):
            seam.cuda.syncthreads()
        if seam.cuda.threadIdx.x == failing:
            values[99] = 1
        seam.cuda.syncthreads()

    before = set(threading.enumerate())
    for failing in range(32):
        with pytest.raises(IndexError, match=rf"tid=\[{failing}, 0, 0\]"):
            seam.simulate(kernel, (1, 1), 32, 0, [np.zeros(4), failing])
    for thread in set(threading.enumerate()) - before:
        thread.join(1)
        assert not thread.is_alive()


def test_a_barrier_that_is_missing_shows():
    """Lanes come in another order after each barrier: none can rely on another's having been there."""

    def kernel(values, seen):
        lane = seam.cuda.threadIdx.x
        for at in range(8):
            values[lane] = at
            seen[32 * at + lane] = values[lane ^ 1] == at
            seam.cuda.syncthreads()

    seen = np.zeros(8 * 32, bool)
    seam.simulate(kernel, (1, 1), 32, 0, [np.full(32, -1), seen])
    rounds = seen.reshape(8, 32)
    assert (rounds.sum(1) == 16).all()  # of each pair the later one
    assert len(np.unique(rounds, axis=0)) == 8


def test_rows_without_columns_have_sums_without_any():
    order, pointers = torch.tensor([1, 0]), torch.tensor([0, 2, 2])
    result = torch.empty(2, 0)
    cuda.sum_rows(torch.empty(2, 0), order, pointers, result)
    assert result.shape == (2, 0)
