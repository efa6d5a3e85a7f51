"""Coarse-to-fine order of values, and the decoded neighbours that each value is predicted from.

At spacing S = 256, 128, ..., 1 the picture is divided into blocks of S x S pixels. The representative of a block is,
of the representatives of its four quarters (at S = 1: of the value at that pixel itself), the one nearest to the
block's centre; ties go to the lower index. A value is coded at the largest spacing at which it represents a block:
first the blocks whose row plus column is even, then the odd ones. So a pass knows its neighbours on all sides, and
all values of one pass are coded at once.

The neighbours of a value coded at spacing S: for each of the eight directions, the representative of the adjacent
block at spacing S, if it is coded in an earlier pass, else that of the adjacent block at 2 S, else at 4 S.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAX_SPACING_LOG2 = 8
DIRECTIONS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


@dataclass(frozen=True)
class Pass:
    """One pass: values coded together.

    Attributes
    ----------
    index : (m,) int64
        The values, by rising index.
    neighbour : (m, 8) int64
        Index of the decoded neighbour in each direction, -1 where there is none.
    spacing_log2 : int
    half : int
        0 or 1.
    """

    index: np.ndarray
    neighbour: np.ndarray
    spacing_log2: int
    half: int


def passes(y: np.ndarray, x: np.ndarray, shape: tuple[int, int]) -> Iterator[Pass]:
    """The passes over values at distinct pixels `y`, `x` (n,) int64 of a picture of `shape`."""
    n = y.size
    top = np.zeros(n, dtype=np.int64)
    grids: list[np.ndarray] = []
    alive = np.arange(n)
    for k in range(MAX_SPACING_LOG2 + 1):
        rows, columns = (shape[0] >> k) + 1, (shape[1] >> k) + 1
        block = (y[alive] >> k) * columns + (x[alive] >> k)
        # twice the distance to the block's centre, so that it is an integer
        dy = 2 * (y[alive] & ((1 << k) - 1)) + 1 - (1 << k)
        dx = 2 * (x[alive] & ((1 << k) - 1)) + 1 - (1 << k)
        order = np.lexsort((alive, dy * dy + dx * dx, block))
        first = np.ones(order.size, dtype=bool)
        first[1:] = block[order[1:]] != block[order[:-1]]
        keep = np.sort(order[first])
        alive = alive[keep]
        top[alive] = k
        # a border of two empty blocks on each side stands in for a test of the picture's edge
        grid = np.full((rows + 4, columns + 4), -1, dtype=np.int64)
        grid[(y[alive] >> k) + 2, (x[alive] >> k) + 2] = alive
        grids.append(grid)
    half = ((y >> top) + (x >> top)) & 1
    number = 2 * (MAX_SPACING_LOG2 - top) + half  # the pass in which each value is coded
    by_pass = np.lexsort((np.arange(n), number))
    bounds = np.searchsorted(number[by_pass], np.arange(2 * MAX_SPACING_LOG2 + 3))
    for p in range(2 * MAX_SPACING_LOG2 + 2):
        index = by_pass[bounds[p] : bounds[p + 1]]
        if index.size == 0:
            continue
        k = MAX_SPACING_LOG2 - p // 2
        neighbour = np.full((index.size, 8), -1, dtype=np.int64)
        for scale in range(k, min(k + 3, MAX_SPACING_LOG2 + 1)):
            by, bx = (y[index] >> scale) + 2, (x[index] >> scale) + 2
            for slot, (dy, dx) in enumerate(DIRECTIONS):
                candidate = grids[scale][by + dy, bx + dx]
                coded = (candidate >= 0) & (number[candidate] < p) & (neighbour[:, slot] < 0)
                neighbour[coded, slot] = candidate[coded]
        yield Pass(index, neighbour, k, p & 1)
