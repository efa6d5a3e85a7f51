"""Detail energy of a plane per cell and scale: how many points a plane deserves, without solving anything.

Splitting a cell of side s pays roughly the energy of what its four children's means add to the smooth interpolation
of the means at side s: a cell of a Laplacian pyramid on the tree's own grid. Pruning the full tree bottom-up by that
gain against a cost per added leaf is the classical optimal pruning of tree-structured quantisers (Chou, Lookabaugh,
Gray 1989). It serves two ends: it says how many points a plane deserves at a given quantisation step, and it gives a
tree where no learned model is at hand.
"""

import numpy as np

from dinp.entropy.tree import Tree, child_count, grid_shape, splittable
from dinp.threads import in_parallel

STRIP = 1 << 16  # cells that are worked on at a time: what belongs to them stays in the cache


def detail_gains(plane: np.ndarray, root_log2: int) -> list[np.ndarray]:
    """Energy that splitting each cell removes.

    Parameters
    ----------
    plane : (H, W) float
        Grey values 0-255.
    root_log2 : int
        log2 of the root side.

    Returns
    -------
    list of (ceil(H/s), ceil(W/s)) float64 arrays, s = root side, ..., 2
        Sum of squared grey values over the cell.
    """
    height, width = plane.shape
    side = 1 << root_log2
    rows, columns = grid_shape(plane.shape, side)
    fine = np.pad(plane.astype(np.float64), ((0, rows * side - height), (0, columns * side - width)), mode="edge")
    gains = []
    for k in range(1, root_log2 + 1):
        fine, energy = _halved(fine)
        energy *= 4.0 ** (k - 1)
        r, c = grid_shape(plane.shape, 1 << k)
        gains.append(energy[:r, :c])
    return gains[::-1]


def _halved(fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of blocks of 2x2, both sides being even, and the energy of what differs from their interpolation."""
    shape = rows, columns = fine.shape[0] // 2, fine.shape[1] // 2
    means, energy = np.empty(shape), np.empty(shape)
    step = max(1, STRIP // (4 * columns))
    strips = [(first, min(first + step, rows)) for first in range(0, rows, step)]

    def average(strip: tuple[int, int]) -> None:
        first, end = strip
        np.multiply(block_sums(fine[2 * first : 2 * end]), 0.25, out=means[first:end])

    def measure(strip: tuple[int, int]) -> None:
        first, end = strip
        begin = max(first - 1, 0)  # the rows around are interpolated from, too
        detail = _upsample(means[begin : end + 1])[2 * (first - begin) :][: 2 * (end - first)]
        np.subtract(fine[2 * first : 2 * end], detail, out=detail)
        np.multiply(detail, detail, out=detail)
        energy[first:end] = block_sums(detail)

    in_parallel(average, strips, blas=False)
    in_parallel(measure, strips, blas=False)
    return means, energy


def block_sums(a: np.ndarray) -> np.ndarray:
    """Sums over blocks of 2x2, both sides being even."""
    rows = a[0::2] + a[1::2]
    return rows[:, 0::2] + rows[:, 1::2]


def _upsample(coarse: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of cell means to cells of half the side, edges replicated."""
    rows, columns = coarse.shape
    between = np.empty((2 * rows, columns))
    _interpolate(coarse, between[0::2], between[1::2])
    out = np.empty((2 * rows, 2 * columns))
    _interpolate(between.T, out[:, 0::2].T, out[:, 1::2].T)
    return out


def _interpolate(a: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    """3/4 of each row and 1/4 of the one before it, and of the one after it."""
    quarter = 0.25 * a
    np.multiply(a, 0.75, out=before)
    after[...] = before
    before[1:] += quarter[:-1]
    before[:1] += quarter[:1]
    after[:-1] += quarter[1:]
    after[-1:] += quarter[-1:]


def pruned_tree(gains: list[np.ndarray], shape: tuple[int, int], cost: float) -> Tree:
    """The tree that maximises the sum of its splits' gains minus `cost` (squared grey values) per added leaf."""
    levels = len(gains)
    sides = [2 << k for k in range(levels - 1, -1, -1)]
    net: np.ndarray | None = None
    wanted: list[np.ndarray] = [np.zeros(0, dtype=bool)] * levels
    for level in range(levels - 1, -1, -1):
        side = sides[level]
        value = gains[level] - cost * (child_count(shape, side) - 1)
        if net is not None:
            rows, columns = value.shape
            children = np.zeros((2 * rows, 2 * columns))
            children[: net.shape[0], : net.shape[1]] = np.maximum(net, 0)
            value = value + children.reshape(rows, 2, columns, 2).sum(axis=(1, 3))
        wanted[level] = (value > 0) & splittable(shape, side)
        net = np.where(wanted[level], value, 0)
    splits = []
    for level in range(levels):
        split = wanted[level]
        if level:
            rows, columns = split.shape
            split = split & splits[-1].repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]
        splits.append(split)
    return Tree(shape, splits)


def pruned_tree_of_size(gains: list[np.ndarray], shape: tuple[int, int], points: int) -> Tree:
    """The pruned tree whose number of leaves comes nearest to `points` from below (bisection of the cost)."""
    low, high = 0.0, float(max(g.max(initial=0) for g in gains)) + 1
    best = pruned_tree(gains, shape, high)
    for _ in range(30):
        middle = np.sqrt(max(low, 1e-3) * high)
        tree = pruned_tree(gains, shape, middle)
        if leaf_count(tree) <= points:
            best, high = tree, middle
        else:
            low = middle
    return best


def leaf_count(tree: Tree) -> int:
    """Number of leaves."""
    count = tree.splits[0].size
    for split, side in zip(tree.splits, tree.sides, strict=True):
        count += int((child_count(tree.shape, side)[split] - 1).sum())
    return count
