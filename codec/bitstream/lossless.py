"""LOSSLESS: the samples of a picture themselves, exactly, by contours and values of regions or one by one.

The content of the chunk, which stands in place of all sections (they are empty). A *stream* here is preceded by its
length in bytes, a varint, except the last, which ends with the chunk. Numbers that samples have are listed by a stream
of `_encode_values`, in which samples of floats stand for the integers that their bits make: bits of the float where its
sign is 0, plus 2^(bits - 1), else all its bits inverted; so that they are ordered as the floats are.

    byte 0       method; others must be rejected
                 0  SAMPLES: of each channel the values that occur, ascending: number - 1 (varint), stream of values;
                    then the samples of all channels, as numbers in these lists (`dinp.entropy.sample_coder`)
                 1  COLOURS: number of colours - 1 (varint); of each channel as before the values that occur; a stream
                    of the colours, as samples of one row, each channel as above; then the samples, as numbers of
                    colours
                 2  REGIONS: one channel only: number of values - 1 (varint), stream of the values in the order in which
                    regions have them first; a stream of contours (`dinp.entropy.crack_coder`), and one of the values of
                    the regions (`dinp.entropy.region_coder`)

Channels are those of the layout, R, G, B in colour pictures, and alpha after them. There are at most 2^17 values in a
channel and 2^16 colours or values of regions.

Lists of values: the first one, then what each adds to the one before, as d, starting with 0 before the first: whether
d - 1 (the first: d) is 0, whether it is negative, then its magnitude by an Exp-Golomb code of at most 65 bits, unary
part first; each bit by the coder of `dinp.entropy.mixing` with a probability of its own (zero, sign, and each place of
the unary part; 2^15 at first, moved by >> 4 towards the bit, kept within 32..65504), the lower bits with 1/2.
"""

from dataclasses import dataclass

import numpy as np

from dinp.bitstream.varint import decode_varint, encode_varint
from dinp.entropy.crack_coder import cracks_of, decode_cracks, encode_cracks, regions_of
from dinp.entropy.mixing import BitDecoder, BitEncoder
from dinp.entropy.region_coder import decode_colours, encode_colours
from dinp.entropy.sample_coder import MAX_LEVELS, decode_samples, encode_samples
from dinp.errors import DinpError

SAMPLES, COLOURS, REGIONS = range(3)
METHODS = ("samples", "colours", "regions")
MAX_COLOURS = 1 << 16

_LARGE_REGION = 400  # pixels a region in the mean, from which on samples one by one are not tried
_SMALL_REGION = 40  # below which contours are not
_FEW_COLOURS = 30  # pixels a colour, below which a list of colours is not tried
_MAX_SIZE = 65


@dataclass(frozen=True)
class LosslessReport:
    """How a picture is stored.

    Attributes
    ----------
    method : str
        "samples", "colours" or "regions".
    values : int
        Values, or colours, that occur; of several channels the most.
    regions, cracks : int
        0 unless the method is "regions".
    parts : dict
        Bytes by name: "values", and "samples" or "contours" and "region values".
    """

    method: str
    values: int
    regions: int
    cracks: int
    parts: dict[str, int]


def encode_lossless(channels: list[np.ndarray]) -> bytes:
    """Code channels (H, W), of one or several types of integers or floats.

    Raises
    ------
    DinpError
        A channel has more than 2^17 different samples.
    """
    lists, numbers = zip(*(_listed(_as_integers(channel)) for channel in channels), strict=True)
    if max(map(len, lists)) > MAX_LEVELS:
        raise DinpError(
            f"the picture has more than {MAX_LEVELS} different values: these cannot be stored losslessly, "
            "give fewer, or a largest error"
        )
    samples = np.stack(numbers, axis=-1)
    found = []
    pixels = samples.shape[0] * samples.shape[1]
    size = 0.0
    if len(channels) == 1 and len(lists[0]) <= MAX_COLOURS:
        labels, count = regions_of(*cracks_of(numbers[0]))
        size = pixels / count
        if size >= _SMALL_REGION:
            found.append(_encode_regions(numbers[0], lists[0], labels))
    if size < _LARGE_REGION:
        levels = [len(values) for values in lists]
        parts = [bytes([SAMPLES])]
        parts += [part for values in lists for part in _packed_list(values)]
        found.append(b"".join([*parts, encode_samples(samples, levels)]))
        if len(channels) > 1:
            found += _encode_by_colours(samples, lists)
    return min(found, key=len)


def decode_lossless(data: bytes, dtypes: list[np.dtype], shape: tuple[int, int]) -> list[np.ndarray]:
    """Mirror of `encode_lossless`, given the type of each channel: arrays (H, W).

    Raises
    ------
    DinpError
        The data is damaged.
    """
    return _decode(data, dtypes, shape)[0]


def describe_lossless(data: bytes, dtypes: list[np.dtype], shape: tuple[int, int]) -> LosslessReport:
    """How a picture is stored; contours are decoded for it, samples are not. Raises as `decode_lossless`."""
    return _decode(data, dtypes, shape, only_describe=True)[1]


def _decode(
    data: bytes, dtypes: list[np.dtype], shape: tuple[int, int], *, only_describe: bool = False
) -> tuple[list[np.ndarray], LosslessReport]:
    if not data:
        raise DinpError("the file is damaged: its lossless data is cut off")
    method, at = data[0], 1
    if method == REGIONS and len(dtypes) == 1:
        values, at = _read_list(data, at, MAX_COLOURS)
        contours, coded, start = *_read_stream(data, at), at
        right, down = decode_cracks(contours, shape)
        labels, count = regions_of(right, down)
        colours = decode_colours(data[coded:], labels, count, len(values))
        parts = {"values": start - 1, "contours": coded - start, "region values": len(data) - coded}
        cracks = int(np.count_nonzero(right) + np.count_nonzero(down))
        report = LosslessReport(METHODS[method], len(values), count, cracks, parts)
        return _channels(colours[labels][..., None], [values], dtypes), report
    if method not in (SAMPLES, COLOURS) or (method == COLOURS and len(dtypes) == 1):
        raise DinpError("the file is damaged: its lossless data is of an unknown method")
    count = 0
    if method == COLOURS:
        count, at = decode_varint(data, at, len(data))
        count += 1
    lists = []
    for _ in dtypes:
        values, at = _read_list(data, at, MAX_LEVELS)
        lists.append(values)
    levels = [len(values) for values in lists]
    if method == COLOURS:
        if count > MAX_COLOURS:
            raise DinpError("the file is damaged: it has too many colours")
        stream, at = _read_stream(data, at)
        colours = decode_samples(stream, (1, count), levels)[0]
    report = LosslessReport(METHODS[method], count or max(levels), 0, 0, {"values": at - 1, "samples": len(data) - at})
    if only_describe:
        return [], report
    samples = decode_samples(data[at:], shape, [count] if method == COLOURS else levels)
    if method == COLOURS:
        samples = colours[samples[..., 0]]
    return _channels(samples, lists, dtypes), report


def _encode_regions(numbers: np.ndarray, values: list[int], labels: np.ndarray) -> bytes:
    first = numbers.ravel()[np.unique(labels, return_index=True)[1]]
    used, at = np.unique(first, return_index=True)
    order = np.argsort(at)  # of values, by their first region
    rank = np.empty(len(values), dtype=np.int32)
    rank[used[order]] = np.arange(len(used))
    parts = _packed_list([values[k] for k in used[order].tolist()])
    contours = encode_cracks(*cracks_of(labels))
    parts += [encode_varint(len(contours)), contours, encode_colours(labels, rank[first])]
    return b"".join([bytes([REGIONS]), *parts])


def _encode_by_colours(samples: np.ndarray, lists: tuple[list[int], ...]) -> list[bytes]:
    """The method COLOURS, where colours are few."""
    height, width, channels = samples.shape
    key = np.zeros((height, width), dtype=np.int64)
    for k in range(channels):
        key = key * len(lists[k]) + samples[..., k]  # below 2^68: only a key
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    if len(first) > min(MAX_COLOURS, height * width // _FEW_COLOURS + 2):
        return []
    colours = samples.reshape(-1, channels)[first]
    if not np.array_equal(colours[index.reshape(-1)], samples.reshape(-1, channels)):  # keys that are equal by overflow
        return []
    by_brightness = np.argsort(colours.sum(axis=1), kind="stable")
    rank = np.empty(len(first), dtype=np.int32)
    rank[by_brightness] = np.arange(len(first))
    table = encode_samples(colours[by_brightness][None], [len(values) for values in lists])
    parts = [bytes([COLOURS]), encode_varint(len(first) - 1)]
    parts += [part for values in lists for part in _packed_list(values)]
    parts += [encode_varint(len(table)), table]
    parts.append(encode_samples(rank[index].reshape(height, width, 1), [len(first)]))
    return [b"".join(parts)]


def _as_integers(channel: np.ndarray) -> np.ndarray:
    """Samples as integers in the same order; floats by their bits."""
    if channel.dtype.kind != "f":
        return channel
    bits = np.ascontiguousarray(channel).view(f"u{channel.dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * channel.dtype.itemsize - 1))
    return np.where(bits & sign, ~bits, bits | sign)


def _channels(numbers: np.ndarray, lists: list[list[int]], dtypes: list[np.dtype]) -> list[np.ndarray]:
    """Samples of each channel from their numbers in its list."""
    channels = []
    for k, (values, dtype) in enumerate(zip(lists, dtypes, strict=True)):
        dtype = np.dtype(dtype)
        kind = np.dtype(f"u{dtype.itemsize}") if dtype.kind == "f" else dtype
        limits = np.iinfo(kind)
        if min(values) < limits.min or max(values) > limits.max:
            raise DinpError("the file is damaged: its samples do not fit their type")
        table = np.array(values, dtype=kind)
        if dtype.kind == "f":
            sign = kind.type(1 << (8 * dtype.itemsize - 1))
            table = np.where(table & sign, table ^ sign, ~table).view(dtype)
        channels.append(table[numbers[..., k]])
    return channels


def _listed(channel: np.ndarray) -> tuple[list[int], np.ndarray]:
    values, numbers = np.unique(channel, return_inverse=True)
    return values.tolist(), numbers.reshape(channel.shape).astype(np.int32)


def _packed_list(values: list[int]) -> list[bytes]:
    stream = _encode_values(values)
    return [encode_varint(len(values) - 1), encode_varint(len(stream)), stream]


def _read_list(data: bytes, at: int, most: int) -> tuple[list[int], int]:
    count, at = decode_varint(data, at, len(data))
    if count >= most:
        raise DinpError("the file is damaged: it has too many values")
    stream, at = _read_stream(data, at)
    return _decode_values(stream, count + 1), at


def _read_stream(data: bytes, at: int) -> tuple[bytes, int]:
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
