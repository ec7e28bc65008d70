"""The fused convolution as models use it: forces, threads, processes, views, and calls that make no sense."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runtime.test_fused_convolution import OPERATORS, case, operator_arguments, tensors
from tfngen import Features, Graph


def energy(kernels, graph, positions, features, weights):
    """Of two layers, one on top of the other: nonlinear in every distance and direction."""
    first = kernels.Convolution("2x0e+3x1o", "0e+1o+2e", "0e+1o")
    second = kernels.Convolution(first.irreps_out, "0e+1o+2e", "0e")
    vectors = graph.edge_vectors(positions)
    lengths = vectors.norm(dim=1, keepdim=True)
    y = kernels.spherical_harmonics(vectors)
    hidden = first(graph, y, features, torch.cos(lengths * weights[: first.weight_numel]))
    (out,) = tensors(second(graph, y, hidden, torch.sin(lengths * weights[: second.weight_numel])))
    return (out * out).sum()


@pytest.fixture(scope="module")
def molecule(tfn_l2):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    return (
        Graph.complete(5),
        2 * random(5, 3),
        {"0e": random(5, 2, 1), "1o": random(5, 3, 3)},
        random(40),
    )


def test_forces_are_finite_differences_of_the_energy(tfn_l2, molecule):
    graph, positions, features, weights = molecule
    leaf = positions.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(tfn_l2, graph, leaf, features, weights), leaf)
    step = 1e-5
    for atom, axis in ((0, 0), (2, 1), (4, 2)):
        moved = [positions.clone(), positions.clone()]
        moved[0][atom, axis] += step
        moved[1][atom, axis] -= step
        ahead, behind = (energy(tfn_l2, graph, each, features, weights) for each in moved)
        # The error of a central difference is a third derivative times step² / 6.
        assert abs((ahead - behind) / (2 * step) - gradient[atom, axis]) < 1e-6 * gradient.abs().max()


def test_the_hessian_of_two_layers_is_symmetric(tfn_l2, molecule):
    graph, positions, features, weights = molecule

    def of_positions(positions):
        return energy(tfn_l2, graph, positions, features, weights)

    hessian = torch.autograd.functional.hessian(of_positions, positions).reshape(15, 15)
    assert hessian.abs().max() > 1
    assert (hessian - hessian.T).abs().max() < 1e-12 * hessian.abs().max()


def test_what_nobody_asked_for_is_not_computed(tfn_l2, monkeypatch):
    """Forces need d_filter alone; training without forces needs all but that."""
    from tfngen.runtime import convolution_operators

    called = []
    compute = convolution_operators.compute

    def spy(form, *arguments):
        called.append(form.name)
        return compute(form, *arguments)

    monkeypatch.setattr(convolution_operators, "compute", spy)
    convolution, graph, y, features, weights = case(tfn_l2, "parity")
    leaves = {irrep: value.requires_grad_() for irrep, value in features.items()}
    y, weights = y.requires_grad_(), weights.requires_grad_()
    for wanted, forms in (
        ([y], ["d_filter"]),
        ([weights, *leaves.values()], ["d_input_weight"]),
        ([y, weights], ["backward"]),
        ([weights], ["d_weight"]),
    ):
        out = sum(t.square().sum() for t in tensors(convolution(graph, y, leaves, weights)))
        for higher in (True, False):  # by the operators, which can be differentiated again, and without
            called.clear()
            torch.autograd.grad(out, wanted, retain_graph=True, create_graph=higher)
            assert called == forms


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph))])
def test_a_copy_of_a_graph_in_use_is_read_from_its_own_memory(tfn_l2, copied):
    """What launches keep about a graph travels with its tensors, and so do addresses of the original's."""
    convolution, graph, y, features, weights = case(tfn_l2, "parity", nodes=9, edges=40)
    wanted = tensors(convolution(graph, y, features, weights))
    again = copied(graph)
    for tensor in graph.edges.tensors[:6]:
        tensor.zero_()
    found = tensors(convolution(again, y, features, weights))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_several_python_threads_may_call_at_once(tfn_l2):
    convolution, graph, y, features, weights = case(tfn_l2, "every path", nodes=60, edges=3000)
    wanted = tensors(convolution(graph, y, features, weights))
    failures = []

    def work():
        for _ in range(20):
            found = tensors(convolution(graph, y, features, weights))
            if not all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)):
                failures.append("different")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_child_computes_while_the_parent_does(tfn_l2):
    """As a DataLoader's worker may: torch's threads do not survive a fork, and nobody waits for them."""
    convolution, graph, y, features, weights = case(tfn_l2, "every path", nodes=60, edges=6000)
    wanted = tensors(convolution(graph, y, features, weights))  # the team exists by now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def child():
        found = tensors(convolution(graph, y, features, weights))
        queue.put(all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)))

    process = context.Process(target=child)
    process.start()
    for _ in range(5):
        convolution(graph, y, features, weights)
    try:
        assert queue.get(timeout=60)
    finally:
        process.kill()


def test_one_thread_is_respected(tfn_l2, monkeypatch):
    from tfngen.runtime.cpu import threads

    def refuse(*_):
        raise AssertionError("asked for a team")

    monkeypatch.setattr(threads, "run_team", refuse)
    convolution, graph, y, features, weights = case(tfn_l2, "every path", nodes=60, edges=6000)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        convolution(graph, y, features, weights)
    finally:
        torch.set_num_threads(before)


SMALL_TEAM = """
import sys, torch
from pathlib import Path
from tfngen import Graph
from tfngen.cache import import_package

kernels = import_package(Path(sys.argv[1]))
generator = torch.Generator().manual_seed(0)
convolution = kernels.Convolution("32x0e+32x1o", "0e+1o", "0e+1o")
graph = Graph(torch.randint(0, 60, (2, 6000), generator=generator), 60)
y = torch.randn(6000, 4, generator=generator)
weights = torch.randn(6000, convolution.weight_numel, generator=generator)
x = {irrep: torch.randn(60, 32, irrep.dim, generator=generator) for _, irrep in convolution.irreps_in}
results = []
for threads in (2, 1):
    torch.set_num_threads(threads)
    results.append(list(convolution(graph, y, x, weights).values()))
assert all(torch.equal(a, b) for a, b in zip(*results))
"""


@pytest.mark.parametrize("setting", ["OMP_THREAD_LIMIT=1", "OMP_DYNAMIC=true"])
def test_a_team_smaller_than_asked_for_still_does_everything(tfn_l1, setting):
    """OpenMP may give fewer threads than torch counts; no part of the work may be left out."""
    name, value = setting.split("=")
    package = str(Path(tfn_l1.__file__).parent)
    command = [sys.executable, "-c", SMALL_TEAM, package]
    result = subprocess.run(
        command, env={**os.environ, name: value}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_views_and_int32_indices_give_the_same_numbers(tfn_l2):
    convolution, graph, y, features, weights = case(tfn_l2, "widths of their own")
    wanted = tensors(convolution(graph, y, features, weights))
    wide = torch.zeros(y.shape[0], y.shape[1] + 3, dtype=y.dtype)[:, : y.shape[1]].copy_(y)
    turned = weights.T.contiguous().T
    spread = Features({irrep: value.contiguous() for irrep, value in features.items()})
    other = Graph(graph.edge_index.int(), graph.num_nodes)
    found = tensors(convolution(other, wide, spread, turned))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_nothing_per_edge_and_channel_is_kept(tfn_l2):
    """What autograd saves for backward are the operands: no message of any edge."""
    convolution, graph, y, features, weights = case(tfn_l2, "every path", nodes=10, edges=500)
    saved = []
    leaves = {irrep: value.requires_grad_() for irrep, value in features.items()}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        convolution(graph, y.requires_grad_(), leaves, weights.requires_grad_())
    floats = {t.data_ptr(): t.numel() for t in saved if t.is_floating_point()}
    assert sum(floats.values()) <= y.numel() + weights.numel() + 2 * sum(v.numel() for v in features.values())


IRREPS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 2), st.sampled_from("eo")), min_size=1, max_size=4
).map(lambda blocks: "+".join(f"{count}x{l}{p}" for count, l, p in blocks))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(IRREPS, st.sampled_from(["0e", "0e+1o", "1o+2e", "0e+1e+2e"]), st.integers(0, 2**31))
def test_random_irreps_agree_with_the_composition_of_parts(tfn_l2, irreps_in, irreps_filter, seed):
    reachable = "0e+0o+1e+1o+2e+2o"
    generator = torch.Generator().manual_seed(seed)
    for irrep in reachable.split("+"):
        try:
            convolution = tfn_l2.Convolution(irreps_in, irreps_filter, irrep)
        except ValueError:
            continue  # no path leads there
        graph = Graph(torch.randint(0, 6, (2, 20), generator=generator), 6)
        y = torch.randn(20, 9, dtype=torch.float64, generator=generator)
        weights = torch.randn(20, convolution.weight_numel, dtype=torch.float64, generator=generator)
        features = {
            each: torch.randn(6, count, each.dim, dtype=torch.float64, generator=generator)
            for count, each in convolution.irreps_in
        }
        y = y[:, : convolution._components]
        fused = tensors(convolution._fused(graph, y, Features(features), weights))
        composed = tensors(convolution._composed(graph, y, Features(features), weights))
        for one, other in zip(fused, composed, strict=True):
            assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_ten_thousand_malformed_calls_are_refused_or_harmless(tfn_l2):
    """Operators called by hand with one argument spoilt: an error, or no harm done; never a crash."""
    import tfngen.runtime.convolution_operators  # noqa: F401 (registers them)

    generator = torch.Generator().manual_seed(0)

    def pick(count):
        return int(torch.randint(0, count, (), generator=generator))

    refused = 0
    calls = {
        (name, sharing): operator_arguments(tfn_l2, name, sharing)
        for name in OPERATORS
        for sharing in (False, True)
    }
    for _ in range(10_000):
        name, sharing = list(calls)[pick(len(calls))]
        package, numbers, operands, fixed = calls[name, sharing]
        plan, operands, fixed = list(numbers), [each.detach() for each in operands], list(fixed)
        kind = pick(6)
        if kind == 0:
            plan[pick(len(plan))] = (-1, 0, 1, 7, 10**6, 2**40)[pick(6)]
            plan = plan[: pick(len(plan))] if pick(4) == 0 else plan
        elif kind == 1:
            at = pick(len(operands))
            operands[at] = operands[at][: pick(3), : pick(40)]
        elif kind == 2:
            at = pick(len(operands))
            operands[at] = operands[at].to((torch.float32, torch.int64, torch.float16)[pick(3)])
        else:
            at = pick(9 if sharing else 6)
            if kind == 3:
                fixed[at] = fixed[at][: pick(4)]
            elif kind == 4:
                fixed[at] = fixed[at].to((torch.int32, torch.float32)[pick(2)])
            else:
                fixed[at] = fixed[at].clone()
                fixed[at][pick(fixed[at].shape[0])] = (-1, -(2**40), 5, 2**62)[pick(4)]
        try:
            getattr(torch.ops.tfngen, f"convolution_{name}")(package, plan, *operands, *fixed)
        except (ValueError, RuntimeError):
            refused += 1
    assert refused > 6_000
