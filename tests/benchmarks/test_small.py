"""Very small files: squares, overhead, what is measured, and the tables."""

import json

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image
from skimage import data

from dinp.benchmarks.rd import small


def test_the_middle_square_is_reduced(tmp_path):
    picture = np.zeros((60, 100), dtype=np.uint8)
    picture[:, 20:80] = 200
    Image.fromarray(picture).save(tmp_path / "a.png")
    image = small.square(tmp_path / "a.png", 30)
    assert (image.size, image.mode) == ((30, 30), "RGB")
    assert np.asarray(image).min() == 200


def test_overhead_is_within_what_the_format_promises():
    found = small.overhead(Image.fromarray(data.astronaut()[:128, 100:228]))
    assert 14 <= found["grey"] <= 18
    assert 16 <= found["colour"] <= 28
    assert found["colour"] + 100 < found["colour with ICC"] < found["colour"] + found["the ICC profile"]


def test_small_files_are_measured_and_put_into_tables(tmp_path, capsys, monkeypatch):
    pytest.importorskip("imagecodecs")
    monkeypatch.setattr(small, "SIDES", (16,))
    monkeypatch.setattr(small, "SIZES", (60, 300))
    monkeypatch.setattr(small, "QUALITIES", range(0, 101, 20))
    folder, out = tmp_path / "pictures", tmp_path / "small.json"
    folder.mkdir()
    Image.fromarray(data.astronaut()[:64, 200:264]).save(folder / "a.png")
    assert dinp_command("bench", "small", "run", "--pictures", folder, "--out", out) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["picture"], row["side"], row["size"]) for row in rows] == [("a", 16, 60), ("a", 16, 300)]
    assert rows[0]["dinp"]["bytes"] <= 60
    assert rows[0]["avif"] is None
    assert rows[1]["webp"]["psnr"] > 15
    capsys.readouterr()
    assert dinp_command("bench", "small", "table", out) == 0
    told = capsys.readouterr().out
    assert "| 16x16 | 60 |" in told
    assert "JPEG XL" in told
    page = tmp_path / "page.md"
    page.write_text(f"before\n{small.MARKER}\n<!-- end -->\n")
    assert dinp_command("bench", "small", "table", out, "--readme", page) == 0
    assert "colour with ICC" in page.read_text()
    out.write_text("{}")
    assert dinp_command("bench", "small", "table", out) == 1
    assert "no results of the benchmark small" in capsys.readouterr().err
