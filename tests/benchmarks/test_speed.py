"""The solver benchmark: what it compares is the same problem, and its results are complete."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image
from scipy.sparse.linalg import spsolve
from skimage.data import camera

import dinp
from dinp.benchmarks.speed.decoding import coded_picture, decoding_times
from dinp.benchmarks.speed.pyamg_solvers import assemble, geometric_solver
from dinp.benchmarks.speed.solver_before import Worker
from dinp.benchmarks.speed.solvers import compare, masks
from dinp.diffusion.inpaint import inpaint
from dinp.errors import DinpError


def picture(shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return 120 + 60 * np.sin(x / 7) * np.cos(y / 5)


@pytest.mark.parametrize("kind", ["random", "structured"])
def test_the_stock_system_is_the_one_that_is_inpainted(kind):
    values = picture((24, 31))
    mask = masks(values, 0.1)[kind]
    A, b = assemble(mask, values)
    np.testing.assert_allclose(A @ inpaint(mask, values)[~mask], b, atol=0.02)
    assert abs(A - A.T).max() == 0


@pytest.mark.parametrize("kind", ["random", "structured"])
@pytest.mark.parametrize("shape", [(24, 31), (41, 64), (1, 50), (50, 1)])
def test_the_geometric_hierarchy_solves_the_same_system(shape, kind, monkeypatch):
    monkeypatch.setattr("dinp.benchmarks.speed.pyamg_solvers.COARSEST", 5)
    values = picture(shape)
    mask = masks(values, 0.1)[kind]
    A, b = assemble(mask, values)
    solver = geometric_solver(mask, A)
    assert min(shape) == 1 or len(solver.levels) > 2
    found = solver.solve(b, tol=1e-12, maxiter=100, accel="cg")
    np.testing.assert_allclose(found, spsolve(A.tocsc(), b), atol=1e-5)


def test_all_solvers_are_equally_accurate():
    values = picture((40, 61))
    row = compare(masks(values, 0.05)["random"], values, repeats=1)
    assert row["error"] < 0.01
    assert row["error_two_cycles"] > row["error"]
    for name in ("stock", "geometric"):
        assert row[name]["error"] <= row["error"] < row[name]["error_one_cycle_before"]
        assert {"setup", "solve", "total"} == set(row[name]["ratio"])
        assert {f"{name}_{part}" for part in ("setup", "solve", "total")} <= set(row["seconds"])


def test_the_solver_gets_what_the_decoder_gives_it():
    coded = coded_picture(picture((32, 48)).astype(np.uint8), quality=40)
    found = np.clip(
        np.floor(inpaint(coded.mask, coded.values) + 0.5 + 1 / 32), 0, 255
    )  # ties are off the grid of values
    np.testing.assert_array_equal(found, np.asarray(dinp.decode(coded.data, restore=False)))
    times = decoding_times(coded, repeats=1)
    assert times["bytes"] == len(coded.data)
    assert min(times.values()) > 0


@pytest.fixture
def readme(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- speed -->\n<!-- end -->\nafter\n")
    return path


def test_command_writes_json_and_its_table(tmp_path, readme, capsys):
    out = tmp_path / "speed.json"
    options = ["--size", "48x32", "--densities", "0.1", "--qualities", "30", "--repeats", "1"]
    assert dinp_command("bench", "speed", "run", *options, "--out", out) == 0
    assert "random" in capsys.readouterr().out
    result = json.loads(out.read_text())
    assert [row["mask"] for row in result["results"]] == ["random", "structured", "file, q 30"]
    assert ["decoding" in row for row in result["results"]] == [False, False, True]
    assert result["versions"]["pyamg"]
    assert dinp_command("bench", "speed", "table", out, "--readme", readme) == 0
    text = readme.read_text()
    assert text.count("| random |") == text.count("| file, q 30 |") == 1
    assert capsys.readouterr().out == f"{readme}\n"
    assert dinp_command("bench", "speed", "table", out) == 0
    assert capsys.readouterr().out.strip() in text


@pytest.mark.parametrize(
    "options", [["--size", "48"], ["--size", "0x3"], ["--repeats", "0"], ["--masks", "none"], ["--densities", "nan"]]
)
def test_bad_options(tmp_path, options):
    assert dinp_command("bench", "speed", "run", *options, "--out", tmp_path / "speed.json") == 2
    assert dinp_command("bench", "speed", "table") == dinp_command("bench", "speed", "run") == 2
    assert not list(tmp_path.iterdir())


def test_bad_files_are_one_sentence(tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text('{"benchmark": "rd"}')
    assert dinp_command("bench", "speed", "table", other) == 1
    assert dinp_command("bench", "speed", "table", tmp_path / "none") == 1
    assert dinp_command("bench", "speed", "run", "--out", tmp_path / "no" / "speed.json") == 1
    assert dinp_command("bench", "speed", "run", "--out", tmp_path / "speed.json", "--picture", other) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all(text.startswith("Error: ") for text in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]


def test_without_pyamg_the_benchmark_says_so_in_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyamg", None)
    assert dinp_command("bench", "speed", "run", "--out", tmp_path / "speed.json") == 1
    assert "needs the package pyamg: pip install" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_speed_of_coding_is_told_by_effort(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    Image.fromarray(camera()[:64, :80]).save(picture)
    out = tmp_path / "speed.json"
    arguments = [picture, "--qualities", "20", "--efforts", "1,2", "--repeats", "1"]
    assert dinp_command("bench", "coding", *arguments, "--out", out) == 0
    rows = json.loads(out.read_text())["results"]
    assert [(row["effort"], row["restore"]) for row in rows] == [(1, True), (1, False), (2, True), (2, False)]
    assert all(row["encode_seconds"] > 0 and row["decode_seconds"] > 0 and row["bytes"] > 16 for row in rows)
    assert dinp_command("bench", "coding", tmp_path / "none.png", "--out", out) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_the_solver_is_compared_with_another_installation(tmp_path):
    out = tmp_path / "result.json"
    arguments = ["--before", sys.executable, "--commit", "the same", "--out", out, "--densities", "0.05"]
    with_sizes = "import dinp.benchmarks.speed.solver_before as s; s.SIZES = ((40, 30),); s.solver()"
    process = subprocess.run(
        [sys.executable, "-c", with_sizes, *map(str, arguments), "--repeats", "1"], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    result = json.loads(out.read_text())
    assert result["before"] == "the same"
    assert {row["threads"] for row in result["results"]} >= {1}
    for row in result["results"]:
        assert row["error"] < 0.01
        for part in ("setup", "solve", "tonal"):
            assert row[part]["ratio"]["cpu"] > 0


def test_an_installation_without_a_solver_is_told(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    worker = Worker(str(fake), 1)
    with pytest.raises(DinpError, match="no solver"):
        worker.ask(10, 10, 0.1)
    worker.close()
