"""The file, sample formats and chunks (sections 2 to 4)."""

import math
import struct
import zlib
from dataclasses import dataclass, field

from .common import require, varint

MAGIC = bytes.fromhex("8D64696E0D0A")
ICC, EXIF, XMP, CICP = 1, 2, 3, 4
MATTE, LOSSLESS, HOLES, RESIDUAL, STEPS, PALETTE = 0x81, 0x82, 0xC1, 0xC2, 0xC3, 0xC4
KNOWN = {ICC, EXIF, XMP, CICP, MATTE, LOSSLESS, HOLES, RESIDUAL, STEPS, PALETTE}
FLOAT = {16: "<e", 32: "<f", 64: "<d"}


@dataclass
class Format:
    """A sample format: type 0 unsigned, 1 signed, 2 float."""

    type: int = 0
    bits: int = 8
    depth: int = 0
    ranges: list[tuple[float, float]] = field(default_factory=lambda: [(0, 255)])

    @property
    def size(self) -> int:
        """Bytes of a bound."""
        return -(-self.bits // 8)

    def number(self, data: bytes) -> float:
        """A sample, packed as a bound, that must fit the bits; it may be NaN or infinite."""
        require(len(data) == self.size, "a sample is cut off")
        if self.type == 2:
            return struct.unpack(FLOAT[self.bits], data)[0]
        value = int.from_bytes(data, "little", signed=self.type == 1)
        low = -(1 << self.bits - 1) if self.type else 0
        require(low <= value < low + (1 << self.bits), "a sample does not fit its bits")
        return value


@dataclass
class File:
    """What a file consists of. Chunks are pairs of a type and the content, without the byte of planes."""

    layout: int
    alpha: int
    width: int
    height: int
    samples: Format
    chunks: list[tuple[int, int, bytes]]
    sections: list[bytes]

    @property
    def colours(self) -> int:
        """Number of planes without alpha."""
        return len(self.sections) - (self.alpha == 1)

    def shape(self, plane: int) -> tuple[int, int]:
        """Height and width of a plane."""
        if self.layout == 1 and plane in (1, 2):
            return -(-self.height // 2), -(-self.width // 2)
        return self.height, self.width

    def format_of(self, plane: int) -> Format:
        """The sample format of a plane, with its range as the only one."""
        if plane >= self.colours:
            return Format()
        ranges = self.samples.ranges
        return Format(self.samples.type, self.samples.bits, self.samples.depth, [ranges[min(plane, len(ranges) - 1)]])

    def chunks_of(self, kind: int) -> list[tuple[int, bytes]]:
        """Planes named (0 for chunks that name none) and the rest of the content."""
        return [(planes, content) for k, planes, content in self.chunks if k == kind]


def parse(data: bytes, max_pixels: int = 89_478_485) -> File:
    """Read all but what is in chunks and sections."""
    require(len(data) >= 14 and data[:6] == MAGIC and data[6] >> 4 == 1, "not a dinp file of version 1")
    end, flags = len(data) - 4, data[7]
    require(flags < 64, "a reserved flag")
    layout, alpha = flags & 3, flags >> 2 & 3
    width, at = varint(data, 8, end)
    height, at = varint(data, at, end)
    width, height = width + 1, height + 1
    require(width * height <= max_pixels, "too many pixels")
    planes = (1, 3, 3, 0)[layout]
    if layout == 3:
        require(at < end, "cut off")
        planes, at = data[at], at + 1
        require(1 <= planes <= 4 and flags & 16 > 0, "planes")
    samples = Format()
    if flags & 16:
        samples, at = _sample_format(data, at, end, planes if layout == 3 else 1)
    sections = planes + (alpha == 1)
    chunks = []
    if flags & 32:
        chunks, at = _chunks(data, at, end, sections)
    lengths = []
    for _ in range(sections - 1):
        length, at = varint(data, at, end)
        lengths.append(length)
    require(at + sum(lengths) <= end, "sections are cut off")
    parts = []
    for length in [*lengths, end - at - sum(lengths)]:
        parts.append(data[at : at + length])
        at += length
    require(zlib.crc32(data[:end]) == int.from_bytes(data[end:], "little"), "the checksum")
    file = File(layout, alpha, width, height, samples, chunks, parts)
    _check_together(file)
    return file


def _sample_format(data: bytes, at: int, end: int, ranges: int) -> tuple[Format, int]:
    require(at + 2 <= end, "cut off")
    samples = Format(data[at] >> 6, (data[at] & 63) + 1, data[at + 1], [])
    at += 2
    require(samples.type < 3 and samples.depth <= 8, "sample format")
    require(samples.bits in FLOAT if samples.type == 2 else samples.bits <= 32, "bits of a sample")
    for _ in range(ranges):
        require(at + 2 * samples.size <= end, "cut off")
        low = samples.number(data[at : at + samples.size])
        high = samples.number(data[at + samples.size : at + 2 * samples.size])
        at += 2 * samples.size
        require(math.isfinite(low) and math.isfinite(high) and low <= high, "a range")
        require(math.isfinite(float(high) - float(low)), "a range")
        samples.ranges.append((low, high))
    return samples, at


def _chunks(data: bytes, at: int, end: int, planes: int) -> tuple[list[tuple[int, int, bytes]], int]:
    chunks, seen = [], {}
    while True:
        require(at < end, "chunks are cut off")
        kind, at = data[at], at + 1
        if kind == 0:
            for plane in range(planes):
                holes = sum(kind == HOLES and named >> plane & 1 for kind, named, _ in chunks)
                require(holes <= 4, "too many holes")
            return chunks, at
        length, at = varint(data, at, end)
        require(at + length <= end, "a chunk is cut off")
        content, at, named = data[at : at + length], at + length, 0
        if kind & 64:
            require(length > 0 and 0 < content[0] < 1 << planes, "planes of a chunk")
            named, content = content[0], content[1:]
            require(kind == HOLES or not seen.get(kind, 0) & named, "a plane is named twice")
            seen[kind] = seen.get(kind, 0) | named
        elif kind in KNOWN:
            require(kind not in seen, "a chunk twice")
            seen[kind] = 1
        chunks.append((kind, named, content))


def _check_together(file: File) -> None:
    kinds = {kind for kind, _, _ in file.chunks}
    require(not any(kind & 128 and kind not in KNOWN for kind in kinds), "a chunk that one must know")
    require((file.alpha == 3) == (MATTE in kinds), "matte")
    if LOSSLESS in kinds:
        require(not any(file.sections) and file.alpha < 2 and file.layout != 1, "lossless")
        require(not kinds & {HOLES, RESIDUAL, STEPS}, "chunks beside lossless samples")
    if PALETTE in kinds:
        require(LOSSLESS in kinds and file.layout == 0 and file.alpha == 0, "palette")
        require(file.samples == Format(), "palette")
    for kind, planes, content in file.chunks:
        if kind == RESIDUAL:
            require(planes & planes - 1 == 0, "a residual of several planes")
        if kind == STEPS:
            own_steps(content)
        if kind == HOLES:
            require(planes == 7 if file.layout in (1, 2) else planes < 1 << file.colours, "planes of holes")
        if kind == PALETTE:
            palette(content)


def own_steps(content: bytes) -> dict[int, int]:
    """STEPS: the step of each side that has one of its own."""
    require(len(content) > 0 and content[0] > 0, "steps")
    steps, at = {}, 1
    for k in range(8):
        if content[0] >> k & 1:
            steps[1 << k], at = varint(content, at, len(content))
            require(0 < steps[1 << k] < 2**19, "a step")
    require(at == len(content), "steps go on")
    return steps


def palette(content: bytes) -> list[bytes]:
    """PALETTE: colours of three or four bytes."""
    require(len(content) > 0 and content[0] in (3, 4), "palette")
    size, rest = content[0], content[1:]
    require(len(rest) % size == 0 and 1 <= len(rest) // size <= 256, "palette")
    return [rest[i : i + size] for i in range(0, len(rest), size)]


def inflated(content: bytes) -> bytes:
    """The content of a chunk ICC, EXIF or XMP."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(content, 2**26 + 1)
    except zlib.error:
        require(False, "zlib")
    require(stream.eof and not stream.unused_data and len(plain) <= 2**26, "zlib")
    return plain
