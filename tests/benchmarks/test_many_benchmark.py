"""`dinp bench many` and `dinp bench table`."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dinp.benchmarks.speed import many, many_inputs
from dinp.benchmarks.tables import text_of
from dinp.cli.root import command
from dinp.errors import DinpError


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder with two pictures; what is made of them is small."""
    monkeypatch.setattr(many_inputs, "SIZES", ((24, 16), (32, 24)))
    monkeypatch.setattr(many_inputs, "SEGMENTS", 1 / 64)
    (tmp_path / "photographs").mkdir()
    y, x = np.mgrid[:40, :50]
    for number in range(2):
        picture = np.stack([4 * x, 5 * y, 90 * ((x // 9 + y // 7 + number) % 2)], axis=2).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "photographs" / f"{number}.png")
    return tmp_path / "photographs"


def test_inputs_are_the_same_each_time_and_three_are_bad(photographs, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        many_inputs.make_inputs(photographs, tmp_path / name, 5)
    files = [path.relative_to(tmp_path / "one") for path in sorted((tmp_path / "one").rglob("*.png"))]
    assert [sum(path.parts[0] == kind for path in files) for kind in ("pictures", "labels", "bad")] == [5, 5, 3]
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    maps = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "one" / "labels").iterdir())]
    assert {one.shape for one in maps} == {(16, 24), (24, 32)}
    assert 1 < len(np.unique(maps[1])) <= 21


def test_bad_files_loops_and_interrupted_runs_are_told(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "OPTIONS", {"pictures": ("--lossless",), "labels": ("--lossless",)})
    many_inputs.make_inputs(photographs, tmp_path, 4)
    ended, count = many.by_one_command(tmp_path, "pictures", "OUT", "--jobs", "1")
    row = many._row("pictures", "one command", ended, tmp_path / "OUT", count)
    assert (row["measured"], row["done"], row["failed"], row["exit_code"]) == (7, 4, 3, 1)
    assert [line.partition(": ")[0] for line in row["told"]] == ["failed"] * 3 + ["Error"]
    assert (ended.count("done"), ended.count("failed")) == (4, 3)
    assert ended.memory > 10**7
    ended, _ = many.by_one_command(tmp_path, "labels", "WHOLE", "--jobs", "1")
    assert (ended.code, ended.count("done")) == (0, 4)
    again = many.interrupted(tmp_path, "WHOLE", 1)
    assert again["same_files"]
    assert (again["partial"], again["complete"]) == (0, again["again_skipped"])
    assert (again["again_exit_code"], again["again_skipped"] + again["again_done"]) == (0, 4)
    ended, count = many.by_loop(tmp_path, "labels", "LOOP", 1)
    assert (ended.code, count, len(list((tmp_path / "LOOP").glob("*.dinp")))) == (0, 1, 1)


CONTENTS = {
    "many": {
        "count": 200,
        "folder": "kodak",
        "results": [
            {"files": "pictures", "way": "one command, 2 jobs", "measured": 203, "done": 200, "failed": 3}
            | {"exit_code": 1, "seconds": 50.0, "peak_megabytes": 400, "bytes": 9, "told": ["failed: a.png: no"]},
            {"files": "labels", "way": "shell loop", "measured": 20, "done": 20, "failed": 0, "exit_code": 0}
            | {"seconds": 30.0, "peak_megabytes": 200, "bytes": 9, "told": []},
        ],
        "interrupted": {"exit_code": 1, "seconds": 20.0, "complete": 104, "partial": 0, "again_exit_code": 0}
        | {"again_skipped": 104, "again_done": 96, "again_seconds": 21.0, "same_files": True},
        "labels": {"bytes": {"dinp": 1000, "png": 2000, "webp": 1500}, "smallest_by_dinp": 199, "exact": 200}
        | {"decode_seconds": 12.0},
    },
    "arrays": {
        "results": [
            {"array": "depth", "type": "uint16", "shape": [48, 64], "max_error": None, "codec": codec, "bytes": size}
            | {"encode_seconds": 1.5, "decode_seconds": 0.5}
            for codec, size in (("dinp", 700), ("blosc-zstd", 1000), ("jpegxl", None), ("lerc", 1200))
        ]
    },
    "scale": {
        "results": [
            {"picture": "a", "quality": quality, "scale": "1/2", "way": "scale", "structure": "tree"}
            | {"psnr": psnr, "seconds": 0.25}
            for quality, psnr in ((30, 30.0), (60, None))
        ]
    },
    "previews": {
        "script_bytes": 58_000,
        "results": [
            {"picture": "a", "preview": "dinp, 200 bytes", "bytes": 199, "psnr": 24.5, "ssim": 0.7}
            | {"seconds": 0.02, "script_ms": 9.0}
        ],
    },
}
WANTED = {
    "many": [
        "| pictures | one command, 2 jobs | 50 | 400 | 1 | 3 |",
        "| label maps, --lossless | shell loop (20 measured: 30 s) | 300 | 200 | 0 | 0 |",
        "    failed: a.png: no",
        "104 files are there, 0 in part. Again with `--skip-existing`: 104 skipped, 96 done",
        "| bytes | 1,000 | 2,000 | 1,500 |",
    ],
    "arrays": ["| depth | uint16 64x48 | exact | **700** | 1,000 | – | 1,200 | 1.5 | 0.5 |"],
    "scale": ["| 1/2, scale | 2 | 45.00 | 250 |"],
    "previews": ["| dinp, 200 bytes | 1 | 199 | 24.50 | 0.700 | 20.0 | 9.0 |", "58,000 bytes, gzipped"],
}
RUN = {"date": "2026-01-02T03:04", "commit": "0123456789abc", "modified": False, "cpu": "A", "cpus": 2, "versions": {}}


@pytest.mark.parametrize("name", CONTENTS)
def test_tables_tell_what_was_measured(name, tmp_path):
    content = {"benchmark": name, **RUN, **CONTENTS[name]}
    result, page = tmp_path / "result.json", tmp_path / "page.md"
    result.write_text(json.dumps(content), encoding="utf-8")
    page.write_text(f"before\n<!-- {name} -->\nearlier text\n<!-- end -->\nafter\n", encoding="utf-8")
    ended = CliRunner().invoke(command, ["bench", "table", str(result), "--page", str(page)])
    assert ended.exit_code == 0, ended.output
    text = page.read_text(encoding="utf-8")
    for line in [*WANTED[name], "Measured 2026-01-02, commit 0123456789 on A (2 cores)."]:
        assert line in text
    assert "earlier text" not in text


def test_previews_have_a_brief_table_and_others_none():
    content = {"benchmark": "previews", **RUN, **CONTENTS["previews"]}
    assert "| previews of 1 photographs | dinp, 200 bytes |" in text_of(content, brief=True)
    assert "| PSNR | 24.50 |" in text_of(content, brief=True)
    with pytest.raises(DinpError, match="only previews"):
        text_of({"benchmark": "many", **RUN, **CONTENTS["many"]}, brief=True)
