"""Segmentation: a picture's flat zones merged to ever larger regions, the cheapest pair of neighbours first.

A Mumford-Shah model with the codec's own costs. Two neighbouring regions are merged at the price

    min(JUMP_WEIGHT x the squared jumps across their common boundary,
        what one constant costs more than two) / (CRACK_BITS x cracks of that boundary + REGION_BITS):

squared error per bit saved. The first term lets regions hold slopes: there, values within the region follow the
picture, and what counts is that no edge is lost. The sequence of merges is made once a picture; a segmentation for any
price of a bit (lambda) is a prefix of it. (Region merging: Koepfler, Lopez, Morel, "A multiscale algorithm for image
segmentation by variational method", SIAM J. Numer. Anal. 1994.)
"""

import heapq
from dataclasses import dataclass

import numpy as np

from dinp.kernels import kernels

JUMP_WEIGHT = 1.5
CRACK_BITS = 1.3
REGION_BITS = 7.0


@dataclass(frozen=True)
class Ladder:
    """All segmentations of a picture, from its flat zones on.

    Attributes
    ----------
    zones : (H, W) int32
        Flat zone of each pixel.
    kept, lost : (k,) int32
        Merges in their order: the zone that stands for the merged region, and the one that no longer does.
    prices : (k,) float64
        Squared error per bit at which each merge happens, rising.
    """

    zones: np.ndarray
    kept: np.ndarray
    lost: np.ndarray
    prices: np.ndarray

    def count(self, bit_cost: float) -> int:
        """How many merges there are at a price of a bit in squared grey levels."""
        return int(np.searchsorted(self.prices, bit_cost, side="right"))

    def at(self, bit_cost: float) -> np.ndarray:
        """Regions at a price of a bit in squared grey levels: (H, W) int32, numbered as `numbered` does."""
        count = self.count(bit_cost)
        parent = np.arange(int(self.zones.max()) + 1)
        parent[self.lost[:count]] = self.kept[:count]
        while True:
            further = parent[parent]
            if np.array_equal(further, parent):
                return numbered(parent[self.zones])
            parent = further


def numbered(labels: np.ndarray) -> np.ndarray:
    """The same regions (H, W), numbered 0, 1, ... in raster order of their first pixels: int32."""
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int32)
    rank[np.argsort(first)] = np.arange(first.size, dtype=np.int32)
    return rank[index.reshape(labels.shape)]


def flat_zones(planes: np.ndarray) -> np.ndarray:
    """Connected sets of pixels that are equal in all planes (P, H, W): (H, W) int32."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, height, width = planes.shape
    index = np.arange(height * width).reshape(height, width)
    same_right = (planes[:, :, 1:] == planes[:, :, :-1]).all(axis=0)
    same_down = (planes[:, 1:] == planes[:, :-1]).all(axis=0)
    a = np.concatenate([index[:, :-1][same_right], index[:-1][same_down]])
    b = np.concatenate([index[:, 1:][same_right], index[1:][same_down]])
    graph = coo_array((np.ones(a.size, dtype=bool), (a, b)), shape=(index.size, index.size))
    return connected_components(graph, directed=False)[1].reshape(height, width).astype(np.int32)


def segmentation_ladder(planes: np.ndarray, limit: float) -> Ladder:
    """The ladder of planes (P, H, W) float64, up to a price of a bit of `limit` squared grey levels."""
    zones = flat_zones(planes)
    n = int(zones.max()) + 1
    area = np.bincount(zones.ravel(), minlength=n).astype(np.float64)
    sums = np.stack([np.bincount(zones.ravel(), weights=p.ravel(), minlength=n) for p in planes], axis=1)
    pairs, jumps = [], []
    for a, b, jump in (
        (zones[:, :-1], zones[:, 1:], ((planes[:, :, 1:] - planes[:, :, :-1]) ** 2).sum(axis=0)),
        (zones[:-1], zones[1:], ((planes[:, 1:] - planes[:, :-1]) ** 2).sum(axis=0)),
    ):
        cut = a != b
        low, high = np.minimum(a[cut], b[cut]).astype(np.int64), np.maximum(a[cut], b[cut]).astype(np.int64)
        pairs.append(low * n + high)
        jumps.append(jump[cut])
    edge, inverse = np.unique(np.concatenate(pairs), return_inverse=True)
    cracks = np.bincount(inverse, minlength=edge.size).astype(np.float64)
    jump = np.bincount(inverse, weights=np.concatenate(jumps), minlength=edge.size)
    u, v = (edge // n).astype(np.int32), (edge % n).astype(np.int32)
    kept, lost, prices = _merges(area, np.ascontiguousarray(sums), u, v, cracks, jump, limit)
    return Ladder(zones, kept, lost, np.maximum.accumulate(prices))


def _merges(
    area: np.ndarray,
    sums: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    cracks: np.ndarray,
    jumps: np.ndarray,
    limit: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merges in their order: kept, lost, price."""
    if kernels is None:
        return _merges_in_python(area, sums, u, v, cracks, jumps, limit)
    n = area.size
    kept, lost, prices = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32), np.empty(n)
    model = (JUMP_WEIGHT, CRACK_BITS, REGION_BITS, limit)
    count = kernels.merge_regions(area, sums, u, v, cracks, jumps, kept, lost, prices, *model)
    return kept[:count].copy(), lost[:count].copy(), prices[:count].copy()


def _merges_in_python(
    area: np.ndarray,
    sums: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    cracks: np.ndarray,
    jumps: np.ndarray,
    limit: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The counterpart of the kernel, statement by statement."""
    area, sums, cracks, jumps = area.tolist(), sums.tolist(), cracks.tolist(), jumps.tolist()
    ends = [u.tolist(), v.tolist()]
    version = [0] * len(cracks)
    edges_of: list[list[int]] = [[] for _ in area]
    between: dict[tuple[int, int], int] = {}

    def pair(a: int, b: int) -> tuple[int, int]:
        return (a, b) if a < b else (b, a)

    def price(e: int) -> float:
        a, b = ends[0][e], ends[1][e]
        distance = 0.0
        for s, t in zip(sums[a], sums[b], strict=True):
            d = s / area[a] - t / area[b]
            distance += d * d
        constant = area[a] * area[b] / (area[a] + area[b]) * distance
        return min(JUMP_WEIGHT * jumps[e], constant) / (CRACK_BITS * cracks[e] + REGION_BITS)

    heap = []
    for e, (a, b) in enumerate(zip(*ends, strict=True)):
        between[pair(a, b)] = e
        edges_of[a].append(2 * e)
        edges_of[b].append(2 * e + 1)
        heap.append((price(e), e, 0))
    heapq.heapify(heap)
    merges = []
    while heap:
        stored, edge, seen = heapq.heappop(heap)
        if version[edge] != seen:
            continue
        now = price(edge)
        if now > stored:
            version[edge] += 1
            heapq.heappush(heap, (now, edge, version[edge]))
            continue
        if now > limit:
            break
        a, b = ends[0][edge], ends[1][edge]
        if len(edges_of[b]) > len(edges_of[a]) or (len(edges_of[b]) == len(edges_of[a]) and b < a):
            a, b = b, a
        merges.append((a, b, now))
        del between[pair(a, b)]
        version[edge] = -1
        area[a] += area[b]
        sums[a] = [s + t for s, t in zip(sums[a], sums[b], strict=True)]
        for half in edges_of[b]:
            e, end = half >> 1, half & 1
            if version[e] < 0:
                continue
            other = ends[1 - end][e]
            del between[pair(b, other)]
            f = between.get(pair(a, other), -1)
            if f >= 0:
                cracks[f] += cracks[e]
                jumps[f] += jumps[e]
                version[e] = -1
            else:
                ends[end][e] = a
                between[pair(a, other)] = f = e
                edges_of[a].append(half)
            version[f] += 1
            heapq.heappush(heap, (price(f), f, version[f]))
    kept, lost, prices = zip(*merges, strict=True) if merges else ((), (), ())
    return np.array(kept, dtype=np.int32), np.array(lost, dtype=np.int32), np.array(prices, dtype=np.float64)
