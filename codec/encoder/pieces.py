"""Which pieces of regions between barriers get values of their own: by a guess at first, then where the error is.

Both say it by keys, the identities of the pieces to be divided, see `dinp.bitstream.regions`.
"""

import numpy as np

from dinp.bitstream.regions import LEAST, ROOT, Level, divide, grouped
from dinp.kernels import kernels

VALUE_BITS = 5.0
REGION_BITS = 3.5  # of the value of a constant region
FLAG_BITS = 0.7
CONSTANT_SHARE = 0.3  # of what a constant leaves, as against a plane, in the guess of what a piece's value leaves
GROWTH = 1.5


def moments(plane: np.ndarray, leaf: np.ndarray, first: int, count: int) -> np.ndarray:
    """Moments of a plane (H, W) over pieces `first` to `count` - 1, leaf (H W,) int32: (count - first, 10) float64.

    Sums over each piece's pixels of 1, y, x, y^2, x^2, y x, f, f y, f x and f^2, with f the plane, and y and x in units
    of 16 pixels.
    """
    out = np.zeros((count - first, 10))
    if kernels is not None:
        leaf = np.ascontiguousarray(leaf, dtype=np.int32)
        kernels.piece_moments(leaf, np.ascontiguousarray(plane, dtype=np.float64), *plane.shape, first, out)
        return out
    y, x = np.divmod(np.arange(plane.size), plane.shape[1])
    at = np.flatnonzero(leaf.ravel() >= first)
    piece = leaf.ravel()[at] - first
    y, x, f = y[at] / 16.0, x[at] / 16.0, plane.ravel()[at]
    terms = (np.ones(at.size), y, x, y * y, x * x, y * x, f, f * y, f * x, f * f)
    for number, term in enumerate(terms):
        out[:, number] = np.bincount(piece, weights=term, minlength=count - first)
    return out


def residuals(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared error of the best constant and of the best linear function in each piece, from its moments (n, 10)."""
    n, y, x, yy, xx, yx, f, fy, fx, ff = moments.T
    n = np.maximum(n, 1)
    yy, xx, yx = yy - y * y / n, xx - x * x / n, yx - y * x / n
    fy, fx, constant = fy - f * y / n, fx - f * x / n, np.maximum(ff - f * f / n, 0)
    det = yy * xx - yx * yx
    safe = det > 1e-9 * np.maximum(yy * xx, 1e-12)
    det = np.where(safe, det, 1)
    b, a = (xx * fy - yx * fx) / det, (yy * fx - yx * fy) / det
    linear = np.where(safe, constant - (b * fy + a * fx), constant)
    return constant, np.clip(linear, 0, constant)


def first_keys(plane: np.ndarray, labels: np.ndarray, bit_cost: float) -> tuple[np.ndarray, float]:
    """Identities of the pieces worth dividing by a guess, and what error and values would cost then.

    The guess is the pruning of a tree that is divided as far as may pay (as `dinp.encoder.pyramid` does for plain
    trees): a value leaves of a piece the error of a linear function, and a share of that of a constant.
    """
    cost: dict[str, list[np.ndarray]] = {"key": [], "parent": [], "leaf": []}

    def wants(level: Level) -> np.ndarray:
        first = int(level.node[0])
        constant, linear = residuals(moments(plane, level.leaf, first, level.count)[level.node - first])
        error = constant if level.side_log2 == ROOT else CONSTANT_SHARE * constant + (1 - CONSTANT_SHARE) * linear
        cost["key"].append(level.key)
        cost["parent"].append(level.parent)
        bits = REGION_BITS if level.side_log2 == ROOT else VALUE_BITS
        cost["leaf"].append(error + bit_cost * (bits + FLAG_BITS))
        return constant > bit_cost * (VALUE_BITS + 2 * FLAG_BITS)

    pieces = divide(labels, wants)
    constant, linear = residuals(moments(plane, pieces.leaf, 0, pieces.region.size))
    small = ~np.isin(pieces.key, np.concatenate([*cost["key"], np.zeros(0, dtype=np.int64)]))
    error = CONSTANT_SHARE * constant + (1 - CONSTANT_SHARE) * linear
    cost["key"].append(pieces.key[small])
    cost["parent"].append(pieces.parent[small])
    bits = np.where(pieces.side_log2 == ROOT, REGION_BITS, VALUE_BITS)
    cost["leaf"].append((error + bit_cost * bits)[small])
    chosen = []
    below_key, below = np.zeros(0, dtype=np.int64), np.zeros(0)
    for number in range(len(cost["key"]) - 1, -1, -1):
        key, parent, leaf = (cost[name][number] for name in ("key", "parent", "leaf"))
        best = leaf
        if below_key.size:
            owner, index = np.unique(below_key, return_inverse=True)
            total = np.bincount(index, weights=below)
            at = np.minimum(np.searchsorted(owner, key), owner.size - 1)
            has = owner[at] == key
            divided = np.where(has, total[at] + bit_cost * FLAG_BITS, np.inf)
            chosen.append(key[divided < leaf])
            best = np.minimum(leaf, divided)
            keep = ~np.isin(below_key, key)
            below_key, below = below_key[keep], below[keep]
        below_key, below = np.concatenate([below_key, parent]), np.concatenate([below, best])
    return np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]), float(below.sum())


def grown_keys(labels: np.ndarray, keys: np.ndarray, error: np.ndarray, bit_cost: float) -> np.ndarray:
    """More identities of pieces to be divided: where what a division can remove of the error pays for its values."""
    height, width = error.shape
    y, x = np.divmod(np.arange(error.size), width)
    e = error.ravel()
    new: list[np.ndarray] = []
    fresh = np.zeros(0, dtype=np.int64)

    def wants(level: Level) -> np.ndarray:
        nonlocal fresh
        has = np.isin(level.key, keys)
        count = level.count
        asked = np.zeros(count + 1, dtype=bool)  # the last: of pixels in no piece
        asked[level.node[~has]] = True
        at = np.flatnonzero(asked[level.leaf])
        piece = level.leaf[at].astype(np.int64)
        area = np.bincount(piece, minlength=count).astype(np.float64)
        if level.side_log2 == ROOT:
            k = np.clip((np.frexp(area)[1] - 1) // 2 - 1, 1, 7)[piece]
        else:
            k = np.full(at.size, level.side_log2 - 1)
        cell = (y[at] >> k) * (width + 1) + (x[at] >> k)
        part, index = grouped(piece * (2 * height * width) + cell)
        owner = part // (2 * height * width)
        s = np.bincount(index, weights=e[at])
        a = np.bincount(index).astype(np.float64)
        large = a >= LEAST[max(level.side_log2 - 1, 1)] if level.side_log2 < ROOT else a >= 8
        low = np.bincount(owner, weights=np.where(large, s * s / a, 0), minlength=count)
        parts = np.bincount(owner, weights=large, minlength=count)
        total = np.bincount(piece, weights=e[at] ** 2, minlength=count)
        own = np.bincount(piece, weights=e[at], minlength=count) ** 2 / np.maximum(area, 1)
        lost = np.where(np.isin(level.parent, fresh), own[level.node], 0)
        low, total = np.maximum(low[level.node] - lost, 0), np.maximum(total[level.node] - lost, 0)
        score = low**0.7 * total**0.3
        price = bit_cost * (VALUE_BITS * np.maximum(parts[level.node] - 1, 1) + FLAG_BITS)
        grown = ~has & (score * GROWTH > price)
        fresh = np.concatenate([fresh, level.key[grown]])
        new.append(level.key[grown])
        return has | grown

    divide(labels, wants)
    return np.concatenate([keys, *new])
