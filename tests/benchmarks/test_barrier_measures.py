"""What is measured of barriers beside trees: samples of 16 bits, what is not built, seconds of decoding."""

import numpy as np
import pytest

from dinp.benchmarks.rd import deep, unbuilt
from dinp.benchmarks.speed import barrier_seconds
from dinp.limits import MAX_PIXELS
from dinp.pictures.intake import picture_of


@pytest.fixture
def levels():
    plane = np.full((40, 48), 60, dtype=np.uint8)
    plane[8:30, 10:40] = 100 + np.arange(30)
    return plane


def test_depth_of_16_bits_is_coded_with_and_without_barriers(levels):
    values = 500 + 16 * levels.astype(np.uint16)
    values[:4, :4] = 0
    picture = picture_of(values, max_pixels=MAX_PIXELS)
    rows = [{"picture": "step", "pixels": values.size} | row for row in deep.rows_of(picture, (35, 60), (8,))]
    assert [(row["with"]["barriers"], row["plain"]["barriers"]) for row in rows] == [(True, False)] * 3
    assert rows[2]["quality"] == pytest.approx(deep.first_quality(picture, 8), abs=0.01)
    assert all(row["with"]["bytes"] < row["plain"]["bytes"] for row in rows)
    assert "| step | 35, 60 | " in deep.table(rows)


def test_what_is_not_built_is_measured_of_a_picture(levels):
    row = {"picture": "step"} | unbuilt.measured(levels.astype(np.float64), 50)
    tiles = row["tiles"]
    assert tiles["tiles"] == tiles["taken"] == 1
    assert tiles["barriers"] == tiles["cheaper"] == row["barriers"] < row["tree"]
    assert row["restored"]["version 1 where it helps"] >= 0
    assert "| step | 50 | −" in unbuilt.table([row])


def test_files_with_and_without_barriers_have_about_as_many_bytes(levels):
    busy = np.kron(levels[:24, :24], np.ones((3, 3), np.uint8)) + np.indices((72, 72)).sum(axis=0).astype(np.uint8) // 3
    row = {"picture": "step"} | barrier_seconds.measured(busy, 80)
    assert row["tree"]["structure"] == "tree"
    assert row["tree"]["bytes"] == pytest.approx(row["barriers"]["bytes"], rel=0.5)
    assert "| step | " in barrier_seconds.table([row])
