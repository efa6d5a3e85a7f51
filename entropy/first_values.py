"""Coding of the regions' first values: a mixture of distributions that adapts, and matches of surroundings.

A palette of values, antialiased steps between two neighbours and glyphs that come again are what drawings consist of;
slowly changing neighbours are what maps of depth have. All in integers, `/` rounding towards zero (docs/format.md,
section 10.4):

Regions come by falling area, ties by number (`coding_order`). A value is 0..T in bases; in a region of step 2^s the
symbol j = 0..J - 1, J = ceil(T / 2^s) + 1, stands for the value min(j 2^s, T), and a value v known from elsewhere
counts as the symbol (v + floor(2^s / 2)) >> s. Let a and b be the values of the neighbours with the longest and second
longest common boundary of those that came before (ties: the earlier one); b = a if there is one; without any, a = b =
-1, and floor(T / 2) stands for both in the experts. g = |a - b|, c(x) = min(number of bits of x, 11).

Experts: seven distributions of about 2^16 each.

    0     floor(2^16 (j + 1) / J) - floor(2^16 j / J)
    1     floor(2^16 n_j / n), n_j of the n values so far counting as symbol j; 0 where there is none
    2     the same of the regions whose a was this a; 0 where there is none, or no neighbour
    3..6  logistic: differences of 0, L(0), ..., L(J - 2), 2^16, where L(j) is entry clip(floor(128 (8 (2 j + 1) 2^s -
          m) / t), -2048, 2047) + 2048 of the table `logistic` of the values' network; centres m = 16 a, 8 (a + b),
          16 a, 16 b; scales t = t_0, t_1, t_2, t_0, at least 2^(s + 1): t_0 = S[c(g)], t_1 = S[12 + c(g)], t_2 =
          S[24 + s]

Mixture: the weights w_k, at first `_start`, are those of the context 9 G + s, G = 0 without neighbours, 1 with one, 2
with g <= 2^(s + 1), else 3. The mass of symbol j is floor(2^8 sum w_k e_kj / floor(sum_k w_k sum_j e_kj / 2^16)).

Matches, k = 0..3 in turn: the slot (h C2B2AE35 mod 2^32) >> 16, h = pattern_k + 9E3779B1 (a + 1) + 85EBCA6B (b + 1), of
table k (`patterns` are hashes of the cracks around the region's first pixel) holds the value v last coded with it and
a run r. If it holds one, each mass is multiplied by 2^16 - p and floored after division by 2^16, and the mass of the
symbol of v grows by 2^8 p, p = P_k[r] (at first 2^12 (8 + r), for r = 0 2^14).

Symbol j begins at min(floor(M_j (2^16 - J) / 2^24), 2^16 - J) + j, M_j the masses before it, which may be a little more
than 2^24; the last one ends at 2^16.

Learning, from symbol j of value v: with q_k = w_k (e_kj + 1), w_k += (floor(2^16 q_k / sum q) - w_k) / 24, at least
256. P_k[r] += (64512 or 1024 - P_k[r]) / 16 for a match that was right or wrong; the slot takes v, and the run r + 1,
up to 7, after a right match, else 0. The counts take v. If there is a neighbour, S[c(g)], S[12 + c(g)] and S[24 + s]
move by 1/16 of what d / 2, rounded down, differs, d = 16 min(|v - a|, |v - b|), |16 v - 8 (a + b)| and 16 |v - a|.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from dinp.entropy.blocks import first_places
from dinp.entropy.coder import ONE, RangeDecoder, RangeEncoder
from dinp.entropy.value_coder import tables
from dinp.kernels import kernels

KIND = "first"
PER_BIT = 256  # regions that a bit of the stream can make at most, by this format's rule
MIRRORED = (1, 0, 1, 0)
RADII = (1, 1, 3, 3)
EXPERTS, GROUPS, STEPS, SCALES, RUNS = 7, 4, 9, 36, 8


@dataclass(frozen=True)
class Order:
    """Coding order of regions, and the neighbours of each that come before it.

    Attributes
    ----------
    region : (n,) int64
        By falling area, then by number.
    first, second : (n,) int32
        Position in this order of the neighbours with the longest and the second longest common boundary of those that
        come before (ties: the earlier one), -1 where there is none.
    pattern : (n, 2) uint32
        Hashes of the cracks around the region's first pixel, within 1 and 3 pixels.
    """

    region: np.ndarray
    first: np.ndarray
    second: np.ndarray
    pattern: np.ndarray


def coding_order(labels: np.ndarray, area: np.ndarray) -> Order:
    """The order of regions (H, W) int32 of areas (n,)."""
    n = area.size
    order = np.lexsort((np.arange(n), -area))
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    keys = []
    for a, b in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        cut = a != b
        s, t = rank[a[cut]], rank[b[cut]]
        keys.append(np.maximum(s, t) * n + np.minimum(s, t))
    key, length = np.unique(np.concatenate(keys), return_counts=True)
    later, earlier = key // n, key % n
    by = np.lexsort((earlier, -length, later))
    later, earlier = later[by], earlier[by]
    start = np.ones(later.size, dtype=bool)
    start[1:] = later[1:] != later[:-1]
    first, second = np.full(n, -1, dtype=np.int32), np.full(n, -1, dtype=np.int32)
    first[later[start]] = earlier[start]
    after = np.flatnonzero(start[:-1] & ~start[1:]) + 1
    second[later[after]] = earlier[after]
    return Order(order, first, second, np.ascontiguousarray(patterns(labels)[order]))


def patterns(labels: np.ndarray) -> np.ndarray:
    """Hashes (n, 4) uint32 of the cracks around each region's first pixel."""
    height, width = labels.shape
    n = int(labels.max()) + 1
    y, x = np.divmod(first_places(labels, n), width)
    margin = max(RADII) + 1
    shape = (height + 2 * margin, width + 2 * margin)
    right, down = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    right[margin:-margin, margin : -margin - 1] = labels[:, 1:] != labels[:, :-1]
    down[margin : -margin - 1, margin:-margin] = labels[1:] != labels[:-1]
    y, x = y + margin, x + margin
    hashes = []
    for radius, mirrored in zip(RADII, MIRRORED, strict=True):
        least = None
        for fy in (1, -1) if mirrored else (1,):
            for fx in (1, -1) if mirrored else (1,):
                for turned in (False, True) if mirrored > 1 else (False,):
                    value = np.zeros(n, dtype=np.uint32)
                    for i in range(-radius - 1, radius + 1):
                        for j in range(-radius, radius + 1):
                            across = right[y + fy * j, x + (i if fx > 0 else -1 - i)]
                            along = down[y + (i if fy > 0 else -1 - i), x + fx * j]
                            if turned:
                                across, along = along, across
                            value = (value + across + 2 * along + np.uint32(1)) * np.uint32(0x9E3779B1)
                            value ^= value >> np.uint32(15)
                    least = value if least is None else np.minimum(least, value)
        hashes.append(least)
    return np.stack(hashes, axis=1)


@cache
def _logs() -> np.ndarray:
    """Information content of frequencies 0..2^16 in 2^-16 bit."""
    f = np.maximum(np.arange(65537), 1)
    return np.rint((16 - np.log2(f)) * 65536).astype(np.int32)


@cache
def _start() -> np.ndarray:
    share = np.array(
        [
            [0.40, 0.40, 0.0, 0.1, 0.1, 0.0, 0.0],
            [0.05, 0.30, 0.30, 0.1, 0.1, 0.15, 0.0],
            [0.05, 0.30, 0.20, 0.15, 0.1, 0.15, 0.05],
            [0.05, 0.25, 0.20, 0.05, 0.30, 0.05, 0.10],
        ]
    )
    weights = np.maximum(np.rint(share * 65536), 256).astype(np.int32)
    scale = np.full(SCALES, 16 * 8, dtype=np.int32)
    for c in range(12):
        scale[c] = scale[12 + c] = max(16, 16 << c >> 3)
    return np.concatenate([weights.ravel(), scale])


@cache
def _logistic() -> np.ndarray:
    return np.ascontiguousarray(tables()["logistic"].astype(np.int32))


def encode_region_values(
    encoder: RangeEncoder,
    order: Order,
    shift: np.ndarray,
    top: int,
    wanted: np.ndarray,
    weight: np.ndarray,
    bit_cost: float,
) -> np.ndarray:
    """Choose and code values.

    Parameters
    ----------
    order : Order
    shift : (n,) int64
        log2 of each step in units.
    top : int
        The largest value in units, 1..1024.
    wanted, weight : (n,) float64
        Values wanted, in units, and the squared error in the picture per squared unit.
    bit_cost : float
        Squared error that a bit must save.

    Returns
    -------
    (n,) int64
        The values in units. All arrays are in coding order.
    """
    if kernels is None:
        return _encode_in_python(encoder, order, shift, top, wanted, weight, bit_cost)
    values = np.zeros(shift.size, dtype=np.int32)
    wanted, weight = (np.ascontiguousarray(a, dtype=np.float64) for a in (wanted, weight))
    model = (_start(), _logistic(), order.first, order.second, shift.astype(np.int32), order.pattern, values, top)
    encoder.run(kernels.encode_region_values, values.size, KIND, *model, wanted, weight, bit_cost, _logs())
    return values.astype(np.int64)


def decode_region_values(decoder: RangeDecoder, order: Order, shift: np.ndarray, top: int) -> np.ndarray:
    """Mirror of `encode_region_values`: the values (n,) int64 in units, in coding order; DinpError if damaged."""
    decoder.expect(shift.size, PER_BIT)
    if kernels is None:
        return _decode_in_python(decoder, order, shift, top)
    values = np.zeros(shift.size, dtype=np.int32)
    model = (_start(), _logistic(), order.first, order.second, shift.astype(np.int32), order.pattern, values, top)
    decoder.run(kernels.decode_region_values, KIND, *model)
    return values.astype(np.int64)


@dataclass(frozen=True)
class _Place:
    """What a region's distribution was made from."""

    count: int
    a: int
    b: int
    context: int
    scales: tuple[int, int, int]
    slots: list[int]
    guesses: list[int]
    parts: np.ndarray
    frequencies: np.ndarray


class _Mixture:
    """The kernel's model, statement by statement."""

    def __init__(self, order: Order, shift: np.ndarray, top: int) -> None:
        self.top = top
        self.order, self.shift = order, shift.tolist()
        self.values = np.zeros(shift.size, dtype=np.int64)
        start = _start().astype(np.int64)
        self.weights = start[: GROUPS * EXPERTS].reshape(GROUPS, 1, EXPERTS).repeat(STEPS, axis=1).reshape(-1, EXPERTS)
        self.scale = start[GROUPS * EXPERTS :].copy()
        self.used = np.zeros(top + 1, dtype=np.int64)
        self.beside: dict[int, np.ndarray] = {}
        self.seen: list[dict[int, tuple[int, int]]] = [{} for _ in RADII]
        self.hit = [[ONE // 16 * (8 + r if r else 4) for r in range(RUNS)] for _ in RADII]

    def _logistic(self, count: int, shift: int, centre16: int, scale16: int) -> np.ndarray:
        edge16 = ((2 * np.arange(count - 1) + 1) << shift) << 3
        z = np.clip((edge16 - centre16) * 128 // scale16, -2048, 2047)
        return np.diff(_logistic()[z + 2048], prepend=0, append=ONE)

    def _counted(self, count: int, shift: int, counts: np.ndarray | None) -> np.ndarray:
        part = np.zeros(count, dtype=np.int64)
        if counts is not None and counts.any():
            np.add.at(part, (np.arange(counts.size) + (1 << shift >> 1)) >> shift, counts)
            part = (part << 16) // counts.sum()
        return part

    def describe(self, i: int) -> _Place:
        first, second, shift, top = int(self.order.first[i]), int(self.order.second[i]), self.shift[i], self.top
        count = ((top + (1 << shift) - 1) >> shift) + 1
        a = -1 if first < 0 else int(self.values[first])
        b = a if second < 0 else int(self.values[second])
        gap = abs(a - b)
        context = (0 if first < 0 else 1 if second < 0 else 2 if gap <= 2 << shift else 3) * STEPS + shift
        size = min(gap.bit_length(), 11)
        scales = (size, 12 + size, 24 + shift)
        middle, other = (top // 2, top // 2) if first < 0 else (a, b)
        t = [max(int(self.scale[s]), 2 << shift) for s in scales]
        even = 65536 * np.arange(count + 1) // count
        parts = np.stack(
            [
                np.diff(even),
                self._counted(count, shift, self.used),
                self._counted(count, shift, self.beside.get(a) if first >= 0 else None),
                self._logistic(count, shift, 16 * middle, t[0]),
                self._logistic(count, shift, 8 * (middle + other), t[1]),
                self._logistic(count, shift, 16 * middle, t[2]),
                self._logistic(count, shift, 16 * other, t[0]),
            ]
        )
        weights = self.weights[context]
        total = int((weights * parts.sum(axis=1)).sum()) >> 16
        mass = ((weights[:, None] * parts).sum(axis=0) << 8) // total
        slots, guesses = [], []
        for k, pattern in enumerate(self.order.pattern[i].tolist()):
            key = pattern + (a + 1) * 0x9E3779B1 + (b + 1) * 0x85EBCA6B
            slots.append((key * 0xC2B2AE35 & 0xFFFFFFFF) >> 16)
            guesses.append(-1)
            if slots[k] in self.seen[k]:
                value, run = self.seen[k][slots[k]]
                guesses[k] = (value + (1 << shift >> 1)) >> shift
                share = self.hit[k][run]
                mass = (mass * (ONE - share)) >> 16
                mass[guesses[k]] += share << 8
        before = np.concatenate([[0], np.cumsum(mass)[:-1]])
        ends = np.minimum(((before * (ONE - count)) >> 24) + np.arange(count), ONE - count + np.arange(count))
        return _Place(count, a, b, context, scales, slots, guesses, parts, np.diff(ends, append=ONE))

    def learn(self, i: int, p: _Place, j: int) -> None:
        value = min(j << self.shift[i], self.top)
        self.values[i] = value
        weights = self.weights[p.context]
        post = weights * (p.parts[:, j] + 1)
        step = (post << 16) // post.sum() - weights
        self.weights[p.context] = np.maximum(weights + np.sign(step) * (np.abs(step) // 24), 256)
        for k, (slot, guess) in enumerate(zip(p.slots, p.guesses, strict=True)):
            run, right = self.seen[k].get(slot, (0, 0))[1], guess == j
            if guess >= 0:
                step = (ONE - 1024 if right else 1024) - self.hit[k][run]
                self.hit[k][run] += step // 16 if step >= 0 else -(-step // 16)
            self.seen[k][slot] = value, min(run + 1, RUNS - 1) if right else 0
        self.used[value] += 1
        if p.a >= 0:
            self.beside.setdefault(p.a, np.zeros(self.top + 1, dtype=np.int64))[value] += 1
            from_a, from_b = 16 * abs(value - p.a), 16 * abs(value - p.b)
            from_middle = abs(16 * value - 8 * (p.a + p.b))
            for s, d in zip(p.scales, (min(from_a, from_b), from_middle, from_a), strict=True):
                step = d // 2 - int(self.scale[s])
                self.scale[s] += step // 16 if step >= 0 else -(-step // 16)


def _encode_in_python(
    encoder: RangeEncoder,
    order: Order,
    shift: np.ndarray,
    top: int,
    wanted: np.ndarray,
    weight: np.ndarray,
    bit_cost: float,
) -> np.ndarray:
    """The counterpart of the kernel."""
    mixture = _Mixture(order, shift, top)
    for i in range(shift.size):
        p = mixture.describe(i)
        shown = np.minimum(np.arange(p.count) << shift[i], top)
        d = shown - wanted[i]
        cost = weight[i] * d * d + bit_cost * (_logs()[p.frequencies] / 65536.0)
        j = int(np.argmin(cost))
        encoder.encode_symbols(np.array([j]), p.frequencies[None], KIND)
        mixture.learn(i, p, j)
    return mixture.values


def _decode_in_python(decoder: RangeDecoder, order: Order, shift: np.ndarray, top: int) -> np.ndarray:
    """The counterpart of the kernel."""
    mixture = _Mixture(order, shift, top)
    for i in range(shift.size):
        p = mixture.describe(i)
        mixture.learn(i, p, int(decoder.decode_symbols(p.frequencies[None], KIND)[0]))
    return mixture.values
