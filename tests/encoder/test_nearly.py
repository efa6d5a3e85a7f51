"""Samples on a lattice: every error within the bound, holes exact, what a decoder makes of it, and damage."""

import numpy as np
import pytest

import dinp
from dinp.assembly import describe_lossless_file, lossless_picture
from dinp.bitstream.container import unpack
from dinp.bitstream.lattice import Lattice, lattices_for, pack_lattice, read_lattice
from dinp.cli.describe import describe
from dinp.encoder.lossless import encode_nearly
from dinp.pictures.intake import picture_of_array

RNG = np.random.default_rng(3)
Y, X = np.mgrid[:30, :40]


def depth():
    """A slope with noise and a hole, in millimetres."""
    values = 900 + 7 * X + 3 * Y + RNG.integers(-2, 3, X.shape)
    return np.where((Y > 20) & (X < 9), 0, values).astype(np.uint16)


def measures(kind):
    """A slope of floats with NaN and infinite samples."""
    values = (0.3 * X - 0.1 * Y + RNG.normal(0, 0.01, X.shape)).astype(kind)
    values[3:9, 4:8], values[12, 5:9] = np.nan, -np.inf
    return values


PICTURES = {
    "depth": depth(),
    "bytes": RNG.integers(0, 256, (12, 15)).astype(np.uint8),
    "alpha": RNG.integers(0, 256, (12, 15, 4)).astype(np.uint8),
    "signed": RNG.integers(-128, 128, (12, 15)).astype(np.int8),
    "wide": RNG.integers(-(2**31), 2**31, (9, 9)).astype(np.int32),
    "planes": RNG.integers(-400, 400, (9, 9, 3)).astype(np.int16),
    "float16": measures(np.float16),
    "float32": measures(np.float32),
    "float64": measures(np.float64),
    "flat": np.full((5, 6), 65535, dtype=np.uint16),
}


@pytest.mark.parametrize("most", [0, 1, 2.5, 8, 300, 1e6])
@pytest.mark.parametrize("name", PICTURES)
def test_no_sample_is_farther_off(name, most):
    array = PICTURES[name]
    most = most / 100 if array.dtype.kind == "f" else most
    picture = picture_of_array(array, max_pixels=array.size, planes=name == "planes")
    data, container, shown = encode_nearly(picture, most)
    back = lossless_picture(container).array()
    assert back.dtype == array.dtype
    assert np.array_equal(back, shown.array(), equal_nan=array.dtype.kind == "f")
    assert np.array_equal(back, dinp.decode_array(data), equal_nan=array.dtype.kind == "f")
    known = np.isfinite(array) & (array != 0) if name == "depth" else np.isfinite(array)
    if name == "alpha":
        assert np.array_equal(back[..., 3], array[..., 3])
        known = (array[..., 3:] > 0) & (np.arange(4) < 3)
    else:
        assert np.array_equal(back[~known], array[~known], equal_nan=array.dtype.kind == "f")
    assert np.abs(back.astype(float)[known] - array.astype(float)[known]).max() <= most
    if most == 0 and name != "depth":
        assert describe_lossless_file(container).units == (0,) * len(describe_lossless_file(container).units)
    elif 0.1 <= most <= 100:
        assert describe_lossless_file(container).units[0] > most


def test_a_larger_error_takes_fewer_bytes():
    picture = picture_of_array(depth(), max_pixels=2000)
    sizes = [len(encode_nearly(picture, most)[0]) for most in (0, 1, 2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


def test_an_encoding_takes_the_samples_where_they_are_smaller():
    encoding = dinp.encode_with_report(depth(), max_error=1, effort=1)
    assert "lossless" in dinp.info(encoding.data)
    assert 0 < encoding.largest_error <= 1
    assert np.array_equal(dinp.decode_array(encoding.data), encoding.decoded)
    assert "samples in steps of 3" in describe(dinp.info(encoding.data))
    smooth = np.rint(128 + 90 * np.sin(X / 20) * np.cos(Y / 15)).astype(np.uint8)
    coarse = dinp.encode_with_report(smooth, max_error=20, effort=1)
    assert len(coarse.data) <= len(encode_nearly(picture_of_array(smooth, max_pixels=2000), 20)[0])
    assert coarse.largest_error <= 20


def test_colours_that_nobody_sees_cost_nothing():
    noise = RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    alpha = np.where(X < 20, 255, 0).astype(np.uint8)[..., None]
    flat = np.where(alpha > 0, noise, 0).astype(np.uint8)
    sizes = [
        len(encode_nearly(picture_of_array(np.dstack([rgb, alpha]), max_pixels=2000), 2)[0]) for rgb in (noise, flat)
    ]
    assert sizes[0] == sizes[1]


def test_lattices_keep_the_error_and_the_type():
    for low, high, most in ((0, 255, 1), (0, 255, 8), (3, 9, 2), (250, 255, 200), (0, 0, 4)):
        found = lattices_for(low, high, most, (), np.dtype(np.uint8))
        assert found
        values = np.arange(low, high + 1, dtype=np.uint8)
        for lattice in found:
            shown = lattice.samples(lattice.nearest(values, []).tolist())
            assert np.abs(shown.astype(int) - values).max() <= most


def test_damaged_lattices_are_refused():
    kind = np.dtype(np.uint16)
    packed = pack_lattice(Lattice(5, 3, (0, 65535), kind))
    lattice, end = read_lattice(packed, 0, kind)
    assert (lattice, end) == (Lattice(5, 3, (0, 65535), kind), len(packed))
    assert lattice.samples([0, 1, 2, 3]).tolist() == [0, 65535, 5, 8]
    assert read_lattice(pack_lattice(None), 0, kind) == (None, 1)
    for wrong in (b"", packed[:-1], bytes([5]) + bytes(20), bytes([0, 5, 0, 0, 0])):
        with pytest.raises(dinp.DinpError, match="damaged"):
            read_lattice(wrong, 0, kind)
    for number in (-3, 22000, 1 << 60):
        with pytest.raises(dinp.DinpError, match="damaged"):
            lattice.samples([number])
    endless = Lattice(0.0, float(np.finfo(np.float32).max), (), np.dtype(np.float32))
    with pytest.raises(dinp.DinpError, match="damaged"):
        endless.samples([3])


def test_a_reserved_bit_is_refused():
    container = unpack(dinp.encode(PICTURES["bytes"], lossless=True))
    from dinp.bitstream.lossless import decode_lossless

    content = container.chunks[-1].content
    for wrong in (content[0] | 4, content[0] | 0x80):
        with pytest.raises(dinp.DinpError, match="damaged"):
            decode_lossless(bytes([wrong]) + content[1:], [np.dtype(np.uint8)], (12, 15))
