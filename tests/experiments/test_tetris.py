"""Tetris: geometry of the shapes, the theorem on even paths, and a run from end to end."""

from __future__ import annotations

import io
import itertools
import json

import pytest
import torch

from tfngen.experiments import tetris
from tfngen.experiments.tetris_models import PlainNetwork, TetrisNetwork, predict
from tfngen.experiments.tetris_shapes import CHIRAL_PAIR, NAMES, REACH, Copies, shape_positions
from tfngen.experiments.training import DivergenceError, reproducible

STEPS, ROTATIONS = 150, 50
FLOAT64_ROUNDING = 1e-12  # of logits of size 1 to 10


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("tetris")


@pytest.fixture(scope="module")
def result(tfn_l1, out):
    return tetris.run(tfn_l1, out, steps=STEPS, rotations=ROTATIONS)


# ── geometry ────────────────────────────────────────────────────────────────────────────────────────────


def distances(points):
    return tuple(sorted(round(float(d) ** 2) for d in torch.pdist(points)))


def signed_volumes(points):
    """det(p₂ − p₁, p₃ − p₁, p₄ − p₁) for each way to walk the chain p₁ … p₄ of nearest neighbours."""
    return {
        round(float(torch.linalg.det(points[list(order[1:])] - points[order[0]])))
        for order in itertools.permutations(range(4))
        if [round(float((points[a] - points[b]).norm() ** 2)) for a, b in itertools.pairwise(order)]
        == [1, 1, 1]
    }


def test_every_shape_is_four_connected_cubes():
    shapes = shape_positions()
    assert shapes.shape == (8, 4, 3)
    for shape in shapes:
        touching = torch.cdist(shape, shape).round(decimals=6) <= 1
        assert torch.linalg.matrix_power(touching.double(), 3).gt(0).all()
        assert len({tuple(point) for point in shape.tolist()}) == 4


def test_distances_tell_all_shapes_apart_but_the_chiral_pair():
    multisets = [distances(shape) for shape in shape_positions()]
    first, second = CHIRAL_PAIR
    assert multisets[first] == multisets[second]
    assert len(set(multisets)) == len(NAMES) - 1


def test_the_chiral_pair_are_mirror_images_and_not_rotations_of_each_other():
    first, second = (shape_positions()[shape] for shape in CHIRAL_PAIR)
    mirror = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    assert torch.equal(first * mirror, second)
    # Both ways along the chain give one determinant; a rotation would keep it, a mirror turns its sign.
    assert signed_volumes(first) == {-volume for volume in signed_volumes(second)}
    assert len(signed_volumes(first)) == 1
    assert signed_volumes(first) != {0}


def test_copies_are_motions_of_the_shapes():
    copies = Copies.draw(20, seed=3)
    shapes = shape_positions()
    torch.testing.assert_close(copies.rotated, shapes @ copies.rotations.mT)
    lengths = torch.cdist(copies.moved, copies.moved).flatten(2).sort(dim=2).values
    torch.testing.assert_close(
        lengths, torch.cdist(shapes, shapes).flatten(1).sort().values.expand(20, 8, 16)
    )
    shifts = copies.moved.mean(2) - copies.rotated.mean(2)
    assert 0.9 * REACH < shifts.abs().max() <= REACH
    assert torch.equal(copies.moved, Copies.draw(20, seed=3).moved)
    assert not torch.equal(copies.moved, Copies.draw(20, seed=4).moved)


# ── the networks ────────────────────────────────────────────────────────────────────────────────────────


def untrained(kernels, odd_paths):
    """A network with every parameter random, biases too."""
    with reproducible(5):
        network = TetrisNetwork(kernels, odd_paths).double()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.normal_(std=0.7)
    return network


def test_the_network_is_the_papers(tfn_l1):
    network = TetrisNetwork(tfn_l1)
    layers = network.points.layers
    assert len(layers) == 3
    assert all(layer.concatenate_input for layer in layers)
    assert [str(layer.irreps_in) for layer in layers] == ["4x0e", "4x0e+4x1e", "4x0e+4x1e"]
    assert [len(layer.convolution.product.paths) for layer in layers] == [2, 5, 2]
    assert network.dense.weight.shape == (8, 4)
    even = TetrisNetwork(tfn_l1, odd_paths=False)
    paths = [path.path for layer in even.points.layers for path in layer.convolution.product.paths]
    assert (1, 1, 1) not in paths
    assert (1, 1, 1) in [path.path for path in layers[1].convolution.product.paths]


def test_no_motion_or_order_changes_the_logits(tfn_l1):
    network = untrained(tfn_l1, odd_paths=True)
    logits = predict(network, Copies.draw(10, seed=1).moved, torch.float64)
    reference = predict(network, shape_positions(), torch.float64)
    scale = reference.abs().max()
    assert (logits - reference).abs().max() < FLOAT64_ROUNDING * scale


def test_without_odd_paths_mirror_images_have_the_same_logits(tfn_l1):
    """A theorem, so true of any weights; and with odd paths it is false."""
    first, second = CHIRAL_PAIR
    for odd_paths in (False, True):
        network = untrained(tfn_l1, odd_paths)
        logits = predict(network, shape_positions(), torch.float64)
        gap = (logits[first] - logits[second]).abs().max() / logits.abs().max()
        assert gap > 1e-6 if odd_paths else gap < FLOAT64_ROUNDING
        mirrored = predict(network, -Copies.draw(5, seed=1).moved, torch.float64)
        change = (mirrored - logits).abs().max() / logits.abs().max()
        assert change > 1e-6 if odd_paths else change < FLOAT64_ROUNDING


def test_chunks_change_nothing():
    with reproducible(0):
        model = PlainNetwork().double()
    positions = Copies.draw(5, seed=1).rotated
    whole, parts = (predict(model, positions, torch.float64, chunk) for chunk in (1000, 7))
    assert whole.shape == (5, 8, 8)
    torch.testing.assert_close(whole, parts)


# ── a run ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_shape_is_recognised_however_it_lies(result):
    assert result.network.test.per_shape == dict.fromkeys(NAMES, 1.0)
    assert result.network.test.confusion == tuple(
        tuple(ROTATIONS * (i == j) for j in range(8)) for i in range(8)
    )


def test_logits_stay_put(result):
    assert result.invariance["float32"]["rotation"] <= 1e-4
    assert result.invariance["float64"]["rotation"] <= 1e-10
    assert result.invariance["float64"]["motion"] <= 1e-10


def test_without_odd_paths_the_pair_is_a_coin_toss(result):
    assert result.even_only.chiral_gap <= 1e-4
    confusion = result.even_only.test.confusion
    assert all(sum(confusion[shape][guess] for guess in CHIRAL_PAIR) == ROTATIONS for shape in CHIRAL_PAIR)
    assert 0.3 <= result.even_only.test.chiral_pair <= 0.7
    assert result.network.chiral_gap > 1


def test_a_plain_network_knows_only_what_it_saw(result):
    assert result.plain.training_accuracy == 1
    assert result.plain.test.mean < 0.5


def test_a_good_run_has_no_failures_and_a_bad_one_names_them(result, tfn_l1, tmp_path):
    assert result.failures == []
    bad = tetris.run(tfn_l1, tmp_path, steps=1, rotations=2, picture=False)
    assert any(failure.startswith("plain network") for failure in bad.failures)
    assert any("accuracy" in failure for failure in bad.failures)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["results.json", "weights.safetensors"]


def test_results_and_picture_are_written(result, out):
    from matplotlib.image import imread

    assert sorted(file.name for file in out.iterdir()) == [
        "results.json",
        "tetris.png",
        "weights.safetensors",
    ]
    written = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert written["network"]["test"]["per_shape"] == dict.fromkeys(NAMES, 1.0)
    assert written["settings"]["steps"] == STEPS == len(written["network"]["curves"]["loss"])
    assert written["invariance"] == result.invariance
    assert written["versions"]["torch"] == torch.__version__
    picture = imread(out / "tetris.png")
    assert picture.shape[0] > 800
    assert picture.shape[1] > 1200
    assert picture[..., :3].std() > 0.05  # not a blank page


def test_the_terminal_gets_a_table(result):
    from rich.console import Console

    screen = io.StringIO()
    Console(file=screen, width=100).print(tetris.table(result))
    text = screen.getvalue()
    assert all(name in text for name in NAMES)
    assert "even paths only" in text


def test_saved_weights_give_the_same_numbers(result, tfn_l1, out):
    accuracy, invariance = tetris.evaluate(out / "weights.safetensors", tfn_l1, ROTATIONS)
    assert accuracy == result.network.test
    assert invariance == result.invariance
    elsewhere, _ = tetris.evaluate(out / "weights.safetensors", tfn_l1, 20, seed=99)
    assert elsewhere.mean == 1


def test_other_weights_are_refused(tfn_l1, tmp_path):
    from tfngen.nn import weights

    path = tmp_path / "other.safetensors"
    weights.save(TetrisNetwork(tfn_l1), path, experiment="gravity")
    with pytest.raises(ValueError, match=r"path: .* not written by the Tetris experiment"):
        tetris.evaluate(path, tfn_l1)
    weights.save(PlainNetwork(), path, experiment="tetris")
    with pytest.raises(ValueError, match=r"path: .* another model"):
        tetris.evaluate(path, tfn_l1)


def test_the_same_seed_gives_the_same_bits(tfn_l1, tmp_path):
    def numbers(folder, seed):
        found = tetris.run(tfn_l1, tmp_path / folder, steps=5, seed=seed, rotations=2, picture=False)
        record = found.to_json()
        del record["seconds"]
        return record, (tmp_path / folder / "weights.safetensors").read_bytes()

    torch.manual_seed(1)
    first = numbers("a", 3)
    torch.manual_seed(2)
    assert first == numbers("b", 3)
    assert first != numbers("c", 4)


def test_float64_trains_too(tfn_l1, tmp_path):
    found = tetris.run(tfn_l1, tmp_path, steps=5, rotations=2, dtype="float64", picture=False)
    network, _ = tetris.load_network(tmp_path / "weights.safetensors", tfn_l1)
    assert network.dense.weight.dtype == torch.float64
    assert found.invariance["float64"]["motion"] < 1e-10


def test_progress_is_told_every_step_and_kernels_have_a_default(tmp_path):
    told = []
    tetris.run(out=tmp_path, steps=2, rotations=1, picture=False, progress=lambda *step: told.append(step))
    assert ("train network", 2, 2) in told
    assert [done for stage, done, _ in told if stage == "test"] == [1, 2, 3, 4]


def test_divergence_stops_with_the_step(tfn_l1, tmp_path, monkeypatch):
    monkeypatch.setattr(tetris, "LEARNING_RATE", 1e30)
    with pytest.raises(DivergenceError, match=r"train network, step \d+: the .* is (nan|inf)"):
        tetris.run(tfn_l1, tmp_path, steps=50, rotations=1, picture=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("steps", 1.5), ("rotations", 0), ("dtype", "float16"), ("seed", -1)],
)
def test_bad_arguments_are_named(tfn_l1, tmp_path, name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        tetris.run(tfn_l1, tmp_path / "out", **{name: value})
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder_is_named(tfn_l1, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^out: "):
        tetris.run(tfn_l1, tmp_path / "file")
