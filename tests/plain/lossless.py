"""LOSSLESS: samples exactly or on a lattice (section 11.4)."""

import math
import struct
from dataclasses import dataclass

import numpy as np

from .common import Rejected, clip, require, varint
from .container import FLOAT, Format
from .contours import decode_contours, regions
from .mixing import Bits
from .samples import decode_colours, decode_samples


@dataclass
class Lattice:
    """Base, unit and marks of a lattice."""

    base: float
    unit: float
    marks: list[float]


def _whole(form: Format) -> Format:
    """The least type that holds the bits."""
    bits = form.bits if form.type == 2 else 8 if form.bits <= 8 else 16 if form.bits <= 16 else 32
    return Format(form.type, bits)


def dtype_of(form: Format) -> np.dtype:
    """The numpy type of samples."""
    whole = _whole(form)
    return np.dtype(f"{'uif'[whole.type]}{whole.bits // 8}")


def _list(data: bytes, at: int, most: int) -> tuple[list[int], int]:
    count, at = varint(data, at, len(data))
    count += 1
    require(count <= most, "too many values")
    stream, at = _stream(data, at)
    bits = Bits(stream)
    chances: dict[object, int] = {}

    def bit(name: object) -> int:
        p = chances.get(name, 2**15)
        found = bits.bit(p)
        chances[name] = clip(p + (65536 - p >> 4) if found else p - (p >> 4), 32, 65504)
        return found

    values: list[int] = []
    for _ in range(count):
        d = 0
        if bit("some"):
            negative, z = bit("negative"), 0
            while z < 65 and bit(z):
                z += 1
            d = 1
            for _ in range(z):
                d = 2 * d + bits.bit(2**15)
            d = -d if negative else d
        values.append(values[-1] + 1 + d if values else d)
    bits.end()
    return values, at


def _stream(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = varint(data, at, len(data))
    require(at + size <= len(data), "a stream is cut off")
    return data[at : at + size], at + size


def _lattice(data: bytes, at: int, form: Format) -> tuple[Lattice | None, int]:
    require(at < len(data), "cut off")
    count, at = data[at], at + 1
    if count == 255:
        return None, at
    require(count <= 4, "a lattice")
    whole, numbers = _whole(form), []
    for _ in range(2 + count):
        require(at + whole.size <= len(data), "cut off")
        numbers.append(whole.number(data[at : at + whole.size]))
        at += whole.size
    base, unit, *marks = numbers
    require(math.isfinite(base) and math.isfinite(unit) and unit > 0, "a lattice")
    return Lattice(base, unit, marks), at


def _sample(integer: int, form: Format, lattice: Lattice | None) -> float:
    """The sample that an integer stands for."""
    whole = _whole(form)
    if lattice is not None:
        require(abs(integer) <= 2**52, "an integer of a lattice")
        m = len(lattice.marks)
        if 0 <= integer < m:
            return lattice.marks[integer]
        if form.type == 2:
            value = lattice.base + lattice.unit * float(integer - m)
            require(math.isfinite(value), "a sample of a lattice")
            try:
                value = struct.unpack(FLOAT[whole.bits], struct.pack(FLOAT[whole.bits], value))[0]
            except OverflowError:
                raise Rejected("a sample of a lattice") from None
            require(math.isfinite(value), "a sample of a lattice")
            return value
        integer = lattice.base + lattice.unit * (integer - m)
    bits = whole.bits
    if form.type == 2:
        require(0 <= integer < 1 << bits, "a sample does not fit")
        half = 1 << bits - 1
        pattern = integer - half if integer >= half else (1 << bits) - 1 - integer
        return struct.unpack(FLOAT[bits], pattern.to_bytes(bits // 8, "little"))[0]
    low = -(1 << bits - 1) if form.type else 0
    require(low <= integer < low + (1 << bits), "a sample does not fit")
    return integer


def decode_lossless(data: bytes, shape: tuple[int, int], formats: list[Format]) -> list[np.ndarray]:
    """The samples of each channel, (H, W)."""
    require(len(data) > 0 and data[0] & 0x7C == 0, "a reserved bit")
    method, at = data[0] & 3, 1
    lattices: list[Lattice | None] = [None] * len(formats)
    if data[0] & 128:
        for c, form in enumerate(formats):
            lattices[c], at = _lattice(data, at, form)
    channels = (_by_samples, _by_colours, _by_regions, _wide)[method](data, at, shape, len(formats))
    result = []
    for (integers, listed), form, lattice in zip(channels, formats, lattices, strict=True):
        # values of a list must fit even where no pixel has them
        samples = {i: _sample(i, form, lattice) for row in [*integers, listed] for i in row}
        # through bytes, that NaNs keep their bits
        flat = [samples[i] for row in integers for i in row]
        whole = _whole(form)
        code = (
            FLOAT[whole.bits][1]
            if form.type == 2
            else "BHI"[whole.bits // 16]
            if form.type == 0
            else "bhi"[whole.bits // 16]
        )
        packed = struct.pack(f"<{len(flat)}{code}", *flat)
        result.append(np.frombuffer(packed, dtype=dtype_of(form).newbyteorder("<")).reshape(shape))
    return result


Channels = list[tuple[list[list[int]], list[int]]]  # integers of all pixels, and the values of the list


def _lists(data: bytes, at: int, channels: int, pixels: int) -> tuple[list[list[int]], int]:
    lists = []
    for _ in range(channels):
        values, at = _list(data, at, min(2**17, pixels))
        lists.append(values)
    return lists, at


def _by_samples(data: bytes, at: int, shape: tuple[int, int], channels: int) -> Channels:
    lists, at = _lists(data, at, channels, shape[0] * shape[1])
    pixels = decode_samples(data[at:], shape, [len(values) for values in lists])
    return [([[lists[c][pixel[c]] for pixel in row] for row in pixels], lists[c]) for c in range(channels)]


def _by_colours(data: bytes, at: int, shape: tuple[int, int], channels: int) -> Channels:
    require(channels > 1, "colours of one channel")
    count, at = varint(data, at, len(data))
    count += 1
    require(count <= min(2**16, shape[0] * shape[1]), "too many colours")
    lists, at = _lists(data, at, channels, shape[0] * shape[1])
    stream, at = _stream(data, at)
    colours = decode_samples(stream, (1, count), [len(values) for values in lists])[0]
    numbers = decode_samples(data[at:], shape, [count])
    return [
        ([[lists[c][colours[number][c]] for (number,) in row] for row in numbers], lists[c]) for c in range(channels)
    ]


def _by_regions(data: bytes, at: int, shape: tuple[int, int], channels: int) -> Channels:
    require(channels == 1, "regions of several channels")
    values, at = _list(data, at, min(2**16, shape[0] * shape[1]))
    stream, at = _stream(data, at)
    labels = regions(decode_contours(stream, shape))
    colours = decode_colours(data[at:], labels, len(values))
    return [([[values[colours[label]] for label in row] for row in labels], values)]


def _wide(data: bytes, at: int, shape: tuple[int, int], channels: int) -> Channels:
    result = []
    height, width = shape
    for _ in range(channels):
        require(at < len(data) and data[at] < 64, "bits of wide samples")
        b, at = data[at], at + 1
        (base,), at = _list(data, at, 1)
        n, at = varint(data, at, len(data))
        require(n < 2**17, "levels of wide samples")
        stream, at = _stream(data, at)
        samples = decode_samples(stream, shape, [n + 1])
        size = -(-height * width * b // 8)
        require(at + size <= len(data), "cut off")
        lower = int.from_bytes(data[at : at + size], "big")
        spare = 8 * size - height * width * b
        require(lower & (1 << spare) - 1 == 0, "padding")
        lower >>= spare
        at += size
        integers = [
            [
                base + (sample << b) + (lower >> b * (height * width - 1 - y * width - x) & (1 << b) - 1)
                for x, (sample,) in enumerate(row)
            ]
            for y, row in enumerate(samples)
        ]
        result.append((integers, []))
    require(at == len(data), "bytes after the last channel")
    return result
