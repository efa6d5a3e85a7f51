"""The dinp container: header, section table and checksum around the coded planes. This docstring is its specification.

All integers are unsigned; a *varint* is an unsigned LEB128 integer: seven bits per byte, least significant group
first, bit 7 of a byte set if another byte follows. A varint takes at most 4 bytes and must be canonical: only a
one-byte varint may end in a zero byte.

    offset  bytes  content
    0       6      magic: 8D 64 69 6E 0D 0A ("\\x8ddin\\r\\n")
    6       1      format version: 1
    7       1      flags:  bit 0     colour: 0 one grey plane, 1 three planes Y, Cb, Cr
                           bits 1-7  reserved, must be 0
    8       1-4    width - 1, varint    (width 1 to 2^28 pixels)
    ...     1-4    height - 1, varint   (height 1 to 2^28 pixels)
    ...     1-4    length of each section but the last in bytes, varint: none in a grey file, two in a colour file
    ...            the sections, one per plane, in the order of the planes, without gaps
    end-4   4      CRC-32 of all bytes before it, least significant byte first

The last section reaches up to the CRC-32. The CRC is that of zlib, PNG and gzip (polynomial 04C11DB7, bits reflected,
start value and final exclusive-or FFFFFFFF).

Planes: a grey file has one plane of height x width samples. A colour file has Y with height x width samples, then Cb
and Cr with ceil(height / 2) x ceil(width / 2) samples each. `dinp.pictures.planes` specifies how planes become a
picture. What a section holds (the inpainting mask and the values of its known data, entropy-coded) is specified in
`dinp.decoder` and the modules named there. Data runs from coarse to fine: luma before chroma, and coarse before fine in
a section.

A decoder must reject, before it allocates anything by a size that it read:

1. a file of fewer than 14 bytes,
2. another magic,
3. another version,
4. a reserved flag that is set; a varint that is cut off, longer than 4 bytes or not canonical; more pixels
   (width x height) than the decoder's limit, by default 89,478,485; section lengths that exceed the bytes present,
5. a CRC-32 that does not match.

Only then it decodes the sections, which reject what breaks their own rules. Bytes after the CRC are not allowed:
they would be taken for it. Every burst of errors of up to 32 bits is detected, and so is every flip of a single bit.
CR LF and the byte above 127 in the magic are there to tell files that were damaged by a transfer as text.

Size of everything but the sections: 14 to 17 bytes in grey files, 16 to 24 in colour files, for pictures within the
default limit whose first chroma section stays below 2 MiB (above that, one byte more).
"""

import zlib
from dataclasses import dataclass

from dinp._version import FORMAT_VERSION
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS, check_size

MAGIC = b"\x8ddin\r\n"
MAX_SIDE = 1 << 28

_FLAG_COLOUR = 0x01
_MIN_BYTES = 14
_MAX_VARINT_BYTES = 4
_CRC_BYTES = 4


@dataclass(frozen=True)
class Container:
    """The parts of a file: `sections` holds one entry per plane (1 if not `colour`, else 3), sizes are in pixels."""

    width: int
    height: int
    colour: bool
    sections: tuple[bytes, ...]


def pack(container: Container) -> bytes:
    """Write a file.

    Raises
    ------
    DinpError
        A side is not within 1 to 2^28, or a section is larger than a file can say (2^28 - 1 bytes).
    ValueError
        The number of sections does not fit the mode: a mistake of the caller.
    """
    if len(container.sections) != (3 if container.colour else 1):
        raise ValueError("a grey file has one section, a colour file three")
    for side in (container.width, container.height):
        if not 1 <= side <= MAX_SIDE:
            raise DinpError(f"a side of {side} pixels cannot be stored: sides must be 1 to {MAX_SIDE} pixels long")
    head = [MAGIC, bytes([FORMAT_VERSION, _FLAG_COLOUR if container.colour else 0])]
    head += [_encode_varint(container.width - 1), _encode_varint(container.height - 1)]
    head += [_encode_varint(len(section)) for section in container.sections[:-1]]
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
    if version != FORMAT_VERSION:
        raise DinpError(f"format version {version} is not supported: this program reads version {FORMAT_VERSION}")
    if flags & ~_FLAG_COLOUR:
        raise DinpError(f"the file sets reserved flags ({flags:#04x}): it is damaged or needs a newer program")
    end = len(data) - _CRC_BYTES
    width, at = _decode_varint(data, 8, end)
    height, at = _decode_varint(data, at, end)
    width, height = width + 1, height + 1
    check_size(width, height, max_pixels)
    colour = bool(flags & _FLAG_COLOUR)
    lengths = []
    for _ in range(2 if colour else 0):
        length, at = _decode_varint(data, at, end)
        lengths.append(length)
    last = end - at - sum(lengths)
    if last < 0:
        raise DinpError("the file is truncated or damaged: its sections are longer than the file")
    if zlib.crc32(memoryview(data)[:end]) != int.from_bytes(data[end:], "little"):
        raise DinpError("the file is truncated or damaged: its checksum does not match")
    sections = []
    for length in (*lengths, last):
        sections.append(data[at : at + length])
        at += length
    return Container(width, height, colour, tuple(sections))


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


def _encode_varint(value: int) -> bytes:
    """Canonical unsigned LEB128 of 0 to 2^28 - 1."""
    if value >> (7 * _MAX_VARINT_BYTES):
        raise DinpError(f"a section of {value:,} bytes is too large for the file format")
    groups = bytearray()
    while value > 0x7F:
        groups.append(0x80 | (value & 0x7F))
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _decode_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Value of the varint at offset `at` and the offset behind it, which is at most `end`."""
    value = 0
    for k in range(_MAX_VARINT_BYTES):
        if at + k >= end:
            raise DinpError("the file is truncated: its header is cut off")
        byte = data[at + k]
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            if byte == 0 and k > 0:
                raise DinpError("the file is damaged: a header field has superfluous bytes")
            return value, at + k + 1
    raise DinpError("the file is damaged: a header field is longer than 4 bytes")
