"""Piecewise smooth pictures and files without loss: tables worked out by hand, codecs that are exact, label maps."""

import json

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image
from skimage import data, measure

from dinp.benchmarks.rd import headline, labels, lossless, smooth
from dinp.benchmarks.rd.curves import Curve, Measured, Series
from dinp.benchmarks.rd.lossless_codecs import COMPARED, LOSSLESS
from dinp.errors import DinpError

RATES = np.array([0.02, 0.05, 0.1, 0.3, 0.6])
VALUES = np.array([30.0, 36.0, 42.0, 50.0, 58.0])


def series(codec, picture, bpp, psnr):
    rows = tuple({"settings": k, "bpp": b, "psnr": v} for k, (b, v) in enumerate(zip(bpp, psnr, strict=True)))
    return Series("smooth", "grey", codec, f"{picture}.png", "1", rows)


def cells(table, first):
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.head, row, strict=True))


def test_curves_end_at_a_value():
    curve = Curve(RATES, VALUES)
    cut = curve.below(50.0)
    np.testing.assert_allclose(cut.bpp, RATES[:4])
    between = curve.below(54.0)
    assert RATES[3] < between.bpp[-1] < RATES[4]
    assert between.values[-1] == 54.0
    assert curve.below(60.0) is curve


def test_files_without_loss_lie_above_sixty_decibels():
    curve = smooth.smooth_curve(series("webp", "a", [0.1, 0.2, 0.3], [40.0, 50.0, None]))
    assert curve.values[-1] == smooth.TOP
    assert 0.2 < curve.bpp[-1] < 0.3


def test_table_of_smooth_pictures():
    found = [series("avif", name, RATES, VALUES) for name in ("graph", "cartoon", "thermal")]
    found += [series("dinp", name, RATES * k, VALUES) for name, k in (("graph", 0.5), ("cartoon", 0.7), ("thermal", 1))]
    table = smooth.smooth_table(Measured(tuple(found), ()), "dinp")
    assert table.head == ("picture", "AVIF")
    assert [row[0] for row in table.rows] == ["graph", "cartoon", "mean of 2", "thermal", "mean of 3"]
    rates = [float(row[1].replace("\N{MINUS SIGN}", "-").removesuffix(" %")) for row in table.rows]
    assert rates == pytest.approx([-50, -30, -40, 0, -80 / 3], abs=0.5)  # the cuts at 0.02 bits per pixel differ
    with pytest.raises(DinpError, match="not measured together"):
        smooth.smooth_table(Measured(tuple(found[:3]), ()), "dinp")


def test_smooth_pictures_are_measured(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(data.camera()[100:148, 100:148]).save(folder / "graph.png")
    out = tmp_path / "rd.json"
    assert dinp_command("bench", "smooth", "run", "--pictures", folder, "--out", out, "--codecs", "webp,jpeg2000") == 0
    assert dinp_command("bench", "smooth", "table", out, "--codec", "webp") == 0
    told = capsys.readouterr().out
    assert "| graph |" in told
    assert "BD-rate (PSNR) of WebP against" in told
    assert dinp_command("bench", "smooth", "table", out) == 1
    assert "Error: dinp was not measured together" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in LOSSLESS if name not in ("crackle", "rvl")])
def test_lossless_codecs_are_exact(name):
    rng = np.random.default_rng(0)
    for picture in (labels.classes(np.arange(30)[:, None] // 4 + np.arange(40) // 5), rng.integers(0, 256, (9, 11))):
        picture = picture.astype(np.uint8)
        coded = LOSSLESS[name].run(picture)
        np.testing.assert_array_equal(coded.decoded, picture)
        assert len(coded.data) > 0
    assert set(COMPARED) <= set(LOSSLESS)
    assert set(LOSSLESS) == set(lossless.TITLES)


@pytest.mark.parametrize(("name", "module"), [("crackle", "crackle"), ("rvl", "rvl")])
def test_codecs_of_labels_and_depth(name, module):
    pytest.importorskip(module)  # not in the extras
    picture = (np.arange(30)[:, None] // 4 + np.arange(40) // 5).astype(np.uint8)
    np.testing.assert_array_equal(LOSSLESS[name].run(picture).decoded, picture)
    assert module in LOSSLESS[name].version()


def test_a_changed_sample_is_an_error(monkeypatch):
    picture = np.zeros((8, 8), np.uint8)
    monkeypatch.setattr(type(LOSSLESS["png"]), "decode", lambda self, data: Image.fromarray(picture + 1))
    with pytest.raises(DinpError, match="as it was"):
        LOSSLESS["png"].run(picture)


def test_label_maps(tmp_path):
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    for number in labels.PHOTOGRAPHS:
        Image.fromarray(coarse).resize((144, 96)).save(tmp_path / f"kodim{number}.png")
    maps = dict(labels.label_maps(tmp_path))
    assert len(maps) == 9
    assert all(one.dtype == np.uint8 and one.max() < labels.CLASSES for one in maps.values())
    assert maps["felz_03"].shape == (96, 144)
    regions = measure.label(maps["coins"], connectivity=1, background=255).max()
    assert regions == 656  # as in the measurements that the table is compared with
    (tmp_path / "kodim05.png").unlink()
    with pytest.raises(DinpError, match="Kodak"):
        dict(labels.label_maps(tmp_path))


def test_lossless_results_are_kept_by_codec(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    Image.fromarray(labels.classes(np.arange(40)[:, None] // 8 + np.arange(60) // 9)).save(folder / "a.png")
    out = tmp_path / "lossless.json"
    for codecs in ("png,webp", "webp,jpegxl"):
        assert dinp_command("bench", "lossless", "run", "--pictures", folder, "--out", out, "--codecs", codecs) == 0
    content = json.loads(out.read_text())
    assert [one["codec"] for one in content["files"]] == ["png", "webp", "jpegxl"]
    sizes = {one["codec"]: one["bytes"] for one in content["files"]}
    table = lossless.lossless_table(content)
    best = min(sizes.values())
    assert cells(table, "a")["PNG"].strip("*") == f"{sizes['png']:,}"
    assert cells(table, "against the best of PNG, WebP, JPEG XL, AVIF")["PNG"] == f"{sizes['png'] / best:.2f}"
    page = tmp_path / "page.md"
    page.write_text("<!-- lossless -->\n<!-- end -->\n")
    assert dinp_command("bench", "lossless", "table", out, "--readme", page) == 0
    assert "maps: bytes without loss" in page.read_text()


def test_headline(tmp_path):
    found = [series("avif-psnr", name, RATES, VALUES) for name in ("graph", "thermal")]
    found += [series("dinp", "graph", RATES / 2, VALUES), series("dinp", "thermal", RATES, VALUES)]
    text = headline.headline_table(Measured(tuple(found), ()))
    assert "| pictures | AVIF, PSNR |" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| disparity")]
    assert row.startswith("| disparity, flow, drawings (1) | −50.")
    with pytest.raises(DinpError, match="nothing of dinp"):
        headline.headline_table(Measured(tuple(found[:2]), ()))
