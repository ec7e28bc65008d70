"""Gravity and inertia: their exact targets, what small runs learn, and runs that are stopped."""

from __future__ import annotations

import json

import pytest
import torch

from tfngen.experiments import gravity, inertia
from tfngen.experiments.mass_models import GravityNetwork, InertiaNetwork, gravity_radial, inertia_radials
from tfngen.experiments.motions import random_rotations
from tfngen.experiments.point_masses import HEAVIEST, LIGHTEST, PointMasses, accelerations, inertia_tensors


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ── sets of points ──────────────────────────────────────────────────────────────────────────────────────


def test_sets_are_what_they_are_asked_to_be():
    sets = PointMasses.draw(200, 2, 10, 2.0, 0.5, seeded())
    assert set(sets.sizes) == set(range(2, 11))
    assert len(sets.positions) == len(sets.masses) == sum(sets.sizes)
    assert 1.9 < sets.positions.abs().max() <= 2
    assert LIGHTEST <= sets.masses.min() < 0.55
    assert 1.95 < sets.masses.max() <= HEAVIEST
    for points in sets.positions.split(sets.sizes):
        assert torch.pdist(points).min() >= 0.5


def test_two_masses_attract_each_other_as_newton_says():
    positions = torch.tensor([[0.0, 0, 0], [0, 2, 0]], dtype=torch.float64)
    sets = PointMasses([2], positions, torch.tensor([3.0, 5.0], dtype=torch.float64))
    found = accelerations(sets.everybody_sees_everybody(), sets)
    torch.testing.assert_close(found, torch.tensor([[0.0, 5 / 4, 0], [0, -3 / 4, 0]], dtype=torch.float64))


def test_momentum_is_conserved_in_every_set():
    sets = PointMasses.draw(20, 2, 10, 2.0, 0.5, seeded())
    force = sets.masses[:, None] * accelerations(sets.everybody_sees_everybody(), sets)
    for part in force.split(sets.sizes):
        torch.testing.assert_close(part.sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_inertia_is_that_of_a_textbook():
    """A mass at height h on the y axis: m h² about x and z, nothing about y."""
    sets = PointMasses(
        [1, 2],
        torch.tensor([[0.0, 0.5, 0], [1, 0, 0], [-1, 0, 0]], dtype=torch.float64),
        torch.tensor([2.0, 1, 1], dtype=torch.float64),
    )
    graph, points, centres = sets.around_centres()
    assert points.masses[centres].tolist() == [0, 0]
    assert set(graph.target.tolist()) == set(centres.tolist())
    found = inertia_tensors(graph, points, centres)
    expected = torch.stack([torch.diag(torch.tensor(d)) for d in ([0.5, 0, 0.5], [0.0, 2, 2])]).double()
    torch.testing.assert_close(found, expected)


# ── networks ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mirrored", [False, True])
def test_networks_turn_with_their_points(tfn_l2, mirrored):
    sets = PointMasses.draw(4, 3, 6, 1.0, 0.3, seeded())
    rotation = random_rotations(1, seeded(1))[0] * (-1 if mirrored else 1)
    turned = PointMasses(sets.sizes, sets.positions @ rotation.T, sets.masses)
    force, tensor = GravityNetwork(tfn_l2).double(), InertiaNetwork(tfn_l2).double()
    graph = sets.everybody_sees_everybody()
    a, b = (force(graph, each.positions, each.masses) for each in (sets, turned))
    torch.testing.assert_close(b, a @ rotation.T)
    a, b = (tensor(graph, each.positions, each.masses) for each in (sets, turned))
    torch.testing.assert_close(b, rotation @ a @ rotation.T)
    torch.testing.assert_close(a, a.mT)


def test_radial_functions_are_those_of_the_network(tfn_l2):
    """What two points tell of f(r) puts together what the network says of any set."""
    sets = PointMasses.draw(1, 5, 5, 1.0, 0.3, seeded())
    graph = sets.everybody_sees_everybody()
    vectors, masses = graph.edge_vectors(sets.positions), sets.masses[graph.source]
    r = vectors.norm(dim=1)
    unit = vectors / r[:, None]

    network = GravityNetwork(tfn_l2).double()
    each = (gravity_radial(network, r) * masses)[:, None] * unit
    together = torch.zeros_like(sets.positions).index_add(0, graph.target, each)
    torch.testing.assert_close(together, network(graph, sets.positions, sets.masses))

    network = InertiaNetwork(tfn_l2).double()
    scalar, tensor = inertia_radials(network, r)
    eye = torch.eye(3, dtype=torch.float64)
    traceless = unit[:, :, None] * unit[:, None, :] - eye / 3
    each = masses[:, None, None] * (scalar[:, None, None] * eye + tensor[:, None, None] * traceless)
    together = torch.zeros(5, 3, 3, dtype=torch.float64).index_add(0, graph.target, each)
    torch.testing.assert_close(together, network(graph, sets.positions, sets.masses))


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────


def test_gravity_learns_newtons_law(tfn_l1, tmp_path):
    result = gravity.run(tfn_l1, tmp_path, steps=150, validation_sets=20)
    batched = result.fitted["batched"]
    assert batched.relative_error < 0.05
    assert result.median_errors["batched"] < 0.15
    assert batched.relative_error < result.fitted["published"].relative_error
    assert any(failure.startswith("published") for failure in result.failures)  # 150 steps are too few for it
    assert {file.name for file in tmp_path.iterdir()} == {
        "results.json",
        "weights.safetensors",
        "gravity.png",
    }
    saved = json.loads((tmp_path / "results.json").read_text())
    assert saved["fitted"]["batched"]["relative_error"] == batched.relative_error
    assert (tmp_path / "gravity.png").read_bytes().startswith(b"\x89PNG")


def test_inertia_learns_two_radial_functions(tfn_l2, tmp_path):
    result = inertia.run(tfn_l2, tmp_path, steps=1000, validation_sets=50)
    assert result.failures == []
    assert result.after("published").keys() == {1000}
    assert result.fitted["batched"].relative_error < 0.1
    assert {file.name for file in tmp_path.iterdir()} == {
        "results.json",
        "weights.safetensors",
        "inertia.png",
    }


class StoppedError(Exception):
    pass


def stop_at(stage, step):
    def progress(*told):
        if told[:2] == (stage, step):
            raise StoppedError

    return progress


@pytest.mark.parametrize(("experiment", "lmax"), [(gravity, 1), (inertia, 2)])
def test_a_stopped_run_is_resumed_bit_for_bit(request, tmp_path, experiment, lmax):
    """Its first training is done, its second is not: the one is read, the other done again."""
    kernels = request.getfixturevalue(f"tfn_l{lmax}")
    options = {"steps": 12, "validation_sets": 2, "picture": False}
    whole = experiment.run(kernels, tmp_path / "whole", **options)
    with pytest.raises(StoppedError):
        experiment.run(kernels, tmp_path / "part", **options, progress=stop_at("train batched", 5))
    with pytest.raises(ValueError, match=r"^out: .* holds an unfinished run; continue it with --resume"):
        experiment.run(kernels, tmp_path / "part", **options)
    with pytest.raises(ValueError, match=r"^checkpoint: .*seed is 0 there, 1 here"):
        experiment.run(kernels, tmp_path / "part", **options, seed=1, resume=True)
    part = experiment.run(kernels, tmp_path / "part", **options, resume=True)
    assert part.fitted == whole.fitted
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "part")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, r"^steps: 0"),
        ({"validation_sets": 0}, r"^validation_sets: 0"),
        ({"seed": -1}, r"^seed: -1"),
        ({"dtype": "float16"}, r"^dtype: 'float16'"),
        ({"device": "tpu"}, r"^device: 'tpu'; it must be 'cpu' or 'cuda'"),
    ],
)
@pytest.mark.parametrize("experiment", [gravity, inertia])
def test_bad_arguments_are_named_before_anything_is_written(tmp_path, experiment, wrong, message):
    with pytest.raises(ValueError, match=message):
        experiment.run(None, tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_a_set_has_two_points(tmp_path):
    with pytest.raises(ValueError, match=r"^most: 1; a set has at least 2 points"):
        inertia.run(None, tmp_path, most=1)
