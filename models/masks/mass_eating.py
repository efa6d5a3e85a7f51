"""Mass eating: a mask from confidences, point by point, each consuming one unit of the confidence around it.

The most confident pixel becomes a point and consumes one unit of confidence: its own wholly, and of a pixel at a
distance d the share 1 - d^2 / s^2, where s is such that this makes one unit. Repeat with what is left. Where
confidences are high and sharp, points stand exactly on their peaks, which error diffusion and centroids miss by half a
pixel; where they are low and even, points keep their distance. Consuming less of what is farther is worth 0.05 to 0.1
dB after tonal optimisation over consuming all of what is nearest: docs/masks.md has the figures.
"""

import heapq
from functools import lru_cache

import numpy as np

from dinp.kernels import kernels

REACH = 8.0  # mean distances of points, up to which a point looks for confidence to consume: 16 gains nothing


@lru_cache(maxsize=8)
def _places(reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (k,) int32 within a disc, nearest first; those equally near in the order of rows and columns."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    d2 = (y * y + x * x).ravel()
    order = np.argsort(d2, kind="stable")
    order = order[d2[order] <= reach * reach]
    return y.ravel()[order].astype(np.int32), x.ravel()[order].astype(np.int32)


def mass_eating(confidence: np.ndarray, points: int, first: int | None = None) -> np.ndarray:
    """Points where confidence is, at most `points`: fewer where it is used up before.

    Parameters
    ----------
    confidence : (H, W) float64
        Non-negative, with `points` as its sum.
    points : int
    first : int, optional
        Stop after so many of the points, the most confident ones.

    Returns
    -------
    (H, W) bool
    """
    height, width = confidence.shape
    reach = int(np.ceil(REACH * np.sqrt(confidence.size / max(1, points))))
    dy, dx = _places(min(reach, 2 * max(height, width)))
    mass = np.array(confidence, dtype=np.float64, order="C")
    mask = np.zeros(confidence.shape, dtype=np.uint8)
    eat = _eat_mass if kernels is None else kernels.eat_mass
    eat(mass, dy, dx, mask, height, width, points if first is None else min(first, points))
    return mask.view(np.bool_)


def _eat_mass(
    mass: np.ndarray,
    dy: np.ndarray,
    dx: np.ndarray,
    mask: np.ndarray,
    height: int,
    width: int,
    points: int,
) -> int:
    """What the kernel of this name does, point by point: sets `mask`, eats `mass`, returns the number of points."""
    mass_of, known = mass.ravel(), mask.ravel()
    d2 = (dy * dy + dx * dx).astype(np.float64)
    rings = np.flatnonzero(d2[1:] > d2[:-1]) + 1
    heap = [(-there, pixel) for pixel, there in enumerate(mass_of.tolist()) if there > 0]
    heapq.heapify(heap)
    count = 0
    while heap and count < points:
        expected, pixel = heapq.heappop(heap)
        if mass_of[pixel] != -expected:  # some of it was eaten since
            if mass_of[pixel] > 0:
                heapq.heappush(heap, (-mass_of[pixel], pixel))
            continue
        known[pixel] = True
        count += 1
        y, x = divmod(pixel, width)
        v, u = y + dy, x + dx
        inside = (v >= 0) & (v < height) & (u >= 0) & (u < width)
        place = np.where(inside, v * width + u, 0)
        there = np.where(inside, mass_of[place], 0.0)
        sums, moments = np.cumsum(there), np.cumsum(there * d2)
        enough = np.flatnonzero(sums[rings - 1] * d2[rings] - moments[rings - 1] >= d2[rings])
        seen = rings[enough[0]] if enough.size else d2.size
        total, moment = sums[seen - 1], moments[seen - 1]
        rest = (total - 1) / moment if total > 1 and moment > 0 else 0.0  # 1 / s^2
        within = inside[:seen]
        mass_of[place[:seen][within]] *= np.minimum(1.0, d2[:seen][within] * rest)
        mass_of[pixel] = 0.0
    return count
