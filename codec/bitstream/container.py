"""The dinp container: header, chunks, sections and checksum around the planes (docs/format.md, sections 2 and 4).

All integers are unsigned; a *varint* is an unsigned LEB128 integer: seven bits per byte, least significant group
first, bit 7 of a byte set if another byte follows. A varint takes at most 4 bytes and must be canonical: only a
one-byte varint may end in a zero byte.

    offset  bytes  content
    0       6      magic: 8D 64 69 6E 0D 0A ("\\x8ddin\\r\\n")
    6       1      format version: bits 7-4 major, 1; bits 3-0 minor, 0
    7       1      flags:  bits 1-0  layout: 0 grey, one plane; 1 colour 4:2:0; 2 colour 4:4:4, three planes Y, Cb, Cr
                                     each; 3 planes as they are, 1 to 4, without colour transform
                           bits 3-2  alpha: 0 none; 1 a plane after the others; 2 opaque everywhere; 3 a matte of 0 and
                                     255, in a chunk
                           bit 4     a sample format follows the height (`dinp.bitstream.samples`); else 8 bits
                           bit 5     chunks come before the sections
                           bits 7-6  reserved, must be 0
    8       1-4    width - 1, varint    (width 1 to 2^28 pixels)
    ...     1-4    height - 1, varint   (height 1 to 2^28 pixels)
    ...     1      layout 3 only: number of planes without alpha, 1 to 4
    ...            the sample format, if flagged: with one range, or in layout 3 with one a plane
    ...            chunks, if flagged: each type (1 byte), length (varint), content; the end is a byte 0
    ...     1-4    length of each section but the last in bytes, varint: one fewer than planes
    ...            the sections, one per plane, in the order of the planes, without gaps
    end-4   4      CRC-32 of all bytes before it, least significant byte first

The last section reaches up to the CRC-32. The CRC is that of zlib, PNG and gzip (polynomial 04C11DB7, bits reflected,
start value and final exclusive-or FFFFFFFF).

Planes have height x width samples; only Cb and Cr of layout 1 have ceil(height / 2) x ceil(width / 2). Alpha, 0
transparent to 255 opaque, is the last plane where it is one. `dinp.pictures.colour_transform` specifies how planes
become a picture, `dinp.bitstream.section` what a section holds. Data runs from coarse to fine: luma before chroma, and
coarse before fine in a section.

Chunks
------
Bit 7 of a type says whether a decoder must know it: a file with an unknown type of 80 to FF must be rejected, an
unknown type of 01 to 7F is skipped. Types of 40 and more (without bit 7) begin with a byte that names the planes which
they serve, bit p for plane p (alpha is numbered after the others): bits of planes that do not exist must be 0, and a
plane is named at most once by one type (by HOLES up to four times, as there may be several values that mark holes).
Other known types occur at most once.

    type  name      content
    01    ICC       ICC profile of the samples; without one, colours are sRGB (grey: its transfer function)
    02    EXIF      EXIF data, from the byte order mark on; the picture is upright already: its orientation is 1
    03    XMP       XMP packet, UTF-8
    04    CICP      colour primaries, transfer, matrix, full range flag: four bytes of ITU-T H.273
    81    MATTE     alpha 3 only, and there it must occur: the matte (`dinp.bitstream.sidecars`)
    82    LOSSLESS  the samples themselves, exactly (`dinp.bitstream.lossless`): all sections are empty then
    C0              barriers that several planes share: reserved
    C1    HOLES     samples without a measurement (`dinp.bitstream.sidecars`)
    C2    RESIDUAL  what is added to the decoded samples (`dinp.bitstream.sidecars`)
    C3    STEPS     quantisation steps of a plane's own (`dinp.bitstream.sidecars`)
    C4    PALETTE   colours that the samples of a grey picture of 8 bits stand for, from 0 on: after the byte of planes
                    a byte 3 (R, G, B) or 4 (and alpha), then so many bytes a colour, 1 to 256 colours
    C5              tiles, parts that are coded on their own: reserved

How the format is extended, from the least to the most: information that a decoder may do without is a new type below
80. What it cannot do without is a new type from 80 on, or a bit or value that is reserved here or in a section:
decoders of today reject it. Both raise the minor version, of which a decoder must accept any; a file should say the
least minor version that has all that it uses. Tiles, or streams of a plane that decode at once, are such a chunk: it
says what the sections are then. The major version changes where not even this header holds.

A decoder must reject, before it allocates anything by a size that it read:

1. a file of fewer than 14 bytes,
2. another magic,
3. another major version,
4. a reserved flag that is set; a varint that is cut off, longer than 4 bytes or not canonical; more pixels
   (width x height) than the decoder's limit, by default 89,478,485; 0 or more than 4 planes; a sample format or chunk
   that breaks its rules; sections or chunks longer than the bytes present,
5. a CRC-32 that does not match,
6. an unknown chunk that it must know; chunks that do not go together: a MATTE without alpha 3 or alpha 3 without one;
   LOSSLESS with a section that is not empty, alpha 2 or 3, layout 1, HOLES, RESIDUAL or STEPS; PALETTE without
   LOSSLESS, in another layout than 0, with a sample format other than that of 8 bits or with alpha; a RESIDUAL that
   names more than one plane; HOLES that name alpha, or not all planes of layouts 1 and 2.

Only then it decodes the sections, which reject what breaks their own rules. Bytes after the CRC are not allowed:
they would be taken for it. Every burst of errors of up to 32 bits is detected, and so is every flip of a single bit.
CR LF and the byte above 127 in the magic are there to tell files that were damaged by a transfer as text.

Size of everything but sections and chunks, 8 bits, pictures within the default limit: 14 to 17 bytes in grey files, 16
to 24 in colour files. A sample format takes 6 bytes for 16 bits, a chunk 2 to 5 and its content, any chunks 1.
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field

from dinp.bitstream.samples import EIGHT_BITS, SampleFormat, pack_samples, unpack_samples
from dinp.bitstream.varint import decode_varint, encode_varint
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS, check_size

MAGIC = b"\x8ddin\r\n"
VERSION = 0x10
MAX_SIDE = 1 << 28

GREY, COLOUR_420, COLOUR_444, PLANES = range(4)
NO_ALPHA, ALPHA_PLANE, OPAQUE, ALPHA_MATTE = range(4)
MAX_PLANES = 4
MAX_HOLES = 4  # values that mark holes of a plane

MUST_KNOW, NAMES_PLANES = 0x80, 0x40
ICC, EXIF, XMP, CICP = 0x01, 0x02, 0x03, 0x04
MATTE, LOSSLESS = 0x81, 0x82
HOLES, RESIDUAL, STEPS, PALETTE = 0xC1, 0xC2, 0xC3, 0xC4
CHUNK_NAMES = {
    ICC: "ICC",
    EXIF: "EXIF",
    XMP: "XMP",
    CICP: "CICP",
    MATTE: "MATTE",
    LOSSLESS: "LOSSLESS",
    HOLES: "HOLES",
    RESIDUAL: "RESIDUAL",
    STEPS: "STEPS",
    PALETTE: "PALETTE",
}

_SAMPLES, _CHUNKS, _RESERVED = 0x10, 0x20, 0xC0
_MIN_BYTES = 14
_CRC_BYTES = 4


@dataclass(frozen=True)
class Chunk:
    """A chunk: its type, 1 to 255, and its content."""

    type: int
    content: bytes = field(repr=False)

    @property
    def planes(self) -> tuple[int, ...]:
        """Numbers of the planes that it names; none where the type names none."""
        if not self.type & NAMES_PLANES:
            return ()
        return tuple(p for p in range(8) if self.content[0] >> p & 1)

    @property
    def body(self) -> bytes:
        """The content without the byte that names planes."""
        return self.content[1:] if self.type & NAMES_PLANES else self.content


def plane_chunk(kind: int, planes: tuple[int, ...], body: bytes) -> Chunk:
    """A chunk of a type that names planes."""
    return Chunk(kind, bytes([sum(1 << p for p in planes)]) + body)


@dataclass(frozen=True)
class Container:
    """The parts of a file.

    Attributes
    ----------
    width, height : int
        In pixels.
    layout : int
        GREY, COLOUR_420, COLOUR_444 or PLANES.
    sections : tuple of bytes
        One a plane, see `shapes`.
    alpha : int
        NO_ALPHA, ALPHA_PLANE, OPAQUE or ALPHA_MATTE.
    samples : SampleFormat
        EIGHT_BITS where the file tells none.
    chunks : tuple of Chunk
        Known ones, and unknown ones that may be skipped.
    """

    width: int
    height: int
    layout: int
    sections: tuple[bytes, ...]
    alpha: int = NO_ALPHA
    samples: SampleFormat = EIGHT_BITS
    chunks: tuple[Chunk, ...] = ()

    @property
    def colour(self) -> bool:
        """Whether the planes are Y, Cb and Cr."""
        return self.layout in (COLOUR_420, COLOUR_444)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(rows, columns) of each plane, alpha included."""
        colours = len(self.sections) - (self.alpha == ALPHA_PLANE)
        return plane_shapes(self.height, self.width, self.layout, colours, alpha=self.alpha == ALPHA_PLANE)

    def chunk(self, kind: int) -> bytes | None:
        """The content of the first chunk of a type, None where there is none."""
        return next((chunk.content for chunk in self.chunks if chunk.type == kind), None)

    def chunk_of_plane(self, kind: int, plane: int) -> bytes | None:
        """The content, without the byte that names planes, of the chunk of a type that serves a plane; or None."""
        return next((chunk.body for chunk in self.chunks if chunk.type == kind and plane in chunk.planes), None)


def plane_shapes(
    height: int, width: int, layout: int, colours: int | None = None, *, alpha: bool = False
) -> list[tuple[int, int]]:
    """Shapes (rows, columns) of the planes of a picture; `colours` is the number of planes of the layout PLANES."""
    full = (height, width)
    chroma = (-(-height // 2), -(-width // 2)) if layout == COLOUR_420 else full
    planes = {GREY: [full], COLOUR_420: [full, chroma, chroma], COLOUR_444: [full] * 3}.get(layout)
    return (planes or [full] * (colours or 1)) + [full] * alpha


def pack(container: Container) -> bytes:
    """Write a file.

    Raises
    ------
    DinpError
        A side is not within 1 to 2^28, or a section is larger than a file can say (2^28 - 1 bytes).
    ValueError
        The number of sections or ranges does not fit the layout, or a chunk names no plane: mistakes of the caller.
    """
    colours = len(container.sections) - (container.alpha == ALPHA_PLANE)
    if colours not in {GREY: (1,), PLANES: range(1, MAX_PLANES + 1)}.get(container.layout, (3,)):
        raise ValueError(f"{len(container.sections)} sections do not fit layout {container.layout}")
    for side in (container.width, container.height):
        if not 1 <= side <= MAX_SIDE:
            raise DinpError(f"a side of {side} pixels cannot be stored: sides must be 1 to {MAX_SIDE} pixels long")
    plain = container.samples == EIGHT_BITS and container.layout != PLANES
    flags = container.layout | container.alpha << 2
    flags |= (0 if plain else _SAMPLES) | (_CHUNKS if container.chunks else 0)
    head = [MAGIC, bytes([VERSION, flags]), encode_varint(container.width - 1), encode_varint(container.height - 1)]
    if container.layout == PLANES:
        head.append(bytes([colours]))
    if not plain:
        if len(container.samples.ranges) != (colours if container.layout == PLANES else 1):
            raise ValueError(f"{len(container.samples.ranges)} ranges do not fit {colours} planes")
        head.append(pack_samples(container.samples))
    if container.chunks:
        _check_chunks(container.chunks, len(container.sections))
        for chunk in container.chunks:
            head += [bytes([chunk.type]), encode_varint(len(chunk.content)), chunk.content]
        head.append(b"\0")
    head += [encode_varint(len(section)) for section in container.sections[:-1]]
    body = b"".join([*head, *container.sections])
    return body + zlib.crc32(body).to_bytes(_CRC_BYTES, "little")


def unpack(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Container:
    """Read a file; checks run in the order that the specification above gives.

    Raises
    ------
    DinpError
        The data is foreign, truncated, damaged, of another format version, or larger than `max_pixels`.
    """
    check_magic(data)
    if len(data) < _MIN_BYTES:
        raise DinpError(f"the file is truncated: {len(data)} bytes cannot hold a dinp header")
    version, flags = data[6], data[7]
    if version >> 4 != VERSION >> 4:
        raise DinpError(
            f"format version {version >> 4}.{version & 15} is not supported: this program reads {VERSION >> 4}.x"
        )
    if flags & _RESERVED:
        raise DinpError(f"the file sets reserved flags ({flags:#04x}): it is damaged or needs a newer program")
    layout, alpha = flags & 3, flags >> 2 & 3
    end = len(data) - _CRC_BYTES
    width, at = decode_varint(data, 8, end)
    height, at = decode_varint(data, at, end)
    width, height = width + 1, height + 1
    check_size(width, height, max_pixels)
    colours = 1 if layout == GREY else 3
    if layout == PLANES:
        if at >= end:
            raise DinpError("the file is truncated: its header is cut off")
        colours, at = data[at], at + 1
        if not 1 <= colours <= MAX_PLANES:
            raise DinpError(f"the file has {colours} planes: it is damaged or needs a newer program")
    samples = EIGHT_BITS
    if flags & _SAMPLES:
        samples, at = unpack_samples(data, at, end, colours if layout == PLANES else 1)
    elif layout == PLANES:
        raise DinpError("the file is damaged: planes as they are need a sample format")
    planes = colours + (alpha == ALPHA_PLANE)
    chunks: list[Chunk] = []
    if flags & _CHUNKS:
        chunks, at = _read_chunks(data, at, end, planes)
    lengths = []
    for _ in range(planes - 1):
        length, at = decode_varint(data, at, end)
        lengths.append(length)
    last = end - at - sum(lengths)
    if last < 0:
        raise DinpError("the file is truncated or damaged: its sections are longer than the file")
    if zlib.crc32(memoryview(data)[:end]) != int.from_bytes(data[end:], "little"):
        raise DinpError("the file is truncated or damaged: its checksum does not match")
    for chunk in chunks:
        if chunk.type & MUST_KNOW and chunk.type not in CHUNK_NAMES:
            raise DinpError(f"the file needs a newer program: it has a chunk of type {chunk.type:02X}")
    sections = []
    for length in (*lengths, last):
        sections.append(data[at : at + length])
        at += length
    container = Container(width, height, layout, tuple(sections), alpha, samples, tuple(chunks))
    _check_together(container)
    return container


def _check_together(container: Container) -> None:
    """Raise DinpError where parts of a file do not go together."""
    kinds = {chunk.type for chunk in container.chunks}
    if (container.alpha == ALPHA_MATTE) != (MATTE in kinds):
        raise DinpError("the file is damaged: its alpha needs a matte, or its matte an alpha")
    if LOSSLESS in kinds:
        others = any(container.sections) or kinds & {HOLES, RESIDUAL, STEPS} or container.layout == COLOUR_420
        if others or container.alpha not in (NO_ALPHA, ALPHA_PLANE):
            raise DinpError("the file is damaged: it has lossless samples and others")
    if PALETTE in kinds:
        grey = container.layout == GREY and container.samples == EIGHT_BITS and container.alpha == NO_ALPHA
        if not grey or LOSSLESS not in kinds:
            raise DinpError("the file is damaged: only lossless grey pictures of 8 bits can have a palette")
    if any(chunk.type == RESIDUAL and len(chunk.planes) != 1 for chunk in container.chunks):
        raise DinpError("the file is damaged: a residual is that of one plane")
    planes = tuple(range(len(container.sections) - (container.alpha == ALPHA_PLANE)))
    for chunk in container.chunks:
        if chunk.type == HOLES and (chunk.planes != planes if container.colour else max(chunk.planes) > planes[-1]):
            raise DinpError("the file is damaged: its holes are in planes that cannot have some")


def _read_chunks(data: bytes, at: int, end: int, planes: int) -> tuple[list[Chunk], int]:
    """The chunks from offset `at` on, and the offset behind their end."""
    chunks = []
    while True:
        if at >= end:
            raise DinpError("the file is truncated: its chunks are cut off")
        kind, at = data[at], at + 1
        if kind == 0:
            break
        length, at = decode_varint(data, at, end)
        if length > end - at:
            raise DinpError("the file is truncated or damaged: a chunk is longer than the file")
        chunks.append(Chunk(kind, data[at : at + length]))
        at += length
    try:
        _check_chunks(chunks, planes)
    except ValueError as error:
        raise DinpError(f"the file is damaged: {error}") from None
    return chunks, at


def _check_chunks(chunks: "list[Chunk] | tuple[Chunk, ...]", planes: int) -> None:
    """Raise ValueError where a chunk serves no plane or one that does not exist, or comes too often."""
    seen: Counter[tuple[int, int]] = Counter()
    for chunk in chunks:
        served = [-1]
        if chunk.type & NAMES_PLANES:
            if not chunk.content or not 0 < chunk.content[0] < 1 << planes:
                raise ValueError(f"a chunk of type {chunk.type:02X} names no plane of the picture")
            served = list(chunk.planes)
        elif chunk.type not in CHUNK_NAMES:
            continue
        for plane in served:
            seen[chunk.type, plane] += 1
            if seen[chunk.type, plane] > (MAX_HOLES if chunk.type == HOLES else 1):
                # a few bytes of HOLES ask for a mask of all pixels
                raise ValueError(f"a chunk of type {chunk.type:02X} comes too often")


def check_magic(head: bytes) -> None:
    """Raise DinpError unless `head`, the first bytes of a file (6 or more if there are so many), begins a dinp file."""
    head = head[: len(MAGIC)]
    if head == MAGIC or (head and head == MAGIC[: len(head)]):
        return
    if not head:
        raise DinpError("the file is empty")
    if head[:4] == MAGIC[:4] or (head[1:4] == MAGIC[1:4] and head[0] == MAGIC[0] & 0x7F):
        raise DinpError("the file was damaged by a transfer as text: transfer it in binary mode")
    raise DinpError("this is not a dinp file")
