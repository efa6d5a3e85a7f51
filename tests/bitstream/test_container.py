"""The container: exact bytes, ranges, and what must be rejected."""

import zlib

import numpy as np
import pytest

from dinp.bitstream.container import (
    ALPHA_MATTE,
    ALPHA_PLANE,
    COLOUR_420,
    COLOUR_444,
    EXIF,
    GREY,
    HOLES,
    ICC,
    LOSSLESS,
    MATTE,
    MAX_SIDE,
    OPAQUE,
    PALETTE,
    PLANES,
    RESIDUAL,
    STEPS,
    Chunk,
    Container,
    pack,
    plane_chunk,
    unpack,
)
from dinp.bitstream.samples import EIGHT_BITS, FLOAT, SIGNED, UNSIGNED, SampleFormat
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS

SMALL = Container(width=300, height=7, layout=GREY, sections=(b"luma",))
COLOUR = Container(width=5, height=3, layout=COLOUR_420, sections=(b"y" * 200, b"", b"cr"))
FULL = Container(
    width=5,
    height=3,
    layout=COLOUR_444,
    sections=(b"y", b"b", b"r", b"alpha"),
    alpha=ALPHA_PLANE,
    samples=SampleFormat(UNSIGNED, 10, 2, ((4, 1000),)),
    chunks=(Chunk(ICC, b"profile" * 40), Chunk(EXIF, b""), plane_chunk(STEPS, (0, 2), b"xy"), Chunk(0x3F, b"?")),
)
FLOW = Container(
    width=5,
    height=3,
    layout=PLANES,
    sections=(b"u", b"v"),
    samples=SampleFormat(FLOAT, 32, 8, ((-1.5, 3.25), (0.0, 0.0))),
    chunks=(plane_chunk(HOLES, (0, 1), b"h"),),
)


def with_checksum(body):
    """`body` followed by its checksum, so that only what is inside can be wrong."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_bytes_of_a_grey_file_are_those_of_the_specification():
    body = bytes.fromhex("8d64696e0d0a 10 00 ab02 06") + b"luma"  # 300 - 1 = 0b10_0101011
    assert pack(SMALL) == with_checksum(body)


def test_bytes_of_a_colour_file_are_those_of_the_specification():
    body = bytes.fromhex("8d64696e0d0a 10 01 04 02 c801 00") + b"y" * 200 + b"cr"
    assert pack(COLOUR) == with_checksum(body)


@pytest.mark.parametrize("container", [SMALL, COLOUR, FULL, FLOW])
def test_round_trip(container):
    assert unpack(pack(container)) == container


@pytest.mark.parametrize(("width", "height"), [(1, 1), (128, 129), (MAX_PIXELS, 1), (1, MAX_SIDE), (9459, 9459)])
def test_sizes_round_trip(width, height):
    back = unpack(pack(Container(width, height, GREY, (b"",))), max_pixels=MAX_SIDE)
    assert (back.width, back.height) == (width, height)


@pytest.mark.parametrize("side", [0, MAX_SIDE + 1])
def test_sides_that_cannot_be_stored_are_refused(side):
    with pytest.raises(DinpError, match="cannot be stored"):
        pack(Container(side, 1, GREY, (b"",)))


def test_number_of_sections_must_fit_the_mode():
    with pytest.raises(ValueError, match="do not fit"):
        pack(Container(1, 1, COLOUR_420, (b"",)))


def test_overhead_is_at_most_17_bytes_in_grey_and_24_in_colour():
    rng = np.random.default_rng(1)
    sizes = [(16385, 5461), (5461, 16385), (MAX_PIXELS, 1), (9459, 9459)]
    sizes += [(int(w), int(MAX_PIXELS // w)) for w in np.exp(rng.uniform(0, np.log(MAX_PIXELS), 200)).astype(int)]
    sections = (bytes(2_100_000), bytes(2_000_000), bytes(7))  # luma: four bytes of length, chroma: three
    for width, height in sizes:
        assert len(pack(Container(width, height, GREY, (b"",)))) <= 17
        assert len(pack(Container(width, height, COLOUR_420, (b"", b"", b"")))) <= 24 - 3 - 2
    longest = max(sizes, key=lambda size: len(pack(Container(*size, False, (b"",)))))
    assert len(pack(Container(*longest, COLOUR_420, sections))) - sum(map(len, sections)) <= 24


@pytest.mark.parametrize("container", [SMALL, COLOUR, FULL, FLOW])
def test_every_truncation_is_rejected(container):
    data = pack(container)
    for size in range(len(data)):
        with pytest.raises(DinpError):
            unpack(data[:size])


@pytest.mark.parametrize("container", [SMALL, COLOUR, FULL, FLOW])
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
        unpack(pack(SMALL) + b"\0")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a dinp file"),
        (bytes(100), "not a dinp file"),
        (pack(SMALL).replace(b"\r\n", b"\n"), "as text"),
        (pack(SMALL).replace(b"\x8d", b"\x0d"), "as text"),
        (pack(SMALL)[:9], "truncated"),
    ],
)
def test_foreign_files_are_told_apart(data, sentence):
    with pytest.raises(DinpError, match=sentence):
        unpack(data)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("8d64696e0d0a 20 00 00 00", "version 2.0"),
        ("8d64696e0d0a 01 00 00 00", "version 0.1"),
        ("8d64696e0d0a 10 40 00 00", "reserved"),
        ("8d64696e0d0a 10 80 00 00", "reserved"),
        ("8d64696e0d0a 10 03 00 00", "cut off"),
        ("8d64696e0d0a 10 03 00 00 00", "0 planes"),
        ("8d64696e0d0a 10 03 00 00 05", "5 planes"),
        ("8d64696e0d0a 10 03 00 00 01", "need a sample format"),
        ("8d64696e0d0a 10 10 00 00 0f", "cut off"),
        ("8d64696e0d0a 10 10 00 00 0f 00 000000", "cut off"),
        ("8d64696e0d0a 10 10 00 00 cf 00 0000ffff", "sample format"),
        ("8d64696e0d0a 10 10 00 00 20 00 0000000000 0000000000", "sample format"),
        ("8d64696e0d0a 10 10 00 00 90 00 0000ffff00", "sample format"),
        ("8d64696e0d0a 10 10 00 00 0f 09 0000ffff", "sample format"),
        ("8d64696e0d0a 10 10 00 00 0f 00 01000000", "range"),
        ("8d64696e0d0a 10 10 00 00 0b 00 00000010", "range"),
        ("8d64696e0d0a 10 10 00 00 9f 00 00000000 0000c07f", "range"),
        ("8d64696e0d0a 10 20 00 00", "chunks are cut off"),
        ("8d64696e0d0a 10 20 00 00 01", "cut off"),
        ("8d64696e0d0a 10 20 00 00 01 02 aa", "chunk is longer"),
        ("8d64696e0d0a 10 20 00 00 01 00 01 00 00", "comes too often"),
        ("8d64696e0d0a 10 20 00 00 c0 00 00", "names no plane"),
        ("8d64696e0d0a 10 20 00 00 c0 01 00 00", "names no plane"),
        ("8d64696e0d0a 10 20 00 00 c0 01 02 00", "names no plane"),
        ("8d64696e0d0a 10 20 00 00 c0 01 01 c0 01 01 00", "comes too often"),
        ("8d64696e0d0a 10 20 00 00" + " c1 01 01" * 5 + " 00", "too often"),
        ("8d64696e0d0a 10 20 00 00 ff 01 01 00", "newer program"),
        ("8d64696e0d0a 10 20 00 00 81 00 00", "matte"),
        ("8d64696e0d0a 10 0c 00 00", "matte"),
        ("8d64696e0d0a 10 00 8000 00", "superfluous"),
        ("8d64696e0d0a 10 00 80808000 00", "superfluous"),
        ("8d64696e0d0a 10 00 8080808001 00", "longer than 4"),
        ("8d64696e0d0a 10 00 00 80", "cut off"),
        ("8d64696e0d0a 10 01 00 00 02 00 00", "sections are longer"),
        ("8d64696e0d0a 10 01 00 00 00 ffffff7f", "sections are longer"),
        ("8d64696e0d0a 10 01 00 00", "cut off"),
        ("8d64696e0d0a 10 00 ffffff7f ffffff7f", "limit"),
        ("8d64696e0d0a 10 00 ffff7f 2b", "limit"),
    ],
)
def test_malformed_headers_are_rejected_even_with_a_valid_checksum(body, sentence):
    with pytest.raises(DinpError, match=sentence):
        unpack(with_checksum(bytes.fromhex(body)))


def test_size_limit_is_exact_and_checked_before_the_checksum():
    data = pack(Container(10, 10, GREY, (b"",)))
    assert unpack(data, max_pixels=100).width == 10
    with pytest.raises(DinpError, match="limit of 99"):
        unpack(data[:-1] + bytes([data[-1] ^ 1]), max_pixels=99)


def test_bytes_of_chunks_and_sample_format_are_those_of_the_specification():
    body = bytes.fromhex("8d64696e0d0a 10 33 04 02 02 9f08 0000c0bf 00005040 00000000 00000000 c1 02 03") + b"h"
    assert pack(FLOW) == with_checksum(body + b"\0" + b"\x01uv")


def test_shapes_are_those_of_the_layout():
    assert COLOUR.shapes == [(3, 5), (2, 3), (2, 3)]
    assert FULL.shapes == [(3, 5)] * 4
    assert FLOW.shapes == [(3, 5)] * 2


def test_unknown_chunks_that_may_be_skipped_are_kept_and_may_come_twice():
    container = Container(5, 3, GREY, (b"",), chunks=(Chunk(0x3E, b"a"), Chunk(0x3E, b"b"), Chunk(0x7F, b"\x01")))
    assert unpack(pack(container)) == container


def test_chunks_are_found_by_type_and_plane():
    back = unpack(pack(FULL))
    assert back.chunk(ICC) == b"profile" * 40
    assert back.chunk(MATTE) is None
    assert [back.chunk_of_plane(STEPS, p) for p in range(4)] == [b"xy", None, b"xy", None]


def test_minor_versions_are_read():
    body = pack(SMALL)[:-4]
    assert unpack(with_checksum(body[:6] + b"\x1f" + body[7:])) == SMALL


def test_opaque_alpha_costs_nothing_and_a_matte_needs_its_chunk():
    opaque = Container(5, 3, GREY, (b"",), OPAQUE)
    assert unpack(pack(opaque)) == opaque
    assert len(pack(opaque)) == len(pack(Container(5, 3, GREY, (b"",))))
    matte = Container(5, 3, GREY, (b"",), ALPHA_MATTE, chunks=(Chunk(MATTE, b"m"),))
    assert unpack(pack(matte)) == matte


@pytest.mark.parametrize(
    ("kind", "bits", "low", "high"),
    [
        (UNSIGNED, 1, 0, 1),
        (UNSIGNED, 12, 3, 4095),
        (UNSIGNED, 16, 0, 65535),
        (SIGNED, 16, -300, 301),
        (SIGNED, 9, -256, 7),
    ],
)
def test_integers_survive_the_axis_exactly(kind, bits, low, high):
    samples = SampleFormat(kind, bits, 0, ((low, high),))
    values = np.unique(np.linspace(low, high, 5000).astype(int)).astype(samples.dtype)
    assert np.array_equal(samples.from_axis(samples.to_axis(values)), values)
    assert samples.from_axis(np.array([-9.0, 300.0])).tolist() == [low, high]


def test_eight_bits_are_the_axis():
    values = np.arange(256, dtype=np.uint8)
    assert np.array_equal(EIGHT_BITS.to_axis(values), values)
    assert EIGHT_BITS.from_axis(np.array([1.46, 1.48, 1.5, -3, 256])).tolist() == [1, 2, 2, 0, 255]


@pytest.mark.parametrize("kind", [0x80, 0x83, 0xC0, 0xC5, 0xFF])
def test_unknown_and_reserved_chunks_that_must_be_known_are_refused(kind):
    chunk = plane_chunk(kind, (0,), b"")
    with pytest.raises(DinpError, match=f"newer program: it has a chunk of type {kind:02X}"):
        unpack(pack(Container(5, 3, GREY, (b"",), chunks=(chunk,))))


LOSSLESS_CHUNK, COLOURS = Chunk(LOSSLESS, b"x"), plane_chunk(PALETTE, (0,), b"\x03rgb")


@pytest.mark.parametrize(
    "container",
    [
        Container(5, 3, GREY, (b"s",), chunks=(LOSSLESS_CHUNK,)),
        Container(5, 3, GREY, (b"",), OPAQUE, chunks=(LOSSLESS_CHUNK,)),
        Container(5, 3, COLOUR_420, (b"",) * 3, chunks=(LOSSLESS_CHUNK,)),
        *(
            Container(5, 3, GREY, (b"",), chunks=(LOSSLESS_CHUNK, plane_chunk(k, (0,), b"")))
            for k in (HOLES, RESIDUAL, STEPS)
        ),
        Container(5, 3, GREY, (b"",), chunks=(COLOURS,)),
        Container(5, 3, COLOUR_444, (b"",) * 3, chunks=(LOSSLESS_CHUNK, COLOURS)),
        Container(5, 3, GREY, (b"",) * 2, ALPHA_PLANE, chunks=(LOSSLESS_CHUNK, COLOURS)),
        Container(5, 3, COLOUR_444, (b"",) * 3, chunks=(plane_chunk(RESIDUAL, (0, 1), b""),)),
    ],
)
def test_parts_that_do_not_go_together_are_refused(container):
    with pytest.raises(DinpError, match="damaged"):
        unpack(pack(container))
