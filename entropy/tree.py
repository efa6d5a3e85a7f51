"""Quadtree over the picture's cells: the mask structure of the codec, as plain boolean arrays.

The picture is covered by root cells of side 2^k. Each cell of side 2 or more may be split into four; cells that no
longer split are the leaves, and each leaf holds one known value. Cells at the right and lower border are clipped by
the picture; a cell whose clipped area is one pixel cannot be split.
"""

from dataclasses import dataclass

import numpy as np

from dinp.errors import DinpError
from dinp.kernels import kernels

MAX_ROOT_LOG2 = 7


@dataclass(frozen=True)
class Tree:
    """A quadtree.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the picture in pixels.
    splits : list of (ceil(H/s), ceil(W/s)) bool arrays
        For cell sides s = root side, root side / 2, ..., 2: whether the cell exists and is split.
    """

    shape: tuple[int, int]
    splits: list[np.ndarray]

    @property
    def sides(self) -> list[int]:
        """Cell sides of the levels that can be split, in pixels: root side, ..., 2."""
        return [2 << k for k in range(len(self.splits) - 1, -1, -1)]

    def exists(self, level: int) -> np.ndarray:
        """Which cells exist at `level` (0: roots); `level` may be `len(splits)`: the cells of side 1."""
        if level == 0:
            return np.ones(self.splits[0].shape, dtype=bool)
        return children_of(self.splits[level - 1], self.shape, self.sides[level - 1] // 2)

    def leaves(self) -> "Leaves":
        """The leaves, by falling side, each level in raster order."""
        ys, xs, sides = [], [], []
        for level, side in enumerate([*self.sides, 1]):
            y, x = self._leaves_of(level, side)
            ys.append(y)
            xs.append(x)
            sides.append(np.full(y.size, side, dtype=np.int64))
        return Leaves(np.concatenate(ys), np.concatenate(xs), np.concatenate(sides))

    def _leaves_of(self, level: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Corners of the leaves of a level, in raster order."""
        own = self.splits[level] if side > 1 else None
        above = self.splits[level - 1] if level else None
        if kernels:
            room = 4 * np.count_nonzero(above) if level else own.size
            y, x = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
            given = (b"" if splits is None else np.ascontiguousarray(splits) for splits in (above, own))
            count = kernels.find_leaves(*given, *grid_shape(self.shape, side), side, y, x)
            return y[:count], x[:count]
        leaf = self.exists(level)
        if own is not None:
            leaf = leaf & ~own
        y, x = np.nonzero(leaf)
        return y * side, x * side


@dataclass(frozen=True)
class Leaves:
    """Leaves of a tree: upper left corners `y`, `x` and `side`s, each (n,) int64, in pixels."""

    y: np.ndarray
    x: np.ndarray
    side: np.ndarray

    def __len__(self) -> int:
        return self.y.size


def grid_shape(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Rows and columns of cells of `side` that cover a picture of `shape`."""
    return -(-shape[0] // side), -(-shape[1] // side)


def children_of(split: np.ndarray, shape: tuple[int, int], side: int) -> np.ndarray:
    """Cells of `side` whose parent is `split`, within the picture."""
    rows, columns = grid_shape(shape, side)
    return split.repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]


def splittable(shape: tuple[int, int], side: int) -> np.ndarray:
    """Cells of `side` that hold more than one pixel of the picture: (ceil(H/side), ceil(W/side)) bool."""
    rows, columns = grid_shape(shape, side)
    height = np.minimum(side, shape[0] - side * np.arange(rows))
    width = np.minimum(side, shape[1] - side * np.arange(columns))
    return np.multiply.outer(height, width) > 1


def child_count(shape: tuple[int, int], side: int) -> np.ndarray:
    """Number of children inside the picture, 1 to 4, of each cell of `side`."""
    rows, columns = grid_shape(shape, side)
    height = np.minimum(side, shape[0] - side * np.arange(rows))
    width = np.minimum(side, shape[1] - side * np.arange(columns))
    return np.multiply.outer(1 + (height > side // 2), 1 + (width > side // 2))


def tree_from_leaves(shape: tuple[int, int], leaves: Leaves, root_side: int) -> Tree:
    """The tree that has the given leaves, which must cover the picture exactly.

    Raises
    ------
    DinpError
        If the leaves do not tile the picture.
    """
    splits = []
    side = root_side
    while side > 1:
        split = np.zeros(grid_shape(shape, side), dtype=bool)
        smaller = leaves.side < side
        split[leaves.y[smaller] // side, leaves.x[smaller] // side] = True
        splits.append(split)
        side //= 2
    tree = Tree(shape, splits)
    own = tree.leaves()
    if len(own) != len(leaves):
        raise DinpError("the leaves do not cover the picture exactly once")
    return tree


def tree_from_scores(scores: list[np.ndarray], shape: tuple[int, int], points: int) -> Tree:
    """The tree with about `points` leaves that splits the cells of highest score, parents before their children.

    Parameters
    ----------
    scores : list of (ceil(H/s), ceil(W/s)) float arrays, s = root side, ..., 2
        How much each cell wants to be split; a cell counts at most as much as its parent.
    shape : (int, int)
        Height and width in pixels.
    points : int
        Wanted number of leaves; the result has at most that many, and at most 3 fewer unless every pixel is a leaf, but
        never fewer than there are roots.
    """
    levels = len(scores)
    sides = [2 << k for k in range(levels - 1, -1, -1)]
    bounded: list[np.ndarray] = []
    for level, side in enumerate(sides):
        score = np.where(splittable(shape, side), scores[level], -np.inf).astype(np.float64)
        if level:
            rows, columns = score.shape
            parent = bounded[-1].repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]
            score = np.minimum(score, parent)
        bounded.append(score)
    flat = np.concatenate([b.ravel() for b in bounded])
    growth = np.concatenate([child_count(shape, s).ravel() for s in sides]) - 1
    most = max(points + int(np.count_nonzero(growth == 0)), 1)  # splits: each of the others adds a leaf
    least = -np.inf if most >= flat.size else np.partition(flat, flat.size - most)[flat.size - most]
    above = np.flatnonzero((flat >= least) & (flat > -np.inf))
    order = above[np.argsort(-flat[above], kind="stable")]  # ties: coarser first, so parents are ahead of children
    total = scores[0].size + np.cumsum(growth[order])
    chosen = np.zeros(flat.size, dtype=bool)
    chosen[order[total <= points]] = True
    splits = []
    start = 0
    for b in bounded:
        splits.append(chosen[start : start + b.size].reshape(b.shape))
        start += b.size
    return Tree(shape, splits)
