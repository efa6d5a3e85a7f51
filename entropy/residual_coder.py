"""Coding of residuals: integers, one a pixel and mostly zero, in interlaced passes (docs/format.md, section 11.1).

Order: first the pixels whose row and column are multiples of 16, row by row; then for s = 8, 4, 2, 1 two passes each:
A, the pixels at odd multiples of s in both directions, then B, those at an odd multiple in one direction and an even
one in the other: first the rows of even multiples, then those of odd ones. The four neighbours of a pixel of pass A
are at (+-s, +-s), of pass B at (+-s, 0) and (0, +-s); all are coded before it; 0 stands for those beyond the border
and in the first pass. Of their sum a and the sum of their magnitudes m,

    prediction = sign(a) floor((|a| + 2) / 4) if m >= 8, else 0
    context    = number of the bounds 1, 2, 3, 5, 7, 10, 15, 25, 51 that m reaches

Passes form four groups: 0 the first and s = 8, 4; 1 s = 2; 2 s = 1, A; 3 s = 1, B. At the beginning of a group two
parameters for each of the 10 contexts are coded, six raw bits each, most significant first, where a raw bit 1 says that
they are: else they are START. A raw bit has the frequencies 2^15, 2^15. Parameter i stands for the probability

    p(i) = max(64, floor(2^16 M / (M + 2^14))) / 2^16,  M = (4 + i mod 4) 2^floor(i / 4)

A pass codes the differences d = residual - prediction: bits d != 0 with p of the first parameter; a raw bit for each of
these, 1 if d < 0; then in up to 24 rounds, for those still alive, a bit with p of the second parameter whether |d| is
larger than 1, 2, ...; and for those alive after 24 rounds the excess |d| - 25 (`dinp.entropy.coder`).
"""

import numpy as np

from dinp.entropy.coder import ONE, RangeDecoder, RangeEncoder
from dinp.errors import DinpError

KIND = "residual"
FIRST = 16
ROUNDS = 24
BOUNDS = np.array([1, 2, 3, 5, 7, 10, 15, 25, 51])
CONTEXTS = BOUNDS.size + 1
_HALF = ONE // 2
MAX_RESIDUAL = 1 << 20


def _probabilities() -> np.ndarray:
    i = np.arange(64)
    m = (4 + i % 4) << (i // 4)
    return np.maximum(64, (m << 16) // (m + (1 << 14)))


PROBABILITY = _probabilities()
START = np.stack([np.array([10, 28, 34, 38, 42, 46, 50, 54, 58, 62])] * 2, axis=1)
START[:, 1] = [14, 24, 30, 34, 38, 42, 46, 50, 54, 58]


def _slots(shape: tuple[int, int]) -> list[tuple[int, int, list[tuple[slice, slice]]]]:
    """Passes: group, s (0: the first), and for each part of the pass the slices of its rows and columns."""
    passes = [(0, 0, [(slice(0, None, FIRST), slice(0, None, FIRST))])]
    s = FIRST // 2
    while s:
        group = {2: 1, 1: 2}.get(s, 0)
        odd, even = slice(s, None, 2 * s), slice(0, None, 2 * s)
        passes.append((group, s, [(odd, odd)]))
        passes.append((group + (s == 1), s, [(even, odd), (odd, even)]))
        s //= 2
    return passes


class _Plane:
    """Residuals that are known so far, with a border of zeros."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.border = FIRST
        self.shape = shape
        self.all = np.zeros((shape[0] + 2 * FIRST, shape[1] + 2 * FIRST), dtype=np.int32)
        self.inner = self.all[FIRST:-FIRST, FIRST:-FIRST]

    def around(self, part: tuple[slice, slice], s: int, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
        """Sums over the four neighbours of the pixels of a part: of the residuals, and of their magnitudes."""
        offsets = [(-s, -s), (-s, s), (s, -s), (s, s)] if diagonal else [(-s, 0), (s, 0), (0, -s), (0, s)]
        total = magnitude = 0
        for dy, dx in offsets:
            shifted = self.all[FIRST + dy : FIRST + dy + self.shape[0], FIRST + dx : FIRST + dx + self.shape[1]][part]
            total, magnitude = total + shifted.astype(np.int64), magnitude + np.abs(shifted.astype(np.int64))
        return total, magnitude


def _context(plane: _Plane, parts: list[tuple[slice, slice]], s: int) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and context of each pixel of a pass, (n,) int64."""
    if s == 0:
        n = plane.inner[parts[0]].size
        return np.zeros(n, np.int64), np.zeros(n, np.int64)
    sums = [plane.around(part, s, len(parts) == 1) for part in parts]
    total, magnitude = (np.concatenate([pair[k].ravel() for pair in sums]) for k in (0, 1))
    prediction = np.where(magnitude >= 8, np.sign(total) * ((np.abs(total) + 2) >> 2), 0)
    return prediction, np.searchsorted(BOUNDS, magnitude, side="right")


def _put(plane: _Plane, parts: list[tuple[slice, slice]], values: np.ndarray) -> None:
    at = 0
    for part in parts:
        view = plane.inner[part]
        view[...] = values[at : at + view.size].reshape(view.shape)
        at += view.size


def _best(hits: np.ndarray, tries: np.ndarray) -> np.ndarray:
    """The parameter with the fewest bits for each context: `hits` ones of `tries` bits, (CONTEXTS,) each."""
    p = PROBABILITY / ONE
    cost = -(hits[:, None] * np.log2(p) + (tries - hits)[:, None] * np.log2(1 - p))
    return cost, np.argmin(cost, axis=1)


def _chosen(differences: list[np.ndarray], contexts: list[np.ndarray]) -> np.ndarray:
    """Parameters for a group, (CONTEXTS, 2): the best, or START where these save less than they cost."""
    d, c = np.abs(np.concatenate(differences)), np.concatenate(contexts)
    count = np.bincount(c, minlength=CONTEXTS)
    nonzero = np.bincount(c, weights=d > 0, minlength=CONTEXTS)
    more = np.bincount(c, weights=np.minimum(np.maximum(d - 1, 0), ROUNDS), minlength=CONTEXTS)
    tried = np.bincount(c, weights=np.minimum(d, ROUNDS), minlength=CONTEXTS)
    first, best_first = _best(nonzero, count)
    second, best_second = _best(more, tried)
    row = np.arange(CONTEXTS)
    saved = first[row, START[:, 0]] - first[row, best_first] + second[row, START[:, 1]] - second[row, best_second]
    best = np.stack([best_first, best_second], axis=1)
    return np.where((saved > 12)[:, None], best, START)


def encode_residual(encoder: RangeEncoder, residual: np.ndarray) -> None:
    """Code residuals (H, W) of integers, |residual| < 2^20, whose shape the decoder knows; else DinpError."""
    if np.abs(residual).max(initial=0) >= MAX_RESIDUAL:
        raise DinpError("the wanted error is too small for these values: allow a larger one")
    plane = _Plane(residual.shape)
    group, parameters = -1, START
    passes = _slots(residual.shape)
    plane.inner[...] = residual  # contexts look only at what is coded before: they are the decoder's
    described = [(g, *_context(plane, parts, s), parts) for g, s, parts in passes]
    values = [np.concatenate([residual[part].ravel() for part in parts]).astype(np.int64) for *_, parts in described]
    differences = [value - prediction for value, (_, prediction, _, _) in zip(values, described, strict=True)]
    for number, (g, _, context, _) in enumerate(described):
        if g != group:
            group = g
            mine = [k for k, entry in enumerate(described) if entry[0] == g]
            parameters = _chosen([differences[k] for k in mine], [described[k][2] for k in mine])
            _encode_parameters(encoder, parameters)
        _encode_pass(encoder, differences[number], PROBABILITY[parameters[context]])


def _encode_parameters(encoder: RangeEncoder, parameters: np.ndarray) -> None:
    told = (parameters != START).any(axis=1)
    _raw(encoder, told)
    bits = (parameters[told].ravel()[:, None] >> np.arange(5, -1, -1)) & 1
    _raw(encoder, bits.ravel())


def _raw(encoder: RangeEncoder, bits: np.ndarray) -> None:
    encoder.encode_bits(bits, np.full(bits.size, _HALF), KIND)


def _encode_pass(encoder: RangeEncoder, difference: np.ndarray, ones: np.ndarray) -> None:
    alive = difference != 0
    encoder.encode_bits(alive, ones[:, 0], KIND)
    magnitude, more = np.abs(difference[alive]), ones[alive, 1]
    _raw(encoder, difference[alive] < 0)
    for k in range(1, ROUNDS + 1):
        larger = magnitude > k
        encoder.encode_bits(larger, more, KIND)
        magnitude, more = magnitude[larger], more[larger]
    encoder.encode_excess(magnitude - ROUNDS - 1, KIND)


def decode_residual(decoder: RangeDecoder, shape: tuple[int, int]) -> np.ndarray:
    """Mirror of `encode_residual`: (H, W) int32; DinpError if the data is damaged."""
    plane = _Plane(shape)
    group, parameters = -1, START
    for g, s, parts in _slots(shape):
        if g != group:
            group, parameters = g, _decode_parameters(decoder)
        prediction, context = _context(plane, parts, s)
        values = prediction + _decode_pass(decoder, PROBABILITY[parameters[context]])
        if np.abs(values).max(initial=0) >= MAX_RESIDUAL:
            raise DinpError("the coded data is damaged: a residual is out of range")
        _put(plane, parts, values)
    return plane.inner.copy()


def _decode_parameters(decoder: RangeDecoder) -> np.ndarray:
    told = decoder.decode_bits(np.full(CONTEXTS, _HALF), KIND)
    bits = decoder.decode_bits(np.full(12 * int(told.sum()), _HALF), KIND).astype(np.int64)
    parameters = START.copy()
    parameters[told] = (bits.reshape(-1, 6) << np.arange(5, -1, -1)).sum(axis=1).reshape(-1, 2)
    return parameters


def _decode_pass(decoder: RangeDecoder, ones: np.ndarray) -> np.ndarray:
    difference = decoder.decode_bits(ones[:, 0], KIND).astype(np.int64)
    at = np.flatnonzero(difference)
    negative = decoder.decode_bits(np.full(at.size, _HALF), KIND)
    alive = np.arange(at.size)
    magnitude = np.ones(at.size, dtype=np.int64)
    for _ in range(ROUNDS):
        alive = alive[decoder.decode_bits(ones[at[alive], 1], KIND)]
        magnitude[alive] += 1
    magnitude[alive] += decoder.decode_excess(alive.size, KIND)
    difference[at] = np.where(negative, -magnitude, magnitude)
    return difference
