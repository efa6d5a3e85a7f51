"""Tiles of a plane: which of them a restoration leaves alone, and rectangles that cover the others.

A restoration sees some pixels around what it corrects, so a small rectangle costs much more than its area: rectangles
are divided only where that saves work. How they are chosen does not matter for the result, up to rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SIDE = 128  # pixels of a tile
SMOOTH_LOG2 = 4  # leaves of at least this side, log2, need no correction
MOST_ALONE = 0.75  # of the tiles; where more of them qualify all of the error may lie there, and none is left alone
LARGEST = 11  # tiles of a rectangle's side: bounds the memory that a restoration takes,
SHORT = 10  # and this where memory is short
LONG = 256  # tiles of a side from which on it is halved: to look at every cut takes the square of the time

Part = tuple[slice, slice]
Rectangle = tuple[int, int, int, int]  # top, bottom, left, right, in tiles


@dataclass(frozen=True)
class Window:
    """A rectangle of tiles.

    Attributes
    ----------
    seen : two slices
        Its rows and columns in the plane, and the margin around them.
    tile : two slices
        Its rows and columns in the plane.
    inside : two slices
        The same in `seen`.
    wanted : (H, W) bool, optional
        Its pixels that are not left alone; None for all.
    """

    seen: Part
    tile: Part
    inside: Part
    wanted: np.ndarray | None


def all_tiles(shape: tuple[int, int]) -> np.ndarray:
    """Every tile of a plane is wanted, (ceil(H / 128), ceil(W / 128)) bool."""
    return np.ones(tuple(-(-side // SIDE) for side in shape), dtype=bool)


def rough_tiles(side_log2: np.ndarray) -> np.ndarray:
    """The tiles that a restoration does not leave alone, (ceil(H / 128), ceil(W / 128)) bool.

    Parameters
    ----------
    side_log2 : (H, W) uint8
        log2 of the side of the cell that holds each pixel.
    """
    rows, columns = (np.arange(0, side, SIDE) for side in side_log2.shape)
    least = np.minimum.reduceat(np.minimum.reduceat(side_log2, rows, axis=0), columns, axis=1)
    rough = least < SMOOTH_LOG2
    return rough if np.count_nonzero(~rough) <= MOST_ALONE * rough.size else np.ones_like(rough)


def windows(tiles: np.ndarray, shape: tuple[int, int], margin: int, *, short: bool = False) -> Iterator[Window]:
    """Windows whose rectangles cover the wanted `tiles` of a plane and do not overlap; smaller if memory is short."""
    most = min(SHORT, LARGEST) if short else LARGEST
    for top, bottom, left, right in _rectangles(tiles, margin / SIDE, most, (0, tiles.shape[0], 0, tiles.shape[1])):
        tile, seen, inside = [], [], []
        for first, last, side in ((top, bottom, shape[0]), (left, right, shape[1])):
            start, end = SIDE * first, min(SIDE * last, side)
            begin = max(0, start - margin)
            tile.append(slice(start, end))
            seen.append(slice(begin, min(end + margin, side)))
            inside.append(slice(start - begin, end - begin))
        chosen = tiles[top:bottom, left:right]
        wanted = None
        if not chosen.all():
            full = chosen.repeat(SIDE, axis=0).repeat(SIDE, axis=1)
            wanted = full[: tile[0].stop - tile[0].start, : tile[1].stop - tile[1].start]
        yield Window(tuple(seen), tuple(tile), tuple(inside), wanted)


def _rectangles(tiles: np.ndarray, margin: float, most: int, within: Rectangle) -> list[Rectangle]:
    """Rectangles of at most `most` tiles' side around the wanted tiles in one.

    It is cut where both parts promise to cost least, if they then do cost less, or if it is too large.
    """
    whole = _around(tiles, within)
    if whole is None:
        return []
    top, bottom, left, right = whole
    fits = max(bottom - top, right - left) <= most
    if fits and tiles[top:bottom, left:right].all():
        return [whole]
    # the middle first: of cuts that promise the same it leaves the smallest parts
    across, down = _from_middle(top + 1, bottom), _from_middle(left + 1, right)
    if max(bottom - top, right - left) > LONG:
        across, down = (across[:1], []) if bottom - top > right - left else ([], down[:1])
    cuts = [((top, k, left, right), (k, bottom, left, right)) for k in across]
    cuts += [((top, bottom, left, k), (top, bottom, k, right)) for k in down]
    cut = min(cuts, key=lambda parts: sum(_least_cost(_around(tiles, part), margin, most) for part in parts))
    divided = [found for part in cut for found in _rectangles(tiles, margin, most, part)]
    if fits and sum(_least_cost(part, margin, most) for part in divided) >= _least_cost(whole, margin, most):
        return [whole]
    return divided


def _from_middle(first: int, end: int) -> list[int]:
    """The integers from first to end - 1, the middle ones first."""
    return sorted(range(first, end), key=lambda k: abs(2 * k - first - end + 1))


def _around(tiles: np.ndarray, within: Rectangle) -> Rectangle | None:
    """The smallest rectangle around the wanted tiles in one; None where there are none."""
    top, bottom, left, right = within
    rows, columns = (np.flatnonzero(tiles[top:bottom, left:right].any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return top + int(rows[0]), top + int(rows[-1]) + 1, left + int(columns[0]), left + int(columns[-1]) + 1


def _least_cost(part: Rectangle | None, margin: float, most: int) -> float:
    """Tiles that are worked on for a rectangle in as few parts as may be, those of their margins included."""
    if part is None:
        return 0.0
    top, bottom, left, right = part
    height, width = (side + 2 * margin * -(-side // most) for side in (bottom - top, right - left))
    return height * width
