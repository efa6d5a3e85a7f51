"""What the networks of masks and trees are given: planes, checked, standardised and padded, and densities."""

import math
from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np

from dinp.errors import DinpError
from dinp.models.networks.hints import ROOT
from dinp.threads import in_parallel

STRIP = 64  # rows that are worked on at a time: what belongs to them stays in the cache


def standardised(plane: np.ndarray) -> np.ndarray:
    """The plane (H, W) float32 with mean 0 and standard deviation 1; a flat plane stays flat."""
    mean = plane.mean(dtype=np.float64)
    strips = [slice(y, y + STRIP) for y in range(0, len(plane), STRIP)]
    squares = np.empty(plane.shape)  # in whole, so that they are summed in an order that does not depend on the strips

    def square(rows: slice) -> None:
        np.square(np.subtract(plane[rows], mean, out=squares[rows]), out=squares[rows])

    in_parallel(square, strips, blas=False)
    deviation = np.sqrt(np.mean(squares) + 1)
    return np.concatenate(in_parallel(lambda s: ((plane[s] - mean) / deviation).astype(np.float32), strips, blas=False))


def checked(plane: np.ndarray, density: float) -> np.ndarray:
    """The plane as float32; DinpError if it is no plane of finite values, or the density is out of range."""
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    if plane.ndim != 2 or plane.size == 0:
        raise DinpError(f"a plane must have two dimensions and at least one pixel, not the shape {plane.shape}")
    if not np.isfinite(plane).all():
        raise DinpError("a plane must hold finite grey values")
    if not 0 < density <= 1:
        raise DinpError(f"density must be above 0 and at most 1, not {density!r}")
    return plane


def padded(plane: np.ndarray, multiple: int = ROOT) -> np.ndarray:
    """The plane continued below and to the right by its last pixels to multiples of 32, or of another number."""
    return np.pad(plane, [(0, -side % multiple) for side in plane.shape], mode="edge")


def level(density: float, config: dict) -> np.ndarray:
    """Where the logarithm of a density lies in the network's range, -1 to 1, and its square, (1, 2) float32."""
    low, high = (math.log(d) for d in config["densities"])
    level = (2 * min(max(math.log(density), low), high) - low - high) / (high - low)
    return np.array([[level, level * level]], dtype=np.float32)


def tiles(shape: tuple[int, int], most: tuple[int, int], margin: int) -> Iterator[tuple[tuple[slice, slice], ...]]:
    """Windows that cover a plane, the tile in the middle of each, and where in the window it is.

    Tiles have at most `most` rows and columns; windows reach `margin` pixels farther, where the plane does.
    """
    for tile in product(*(parts(side, longest) for side, longest in zip(shape, most, strict=True))):
        starts = [max(0, part.start - margin) for part in tile]
        yield (
            tuple(slice(start, part.stop + margin) for start, part in zip(starts, tile, strict=True)),
            tile,
            tuple(slice(part.start - start, part.stop - start) for start, part in zip(starts, tile, strict=True)),
        )


def parts(side: int, most: int) -> list[slice]:
    """A side of a plane in about equal parts of at most `most` pixels that begin at multiples of 32."""
    count = -(-side // most)
    cuts = [ROOT * (-(-side // ROOT) * k // count) for k in range(count)] + [side]
    return [slice(a, b) for a, b in pairwise(cuts)]
