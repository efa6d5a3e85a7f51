"""A lighter restoration network: how it begins from a larger one, and distilling."""

import json

import numpy as np
import pytest
import torch
from conftest import dinp_command, smooth_plane
from PIL import Image
from restoration_reference import NumpyNetwork

from dinp.errors import DinpError
from dinp.models import load_restoration
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.training import restoration_data, restoration_planes, restoration_shrink, train_restoration
from dinp.models.training.restoration_crops import Crops
from dinp.models.training.restoration_data import Example
from dinp.models.weights.hub import load_network, save_weights
from dinp.restoration import DecodedPlane, Restoration

LARGE = {"widths": [16, 24, 24, 32]}
FORM = ["--widths", "16,16,24,32", "--encode", "0,8,24,16", "--decode", "8,0,16", "--head", "1"]
LIGHT = {"widths": [16, 16, 24, 32], "encode": [0, 8, 24, 16], "decode": [8, 0, 16], "head": 1}


def stirred(config, seed=3):
    torch.manual_seed(seed)
    network = RestorationNetwork(**config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    return network


def example(shape, seed=0, step=6.0):
    rng = np.random.default_rng(seed)
    plane = smooth_plane(shape, seed)
    side = rng.integers(1, 6, shape).astype(np.uint8)
    seen = DecodedPlane(plane + rng.normal(0, 5, shape), rng.random(shape) < 0.1, side, step)
    return Example(plane.astype(np.uint8), seen)


@pytest.fixture
def planes(tmp_path):
    teacher = stirred(LARGE, seed=5)
    save_weights(tmp_path / "large.npz", "restoration", teacher.config, teacher.state_dict())
    found = [example((200 + 16 * k, 224), seed=k) for k in range(2)]
    taught = [restoration_planes.correction(teacher, e.decoded) for e in found]
    np.savez(tmp_path / "planes.npz", **restoration_planes.packed(["a", "b"], found, taught))
    return tmp_path / "planes.npz"


def test_planes_and_corrections_are_read_as_they_were_written(planes):
    teacher = load_restoration(1, planes.parent / "large.npz")
    names, found, taught = restoration_planes.load_planes(planes)
    assert names == ["a", "b"]
    for k, (read, correction) in enumerate(zip(found, taught, strict=True)):
        made = example((200 + 16 * k, 224), seed=k)
        assert np.array_equal(read.original, made.original)
        assert np.array_equal(read.decoded.mask, made.decoded.mask)
        assert np.array_equal(read.decoded.side_log2, made.decoded.side_log2)
        wanted = teacher(made.decoded) - made.decoded.reconstruction  # the weights in 16 bits: a little off
        assert np.abs(correction - wanted).max() < 0.02 * np.abs(wanted).max()


def test_what_is_nowhere_smaller_is_the_same_network(planes):
    large = load_network("restoration", planes.parent / "large.npz")
    x = restoration_shrink.crops(planes, seed=1, count=2)
    same = restoration_shrink.shrink(large, x, **LARGE)
    with torch.inference_mode():
        assert torch.allclose(same(x), large(x), atol=1e-4)


def test_a_smaller_network_begins_near_the_larger_one(planes):
    out = planes.parent / "start.npz"
    arguments = [planes, "--out", out, "--teacher", planes.parent / "large.npz", *FORM]
    assert dinp_command("train", "restoration-start", *arguments) == 0
    small, large = load_network("restoration", out), load_network("restoration", planes.parent / "large.npz")
    assert small.config == LIGHT
    x = restoration_shrink.crops(planes, seed=2, count=4)
    with torch.inference_mode():
        y, wanted = small(x), large(x)
    assert (y - wanted).square().mean() < 0.5 * wanted.square().mean()


def test_the_teachers_share_is_mixed_into_the_target(planes):
    _, found, taught = restoration_planes.load_planes(planes)
    rng = np.random.default_rng
    drawn = [Crops(found, 128, 1.0, taught, share).draw(3, rng(4))[1] for share in (0, 0.25, 1)]
    assert np.allclose(0.75 * drawn[0] + 0.25 * drawn[2], drawn[1], atol=1e-2)
    assert not np.allclose(drawn[0], drawn[2], atol=0.1)


def test_a_light_network_is_trained_by_distilling(planes, monkeypatch):
    monkeypatch.setattr(train_restoration, "PIXELS", 2 * 128**2)
    out = planes.parent / "run"
    arguments = [planes, "--data", planes.parent, "--tune", planes, "--out", out]
    arguments += ["--steps", "3", "--no-bf16", "--distil", "0.5", *FORM]
    assert dinp_command("train", "restoration", *arguments) == 0
    curve = json.loads((out / "curve.json").read_text())
    assert curve["config"] == LIGHT
    assert curve["distil"] == 0.5
    assert load_network("restoration", out / "weights.npz").config == LIGHT


def test_files_that_hold_no_planes_are_an_error(planes, tmp_path):
    np.savez(tmp_path / "other.npz", planes=np.array("[]"))
    with pytest.raises(DinpError, match="planes of coded training pictures"):
        restoration_planes.load_planes(tmp_path / "other.npz")


def test_corrections_are_in_grey_levels():
    seen = example((64, 48)).decoded
    network = stirred(LIGHT)
    restoration = Restoration(NumpyNetwork({name: w.numpy() for name, w in network.state_dict().items()}), 1)
    one = restoration_planes.correction(network, seen, both=False)
    assert np.abs(seen.reconstruction + one - restoration(seen, draft=True)).max() < 1e-2


def test_a_teacher_restores_coded_pictures(tmp_path):
    teacher = stirred(LARGE, seed=5)
    save_weights(tmp_path / "large.npz", "restoration", teacher.config, teacher.state_dict())
    (tmp_path / "tune" / "cid22").mkdir(parents=True)
    Image.fromarray(smooth_plane((80, 70)).astype(np.uint8)).save(tmp_path / "tune" / "cid22" / "a.png")
    common = ["--data", tmp_path, "--out", tmp_path / "files.npz", "--set", "tune", "--colour", "0"]
    assert dinp_command("train", "restoration-data", *common) == 0
    given = [tmp_path / "files.npz", "--data", tmp_path, "--out", tmp_path / "planes.npz"]
    assert dinp_command("train", "restoration-planes", *given, "--teacher", tmp_path / "large.npz") == 0
    _, (found,), (taught,) = restoration_planes.load_planes(tmp_path / "planes.npz")
    assert found.original.shape == taught.shape
    wanted = load_restoration(1, tmp_path / "large.npz")(found.decoded) - found.decoded.reconstruction
    assert np.abs(taught - wanted).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.parametrize(("part", "count"), [("0 2", 2), ("1 2", 1)])
def test_a_part_of_the_pictures_is_coded(part, count, tmp_path):
    (tmp_path / "tune" / "cid22").mkdir(parents=True)
    for name in "abc":
        Image.fromarray(smooth_plane((20, 20)).astype(np.uint8)).save(tmp_path / "tune" / "cid22" / f"{name}.png")
    common = ["--data", tmp_path, "--out", tmp_path / "files.npz", "--set", "tune", "--part", *part.split()]
    assert dinp_command("train", "restoration-data", *common) == 0
    assert len(restoration_data.load(tmp_path / "files.npz")[0]) == count
    assert dinp_command("train", "restoration-data", *common[:-2], "2", "2") == 1
