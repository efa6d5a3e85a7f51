"""The ladder of segmentations: what it keeps and merges, and that Python and the kernel agree."""

import numpy as np

from dinp.encoder import segmentation
from dinp.encoder.segmentation import flat_zones, numbered, segmentation_ladder


def picture():
    rng = np.random.default_rng(2)
    plane = np.zeros((30, 40))
    plane[:, 20:] = 100
    plane[10:14, 5:9] = 40
    return plane + (rng.random(plane.shape) < 0.1)


def test_a_ladder_goes_from_flat_zones_to_one_region():
    plane = picture()
    ladder = segmentation_ladder(plane[None], 1e9)
    counts = [int(ladder.at(cost).max()) + 1 for cost in (-1.0, 0.5, 30.0, 1e9)]
    assert counts[0] == int(flat_zones(plane[None]).max()) + 1
    assert counts[1:] == sorted(counts[1:], reverse=True)
    assert counts[-1] == 1
    middle = ladder.at(5.0)
    assert int(middle.max()) + 1 == 3
    assert middle[0, 0] != middle[0, -1]
    assert middle[11, 6] not in (middle[0, 0], middle[0, -1])


def test_slopes_are_one_region():
    plane = np.tile(np.arange(60.0), (40, 1))
    assert segmentation_ladder(plane[None], 10.0).at(10.0).max() == 0


def test_the_counterpart_in_python_makes_the_same_merges(monkeypatch):
    planes = np.stack([picture(), picture()[::-1]])
    compiled = segmentation_ladder(planes, 100.0)
    monkeypatch.setattr(segmentation, "kernels", None)
    slow = segmentation_ladder(planes, 100.0)
    for name in ("kept", "lost", "prices"):
        assert np.array_equal(getattr(compiled, name), getattr(slow, name))
    assert compiled.kept.size > 50


def test_regions_are_numbered_in_raster_order():
    assert numbered(np.array([[7, 7, 3], [3, 5, 3]])).tolist() == [[0, 0, 1], [1, 2, 1]]
