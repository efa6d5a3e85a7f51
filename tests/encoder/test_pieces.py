"""Which pieces of regions get values: what kernels do, numpy does likewise."""

import numpy as np
import pytest

from dinp.bitstream import regions
from dinp.bitstream.regions import grouped
from dinp.encoder import pieces
from dinp.encoder.pieces import first_keys, grown_keys, moments
from dinp.encoder.segmentation import numbered
from dinp.kernels import kernels

needs_kernels = pytest.mark.skipif(kernels is None, reason="there is nothing to compare without the extension")


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A plane (70, 90) of slopes and noise, and its regions."""
    random = np.random.default_rng(3)
    y, x = np.indices((70, 90))
    labels = numbered((y // 23) * 10 + (x + y // 3) // 31)
    return labels * 20.0 + np.where(labels % 2, x + 0.5 * y, 0) + random.normal(0, 1, labels.shape), labels


@needs_kernels
@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_keys_are_grouped_as_by_sorting(size):
    keys = np.random.default_rng(size).integers(-(2**62), 2**62, 40)[np.arange(size) // 3 * 7 % 40]
    found, index = grouped(keys)
    wanted, wanted_index = np.unique(keys, return_inverse=True)
    assert np.array_equal(found, wanted)
    assert np.array_equal(index, wanted_index)


@needs_kernels
def test_moments_are_the_same_numbers_in_numpy(scene, monkeypatch):
    plane, labels = scene
    leaf = np.where(labels == 3, -1, labels).astype(np.int32)
    count = int(labels.max()) + 1
    fast = [moments(plane, leaf, first, count) for first in (0, 2)]
    monkeypatch.setattr(pieces, "kernels", None)
    assert np.array_equal(fast[0], moments(plane, leaf, 0, count))
    assert np.array_equal(fast[1], moments(plane, leaf, 2, count))
    assert fast[0][0, 0] == np.count_nonzero(labels == 0)
    assert not fast[0][3].any()


@needs_kernels
def test_pieces_are_the_same_without_kernels(scene, monkeypatch):
    plane, labels = scene
    keys, guess = first_keys(plane, labels, 30.0)
    more = grown_keys(labels, keys, plane - plane.mean(), 30.0)
    assert 0 < keys.size < more.size
    monkeypatch.setattr(pieces, "kernels", None)
    monkeypatch.setattr(regions, "kernels", None)
    again, guess_again = first_keys(plane, labels, 30.0)
    assert np.array_equal(keys, again)
    assert guess == guess_again
    assert np.array_equal(more, grown_keys(labels, keys, plane - plane.mean(), 30.0))
