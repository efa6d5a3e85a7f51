"""The solver benchmark: what it compares is the same problem, and its results are complete."""

import json

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from dinp.benchmarks.pyamg_solvers import assemble, geometric_solver
from dinp.benchmarks.speed import compare, main, masks
from dinp.inpaint import inpaint


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
    monkeypatch.setattr("dinp.benchmarks.pyamg_solvers.COARSEST", 5)
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


def test_command_writes_json(tmp_path, capsys):
    out = tmp_path / "speed.json"
    readme = tmp_path / "README.md"
    readme.write_text("<!-- speed -->\n<!-- end -->\n")
    options = ["--size", "48x32", "--densities", "0.1", "--repeats", "1", "--readme", str(readme)]
    assert main([*options, "--out", str(out)]) == 0
    assert readme.read_text().count("| random |") == 1
    result = json.loads(out.read_text())
    assert [row["mask"] for row in result["results"]] == ["random", "structured"]
    assert result["versions"]["pyamg"]
    assert "random" in capsys.readouterr().out


def test_bad_size(tmp_path):
    with pytest.raises(SystemExit):
        main(["--size", "48", "--out", str(tmp_path / "speed.json")])
