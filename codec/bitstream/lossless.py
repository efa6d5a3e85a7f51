"""LOSSLESS: the samples of a picture themselves, exactly or on a lattice, by regions or one by one.

The content of the chunk, which stands in place of all sections (they are empty). A *stream* here is preceded by its
length in bytes, a varint, except the last, which ends with the chunk. Numbers that samples have are in lists
(`dinp.bitstream.value_lists`); samples of floats stand there for the integers that their bits make: bits of the float
where its sign is 0, plus 2^(bits - 1), else all its bits inverted; so that they are ordered as the floats are. Samples
of a channel with a lattice (`dinp.bitstream.lattice`) stand there for their numbers in it.

    byte 0       bits 1-0  method
                 bits 6-2  reserved, must be 0
                 bit 7     of each channel a lattice follows
                 0  SAMPLES: of each channel the list of values that occur, ascending; then the samples of all
                    channels, as numbers in these lists (`dinp.entropy.sample_coder`)
                 1  COLOURS: number of colours - 1 (varint); of each channel as before the values that occur; a stream
                    of the colours, as samples of one row, each channel as above; then the samples, as numbers of
                    colours
                 2  REGIONS: one channel only: list of the values in the order in which regions have them first; a
                    stream of contours (`dinp.entropy.crack_coder`), and one of the values of the regions
                    (`dinp.entropy.region_coder`)
                 3  WIDE: for samples of too many values. Of each channel: a byte b, 0 to 63; a list of the least
                    integer; levels - 1 (varint); a stream of samples, integer - least >> b, below levels; then the b
                    lower bits of all in raster order, most significant first, padded with zeros to bytes

Channels are those of the layout, R, G, B in colour pictures, and alpha after them. There are at most 2^17 values in a
channel and 2^16 colours or values of regions.
"""

from dataclasses import dataclass

import numpy as np

from dinp.bitstream.lattice import Lattice, pack_lattice, read_lattice
from dinp.bitstream.value_lists import packed_list, read_list, read_stream
from dinp.bitstream.varint import decode_varint, encode_varint
from dinp.entropy.blocks import blocks, looked_up
from dinp.entropy.crack_coder import cracks_of, decode_cells, encode_cracks, regions_of, regions_of_cells
from dinp.entropy.region_coder import decode_colours, encode_colours
from dinp.entropy.sample_coder import MAX_LEVELS, decode_samples, encode_samples
from dinp.errors import DinpError

SAMPLES, COLOURS, REGIONS, WIDE = range(4)
METHODS = ("samples", "colours", "regions", "wide samples")
MAX_COLOURS = 1 << 16

_LATTICES, _RESERVED = 0x80, 0x7C
_LARGE_REGION = 400  # pixels a region in the mean, from which on samples one by one are not tried
_SMALL_REGION = 40  # below which contours are not
_FEW_COLOURS = 30  # pixels a colour, below which a list of colours is not tried
_MOST_LOW_BITS = 63


@dataclass(frozen=True)
class LosslessReport:
    """How a picture is stored.

    Attributes
    ----------
    method : str
        "samples", "colours", "regions" or "wide samples".
    values : int
        Values, or colours, that occur; of several channels the most; 0 for "wide samples", which are not counted.
    regions, cracks : int
        0 unless the method is "regions".
    parts : dict
        Bytes by name: "values", and "samples" or "contours" and "region values".
    units : tuple
        Of each channel the unit of its lattice, alpha last; 0 where samples are exact.
    """

    method: str
    values: int
    regions: int
    cracks: int
    parts: dict[str, int]
    units: tuple[float, ...]


def encode_lossless(channels: list[np.ndarray], lattices: list[Lattice | None] | None = None) -> bytes:
    """Code channels (H, W), of one or several types of integers or floats.

    Of a channel with a lattice the numbers in it are given, int64, in place of the samples.
    """
    head = b"".join(map(pack_lattice, lattices)) if lattices else b""
    flag = _LATTICES if lattices else 0
    integers = [_as_integers(channel) for channel in channels]
    lists, numbers = zip(*map(_listed, integers), strict=True)
    if max(map(len, lists)) > MAX_LEVELS:
        return bytes([flag | WIDE]) + head + b"".join(map(_wide, integers))
    samples = np.stack(numbers, axis=-1)
    found = []
    pixels = samples.shape[0] * samples.shape[1]
    size = 0.0
    if len(channels) == 1 and len(lists[0]) <= MAX_COLOURS:
        labels, count = regions_of(*cracks_of(numbers[0]))
        size = pixels / count
        if size >= _SMALL_REGION:
            found.append((REGIONS, _encode_regions(numbers[0], lists[0], labels)))
    if size < _LARGE_REGION:
        levels = [len(values) for values in lists]
        found.append((SAMPLES, b"".join([*map(packed_list, lists), encode_samples(samples, levels)])))
        if len(channels) > 1:
            found += [(COLOURS, content) for content in _encode_by_colours(samples, lists)]
    method, content = min(found, key=lambda pair: len(pair[1]))
    return bytes([flag | method]) + head + content


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
    method, at = data[0] & ~_LATTICES, 1
    if method & _RESERVED or (method in (COLOURS, REGIONS) and (len(dtypes) == 1) != (method == REGIONS)):
        raise DinpError("the file is damaged: its lossless data is of an unknown method")
    lattices: list[Lattice | None] = []
    for dtype in dtypes:
        lattice = None
        if data[0] & _LATTICES:
            lattice, at = read_lattice(data, at, np.dtype(dtype))
        lattices.append(lattice)
    units = tuple(0 if lattice is None else lattice.unit for lattice in lattices)
    head, pixels = at - 1, shape[0] * shape[1]
    if method == REGIONS:
        values, at = read_list(data, at, min(MAX_COLOURS, pixels))
        contours, coded = read_stream(data, at)
        cells = decode_cells(contours, shape)
        labels, count = regions_of_cells(cells)
        colours = decode_colours(data[coded:], labels, count, len(values))
        parts = {"values": at - 1, "contours": coded - at, "region values": len(data) - coded}
        cracks = int(np.bitwise_count(cells).sum(dtype=np.int64))
        report = LosslessReport(METHODS[method], len(values), count, cracks, parts, units)
        table = _samples(values, np.dtype(dtypes[0]), lattices[0])
        return [looked_up(table[colours], labels)], report
    if method == WIDE:
        report = LosslessReport(METHODS[method], 0, 0, 0, {"values": head, "samples": len(data) - at}, units)
        return ([] if only_describe else _read_wide(data, at, shape, dtypes, lattices)), report
    count = 0
    if method == COLOURS:
        count, at = decode_varint(data, at, len(data))
        count += 1
    lists = []
    for _ in dtypes:
        values, at = read_list(data, at, min(MAX_LEVELS, pixels))
        lists.append(values)
    levels = [len(values) for values in lists]
    if method == COLOURS:
        if count > min(MAX_COLOURS, pixels):
            raise DinpError("the file is damaged: it has too many colours")
        stream, at = read_stream(data, at)
        colours = decode_samples(stream, (1, count), levels)[0]
    parts = {"values": at - 1, "samples": len(data) - at}
    report = LosslessReport(METHODS[method], count or max(levels), 0, 0, parts, units)
    if only_describe:
        return [], report
    samples = decode_samples(data[at:], shape, [count] if method == COLOURS else levels)
    tables = list(map(_samples, lists, map(np.dtype, dtypes), lattices))
    if method == COLOURS:
        return [looked_up(table[colours[:, k]], samples[..., 0]) for k, table in enumerate(tables)], report
    return [looked_up(table, samples[..., k]) for k, table in enumerate(tables)], report


def _encode_regions(numbers: np.ndarray, values: list[int], labels: np.ndarray) -> bytes:
    first = numbers.ravel()[np.unique(labels, return_index=True)[1]]
    used, at = np.unique(first, return_index=True)
    order = np.argsort(at)  # of values, by their first region
    rank = np.empty(len(values), dtype=np.int32)
    rank[used[order]] = np.arange(len(used))
    listed = packed_list([values[k] for k in used[order].tolist()])
    contours = encode_cracks(*cracks_of(labels))
    return b"".join([listed, encode_varint(len(contours)), contours, encode_colours(labels, rank[first])])


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
    parts = [encode_varint(len(first) - 1), *map(packed_list, lists), encode_varint(len(table)), table]
    parts.append(encode_samples(rank[index].reshape(height, width, 1), [len(first)]))
    return [b"".join(parts)]


def _wide(integers: np.ndarray) -> bytes:
    """A channel of the method WIDE."""
    least = int(integers.min())
    width = int(integers.max()) - least
    plain = integers.view(np.uint64) if integers.dtype.itemsize == 8 else integers.astype(np.int64).view(np.uint64)
    offsets = plain - np.uint64(least % (1 << 64))  # modulo 2^64
    low_bits = max(width.bit_length() - MAX_LEVELS.bit_length() + 1, 0)
    high = (offsets >> np.uint64(low_bits)).astype(np.int32)[..., None]
    levels = (width >> low_bits) + 1
    stream = encode_samples(high, [levels])
    places = np.arange(low_bits - 1, -1, -1, dtype=np.uint64)
    low = np.packbits((offsets.reshape(-1, 1) >> places & np.uint64(1)).astype(np.uint8)).tobytes()
    sizes = encode_varint(levels - 1) + encode_varint(len(stream))
    return b"".join([bytes([low_bits]), packed_list([least]), sizes, stream, low])


def _read_wide(
    data: bytes, at: int, shape: tuple[int, int], dtypes: list[np.dtype], lattices: list[Lattice | None]
) -> list[np.ndarray]:
    channels = []
    pixels = shape[0] * shape[1]
    for dtype, lattice in zip(dtypes, lattices, strict=True):
        low_bits = data[at] if at < len(data) else _MOST_LOW_BITS + 1
        (least,), at = read_list(data, at + 1, 1)
        levels, at = decode_varint(data, at, len(data))
        stream, at = read_stream(data, at)
        end = at + -(-pixels * low_bits // 8)
        if low_bits > _MOST_LOW_BITS or levels >= MAX_LEVELS or end > len(data):
            raise DinpError("the file is damaged: its lossless data is cut off")
        high = decode_samples(stream, shape, [levels + 1]).reshape(-1)
        lower = np.frombuffer(data[at:end], dtype=np.uint8)
        at = end
        channel = np.empty(pixels, dtype=dtype)
        for some in blocks(pixels):
            offsets = high[some].astype(np.uint64) << np.uint64(low_bits)
            offsets |= _low_bits(lower, some.start, offsets.size, low_bits)
            listed, numbers = np.unique(offsets, return_inverse=True)
            values = [least + offset for offset in listed.tolist()]
            channel[some] = _samples(values, np.dtype(dtype), lattice)[numbers]
        channels.append(channel.reshape(shape))
    if at != len(data):
        raise DinpError("the file is damaged: its lossless data is too long")
    return channels


def _low_bits(lower: np.ndarray, first: int, count: int, width: int) -> np.ndarray:
    """Numbers (count,) uint64 of `width` bits each that are packed one behind the other, from number `first` on."""
    skipped = first * width % 8
    begin, end = first * width // 8, -(-(first + count) * width // 8)
    bits = np.unpackbits(lower[begin:end], count=skipped + count * width)[skipped:]
    low = np.zeros(count, dtype=np.uint64)
    for place in bits.reshape(count, width).T:
        low = low << np.uint64(1) | place
    return low


def _as_integers(channel: np.ndarray) -> np.ndarray:
    """Samples as integers in the same order; floats by their bits."""
    if channel.dtype.kind != "f":
        return channel
    bits = np.ascontiguousarray(channel).view(f"u{channel.dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * channel.dtype.itemsize - 1))
    return np.where(bits & sign, ~bits, bits | sign)


def _samples(values: list[int], dtype: np.dtype, lattice: Lattice | None) -> np.ndarray:
    """The samples that integers of a list stand for; mirror of `_as_integers`."""
    if lattice is not None:
        return lattice.samples(values)
    kind = np.dtype(f"u{dtype.itemsize}") if dtype.kind == "f" else dtype
    limits = np.iinfo(kind)
    if min(values) < limits.min or max(values) > limits.max:
        raise DinpError("the file is damaged: its samples do not fit their type")
    table = np.array(values, dtype=kind)
    if dtype.kind == "f":
        sign = kind.type(1 << (8 * dtype.itemsize - 1))
        table = np.where(table & sign, table ^ sign, ~table).view(dtype)
    return table


def _listed(channel: np.ndarray) -> tuple[list[int], np.ndarray]:
    values, numbers = np.unique(channel, return_inverse=True)
    return values.tolist(), numbers.reshape(channel.shape).astype(np.int32)
