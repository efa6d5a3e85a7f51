"""Coarse-to-fine order of values, and the decoded neighbours that each value is predicted from.

At spacing S = 256, 128, ..., 1 the picture is divided into blocks of S x S pixels. The representative of a block is,
of the representatives of its four quarters (at S = 1: of the value at that pixel itself), the one nearest to the
block's centre, that of the whole block even where the picture clips it: with the least

    (2 (y mod S) + 1 - S)^2 + (2 (x mod S) + 1 - S)^2

Ties go to the lower index. A value is coded at the largest spacing at which it represents a block: first the blocks
whose row plus column is even, then the odd ones. So a pass knows its neighbours on all sides, and all values of one
pass are coded at once, by rising index.

The neighbours of a value coded at spacing S: for each of the eight directions, the representative of the adjacent
block at spacing S, if it is coded in an earlier pass; else that of the block adjacent to the block of 2 S that holds
the value, likewise; else at 4 S. Spacings above 256 do not exist.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dinp.kernels import kernels

MAX_SPACING_LOG2 = 8
PASSES = 2 * (MAX_SPACING_LOG2 + 1)
DIRECTIONS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
_BORDER = 2  # empty blocks around a grid stand in for a test of the picture's edge


@dataclass(frozen=True)
class Pass:
    """One pass: values coded together.

    Attributes
    ----------
    number : int
        0..17.
    index : (m,) int32
        The values, by rising index.
    """

    number: int
    index: np.ndarray

    @property
    def spacing_log2(self) -> int:
        """Logarithm of the spacing S."""
        return MAX_SPACING_LOG2 - self.number // 2

    @property
    def half(self) -> int:
        """0 for blocks whose row plus column is even, 1 for the others."""
        return self.number & 1


class Order:
    """The order of values at distinct pixels `y`, `x` (n,) integers of a picture of `shape`.

    Attributes
    ----------
    number : (n,) uint8
        The pass in which each value is coded.
    by_pass : (n,) int32
        The values in coding order.
    bounds : (19,) int64
        Where each pass begins in it.
    grids : (cells,) int32
        The index of each block's representative, -1 where there is none: one grid a spacing, from 1 on, one behind the
        other, each with a border of two blocks on every side.
    """

    def __init__(self, y: np.ndarray, x: np.ndarray, shape: tuple[int, int]) -> None:
        self.y, self.x = (np.ascontiguousarray(a, dtype=np.int32) for a in (y, x))
        self.shape = shape
        n = self.y.size
        self._grid_shapes = [tuple((side >> k) + 1 + 2 * _BORDER for side in shape) for k in range(PASSES // 2)]
        self.grids = np.empty(sum(rows * columns for rows, columns in self._grid_shapes), dtype=np.int32)
        self.number = np.empty(n, dtype=np.uint8)
        self.by_pass = np.empty(n, dtype=np.int32)
        self.bounds = np.empty(PASSES + 1, dtype=np.int64)
        if kernels:
            kernels.order_values(self.y, self.x, *shape, self.grids, self.number, self.by_pass, self.bounds)
        else:
            self._sort()

    def passes(self) -> Iterator[Pass]:
        """The passes that have values, in coding order."""
        for p in range(PASSES):
            index = self.by_pass[self.bounds[p] : self.bounds[p + 1]]
            if index.size:
                yield Pass(p, index)

    def neighbours(self, p: Pass) -> np.ndarray:
        """Index of the decoded neighbour in each direction, (m, 8) int64, -1 where there is none."""
        found = np.full((p.index.size, len(DIRECTIONS)), -1, dtype=np.int64)
        grids = self._split()
        y, x = self.y[p.index], self.x[p.index]
        for k in range(p.spacing_log2, min(p.spacing_log2 + 2, MAX_SPACING_LOG2) + 1):
            for slot, (dy, dx) in enumerate(DIRECTIONS):
                candidate = grids[k][(y >> k) + _BORDER + dy, (x >> k) + _BORDER + dx]
                coded = (candidate >= 0) & (self.number[candidate] < p.number) & (found[:, slot] < 0)
                found[coded, slot] = candidate[coded]
        return found

    def _split(self) -> list[np.ndarray]:
        """The grids, (rows, columns) each."""
        ends = np.cumsum([rows * columns for rows, columns in self._grid_shapes])
        parts = np.split(self.grids, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._grid_shapes, strict=True)]

    def _sort(self) -> None:
        """What the kernel does, in numpy."""
        y, x = self.y.astype(np.int64), self.x.astype(np.int64)
        top = np.zeros(y.size, dtype=np.int64)
        self.grids[:] = -1
        alive = np.arange(y.size)
        for k, grid in enumerate(self._split()):
            block = (y[alive] >> k) * grid.shape[1] + (x[alive] >> k)
            # twice the distance to the block's centre, so that it is an integer
            dy = 2 * (y[alive] & ((1 << k) - 1)) + 1 - (1 << k)
            dx = 2 * (x[alive] & ((1 << k) - 1)) + 1 - (1 << k)
            order = np.lexsort((alive, dy * dy + dx * dx, block))
            first = np.ones(order.size, dtype=bool)
            first[1:] = block[order[1:]] != block[order[:-1]]
            alive = alive[np.sort(order[first])]
            top[alive] = k
            grid[(y[alive] >> k) + _BORDER, (x[alive] >> k) + _BORDER] = alive
        half = ((y >> top) + (x >> top)) & 1
        self.number[:] = 2 * (MAX_SPACING_LOG2 - top) + half
        self.by_pass[:] = np.argsort(self.number, kind="stable")
        self.bounds[:] = np.searchsorted(self.number[self.by_pass], np.arange(PASSES + 1))
