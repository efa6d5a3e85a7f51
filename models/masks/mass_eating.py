"""Mass eating: a mask from confidences, point by point, each consuming one unit of the confidence around it.

The most confident pixel becomes a point and consumes one unit of confidence, its own first and then that of the pixels
nearest to it; repeat with what is left. Where confidences are high and sharp, points stand exactly on their peaks,
which error diffusion and centroids miss by half a pixel; where they are low and even, points keep their distance. Over
error diffusion and Lloyd steps this gains, after tonal optimisation, 0.20 / 0.09 / 0.05 dB at 2 / 5 / 10 % on eight
pictures for training and 0.22 / 0.10 dB at 2 / 5 % on six for tuning; with the picture's own values it loses 0.45 /
0.23 / 0.1 and 0.23 / 0.5 dB there, so that masks for plain values are better made by error diffusion.
"""

import heapq
from functools import lru_cache

import numpy as np

from dinp.kernels import kernels

REACH = 8.0  # mean distances of points, up to which a point looks for confidence to consume: 5 loses, 20 gains nothing


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
    """What the kernel of this name does, pixel by pixel: sets `mask`, eats `mass`, returns the number of points."""
    mass_of, known = mass.ravel(), mask.ravel()
    order = np.argsort(-mass_of, kind="stable")
    touched = np.zeros(mass.size, dtype=bool)
    heap: list[tuple[float, int]] = []
    count = following = 0
    while count < points:
        while following < order.size and touched[order[following]]:
            following += 1
        while heap and (mass_of[heap[0][1]] != -heap[0][0] or known[heap[0][1]]):
            heapq.heappop(heap)
        offers = [(-mass_of[order[following]], int(order[following]))] if following < order.size else []
        offers += heap[:1]
        if not offers or min(offers)[0] >= 0:
            break
        _, pixel = min(offers)
        known[pixel] = touched[pixel] = True
        count += 1
        y, x = divmod(pixel, width)
        v, u = y + dy, x + dx
        inside = (v >= 0) & (v < height) & (u >= 0) & (u < width)
        hunger = 1.0
        for p in (v[inside].astype(np.int64) * width + u[inside]).tolist():
            there = mass_of[p]
            if there <= 0:
                continue
            touched[p] = True
            if there <= hunger:
                mass_of[p] = 0.0
                hunger -= there
            else:
                mass_of[p] = there - hunger
                hunger = 0.0
                if not known[p]:
                    heapq.heappush(heap, (-mass_of[p], p))
            if hunger <= 0:
                break
    return count
