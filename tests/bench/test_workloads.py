"""Workloads are what their names promise, and the least work they need is counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tfngen.bench import problem, workloads
from tfngen.bench.ceiling import Work
from tfngen.bench.workloads import WORKLOADS, Workload


def test_an_unknown_workload_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"workload: got 'none'; it must be one of tfn-l3, .*degree, size"):
        workloads.find(["tfn-l3", "none"])


def test_a_series_stands_for_its_workloads():
    assert [each.lmax for each in workloads.find(["degree"])] == [1, 2, 3, 4, 5, 6]
    assert [each.edges for each in workloads.find(["size"])] == [10**power for power in range(3, 8)]


@pytest.mark.parametrize(
    ("name", "edges", "paths", "weights"),
    [
        ("tfn-l3", 30_000, 34, 34 * 32),
        ("mace-large", 158_000, 17, 2176),
        ("mace-large-small", 15_800, 17, 2176),
        ("sevennet-l3i5", 16_000, 34, 1760),
        ("dhfr", 176_718, 17, 2176),
    ],
)
def test_workloads_have_the_paths_and_weights_of_their_models(tfn_l3, name, edges, paths, weights):
    workload = WORKLOADS[name]
    convolution = problem.convolution_of(workload, tfn_l3)
    assert workload.edges == edges
    assert (len(convolution.paths), convolution.weight_numel) == (paths, weights)


def test_the_lattice_is_diamond_with_158_neighbours_within_6_angstrom():
    pytest.importorskip("ase")
    pytest.importorskip("vesin")
    graph, vectors = workloads.build_graph(Workload("carbon", "1x0e", "0e", "0e", 64, 158, "diamond"))
    assert (graph.num_nodes, graph.num_edges) == (64, 64 * 158)
    lengths = torch.linalg.vector_norm(vectors, dim=1)
    assert lengths.max() < 6
    # Nearest neighbours lie √3/4 of the lattice constant apart; float32 positions are good to 1e-5.
    assert abs(lengths.min().item() - 3**0.5 / 4 * workloads.DIAMOND) < 1e-4
    assert (graph.target.diff() >= 0).all()


@pytest.fixture
def structure(tmp_path):
    """Three atoms in a row, 5 Å from one to the next: four edges within 6 Å, of which dhfr has more."""
    file = tmp_path / "row.npz"
    positions = np.array([[0, 0, 0], [0, 5, 0], [0, 10, 0]], dtype=np.float32)
    np.savez(file, z=np.array([1, 6, 8], dtype=np.uint8), pos=positions)
    return file


def test_a_structure_comes_from_its_file(structure):
    (dhfr,) = workloads.find(["dhfr"], structure)
    graph, vectors = workloads.build_graph(replace(dhfr, nodes=3, neighbors=4 / 3))
    assert (graph.num_nodes, graph.target.tolist()) == (3, [0, 1, 1, 2])
    assert torch.equal(vectors[:, 1], torch.tensor([-5.0, 5, -5, 5]))
    with pytest.raises(ValueError, match=r"row\.npz has 3 atoms and 4 edges within 6 Å; dhfr has 2,489 and"):
        workloads.build_graph(dhfr)


def test_without_its_structure_a_workload_says_what_it_needs(structure):
    needed = "dhfr needs the protein of .*5DFR.* --data"
    for nothing in (lambda: workloads.find(["dhfr"]), lambda: workloads.build_graph(WORKLOADS["dhfr"])):
        with pytest.raises(ValueError, match=needed):
            nothing()
    with pytest.raises(FileNotFoundError, match=r"data: .*none\.npz is not a file"):
        workloads.find(["dhfr"], structure.with_name("none.npz"))
    without, given = ([each.name for each in workloads.find(["gpu"], data)] for data in (None, structure))
    assert given == [*without, "dhfr"] == list(workloads.SERIES["gpu"])
    (line,) = workloads.left_out(["tfn-l3", "gpu"])
    assert line.startswith("left out: data: dhfr needs")
    assert workloads.left_out(["gpu"], structure) == workloads.left_out(["degree", "dhfr"]) == []


@pytest.mark.parametrize("name", ["mace-large-small", "molecule-9"])
def test_edges_come_in_order_of_targets(name):
    """Some peers ask for it."""
    graph, _ = workloads.build_graph(WORKLOADS[name])
    assert (graph.target.diff() >= 0).all()


def test_every_process_draws_the_same_operands(tfn_l1):
    workload = Workload("tiny", "2x0e+2x1o", "0e+1o", "0e+1o", 4, 3)
    first, second = (problem.draw(workload, tfn_l1) for _ in range(2))
    for name in ("vectors", "features", "weights", "cotangent", "target"):
        assert torch.equal(getattr(first, name), getattr(second, name))


def test_the_least_work_of_a_convolution_counted_by_hand(tfn_l1):
    """(0,0,0): 1 pair, min 1. (1,1,0): 3 pairs (m, 0), min 1. 5 channels, 12 edges."""
    workload = Workload("tiny", "5x0e+5x1o", "0e+1o", "0e", 4, 3)
    convolution = problem.convolution_of(workload, tfn_l1)
    pairs, scalings, edges = 5 * (1 + 3), 5 * (1 + 1), 12
    inputs = 16 * 12 + 4 * (12 * 3 + 4 * 20 + 12 * 10)  # indices, vectors, features, weights
    sums = 4 * 4 * 10
    forward = problem.work(convolution, workload, "forward")
    assert forward == Work(edges * (2 * pairs + scalings), inputs + sums)
    gradients = sums + 4 * (12 * 3 + 4 * 20 + 12 * 10)  # the cotangent in, three gradients out
    assert problem.work(convolution, workload, "gradient") == Work(
        edges * (6 * pairs + 5 * scalings), inputs + gradients
    )
    assert problem.work(convolution, workload, "training").flops == edges * (10 * pairs + 9 * scalings)
    with pytest.raises(ValueError, match="mode: got 'backward'; it must be one of forward"):
        problem.work(convolution, workload, "backward")
