"""Refinement of a tree by swaps: merge the cells that matter least, split those with the largest error.

One round moves a given share of the points and keeps their number. It is the counterpart for trees of nonlocal pixel exchange
(Mainberger et al., SSVM 2011), with many exchanges judged by one inpainting.
"""

import numpy as np

from dinp.entropy.tree import Tree, child_count, children_of, grid_shape, splittable


def cell_sums(plane: np.ndarray, sides: list[int]) -> list[np.ndarray]:
    """Sum of a plane (H, W) over each cell, list of (ceil(H/s), ceil(W/s)) float64 arrays for s in `sides` and 1."""
    result = [plane.astype(np.float64)]
    for side in reversed(sides):
        rows, columns = grid_shape(plane.shape, side)
        fine = result[-1]
        padded = np.zeros((2 * rows, 2 * columns))
        padded[: fine.shape[0], : fine.shape[1]] = fine
        result.append(padded.reshape(rows, 2, columns, 2).sum(axis=(1, 3)))
    return result[::-1]


def split_scores(tree: Tree, error: np.ndarray) -> list[np.ndarray]:
    """How much each leaf wants to be split, -inf where it is no leaf or cannot be.

    The score is lp^0.7 tot^0.3, where tot is the squared error in the cell and lp the part of it that four values could
    remove: the sum over the children of (sum of error)^2 / area.
    """
    sides = tree.sides
    sums, squares = cell_sums(error, sides), cell_sums(error * error, sides)
    areas = cell_sums(np.ones_like(error), sides)
    scores = []
    for level, side in enumerate(sides):
        low = sums[level + 1] ** 2 / areas[level + 1]
        rows, columns = grid_shape(tree.shape, side)
        padded = np.zeros((2 * rows, 2 * columns))
        padded[: low.shape[0], : low.shape[1]] = low
        low = padded.reshape(rows, 2, columns, 2).sum(axis=(1, 3))
        leaf = tree.exists(level) & ~tree.splits[level] & splittable(tree.shape, side)
        scores.append(np.where(leaf, low**0.7 * squares[level] ** 0.3, -np.inf))
    return scores


def merge_costs(tree: Tree, gains: list[np.ndarray]) -> list[np.ndarray]:
    """What merging each split cell whose children are all leaves would cost by `gains`, inf for other cells."""
    costs = []
    for level, side in enumerate(tree.sides):
        mergeable = tree.splits[level].copy()
        if side > 2:
            below = tree.splits[level + 1]
            rows, columns = mergeable.shape
            padded = np.zeros((2 * rows, 2 * columns), dtype=bool)
            padded[: below.shape[0], : below.shape[1]] = below
            mergeable &= ~padded.reshape(rows, 2, columns, 2).any(axis=(1, 3))
        costs.append(np.where(mergeable, gains[level], np.inf))
    return costs


def swap(tree: Tree, error: np.ndarray, gains: list[np.ndarray], share: float) -> Tree:
    """A tree with about as many leaves, `share` of whose points have moved.

    Parameters
    ----------
    tree : Tree
    error : (H, W) float64
        Original minus reconstruction.
    gains : list of arrays
        `dinp.pyramid.detail_gains` of the original.
    share : float
        Share of the points that move, 0-1.
    """
    sides, shape = tree.sides, tree.shape
    points = len(tree.leaves())
    costs = np.concatenate([c.ravel() for c in merge_costs(tree, gains)])
    scores = np.concatenate([s.ravel() for s in split_scores(tree, error)])
    growth = np.concatenate([child_count(shape, s).ravel() for s in sides]) - 1
    wanted = max(int(share * points), 3)
    merged = np.argsort(costs, kind="stable")
    merged = merged[costs[merged] < np.inf]
    merged = merged[np.cumsum(growth[merged]) <= wanted]
    grown = np.argsort(-scores, kind="stable")
    grown = grown[scores[grown] > -np.inf]
    grown = grown[np.cumsum(growth[grown]) <= int(growth[merged].sum())]
    merged = merged[np.cumsum(growth[merged]) <= int(growth[grown].sum())]  # few leaves may be left to split
    flags = np.concatenate([s.ravel() for s in tree.splits])
    flags[merged] = False
    flags[grown] = True
    splits, start = [], 0
    for level, (old, side) in enumerate(zip(tree.splits, sides, strict=True)):
        split = flags[start : start + old.size].reshape(old.shape)
        start += old.size
        if level:  # a child of a merged cell is gone, even if it wanted to be split
            split = split & children_of(splits[-1], shape, side)
        splits.append(split)
    return Tree(shape, splits)
