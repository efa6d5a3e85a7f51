"""Contours refined by error and bits: fewer bits, regions that stay connected, the same without kernels."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dinp.encoder import contour_moves
from dinp.encoder.contour_moves import refined, symbol_bits
from dinp.encoder.segmentation import segmentation_ladder
from dinp.entropy.crack_coder import cracks_of, encode_cracks, regions_of

BIT_COST = 300.0


def ragged(seed: int) -> np.ndarray:
    """Two greys with a ragged border, and noise."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=(40, 44)), 4) * 12 + rng.normal(0, 0.12, (40, 44))
    return np.rint(128 + 22 * np.sign(field) + rng.normal(0, 4, field.shape))


def test_contours_take_fewer_bits_and_regions_stay_connected():
    plane = ragged(1)
    labels = segmentation_ladder(plane[None], BIT_COST).at(BIT_COST)
    better = refined(plane[None], labels, BIT_COST)
    assert not np.array_equal(better, labels)
    assert len(encode_cracks(*cracks_of(better))) < len(encode_cracks(*cracks_of(labels)))
    assert np.array_equal(regions_of(*cracks_of(better))[0], better)


def test_what_is_worth_its_bits_stays():
    plane = np.zeros((30, 30))
    plane[10:20, 10:20] = 200
    labels = (plane > 0).astype(np.int32)
    assert np.array_equal(refined(plane[None], labels, 1.0), labels)


def test_a_speck_that_is_not_worth_its_bits_vanishes():
    plane = np.zeros((20, 20))
    plane[9, 9] = 30
    labels = (plane > 0).astype(np.int32)
    assert refined(plane[None], labels, 400.0).max() == 0


@pytest.mark.skipif(contour_moves.kernels is None, reason="there is nothing to compare without the extension")
def test_the_counterpart_in_python_moves_the_same_pixels(monkeypatch):
    planes = np.stack([ragged(1), ragged(2)])[:, :24, :28]
    labels = segmentation_ladder(planes, 60.0).at(60.0)
    compiled = refined(planes, labels, BIT_COST)
    monkeypatch.setattr(contour_moves, "kernels", None)
    assert np.array_equal(refined(planes, labels, BIT_COST), compiled)
    assert not np.array_equal(compiled, labels)


def test_bits_of_symbols_are_those_of_probabilities():
    bits = symbol_bits((ragged(3) > 128).astype(np.int32))
    assert np.allclose((2.0**-bits).sum(axis=1), 1)
