"""First values of regions (section 10.4)."""

from collections import Counter, defaultdict

from .barriers import Node
from .common import clip, floor_log2, require, toward_zero
from .networks import STEP, network
from .ranges import RangeDecoder

M32 = 2**32 - 1
WEIGHTS = [
    [26214, 26214, 256, 6554, 6554, 256, 256],
    [3277, 19661, 19661, 6554, 6554, 9830, 256],
    [3277, 19661, 13107, 9830, 6554, 9830, 3277],
    [3277, 16384, 13107, 3277, 19661, 3277, 6554],
]


def _boundaries(labels: list[list[int]]) -> dict[int, Counter]:
    """For each region, its neighbours and how many cracks are between."""
    lengths: dict[int, Counter] = defaultdict(Counter)
    for y, row in enumerate(labels):
        for x, label in enumerate(row):
            for i, j in ((y + 1, x), (y, x + 1)):
                if i < len(labels) and j < len(row) and labels[i][j] != label:
                    lengths[label][labels[i][j]] += 1
                    lengths[labels[i][j]][label] += 1
    return lengths


class _Patterns:
    """Hashes of the surroundings of a region's first pixel."""

    def __init__(self, labels: list[list[int]]) -> None:
        self.labels = labels

    def differ(self, y: int, x: int, i: int, j: int) -> int:
        """1 if both pixels are inside and in different regions."""
        rows, columns = len(self.labels), len(self.labels[0])
        if not (y >= 0 and i < rows and x >= 0 and j < columns):
            return 0
        return int(self.labels[y][x] != self.labels[i][j])

    def hash(self, y: int, x: int, z: int, fy: int, fx: int) -> int:
        """One orientation's hash."""

        def f(i: int, t: int) -> int:
            return i if t == 1 else -1 - i

        h = 0
        for i in range(-z - 1, z + 1):
            for j in range(-z, z + 1):
                r, c = y + fy * j, x + f(i, fx)
                across = self.differ(r, c, r, c + 1)
                r, c = y + f(i, fy), x + fx * j
                along = self.differ(r, c, r + 1, c)
                h = (h + across + 2 * along + 1) * 0x9E3779B1 & M32
                h ^= h >> 15
        return h

    def all(self, y: int, x: int) -> list[int]:
        """The four patterns."""
        found = []
        for z in (1, 3):
            found.append(min(self.hash(y, x, z, fy, fx) for fy in (1, -1) for fx in (1, -1)))
            found.append(self.hash(y, x, z, 1, 1))
        return found


def decode_first_values(
    decoder: RangeDecoder,
    labels: list[list[int]],
    pieces: list[Node],
    step_index: int,
    depth: int,
    fine: bool,
    areas: list[int],
) -> tuple[list[int], int]:
    """First values in bases, by region, and the base in units. `areas` are the pixels of regions."""
    count = len(areas)
    lowest = max(step_index - 30, 16 * depth)
    if fine:
        lowest = min(lowest, 32 + 16 * depth)
    base = STEP[lowest]
    top = -(-4080 * 2**depth // base)
    require(count <= 512 * ((len(decoder.data) + 16) // 4 + 1 - decoder.moves), "more regions than the stream holds")

    def shift(region: int) -> int:
        n = len(pieces[region].pixels)
        most = (32 + 16 * depth - lowest) // 16 if fine and n >= 256 else 8
        return clip((step_index + 2 + 8 * (6 - floor_log2(n)) - lowest + 8) // 16, 0, most)

    model = _Model(top)
    boundaries, patterns = _boundaries(labels), _Patterns(labels)
    first_pixel: dict[int, tuple[int, int]] = {}
    for y, row in enumerate(labels):
        for x, label in enumerate(row):
            first_pixel.setdefault(label, (y, x))
    values: list[int | None] = [None] * count
    turn: dict[int, int] = {}
    for region in sorted(range(count), key=lambda i: (-areas[i], i)):
        before = [(-length, turn[j], j) for j, length in boundaries[region].items() if j in turn]
        near = [values[j] for _, _, j in sorted(before)[:2]]
        values[region] = model.decode(decoder, near, shift(region), patterns.all(*first_pixel[region]))
        turn[region] = len(turn)
    return values, base


class _Model:
    """A mixture of seven experts that adapts, and matches of surroundings."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.sizes = [max(16, 2 ** (c + 1)) for c in range(12)] * 2 + [128] * 12
        self.weights = {9 * g + s: list(WEIGHTS[g]) for g in range(4) for s in range(9)}
        self.seen: Counter = Counter()
        self.after: dict[int, Counter] = defaultdict(Counter)
        self.tables: list[dict[int, tuple[int, int]]] = [{} for _ in range(4)]
        self.trust = [[2**14] + [2**12 * (8 + r) for r in range(1, 8)] for _ in range(4)]

    def decode(self, decoder: RangeDecoder, near: list[int], s: int, patterns: list[int]) -> int:
        """One value, by those of its neighbours with the longest boundaries."""
        top, count = self.top, -(-self.top // 2**s) + 1
        a, b = (near[0], near[-1]) if near else (-1, -1)
        gap = abs(a - b)
        c = min(gap.bit_length(), 11)
        context = 9 * (0 if not near else 1 if len(near) == 1 else 2 if gap <= 2 ** (s + 1) else 3) + s
        experts = self.experts(near, s, c, count)
        w = self.weights[context]
        divisor = sum(w[k] * sum(experts[k]) for k in range(7)) >> 16
        masses = [2**8 * sum(w[k] * experts[k][j] for k in range(7)) // divisor for j in range(count)]
        matches = []
        for k in range(4):
            h = patterns[k] + 0x9E3779B1 * (a + 1) + 0x85EBCA6B * (b + 1)
            slot = (h * 0xC2B2AE35 & M32) >> 16
            held = self.tables[k].get(slot)
            if held is not None:
                p = self.trust[k][held[1]]
                masses = [mass * (2**16 - p) >> 16 for mass in masses]
                masses[self.symbol(held[0], s)] += 2**8 * p
            matches.append((slot, held))
        sums, total = [], 0
        for j, mass in enumerate(masses):
            sums.append(min(total * (2**16 - count) >> 24, 2**16 - count) + j)
            total += mass
        j = decoder.symbol([*sums, 2**16])
        v = min(j << s, top)
        self.learn(j, v, near, s, c, w, experts, matches)
        return v

    def symbol(self, v: int, s: int) -> int:
        """What a value counts as."""
        return v + 2**s // 2 >> s

    def experts(self, near: list[int], s: int, c: int, count: int) -> list[list[int]]:
        """Seven distributions over the symbols."""
        found = [[2**16 * (j + 1) // count - 2**16 * j // count for j in range(count)]]
        for values in (self.seen, self.after[near[0]] if near else Counter()):
            numbers = [0] * count
            for v, times in values.items():
                numbers[self.symbol(v, s)] += times
            n = sum(numbers)
            found.append([2**16 * number // n if n else 0 for number in numbers])
        a, b = (near[0], near[-1]) if near else (self.top // 2,) * 2
        logistic = network("values").logistic
        for m, i in ((16 * a, c), (8 * (a + b), 12 + c), (16 * a, 24 + s), (16 * b, c)):
            t = max(self.sizes[i], 2 ** (s + 1))
            edges = [
                logistic[clip(128 * (8 * (2 * j + 1) * 2**s - m) // t, -2048, 2047) + 2048] for j in range(count - 1)
            ]
            edges = [0, *edges, 2**16]
            found.append([edges[j + 1] - edges[j] for j in range(count)])
        return found

    def learn(
        self, j: int, v: int, near: list[int], s: int, c: int, w: list[int], experts: list, matches: list
    ) -> None:
        """Take a value into account."""
        u = [w[k] * (experts[k][j] + 1) for k in range(7)]
        for k in range(7):
            w[k] = max(w[k] + toward_zero(2**16 * u[k] // sum(u) - w[k], 24), 256)
        for k, (slot, held) in enumerate(matches):
            run = 0
            if held is not None:
                right = self.symbol(held[0], s) == j
                p = self.trust[k][held[1]]
                self.trust[k][held[1]] += toward_zero((64512 if right else 1024) - p, 16)
                run = min(held[1] + 1, 7) if right else 0
            self.tables[k][slot] = (v, run)
        self.seen[v] += 1
        if near:
            a, b = near[0], near[-1]
            self.after[a][v] += 1
            for i, d in (
                (c, 16 * min(abs(v - a), abs(v - b))),
                (12 + c, abs(16 * v - 8 * (a + b))),
                (24 + s, 16 * abs(v - a)),
            ):
                self.sizes[i] += toward_zero(d // 2 - self.sizes[i], 16)
