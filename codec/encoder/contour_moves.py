"""Contours refined by error and bits: pixels beside a contour change their region where that costs less.

A move of a pixel from its region to that of a neighbour changes the squared error, and the bits of the cracks around
it. The error is that against the mean of the region, where the region is flat enough to be held by one value, else
against the mean of its eight neighbours in the region: there, values within the region follow the picture. The bits are
those of a static model: two cracks a pixel in the context of twelve cracks before them, by counts of the contours
themselves (an adaptive mixture, which the file has, makes about a tenth less of them). Regions stay connected: a pixel
moves only where its neighbours in the region stay connected among its eight neighbours.
"""

import numpy as np

from dinp.encoder.segmentation import numbered
from dinp.kernels import kernels

SWEEPS = 4
NEAR = 2  # pixels
CONTEXTS = 1 << 12
PRIOR = 0.4  # counts of each of the four symbols of a context beforehand
BITS_SHARE = 0.9  # of the static model's bits that the file's take
REGION_BITS = 6.0  # of a region that vanishes, but for its cracks
FLAT = 6.4  # bits that dividing a region takes at least

_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def refined(planes: np.ndarray, labels: np.ndarray, bit_cost: float) -> np.ndarray:
    """Regions (H, W) int32 with refined contours, numbered in raster order of their first pixels.

    Parameters
    ----------
    planes : (P, H, W) float64
    labels : (H, W) int32
        Regions, numbered likewise.
    bit_cost : float
        Squared error that a bit must save.
    """
    planes = np.ascontiguousarray(planes, dtype=np.float64)
    labels = numbered(labels)
    near = np.ones(labels.shape, dtype=np.uint8)
    for sweep in range(SWEEPS):
        if labels.max() == 0:
            break
        means, flat, area = _described(planes, labels, bit_cost)
        bits = BITS_SHARE * symbol_bits(labels)
        moved = np.zeros(labels.shape, dtype=np.uint8)
        if kernels is None:
            moves = _sweep(labels, planes, means, flat, area, bits, near, moved, bit_cost)
        else:
            model = (means, flat, area, bits, near, moved, *labels.shape, bit_cost, REGION_BITS)
            moves = kernels.move_contours(labels, planes, *model)
        if moves == 0:
            break
        labels = numbered(labels)
        if sweep < SWEEPS - 1:
            near = _nearby(moved)
    return labels


def _nearby(moved: np.ndarray) -> np.ndarray:
    """Pixels at most NEAR rows and columns away from one that has moved, (H, W) uint8: others would hardly move now."""
    padded = np.pad(moved, NEAR)
    rows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR + 1, axis=0).max(axis=-1)
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(rows, 2 * NEAR + 1, axis=1).max(axis=-1))


def _described(planes: np.ndarray, labels: np.ndarray, bit_cost: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (P, H, W) of regions, the first of each plane's pixels being theirs; flat (H W,) uint8, area (H W,)."""
    index, size = labels.ravel(), labels.size
    area = np.bincount(index, minlength=size)
    means = np.stack([np.bincount(index, weights=p.ravel(), minlength=size) for p in planes]) / np.maximum(area, 1)
    error = np.zeros(size)
    for plane, mean in zip(planes, means, strict=True):
        error += np.bincount(index, weights=(plane.ravel() - mean[index]) ** 2, minlength=size)
    return means, (error <= bit_cost * FLAT).astype(np.uint8), area.astype(np.int64)


def symbol_bits(labels: np.ndarray) -> np.ndarray:
    """Bits (CONTEXTS, 4) of the symbols, above + 2 beside, by static counts."""
    padded = np.pad(labels, ((3, 1), (3, 3)), mode="edge")
    above = np.zeros(padded.shape, dtype=np.int64)
    beside = np.zeros(padded.shape, dtype=np.int64)
    above[1:] = padded[1:] != padded[:-1]
    beside[:, 1:] = padded[:, 1:] != padded[:, :-1]
    height, width = labels.shape

    def part(cracks: np.ndarray, dy: int, dx: int) -> np.ndarray:
        return cracks[3 + dy : 3 + dy + height, 3 + dx : 3 + dx + width]

    context = np.zeros(labels.shape, dtype=np.int64)
    for bit, (cracks, dy, dx) in enumerate(_template(above, beside)):
        context |= part(cracks, dy, dx) << bit
    symbol = part(above, 0, 0) | part(beside, 0, 0) << 1
    counts = np.bincount((context << 2 | symbol).ravel(), minlength=4 * CONTEXTS).reshape(CONTEXTS, 4) + PRIOR
    return np.log2(counts.sum(axis=1, keepdims=True)) - np.log2(counts)


def _template(above: object, beside: object) -> list[tuple]:
    """The cracks of a context, from the lowest bit on: which, and at what distance from the pixel."""
    return [
        (above, 0, -1),
        (beside, 0, -1),
        (above, -1, 0),
        (beside, -1, 0),
        (above, -1, 1),
        (beside, -1, 1),
        (above, -1, -1),
        (beside, -1, -1),
        (above, 0, -2),
        (beside, -2, 0),
        (above, -1, 2),
        (beside, -2, 1),
    ]


def _sweep(
    labels: np.ndarray,
    planes: np.ndarray,
    means: np.ndarray,
    flat: np.ndarray,
    area: np.ndarray,
    bits: np.ndarray,
    near: np.ndarray,
    moved: np.ndarray,
    bit_cost: float,
) -> int:
    """The counterpart of the kernel."""
    height, width = labels.shape
    cell = labels.tolist()
    values, costs = planes.tolist(), bits.tolist()

    def label_at(y: int, x: int) -> int:
        return cell[min(max(y, 0), height - 1)][min(max(x, 0), width - 1)]

    def above(y: int, x: int) -> int:
        return int(label_at(y, x) != label_at(y - 1, x))

    def beside(y: int, x: int) -> int:
        return int(label_at(y, x) != label_at(y, x - 1))

    template = _template(above, beside)

    def bits_around(y: int, x: int) -> float:
        total = 0.0
        for i in range(y, min(y + 3, height)):
            for j in range(max(x - 2, 0), min(x + 3, width)):
                context = sum(crack(i + dy, j + dx) << bit for bit, (crack, dy, dx) in enumerate(template))
                total += costs[context][above(i, j) | beside(i, j) << 1]
        return total

    def around(y: int, x: int) -> list[int]:
        places = [(y + dy, x + dx) for dy, dx in _RING]
        return [cell[i][j] if 0 <= i < height and 0 <= j < width else -1 for i, j in places]

    def error_in(y: int, x: int, region: int) -> float:
        error = 0.0
        for plane, mean in zip(values, means, strict=True):
            value = plane[y][x]
            if flat[region]:
                value = float(mean[region])
            else:
                near = [plane[y + dy][x + dx] for (dy, dx), r in zip(_RING, around(y, x), strict=True) if r == region]
                value = sum(near) / len(near) if near else value
            error += (plane[y][x] - value) ** 2
        return error

    moves = 0
    for y in range(height):
        for x in range(width):
            own, ring = cell[y][x], around(y, x)
            sides = ring[::2]
            if all(r in (own, -1) for r in sides) or not near[y, x]:
                continue
            starts = [k for k in range(0, 8, 2) if ring[k] == own and not ring[k - 1] == own == ring[k - 2]]
            if len(starts) > 1:
                continue
            before, stays, least, best = bits_around(y, x), error_in(y, x, own), -1e-9, own
            for other in sides:
                if other in (-1, own, best):
                    continue
                cell[y][x] = other
                spent = bits_around(y, x) - before
                cell[y][x] = own
                if area[own] == 1:
                    spent -= REGION_BITS
                change = error_in(y, x, other) - stays + bit_cost * spent
                if change < least:
                    least, best = change, other
            if best != own:
                cell[y][x] = best
                area[own] -= 1
                area[best] += 1
                moved[y, x] = 1
                moves += 1
    labels[:] = cell
    return moves
