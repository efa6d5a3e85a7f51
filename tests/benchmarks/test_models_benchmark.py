"""The benchmark of masks: what it measures, and the file it leaves."""

import json
import math
import sys

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image
from scipy.ndimage import maximum_filter

from dinp.benchmarks.masks import limits, seconds, sizes
from dinp.benchmarks.masks import measuring as masks
from dinp.models.masks import report as mask_report
from dinp.models.masks.analytic import random_mask
from dinp.models.weights import files


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
    assert dinp_command("bench", "masks", "run", *arguments) == 0
    result = json.loads(out.read_text())
    assert result["pictures"] == ["0.png", "1.png"]
    assert {"date", "commit", "cpu", "versions", "threads"} <= result.keys()
    rows = {row["method"]: row for row in result["results"]}
    assert rows.keys() == masks.METHODS.keys()
    for row in rows.values():
        assert row["plain_psnr"] == pytest.approx(np.mean(row["plain"]), abs=1e-3)
        assert row["tonal_psnr"] >= row["plain_psnr"]
        assert row["seconds"] > 0
    margin = next(m for m in result["margins"] if (m["method"], m["over"]) == ("learned", "random"))
    assert margin["plain_db"] == pytest.approx(rows["learned"]["plain_psnr"] - rows["random"]["plain_psnr"], abs=2e-3)


def _run(folder, *more, pictures="2"):
    out = folder / "masks.json"
    arguments = ["--data", str(folder), "--pictures", pictures, "--size", "32", "--densities", "0.05,0.1"]
    assert dinp_command("bench", "masks", "run", *arguments, "--out", out, *more) == 0
    return json.loads(out.read_text())


def test_a_run_is_continued_where_it_stopped(folder, monkeypatch, capsys):
    quick = {"random": random_mask, "analytic": masks.analytic_mask, masks.SPARSIFICATION: random_mask}
    monkeypatch.setattr(masks, "METHODS", quick)
    first = _run(folder, "--method", "random")
    assert len(first["results"]) == 2
    second = _run(folder, "--slow-pictures", "1")
    assert [(r["method"], r["run"], len(r["tonal"])) for r in second["results"][:3]] == [
        ("random", 0, 2),
        ("analytic", 1, 2),
        (masks.SPARSIFICATION, 1, 1),
    ]
    assert [r for r in second["results"] if r["method"] == "random"] == first["results"]
    assert len(second["runs"]) == 2
    capsys.readouterr()
    assert _run(folder, "--slow-pictures", "1") == second
    assert capsys.readouterr().err == ""
    again = _run(folder, "--slow-pictures", "1", "--again", "analytic")
    assert {r["method"]: r["run"] for r in again["results"]} == {"random": 0, "analytic": 2, masks.SPARSIFICATION: 1}
    left = _run(folder, "--slow-pictures", "1", "--method", "random", "--again", "analytic")
    assert left == again  # what will not be measured anew is not dropped


def test_results_of_other_settings_are_not_overwritten(folder, capsys):
    arguments = ["--data", str(folder), "--size", "32", "--densities", "0.05", "--method", "random"]
    out = folder / "masks.json"
    assert dinp_command("bench", "masks", "run", *arguments, "--pictures", 2, "--out", out) == 0
    text = out.read_text()
    capsys.readouterr()
    assert dinp_command("bench", "masks", "run", *arguments, "--pictures", 3, "--out", out) == 1
    assert "another pictures: give another --out" in capsys.readouterr().err
    assert out.read_text() == text


def test_margins_are_over_common_pictures():
    rows = [
        {"method": "learned", "density": 0.1, "plain": [3.0, 5.0], "tonal": [4.0, 9.0]},
        {"method": "other", "density": 0.1, "plain": [2.0], "tonal": [5.0]},
    ]
    (margin,) = masks.margins(rows)
    assert (margin["over"], margin["plain_db"], margin["plain_won"], margin["tonal_db"]) == ("other", 1, 1, -1)
    assert margin["pictures"] == 1


def test_table_and_plots(folder, monkeypatch):
    monkeypatch.setattr(masks, "METHODS", {"random": random_mask, masks.EXCHANGE: masks.analytic_mask})
    readme = folder / "README.md"
    readme.write_text("before <!-- masks --> old <!-- end --> after")
    _run(folder, "--extrapolate", "1", "--slow-pictures", "1")
    assert dinp_command("bench", "masks", "table", folder / "masks.json", "--readme", readme) == 0
    assert dinp_command("bench", "masks", "plot", folder / "masks.json", "--out", folder / "plots") == 0
    table = readme.read_text()
    assert f"{masks.EXCHANGE} (first 1 pictures)" in table
    assert "extrapolated" in table
    assert "old" not in table
    for name in ("density", "seconds"):
        with Image.open(folder / "plots" / f"masks_{name}.png") as plot:
            assert plot.width > 300


def test_claims_are_differences_over_common_pictures():
    rows = [
        {"method": "learned", "density": 0.1, "plain": [0, 0, 0], "tonal": [4.0, 9.0, 5.0]},
        {"method": masks.EXCHANGE, "density": 0.1, "plain": [0, 0, 0], "tonal": [5.0, 9.5, 3.0]},
        {"method": masks.SETTLED, "density": 0.1, "plain": [0, 0], "tonal": [4.5, 8.0]},
        {"method": "random", "density": 0.1, "plain": [0, 0, 0], "tonal": [1.0, 1.0, 1.0]},
    ]
    lines = masks.claims_table({"results": rows}).splitlines()
    assert lines[2:] == [
        f"| learned | {masks.EXCHANGE} | +0.17 (1) |",
        f"| learned | {masks.SETTLED} | +0.25 (1) |",
    ]


def test_a_file_of_something_else_is_not_overwritten(folder, capsys):
    out = folder / "masks.json"
    out.write_text("[1]")
    assert dinp_command("bench", "masks", "run", "--data", folder, "--out", out) == 1
    assert "not a file of this benchmark" in capsys.readouterr().err
    assert out.read_text() == "[1]"


def test_without_matplotlib_nothing_is_left(folder, monkeypatch, capsys):
    monkeypatch.setattr(masks, "METHODS", {"random": random_mask})
    _run(folder)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert dinp_command("bench", "masks", "plot", folder / "masks.json", "--out", folder / "plots") == 1
    assert "pip install 'dinp[bench]'" in capsys.readouterr().err
    assert not (folder / "plots").exists()


def test_an_unknown_method_is_refused(folder, capsys):
    arguments = ["--data", folder, "--out", folder / "masks.json", "--method", "magic"]
    assert dinp_command("bench", "masks", "run", *arguments) == 1
    assert "no method 'magic'" in capsys.readouterr().err


def test_a_folder_without_pictures_is_an_error(tmp_path, capsys):
    assert dinp_command("bench", "masks", "run", "--data", tmp_path, "--out", tmp_path / "x.json") == 1
    assert "no pictures" in capsys.readouterr().err


def test_psnr_clips_the_reconstruction():
    plane = np.array([[0.0, 255.0]])
    assert mask_report.psnr(plane, np.array([[-50.0, 300.0]])) == math.inf
    assert mask_report.psnr(plane, np.array([[25.5, 229.5]])) == pytest.approx(20)


def test_tonal_optimisation_never_loses():
    y, x = np.mgrid[:32, :32]
    plane = 100 + 50 * np.sin(x / 4) * np.cos(y / 5)
    plain, tonal = masks.measure(plane, random_mask(plane, 0.1, 0))
    assert tonal > plain + 0.5


@pytest.mark.parametrize("shape", [(1, 5), (32, 1), (16, 16), (64, 64)])
@pytest.mark.parametrize("points", [1, 2, 4])
def test_tonal_optimisation_of_few_points_ends_at_the_optimum(shape, points):
    y, x = np.mgrid[: shape[0], : shape[1]]
    plane = 100 + 50 * np.sin(x / 4) * np.cos(y / 5) + 3 * np.cos(17 * x * y + 5 * y)
    mask = random_mask(plane, points / plane.size, 0)
    plain, tonal = masks.measure(plane, mask)
    assert tonal > plain - 1e-6
    if points == 1:
        best = mask_report.psnr(plane, np.full(shape, plane.mean()))  # one point inpaints a constant
        assert tonal == pytest.approx(best, abs=1e-3)


def test_the_central_crop_is_central(tmp_path):
    picture = np.zeros((10, 20), dtype=np.uint8)
    picture[3:7, 8:12] = 200
    Image.fromarray(picture).save(tmp_path / "p.png")
    assert (masks.central_crop(tmp_path / "p.png", 4) == 200).all()
    assert masks.central_crop(tmp_path / "p.png", 64).shape == (10, 20)
    assert masks.central_crop(tmp_path / "p.png", 0).shape == (10, 20)


def test_seconds_of_three_pictures_are_told_with_ratios(folder, capsys, monkeypatch):
    monkeypatch.setattr(seconds, "TIMED", ("learned", *seconds.OPPONENTS))
    for name in ("report/kodak", "uhd"):
        (folder / name).mkdir(parents=True)
        Image.fromarray(np.tile(np.arange(96, dtype=np.uint8), (64, 1))).save(folder / name / "1.png")
    readme = folder / "README.md"
    readme.write_text("<!-- mask seconds --> old <!-- end -->")
    out = folder / "seconds.json"
    more = ["--repeats", 1, "--readme", readme]
    assert dinp_command("bench", "masks", "seconds", "--data", folder, "--out", out, *more) == 0
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 3 * 3
    assert all(row["seconds"] > 0 and row["peak_mib"] > 10 for row in rows)
    every_swap = [row for row in rows if row["method"] == seconds.EVERY_SWAP]
    assert all(row["how"] == "extrapolated from 20 swaps" for row in every_swap)
    assert all(row["how"] == "measured" for row in rows if row not in every_swap)
    table = readme.read_text()
    assert "6,144 pixels" in table
    assert "old" not in table
    assert dinp_command("bench", "masks", "seconds", "--data", folder / "uhd", "--out", out) == 1
    assert "no pictures" in capsys.readouterr().err


def test_exchange_of_a_large_picture_is_extrapolated(folder, monkeypatch):
    monkeypatch.setattr(seconds, "LARGE", 1000)
    path = next((folder / "report/bsds_test").iterdir())
    row = seconds.timed(path, 48, masks.EXCHANGE, 0.05, 1)
    assert (row["how"], row["pixels"]) == ("extrapolated from 2 batches", 40 * 48)
    assert row["seconds"] > 0


def test_density_and_detail_of_confidences_are_exchanged():
    rng = np.random.default_rng(0)
    one, other = rng.random((40, 40)) * 0.2, rng.random((40, 40)) * 0.2
    np.testing.assert_allclose(limits.exchanged(one, one), one, rtol=1e-6)
    dense = np.where(np.arange(40) < 20, 0.4, 0.1) * np.ones((40, 1))
    made = limits.exchanged(dense, other, width=2.0)
    assert 3.5 < made[:, :14].mean() / made[:, 26:].mean() < 4.5
    assert np.corrcoef(made[5:-5, :14].ravel(), other[5:-5, :14].ravel())[0, 1] > 0.7


def test_points_are_moved_to_the_best_pixel_near_them_and_none_is_lost():
    rng = np.random.default_rng(1)
    mask, other = rng.random((30, 30)) < 0.05, rng.random((30, 30))
    own = rng.random((30, 30))
    moved = limits.snapped(mask, own, other)
    assert moved.sum() == mask.sum()
    assert maximum_filter(moved, 3)[mask].all()
    assert other[moved].mean() > other[mask].mean() + 0.3
    full = np.ones((5, 5), dtype=bool)
    np.testing.assert_array_equal(limits.snapped(full, own[:5, :5], other[:5, :5]), full)


def test_masks_of_two_networks_are_named_for_what_they_are():
    rng = np.random.default_rng(2)
    detail = rng.random((2, 48, 48)) ** 8 * 0.2
    dense = np.where(np.arange(48) < 24, 3.0, 0.3)
    one, other = (lambda *_: detail[0] * dense), (lambda *_: detail[1] * dense[::-1])
    masks_made = limits.masks_of(np.zeros((48, 48)), 0.05, one, other)
    left = {name: mask[:, :24].sum() > mask[:, 24:].sum() for name, mask in masks_made.items()}
    near = {name: detail[0][mask].mean() > detail[1][mask].mean() for name, mask in masks_made.items()}
    assert left["own"]
    assert near["own"]
    assert left["own density, the other's detail"]
    assert not near["own density, the other's detail"]
    assert not left["the other's density, own detail"]
    assert near["the other's density, own detail"]
    assert not left["other"]
    assert not near["other"]


def test_what_limits_a_network_is_told_beside_the_shipped_one(folder):
    (folder / "report" / "bsds_test").rename(folder / "report" / "cid22")
    (folder / "report").rename(folder / "tune")
    readme, out = folder / "README.md", folder / "limits.json"
    readme.write_text("<!-- mask limits --> old <!-- end -->")
    more = ["--pictures", 2, "--readme", readme]
    assert dinp_command("bench", "masks", "limits", "--data", folder, "--out", out, *more) == 0
    rows = json.loads(out.read_text())["rows"]
    assert len({row["mask"] for row in rows}) == 5
    assert {row["density"] for row in rows} == set(limits.DENSITIES)
    assert all(row["pictures"] == 2 and 10 < row["tonal_psnr"] < 100 for row in rows)
    assert "| own |" in readme.read_text()


def test_masks_are_compared_in_several_sizes(folder, capsys):
    pictures = folder / "tune" / "cid22"
    pictures.parent.mkdir()
    (folder / "report" / "bsds_test").rename(pictures)
    readme, out = folder / "README.md", folder / "sizes.json"
    readme.write_text("<!-- mask sizes --> old <!-- end -->")
    arguments = ["--data", folder, "--out", out, "--pictures", 2, "--sizes", "24,32", "--readme", readme]
    assert dinp_command("bench", "masks", "sizes", *arguments) == 0
    rows = {(row["size"], row["density"], row["method"]): row for row in json.loads(out.read_text())["rows"]}
    assert rows.keys() == {(a, b, c) for a in (24, 32) for b in masks.DENSITIES for c in sizes.COMPARED}
    planes = [masks.central_crop(pictures / name, 24) for name in ("0.png", "2.png")]  # evenly chosen
    own, other = (
        np.mean([masks.measure(plane, masks.METHODS[name](plane, 0.1, seed))[1] for seed, plane in enumerate(planes)])
        for name in ("learned", sizes.OVER)
    )
    row = rows[24, 0.1, "learned"]
    assert (row["tonal_psnr"], row["tonal_db"]) == (pytest.approx(own, abs=1e-3), pytest.approx(own - other, abs=2e-3))
    assert "| learned | 24x24 |" in readme.read_text()
    ways = {"mask.npz, 4 passes": "learned", "mask.npz, one pass": "learned, one pass"}
    ways |= {"surrogate.npz, error diffusion": "learned with a surrogate"}
    for name in ("mask.npz", "surrogate.npz"):
        more = ["--weights", files.shipped(name), "--sizes", "24"]
        assert dinp_command("bench", "masks", "sizes", *arguments[:6], *more) == 0
        for row in json.loads(out.read_text())["rows"]:
            if same := ways.pop(row["method"], None) if row["density"] == 0.1 else None:
                assert row["tonal_psnr"] == rows[24, 0.1, same]["tonal_psnr"]
    assert not ways
    assert dinp_command("bench", "masks", "sizes", *arguments[:6], "--sizes", "24,64") == 1
    assert "is smaller than 64 x 64 pixels" in capsys.readouterr().err
