"""The container: exact bytes, ranges, and what must be rejected."""

import zlib

import numpy as np
import pytest

from dinp.bitstream.container import MAX_SIDE, Container, pack, unpack
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS

GREY = Container(width=300, height=7, colour=False, sections=(b"luma",))
COLOUR = Container(width=5, height=3, colour=True, sections=(b"y" * 200, b"", b"cr"))


def with_checksum(body):
    """`body` followed by its checksum, so that only what is inside can be wrong."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_bytes_of_a_grey_file_are_those_of_the_specification():
    body = bytes.fromhex("8d64696e0d0a 01 00 ab02 06") + b"luma"  # 300 - 1 = 0b10_0101011
    assert pack(GREY) == with_checksum(body)


def test_bytes_of_a_colour_file_are_those_of_the_specification():
    body = bytes.fromhex("8d64696e0d0a 01 01 04 02 c801 00") + b"y" * 200 + b"cr"
    assert pack(COLOUR) == with_checksum(body)


@pytest.mark.parametrize("container", [GREY, COLOUR])
def test_round_trip(container):
    assert unpack(pack(container)) == container


@pytest.mark.parametrize(("width", "height"), [(1, 1), (128, 129), (MAX_PIXELS, 1), (1, MAX_SIDE), (9459, 9459)])
def test_sizes_round_trip(width, height):
    back = unpack(pack(Container(width, height, False, (b"",))), max_pixels=MAX_SIDE)
    assert (back.width, back.height) == (width, height)


@pytest.mark.parametrize("side", [0, MAX_SIDE + 1])
def test_sides_that_cannot_be_stored_are_refused(side):
    with pytest.raises(DinpError, match="cannot be stored"):
        pack(Container(side, 1, False, (b"",)))


def test_number_of_sections_must_fit_the_mode():
    with pytest.raises(ValueError, match="one section"):
        pack(Container(1, 1, True, (b"",)))


def test_overhead_is_at_most_24_bytes():
    rng = np.random.default_rng(1)
    sizes = [(16385, 5461), (5461, 16385), (MAX_PIXELS, 1), (9459, 9459)]
    sizes += [(int(w), int(MAX_PIXELS // w)) for w in np.exp(rng.uniform(0, np.log(MAX_PIXELS), 200)).astype(int)]
    sections = (bytes(2_100_000), bytes(2_000_000), bytes(7))  # luma: four bytes of length, chroma: three
    for width, height in sizes:
        assert len(pack(Container(width, height, False, (b"",)))) <= 17
        assert len(pack(Container(width, height, True, (b"", b"", b"")))) <= 24 - 3 - 2
    longest = max(sizes, key=lambda size: len(pack(Container(*size, False, (b"",)))))
    assert len(pack(Container(*longest, True, sections))) - sum(map(len, sections)) <= 24


@pytest.mark.parametrize("container", [GREY, COLOUR])
def test_every_truncation_is_rejected(container):
    data = pack(container)
    for size in range(len(data)):
        with pytest.raises(DinpError):
            unpack(data[:size])


@pytest.mark.parametrize("container", [GREY, COLOUR])
def test_every_single_bit_flip_is_rejected(container):
    data = pack(container)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(DinpError):
            unpack(bytes(damaged))


def test_every_burst_of_32_bits_is_rejected():
    data = pack(COLOUR)
    number = int.from_bytes(data, "little")
    rng = np.random.default_rng(2)
    for at in range(8 * len(data) - 31):
        burst = int(rng.integers(1, 1 << 32))
        with pytest.raises(DinpError):
            unpack((number ^ burst << at).to_bytes(len(data), "little"))


def test_appended_bytes_are_rejected():
    with pytest.raises(DinpError, match="checksum"):
        unpack(pack(GREY) + b"\0")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a dinp file"),
        (bytes(100), "not a dinp file"),
        (pack(GREY).replace(b"\r\n", b"\n"), "as text"),
        (pack(GREY).replace(b"\x8d", b"\x0d"), "as text"),
        (pack(GREY)[:9], "truncated"),
    ],
)
def test_foreign_files_are_told_apart(data, sentence):
    with pytest.raises(DinpError, match=sentence):
        unpack(data)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("8d64696e0d0a 02 00 00 00", "version 2"),
        ("8d64696e0d0a 00 00 00 00", "version 0"),
        ("8d64696e0d0a 01 02 00 00", "reserved"),
        ("8d64696e0d0a 01 80 00 00", "reserved"),
        ("8d64696e0d0a 01 00 8000 00", "superfluous"),
        ("8d64696e0d0a 01 00 80808000 00", "superfluous"),
        ("8d64696e0d0a 01 00 8080808001 00", "longer than 4"),
        ("8d64696e0d0a 01 00 00 80", "cut off"),
        ("8d64696e0d0a 01 01 00 00 02 00 00", "sections are longer"),
        ("8d64696e0d0a 01 01 00 00 00 ffffff7f", "sections are longer"),
        ("8d64696e0d0a 01 01 00 00", "cut off"),
        ("8d64696e0d0a 01 00 ffffff7f ffffff7f", "limit"),
        ("8d64696e0d0a 01 00 ffff7f 2b", "limit"),
    ],
)
def test_malformed_headers_are_rejected_even_with_a_valid_checksum(body, sentence):
    with pytest.raises(DinpError, match=sentence):
        unpack(with_checksum(bytes.fromhex(body)))


def test_size_limit_is_exact_and_checked_before_the_checksum():
    data = pack(Container(10, 10, False, (b"",)))
    assert unpack(data, max_pixels=100).width == 10
    with pytest.raises(DinpError, match="limit of 99"):
        unpack(data[:-1] + bytes([data[-1] ^ 1]), max_pixels=99)
