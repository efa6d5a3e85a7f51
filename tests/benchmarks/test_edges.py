"""What is measured of barriers: pictures drawn for tuning, parts left out, and the table of parts."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dinp.benchmarks.rd import drawn, edges, rivals
from dinp.benchmarks.rd.curves import Measured, Series
from dinp.benchmarks.rd.smooth import parts_table
from dinp.encoder import barriers, contour_moves
from dinp.entropy.crack_coder import cracks_of, encode_cracks
from dinp.errors import DinpError


@pytest.fixture
def photograph():
    y, x = np.indices((drawn.HEIGHT, drawn.WIDTH))
    return 128.0 + 60 * np.sign(np.sin(y / 31.0) * np.cos(x / 23.0)) + np.random.default_rng(1).normal(0, 4, y.shape)


@pytest.mark.parametrize("name", ["depth", "levels", "flow", "plot"])
def test_drawn_pictures_are_the_same_every_time(photograph, name):
    first = drawn.drawn(name, photograph)
    assert first.shape == (drawn.HEIGHT, drawn.WIDTH)
    assert np.ptp(first) > 30
    assert np.array_equal(drawn.drawn(name, photograph), first)


def test_parts_are_left_out_for_a_while():
    sweeps, rungs = contour_moves.SWEEPS, barriers.RUNGS
    with edges.without({(contour_moves, "SWEEPS"): 0, (barriers, "RUNGS"): (1.0,)}):
        assert (contour_moves.SWEEPS, barriers.RUNGS) == (0, (1.0,))
    assert (sweeps, rungs) == (contour_moves.SWEEPS, barriers.RUNGS)


def test_contours_of_fewer_contexts_take_more_bytes():
    y, x = np.indices((60, 60))
    discs = [((y - a) ** 2 + (x - b) ** 2 < 90) for a, b in ((15, 15), (40, 20), (20, 44), (44, 46))]
    right, down = cracks_of(sum(disc.astype(np.int32) for disc in discs))
    sizes = [len(edges.contours_by(kept)(right, down)) for kept in (range(9), (1,))]
    assert sizes[0] == len(encode_cracks(right, down)) < sizes[1]


@pytest.fixture
def ramps(tmp_path):
    """A folder with one picture, of a ramp on black."""
    plane = np.zeros((40, 48), dtype=np.uint8)
    plane[8:30, 10:40] = 100 + 2 * np.arange(30)
    (tmp_path / "in").mkdir()
    Image.fromarray(plane).save(tmp_path / "in" / "ramp.png")
    return tmp_path / "in"


def test_leaving_out_is_measured(ramps, tmp_path, monkeypatch):
    monkeypatch.setattr(edges, "QUALITIES", (60,))
    monkeypatch.setattr(edges, "LEFT_OUT", {k: edges.LEFT_OUT[k] for k in ("nothing", "several values a region")})
    result = CliRunner().invoke(edges.main, [str(ramps), "--output", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    assert "| several values a region | +" in result.output
    assert (tmp_path / "out.json").is_file()


def test_the_choice_is_measured_beside_trees_alone(ramps, tmp_path):
    options = ["--output", str(tmp_path / "out.json"), "--qualities", "60"]
    result = CliRunner().invoke(rivals.main, [str(ramps), *options])
    assert result.exit_code == 0, result.output
    assert re.search(r"\| ramp \| 60 \| – \| −\d", result.output), result.output
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert row["chosen"]["barriers"]
    assert not row["tree"]["barriers"]


def test_parts_of_files_are_told_per_crack_region_and_value():
    row = {"settings": 50, "psnr": 44.0, "bytes": 1000, "points": 30, "value_bits_per_point": 4.0}
    row |= {"regions": 10, "cracks": 200, "crack_bits": 220.0, "division_bits": 20.0, "first_bits": 40.0}
    tree = row | {"settings": 25, "cracks": 0}
    series = Series("smooth", "grey", "dinp", "flow.png", "1", (tree, row))
    table = parts_table(Measured((series,), ()))
    assert table.rows == (("flow", "50", "44.0", "1,000", "200", "1.10", "10", "4.00", "20", "5.00"),)
    with pytest.raises(DinpError):
        parts_table(Measured((Series("smooth", "grey", "dinp", "flow.png", "1", (tree,)),), ()))
