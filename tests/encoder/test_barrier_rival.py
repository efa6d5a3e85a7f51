"""Where barriers are tried: planes of flat parts, and of gentle slopes between edges."""

import numpy as np
import pytest

from dinp.encoder.barrier_rival import has_flat_parts


def slopes():
    """Two slopes, an edge between them: all neighbours but those at the edge differ by one level."""
    y, x = np.indices((60, 80))
    return np.where(x + y // 3 < 50, 40.0, 120.0) + (y + x)


def test_gentle_slopes_of_whole_numbers_are_tried():
    plane = slopes()
    pairs = [np.abs(np.diff(plane, axis=axis)) for axis in (0, 1)]
    assert np.mean(np.concatenate([p.ravel() for p in pairs]) == 0) < 0.1
    assert has_flat_parts(plane)


@pytest.mark.parametrize("spoilt", [0.25, "noise"])
def test_slopes_between_the_levels_and_noise_are_not(spoilt):
    plane = slopes()
    noise = np.random.default_rng(0).normal(0, 3, plane.shape)
    assert not has_flat_parts(plane + (np.rint(noise) if spoilt == "noise" else spoilt))
