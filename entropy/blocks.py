"""Arrays of a number for each pixel, some pixels at a time: numpy makes indices and terms of 8 bytes each."""

from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 16  # pixels


def blocks(count: int, least: int = 0) -> Iterator[slice]:
    """Slices that cover 0..count, each, but for the last, of BLOCK or `least`, whatever is more."""
    size = max(BLOCK, least)
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def looked_up(table: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """`table[numbers]`, of the shape of `numbers` and the type of the table."""
    flat = numbers.reshape(-1)
    found = np.empty(flat.size, dtype=table.dtype)
    for some in blocks(flat.size):
        found[some] = table[flat[some]]
    return found.reshape(numbers.shape)


def counted(numbers: np.ndarray, count: int) -> np.ndarray:
    """How often each of 0..count - 1 stands in an array of integers: (count,) int64."""
    flat = numbers.reshape(-1)
    total = np.zeros(count, dtype=np.int64)
    for some in blocks(flat.size, count):
        total += np.bincount(flat[some], minlength=count)
    return total


def first_places(numbers: np.ndarray, count: int) -> np.ndarray:
    """Where, in raster order, each of 0..count - 1, all of which occur, stands first: (count,) int64."""
    flat = numbers.reshape(-1)
    first = np.empty(count, dtype=np.int64)
    for some in reversed(list(blocks(flat.size))):
        first[flat[some][::-1]] = np.arange(some.stop - 1, some.start - 1, -1)
    return first
