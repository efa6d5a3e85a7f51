"""Lists of the values that samples have, as a stream (docs/format.md, section 11.4).

The first value, then what each adds to the one before, as d, starting with 0 before the first: whether d - 1 (the
first: d) is not 0, whether it is negative, then its magnitude by an Exp-Golomb code of at most 65 bits, unary part
first; each bit by the coder of `dinp.entropy.mixing` with a probability of its own (zero, sign, and each place of the
unary part; 2^15 at first, moved by >> 4 towards the bit, kept within 32..65504), the lower bits with 1/2. A list lies
in a file as number - 1 (varint), length of the stream in bytes (varint), stream.
"""

from dinp.bitstream.varint import decode_varint, encode_varint
from dinp.entropy.mixing import BitDecoder, BitEncoder
from dinp.errors import DinpError

_MAX_SIZE = 65


def packed_list(values: list[int]) -> bytes:
    """A list as it lies in a file."""
    stream = _encode_values(values)
    return encode_varint(len(values) - 1) + encode_varint(len(stream)) + stream


def read_list(data: bytes, at: int, most: int) -> tuple[list[int], int]:
    """Mirror of `packed_list` at an offset, of at most `most` values: the list, and the offset behind it."""
    count, at = decode_varint(data, at, len(data))
    if count >= most:
        raise DinpError("the file is damaged: it has too many values")
    stream, at = read_stream(data, at)
    return _decode_values(stream, count + 1), at


def read_stream(data: bytes, at: int) -> tuple[bytes, int]:
    """A stream preceded by its length, and the offset behind it; DinpError where it is cut off."""
    size, at = decode_varint(data, at, len(data))
    if size > len(data) - at:
        raise DinpError("the file is damaged: its lossless data is cut off")
    return data[at : at + size], at + size


class _Bits:
    """Bits with adaptive probabilities by place."""

    def __init__(self, coder: BitEncoder | BitDecoder) -> None:
        self._coder, self._p = coder, {}

    def code(self, bit: int, place: int) -> int:
        p = self._p.get(place, 32768)
        bit = self._coder.code(bit, p)
        self._p[place] = min(max(p + ((65536 - p) >> 4 if bit else -(p >> 4)), 32), 65504)
        return bit

    def code_integer(self, d: int) -> int:
        """Zero, sign, and the magnitude by an Exp-Golomb code."""
        if not self.code(int(d != 0), 0):
            return 0
        negative, m, size = self.code(int(d < 0), 1), abs(d), 0
        while size < _MAX_SIZE and self.code(int(m >> (size + 1) != 0), 2 + size):
            size += 1
        found = 1
        for k in range(size - 1, -1, -1):
            found = found << 1 | self._coder.code(m >> k & 1, 32768)
        return -found if negative else found


def _encode_values(values: list[int]) -> bytes:
    encoder = BitEncoder()
    bits = _Bits(encoder)
    for k, value in enumerate(values):
        bits.code_integer(value - values[k - 1] - 1 if k else value)
    return encoder.finish()


def _decode_values(data: bytes, count: int) -> list[int]:
    decoder = BitDecoder(data)
    bits = _Bits(decoder)
    values: list[int] = []
    for k in range(count):
        d = bits.code_integer(0)
        values.append(values[-1] + 1 + d if k else d)
    decoder.check_exhausted()
    return values
