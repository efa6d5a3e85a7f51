"""A lighter tree network: how it begins from a larger one, and what it imitates."""

import json

import numpy as np
import pytest
import torch
from conftest import dinp_command, smooth_plane
from PIL import Image
from test_models_data import make_folder

from dinp.errors import DinpError
from dinp.models.networks.tree import SIDES, TreeNetwork
from dinp.models.training import data, enlarged, train, tree_shrink
from dinp.models.weights.hub import load_network, save_weights

LARGE = {"widths": (8, 8, 12, 12, 8), "hidden": 8}
INSIDE = {"encode": [4, 8, 12, 12, 8], "decode": [0, 4, 12, 12]}
FORM = ["--encode", "4,8,12,12,8", "--decode", "0,4,12,12"]


@pytest.fixture
def teacher(tmp_path):
    torch.manual_seed(4)
    network = TreeNetwork(**LARGE).eval()
    for parameter in network.trunk.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    save_weights(tmp_path / "large.npz", "tree", network.config, network.state_dict())
    return network


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 2)
    monkeypatch.setattr(enlarged, "CROP", 64)
    monkeypatch.setattr(tree_shrink, "SIDE", 64)
    monkeypatch.setattr(tree_shrink, "CROPS", 4)
    return make_folder(tmp_path, monkeypatch, pictures=6)


def given(seed, count=2):
    planes = np.stack([smooth_plane((96, 96), seed + k) for k in range(count)])
    return data.to_tensors(planes, np.full(count, 0.05), [], torch.device("cpu"))[:2]


def test_what_is_nowhere_smaller_is_the_same_network(teacher):
    same = tree_shrink.shrink(load_network("tree"), *given(0))
    with torch.inference_mode():
        for one, two in zip(same(*given(1)), load_network("tree")(*given(1)), strict=True):
            assert torch.allclose(one, two, atol=1e-4)


def test_a_smaller_network_begins_near_the_larger_one():
    inside = {"encode": [16, 16, 48, 64, 48], "decode": [0, 16, 48, 64]}
    small = tree_shrink.shrink(load_network("tree"), *given(0), **inside)
    bare = TreeNetwork(**small.config)
    large = load_network("tree")
    assert {name: small.config[name] for name in inside} == inside
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in large.parameters())
    with torch.inference_mode():
        found, wanted, without = (network(*given(1)) for network in (small, large, bare))
    for one, two, other in zip(found, wanted, without, strict=True):
        assert (one - two).square().mean() < 0.2 * (other - two).square().mean()


def test_a_square_is_enlarged_whole_and_in_grey_or_colour(tmp_path):
    x = np.linspace(0, 255, 40).astype(np.uint8)
    Image.fromarray(np.broadcast_to(x, (30, 40)).copy()).save(tmp_path / "ramp.png")
    drawn = [enlarged.crop(tmp_path / "ramp.png", 64, np.random.default_rng(seed)) for seed in range(12)]
    assert {crop.shape for crop in drawn} == {(64, 64)}
    flat = [crop for crop in drawn if crop.std() < 1]
    ramps = [crop.astype(int) for crop in drawn if crop.std() >= 1]
    assert len(flat) >= 2  # planes of colour of a grey picture
    assert len(ramps) >= 2
    for ramp in ramps:  # 255 over 40 pixels of the picture are less over as many of the crop
        steps = [np.abs(np.diff(ramp, axis=axis)).mean() for axis in (0, 1)]
        assert min(steps) == 0
        assert max(steps) < 255 / 40


def test_labels_are_what_the_teacher_says_of_cells_that_exist(folder, teacher):
    planes, density, labels = enlarged.draw(enlarged.pictures(folder), teacher, 3, np.random.default_rng(2), 64)
    assert planes.shape == (3, 64, 64)
    assert [label.shape for label in labels] == [(3, 64 // s, 64 // s) for s in SIDES]
    assert ((density >= enlarged.FEW) & (density <= enlarged.MANY)).all()
    with torch.inference_mode():
        logits = teacher(*data.to_tensors(planes, density, [], torch.device("cpu"))[:2])
    exists = True
    for label, logit in zip(labels, logits, strict=True):
        split = torch.sigmoid(logit).numpy()
        assert np.array_equal(label, np.where(exists, split, data.ABSENT))
        exists = (exists & (split > enlarged.EXISTS)).repeat(2, axis=1).repeat(2, axis=2)
    assert 0 < np.mean(labels[-1] == data.ABSENT) < 1


def test_pictures_that_are_held_out_are_not_enlarged(folder, monkeypatch):
    monkeypatch.setattr(data, "HELD_OUT", 4)
    training, held = data.divided(folder)
    assert enlarged.pictures(folder) == training
    assert held
    assert not {*training} & {*held}
    with pytest.raises(DinpError, match="no training pictures"):
        enlarged.pictures(folder / "none")


def test_a_lighter_network_is_made_and_trained_by_distilling(folder, teacher):
    start, out = folder / "start.npz", folder / "run"
    common = ["--data", folder, "--teacher", folder / "large.npz", *FORM]
    assert dinp_command("train", "tree-start", *common, "--out", start) == 0
    made = load_network("tree", start)
    assert made.config == teacher.config | INSIDE
    arguments = ["--data", folder, "--out", out, "--limit", 4, "--distil", 0.5]
    assert dinp_command("train", "tree", *arguments, "--start", start, "--steps", 3) == 0
    assert dinp_command("train", "tree", *arguments, "--resume", "--steps", 4) == 0
    curve = json.loads((out / "curve.json").read_text())
    assert (curve["distil"], curve["step"]) == (0.5, 4)
    trained = load_network("tree", out / "weights.npz")
    assert trained.config == made.config
    assert any(not torch.equal(a, b) for a, b in zip(trained.parameters(), made.parameters(), strict=True))


def test_the_mask_network_is_not_distilled(folder):
    with pytest.raises(DinpError, match="only the tree network is distilled"):
        train.train("mask", folder, folder / "run", steps=1, distil=0.5)
