"""Coarse-to-fine order of values that are predicted from values of their own group only (docs/format.md, section 10.5).

As `dinp.entropy.order`, with these differences: blocks at each spacing are divided among the groups, so that each group
has a representative of its own in a block; the first value of each group is known beforehand and represents every block
that it is in, whatever its place; spacings go up to 2^12. So every other value has a neighbour when it is coded, unless
its group is wider than that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dinp.entropy.order import DIRECTIONS, Pass

MAX_SPACING_LOG2 = 12


@dataclass(frozen=True)
class Groups:
    """Groups of values.

    Attributes
    ----------
    group : (n,) int64
        Of each value.
    first : (r,) int64
        The values, known beforehand and in 1/16 grey level, that come first: one for each group.
    """

    group: np.ndarray
    first: np.ndarray


class GroupedPass(Pass):
    """A pass, with spacings up to 2^12."""

    @property
    def spacing_log2(self) -> int:
        """Logarithm of the spacing S."""
        return MAX_SPACING_LOG2 - self.number // 2


class GroupedOrder:
    """The order of values at distinct pixels `y`, `x` (n,) integers of a picture of `shape`; see `Groups`.

    Attributes
    ----------
    number : (n,) int64
        The pass in which each value is coded, -1 for first ones.
    """

    def __init__(self, y: np.ndarray, x: np.ndarray, shape: tuple[int, int], groups: Groups) -> None:
        self._y, self._x, self._group = y, x, groups.group
        n = y.size
        first = np.arange(n) < groups.first.size
        top = np.zeros(n, dtype=np.int64)
        self._keys: list[np.ndarray] = []
        self._holders: list[np.ndarray] = []
        self._spans = [((shape[0] >> k) + 3, (shape[1] >> k) + 3) for k in range(MAX_SPACING_LOG2 + 1)]
        alive = np.arange(n)
        for k in range(MAX_SPACING_LOG2 + 1):
            block = self._blocks(alive, k)
            dy = 2 * (y[alive] & ((1 << k) - 1)) + 1 - (1 << k)
            dx = 2 * (x[alive] & ((1 << k) - 1)) + 1 - (1 << k)
            order = np.lexsort((alive, dy * dy + dx * dx, ~first[alive], block))
            start = np.ones(order.size, dtype=bool)
            start[1:] = block[order[1:]] != block[order[:-1]]
            self._keys.append(block[order[start]])
            self._holders.append(alive[order[start]])
            alive = np.sort(self._holders[-1])
            top[alive] = k
        self.number = 2 * (MAX_SPACING_LOG2 - top) + (((y >> top) + (x >> top)) & 1)
        self.number[first] = -1

    def passes(self) -> Iterator[Pass]:
        """The passes that have values, in coding order."""
        by_pass = np.argsort(self.number, kind="stable")
        bounds = np.searchsorted(self.number[by_pass], np.arange(2 * MAX_SPACING_LOG2 + 3))
        for p in range(2 * MAX_SPACING_LOG2 + 2):
            index = by_pass[bounds[p] : bounds[p + 1]]
            if index.size:
                yield GroupedPass(p, index)

    def neighbours(self, p: Pass) -> np.ndarray:
        """Index of the known neighbour in each direction, (m, 8) int64, -1 where there is none."""
        found = np.full((p.index.size, len(DIRECTIONS)), -1, dtype=np.int64)
        for k in range(p.spacing_log2, min(p.spacing_log2 + 2, MAX_SPACING_LOG2) + 1):
            own, columns = self._blocks(p.index, k), self._spans[k][1]
            for slot, (dy, dx) in enumerate(DIRECTIONS):
                at = own + dy * columns + dx
                place = np.minimum(np.searchsorted(self._keys[k], at), self._keys[k].size - 1)
                candidate = self._holders[k][place]
                coded = (self._keys[k][place] == at) & (self.number[candidate] < p.number) & (found[:, slot] < 0)
                found[coded, slot] = candidate[coded]
        return found

    def _blocks(self, index: np.ndarray, k: int) -> np.ndarray:
        """The blocks at spacing 2^k, with a border of one, of values."""
        rows, columns = self._spans[k]
        row, column = (self._y[index] >> k) + 1, (self._x[index] >> k) + 1
        return (self._group[index] * rows + row) * columns + column
