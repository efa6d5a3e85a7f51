"""Samples by context mixing, and values of regions without loss (sections 11.2 and 11.3)."""

from collections import Counter

from .common import clip, log2_fixed, require
from .contours import MASKS, A, B, C, Cells, D, klass, least
from .mixing import M32, Bits, Mixer, scramble

NUMBER = 0x3C6EF372


def J(a: int, b: int = 0, c: int = 0, d: int = 0) -> int:  # noqa: N802 (the document's name)
    """A hash of up to four numbers."""
    return A * a + B * b + C * c + D * d & M32


def coarse(d: int) -> int:
    """A class of differences."""
    return 2 * klass(abs(d)) + (d < 0)


def zz(d: int, limit: int) -> int:
    """A limited difference as a number that is not negative."""
    d = clip(d, -limit, limit)
    return 2 * d if d >= 0 else -2 * d - 1


def median(t: int, a: int, b: int) -> int:
    """The median."""
    return max(min(a, b), min(max(a, b), t))


PLACES = {
    **{"W": (0, -1), "N": (-1, 0), "NE": (-1, 1), "NW": (-1, -1), "WW": (0, -2), "NN": (-2, 0), "NEE": (-1, 2)},
    **{"NNE": (-2, 1), "NNW": (-2, -1), "WWW": (0, -3), "NEEE": (-1, 3)},
}


class _Samples:
    def __init__(self, data: bytes, shape: tuple[int, int], levels: list[int]) -> None:
        self.height, self.width = shape
        self.levels = levels
        self.bits, self.cells = Bits(data), Cells(*shape)
        self.place = Mixer(17, 4, (1024, 1024), (255, 3, 2, 5), 350)
        self.residue = Mixer(20, 12, (256, 384), (255, 3, 2, 5), 300)
        self.calm: dict[int, list[int]] = {}
        self.g = least(14, 22, -2, self.height * self.width)
        self.nothing = (0,) * len(levels)
        self.pixels = [[self.nothing] * self.width for _ in range(self.height)]
        self.residues: dict[tuple[int, int], tuple[int, ...]] = {}

    def at(self, y: int, x: int) -> tuple[int, ...]:
        """A pixel, or what stands for it outside."""
        if x < 0:
            y, x = y - 1, 0
        return self.pixels[y][min(x, self.width - 1)] if y >= 0 else self.nothing

    def decode(self) -> list[list[tuple[int, ...]]]:
        """All pixels."""
        for y in range(self.height):
            for x in range(self.width):
                self.cells.look(y, x)
                self.near = {name: self.at(y + dy, x + dx) for name, (dy, dx) in PLACES.items()}
                pixel = self.pixels[y][x] = self.pixel(y, x)
                cell = int(y > 0 and pixel != self.near["N"]) + 2 * int(x > 0 and pixel != self.near["W"])
                self.cells.put(y, x, cell)
        self.bits.end()
        return self.pixels

    def pixel(self, y: int, x: int) -> tuple[int, ...]:
        """The pixel, by the three steps."""
        cells, near = self.cells, self.near
        tried = []
        if cells.quiet and near["W"] == near["N"]:
            number = 16 * klass(cells.since) + klass(cells.rows)
            if not self.bits.adaptive(self.calm.setdefault(number, [2**26 // 300, 0])):
                return near["W"]
            tried.append(near["W"])
        way_up, way_left = cells.ways(y, x)
        self.chain = way_up if cells.up else way_left
        hashes: list[int] = []
        for i, name in enumerate(("W", "N", "NE", "NW")):
            if near[name] in tried:
                continue
            tried.append(near[name])
            if not hashes:
                hashes = [scramble(context + NUMBER * k) for k, context in enumerate(self.place_contexts())]
            places = [(4 * (h >> 34 - self.g) + i, (h & 255) | 1) for h in hashes]
            rows = [256 * i + cells.near, 16 * i + klass(cells.since), 256 * i + (self.chain >> 24)]
            if self.place.bit(self.bits, i, places, rows, [rows[0], rows[2]]):
                return near[name]
        found: list[int] = []
        residues: list[int] = []
        for c in range(len(self.levels)):
            p, contexts, activity, trouble = self.residue_contexts(y, x, c, found, residues)
            r = self.difference(c, contexts, activity, trouble)
            require(0 <= p + r < self.levels[c], "a sample is out of its range")
            found.append(p + r)
            residues.append(r)
        self.residues[y, x] = tuple(residues)
        return tuple(found)

    def place_contexts(self) -> list[int]:
        """The contexts of the mixer of places."""
        cells, near, w = self.cells, self.near, self.cells.w

        def v(name: str) -> int:
            hashed = 0
            for sample in near[name]:
                hashed = 0x2C1B3C6D * hashed + sample + 1 & M32
            return hashed

        W, N, NE, NW, WW, NN, NEE, NNE, NNW, WWW, NEEE = (v(name) for name in PLACES)
        contexts = [J(*(a & b for a, b in zip(w, MASKS[n], strict=True))) for n in (5, 8, 12, 17, 23, 32)]
        equal = int(near["W"] == near["N"])
        contexts += [J(self.chain >> 32 - 2 * n, cells.up + 2 * cells.left, 1, equal) for n in (4, 8, 12)]
        contexts += [J(W, N, NE, NW), J(W, N, 31 * NE + NW, 31 * WW + NN), J(W, N, 2)]
        contexts += [J(W, klass(cells.since), klass(cells.rows), 3), J(W, N, NE, 31 * NEE + NEEE), J(W, WW, WWW, 5)]
        contexts += [J(N, NN, 31 * NNE + NNW, W)]
        W0, N0, NE0, NW0 = (near[name][0] for name in ("W", "N", "NE", "NW"))
        contexts += [J(coarse(W0 - N0), coarse(N0 - NE0), coarse(W0 - NW0), w[0] >> 28)]
        return contexts

    def residue_contexts(self, y: int, x: int, c: int, found: list[int], residues: list[int]) -> tuple:
        """Prediction, contexts, activity and trouble."""
        near, w = self.near, self.cells.w
        W, N, NE, NW, WW, NN, NEE, NNE = (near[name][c] for name in ("W", "N", "NE", "NW", "WW", "NN", "NEE", "NNE"))
        eW, eN, eNE, eNW = (
            self.residues.get((y + PLACES[name][0], x + PLACES[name][1]), self.nothing)[c]
            for name in ("W", "N", "NE", "NW")
        )
        p = m = median(W + N - NW, W, N)
        first = second = 0
        if c > 0:
            dW, dN, dNW = (near[name][c] - near[name][c - 1] for name in ("W", "N", "NW"))
            p = clip(found[c - 1] + median(dW + dN - dNW, dW, dN), 0, self.levels[c] - 1)
            first, second = residues[c - 1], p - m
        activity = klass(abs(W - NW) + abs(N - NW) + abs(N - NE))
        trouble = klass(abs(eW) + abs(eN) + abs(eNE) + abs(eNW))
        slopes = coarse(W - p) + 2**5 * coarse(N - p) + 2**10 * coarse(NW - p) + 2**15 * coarse(NE - p)
        errors = coarse(eW) + 2**5 * coarse(eN) + 2**10 * coarse(eNW) + 2**15 * coarse(eNE)
        contexts = [
            J(activity, 1, trouble),
            J(zz(W - p, 255), zz(N - p, 255), 2),
            J(zz(W - p, 255), zz(NE - p, 255), 3),
            J(zz(N - p, 255), zz(NW - p, 255), zz(NE - p, 255), 4),
            J(slopes, 5),
            J(slopes, coarse(WW - p) + 2**5 * coarse(NN - p) + 2**10 * coarse(NEE - p), 6),
            J(W, p, 7),
            J(W, N, 8),
            J(W, N, NW, NE + 9),
            J(p, 10),
            J(zz(eW, 63), zz(eN, 63), 11),
            J(errors, 12),
            J(zz(first, 255), zz(second, 31), coarse(W - p), 13),
            J(zz(2 * W - WW - p, 127), zz(2 * N - NN - p, 127), 14),
            J(zz(W + NE - N - p, 127), zz(N + NE - NNE - p, 127), 15),
            J(w[0] >> 28 | w[1] & 0x003FF000, coarse(W - N), coarse(N - NE), 16),
            J(activity, coarse(eW), coarse(W - N), 17),
            J(W, WW, p, 18),
            J(N, NN, NE, 19),
            J(coarse(first), trouble, activity, 20),
        ]
        return p, [context + 0x632BE5AB * c & M32 for context in contexts], activity, trouble

    def difference(self, c: int, contexts: list[int], activity: int, trouble: int) -> int:
        """A residue."""

        def bit(node: int, kind: int) -> int:
            hashes = [scramble(context + NUMBER * (256 * i + node)) for i, context in enumerate(contexts)]
            places = [(h >> 32 - self.g, (h & 255) | 1) for h in hashes]
            rows = [64 * c + min(node, 63), 16 * kind + activity, 32 * kind + 2 * trouble + (activity > 4)]
            return self.residue.bit(self.bits, kind, places, rows, [rows[0], rows[2]])

        if not bit(0, 0):
            return 0
        negative = bit(1, 1)
        z = 0
        while z < 17 and bit(2 + z + 20 * negative, 2 + min(z, 4)):
            z += 1
        number = 1
        for t in range(z):
            if t < 3:
                number = 2 * number + bit(64 + 8 * z + number % 2**t + 2**t - 1, 7 + t)
            else:
                number = 2 * number + bit(220 + z - 1 - t, 10)
        return -number if negative else number


def decode_samples(data: bytes, shape: tuple[int, int], levels: list[int]) -> list[list[tuple[int, ...]]]:
    """Pixels, a tuple of all channels each."""
    return _Samples(data, shape, levels).decode()


def decode_colours(data: bytes, labels: list[list[int]], colours: int) -> list[int]:
    """The colour of each region, numbered as they occur first."""
    bits = Bits(data)
    firsts: dict[int, tuple[int, int]] = {}
    neighbours: dict[int, set[int]] = {}
    for y, row in enumerate(labels):
        for x, label in enumerate(row):
            firsts.setdefault(label, (y, x))
            for i, j in ((y - 1, x), (y, x - 1)):
                if i >= 0 and j >= 0 and labels[i][j] != label:
                    neighbours.setdefault(label, set()).add(labels[i][j])
                    neighbours.setdefault(labels[i][j], set()).add(label)
    found = [0]
    uses = Counter({0: 1})
    places: Counter = Counter({0: 1})  # of the first region, with t = 0
    new_chance, after_new = [2**15, 2**15], 1
    scores = [0, 0, 0]
    for region in range(1, len(firsts)):
        y, x = firsts[region]
        t = found[labels[y - 1][x] if y else labels[y][x - 1]]
        seen = len(uses)
        barred = {found[j] for j in neighbours.get(region, ()) if j < region}
        new = len(barred) == seen
        if new:
            require(seen < colours, "no colour is left")
        elif seen < colours:
            p = new_chance[after_new]
            new = bool(bits.bit(p))
            p += 65536 - p >> 5 if new else -(p >> 5)
            new_chance[after_new] = clip(p, 32, 65504)
        colour = seen
        if not new:
            bits.spend(seen)
            weights = [
                [0 if k in barred else 1 + 2 * uses[k] + f * places[(A * t + B * k & M32) >> 16] for k in range(seen)]
                for f in (0, 4, 32)
            ]
            chosen = weights[scores.index(min(scores))]
            low, high = 0, seen
            while high - low > 1:
                middle = low + high >> 1
                total, part = sum(chosen[low:high]), sum(chosen[middle:high])
                upper = part > 0
                if 0 < part < total:
                    upper = bits.bit(clip(2**16 * part // total, 1, 65535))
                low, high = (middle, high) if upper else (low, middle)
            colour = low
            for i in range(3):
                scores[i] += log2_fixed(sum(weights[i])) - log2_fixed(weights[i][colour]) - (scores[i] >> 5)
        found.append(colour)
        uses[colour] += 1
        place = (A * t + B * colour & M32) >> 16
        places[place] = min(places[place] + 1, 65535)
        after_new = int(new)
    require(len(uses) == colours, "colours that do not occur")
    bits.end()
    return found
