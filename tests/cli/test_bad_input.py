"""Damaged, foreign and hostile files: one DinpError or a picture, nothing else, and no memory by a damaged size."""

import tracemalloc
import zlib

import numpy as np
import pytest

import dinp
from dinp.bitstream.container import COLOUR_420, GREY, Container, pack, unpack
from dinp.encoder.planes import encode_planes


def waves(height, width, channels=()):
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:height, :width]
    picture = 100 + 60 * np.sin(x / 5 + y / 9) + 40 * (x > y) + rng.normal(0, 5, (height, width))
    if channels:
        picture = np.stack([picture, picture[::-1], 255 - picture], axis=2)
    return np.clip(picture, 0, 255).astype(np.uint8)


def free_mask_file():
    """A grey file whose plane is coded on a free inpainting mask instead of a tree."""
    plane = waves(20, 25)
    mask = np.random.default_rng(7).random(plane.shape) < 0.1
    coded = encode_planes([plane.astype(float)], quality=50, mask=mask)
    return pack(Container(25, 20, GREY, tuple(coded.sections)))


@pytest.fixture(scope="module")
def files():
    """Five small files that decode."""
    good = {
        "grey": dinp.encode(waves(30, 23), quality=30),
        "grey, fine": dinp.encode(waves(17, 40), quality=85),
        "colour": dinp.encode(waves(21, 26, (3,)), quality=40),
        "free mask": free_mask_file(),
        "one pixel": dinp.encode(np.full((1, 1), 99, np.uint8)),
    }
    for data in good.values():
        dinp.decode(data)
        dinp.info(data)
    return good


def assert_rejected(data):
    for function in (dinp.decode, dinp.info):
        with pytest.raises(dinp.DinpError) as caught:
            function(data)
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def decodes(data):
    """Whether a file decodes to a picture; everything that is neither a picture nor a DinpError fails the test."""
    container = unpack(data)
    try:
        picture = dinp.decode(data)
    except dinp.DinpError:
        with pytest.raises(dinp.DinpError):  # decoding fails only at parsing, which info does too
            dinp.info(data)
        return False
    assert picture.size == (container.width, container.height)
    dinp.info(data)
    return True


def test_every_truncation_is_rejected(files):
    for data in files.values():
        for size in range(len(data)):
            assert_rejected(data[:size])


def test_every_single_bit_flip_is_rejected(files):
    for data in files.values():
        number = int.from_bytes(data, "big")
        for bit in range(8 * len(data)):
            assert_rejected((number ^ 1 << bit).to_bytes(len(data), "big"))


def test_ten_thousand_random_bit_flips_are_rejected(files):
    rng = np.random.default_rng(8)
    for data in files.values():
        for _ in range(2000):
            damaged = bytearray(data)
            for bit in rng.choice(8 * len(data), rng.integers(1, 20), replace=False):
                damaged[bit // 8] ^= 1 << bit % 8
            assert_rejected(bytes(damaged))


def test_appended_doubled_and_swapped_data_is_rejected(files):
    for data in files.values():
        assert_rejected(data + b"\0")
        assert_rejected(data + data)
        assert_rejected(data[:-4] + data[:-5:-1])
        assert_rejected(b"\0" + data)


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7, 14, 100, 5000])
def test_foreign_data_is_rejected(size):
    rng = np.random.default_rng(size)
    for data in (bytes(size), rng.bytes(size), b"\x8ddin\r\n"[:size] + rng.bytes(max(size - 6, 0))):
        assert_rejected(data)


def test_random_sections_with_a_valid_checksum_decode_or_are_rejected():
    rng = np.random.default_rng(9)
    outcomes = []
    for trial in range(200):
        height, width = (int(side) for side in rng.integers(1, 50, 2))
        colour = trial % 4 == 0
        sections = []
        for _ in range(3 if colour else 1):
            section = bytearray(rng.bytes(int(rng.integers(0, 80))))
            if section and trial % 5:  # most with fields that are allowed, so that the rest is reached
                section[0] &= 0x1D
                section[1:2] = [int(rng.integers(0, 176))][: len(section) - 1]
            sections.append(bytes(section))
        outcomes.append(decodes(pack(Container(width, height, COLOUR_420 if colour else GREY, tuple(sections)))))
    assert 0.02 < np.mean(outcomes) < 0.98  # neither way is left untried


def test_changed_sections_with_a_valid_checksum_decode_or_are_rejected(files):
    rng = np.random.default_rng(10)
    for data in files.values():
        container = unpack(data)
        for _ in range(16):
            sections = [bytearray(section) for section in container.sections]
            section = sections[rng.integers(len(sections))]
            kind = rng.integers(4)
            at = int(rng.integers(len(section)))
            if kind == 0:
                section[at] = int(rng.integers(256))
            elif kind == 1:
                del section[at:]
            elif kind == 2:
                section += rng.bytes(int(rng.integers(1, 9)))
            else:
                section[at:] = bytes([int(rng.choice([0, 255]))]) * (len(section) - at)
            size = (
                (int(rng.integers(1, 60)), int(rng.integers(1, 60)))
                if kind == 0
                else (container.width, container.height)
            )
            decodes(pack(Container(*size, container.layout, tuple(map(bytes, sections)))))


def peak_memory(function):
    """Largest number of bytes that Python and numpy held during a call that raises DinpError."""
    tracemalloc.start()
    try:
        with pytest.raises(dinp.DinpError):
            function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_damaged_sizes_allocate_nothing():
    """The size passes the limit, the checksum does not match: the checksum decides before anything is allocated."""
    data = bytearray(pack(Container(9000, 9000, GREY, (bytes(50),))))
    data[-1] ^= 1
    assert peak_memory(lambda: dinp.decode(bytes(data))) < 100_000


def test_sizes_above_the_limit_allocate_nothing():
    data = pack(Container(1 << 28, 1 << 28, COLOUR_420, (bytes(9), bytes(9), bytes(9))))
    assert peak_memory(lambda: dinp.decode(data)) < 100_000


def test_broken_sections_of_large_pictures_allocate_nothing_like_the_picture():
    for section in (b"", b"\0", b"\xff" * 50, b"\x14\xff" + bytes(50)):
        data = pack(Container(9000, 9000, GREY, (section,)))
        assert peak_memory(lambda data=data: dinp.decode(data)) < 1_000_000


def test_checksum_is_the_last_thing_that_a_forger_has_to_fix(files):
    """The helper of these tests is right: a file whose checksum is computed anew is not rejected for it."""
    body = files["grey"][:-4]
    assert dinp.decode(body + zlib.crc32(body).to_bytes(4, "little")).size == (23, 30)
