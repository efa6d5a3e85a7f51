"""Contours: the cracks between pixels, and the regions that they divide (section 10.2)."""

from .common import floor_log2
from .mixing import M32, Bits, Mixer, move, scramble

A, B, C, D, E = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x3C6EF372
MASKS = {
    5: (0xC0000000, 0x000B0000, 0x00000000, 0x00000000),
    8: (0xD0000000, 0x000BC000, 0x00000000, 0x00000000),
    12: (0xD0000000, 0x002FC000, 0x000A0000, 0x00000000),
    14: (0xD0000000, 0x002FD000, 0x000A8000, 0x00000000),
    17: (0xF0000000, 0x002FF000, 0x000B8000, 0x00000000),
    23: (0xF4000000, 0x003FF000, 0x002FC000, 0x00020000),
    32: (0xFC000000, 0x00BFF400, 0x00BFF000, 0x000A8000),
    36: (0xFC000000, 0x00BFFC00, 0x00BFF000, 0x002BC000),
}


def klass(d: int) -> int:
    """A class of sizes, 0 to 15."""
    if d < 4:
        return d
    e = floor_log2(d)
    return min(2 * e + (d >> e - 1 & 1), 15)


def least(low: int, high: int, shift: int, pixels: int) -> int:
    """The least g of low..high with 2^(g + shift) >= pixels, else high."""
    return next((g for g in range(low, high) if 2 ** (g + shift) >= pixels), high)


class Cells:
    """Cells of pixels (1: a crack above, 2: one on the left), and what is seen of them at a pixel."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.cells = [[0] * width for _ in range(height)]
        self.row_of = [-1] * width  # the last row of a column with a cell that is not 0
        self.last = None

    def at(self, y: int, x: int) -> int:
        """A cell; 0 outside."""
        return self.cells[y][x] if 0 <= y < self.height and 0 <= x < self.width else 0

    def look(self, y: int, x: int) -> None:
        """Set the windows, `up`, `left`, `since` and `rows` of a pixel. Pixels are looked at in raster order."""
        if x == 0:
            self.last = None
        self.w = [sum(self.at(y, x - 16 + i) << 2 * i for i in range(16))]
        self.w += [sum(self.at(y - k, x - 8 + i) << 2 * i for i in range(16)) for k in (1, 2, 3)]
        self.up, self.left = self.w[1] >> 17 & 1, self.w[0] >> 30 & 1
        self.since = 255 if self.last is None else min(x - self.last, 255)
        self.rows = min(y - self.row_of[x], 255)
        w = self.w
        self.quiet = w[0] >> 26 == 0 and w[1] & 0x00FFFC00 == 0 and w[2] & 0x003FF000 == 0
        self.near = (w[0] >> 29) + 8 * (w[1] >> 14 & 15) + 128 * (w[1] >> 19 & 1)

    def put(self, y: int, x: int, cell: int) -> None:
        """Set the cell of the pixel that was looked at."""
        self.cells[y][x] = cell
        if cell:
            self.last, self.row_of[x] = x, y

    def crack(self, y: int, x: int, direction: int) -> int:
        """The crack from a vertex, the upper left corner of pixel (y, x), up, right, down or left."""
        if direction == 0:
            return self.at(y - 1, x) >> 1
        if direction == 2:
            return self.at(y, x) >> 1
        return self.at(y, x if direction == 1 else x - 1) & 1

    def way(self, y: int, x: int, direction: int) -> int:
        """16 steps of two bits from the vertex."""
        way = 0
        for step in range(16):
            y += (-1, 0, 1, 0)[direction]
            x += (0, 1, 0, -1)[direction]
            turns = [direction, (direction - 1) % 4, (direction + 1) % 4]
            there = [turn for turn in turns if self.crack(y, x, turn)]
            way = 4 * way + (turns.index(there[0]) if len(there) == 1 else 3)
            if not there:
                return (way + 1 << 2 * (15 - step)) - 1
            direction = there[0]
        return way

    def ways(self, y: int, x: int) -> tuple[int, int]:
        """The ways up and left, 0 where there is none."""
        return self.way(y, x, 0) if self.up else 0, self.way(y, x, 3) if self.left else 0


def _contexts(cells: Cells, way_up: int, way_left: int) -> list[int]:
    w, up, left = cells.w, cells.up, cells.left
    chain, arm = way_up if up else way_left, up + 2 * left
    contexts = []
    for n in (5, 14, 23, 36):
        parts = [value & mask for value, mask in zip(w, MASKS[n], strict=True)]
        contexts.append(A * parts[0] + B * parts[1] + C * parts[2] + D * parts[3])
    for n in (8, 12):
        both = (way_up >> 32 - n << n) + (way_left >> 32 - n)
        contexts.append(A * (both if up and left else chain >> 32 - 2 * n) + B * arm)
    ahead = next((k for k in range(7) if w[1] >> 19 + 2 * k & 1), 7)
    contexts.append(arm + 4 * klass(cells.since) + 64 * klass(cells.rows) + A * ahead + B * (chain >> 28))
    contexts.append(A * (chain >> 20) + C * (w[0] & MASKS[14][0]) + B * (w[1] & MASKS[14][1]) + arm)
    contexts.append(A * (w[1] >> 6) + B * (w[0] >> 28))
    return contexts


def decode_contours(data: bytes, shape: tuple[int, int]) -> Cells:
    """All cells of a picture."""
    height, width = shape
    bits, cells = Bits(data), Cells(height, width)
    mixer = Mixer(9, 8, (768, 2048), (255, 3, 1, 6), 600)
    calm: dict[int, list[int]] = {}
    patterns: dict[int, list[int]] = {}
    g = least(10, 18, 4, height * width)
    for y in range(height):
        for x in range(width):
            if (y, x) == (0, 0):
                continue
            cells.look(y, x)
            up, left, w = cells.up, cells.left, cells.w
            if cells.quiet:
                number = 1 if y == 0 else 0 if x == 0 else 16 * klass(cells.since) + klass(cells.rows)
                bit = bits.adaptive(calm.setdefault(number, [2**26 // 300, 0]))
                cells.put(y, x, 0 if bit == 0 else 2 if y == 0 else 1 if x == 0 else 3)
                continue
            pattern = (w[0] >> 28) + 16 * (w[1] >> 14 & 255) + 2**12 * (w[2] >> 16 & 3)
            entry = patterns.setdefault(pattern, [2**26 // 40, 2])
            if up + left == 0 and y > 0 and x > 0 and entry[0] < 2**26 // 100:
                cells.put(y, x, 3 * bits.adaptive(entry))
                continue
            hashes: list[int] = []

            def mixed(node: int, kind: int, y: int = y, x: int = x, hashes: list[int] = hashes, up: int = up) -> int:
                way_up, way_left = cells.ways(y, x)
                if not hashes:
                    contexts = _contexts(cells, way_up, way_left)
                    hashes += [scramble(context + E * i & M32) for i, context in enumerate(contexts)]
                rows = [
                    16 * kind + klass(cells.since),
                    256 * node + cells.near,
                    256 * kind + ((way_up if up else way_left) >> 24),
                ]
                places = [(4 * (h >> 32 - g) + node, (h & 255) | 1) for h in hashes]
                return mixer.bit(bits, kind, places, rows, rows[1:])

            above = 0 if y == 0 else mixed(0, up + 2 * left)
            if up + left == 0:
                move(entry, above)
            if x == 0:
                beside = 0
            elif y > 0 and up + left == 0:
                beside = above
            elif y > 0 and up + left == 1 and above == 0:
                beside = 1
            else:
                beside = mixed(1 + above, 6 + above if up + left == 2 else 4 + left)
            cells.put(y, x, above + 2 * beside)
    bits.end()
    return cells


def regions(cells: Cells) -> list[list[int]]:
    """The number of each pixel's region."""
    labels = [[-1] * cells.width for _ in range(cells.height)]
    count = 0
    for y in range(cells.height):
        for x in range(cells.width):
            if labels[y][x] >= 0:
                continue
            labels[y][x], ends = count, [(y, x)]
            while ends:
                i, j = ends.pop()
                for direction, (a, b) in enumerate([(i - 1, j), (i, j + 1), (i + 1, j), (i, j - 1)]):
                    if not (0 <= a < cells.height and 0 <= b < cells.width) or labels[a][b] >= 0:
                        continue
                    # the crack between: above the lower pixel, on the left of the right one
                    lower, right = max(i, a), max(j, b)
                    if not cells.cells[lower][right] >> direction % 2 & 1:
                        labels[a][b] = count
                        ends.append((a, b))
            count += 1
    return labels
