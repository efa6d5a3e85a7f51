"""Training of later passes: parts of labels that fit together, a loss that falls, and weights that place in passes."""

import json

import numpy as np
import pytest
import torch
from conftest import dinp_command
from test_models_data import make_folder

from dinp.errors import DinpError
from dinp.models.masks.learned import learned_mask
from dinp.models.training import data, passes_data, train_passes
from dinp.models.training.passes_data import NEVER, STAGES, Staged, matched, parted
from dinp.models.weights.hub import load_network
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
    assert (curve["step"], len(curve["curve"][-1]["valid_parts"])) == (12, 2)
    model = load_mask_model(out / "weights.npz")
    assert np.count_nonzero(learned_mask(np.eye(40) * 90, 0.1, passes=3, model=model)) == 160
    begun = train_passes.begun(None)
    plane, density = torch.rand(1, 1, 40, 40) * 255, torch.tensor([0.1])
    old = load_network("mask")
    torch.testing.assert_close(begun(plane, density), old(plane, density))


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


def test_labels_that_are_missing_are_told(folder):
    with pytest.raises(DinpError, match="missing"):
        train_passes.train(folder, [folder / "none.npz"], folder / "run", steps=1)
