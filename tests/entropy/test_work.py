"""The work that few bytes may ask for: it has a bound, and an encoder that needs more appends zero bytes."""

import numpy as np
import pytest

from dinp.bitstream.lossless import decode_lossless
from dinp.bitstream.value_lists import packed_list
from dinp.entropy.crack_coder import cracks_of, decode_cracks, encode_cracks, regions_of
from dinp.entropy.mixing import BitDecoder, BitEncoder
from dinp.entropy.region_coder import decode_colours, encode_colours
from dinp.entropy.sample_coder import encode_samples
from dinp.errors import DinpError
from dinp.kernels import kernels

FREE, BYTE = 1 << 21, 1 << 15  # units that each stream may ask for, and that each of its bytes may

needs_kernels = pytest.mark.skipif(kernels is None, reason="millions of bits in Python take minutes")


def dotted(dots: int, colours: int) -> tuple[np.ndarray, np.ndarray]:
    """Regions (H, W) of single pixels on a ground, most of one colour of many, and their colours."""
    picture = np.zeros((400, dots // 200 * 2), dtype=np.int32)
    picture[1::2, 1::2] = np.arange(1, dots + 1).reshape(200, -1)
    labels, count = regions_of(*cracks_of(picture))
    numbers = np.minimum(np.arange(count), colours - 1)
    numbers[colours:] = 1
    return labels, numbers


@needs_kernels
def test_many_colours_of_many_regions_take_bytes():
    regions, colours = 40_001, 1000
    labels, numbers = dotted(regions - 1, colours)
    stream = encode_colours(labels, numbers)
    work = (regions - colours) * colours
    assert len(stream) == -(-(work - FREE) // BYTE)
    assert stream.endswith(bytes(10))  # it could be shorter
    assert np.array_equal(decode_colours(stream, labels, regions, colours), numbers)
    for wrong in (stream[:-1], stream + b"\0", stream.rstrip(b"\0"), b""):
        with pytest.raises(DinpError):
            decode_colours(wrong, labels, regions, colours)


def test_few_colours_take_no_more_bytes_than_they_need():
    labels, numbers = dotted(200, 3)
    stream = encode_colours(labels, numbers)
    assert 0 < len(stream) < 100
    assert stream[-1]
    assert np.array_equal(decode_colours(stream, labels, 201, 3), numbers)


@needs_kernels
def test_contours_everywhere_take_bytes():
    shape = (1100, 1100)
    board = np.indices(shape).sum(axis=0) % 2
    stream = encode_cracks(*cracks_of(board))
    assert stream.endswith(bytes(10))
    right, down = decode_cracks(stream, shape)
    assert right.all()
    assert down.all()
    for wrong in (stream[:-1], stream + b"\0"):
        with pytest.raises(DinpError):
            decode_cracks(wrong, shape)


def test_work_is_counted_alike_without_kernels():
    encoder = BitEncoder()
    encoder.spend(FREE + 1)
    assert encoder.finish() == b"\0"
    decoder = BitDecoder(b"\0")
    decoder.spend(FREE + BYTE)
    decoder.check_exhausted()
    with pytest.raises(DinpError):
        decoder.spend(1)
    idle = BitDecoder(bytes(9))
    idle.spend(FREE)
    with pytest.raises(DinpError):
        idle.check_exhausted()


def test_values_are_as_many_as_pixels_at_most():
    def content(values: int) -> bytes:
        samples = encode_samples(np.zeros((1, 2, 1), dtype=np.int32), [values])
        return bytes([0]) + packed_list(list(range(values))) + samples

    assert decode_lossless(content(1), [np.dtype(np.uint8)], (1, 2))[0].tolist() == [[0, 0]]
    with pytest.raises(DinpError, match="too many values"):
        decode_lossless(content(3), [np.dtype(np.uint8)], (1, 2))
