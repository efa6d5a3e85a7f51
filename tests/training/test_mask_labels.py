"""Labels for the mask network: in the documented form, at the wanted densities, worth more than a short refinement."""

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image

from dinp.errors import DinpError
from dinp.models.masks.refinement import learned_refined_mask, long_refined_mask
from dinp.models.masks.report import mask_worth
from dinp.models.training import data, mask_labels
from dinp.models.training.data import dihedral


@pytest.fixture
def folder(tmp_path, monkeypatch):
    from skimage.data import camera

    monkeypatch.setattr(data, "MASK_CROP", 64)
    picture = camera()[100:190, 180:300]
    for name in ("bsds", "cid22"):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.fromarray(picture if name == "bsds" else picture[::-1]).save(tmp_path / "train" / name / "a.png")
    return tmp_path


def test_labels_are_made_and_read(folder):
    out = folder / "labels" / "masks.npz"
    arguments = ["--data", str(folder), "--out", str(out), "--count", "3", "--seed", "4"]
    assert dinp_command("train", "mask-labels", *arguments) == 0
    with np.load(out) as found:
        assert all(0.008 <= d <= 0.14 for d in found["density"])
        masks = np.unpackbits(found["bits"], axis=1, count=64 * 64).reshape(3, 64, 64)
        assert masks.sum(axis=(1, 2)).tolist() == [round(d * 64 * 64) for d in found["density"]]
    training, held = data.load_masks(folder, files=[out])
    assert len(training) + len(held) == 3
    assert dinp_command("train", "mask-labels", *arguments[:-4], "--count", "0") == 2
    with pytest.raises(DinpError, match="at least one label"):
        mask_labels.make(folder, 0, 4)


@pytest.mark.parametrize("k", range(8))
def test_crops_are_turned_back(k):
    a = np.arange(15).reshape(3, 5)
    assert np.array_equal(mask_labels.turned_back(dihedral(a, k), k), a)


def test_long_refinement_is_worth_more():
    from skimage.data import camera

    plane = camera()[100:228, 180:308].astype(float)
    masks = [method(plane, 0.05, 1) for method in (learned_refined_mask, long_refined_mask)]
    short, long = (mask_worth(plane, mask).tonal_psnr for mask in masks)
    assert long > short


def test_an_interrupted_run_keeps_its_masks(folder, monkeypatch, capsys):
    made = []

    def interrupted(*args, **options):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(long_refined_mask(*args, rounds=1, **options))
        return made[-1]

    monkeypatch.setattr(mask_labels, "long_refined_mask", interrupted)
    out = folder / "masks.npz"
    assert dinp_command("train", "mask-labels", "--data", folder, "--out", out, "--count", 5) == 0
    assert "2 of 5 masks" in capsys.readouterr().err
    with np.load(out) as found:
        assert len(found["bits"]) == 2
