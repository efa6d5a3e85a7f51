"""Values of regions: which of the values seen so far, or a new one; never that of a neighbour.

Regions come in the order of their first pixels. Their values are *colours*, numbered in the order in which they occur
first (docs/format.md, section 11.3). The stream, in integers, coded by the coder of `dinp.entropy.mixing`:

The first region has colour 0. Of each other one, the colours of neighbouring regions (4-connected) that came before are
barred. If not all colours are seen yet and some seen one is not barred, a bit says whether the colour is new, with a
probability p / 2^16 that begins with 1/2, one for each state of the same bit before (1 where it was implied to be new,
and at first): after a 1, p += (65536 - p) >> 5, after a 0, p -= p >> 5, kept within 32..65504. If all seen ones are
barred, it is new (where none is left the data must be rejected). Otherwise one of the colours k seen is coded, of
weights w_k = 0 where barred, else 1 + 2 n_k + c m_k: n_k counts regions that had it, m_k those with the same colour
above (of the pixel above their first pixel; in the first row on its left; 0 for the first region), counted by the hash
(9E3779B1 above + 85EBCA77 k mod 2^32) >> 16 up to 65535. c is 0, 4 or 32, whichever has the least score, at first 0: a
score grows by log2(sum of w) - log2(w of the colour that came) (`log2_fixed`) less its 32nd (>> 5). The colour is found
by halving: of low..high - 1, from all seen, with middle = (low + high) >> 1 a bit says whether it is at least the
middle, p being 65536 times the share of the upper part, within 1..65535; where one part weighs nothing it is implied.
Each such colour counts as many units of work as colours were seen (`dinp.entropy.mixing`).
"""

import numpy as np

from dinp.entropy.fixed import log2_fixed
from dinp.entropy.mixing import BitDecoder, BitEncoder
from dinp.errors import DinpError
from dinp.kernels import kernels

_PAIR_WEIGHTS = np.array([[0], [4], [32]])


def encode_colours(labels: np.ndarray, colours: np.ndarray) -> bytes:
    """Code the colours (n,) of the regions `labels` (H, W) int32, both numbered as above."""
    colours = np.array(colours, dtype=np.int32)
    total = int(colours.max()) + 1
    if kernels is not None:
        return kernels.code_colours(np.ascontiguousarray(labels), colours, *labels.shape, total, None)
    encoder = BitEncoder()
    _code(encoder, labels, colours, total, decode=False)
    return encoder.finish()


def decode_colours(data: bytes, labels: np.ndarray, regions: int, total: int) -> np.ndarray:
    """Mirror of `encode_colours`, given how many regions and colours there are: (regions,) int32.

    Raises
    ------
    DinpError
        The data is damaged.
    """
    colours = np.zeros(regions, dtype=np.int32)
    if kernels is not None:
        if not kernels.code_colours(np.ascontiguousarray(labels), colours, *labels.shape, total, data):
            raise DinpError("the coded data is damaged: its regions have no valid values")
        return colours
    decoder = BitDecoder(data)
    if _code(decoder, labels, colours, total, decode=True) != total:
        raise DinpError("the coded data is damaged: its regions have no valid values")
    decoder.check_exhausted()
    return colours


def _neighbours(labels: np.ndarray, regions: int) -> tuple[list[list[int]], list[int]]:
    """Of each region its neighbours that came before, and the one above its first pixel (-1 for the first)."""
    sides = [(labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])]
    pairs = np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in sides], axis=1)
    pairs = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
    before: list[list[int]] = [[] for _ in range(regions)]
    for low, high in pairs.T.tolist():
        before[high].append(low)
    first = np.unique(labels, return_index=True)[1]
    flat, width = labels.ravel(), labels.shape[1]
    return before, [int(flat[i - width if i >= width else i - 1]) if i else -1 for i in first.tolist()]


def _code(coder: BitEncoder | BitDecoder, labels: np.ndarray, colours: np.ndarray, total: int, *, decode: bool) -> int:
    """Code all colours, or fill them; returns how many were seen."""
    before, above = _neighbours(labels, len(colours))
    counts, pairs = np.zeros(total, dtype=np.int64), np.zeros(1 << 16, dtype=np.int64)
    fresh_p, scores = [32768, 32768], np.zeros(3, dtype=np.int64)
    seen, last = 0, 1
    for r in range(len(colours)):
        barred = np.unique(colours[before[r]])
        near = int(colours[above[r]]) if above[r] >= 0 else 0
        places = (near * 0x9E3779B1 + np.arange(total) * 0x85EBCA77 & 0xFFFFFFFF) >> 16
        fresh = int(seen < total)
        if barred.size == seen and not fresh:
            raise DinpError("the coded data is damaged: its regions have no valid values")
        if fresh and barred.size < seen:
            p = fresh_p[last]
            fresh = coder.code(int(colours[r] == seen), p)
            p += (65536 - p) >> 5 if fresh else -(p >> 5)
            fresh_p[last] = min(max(p, 32), 65504)
        if fresh:
            colour, seen = seen, seen + 1
        else:
            coder.spend(seen)
            weights = 1 + 2 * counts[:seen] + _PAIR_WEIGHTS * pairs[places[:seen]]
            weights[:, barred] = 0
            colour = _code_known(coder, int(colours[r]), weights[int(scores.argmin())])
            scores += log2_fixed(weights.sum(axis=1)) - log2_fixed(weights[:, colour]) - (scores >> 5)
        last = fresh
        if decode:
            colours[r] = colour
        counts[colour] += 1
        pairs[places[colour]] = min(pairs[places[colour]] + 1, 65535)
    return seen


def _code_known(coder: BitEncoder | BitDecoder, colour: int, weights: np.ndarray) -> int:
    low, high, total = 0, len(weights), int(weights.sum())
    while high - low > 1:
        middle = (low + high) >> 1
        right = int(weights[middle:high].sum())
        bit = int(right != 0)
        if 0 < right < total:
            bit = coder.code(int(colour >= middle), min(max(right * 65536 // total, 1), 65535))
        low, high, total = (middle, high, right) if bit else (low, middle, total - right)
    return low
