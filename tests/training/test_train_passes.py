"""Training of later passes: parts of labels that fit together, a loss that falls, and weights that place in passes."""

import json

import numpy as np
import pytest
import torch
from conftest import dinp_command, smooth_plane
from test_models_data import make_folder

from dinp.errors import DinpError
from dinp.models.masks.learned import learned_mask
from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import data, mask_shrink, passes_data, train_passes
from dinp.models.training.passes_data import NEVER, STAGES, Staged, matched, parted
from dinp.models.weights.hub import load_network, save_weights
from dinp.models.weights.mask_model import load_mask_model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(train_passes, "BATCH", 2)
    monkeypatch.setattr(train_passes, "VALIDATION_BATCHES", 2)
    return make_folder(tmp_path, monkeypatch, pictures=4)


def test_each_point_is_given_another_and_near_ones_first():
    points, others = np.array([[0, 0], [0, 1], [9, 9]]), np.array([[0, 2], [9, 8], [5, 5], [0, 1]])
    assert sorted(matched(points, others)) == [0, 1, 3]
    assert matched(points[:0], others).size == 0


def test_stages_part_the_teachers_points_and_as_many_of_the_networks(folder):
    crops, _ = data.load_masks(folder)
    staged = Staged(crops, load_mask_model())
    own, teacher = staged.stages(0)
    points = np.count_nonzero(crops.labels[0][0])
    np.testing.assert_array_equal(teacher < NEVER, crops.labels[0][0] > 0)
    assert abs(np.count_nonzero(own < NEVER) - points) <= 1
    for stage in range(STAGES):
        assert abs(np.count_nonzero(own < stage) - np.count_nonzero(teacher < stage)) <= 1


@pytest.mark.parametrize("of_network", [0.0, 1.0])
def test_what_is_placed_and_what_is_missing_make_a_mask(folder, of_network, monkeypatch):
    monkeypatch.setattr(passes_data, "OWN", of_network)
    monkeypatch.setattr(passes_data, "ONE_PASS", 0.2)
    crops, _ = data.load_masks(folder)
    own, teacher = Staged(crops, load_mask_model()).stages(0)
    rng = np.random.default_rng(0)
    shares = set()
    for _ in range(40):
        placed, missing = parted(own, teacher, rng)
        assert not (placed & missing).any()
        total = np.count_nonzero(placed) + np.count_nonzero(missing)
        assert 0.85 * np.count_nonzero(teacher < NEVER) <= total <= np.count_nonzero(teacher < NEVER) + 1
        shares.add(round(np.count_nonzero(placed) / total, 1))
    assert len(shares) > 5


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_run_begins_as_the_network_of_one_pass_and_learns(folder, optimiser):
    out = folder / "run"
    labels = folder / "train" / "teacher_masks.npz"
    arguments = ["train", "mask-passes", labels, "--data", folder, "--out", out, "--steps", 12, "--limit", 4]
    assert dinp_command(*arguments, "--peak", 0.5, "--optimiser", optimiser) == 0
    curve = json.loads((out / "curve.json").read_text())
    last = curve["curve"][-1]
    assert (curve["step"], len(last["valid_parts"])) == (12, 2)
    assert last["valid_other_sizes"] != last["valid"]
    model = load_mask_model(out / "weights.npz")
    assert np.count_nonzero(learned_mask(np.eye(40) * 90, 0.1, passes=3, model=model)) == 160
    begun = train_passes.begun(None)
    plane, density = torch.rand(1, 1, 40, 40) * 255, torch.tensor([0.1])
    old = load_network("mask")
    torch.testing.assert_close(begun(plane, density), old(plane, density))


def test_validation_in_other_sizes_is_the_same_on_what_is_seen_in_them(folder, monkeypatch):
    shares = []

    def as_they_are(planes, density, told, wanted, rng, share):
        shares.append(share)
        return (planes, density, told, wanted), (0, 0, 0, 0)

    monkeypatch.setattr(train_passes, "framed", as_they_are)
    followed = train_passes.train(folder, [folder / "train" / "teacher_masks.npz"], folder / "run", steps=1, limit=4)
    assert shares == [0.5, 0.5, train_passes.OTHER_SIZES]  # of two batches, and of one step
    assert followed.curve[-1]["valid_other_sizes"] == followed.curve[-1]["valid"]


def test_a_lighter_network_begins_near_the_larger_one_and_learns_from_its_answers(folder, monkeypatch):
    monkeypatch.setattr(mask_shrink, "CROPS", 4)
    monkeypatch.setattr(mask_shrink, "SIDE", 64)
    start, out = folder / "start.npz", folder / "run"
    form = ["--encode", "16,16,48,48,32", "--decode", "0,16,48,48"]
    assert dinp_command("train", "mask-start", "--data", folder, *form, "--out", start) == 0
    large, small = load_network("mask"), load_network("mask", start)
    assert small.config == large.config | {"encode": [16, 16, 48, 48, 32], "decode": [0, 16, 48, 48]}
    plane, density = torch.from_numpy(smooth_plane((64, 64), seed=1))[None, None].float(), torch.tensor([0.05])
    blind = MaskNetwork(**small.config)
    with torch.no_grad():
        given = mask_shrink.crops(folder, large, np.random.default_rng(9))  # such as it was fitted on, but others
        near, far = ((network(*given) - large(*given)).square().mean() for network in (small, blind))
    assert near < 0.5 * far
    labels = folder / "train" / "teacher_masks.npz"
    arguments = ["train", "mask-passes", labels, "--data", folder, "--out", out, "--steps", 2, "--limit", 4]
    assert dinp_command(*arguments, "--start", start, "--distil", 0.5) == 0
    assert json.loads((out / "curve.json").read_text())["distil"] == 0.5
    arguments[arguments.index(2)] = 3
    assert dinp_command(*arguments, "--resume", "--distil", 0.5) == 0  # in the same form
    assert json.loads((out / "curve.json").read_text())["step"] == 3
    model = load_mask_model(out / "weights.npz")  # whose graphs are made here
    found = model.of(plane[0, 0].numpy(), 0.05)(np.eye(64, dtype=bool))
    with torch.inference_mode():
        told = load_network("mask", out / "weights.npz")(plane, density, torch.eye(64)[None, None])
    np.testing.assert_allclose(found, told[0, 0].numpy(), atol=1e-4)


def test_what_a_teacher_answers_is_what_is_to_be_answered():
    network = train_passes.begun(None).eval()
    plane, density, placed = torch.rand(1, 1, 32, 32) * 255, torch.tensor([0.1]), torch.zeros(1, 32, 32)
    with torch.inference_mode():
        own = network(plane, density, placed[:, None])[:, 0]
        missing = (own > 0.2).float()
        as_told, other = (
            train_passes.passes_loss(network, plane, density, placed, missing, told=told)[0]
            for told in (own, own.flip(2))
        )
    assert as_told < other


def test_the_loss_tells_right_answers_from_wrong_ones():
    network = train_passes.begun(None)
    plane, density = torch.rand(1, 1, 32, 32) * 255, torch.tensor([0.1])
    confident = network(plane, density)[0, 0] > 0.2
    assert 0 < confident.sum() < 500
    placed = torch.zeros(1, 32, 32)
    with torch.inference_mode():
        right, wrong = (
            train_passes.passes_loss(network, plane, density, placed, missing.float()[None])[0]
            for missing in (confident, ~confident)
        )
    assert right < wrong


def test_a_margin_is_seen_and_not_judged():
    network = train_passes.begun(None).eval()
    plane, density, placed = torch.rand(1, 1, 96, 96) * 255, torch.tensor([0.1]), torch.zeros(1, 96, 96)
    placed[:, :16] = 1  # in the margin only
    with torch.inference_mode():
        found = network(plane, density, placed[:, None], (16, 8, 16, 16))
        assert found.shape == (1, 1, 64, 72)
        assert found.mean().item() == pytest.approx(0.1, rel=1e-3)
        other = network(plane, density, torch.zeros(1, 1, 96, 96), (16, 8, 16, 16))
        assert (found - other).abs().max() > 0.01
        missing = torch.zeros(1, 64, 72)
        missing[:, 30:34, 30:34] = 1
        loss, (first, later) = train_passes.passes_loss(network, plane, density, placed, missing, (16, 8, 16, 16))
    entropy = torch.nn.functional.binary_cross_entropy(found[:, 0], missing, reduction="sum")
    torch.testing.assert_close(first, entropy / 16, rtol=1e-3, atol=0)  # what is placed in the margin is not counted
    torch.testing.assert_close(loss, entropy / (64 * 72) * (0.04 * 64 * 72 / 16) ** 0.5, rtol=1e-3, atol=0)
    assert later == 0


def test_a_resumed_run_places_the_points_of_the_network_that_it_began_with(folder, monkeypatch):
    labels, start, out = folder / "train" / "teacher_masks.npz", folder / "start.npz", folder / "run"
    network = train_passes.begun(None)
    torch.nn.init.zeros_(network.second.weight)
    save_weights(start, "mask", network.config, network.state_dict())
    seen = []

    class Seen(Staged):
        def __init__(self, crops, model):
            confidences = model(np.eye(32) * 90, 0.1)
            seen.append(np.ptp(confidences))
            super().__init__(crops, model)

    monkeypatch.setattr(train_passes, "Staged", Seen)
    train_passes.train(folder, [labels], out, steps=1, limit=4, start=start)
    start.unlink()
    train_passes.train(folder, [labels], out, steps=2, limit=4, resume=True)
    assert seen == 4 * [0.0]
    assert json.loads((out / "curve.json").read_text())["start"] == "start.npz"
    assert np.ptp(load_mask_model(out / "weights.npz")(np.eye(32) * 90, 0.1)) > 0
    (out / "known.npz").unlink()
    with pytest.raises(DinpError, match="is missing: copy the weights"):
        train_passes.train(folder, [labels], out, steps=3, limit=4, resume=True)


def test_labels_that_are_missing_are_told(folder):
    with pytest.raises(DinpError, match="missing"):
        train_passes.train(folder, [folder / "none.npz"], folder / "run", steps=1)
