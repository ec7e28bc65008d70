"""A program on tape gives what the program gives, and is used where it is right."""

from __future__ import annotations

import threading

import pytest
import torch

import tfngen
from tests.tracing.test_trace import forces_by, layered, molecule
from tfngen.runtime.cpu import team
from tfngen.runtime.cpu.arena import Arena
from tfngen.runtime.cpu.instructions import Instructions
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import EdgeOrder
from tfngen.tracing import repeats
from tfngen.tracing.tape import CannotRecord, Tape

CLOSE = {"rtol": 2e-5, "atol": 2e-6}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """A tape for what comes a second time."""
    monkeypatch.setattr(repeats, "PATIENCE", 1)


def training_by(network):
    parameters = list(network.parameters())

    def training(positions, features, graph):
        positions = positions.detach().requires_grad_()
        energy = network(graph, positions, features)["0e"].sum()
        (slope,) = torch.autograd.grad(energy, positions, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), parameters, materialize_grads=True)

    return training


def tapes(traced):
    """Those of a traced function."""
    return [each._tape for each in traced._seen.values() if each._tape is not None]


def runs(monkeypatch):
    """Grows by one whenever some tape is run."""
    made, run = [], Tape.run

    def counted(tape, tensors):
        found = run(tape, tensors)
        made.append(found is not None)
        return found

    monkeypatch.setattr(Tape, "run", counted)
    return made


def assert_all_close(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("mode", [forces_by, training_by])
def test_a_network_on_tape(kernels, monkeypatch, mode, dtype):
    """Nothing in it is left to torch, and other positions have other forces."""
    network = layered(kernels).to(dtype)
    function = mode(network)
    traced, made = tfngen.trace(function), runs(monkeypatch)
    positions, features, graph = molecule(9, 0, dtype)
    for step in range(5):
        moved = positions + 0.1 * step * torch.randn(9, 3, generator=torch.Generator().manual_seed(step)).to(
            dtype
        )
        scaled = Features({"0e": features["0e"] * (1 + step)})
        assert_all_close(traced(moved, scaled, graph), function(moved, scaled, graph))
    assert made == [True] * 4
    (tape,) = tapes(traced)
    assert tape.steps == 0


def test_it_goes_with_the_steps_of_an_optimiser(kernels, monkeypatch):
    """Parameters are read where they are, and where they are later."""
    network = layered(kernels)
    traced, made = tfngen.trace(forces_by(network)), runs(monkeypatch)
    arguments = molecule(9, 0)
    for step in range(8):
        with torch.no_grad():
            for each in network.parameters():
                if step == 4:
                    each.data = each.data.clone()
                each.mul_(1.1)
        assert_all_close(traced(*arguments), forces_by(network)(*arguments))
    assert sum(made) >= 5


def test_only_the_graph_it_was_made_with(kernels, monkeypatch):
    """One of as many edges goes another way; a copy of the graph does not."""
    function = forces_by(layered(kernels))
    traced, made = tfngen.trace(function), runs(monkeypatch)
    positions, features, graph = molecule(12, 2)
    for _ in range(3):
        traced(positions, features, graph)
    assert len(made) == 2
    copied = Graph.from_points(positions, 3.0)
    assert_all_close(traced(positions, features, copied), function(positions, features, graph))
    assert len(made) == 3
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    renamed = Graph.from_points(positions[order], 3.0)
    assert renamed.num_edges == graph.num_edges
    arguments = positions[order], Features({"0e": features["0e"][order]}), renamed
    assert_all_close(traced(*arguments), function(*arguments))
    assert len(made) == 3
    energy, forces = traced(positions, features, graph)
    torch.testing.assert_close(traced(*arguments)[0], energy)
    torch.testing.assert_close(traced(*arguments)[1], forces[order], **CLOSE)


def test_an_index_that_is_changed_in_place(monkeypatch):
    traced, made = tfngen.trace(lambda x, index: torch.index_select(x, 0, index) * 2), runs(monkeypatch)
    x, index = torch.arange(5.0), torch.tensor([1, 3])
    for _ in range(3):
        traced(x, index)
    assert made == [True, True]
    index[0] = 4
    assert traced(x, index).tolist() == [8.0, 6.0]
    assert made == [True, True]


@pytest.mark.parametrize("weights", [1, 9, None])
def test_edges_that_share_weights(tfn_l1, monkeypatch, weights):
    """All of them, some, or none: derivatives by weights begin at zero in every run."""
    graph = Graph(torch.randint(0, 9, (2, 200), generator=torch.Generator().manual_seed(1)), 9)
    convolution = tfn_l1.Convolution("4x0e+4x1e", "0e+1e", "0e+1e")
    rows = graph.num_edges if weights is None else weights
    index = torch.arange(graph.num_edges) % rows
    order = None if weights is None else EdgeOrder._build(index, index.argsort(stable=True), rows)

    def gradient(x, y, w, order):
        x, y, w = (each.detach().requires_grad_() for each in (x, y, w))
        named = {"0e": x[:, :, :1], "1e": x[:, :, 1:]}
        out = convolution(graph, y, named, w, edge_weight_index=order)
        return torch.autograd.grad(sum(each.square().sum() for each in out.values()), (x, y, w))

    traced, made = tfngen.trace(gradient), runs(monkeypatch)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        shapes = (9, 4, 4), (graph.num_edges, 4), (rows, convolution.weight_numel)
        given = [torch.randn(shape, generator=generator) for shape in shapes]
        found, wanted = traced(*given, order), gradient(*given, order)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert made == [True, True]
    assert tapes(traced)[0].steps == 0


def test_what_there_is_no_machine_code_for_is_done_by_torch_in_its_turn(monkeypatch):
    def function(x):
        return torch.erf(x * 2) + torch.atan(x).cumsum(0) * x

    traced, made = tfngen.trace(function), runs(monkeypatch)
    for seed in range(4):
        x = torch.randn(7, 3, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(traced(x), function(x))
    assert made == [True] * 3
    assert tapes(traced)[0].steps == 3


def test_graphs_that_are_made_anew_in_every_step(kernels, monkeypatch):
    """As dynamics make them: nobody keeps the last one."""
    function = forces_by(layered(kernels))
    traced, made = tfngen.trace(function), runs(monkeypatch)
    for step in range(5):
        positions, features, _ = molecule(6, 0)
        moved = positions * 0.3 * (1 + 0.01 * step)
        given = moved, features, Graph.from_points(moved, 3.0)
        assert_all_close(traced(*given), function(*given))
    assert made == [True] * 4


def test_random_numbers_are_drawn_in_every_run(monkeypatch):
    traced, made = tfngen.trace(lambda x: x + torch.rand(5)), runs(monkeypatch)
    found = [traced(torch.zeros(5)) for _ in range(6)]
    assert len({tuple(each.tolist()) for each in found}) == 6
    assert made == [True] * 5


def test_results_stay_when_the_tape_is_run_again():
    traced = tfngen.trace(lambda x: (x * 2, (x + 1).T))
    for _ in range(3):
        first = traced(torch.ones(2, 3))
    second = traced(torch.zeros(2, 3))
    assert torch.equal(first[0], torch.full((2, 3), 2.0))
    assert torch.equal(first[1], torch.full((3, 2), 2.0))
    assert torch.equal(second[0], torch.zeros(2, 3))


def test_arguments_anywhere_in_memory(monkeypatch):
    """Parts of others, turned, of no numbers: what has other strides has a tape of its own."""
    traced, made = tfngen.trace(lambda x, y: (x * 2 + y).sum(0)), runs(monkeypatch)
    whole = torch.randn(40, 30)
    for x in (whole[:5, :3], whole[5:10, :3], whole[::8, 1:4], whole[:3, :5].T, whole[3:6, :5].T):
        for _ in range(3):
            torch.testing.assert_close(traced(x, torch.ones(1)), (x * 2 + 1).sum(0))
    assert all(made)
    assert len(made) > 6
    for _ in range(3):
        assert traced(torch.ones(0, 3), torch.ones(1)).tolist() == [0.0] * 3


def a_layer(tfn_l1):
    """The gradient of a convolution, and random operands, of which weights (200, 32) are large."""
    graph = Graph(torch.randint(0, 9, (2, 200), generator=torch.Generator().manual_seed(1)), 9)
    convolution = tfn_l1.Convolution("8x0e+8x1e", "0e+1e", "0e+1e")

    def gradient(x, y, w):
        x, y, w = (each.detach().requires_grad_() for each in (x, y, w))
        out = convolution(graph, y, {"0e": x[:, :, :1], "1e": x[:, :, 1:]}, w)
        return torch.autograd.grad(sum(each.square().sum() for each in out.values()), (x, y, w))

    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        shapes = (9, 8, 4), (graph.num_edges, 4), (graph.num_edges, convolution.weight_numel)
        return [torch.randn(shape, generator=generator) for shape in shapes]

    return gradient, drawn


def test_large_arguments_are_read_where_they_are(tfn_l1, monkeypatch):
    """Elsewhere in every call, or other numbers in the same place; nothing is written to them."""
    (gradient, drawn), made = a_layer(tfn_l1), runs(monkeypatch)
    traced = tfngen.trace(gradient)
    kept = [drawn(seed) for seed in range(4)]
    for given in (*kept, *kept, kept[3]):
        before = [each.clone() for each in given]
        for one, other in zip(traced(*given), gradient(*given), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        assert all(map(torch.equal, given, before))
    kept[3][2].mul_(2)
    for one, other in zip(traced(*kept[3]), gradient(*kept[3]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert all(made)
    (tape,) = tapes(traced)
    assert [each.at for each in tape._given] == [2]
    assert len(tape._copied) == 2


@pytest.mark.parametrize("reason", ["a place is missed", "torch reads them"])
def test_large_arguments_are_copied_where_they_have_to_be(tfn_l1, monkeypatch, reason):
    gradient, drawn = a_layer(tfn_l1)
    if reason == "a place is missed":
        every = Instructions.places_of
        monkeypatch.setattr(Instructions, "places_of", lambda *given: every(*given)[:-1])
    function = gradient if reason == "a place is missed" else lambda x, y, w: (w * 2, torch.erf(w))
    traced, made = tfngen.trace(function), runs(monkeypatch)
    for seed in range(4):
        for one, other in zip(traced(*drawn(seed)), function(*drawn(seed)), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert all(made)
    (tape,) = tapes(traced)
    assert not tape._given
    assert len(tape._copied) == 3


def test_a_large_argument_that_is_a_part_of_another(monkeypatch):
    """Columns of it, and a view of those: addresses inside."""
    traced, made = tfngen.trace(lambda x: x[5:, 7:] * 2 + x[:-5, :-7].exp()), runs(monkeypatch)
    for seed in range(4):
        x = torch.randn(90, 130, generator=torch.Generator().manual_seed(seed))[3:, 11:]
        torch.testing.assert_close(traced(x), x[5:, 7:] * 2 + x[:-5, :-7].exp())
    assert made.count(True) >= 3
    assert [each.at for each in tapes(traced)[0]._given] == [0]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: (x * 2, x), "a result is an argument"),
        (lambda x: x * torch.ones(2**25), "bytes"),
        (lambda x: torch.erf(torch.erf(torch.erf(x))), "left to torch"),
    ],
)
def test_what_no_tape_is_made_of(function, reason, monkeypatch):
    x, made = torch.ones(1), runs(monkeypatch)
    traced = tfngen.trace(function)
    for _ in range(4):
        traced(x)
    assert not made
    program = traced.program(x)
    with torch.no_grad(), pytest.raises(CannotRecord, match=reason):
        Tape(program.graph, program._constants.now(), [x])


def test_an_argument_that_is_one_number_in_many_places(monkeypatch):
    traced, made, x = tfngen.trace(lambda x: x.sum(0) * 2), runs(monkeypatch), torch.ones(3)
    for _ in range(4):
        assert traced(x.expand(5, 3)).tolist() == [10.0] * 3
    assert not made


def test_in_inference_mode_and_out_of_it(monkeypatch):
    traced, made = tfngen.trace(lambda x, at: torch.erf(x[at]) * 2 + x[at]), runs(monkeypatch)
    for inference in (True, True, True, False, False, True):
        with torch.inference_mode(inference):
            x, at = torch.linspace(0, 1, 5), torch.tensor([3, 1])
            torch.testing.assert_close(traced(x, at), torch.erf(x[at]) * 2 + x[at])
    assert len(made) > 2


def test_graphs_on_a_gpu_are_not_compared():
    """Which would wait for the GPU in every call."""
    program = tfngen.trace(lambda x: x * 2).program(torch.ones(3))
    elsewhere = [torch.ones(3, device="meta"), torch.zeros(3, dtype=torch.int64, device="meta")]
    repeated = repeats.Repeats(program, elsewhere, repeats.Shelf())
    assert all(repeated([], elsewhere) is None for _ in range(3))
    assert repeated._graph is None


def test_a_function_that_changes_its_argument_is_never_on_tape(monkeypatch):
    made = runs(monkeypatch)
    traced = tfngen.trace(lambda x: x.add_(1) * 2)
    x = torch.zeros(3)
    for _ in range(5):
        traced(x)
    assert x.tolist() == [5.0] * 3
    assert not made


def test_few_tapes_at_a_time(monkeypatch):
    monkeypatch.setattr(repeats, "MOST_TAPES", 2)
    traced = tfngen.trace(lambda x: x * 2)
    for size in (3, 4, 5, 3, 4):
        for _ in range(3):
            assert torch.equal(traced(torch.ones(size)), torch.full((size,), 2.0))
        assert len(tapes(traced)) <= 2


def test_other_numbers_of_threads_have_other_tapes(kernels, monkeypatch):
    """Work is cut for so many threads, and theirs are asked."""
    function = forces_by(layered(kernels))
    traced, made, before = tfngen.trace(function), runs(monkeypatch), torch.get_num_threads()
    arguments = molecule(60, 0)
    try:
        for threads in (2, 1, 2):
            torch.set_num_threads(threads)
            for _ in range(3):
                assert_all_close(traced(*arguments), function(*arguments))
    finally:
        torch.set_num_threads(before)
    assert all(made)
    assert len(made) >= 5


def test_many_threads_and_one_tape(kernels):
    """Who finds it in use goes the long way."""
    function = forces_by(layered(kernels))
    traced = tfngen.trace(function)
    given = [molecule(9, 0)[0] * scale for scale in (0.9, 1.0, 1.1, 1.2)]
    _, features, graph = molecule(9, 0)
    wanted = [function(each, features, graph) for each in given]
    for _ in range(3):
        traced(given[0], features, graph)
    wrong = []

    def work(at):
        for _ in range(50):
            found = traced(given[at], features, graph)
            if not all(torch.allclose(*pair, **CLOSE) for pair in zip(found, wanted[at], strict=True)):
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_forked_child_does_not_ask_its_parents_threads(kernels, monkeypatch):
    """A tape of a large molecule runs on a team that such a process does not have."""
    traced, arguments, made = tfngen.trace(forces_by(layered(kernels))), molecule(60, 0), runs(monkeypatch)
    for _ in range(3):
        wanted = traced(*arguments)
    assert made == [True, True]
    (before,) = tapes(traced)
    monkeypatch.setattr(team, "_forked", True)
    assert_all_close(traced(*arguments), wanted)
    assert tapes(traced) != [before]


def test_under_autocast_no_tape_of_other_types(monkeypatch):
    layer, x, made = torch.nn.Linear(8, 8), torch.randn(4, 8), runs(monkeypatch)
    traced = tfngen.trace(layer.forward)
    for _ in range(3):
        assert traced(x).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(3):
            assert traced(x).dtype == torch.bfloat16
    torch.testing.assert_close(traced(x), layer(x).detach())
    assert all(made)


def test_memory_is_used_again_and_no_sooner():
    """By tensors of about the same size, when no view of the last one is left."""
    arena, like = Arena(), torch.randn(100, 3)
    one = arena.like(like.T)
    assert one.stride() == like.T.stride()
    place, view = one.data_ptr(), one[1:]
    del one
    other = arena.like(like)
    assert other.data_ptr() != place
    del view
    third = arena.empty(like, 99, 3)
    assert third.data_ptr() == place
    assert third.shape == (99, 3)
    assert arena.holds(third)
    assert arena.holds(other)
    assert not arena.holds(like)
    assert arena.like(torch.empty(2**20)).numel() == 2**20
    assert arena.empty(like, 0, 3).shape == (0, 3)
