"""The benchmark of masks: what it measures, and the file it leaves."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from dinp.benchmarks import masks
from dinp.models.classical import random_mask


@pytest.fixture
def folder(tmp_path):
    pictures = tmp_path / "report" / "bsds_test"
    pictures.mkdir(parents=True)
    y, x = np.mgrid[:40, :50]
    for i in range(3):
        picture = 128 + 60 * np.sin(y / (3 + i)) + 60 * (x > 20 + i)
        Image.fromarray(picture.astype(np.uint8)).save(pictures / f"{i}.png")
    return tmp_path


def test_the_benchmark_writes_means_margins_and_where_it_ran(folder):
    out = folder / "masks.json"
    arguments = ["--data", str(folder), "--pictures", "2", "--size", "32", "--densities", "0.05", "--out", str(out)]
    assert masks.main(arguments) == 0
    result = json.loads(out.read_text())
    assert result["pictures"] == ["0.png", "1.png"]
    assert {"date", "commit", "cpu", "versions", "threads"} <= result.keys()
    rows = {row["method"]: row for row in result["results"]}
    assert rows.keys() == masks.METHODS.keys()
    for row in rows.values():
        assert row["plain_psnr"] == pytest.approx(np.mean(row["plain"]), abs=1e-3)
        assert row["tonal_psnr"] >= row["plain_psnr"]
        assert row["seconds"] > 0
    margin = next(m for m in result["margins"] if m["over"] == "random")
    assert margin["plain_db"] == pytest.approx(rows["learned"]["plain_psnr"] - rows["random"]["plain_psnr"], abs=2e-3)


def test_a_folder_without_pictures_is_an_error(tmp_path, capsys):
    assert masks.main(["--data", str(tmp_path), "--out", str(tmp_path / "x.json")]) == 1
    assert "no pictures" in capsys.readouterr().err


def test_psnr_clips_the_reconstruction():
    plane = np.array([[0.0, 255.0]])
    assert masks.psnr(plane, np.array([[-50.0, 300.0]])) == math.inf
    assert masks.psnr(plane, np.array([[25.5, 229.5]])) == pytest.approx(20)


def test_tonal_optimisation_never_loses():
    y, x = np.mgrid[:32, :32]
    plane = 100 + 50 * np.sin(x / 4) * np.cos(y / 5)
    plain, tonal = masks.measure(plane, random_mask(plane, 0.1, 0))
    assert tonal > plain + 0.5


def test_the_central_crop_is_central(tmp_path):
    picture = np.zeros((10, 20), dtype=np.uint8)
    picture[3:7, 8:12] = 200
    Image.fromarray(picture).save(tmp_path / "p.png")
    assert (masks.central_crop(tmp_path / "p.png", 4) == 200).all()
    assert masks.central_crop(tmp_path / "p.png", 64).shape == (10, 20)
