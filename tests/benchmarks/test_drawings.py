"""Drawings in colour, and seconds of label maps: what is made, what is measured, the table."""

import json

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image

from dinp.benchmarks.rd import drawings, labels
from dinp.errors import DinpError


def test_drawings_are_made_alike_and_in_colour(tmp_path, monkeypatch):
    some = {name: drawings.DRAWINGS[name] for name in ("page", "red_on_blue")}
    monkeypatch.setattr(drawings, "DRAWINGS", some)
    assert dinp_command("bench", "drawings", "make", "--out", tmp_path) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(drawings.DRAWINGS)
    for path in tmp_path.iterdir():
        picture = np.asarray(Image.open(path))
        assert picture.shape == (drawings.HEIGHT, drawings.WIDTH, 3)
        assert (picture != picture[..., :1]).any()
        colours = np.unique(picture.reshape(-1, 3), axis=0)
        assert 60 < len(colours) < 12000  # antialiased, and flat
    again = drawings.red_on_blue()
    assert np.array_equal(np.asarray(again), np.asarray(Image.open(tmp_path / "red_on_blue.png")))


def test_drawings_are_measured_in_colour(tmp_path, capsys):
    folder, out = tmp_path / "pictures", tmp_path / "drawings.json"
    folder.mkdir()
    drawings.charts().resize((32, 24)).save(folder / "charts.png")
    run = (
        "bench",
        "drawings",
        "run",
        "--pictures",
        folder,
        "--out",
        out,
        "--codecs",
        "dinp,webp",
        "--qualities",
        "10,60",
    )
    assert dinp_command(*run) == 0
    assert {series["mode"] for series in json.loads(out.read_text())["series"]} == {"colour"}
    capsys.readouterr()
    assert dinp_command("bench", "drawings", "table", out) == 0
    told = capsys.readouterr().out
    assert "colour: BD-rate" in told
    assert "| charts |" in told
    page = tmp_path / "page.md"
    page.write_text(f"{drawings.MARKER}\n<!-- end -->\n")
    assert dinp_command("bench", "drawings", "table", out, "--readme", page) == 0
    assert "charts" in page.read_text()


def test_label_maps_are_timed_where_they_come_back(monkeypatch):
    pytest.importorskip("crackle")
    monkeypatch.setattr(labels, "REPEATS", 1)
    y, x = np.mgrid[:60, :80]
    rows = labels.seconds("a", labels.classes(x // 9 + 11 * (y // 7)))
    assert [row["codec"] for row in rows] == ["dinp", "crackle", "crackle + xz"]
    assert all(row["bytes"] > 0 and row["encode_s"] >= 0 and row["decode_s"] >= 0 for row in rows)
    monkeypatch.setattr("dinp.decode_array", lambda data: np.zeros((60, 80), np.uint8))
    with pytest.raises(DinpError, match="as it was"):
        labels.seconds("a", labels.classes(x))


def test_photographs_keep_halved_chroma_and_red_text_does_not(tmp_path):
    drawings.red_on_blue().save(tmp_path / "text.png")
    grey = np.repeat(np.arange(0, 240, 8, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(20, axis=0)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    out = tmp_path / "chroma.json"
    assert dinp_command("bench", "chroma", tmp_path / "text.png", tmp_path / "grey.png", "--out", out) == 0
    text, plain = json.loads(out.read_text())["results"]
    assert text["loss"] > 100
    assert not text["halved"]
    assert plain["halved"]
    assert plain["loss"] < 0.1
