"""The benchmark of two versions side by side: what it measures is there, parts add up, its tables are complete."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import dinp_command

from dinp.benchmarks.speed import engine, engine_run

ROOT = Path(__file__).parents[2]


def test_each_part_of_this_version_is_measured(tmp_path):
    """In a process of its own, on a checkout that is not installed: names that moved would be missed silently."""
    folder = engine.link_package(ROOT, tmp_path / "package")
    picture = np.add.outer(np.arange(40), 3 * np.arange(60)).astype(np.uint8)
    np.save(tmp_path / "picture.npy", np.dstack([picture, picture, 255 - picture]))
    task = {
        "picture": str(tmp_path / "picture.npy"),
        "quality": 35.0,
        "effort": 1,
        "file": str(tmp_path / "picture.dinp"),
    }
    for job in ("encode", "decode"):
        found = engine.measured(folder, task | {"job": job, "repeats": 1, "parts": True}, threads=1)
        assert found["cpu"] == pytest.approx(sum(found["parts"].values()), rel=0.05, abs=0.01)
        assert found["peak"] >= found["before"] > 0
        for part in engine_run.PARTS:
            assert any(name in found["names"] for name in engine_run.PARTS[part]), part
    assert (tmp_path / "picture.dinp").stat().st_size > 20


def test_a_run_and_its_tables(tmp_path, monkeypatch, capsys):
    """With made-up times; both versions are asked for, the growth only of this one."""
    asked = []

    def measured(folder, task, threads=None):
        asked.append((folder.name, task["job"], threads))
        if task["job"] == "encode":
            Path(task["file"]).write_bytes(bytes(10))
        time = 8.0 if folder.name == "before" else 2.0
        parts = {"parts": {"rest": time}} if task.get("parts") else {}
        return {"cpu": time, "wall": time / 2, "peak": 10**8, "before": 10**7} | parts

    monkeypatch.setattr(engine, "measured", measured)
    monkeypatch.setattr(engine, "started", lambda folder, _: 3.0 if folder.name == "before" else 1.0)
    picture = tmp_path / "grey.png"
    engine.Image.fromarray(np.zeros((30, 40), np.uint8)).save(picture)
    out = tmp_path / "engine.json"
    arguments = [picture, "--before", ROOT, "--qualities", "35", "--efforts", "1", "--parts"]
    assert dinp_command("bench", "engine", *arguments, "--large", picture, "--megapixels", "0.1", "--out", out) == 0
    result = json.loads(out.read_text())
    assert [row["job"] for row in result["results"]] == ["encode", "decode"] * 4
    assert {name for name, _, threads in asked if threads == 1} == {"before", "after"}
    assert "before" not in result["results"][-1]
    assert "ratio 4.00" in capsys.readouterr().err
    assert dinp_command("bench", "engine", "--table", out, "--each") == 0
    told = capsys.readouterr().out
    assert "| grey | 10 | 10 | 8.00 | 2.00 | 4.0 | 8.00 | 2.00 | 4.0 |" in told
    assert "| mean of 2 |  |  |  |  | 4.0 |  |  | 4.0 |" in told
    assert dinp_command("bench", "engine", "--table", out) == 0
    told = capsys.readouterr().out
    assert "| decode, grey | 1 | 35 | 8.00 | 2.00 | 4.00 | 1.00 | 4.0 |" in told
    assert "| encode, whole process |  |  | 3.00 | 1.00 |  |  | 3.0 |" in told
    assert "| 0.1 | decode | after | 2.00 | 1.00 | 100 |" in told


def test_a_folder_that_is_no_checkout_is_refused(tmp_path, capsys):
    assert dinp_command("bench", "engine", "--before", tmp_path, "--out", tmp_path / "out.json") == 1
    assert "is no checkout of dinp" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
