"""Flags of cells: trees and free masks (section 8), and where their values stand (section 5)."""

from typing import NamedTuple

from .common import clip
from .networks import network
from .ranges import RangeDecoder

WIDE = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
NEAR = [(dy, dx) for dy, dx in WIDE if abs(dy) <= 1 and abs(dx) <= 1]
PASSES = [(0, 0), (1, 1), (0, 1), (1, 0)]
NONE, UNKNOWN = -2, -1


class Value(NamedTuple):
    """A coded value: its position, the side of its cell, the pixels at which it stands."""

    y: int
    x: int
    side: int
    pixels: list[tuple[int, int]]


def _at(grid: list[list[int]], y: int, x: int) -> int:
    inside = 0 <= y < len(grid) and 0 <= x < len(grid[0])
    return grid[y][x] if inside else NONE


def _inputs(
    grids: list[list[list[int]]], shape: tuple[int, int], log2: int, turn: int, y: int, x: int, shares: list[int]
) -> list[int]:
    around = [_at(grids[-1], y + dy, x + dx) for dy, dx in WIDE]
    inputs = [int(flag != NONE) for flag in around]
    inputs += [{0: -1, 1: 1}.get(flag, 0) for flag in around]
    for up, offsets in ((1, WIDE), (2, NEAR)):
        if len(grids) > up:
            flags = [_at(grids[-1 - up], (y >> up) + dy, (x >> up) + dx) for dy, dx in offsets]
            inputs += [-1 if flag == NONE else flag for flag in flags]
        else:
            inputs += [0] * len(offsets)
    inputs += [int(i == log2) for i in range(8)] + [int(i == turn) for i in range(4)]
    side = 1 << log2
    last = (y == len(grids[-1]) - 1 and shape[0] % side > 0) or (x == len(grids[-1][0]) - 1 and shape[1] % side > 0)
    return [1024 * i for i in inputs] + shares + [1024 * last]


def _levels(decoder: RangeDecoder, shape: tuple[int, int], name: str, first: int, last: int) -> list[list[list[int]]]:
    """Grids of flags (NONE, 0 or 1) of the sides 2^first .. 2^last."""
    net = network(name)
    grids: list[list[list[int]]] = []
    shares = [512, 512]
    for log2 in range(first, last - 1, -1):
        side = 1 << log2
        rows, columns = -(-shape[0] // side), -(-shape[1] // side)
        grid = [[NONE] * columns for _ in range(rows)]
        for y in range(rows):
            for x in range(columns):
                pixels = min(side, shape[0] - y * side) * min(side, shape[1] - x * side)
                if (not grids or grids[-1][y >> 1][x >> 1] == 1) and (name == "mask" or pixels > 1):
                    grid[y][x] = UNKNOWN
        grids.append(grid)
        for turn, (py, px) in enumerate(PASSES):
            cells = [(y, x) for y in range(py, rows, 2) for x in range(px, columns, 2) if grid[y][x] == UNKNOWN]
            if not cells:
                continue
            outputs = net.outputs([_inputs(grids, shape, log2, turn, y, x, shares) for y, x in cells])
            for (y, x), (z,) in zip(cells, outputs, strict=True):
                ones = net.logistic[clip(z + 1 >> 1, -4096, 4095) + 4096]
                grid[y][x] = decoder.bit(clip(ones, 16, 2**16 - 16))
        flags = [flag for row in grid for flag in row if flag != NONE]
        shares = [1024 * sum(flags) // max(len(flags), 1), shares[0]]
    return grids


def decode_free_mask(decoder: RangeDecoder, shape: tuple[int, int]) -> list[list[int]]:
    """The set pixels, 0 or 1 each."""
    return [[int(flag == 1) for flag in row] for row in _levels(decoder, shape, "mask", 5, 0)[-1]]


def values_of_mask(mask: list[list[int]], side: int) -> list[Value]:
    """A value at each set pixel."""
    return [Value(y, x, side, [(y, x)]) for y, row in enumerate(mask) for x, flag in enumerate(row) if flag]


def decode_tree(decoder: RangeDecoder, shape: tuple[int, int], log2: int) -> list[Value]:
    """The values of the leaves of a tree, in their order."""
    grids = _levels(decoder, shape, "tree", log2, 1)
    values = []
    for up, k in enumerate(range(log2, -1, -1)):
        side = 1 << k
        for y in range(-(-shape[0] // side)):
            for x in range(-(-shape[1] // side)):
                exists = up == 0 or grids[up - 1][y >> 1][x >> 1] == 1
                if exists and (k == 0 or grids[up][y][x] != 1):
                    values.append(_leaf(shape, y * side, x * side, side))
    return values


def _leaf(shape: tuple[int, int], top: int, left: int, side: int) -> Value:
    h, w, r = min(side, shape[0] - top), min(side, shape[1] - left), max(1, side // 8)
    y, x = top + h // 2, left + w // 2
    pixels = [(y, x)]
    if h >= 4 * r and w >= 4 * r:
        pixels = [(i, j) for i in range(y - r, y + r) for j in range(x - r, x + r)]
    return Value(y, x, side, pixels)
