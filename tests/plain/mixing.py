"""Bits by context mixing (section 10.1)."""

from .common import clip, require

LOGISTIC = [
    *(32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030),
    *(64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508),
    *(65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535, 65535),
]
M32 = 2**32 - 1


def squash(x: int) -> int:
    """The probability of 2^16 that belongs to a logit."""
    a = min(abs(x), 2815)
    k, t = a >> 6, a & 63
    p = LOGISTIC[k] * (64 - t) + LOGISTIC[k + 1] * t >> 6
    return p if x >= 0 else 65536 - p


def _stretches() -> list[int]:
    table, x = [], -2815
    for p in range(4096):
        while x < 2815 and squash(x) < 16 * p + 8:
            x += 1
        table.append(x)
    return table


STRETCH = _stretches()
RATE = [131072 // (2 * n + 3) for n in range(256)]


def scramble(x: int) -> int:
    """A hash of 32 bits."""
    x &= M32
    x ^= x >> 15
    x = x * 0x2C1B3C6D & M32
    x ^= x >> 12
    x = x * 0x297A2D39 & M32
    return x ^ x >> 15


class Bits:
    """The bit coder."""

    def __init__(self, data: bytes) -> None:
        self.data, self.taken, self.work = data, 0, 0
        self.low, self.high, self.point = 0, M32, 0
        for _ in range(4):
            self.point = self.point << 8 | self.byte()

    def byte(self) -> int:
        """The next byte; zeros behind the end."""
        require(self.taken < len(self.data) + 8, "the stream ends too early")
        self.taken += 1
        return self.data[self.taken - 1] if self.taken <= len(self.data) else 0

    def bit(self, ones: int) -> int:
        """A bit with so many ones of 2^16."""
        middle = self.low + ((self.high - self.low) * ones >> 16)
        bit = int(self.point <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.low = self.low << 8 & M32
            self.high = (self.high << 8 & M32) | 255
            self.point = (self.point << 8 & M32) | self.byte()
        return bit

    def adaptive(self, entry: list[int]) -> int:
        """A bit of an entry [p, n], which learns from it."""
        bit = self.bit(max(entry[0] >> 10, 1))
        move(entry, bit)
        return bit

    def spend(self, units: int) -> None:
        """Work, of which the bytes must be worthy."""
        self.work += units
        require(self.work <= 2**21 + 2**15 * len(self.data), "too much work for so few bytes")

    def end(self) -> None:
        """Nothing may follow, except bytes that the work asks for."""
        asked = self.work > 2**21 + 2**15 * (len(self.data) - 1)
        require(self.taken >= len(self.data) + 3 or asked, "the stream goes on")


def move(entry: list[int], bit: int) -> None:
    """An entry [p, n] learns from a bit."""
    p, n = entry
    entry[0] = p + (((2**26 - 1) * bit - p) * RATE[8 * n + 6] >> 16)
    entry[1] = min(n + 1, 31)


class Mixer:
    """Contexts foretell a bit, and weights that learn mix what they say."""

    def __init__(self, contexts: int, kinds: int, stages: tuple[int, int], rates: tuple[int, ...], weight: int) -> None:
        self.n = contexts
        self.limit, self.a, self.b, self.c = rates
        self.slots: list[dict[int, list[int]]] = [{} for _ in range(contexts)]
        self.maps: dict[tuple[int, ...], list[int]] = {}
        self.weights: dict[tuple[int, int], list[int]] = {}
        self.weight = weight
        self.final = [[21845] * 3 for _ in range(kinds)]
        self.start = [squash(64 * (k - 45)) for k in range(91)]
        self.stages: dict[tuple[int, int], list[int]] = {}

    def bit(self, bits: Bits, kind: int, hashes: list[tuple[int, int]], rows: list[int], stages: list[int]) -> int:
        """Decode and learn; `hashes` are a place and a check for each context."""
        slots, maps, x = [], [], []
        for i, (place, check) in enumerate(hashes):
            slot = self.slots[i].get(place)
            if slot is None or slot[0] != check:
                slot = self.slots[i][place] = [check, 2**15, 0, 0, 0]
            _, p, n0, n1, last = slot
            entry = self.maps.get((i, kind, n0, n1, last))
            if entry is None:
                entry = self.maps[i, kind, n0, n1, last] = [(5 * n1 + 2) * 4194303 // (5 * (n0 + n1) + 4), 0]
            slots.append(slot)
            maps.append(entry)
            x += [STRETCH[entry[0] >> 10], STRETCH[p >> 4]]
        x.append(256)
        sets = [self.weights.setdefault((s, row), [self.weight] * len(x)) for s, row in enumerate(rows)]
        d = []
        for weights in sets:
            total = sum(map(int.__mul__, weights, x))
            total = (total + 2**31 & M32) - 2**31
            d.append(clip(total >> 13, -2815, 2815))
        final = self.final[kind]
        m = clip(sum(f * each for f, each in zip(final, d, strict=True)) >> 16, -2815, 2815)
        p0 = squash(m)
        k, t = m + 2880 >> 6, m + 2880 & 63
        curves = [self.stages.setdefault((j, row), list(self.start)) for j, row in enumerate(stages)]
        g = [curve[k] * (64 - t) + curve[k + 1] * t >> 6 for curve in curves]
        bits.spend(4)
        bit = bits.bit(clip(2 * p0 + g[0] + g[1] >> 2, 1, 65535))

        for s, weights in enumerate(sets):
            e = (65536 * bit - squash(d[s])) * self.a >> 5
            for i, each in enumerate(x):
                weights[i] = clip(weights[i] + (each * e + 2**15 >> 16), -(2**15), 2**15 - 1)
            final[s] += d[s] * (65536 * bit - p0) * self.b + 2**17 >> 18
        for curve in curves:
            at = k + (t >> 5)
            curve[at] += 65535 * bit - curve[at] >> self.c
        for slot, entry in zip(slots, maps, strict=True):
            entry[0] += (4194303 * bit - entry[0]) * RATE[entry[1]] >> 16
            entry[1] = min(entry[1] + 1, self.limit)
            own, other = (3, 2) if bit else (2, 3)
            slot[1] += (65535 * bit - slot[1]) * RATE[slot[2] + slot[3]] >> 16
            slot[own] = min(slot[own] + 1, 10)
            if slot[other] > 2:
                slot[other] = (slot[other] + 2) // 2
            slot[4] = bit
        return bit
