"""Varints: unsigned LEB128 integers of at most 4 bytes, canonical."""

from dinp.errors import DinpError

MAX_VARINT_BYTES = 4
MAX_VARINT = (1 << 7 * MAX_VARINT_BYTES) - 1


def encode_varint(value: int) -> bytes:
    """Canonical unsigned LEB128 of 0 to 2^28 - 1; DinpError for a larger one."""
    if not 0 <= value <= MAX_VARINT:
        raise DinpError(f"a part of {value:,} bytes is too large for the file format")
    groups = bytearray()
    while value > 0x7F:
        groups.append(0x80 | (value & 0x7F))
        value >>= 7
    groups.append(value)
    return bytes(groups)


def decode_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Value of the varint at offset `at` and the offset behind it, which is at most `end`; DinpError if malformed."""
    value = 0
    for k in range(MAX_VARINT_BYTES):
        if at + k >= end:
            raise DinpError("the file is truncated: its header is cut off")
        byte = data[at + k]
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            if byte == 0 and k > 0:
                raise DinpError("the file is damaged: a header field has superfluous bytes")
            return value, at + k + 1
    raise DinpError("the file is damaged: a header field is longer than 4 bytes")
