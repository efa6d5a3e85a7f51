"""Sample formats: what numbers are in a picture, and how they lie on the codec's grey axis (docs/format.md, section 3).

The codec works on a *grey axis* from 0 to 255. A file without a sample format holds unsigned samples of 8 bits, whose
values are those of the axis. A sample format is

    byte 0       bits 7-6  type: 0 unsigned integer, 1 signed integer, 2 IEEE 754 float; 3 must be rejected
                 bits 5-0  bits of a sample - 1: integers 1 to 32 bits, floats 16, 32 or 64; others must be rejected
    byte 1       depth, 0 to 8: quantisation steps and values of the sections are in 2^-depth of their usual unit;
                 9..255 must be rejected
    ...          for each range: low, then high, each in ceil(bits / 8) bytes, least significant first; signed integers
                 in two's complement. Both must be finite and fit the bits, and low <= high, or be rejected

One range serves all planes of a grey or colour picture; where planes are coded as they are, each has one. With the
range, a value v of the axis stands for the sample low + (high - low) v / 255, limited to low .. high; an integer is
rounded as floor(s + 1/2 + 1/32). Where low = high, each sample is low. Alpha has 8 bits whatever the samples are.
"""

import math
import struct
from dataclasses import dataclass

import numpy as np

from dinp.errors import DinpError

UNSIGNED, SIGNED, FLOAT = 0, 1, 2
MAX_DEPTH = 8
TIE = 1 / 32  # added before rounding: values of flat parts are multiples of 1/16, and so no ties of two decoders

Range = tuple[float, float]
_FLOATS = {16: "<e", 32: "<f", 64: "<d"}
_TYPE_NAMES = {UNSIGNED: "unsigned", SIGNED: "signed", FLOAT: "float"}


@dataclass(frozen=True)
class SampleFormat:
    """What samples are.

    Attributes
    ----------
    type : int
        UNSIGNED, SIGNED or FLOAT.
    bits : int
        Of a sample: integers 1 to 32, floats 16, 32 or 64.
    depth : int
        log2 of how much finer steps and values are than those of 8 bits, 0 to 8.
    ranges : tuple of (low, high)
        One, or one a plane.
    """

    type: int
    bits: int
    depth: int
    ranges: tuple[Range, ...]

    @property
    def dtype(self) -> np.dtype:
        """The smallest type of numpy that holds the samples."""
        if self.type == FLOAT:
            return np.dtype(f"f{self.bits // 8}")
        size = next(size for size in (1, 2, 4) if self.bits <= 8 * size)
        return np.dtype(f"{'ui'[self.type]}{size}")

    @property
    def name(self) -> str:
        """For people, like "16-bit unsigned"."""
        return f"{self.bits}-bit {_TYPE_NAMES[self.type]}"

    def limits(self) -> Range:
        """The least and the largest sample that the bits can hold."""
        if self.type == FLOAT:
            largest = float(np.finfo(self.dtype).max)
            return -largest, largest
        if self.type == SIGNED:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    def pack_sample(self, value: float) -> bytes:
        """A sample as the file holds it."""
        if self.type == FLOAT:
            return struct.pack(_FLOATS[self.bits], value)
        return int(value).to_bytes(-(-self.bits // 8), "little", signed=self.type == SIGNED)

    def unpack_sample(self, data: bytes) -> float:
        """Mirror of `pack_sample`."""
        if self.type == FLOAT:
            return struct.unpack(_FLOATS[self.bits], data)[0]
        return int.from_bytes(data, "little", signed=self.type == SIGNED)

    @property
    def sample_bytes(self) -> int:
        """Bytes of a packed sample."""
        return -(-self.bits // 8)

    def to_axis(self, samples: np.ndarray, number: int = 0) -> np.ndarray:
        """Samples of plane `number` on the grey axis, float64, 0 to 255."""
        low, high = self.ranges[min(number, len(self.ranges) - 1)]
        if low == high:
            return np.zeros(samples.shape)
        return (samples.astype(np.float64) - low) * (255 / (high - low))

    def from_axis(self, values: np.ndarray, number: int = 0) -> np.ndarray:
        """Samples of `dtype` for values of the grey axis; mirror of `to_axis`."""
        low, high = self.ranges[min(number, len(self.ranges) - 1)]
        samples = low + (high - low) * (values / 255)
        if self.type != FLOAT:
            samples = np.floor(samples + (0.5 + TIE))
        return np.clip(samples, low, high).astype(self.dtype)


EIGHT_BITS = SampleFormat(UNSIGNED, 8, 0, ((0, 255),))


def pack_samples(samples: SampleFormat) -> bytes:
    """A sample format as a file holds it."""
    head = bytes([samples.type << 6 | (samples.bits - 1), samples.depth])
    return head + b"".join(samples.pack_sample(bound) for low_high in samples.ranges for bound in low_high)


def unpack_samples(data: bytes, at: int, end: int, ranges: int) -> tuple[SampleFormat, int]:
    """The sample format with so many ranges at offset `at`, and the offset behind it, at most `end`.

    Raises
    ------
    DinpError
        It is cut off or breaks a rule of the specification.
    """
    if at + 2 > end:
        raise DinpError("the file is truncated: its header is cut off")
    kind, bits, depth = data[at] >> 6, (data[at] & 0x3F) + 1, data[at + 1]
    if kind > FLOAT or (bits not in _FLOATS if kind == FLOAT else bits > 32) or depth > MAX_DEPTH:
        raise DinpError("the file has an unknown sample format: it is damaged or needs a newer program")
    at += 2
    plain = SampleFormat(kind, bits, depth, ())
    size = plain.sample_bytes
    if at + 2 * ranges * size > end:
        raise DinpError("the file is truncated: its header is cut off")
    bounds = [plain.unpack_sample(data[at + k * size : at + (k + 1) * size]) for k in range(2 * ranges)]
    least, largest = plain.limits()
    pairs = tuple(zip(bounds[0::2], bounds[1::2], strict=True))
    for low, high in pairs:
        if not (math.isfinite(low) and math.isfinite(high) and least <= low <= high <= largest):
            raise DinpError("the file is damaged: the range of its samples is none")
        if not math.isfinite(high - low):
            raise DinpError("the file is damaged: the range of its samples is none")
    return SampleFormat(kind, bits, depth, pairs), at + 2 * ranges * size
