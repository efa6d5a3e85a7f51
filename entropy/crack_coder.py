"""Contours: cracks between neighbouring pixels, by context mixing; and the regions that they enclose.

docs/format.md, section 10.2, is the specification.

A *crack* lies between two neighbouring pixels of different regions. Where four pixels meet, a *vertex*, cracks of
closed contours are never exactly one: so some are implied. The specification of the stream:

Pixels come in raster order. For each the crack above it, a *node* 0, then the one on its left, node 1 or 2 after a 0 or
1, are coded by `dinp.entropy.mixing`, except what is implied: there are none on the border of the picture, and with s
the number of cracks known at the vertex above left of the pixel (the one going up, the one going left), the left one
equals the one above where s = 0, and is there where s = 1 and the one above is not.

Where nothing is near (`_quiet`: no crack in the three pixels before, in the row above from three before to three after,
and in the row above that from two before to two after), one bit says whether both are there. Its probability p / 2^26
(above a count n of 5 bits, all begin with 2^26 / 300 and 0) is that of the pair of classes of the distances to the
last pixel with a crack in this row and in this column (`class_of`, distances up to 255; in the first row that of 0 and
1, else in the first column 0 and 0); it is coded as max(p >> 10, 1), moves by (bit (2^26 - 1) - p) R[8 n + 6] >> 16 (R
as in the module `mixing`), and n grows up to 31.

Something may be near and yet s = 0. Then the pattern of the two pixels before, of the row above from one before to two
after, and of the pixel above in the row above that tells another such probability (14 bits: w0 >> 28, bits 14..21 of
w1 and 16..17 of w2 of the windows in turn, from the lowest on; they begin with 2^26 / 40 and n = 2). Where p is below
2^26 / 100, neither in the first row nor the first column, one bit is coded by it as above. Elsewhere p only moves by
the crack above.

Where none of this holds `_contexts` tells the contexts of a bit. Their slots lie in 2^b groups for each context, b the
least of 10..18 with 2^(b + 4) >= pixels: with h the scrambled sum of hash and 3C6EF372 times the number of the
context, the group is the upper b bits of h, the slot in it the node, and the check h mod 256 with bit 0 set.
"""

import numpy as np

from dinp.entropy.mixing import MIXED_WORK, RECIPROCAL, BitDecoder, BitEncoder, Mixer, MixShape, scramble
from dinp.errors import DinpError
from dinp.kernels import kernels

ABOVE, LEFT = 1, 2  # cracks of a cell

_WINDOWS = (5, 14, 23, 36)  # cracks of the contexts of the nearest
_CHAINS = (8, 12)  # steps of the contexts of the way along the contour
_CONTEXTS = len(_WINDOWS) + len(_CHAINS) + 3
_KINDS, _NEAR, _CLASSES = 8, 256, 16
_SHAPE = MixShape(_CONTEXTS, _KINDS, (_KINDS * 16, 3 * _NEAR, _KINDS * 256), (3 * _NEAR, _KINDS * 256))
_PARAMETERS = [255, 60, 3, 1, 6]
_WEIGHT = 600
_START = (1 << 26) // 300 << 5
_RARELY, _RARE_START = (1 << 26) // 100 << 5, (1 << 26) // 40 << 5 | 2
_A, _B, _C, _D, _E = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x3C6EF372
_M = 0xFFFFFFFF


def encode_cracks(right: np.ndarray, down: np.ndarray) -> bytes:
    """Code closed contours.

    Parameters
    ----------
    right : (H, W - 1) bool
        Cracks between a pixel and the one on its right.
    down : (H - 1, W) bool
        Cracks between a pixel and the one below it.

    Raises
    ------
    ValueError
        Contours are not closed: somewhere inside one ends.
    """
    cells = cells_of(right, down)
    _check_closed(cells)
    if kernels is None:
        coder = BitEncoder()
        _CrackModel(cells.shape).code(coder, cells)
        return coder.finish()
    return kernels.encode_cracks(_state(), cells, *cells.shape)


def decode_cracks(data: bytes, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mirror of `encode_cracks` for a picture of `shape` (H, W): right (H, W - 1), down (H - 1, W) bool.

    Raises
    ------
    DinpError
        The data is damaged.
    """
    cells = decode_cells(data, shape)
    return (cells[:, 1:] & LEFT).astype(bool), (cells[1:] & ABOVE).astype(bool)


def decode_cells(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """What `decode_cracks` decodes, by pixel: (H, W) uint8, `ABOVE` + `LEFT` where there is a crack."""
    cells = np.zeros(shape, dtype=np.uint8)
    if kernels is None:
        decoder = BitDecoder(data)
        _CrackModel(shape).code(decoder, cells, decode=True)
        decoder.check_exhausted()
    elif not kernels.decode_cracks(_state(), data, cells, *shape):
        raise DinpError("the coded data is damaged: its contours end before or after their last symbol")
    return cells


def cracks_of(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cracks between pixels of different labels (H, W): right (H, W - 1), down (H - 1, W) bool."""
    return labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]


def regions_of(right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, int]:
    """Regions that cracks enclose: labels (H, W) int32 of 4-connected parts, and how many there are.

    They are numbered in the order of their first pixels.
    """
    return regions_of_cells(cells_of(right, down))


def regions_of_cells(cells: np.ndarray) -> tuple[np.ndarray, int]:
    """As `regions_of`, of cracks by pixel."""
    labels = np.empty(cells.shape, dtype=np.int32)
    if kernels is not None:
        return labels, kernels.regions_of(cells, labels, *cells.shape)
    right, down = cells[:, 1:] & LEFT != 0, cells[1:] & ABOVE != 0
    labels[:] = np.arange(cells.size, dtype=np.int32).reshape(cells.shape)
    first, second = labels[:, :-1][~right], labels[:, 1:][~right]
    first, second = np.append(first, labels[:-1][~down]), np.append(second, labels[1:][~down])
    parent = np.arange(cells.size, dtype=np.int32)
    while True:  # roots take over the least neighbouring root; then all pixels point to their roots
        a, b = parent[first], parent[second]
        if np.array_equal(a, b):
            break
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
    roots, numbers = np.unique(parent, return_inverse=True)
    return numbers.reshape(cells.shape).astype(np.int32), len(roots)


def cells_of(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Cracks by pixel: (H, W) uint8, `ABOVE` + `LEFT` where there is one."""
    height, width = right.shape[0], down.shape[1]
    if right.shape != (height, width - 1) or down.shape != (height - 1, width):
        raise ValueError(f"cracks of shapes {right.shape} and {down.shape} are not those of one picture")
    cells = np.zeros((height, width), dtype=np.uint8)
    cells[1:] = down
    cells[:, 1:] |= right.astype(np.uint8) << 1
    return cells


def _check_closed(cells: np.ndarray) -> None:
    above, left = cells & ABOVE, cells >> 1
    if (above[1:, 1:] + left[1:, 1:] + above[1:, :-1] + left[:-1, 1:] == 1).any():
        raise ValueError("contours are not closed")


def _state() -> np.ndarray:
    """The learned state at the beginning, and the probabilities where nothing is near: int32."""
    quiet = np.full(_CLASSES * _CLASSES, _START, dtype=np.int32)
    return np.concatenate([_SHAPE.initial(_PARAMETERS, _WEIGHT), quiet])


def class_of(distance: int) -> int:
    """Class 0..15 of a distance: 0, 1, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-23, ..."""
    if distance < 4:
        return distance
    log = distance.bit_length() - 1
    return min(2 * log + (distance >> (log - 1) & 1), 15)


def make_masks(windows: tuple[int, ...]) -> list[list[int]]:
    """Bits of the windows' rows that each of the contexts of the nearest cracks looks at.

    Cracks are ordered by their distance from (1/4, 1/4), the middle of the two at hand, the vertex being the origin.
    """
    cracks = []
    for row in range(4):
        for pixel in range(16):
            for left in range(2):
                y, x = -4 * row + 2 * left - 1, 4 * (pixel - (8 if row else 16)) + 2 * (1 - left) - 1
                cracks.append((y * y + x * x, row, 2 * pixel + left))
    cracks.sort(key=lambda crack: crack[0])
    masks = []
    for count in windows:
        masks.append([sum(1 << bit for _, row, bit in cracks[:count] if row == k) for k in range(4)])
    return masks


def trace_contour(cell: list[list[int]], y: int, x: int, d: int) -> int:
    """The way back along the contour from the vertex above left of a pixel: 16 steps of 2 bits, first on top.

    It begins in the direction d (0 up, 1 right, 2 down, 3 left). A step is 0 straight on, 1 to the left, 2 to the
    right, or 3 where there are several ways (straight on is preferred, then left) or none: then all that follow are
    3 as well.
    """
    y, x, way = y + 4, x + 16, 0
    for k in range(16):
        y, x = y + (0, 0, 1, 0)[d] - (d == 0), x + (0, 1, 0, -1)[d]
        arms = [cell[y - 1][x] >> 1, cell[y][x] & 1, cell[y][x] >> 1, cell[y][x - 1] & 1]
        arms[(d + 2) & 3] = 0
        turn = 3
        if sum(arms) == 1:
            turn = 0 if arms[d] else 1 if arms[(d + 3) & 3] else 2
        way = way << 2 | turn
        if not any(arms):
            rest = 2 * (15 - k)
            return way << rest | (1 << rest) - 1
        if not arms[d]:
            d = (d + 3) & 3 if arms[(d + 3) & 3] else (d + 1) & 3
    return way


def _moved(entry: int, bit: int) -> int:
    """A probability of 26 bits above a count of 5 after a bit."""
    n, p = entry & 31, entry >> 5
    p += ((1 << 26) * bit - bit - p) * RECIPROCAL[8 * n + 6] >> 16
    return p << 5 | min(n + 1, 31)


class _CrackModel:
    """Codes cells without a kernel: slow, the same bits."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._height, self._width = shape
        self._mixer = Mixer(_SHAPE, _SHAPE.initial(_PARAMETERS, _WEIGHT))
        self._quiet = [_START] * (_CLASSES * _CLASSES)
        self._rare = [_RARE_START] * (1 << 14)
        self._masks = make_masks(_WINDOWS)
        self._bits = next((b for b in range(10, 18) if 1 << (b + 4) >= shape[0] * shape[1]), 18)

    def code(self, coder: BitEncoder | BitDecoder, cells: np.ndarray, *, decode: bool = False) -> None:
        """Code `cells` (H, W), or fill them."""
        # rows are read up to 4 above and 1 below, columns up to 16 before and 8 after
        self._cell = np.zeros((self._height + 5, self._width + 24), dtype=np.int64).tolist()
        self._coder = coder
        given = cells.tolist()
        rows_since = [0] * self._width
        for y in range(self._height):
            since = 255
            for x in range(self._width):
                since, rows_since[x] = min(since + 1, 255), min(rows_since[x] + 1, 255)
                if x or y:
                    pixel = self._code_pixel(y, x, given[y][x] if not decode else 0, since, rows_since[x])
                    self._cell[y + 4][x + 16] = pixel
                    if pixel:
                        since = rows_since[x] = 0
                    if decode:
                        cells[y, x] = pixel

    def _window(self, y: int, x: int) -> list[int]:
        """Four rows of 16 cells, 2 bits each, the leftmost lowest."""
        window = []
        for k in range(4):
            start = x if k == 0 else x + 8
            cells = self._cell[y + 4 - k][start : start + 16]
            window.append(sum(cell << (2 * i) for i, cell in enumerate(cells)))
        return window

    def _code_pixel(self, y: int, x: int, pixel: int, since: int, rows_since: int) -> int:
        window = self._window(y, x)
        if not (window[0] >> 26 or window[1] & 0x00FFFC00 or window[2] & 0x003FF000):
            at = _CLASSES * class_of(since) + class_of(rows_since) if y and x else int(not y)
            bit = self._coder.code(int(pixel != 0), max(self._quiet[at] >> 15, 1))
            self._quiet[at] = _moved(self._quiet[at], bit)
            return bit * (LEFT if not y else ABOVE if not x else ABOVE | LEFT)
        up, left = window[1] >> 17 & 1, window[0] >> 30 & 1
        crossing = up + left
        pattern = window[0] >> 28 | (window[1] >> 14 & 255) << 4 | (window[2] >> 16 & 3) << 12
        if not crossing and y and x and self._rare[pattern] < _RARELY:
            bit = self._coder.code(int(pixel != 0), max(self._rare[pattern] >> 15, 1))
            self._rare[pattern] = _moved(self._rare[pattern], bit)
            return bit * (ABOVE | LEFT)
        hashes, chain = self._contexts(y, x, window, (up, left), (class_of(since), class_of(rows_since)))
        near = window[0] >> 29 | (window[1] >> 14 & 15) << 3 | (window[1] >> 19 & 1) << 7
        above = 0
        if y:
            kind = 3 if crossing == 2 else left + 1 if crossing else 0
            above = self._code_mixed(0, kind, pixel & 1, hashes, (class_of(since), near, chain))
        if not crossing:
            self._rare[pattern] = _moved(self._rare[pattern], above)
        if not x:
            return above
        if y and crossing == 0:
            return above * (ABOVE | LEFT)
        if y and crossing == 1 and not above:
            return LEFT
        node = 1 + above
        kind = 5 + node if crossing == 2 else 4 + left
        return above | self._code_mixed(node, kind, pixel >> 1, hashes, (class_of(since), near, chain)) << 1

    def _code_mixed(self, node: int, kind: int, bit: int, hashes: list[int], select: tuple[int, int, int]) -> int:
        for k, value in enumerate(hashes):
            h = scramble((value + k * _E) & _M)
            self._mixer.find(k, (h >> (32 - self._bits)) * 4 + node, h & 255 | 1)
        since, near, chain = select
        by_near, by_chain = node * _NEAR + near, kind * 256 + (chain >> 24)
        p = self._mixer.predict(kind, [kind * 16 + since, by_near, by_chain], [by_near, by_chain])
        self._coder.spend(MIXED_WORK)
        bit = self._coder.code(bit, p)
        self._mixer.update(bit)
        return bit

    def _contexts(
        self, y: int, x: int, window: list[int], arms: tuple[int, int], classes: tuple[int, int]
    ) -> tuple[list[int], int]:
        """Hashes of the contexts, and the way along the contour."""
        up, left = arms
        w0, w1 = window[:2]
        way_up = trace_contour(self._cell, y, x, 0) if up else 0
        way_left = trace_contour(self._cell, y, x, 3) if left else 0
        chain = way_up if up else way_left
        arm = up | left << 1
        hashes = []
        for mask in self._masks:
            parts = [w & m for w, m in zip(window, mask, strict=True)]
            hashes.append(sum(map(int.__mul__, parts, (_A, _B, _C, _D))) & _M)
        for steps in _CHAINS:
            both = way_up >> (32 - steps) << steps | way_left >> (32 - steps)
            way = both if up and left else chain >> (32 - 2 * steps)
            hashes.append((way * _A + arm * _B) & _M)
        ahead = next(k for k in range(8) if k == 7 or w1 >> (19 + 2 * k) & 1)
        since, rows = classes
        hashes.append(((arm | since << 2 | rows << 6) + ahead * _A + (chain >> 28) * _B) & _M)
        hashes.append(((chain >> 20) * _A + (w0 & self._masks[1][0]) * _C + (w1 & self._masks[1][1]) * _B + arm) & _M)
        hashes.append(((w1 >> 6) * _A + (w0 >> 28) * _B) & _M)
        return hashes, chain
