"""The solver benchmark: what it compares is the same problem, and its results are complete."""

import json

import numpy as np
import pytest

from dinp.benchmarks.speed import assemble, compare, main, masks
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


def test_both_solvers_are_equally_accurate():
    values = picture((40, 61))
    row = compare(masks(values, 0.05)["random"], values, repeats=1)
    assert row["stock_error"] <= row["error"] < 0.01
    assert row["stock_error_one_cycle_before"] > row["error"]
    assert row["error_two_cycles"] > row["error"]
    assert {"setup", "solve", "total", "stock_setup", "stock_solve", "stock_total"} <= set(row["seconds"])


def test_command_writes_json(tmp_path, capsys):
    out = tmp_path / "speed.json"
    assert main(["--size", "48x32", "--densities", "0.1", "--repeats", "1", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert [row["mask"] for row in result["results"]] == ["random", "structured"]
    assert result["versions"]["pyamg"]
    assert "random" in capsys.readouterr().out


def test_bad_size(tmp_path):
    with pytest.raises(SystemExit):
        main(["--size", "48", "--out", str(tmp_path / "speed.json")])
