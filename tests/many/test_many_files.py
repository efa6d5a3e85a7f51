"""Many files: which output each has, what is refused before any work, what fails, and what goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import dinp
from dinp.cli.root import command
from dinp.many import engines, plan, work
from dinp.many.worker import packed, unpacked

FAST = ("-e", "1", "--plain", "-j", "1")


def picture(seed):
    y, x = np.mgrid[:24, :32]
    return np.stack([4 * x + seed, 5 * y, 100 + x + y], axis=2).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: pics/a.png, pics/b.png and pics/deep/a.png, pics/notes.txt, pics/.hidden.png and bad.png."""
    monkeypatch.chdir(tmp_path)
    Path("pics/deep").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.png", "deep/a.png", ".hidden.png")):
        Image.fromarray(picture(seed)).save(f"pics/{name}")
    Path("pics/notes.txt").write_text("no picture")
    Path("bad.png").write_text("no picture either")
    return tmp_path


def run(*arguments, code=0):
    result = CliRunner().invoke(command, [str(word) for word in arguments], prog_name="dinp")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.stderr
    return result


def files_below(name):
    return sorted(str(path.relative_to(name)) for path in Path(name).rglob("*") if path.is_file())


def test_a_folder_is_coded_with_its_sub_folders_and_decoded_again(folder):
    told = run("encode", *FAST, "pics", "OUT").stderr
    assert files_below("OUT") == ["a.dinp", "b.dinp", "deep/a.dinp"]
    size = sum(path.stat().st_size for path in Path("OUT").rglob("*.dinp"))
    assert told.startswith(f"3 files, {size:,} bytes, ")
    assert Path("OUT/b.dinp").read_bytes() == dinp.encode(picture(1), effort=1, restore=False)
    run("decode", "-j", "1", "OUT", "back")
    assert files_below("back") == ["a.png", "b.png", "deep/a.png"]
    shown = dinp.decode(Path("OUT/deep/a.dinp").read_bytes())
    assert np.array_equal(np.asarray(Image.open("back/deep/a.png")), np.asarray(shown))


def test_any_number_of_jobs_tells_the_same(folder):
    told = []
    for jobs in (1, 2):
        lines = run("encode", *FAST[:-1], jobs, "--json", "pics", f"OUT{jobs}").stdout.splitlines()
        told.append(sorted((Path(line["source"]).name, *sorted(line)) for line in map(json.loads, lines)))
    assert told[0] == told[1]


def test_several_files_go_into_a_folder_by_their_names(folder):
    run("encode", *FAST, "pics/a.png", "pics/b.png", "OUT/")
    Path("there").mkdir()
    run("encode", *FAST, "pics/a.png", "there")
    assert (files_below("OUT"), files_below("there")) == (["a.dinp", "b.dinp"], ["a.dinp"])
    run("decode", "-j", "1", "--to", "npy", "OUT/a.dinp", "OUT/b.dinp", "arrays")
    assert np.load("arrays/b.npy").shape == (24, 32, 3)


def test_processes_make_the_same_files_as_one(folder):
    run("encode", *FAST, "--jobs", "1", "pics", "one")
    run("encode", *FAST, "--jobs", "2", "pics", "two")
    assert files_below("one") == files_below("two") == ["a.dinp", "b.dinp", "deep/a.dinp"]
    for name in files_below("one"):
        assert (Path("one") / name).read_bytes() == (Path("two") / name).read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_fails_is_told_at_the_end_and_the_rest_is_done(folder, jobs):
    result = run("encode", *FAST, "-j", jobs, "--json", "bad.png", "pics", "missing.png", "OUT", code=1)
    assert files_below("OUT") == ["a.dinp", "b.dinp", "deep/a.dinp"]
    rows = {row["source"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert sorted(rows) == ["bad.png", "missing.png", "pics/a.png", "pics/b.png", "pics/deep/a.png"]
    assert rows["pics/b.png"]["status"] == "done"
    assert rows["pics/b.png"]["bytes"] == Path("OUT/b.dinp").stat().st_size
    assert rows["bad.png"]["status"] == "failed"
    assert "not a picture" in rows["bad.png"]["error"]
    told = result.stderr.splitlines()
    assert told[0] == "failed: bad.png: bad.png is not a picture that Pillow can open"
    assert told[1] == "failed: missing.png: cannot read missing.png: no such file or directory"
    assert told[-1] == "Error: 2 of 5 files failed"


def test_outputs_that_exist_are_refused_before_any_work_or_skipped_or_overwritten(folder):
    run("encode", *FAST, "pics/a.png", "OUT/")
    first = Path("OUT/a.dinp").read_bytes()
    told = run("encode", *FAST, "-q", "5", "pics", "OUT", code=1).stderr
    assert "OUT/a.dinp exists already: use --skip-existing" in told
    assert files_below("OUT") == ["a.dinp"]
    assert "2 files" in (told := run("encode", *FAST, "-q", "5", "--skip-existing", "pics", "OUT").stderr)
    assert "1 skipped" in told
    assert Path("OUT/a.dinp").read_bytes() == first
    run("encode", *FAST, "-q", "5", "--force", "pics", "OUT")
    assert Path("OUT/a.dinp").read_bytes() != first
    assert run("encode", "-f", "--skip-existing", "pics", "OUT", code=2).stderr
    assert "1 skipped" in run("encode", "--skip-existing", "pics/a.png", "OUT/a.dinp").stderr


def test_inputs_that_would_share_an_output_are_refused_before_any_work(folder):
    for sources in (["pics/a.png", "pics/deep/a.png"], ["pics", "pics/deep"]):
        assert "would all become a.dinp" in run("encode", *sources, "OUT", code=1).stderr
    Path("pics/a.jpg").write_bytes(Path("pics/a.png").read_bytes())
    assert "pics/a.jpg, pics/a.png would all become a.dinp" in run("encode", "pics", "OUT", code=1).stderr
    assert not Path("OUT").exists()
    assert [task.source for task in tasks(["pics/a.png", "pics/a.png"])] == ["pics/a.png"]


def tasks(sources, to="OUT"):
    return plan.tasks_of(sources, to, ending=".dinp", wanted=plan.is_picture)


def test_other_outputs_that_cannot_be_are_refused_before_any_work(folder):
    for words, sentence in (
        (["pics/a.png", "pics/deep/a.png", "pics/b.png"], "pics/b.png is a file: name a folder last"),
        (["pics/a.png", "pics/b.png", "new.dinp"], "write new.dinp/ if it is one"),
        (["-", "pics/a.png", "OUT"], "standard input is one input alone"),
        (["pics", "pics/notes.txt/OUT"], "is a file"),
    ):
        assert sentence in run("encode", *words, code=1).stderr
    Path("empty").mkdir()
    assert "nothing to work on in the folder empty" in run("encode", "empty", "OUT", code=1).stderr
    assert run("encode", "--mask", "pics/b.png", "pics", "OUT", code=2).stderr
    assert "does not tell a picture format" in run("decode", "--to", "xyz", "pics", "OUT", code=1).stderr
    Path("coded").mkdir()
    Path("coded/a.dinp").write_bytes(b"")
    assert "is an input and would be an output" in run("encode", "-f", "coded/a.dinp", "coded", code=1).stderr
    assert not Path("OUT").exists()
    with pytest.raises(dinp.DinpError, match="existing must be one of"):
        dinp.encode_many(["pics"], "OUT", existing="sometimes")


def test_info_of_several(folder):
    run("encode", *FAST, "pics", "OUT")
    Path("OUT/bad.dinp").write_bytes(b"no dinp file")
    result = run("info", "OUT", code=1)
    assert [line.partition(": ")[0] for line in result.stdout.splitlines() if line.startswith("OUT")] == [
        "OUT/a.dinp",
        "OUT/b.dinp",
        "OUT/deep/a.dinp",
    ]
    assert "failed: OUT/bad.dinp: " in result.stderr
    rows = [json.loads(line) for line in run("info", "--json", "OUT/a.dinp", "OUT/b.dinp").stdout.splitlines()]
    assert [row["file"] for row in rows] == ["OUT/a.dinp", "OUT/b.dinp"]
    assert rows[0] | {"file": 0} == {"file": 0} | dinp.info(Path("OUT/a.dinp").read_bytes())


def test_from_python(folder):
    results = list(dinp.encode_many([Path("pics")], Path("OUT"), jobs=1, effort=1, restore=False, quality=20))
    assert [(r.source, r.target, r.status) for r in results] == [
        ("pics/a.png", "OUT/a.dinp", "done"),
        ("pics/b.png", "OUT/b.dinp", "done"),
        ("pics/deep/a.png", "OUT/deep/a.dinp", "done"),
    ]
    assert Path("OUT/a.dinp").read_bytes() == dinp.encode(picture(0), quality=20, effort=1, restore=False)
    shown = list(dinp.decode_many(["OUT"], "back", ending=".tif", jobs=1))
    assert [r.target for r in shown] == ["back/a.tif", "back/b.tif", "back/deep/a.tif"]
    again = list(dinp.encode_many(["pics"], "OUT", existing="skip"))
    assert [r.status for r in again] == ["skipped"] * 3


def test_bits_per_pixel_are_those_of_each_picture(folder):
    Image.fromarray(np.tile(picture(0), (4, 4, 1))).save("pics/b.png")
    run("encode", *FAST, "--target-bpp", "1", "pics/a.png", "pics/b.png", "OUT")
    assert Path("OUT/a.dinp").stat().st_size <= 24 * 32 / 8 < Path("OUT/b.dinp").stat().st_size <= 16 * 24 * 32 / 8


def requests(*names, to="OUT"):
    options = {"effort": 1, "restore": False}
    return [work.request("encode", name, f"{to}/{Path(name).stem}.dinp", "refuse", options) for name in names]


DIES = """
import os
from dinp.many import work, worker
perform = work.perform
work.perform = lambda asked: os._exit(9) if "b.png" in asked["source"] else perform(asked)
worker.main()
"""


def test_a_process_that_dies_costs_the_file_that_it_worked_on(folder, monkeypatch):
    monkeypatch.setattr(engines, "WORKER", ("-c", DIES))
    found = dict(engines.in_processes(requests("pics/a.png", "pics/b.png", "pics/deep/a.png", to="OUT"), 1))
    assert [found[k].status for k in range(3)] == ["done", "failed", "failed"]  # the third has the first's output
    found = dict(engines.in_processes(requests("pics/b.png", "pics/a.png", to="two"), 2))
    assert [found[k].status for k in range(2)] == ["failed", "done"]
    assert "ended (exit code 9)" in found[0].error
    assert files_below("two") == ["a.dinp"]


def test_work_that_was_done_but_not_told_is_no_error(folder):
    (asked,) = requests("pics/a.png")
    assert work.perform(asked).status == "done"
    assert work.perform(asked).status == "done"
    assert work.perform(asked | {"options": {"effort": 1, "restore": False, "quality": 3}}).status == "failed"


def test_a_line_between_processes_holds_any_name():
    values = {"source": os.fsdecode(b"\xff\n.png"), "options": {"quality": 0.1}}
    assert packed(values).count(b"\n") == 1
    assert unpacked(packed(values)) == values


INTERRUPTED = """
import sys
from dinp.cli import main
sys.argv = ["dinp", "encode", "-j", "2", "pics", "OUT"]
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_half_written_and_is_resumed(folder, number):
    from skimage.data import camera

    for name in "abcdefgh":
        Image.fromarray(camera()[:96, :96] if name > "a" else picture(0)).save(f"pics/{name}.png")
    Path("pics/deep/a.png").unlink()
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 100
    while not list(Path().glob("OUT/*.dinp")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number), told
    assert "Traceback" not in told
    done = files_below("OUT")
    assert 1 <= len(done) < 8
    for name in done:
        dinp.info((Path("OUT") / name).read_bytes())
    run("encode", *FAST, "--skip-existing", "pics", "OUT")
    assert files_below("OUT") == [f"{name}.dinp" for name in "abcdefgh"]
