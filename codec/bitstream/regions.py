"""Regions between barriers, the pieces that they are divided into, and where each piece's value stands.

docs/format.md, section 10.3, is the specification.

A region is a connected set of pixels, regions being numbered in raster order of their first pixels. A region that is
not divided is constant: its one value stands at all of its pixels. A divided one falls into pieces by cells of side
128, 64, ..., 2, and pieces may be divided further.

Division. A piece that is to be divided takes the first of the sides below its own whose cells cut it into two or more
parts large enough to hold a value: of at least LEAST[k] pixels for cells of side 2^k. These become pieces, in the order
of their cells; the pixels of smaller parts hold no value. A piece that no side can cut so stays as it is. Whether a
piece is to be divided is told for each with at least twice the pixels that the next smaller side asks for.

A piece's value stands at the pixels of the piece within a block of 2 r x 2 r pixels, r = max(1, floor(side / 8)),
around its centre: rows c - r to c + r - 1, columns likewise, where the centre is the pixel of the piece nearest to the
mean of its pixels (rounded down; ties: raster order).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dinp.bitstream.structure import KnownData
from dinp.entropy.crack_coder import cracks_of
from dinp.kernels import kernels

ROOT = 8  # log2 of what stands for the side of a whole region
LEAST = np.array([1, 2, 8, 24, 24, 24, 24, 24, 24])  # pixels


@dataclass(frozen=True)
class Level:
    """Pieces of one level that may be divided.

    Attributes
    ----------
    side_log2 : int
        ROOT for whole regions.
    area : (m,) int64
        Pixels of each.
    key : (m,) int64
        Identity of each: its region, level and cell.
    parent : (m,) int64
        Identity of the piece that each is a part of, -1 for whole regions.
    node : (m,) int64
        Its number while the picture is being divided.
    leaf : (H x W,) int32
        That number for each pixel, -1 where it is in no piece.
    count : int
        Numbers given so far.
    """

    side_log2: int
    area: np.ndarray
    key: np.ndarray
    parent: np.ndarray
    node: np.ndarray
    leaf: np.ndarray
    count: int


@dataclass(frozen=True)
class Pieces:
    """All pieces that hold values, the first value of each region first, in the order of the regions.

    Attributes
    ----------
    labels : (H, W) int32
        Region of each pixel.
    leaf : (H, W) int32
        Piece of each pixel, -1 where the pixel is in none.
    region : (n,) int64
    side_log2 : (n,) int64
        Of the piece's cell; ROOT for undivided regions.
    area : (n,) int64
        In pixels.
    flags : list of (m,) bool arrays
        What was told, level by level.
    key : (n,) int64
        Identity of each piece.
    parent : (n,) int64
        Identity of the piece that it is a part of, -1 for undivided regions.
    """

    labels: np.ndarray
    leaf: np.ndarray
    region: np.ndarray
    side_log2: np.ndarray
    area: np.ndarray
    flags: list[np.ndarray]
    key: np.ndarray
    parent: np.ndarray

    @property
    def regions(self) -> int:
        """Number of regions: of the first values."""
        return int(self.labels.max()) + 1

    @property
    def cracks(self) -> tuple[np.ndarray, np.ndarray]:
        """Cracks between regions: right (H, W - 1), down (H - 1, W) bool."""
        return cracks_of(self.labels)


def divide(labels: np.ndarray, wants: Callable[[Level], np.ndarray]) -> Pieces:
    """Pieces of regions (H, W) int32, divided where `wants` says so for the pieces of a level: (m,) bool."""
    width = labels.shape[1]
    flat = labels.ravel()
    count = int(flat.max()) + 1
    area = [np.bincount(flat, minlength=count)]
    region, side = [np.arange(count)], [np.full(count, ROOT)]
    leaf = flat.astype(np.int32)
    flags = []
    wanted = np.zeros(count, dtype=bool)  # of all nodes: to be divided, and not yet
    total = count
    divided = np.zeros(count, dtype=bool)
    newest = np.arange(count)
    all_area = area[0]
    all_region, all_side = region[0], side[0]
    all_key, all_parent = _keys(region[0], ROOT, 0), np.full(count, -1)
    active = np.zeros(0, dtype=np.int64)
    for k in range(ROOT, 0, -1):
        if k < ROOT:
            if active.size == 0:
                break
            y, x = active // width, active % width
            cells = ((labels.shape[0] >> k) + 1) * ((width >> k) + 1)
            node = leaf[active].astype(np.int64)
            key, part = grouped(node * cells + (y >> k) * ((width >> k) + 1) + (x >> k))
            size = np.bincount(part, minlength=key.size)
            parent = key // cells
            large = size >= LEAST[k]
            several = np.bincount(parent[large], minlength=total) >= 2
            new = large & several[parent]
            number = np.full(key.size, -1, dtype=np.int64)
            number[new] = total + np.arange(np.count_nonzero(new))
            moved = several[node]
            leaf[active[moved]] = number[part[moved]]
            divided |= several
            newest = number[new]
            all_area = np.concatenate([all_area, size[new]])
            all_region = np.concatenate([all_region, all_region[parent[new]]])
            all_side = np.concatenate([all_side, np.full(newest.size, k)])
            all_key = np.concatenate([all_key, _keys(all_region[newest], k, key[new] % cells)])
            all_parent = np.concatenate([all_parent, all_key[parent[new]]])
            wanted = np.concatenate([wanted & ~several, np.zeros(newest.size, dtype=bool)])
            divided = np.concatenate([divided, np.zeros(newest.size, dtype=bool)])
            total += newest.size
        if k > 1:
            can = newest[all_area[newest] >= 2 * LEAST[k - 1]]
            if can.size:
                flags.append(wants(Level(k, all_area[can], all_key[can], all_parent[can], can, leaf, total)))
                wanted[can] = flags[-1]
        if k == ROOT:
            active = np.flatnonzero(wanted[flat])
        else:
            active = active[(leaf[active] >= 0)]
            active = active[wanted[leaf[active]]]
    nodes = np.flatnonzero(~divided)
    # the largest piece of a region holds its first value
    order = np.lexsort((nodes, -all_area[nodes], all_region[nodes]))
    first = np.ones(order.size, dtype=bool)
    first[1:] = all_region[nodes[order[1:]]] != all_region[nodes[order[:-1]]]
    others = np.ones(nodes.size, dtype=bool)
    others[order[first]] = False
    nodes = np.concatenate([nodes[order[first]], nodes[others]])
    rank = np.full(total + 1, -1, dtype=np.int32)
    rank[nodes] = np.arange(nodes.size, dtype=np.int32)
    leaf = rank[leaf].reshape(labels.shape)
    parts = (a[nodes] for a in (all_region, all_side, all_area))
    return Pieces(labels, leaf, *parts, flags, all_key[nodes], all_parent[nodes])


def grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of keys (n,) int64, sorted, and the index of each among them: as `np.unique`, without sorting.

    Few keys are different, and along a row most are alike.
    """
    if kernels is None or keys.size == 0:
        return np.unique(keys, return_inverse=True)
    number, found = np.empty(keys.size, dtype=np.int32), np.empty(keys.size, dtype=np.int64)
    found = found[: kernels.group_keys(np.ascontiguousarray(keys), number, found)]
    order = np.argsort(found)
    rank = np.empty(found.size, dtype=np.int64)
    rank[order] = np.arange(found.size)
    return found[order], rank[number]


def _keys(region: np.ndarray, side_log2: int, cell: np.ndarray | int) -> np.ndarray:
    """Identities of pieces: unique for regions below 2^31 and cells below 2^28."""
    return (region << 32) | (side_log2 << 28) | cell


def divided_by_keys(labels: np.ndarray, keys: np.ndarray) -> Pieces:
    """Pieces of regions of which those with the given identities are divided."""
    return divide(labels, lambda level: np.isin(level.key, keys))


def undivided(labels: np.ndarray) -> Pieces:
    """Regions of one value each."""
    return divide(labels, lambda level: np.zeros(level.area.size, dtype=bool))


def side_of_area(area: np.ndarray) -> np.ndarray:
    """The largest power of two, up to 128, whose square is at most the area (n,) int64."""
    area_log2 = np.frexp(area.astype(np.float64))[1].astype(np.int64) - 1
    return np.int64(1) << np.minimum(area_log2 // 2, 7)


def known_data_of_pieces(pieces: Pieces) -> KnownData:
    """Where the values of pieces stand; `side` is that of a square of about the piece's area."""
    height, width = pieces.leaf.shape
    n = pieces.region.size
    flat = pieces.leaf.ravel()
    # undivided regions know all of their pixels
    whole = pieces.side_log2 == ROOT
    y, x = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    at = np.flatnonzero(flat >= 0)
    piece = flat[at]
    row, column = at // width, at % width
    mean_y = np.bincount(piece, weights=row, minlength=n).astype(np.int64) // pieces.area
    mean_x = np.bincount(piece, weights=column, minlength=n).astype(np.int64) // pieces.area
    distance = (row - mean_y[piece]) ** 2 + (column - mean_x[piece]) ** 2
    nearest = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(nearest, piece, distance)
    hit = np.flatnonzero(distance == nearest[piece])[::-1]  # the first in raster order is written last
    y[piece[hit]], x[piece[hit]] = row[hit], column[hit]
    radius = np.where(whole, height + width, np.maximum(1, (1 << pieces.side_log2) >> 3))
    dy, dx = row - y[piece], column - x[piece]
    r = radius[piece]
    stands = (dy >= -r) & (dy < r) & (dx >= -r) & (dx < r)
    label = np.full(height * width, -1, dtype=np.int32)
    label[at[stands]] = piece[stands]
    label = label.reshape(height, width)
    return KnownData(label, label >= 0, y, x, side_of_area(pieces.area))
