"""Lossless samples by context mixing: which of its neighbours a pixel equals, or else what it differs by.

For pictures with flat zones or few values, and for everything else where samples must be exact. The stream
(docs/format.md, section 11.2), in integers, coded by `dinp.entropy.mixing` with two mixers (*place* and *residue*):

Pixels come in raster order, with 1 to 4 channels of integers 0..levels - 1 each. W, N, NE, NW and so on are the pixels
on the left, above, ...; above the picture all are 0, on the left of it they are the first pixel of the row above, on
the right of the row above its last. A pixel's *cell* tells the cracks above it and on its left as in
`dinp.entropy.crack_coder` (pixels differ where any channel does); windows, `_quiet` places, classes and the way along
the contour are those of that module.

1. Where nothing is near and W = N, one bit says whether the pixel differs from W (probabilities as in `crack_coder`).
2. If it may differ (or something is near), it is compared to W (not after 1.), N, NE and NW in turn, those that equal
   an earlier one left out: one bit each, contexts of `_place_contexts`, until one equals.
3. If none does, its channels are coded one after the other, each as p + r: p is the median of W, N, W + N - NW; from
   the second channel on, that of the differences to the channel before, added to that channel's sample and limited to
   the levels. r is coded in bits, with contexts of `_residue_contexts`: whether it is 0 (node 0), negative (1), then
   |r| by an Exp-Golomb code: its size in unary (nodes 2 + size, 20 more for negative ones, at most 17), and its lower
   bits (the first three of them: node 64 + 8 size + 2^i - 1 + what came before; those of place k after that: 220 +
   k). Samples outside the levels must be rejected.

r counts as 0 in contexts where a pixel equals a neighbour. Slots lie in 2^b for each context, b the least of 14..22
with 2^(b - 2) >= pixels: with h the scrambled hash (place: plus 3C6EF372 times the context's number; residue: plus that
times 256 context + node), the slot is the upper b bits of h (place: the upper b - 2 bits, times 4, plus the neighbour's
number), and the check h mod 256 with bit 0 set.
"""

import numpy as np

from dinp.entropy.crack_coder import ABOVE, LEFT, class_of, make_masks, trace_contour
from dinp.entropy.mixing import MIXED_WORK, RECIPROCAL, BitDecoder, BitEncoder, Mixer, MixShape, scramble
from dinp.errors import DinpError
from dinp.kernels import kernels

MAX_CHANNELS = 4
MAX_LEVELS = 1 << 17

_WINDOWS, _CHAINS = (5, 8, 12, 17, 23, 32), (4, 8, 12)
_PLACES, _PLACE_KINDS = len(_WINDOWS) + len(_CHAINS) + 8, 4
_RESIDUES, _RESIDUE_KINDS = 20, 12
_PLACE_SHAPE = MixShape(_PLACES, _PLACE_KINDS, (4 * 256, 4 * 16, 4 * 256), (4 * 256, 4 * 256))
_RESIDUE_SHAPE = MixShape(_RESIDUES, _RESIDUE_KINDS, (4 * 64, 12 * 16, 12 * 32), (4 * 64, 12 * 32))
_PLACE_PARAMETERS, _PLACE_WEIGHT = [255, 60, 3, 2, 5], 350
_RESIDUE_PARAMETERS, _RESIDUE_WEIGHT = [255, 60, 3, 2, 5], 300
_START = (1 << 26) // 300 << 5
_CLASSES = 16
_FACTORS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
_M = 0xFFFFFFFF


def encode_samples(samples: np.ndarray, levels: list[int]) -> bytes:
    """Code samples (H, W, channels), integers 0..levels[channel] - 1."""
    samples = np.ascontiguousarray(samples, dtype=np.int32)
    height, width, channels = samples.shape
    if channels != len(levels) or not 1 <= channels <= MAX_CHANNELS or max(levels) > MAX_LEVELS:
        raise ValueError(f"samples of shape {samples.shape} with {levels} levels cannot be coded")
    if kernels is not None:
        return kernels.encode_samples(_state(), samples, np.array(levels, dtype=np.int32), height, width)
    encoder = BitEncoder()
    _SampleModel((height, width), levels).code(encoder, samples)
    return encoder.finish()


def decode_samples(data: bytes, shape: tuple[int, int], levels: list[int]) -> np.ndarray:
    """Mirror of `encode_samples` for a picture of `shape` (H, W): (H, W, channels).

    They are uint8 or uint16 where all levels fit, else int32.

    Raises
    ------
    DinpError
        The data is damaged.
    """
    dtype = np.uint8 if max(levels) <= 1 << 8 else np.uint16 if max(levels) <= 1 << 16 else np.int32
    samples = np.zeros((*shape, len(levels)), dtype=dtype)
    if kernels is not None:
        if not kernels.decode_samples(_state(), data, np.array(levels, dtype=np.int32), samples, *shape):
            raise DinpError("the coded data is damaged: its samples are not valid")
        return samples
    decoder = BitDecoder(data)
    _SampleModel(shape, levels).code(decoder, samples, decode=True)
    decoder.check_exhausted()
    return samples


def _state() -> np.ndarray:
    quiet = np.full(_CLASSES * _CLASSES, _START, dtype=np.int32)
    place = _PLACE_SHAPE.initial(_PLACE_PARAMETERS, _PLACE_WEIGHT)
    return np.concatenate([place, _RESIDUE_SHAPE.initial(_RESIDUE_PARAMETERS, _RESIDUE_WEIGHT), quiet])


def _join(*parts: int) -> int:
    return sum(map(int.__mul__, parts, _FACTORS)) & _M


def _zigzag(d: int, most: int) -> int:
    d = max(-most, min(most, d))
    return (d << 1 ^ d >> 31) & _M


def _coarse(d: int) -> int:
    return class_of(abs(d)) << 1 | (d < 0)


def _between(x: int, a: int, b: int) -> int:
    return max(min(a, b), min(max(a, b), x))


class _SampleModel:
    """Codes samples without a kernel: slow, the same bits."""

    def __init__(self, shape: tuple[int, int], levels: list[int]) -> None:
        self._height, self._width = shape
        self._levels = levels
        self._place = Mixer(_PLACE_SHAPE, _PLACE_SHAPE.initial(_PLACE_PARAMETERS, _PLACE_WEIGHT))
        self._residue = Mixer(_RESIDUE_SHAPE, _RESIDUE_SHAPE.initial(_RESIDUE_PARAMETERS, _RESIDUE_WEIGHT))
        self._quiet = [_START] * (_CLASSES * _CLASSES)
        self._masks = make_masks(_WINDOWS)
        self._bits = next((b for b in range(14, 22) if 1 << (b - 2) >= shape[0] * shape[1]), 22)

    def code(self, coder: BitEncoder | BitDecoder, samples: np.ndarray, *, decode: bool = False) -> None:
        """Code `samples` (H, W, channels), or fill them."""
        self._coder = coder
        zero = (0,) * len(self._levels)
        height, width = self._height, self._width
        # rows from 2 above on, columns from 8 before to 8 after
        self._at = [[zero] * (width + 16) for _ in range(height + 3)]
        self._error = [[zero] * (width + 16) for _ in range(height + 3)]
        self._cell = [[0] * (width + 24) for _ in range(height + 5)]
        rows_since = [0] * width
        given = samples.tolist()
        for y in range(height):
            row, above = self._at[y + 2], self._at[y + 1]
            row[:8] = [above[8]] * 8
            above[width + 8 :] = [above[width + 7]] * 8
            since = 255
            for x in range(width):
                since, rows_since[x] = min(since + 1, 255), min(rows_since[x] + 1, 255)
                source = None if decode else tuple(given[y][x])
                found, error = self._code_pixel(y, x, source, class_of(since), class_of(rows_since[x]))
                row[x + 8], self._error[y + 2][x + 8] = found, error
                cell = (ABOVE if y and found != above[x + 8] else 0) | (LEFT if x and found != row[x + 7] else 0)
                self._cell[y + 4][x + 16] = cell
                if cell:
                    since = rows_since[x] = 0
                if decode:
                    samples[y, x] = found

    def _code_pixel(
        self, y: int, x: int, source: tuple | None, since: int, rows_since: int
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The pixel and its residues."""
        zero = (0,) * len(self._levels)
        row, above = self._at[y + 2], self._at[y + 1]
        candidates = [row[x + 7], above[x + 8], above[x + 9], above[x + 7]]
        window = []
        for k in range(4):
            start = x if k == 0 else x + 8
            window.append(sum(cell << (2 * i) for i, cell in enumerate(self._cell[y + 4 - k][start : start + 16])))
        near = window[0] >> 26 or window[1] & 0x00FFFC00 or window[2] & 0x003FF000
        tried = 0
        if not near and candidates[0] == candidates[1]:
            at = _CLASSES * since + rows_since
            entry = self._quiet[at]
            bit = self._coder.code(int(source != candidates[0]), max(entry >> 15, 1))
            n, p = entry & 31, entry >> 5
            p += ((1 << 26) * bit - bit - p) * RECIPROCAL[8 * n + 6] >> 16
            self._quiet[at] = p << 5 | min(n + 1, 31)
            if not bit:
                return candidates[0], zero
            tried = 1
        hashes, chain = self._place_contexts(y, x, window, since, rows_since)
        nearby = window[0] >> 29 | (window[1] >> 14 & 15) << 3 | (window[1] >> 19 & 1) << 7
        for i in range(tried, 4):
            if candidates[i] in candidates[:i]:
                continue
            for k, value in enumerate(hashes):
                h = scramble((value + k * 0x3C6EF372) & _M)
                self._place.find(k, (h >> (34 - self._bits)) * 4 + i, h & 255 | 1)
            by_near, by_chain = i * 256 + nearby, i * 256 + (chain >> 24)
            p = self._place.predict(i, [by_near, i * 16 + since, by_chain], [by_near, by_chain])
            self._coder.spend(MIXED_WORK)
            bit = self._coder.code(int(source == candidates[i]), p)
            self._place.update(bit)
            if bit:
                return candidates[i], zero
        return self._code_channels(y, x, source, window)

    def _place_contexts(self, y: int, x: int, window: list[int], since: int, rows_since: int) -> tuple[list[int], int]:
        """Hashes of the contexts of which neighbour a pixel equals, and the way along the contour."""
        up, left = window[1] >> 17 & 1, window[0] >> 30 & 1
        chain = trace_contour(self._cell, y, x, 0) if up else trace_contour(self._cell, y, x, 3) if left else 0
        rows, column = [self._at[y + 2], self._at[y + 1], self._at[y]], x + 8
        # W, N, NE, NW, WW, NN, NEE, NNE, NNW, NWW, WWW, NEEE
        places = [(0, -1), (1, 0), (1, 1), (1, -1), (0, -2), (2, 0), (1, 2), (2, 1), (2, -1), (1, -2), (0, -3), (1, 3)]
        pixels = [rows[r][column + d] for r, d in places]
        values = []
        for pixel in pixels:
            value = 0
            for sample in pixel:
                value = (value * 0x2C1B3C6D + sample + 1) & _M
            values.append(value)
        w, n, ne, nw, ww, nn, nee, nne, nnw, _, www, neee = values
        hashes = [_join(*(a & b for a, b in zip(window, mask, strict=True))) for mask in self._masks]
        hashes += [
            _join(chain >> (32 - 2 * steps), up | left << 1, 1, int(pixels[0] == pixels[1])) for steps in _CHAINS
        ]
        first = [pixel[0] for pixel in pixels]
        hashes += [
            _join(w, n, ne, nw),
            _join(w, n, (ne * 31 + nw) & _M, (ww * 31 + nn) & _M),
            _join(w, n, 2, 0),
            _join(w, since, rows_since, 3),
            _join(w, n, ne, (nee * 31 + neee) & _M),
            _join(w, ww, www, 5),
            _join(n, nn, (nne * 31 + nnw) & _M, w),
            _join(
                _coarse(first[0] - first[1]),
                _coarse(first[1] - first[2]),
                _coarse(first[0] - first[3]),
                window[0] >> 28,
            ),
        ]
        return hashes, chain

    def _code_channels(
        self, y: int, x: int, source: tuple | None, window: list[int]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        found: list[int] = []
        errors: list[int] = []
        for k, levels in enumerate(self._levels):
            p, hashes, activity, trouble = self._residue_contexts(y, x, k, window, found, errors)
            r = 0 if source is None else source[k] - p
            r = self._code_residue(r, k, hashes, activity, trouble * 2 + (activity > 4))
            if not 0 <= p + r < levels:
                raise DinpError("the coded data is damaged: its samples are not valid")
            found.append(p + r)
            errors.append(r)
        return tuple(found), tuple(errors)

    def _residue_contexts(
        self, y: int, x: int, k: int, window: list[int], found: list[int], errors: list[int]
    ) -> tuple[int, list[int], int, int]:
        """The prediction, hashes of the contexts, and classes of activity and of residues around."""
        rows, column = [self._at[y + 2], self._at[y + 1], self._at[y]], x + 8
        places = [(0, -1), (1, 0), (1, -1), (1, 1), (0, -2), (2, 0), (1, 2), (2, 1)]
        w, n, nw, ne, ww, nn, nee, nne = (rows[r][column + d][k] for r, d in places)
        row_of_errors, errors_above = self._error[y + 2], self._error[y + 1]
        ew, en = row_of_errors[column - 1][k], errors_above[column][k]
        ene, enw = errors_above[column + 1][k], errors_above[column - 1][k]
        p, first, second = _between(w + n - nw, w, n), 0, 0
        if k:
            dw, dn, dnw = (v - rows[r][column + d][k - 1] for v, (r, d) in zip((w, n, nw), places, strict=False))
            base = found[k - 1] + _between(dw + dn - dnw, dw, dn)
            base = max(0, min(self._levels[k] - 1, base))
            first, second, p = errors[k - 1], base - p, base
        activity = class_of(abs(w - nw) + abs(n - nw) + abs(n - ne))
        trouble = class_of(abs(ew) + abs(en) + abs(ene) + abs(enw))
        slopes = _coarse(w - p) | _coarse(n - p) << 5 | _coarse(nw - p) << 10 | _coarse(ne - p) << 15
        hashes = [
            _join(activity, 1, trouble, 0),
            _join(_zigzag(w - p, 255), _zigzag(n - p, 255), 2, 0),
            _join(_zigzag(w - p, 255), _zigzag(ne - p, 255), 3, 0),
            _join(_zigzag(n - p, 255), _zigzag(nw - p, 255), _zigzag(ne - p, 255), 4),
            _join(slopes, 5, 0, 0),
            _join(slopes, _coarse(ww - p) | _coarse(nn - p) << 5 | _coarse(nee - p) << 10, 6, 0),
            _join(w, p, 7, 0),
            _join(w, n, 8, 0),
            _join(w, n, nw, ne + 9),
            _join(p, 10, 0, 0),
            _join(_zigzag(ew, 63), _zigzag(en, 63), 11, 0),
            _join(_coarse(ew) | _coarse(en) << 5 | _coarse(enw) << 10 | _coarse(ene) << 15, 12, 0, 0),
            _join(_zigzag(first, 255), _zigzag(second, 31), _coarse(w - p), 13),
            _join(_zigzag(2 * w - ww - p, 127), _zigzag(2 * n - nn - p, 127), 14, 0),
            _join(_zigzag(w + ne - n - p, 127), _zigzag(n + ne - nne - p, 127), 15, 0),
            _join(window[0] >> 28 | window[1] & 0x003FF000, _coarse(w - n), _coarse(n - ne), 16),
            _join(activity, _coarse(ew), _coarse(w - n), 17),
            _join(w, ww, p, 18),
            _join(n, nn, ne, 19),
            _join(_coarse(first), trouble, activity, 20),
        ]
        return p, [(value + k * 0x632BE5AB) & _M for value in hashes], activity, trouble

    def _code_residue(self, r: int, channel: int, hashes: list[int], activity: int, shape: int) -> int:
        def code(bit: int, node: int, kind: int) -> int:
            for i, value in enumerate(hashes):
                h = scramble((value + (i * 256 + node) * 0x3C6EF372) & _M)
                self._residue.find(i, h >> (32 - self._bits), h & 255 | 1)
            by_node, by_shape = channel * 64 + min(node, 63), kind * 32 + shape
            p = self._residue.predict(kind, [by_node, kind * 16 + activity, by_shape], [by_node, by_shape])
            self._coder.spend(MIXED_WORK)
            bit = self._coder.code(bit, p)
            self._residue.update(bit)
            return bit

        if not code(int(r != 0), 0, 0):
            return 0
        negative, m, size = code(int(r < 0), 1, 1), abs(r), 0
        while size < 17 and code(int(m >> (size + 1) != 0), 2 + size + 20 * negative, 2 + min(size, 4)):
            size += 1
        number = 1
        for k in range(size - 1, -1, -1):
            deep = size - 1 - k
            node = 64 + size * 8 + (number & (1 << deep) - 1) + (1 << deep) - 1 if deep < 3 else 220 + k
            number = number << 1 | code(m >> k & 1, node, 7 + deep if deep < 3 else 10)
        return -number if negative else number
