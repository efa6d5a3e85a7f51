"""Known data of a mask structure: which pixels each coded value stands at.

A leaf of the tree holds one value at its centre: one pixel, or the central 2x2 block where the leaf's clipped height and
width are at least 4 (it blunts the logarithmic spike of homogeneous diffusion at a single point, and costs no bits).
A free mask holds one value per mask pixel.
"""

from dataclasses import dataclass

import numpy as np

from dinp.entropy.tree import Leaves, Tree


@dataclass(frozen=True)
class KnownData:
    """Where the values stand.

    Attributes
    ----------
    label : (H, W) int32
        Index of the value at each mask pixel, -1 elsewhere.
    mask : (H, W) bool
        The inpainting mask, `label >= 0`.
    y, x : (n,) int64
        Position of each value: the pixel at its centre, the lower right one of a 2x2 block.
    side : (n,) int64
        Side of each value's cell in pixels, a power of two.
    """

    label: np.ndarray
    mask: np.ndarray
    y: np.ndarray
    x: np.ndarray
    side: np.ndarray

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values (n,) to the plane (H, W) float64: at mask pixels the value, elsewhere 0."""
        plane = np.zeros(self.label.shape)
        plane[self.mask] = np.asarray(values, dtype=np.float64)[self.label[self.mask]]
        return plane

    def gather(self, plane: np.ndarray) -> np.ndarray:
        """Adjoint of `spread`: the sum of the plane's entries at each value's mask pixels, (n,) float64."""
        return np.bincount(self.label[self.mask], weights=plane[self.mask], minlength=self.y.size)

    def mean(self, plane: np.ndarray) -> np.ndarray:
        """Mean of the plane over each value's mask pixels, (n,) float64: the untuned values."""
        return self.gather(plane) / self.gather(self.mask.astype(np.float64))


def known_data_of_tree(tree: Tree) -> KnownData:
    """Known data of a tree's leaves, in the order of `Tree.leaves`."""
    return known_data_of_leaves(tree.leaves(), tree.shape)


def known_data_of_leaves(leaves: Leaves, shape: tuple[int, int]) -> KnownData:
    """Known data of leaves, in their order."""
    height = np.minimum(leaves.side, shape[0] - leaves.y)
    width = np.minimum(leaves.side, shape[1] - leaves.x)
    y, x = leaves.y + height // 2, leaves.x + width // 2
    block = (height >= 4) & (width >= 4)
    label = np.full(shape, -1, dtype=np.int32)
    index = np.arange(len(leaves), dtype=np.int32)
    for dy in (0, 1):
        for dx in (0, 1):
            label[y - dy * block, x - dx * block] = index
    return KnownData(label, label >= 0, y, x, leaves.side)


def known_data_of_mask(mask: np.ndarray, side: int) -> KnownData:
    """Known data of a free mask (H, W) bool, in raster order; `side` stands in for the side of a cell."""
    y, x = np.nonzero(mask)
    label = np.full(mask.shape, -1, dtype=np.int32)
    label[y, x] = np.arange(y.size)
    return KnownData(label, mask.astype(bool), y, x, np.full(y.size, side, dtype=np.int64))
