"""The demo: what it shows of a file, and its rows of panels."""

import numpy as np
from conftest import photograph

import dinp
from dinp.benchmarks import demo


def test_a_row_shows_original_contours_and_reconstruction(tmp_path, capsys):
    original = np.ascontiguousarray(demo.depth_map()[160:256, 180:308])
    row = demo.demonstrated("depth", original, 50, tmp_path)
    assert row.shape == (96, 3 * 128 + 2 * demo.GAP, 3)
    first, contours, last = (row[:, k * (128 + demo.GAP) :][:, :128, 0] for k in range(3))
    assert np.array_equal(first, original)
    assert set(np.unique(contours)) == {0, 255}
    across = np.abs(np.diff(original.astype(int), axis=1)) > 40
    assert across.sum() > 50
    assert (contours[:, :-1][across] == 0).mean() > 0.9
    assert np.abs(last.astype(int) - original).mean() < 3
    assert "96" in capsys.readouterr().out
    assert dinp.decode_array((tmp_path / "depth.dinp").read_bytes()).shape[:2] == (96, 128)


def test_of_a_tree_the_known_pixels_are_shown():
    kept = demo.kept(dinp.encode(photograph(), effort=1, quality=20))
    assert set(np.unique(kept)) == {0, 255}
    assert 0.005 < (kept == 255).mean() < 0.3
