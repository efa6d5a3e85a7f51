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

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dinp.bitstream.structure import KnownData
from dinp.entropy.blocks import blocks, counted, looked_up
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
    leaf = flat.astype(np.int32)
    flags = []
    wanted = np.zeros(count, dtype=bool)  # of all nodes: to be divided, and not yet
    total = count
    divided = np.zeros(count, dtype=bool)
    newest = np.arange(count)
    all_area = counted(flat, count)
    all_region, all_side = np.arange(count), np.full(count, ROOT)
    all_key, all_parent = _keys(all_region, ROOT, 0), np.full(count, -1)
    active = np.zeros(0, dtype=np.int32)  # pixels of pieces that are to be divided, in raster order
    for k in range(ROOT, 0, -1):
        if k < ROOT:
            if active.size == 0:
                break
            cells = ((labels.shape[0] >> k) + 1) * ((width >> k) + 1)
            key, size, part = _parts(leaf, active, width, k, cells)
            parent = key // cells
            large = size >= LEAST[k]
            several = np.bincount(parent[large], minlength=total) >= 2
            new = large & several[parent]
            newest = total + np.arange(np.count_nonzero(new))
            number = np.full(key.size, -1, dtype=np.int32)
            number[new] = newest
            for some in blocks(active.size):
                at = active[some]
                moved = several[leaf[at]]
                leaf[at[moved]] = number[part[some][moved]]
            del part
            divided |= several
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
        active = _of_nodes(leaf, wanted, None if k == ROOT else active)
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
    leaf = looked_up(rank, leaf).reshape(labels.shape)
    parts = (a[nodes] for a in (all_region, all_side, all_area))
    return Pieces(labels, leaf, *parts, flags, all_key[nodes], all_parent[nodes])


def _of_nodes(leaf: np.ndarray, wanted: np.ndarray, among: np.ndarray | None) -> np.ndarray:
    """Pixels whose node is wanted, of all or of those given, in raster order: (n,) int32, beyond 2^31 pixels int64."""
    found = []
    for some in blocks(leaf.size if among is None else among.size):
        if among is None:
            own = np.flatnonzero(wanted[leaf[some]] & (leaf[some] >= 0)) + some.start
            found.append(own.astype(np.int32 if leaf.size <= 1 << 31 else np.int64))
        else:
            node = leaf[among[some]]
            found.append(among[some][wanted[node] & (node >= 0)])
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int32)


def _parts(
    leaf: np.ndarray, active: np.ndarray, width: int, side_log2: int, cells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the cells of a side, of which there are so many, cut the nodes of pixels (n,) into.

    Returns
    -------
    key : (m,) int64
        Node, then cell, of each part, ascending.
    size : (m,) int64
        In pixels.
    part : (n,) int32
        Of each pixel.
    """
    part = np.empty(active.size, dtype=np.int32)
    keys, sizes, count = [], [], 0
    for some in blocks(active.size):
        y, x = np.divmod(active[some], width)
        cell = (y >> side_log2).astype(np.int64) * ((width >> side_log2) + 1) + (x >> side_log2)
        key, index = grouped(leaf[active[some]].astype(np.int64) * cells + cell)
        keys.append(key)
        sizes.append(np.bincount(index, minlength=key.size))
        part[some] = index + count
        count += key.size
    key, merged = np.unique(np.concatenate(keys), return_inverse=True)
    size = np.bincount(merged, weights=np.concatenate(sizes), minlength=key.size).astype(np.int64)
    return key, size, looked_up(merged.astype(np.int32), part)


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
    y_sum, x_sum = np.zeros(n), np.zeros(n)  # exact: below 2^53
    for _, piece, row, column in _pixels(flat, width, n):
        y_sum += np.bincount(piece, weights=row, minlength=n)
        x_sum += np.bincount(piece, weights=column, minlength=n)
    mean_y, mean_x = y_sum.astype(np.int64) // pieces.area, x_sum.astype(np.int64) // pieces.area
    nearest, centre = np.full(n, np.iinfo(np.int64).max), np.zeros(n, dtype=np.int64)
    for _, piece, row, column in _pixels(flat, width):
        distance = (row - mean_y[piece]) ** 2 + (column - mean_x[piece]) ** 2
        before = nearest[piece]
        np.minimum.at(nearest, piece, distance)
        hit = np.flatnonzero((distance == nearest[piece]) & (distance < before))[::-1]  # the first is written last
        centre[piece[hit]] = row[hit] * width + column[hit]
    y, x = np.divmod(centre, width)
    # undivided regions know all of their pixels
    radius = np.where(pieces.side_log2 == ROOT, height + width, np.maximum(1, (1 << pieces.side_log2) >> 3))
    label = np.full(flat.size, -1, dtype=np.int32)
    for some, piece, row, column in _pixels(flat, width):
        dy, dx, r = row - y[piece], column - x[piece], radius[piece]
        stands = (dy >= -r) & (dy < r) & (dx >= -r) & (dx < r)
        label[some][flat[some] >= 0] = np.where(stands, piece, -1)
    label = label.reshape(height, width)
    return KnownData(label, label >= 0, y, x, side_of_area(pieces.area))


def _pixels(leaf: np.ndarray, width: int, least: int = 0) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of pixels; of those in pieces the piece (m,) int32, and row and column (m,) int64."""
    for some in blocks(leaf.size, least):
        at = np.flatnonzero(leaf[some] >= 0)
        yield some, leaf[some][at], *np.divmod(at + some.start, width)
