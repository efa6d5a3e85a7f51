"""Contours: exact round trips, the same bits with and without the kernel, damage, and regions."""

import numpy as np
import pytest

from dinp.entropy import crack_coder
from dinp.entropy.crack_coder import cracks_of, decode_cracks, encode_cracks, regions_of
from dinp.errors import DinpError
from dinp.kernels import kernels

needs_kernel = pytest.mark.skipif(kernels is None, reason="the kernels were not built")


def label_map(height, width, regions=12, seed=0):
    """Cells around random points: straight contours and junctions."""
    rng = np.random.default_rng(seed)
    points = rng.random((regions, 2)) * [height, width]
    y, x = np.mgrid[:height, :width]
    return ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(axis=-1)


MAPS = {
    "cells": label_map(40, 60),
    "noise": np.random.default_rng(1).integers(0, 3, (17, 23)),
    "flat": np.zeros((9, 14), dtype=int),
    "row": np.arange(11)[None] // 3,
    "column": np.arange(11)[:, None] // 4,
    "pixel": np.zeros((1, 1), dtype=int),
    "chessboard": np.indices((8, 9)).sum(axis=0) % 2,
}


@pytest.mark.parametrize("name", MAPS)
def test_cracks_come_back(name):
    right, down = cracks_of(MAPS[name])
    decoded = decode_cracks(encode_cracks(right, down), MAPS[name].shape)
    assert np.array_equal(decoded[0], right)
    assert np.array_equal(decoded[1], down)


@needs_kernel
@pytest.mark.parametrize("name", MAPS)
def test_python_and_kernel_give_the_same_bytes(name, monkeypatch):
    right, down = cracks_of(MAPS[name])
    data, regions = encode_cracks(right, down), regions_of(right, down)
    monkeypatch.setattr(crack_coder, "kernels", None)
    assert encode_cracks(right, down) == data
    decoded = decode_cracks(data, MAPS[name].shape)
    assert np.array_equal(decoded[0], right)
    assert np.array_equal(decoded[1], down)
    assert np.array_equal(regions_of(right, down)[0], regions[0])
    assert regions_of(right, down)[1] == regions[1]


def test_smooth_contours_take_about_a_bit_a_crack():
    labels = label_map(200, 300, 20)
    right, down = cracks_of(labels)
    data = encode_cracks(right, down)
    assert 8 * len(data) < 1.3 * (right.sum() + down.sum())


def test_contours_that_end_are_refused():
    down = np.zeros((4, 5), dtype=bool)
    down[2, 2] = True
    with pytest.raises(ValueError, match="not closed"):
        encode_cracks(np.zeros((5, 4), dtype=bool), down)


def test_data_cut_off_or_with_a_tail_is_refused():
    right, down = cracks_of(MAPS["cells"])
    data = encode_cracks(right, down)
    for wrong in (data[: len(data) // 2], data + bytes(8), data + b"\xa5" * 3):
        with pytest.raises(DinpError, match="damaged"):
            decode_cracks(wrong, MAPS["cells"].shape)


def test_noise_does_not_fill_a_large_picture():
    noise = np.random.default_rng(3).bytes(20)
    with pytest.raises(DinpError, match="damaged"):
        decode_cracks(noise, (1000, 1000))


def test_regions_are_numbered_by_their_first_pixels():
    labels, count = regions_of(*cracks_of(MAPS["cells"]))
    first = [np.flatnonzero(labels == k)[0] for k in range(count)]
    assert first == sorted(first)
    assert count == 12
    assert all(len(np.unique(MAPS["cells"][labels == k])) == 1 for k in range(count))
