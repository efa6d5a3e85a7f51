"""Depth and flow of 16 bits at the same largest error: how they are made, what is measured, the table."""

import json

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image

from dinp.benchmarks.rd import samples
from dinp.benchmarks.result_files import load_results
from dinp.errors import DinpError

STAIRS = np.repeat(np.arange(3, 15), 4)[None].repeat(20, axis=0).astype(np.uint8)


def test_stairs_become_a_slope():
    smooth = samples.smoothed(STAIRS)
    assert np.abs(smooth - STAIRS).max() <= 0.5
    assert np.abs(np.diff(smooth[10, 4:-4])).max() < 0.45
    edge = np.where(np.arange(40) < 20, 10, 90)[None].repeat(9, axis=0)
    np.testing.assert_array_equal(samples.smoothed(edge), edge)


def test_sixteen_bits_have_noise_and_holes():
    levels = STAIRS.copy()
    levels[4:8, 10:20] = 0
    depth = samples.sixteen_bits(levels, depth=True)
    assert depth.dtype == np.uint16
    np.testing.assert_array_equal(depth == 0, levels == 0)
    np.testing.assert_array_equal(depth, samples.sixteen_bits(levels, depth=True))
    assert np.unique(depth % 16).size > 4
    assert (samples.sixteen_bits(levels, depth=False) > 19000).all()


@pytest.mark.parametrize("most", [0, 1, 8])
def test_quotients_keep_the_error_and_the_holes(most):
    levels = STAIRS.copy()
    levels[4:8, 10:20] = 0
    values = samples.sixteen_bits(levels, depth=True)
    plain, shifted = samples.quotients(values, most)
    assert np.abs(plain.astype(int) * (2 * most + 1) - values).max() <= most
    np.testing.assert_array_equal(shifted == 0, values == 0)
    differences = (shifted.astype(int) * (2 * most + 1) - values)[values > 0]
    assert differences.max() - differences.min() <= 2 * most


def test_samples_are_measured_and_put_into_a_table(tmp_path, capsys, monkeypatch):
    for name in ("imagecodecs", "rvl"):
        pytest.importorskip(name)
    monkeypatch.setattr(samples, "DEPTHS", ("a",))
    monkeypatch.setattr(samples, "FLOWS", ("b",))
    folder, out = tmp_path / "pictures", tmp_path / "samples.json"
    folder.mkdir()
    run = ("bench", "samples", "run", "--pictures", folder, "--out", out, "--effort", "1", "--errors")
    assert dinp_command(*run, "1") == 1
    assert "a.png is missing" in capsys.readouterr().err
    for name in "ab":
        Image.fromarray(STAIRS).save(folder / f"{name}.png")
    assert dinp_command(*run, "1") == 0
    capsys.readouterr()
    assert dinp_command(*run, "0,1", "--missing") == 0
    assert [json.loads(line)["max_error"] for line in capsys.readouterr().out.splitlines()] == [0, 0]
    rows = json.loads(out.read_text())["rows"]
    assert sorted((row["picture"], row["max_error"]) for row in rows) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert all(row["reached"] <= row["max_error"] for row in rows)
    assert all(set(row["bytes"]) == set(samples.TITLES) for row in rows)
    capsys.readouterr()
    assert dinp_command("bench", "samples", "table", out) == 0
    told = capsys.readouterr().out
    assert told.count("| a |") == 2
    assert "mean of 2" in told
    page = tmp_path / "page.md"
    page.write_text(f"before\n{samples.MARKER}\n<!-- end -->\n")
    assert dinp_command("bench", "samples", "table", out, "--readme", page) == 0
    assert "JPEG 2000" in page.read_text()


def test_tables_mark_the_least_and_other_files_are_refused(tmp_path):
    sizes = {"dinp": 50, "jpegxl": 100, "png": 300, "jpeg2000": 200, "rvl": 400}
    row = {"picture": "a", "max_error": 2, "by": "samples", "bytes": sizes}
    table = samples.samples_table({"rows": [row, row | {"picture": "b", "bytes": sizes | {"dinp": 70}}]})
    assert table.rows[0] == ("a", "2", "samples", "**50**", "100", "300", "200", "400", "0.50")
    assert table.rows[2][-1] == "0.60"
    wrong = tmp_path / "wrong.json"
    for text in ("{", '{"benchmark": "rd"}'):
        wrong.write_text(text)
        with pytest.raises(DinpError):
            load_results(wrong, "samples")
