"""Hints of optimal pruning to the tree network in numpy, as `dinp.models.networks.pruning` has them in torch."""

import math

import numpy as np

from dinp.kernels import kernels
from dinp.threads import in_parallel

LEVELS = 5  # cells of side 2, 4, ..., 32
ROOT = 1 << LEVELS
COSTS = 24  # grid of costs, geometric
COST_RANGE = (1e-5, 100.0)  # grey values of variance 1, squared
CLAMP = 4.0  # octaves of cost
STRIP = 1 << 17  # pixels that are worked on at a time: what belongs to them stays in the cache


def hints(plane: np.ndarray, density: float) -> list[np.ndarray]:
    """How far each cell is above the cost that gives the wanted density, in octaves, clamped.

    Parameters
    ----------
    plane : (H, W) float32
        Standardised grey values, H and W multiples of 32.
    density : float
        Wanted leaves per pixel.

    Returns
    -------
    list of (H / s, W / s) float32 arrays, s = 2, 4, ..., 32
        Positive where optimal pruning would split the cell, if it exists.
    """
    critical = _critical_costs(plane)
    nested = [critical[-1]]
    for level in reversed(critical[:-1]):
        nested.append(np.minimum(level, doubled(nested[-1])))
    ranked = np.concatenate([level.ravel() for level in nested])
    largest = min(max(round((density * plane.size - critical[-1].size) / 3), 1), ranked.size)
    threshold = np.partition(ranked, ranked.size - largest)[ranked.size - largest]
    return [np.clip(level - threshold, -CLAMP, CLAMP) for level in critical]


def _critical_costs(plane: np.ndarray) -> list[np.ndarray]:
    """log2 of the cost per added leaf below which optimal pruning splits a cell that exists, finest cells first."""
    height, width = plane.shape
    if kernels is None:
        rows = ROOT * max(1, STRIP // (ROOT * width))
        strips = in_parallel(lambda y: _of_gains(_gains(plane, y, min(y + rows, height))), range(0, height, rows))
        return [np.concatenate(parts) for parts in zip(*strips, strict=True)]
    plane = np.ascontiguousarray(plane)
    sizes = [plane.size >> 2 * level for level in range(1, LEVELS + 1)]
    means, critical = np.empty(sum(sizes), dtype=np.float32), np.empty(sum(sizes), dtype=np.float32)
    kernels.cell_means(plane, height, width, means)
    given = plane, means, height, width, *_grid()
    in_parallel(lambda root: kernels.critical_costs(*given, root, critical), range(height // ROOT), blas=False)
    levels = np.split(critical, np.cumsum(sizes)[:-1])
    return [level.reshape(height >> k, width >> k) for k, level in enumerate(levels, 1)]


def _grid() -> tuple[np.ndarray, float, float]:
    """The grid of costs, three added leaves each, float64; the least one and the ratio of neighbours, log2."""
    low, high = (math.log2(cost) for cost in COST_RANGE)
    step = (high - low) / (COSTS - 1)
    return 3 * 2 ** (low + step * np.arange(COSTS)), low, step


def _gains(plane: np.ndarray, first: int, last: int) -> list[np.ndarray]:
    """Energy that splitting each cell of some rows of roots removes, finest cells first."""
    # two roots around are more than a cell's gain depends on; beyond the plane they are as its border
    above, below = first - max(0, first - 2 * ROOT), 0
    fine = plane[first - above : min(last + 2 * ROOT, len(plane))]
    gains = []
    for level in range(LEVELS):
        coarse = _sums(fine) / 4
        gain = _sums((fine - _smooth(coarse)) ** 2) * np.float32(4.0**level)
        side = 2 << level
        below = above // side
        gains.append(gain[below : below + (last - first) // side])
        fine = coarse
    return gains


def _of_gains(gains: list[np.ndarray]) -> list[np.ndarray]:
    """Critical costs from what splitting each cell removes.

    By linear interpolation of the net gain, which falls as the cost rises, on the grid of costs.
    """
    costs, low, step = _grid()
    places = [np.zeros_like(gain) for gain in gains]
    places[0] = np.interp(gains[0], costs, np.arange(COSTS)).astype(np.float32)  # the finest have no children
    previous: list[np.ndarray] = []
    for k, cost in enumerate(costs.astype(np.float32)):
        net = [gains[0] - cost]
        for gain in gains[1:]:
            net.append(gain - cost + _sums(np.maximum(net[-1], 0)))
        for level in range(1, LEVELS) if k else ():
            before = previous[level]
            share = np.minimum(np.maximum(before, 0) / np.maximum(before - net[level], 1e-30), 1)
            places[level] += share
        previous = net
    return [np.float32(low) + np.float32(step) * place for place in places]


def _sums(x: np.ndarray) -> np.ndarray:
    """Sums of disjoint 2x2 blocks."""
    rows = x[::2] + x[1::2]
    return rows[:, ::2] + rows[:, 1::2]


def doubled(x: np.ndarray) -> np.ndarray:
    """Every sample repeated in a 2x2 block."""
    return x.repeat(2, axis=0).repeat(2, axis=1)


def _smooth(coarse: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of cell means to cells of half the side, edges replicated."""
    for axis in (0, 1):
        a = np.moveaxis(coarse, axis, 0)
        out = np.empty((2 * len(a), *a.shape[1:]), dtype=np.float32)
        near = np.float32(0.75) * a
        far = np.float32(0.25) * a
        out[0], out[-1] = a[0], a[-1]
        out[2::2] = near[1:] + far[:-1]
        out[1:-1:2] = near[:-1] + far[1:]
        coarse = np.moveaxis(out, 0, axis)
    return coarse
