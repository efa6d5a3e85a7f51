"""Residuals (section 11.1)."""

from .common import require
from .ranges import RangeDecoder

BOUNDS = (1, 2, 3, 5, 7, 10, 15, 25, 51)
FIRST = [10, 28, 34, 38, 42, 46, 50, 54, 58, 62]
SECOND = [14, 24, 30, 34, 38, 42, 46, 50, 54, 58]


def _ones(i: int) -> int:
    m = (4 + i % 4) << i // 4
    return max(64, 2**16 * m // (m + 2**14))


def _passes(height: int, width: int) -> list[tuple[int, int, str, list[tuple[int, int]]]]:
    """Group, spacing, kind and pixels of each pass."""
    grid = [(y, x) for y in range(0, height, 16) for x in range(0, width, 16)]
    passes = [(0, 16, "first", grid)]
    for s in (8, 4, 2, 1):
        odd_both = [(y, x) for y in range(s, height, 2 * s) for x in range(s, width, 2 * s)]
        even_rows = [(y, x) for y in range(0, height, 2 * s) for x in range(s, width, 2 * s)]
        odd_rows = [(y, x) for y in range(s, height, 2 * s) for x in range(0, width, 2 * s)]
        group = {8: 0, 4: 0, 2: 1, 1: 2}[s]
        passes.append((group, s, "A", odd_both))
        passes.append((3 if s == 1 else group, s, "B", even_rows + odd_rows))
    return passes


def decode_residual(data: bytes, shape: tuple[int, int]) -> list[list[int]]:
    """An integer for each pixel."""
    height, width = shape
    decoder = RangeDecoder(data)
    residual = [[0] * width for _ in range(height)]
    group_before, parameters = -1, []
    for group, s, kind, pixels in _passes(height, width):
        if group != group_before:
            group_before, told = group, [decoder.raw() for _ in range(10)]
            parameters = [(decoder.raw(6), decoder.raw(6)) if told[i] else (FIRST[i], SECOND[i]) for i in range(10)]
        offsets = {"first": [], "A": [(-s, -s), (-s, s), (s, -s), (s, s)], "B": [(-s, 0), (s, 0), (0, -s), (0, s)]}
        predictions, contexts = [], []
        for y, x in pixels:
            near = [(y + dy, x + dx) for dy, dx in offsets[kind]]
            near = [residual[i][j] for i, j in near if 0 <= i < height and 0 <= j < width]
            a, m = sum(near), sum(abs(r) for r in near)
            size = (abs(a) + 2) // 4 if m >= 8 else 0
            predictions.append(size if a > 0 else -size)
            contexts.append(sum(bound <= m for bound in BOUNDS))
        for (y, x), prediction, d in zip(pixels, predictions, _differences(decoder, contexts, parameters), strict=True):
            residual[y][x] = prediction + d
            require(abs(residual[y][x]) < 2**20, "a residual is too large")
    decoder.end()
    return residual


def _differences(decoder: RangeDecoder, contexts: list[int], parameters: list[tuple[int, int]]) -> list[int]:
    sizes = [decoder.bit(_ones(parameters[context][0])) for context in contexts]
    there = [i for i, size in enumerate(sizes) if size]
    signs = {i: decoder.raw() for i in there}
    alive = there
    for _ in range(24):
        alive = [i for i in alive if decoder.bit(_ones(parameters[contexts[i]][1]))]
        for i in alive:
            sizes[i] += 1
    for i, excess in zip(alive, decoder.excesses(len(alive)), strict=True):
        sizes[i] += excess
    return [-size if signs.get(i) else size for i, size in enumerate(sizes)]
