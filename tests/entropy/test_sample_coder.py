"""Lossless samples and the values of regions: exact, the same bits with and without the kernel, damage refused."""

import numpy as np
import pytest

from dinp.entropy import region_coder, sample_coder
from dinp.entropy.crack_coder import cracks_of, regions_of
from dinp.entropy.region_coder import decode_colours, encode_colours
from dinp.entropy.sample_coder import decode_samples, encode_samples
from dinp.errors import DinpError
from dinp.kernels import kernels

needs_kernel = pytest.mark.skipif(kernels is None, reason="the kernels were not built")


def picture(height, width, channels, levels, seed=0):
    """Flat zones, a slope and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    flat = (
        np.where((y - height / 2) ** 2 + (x - width / 3) ** 2 < height**2 / 9, 0.7, 0.2) + (x > 2 * width / 3) * y / 90
    )
    noise = rng.random((height, width)) * (y > 2 * height / 3) / 4
    planes = [np.clip((flat + noise) * (1 - k / 9), 0, 1) for k in range(channels)]
    return (np.stack(planes, axis=-1) * (levels - 1)).astype(np.int32)


SAMPLES = {
    "grey": (picture(24, 31, 1, 256), [256]),
    "colour": (picture(15, 18, 3, 256), [256, 256, 256]),
    "sixteen bits": (picture(12, 17, 1, 65536), [65536]),
    "two channels": (picture(9, 7, 2, 300), [300, 300]),
    "blocks of rows": (picture(150, 5, 2, 70000), [70000, 70000]),
    "black": (np.zeros((6, 5, 1), dtype=np.int32), [1]),
    "pixel": (np.full((1, 1, 4), 3, dtype=np.int32), [4, 4, 5, 6]),
    "row": (np.arange(9, dtype=np.int32)[None, :, None] // 2, [5]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_come_back(name):
    samples, levels = SAMPLES[name]
    assert np.array_equal(decode_samples(encode_samples(samples, levels), samples.shape[:2], levels), samples)


@needs_kernel
@pytest.mark.parametrize("name", SAMPLES)
def test_python_and_kernel_give_the_same_bytes(name, monkeypatch):
    samples, levels = SAMPLES[name]
    data = encode_samples(samples, levels)
    monkeypatch.setattr(sample_coder, "kernels", None)
    assert encode_samples(samples, levels) == data
    assert np.array_equal(decode_samples(data, samples.shape[:2], levels), samples)


@needs_kernel
@pytest.mark.parametrize("spread", [1, 200])
def test_slots_that_come_as_they_are_used_are_those_of_the_encoder(spread):
    """The encoder has all slots of more than 2^14 pixels at once, the decoder of few bytes makes room for them."""
    rng = np.random.default_rng(3)
    slope = np.indices((130, 131)).sum(axis=0) * 9
    samples = (slope + rng.integers(0, spread, slope.shape))[..., None]
    data = encode_samples(samples, [4000])
    assert samples.size > 1 << 14
    assert len(data) < 1 << 16
    assert np.array_equal(decode_samples(data, slope.shape, [4000]), samples)
    with pytest.raises(DinpError, match="damaged"):
        decode_samples(data[: len(data) // 2], slope.shape, [4000])


def test_damaged_samples_are_refused():
    samples, levels = SAMPLES["grey"]
    data = encode_samples(samples, levels)
    for wrong in (data[: len(data) // 2], data + bytes(8), data + b"\xa5" * 3):
        with pytest.raises(DinpError, match="damaged"):
            decode_samples(wrong, samples.shape[:2], levels)
    with pytest.raises(DinpError, match="damaged"):
        decode_samples(np.random.default_rng(3).bytes(40), (1000, 1000), levels)


def test_flat_zones_take_few_bytes():
    samples = np.zeros((100, 200, 1), dtype=np.int32)
    samples[30:60, 50:150] = 9
    assert len(encode_samples(samples, [10])) < 60


def regions(colours, seed=0):
    rng = np.random.default_rng(seed)
    classes = np.kron(rng.integers(0, colours, (12, 15)), np.ones((3, 4), dtype=np.int64))
    labels, count = regions_of(*cracks_of(classes))
    values = classes.ravel()[np.unique(labels, return_index=True)[1]]
    first = list(dict.fromkeys(values.tolist()))
    return labels, count, np.array([first.index(v) for v in values.tolist()], dtype=np.int32)


@pytest.mark.parametrize("number", [1, 2, 3, 21, 500])
def test_colours_of_regions_come_back(number, monkeypatch):
    labels, count, colours = regions(number)
    data = encode_colours(labels, colours)
    total = int(colours.max()) + 1
    assert np.array_equal(decode_colours(data, labels, count, total), colours)
    monkeypatch.setattr(region_coder, "kernels", None)
    assert encode_colours(labels, colours) == data
    assert np.array_equal(decode_colours(data, labels, count, total), colours)


def test_two_colours_take_nothing_after_the_first():
    labels, count, colours = regions(2)
    assert count > 20
    assert len(encode_colours(labels, colours)) <= 1


def test_damaged_colours_are_refused():
    labels, count, colours = regions(21)
    data = encode_colours(labels, colours)
    for wrong in (data[:4], data + b"\xa5" * 9):
        with pytest.raises(DinpError, match="damaged"):
            decode_colours(wrong, labels, count, 21)
