"""A decoder of ThumbHash after its reference in JavaScript: the Python package keeps the cosines of one pixel."""

from collections.abc import Sequence

import numpy as np

SIDE = 32  # pixels of the longer side
MOST = 7  # terms of lightness along it


def decode(data: Sequence[int]) -> np.ndarray:
    """The picture (H, W, 3) uint8 of a hash without alpha."""
    first, second = data[0] | data[1] << 8 | data[2] << 16, data[3] | data[4] << 8
    upright = not second >> 15
    across, down = (second & 7, MOST) if upright else (MOST, second & 7)
    height, width = (SIDE, round(SIDE * across / down)) if upright else (round(SIDE * down / across), SIDE)
    digits = [digit for byte in data[5:] for digit in (byte & 15, byte >> 4)]
    taken = 0

    def channel(mean: float, scale: float, nx: int, ny: int) -> np.ndarray:
        nonlocal taken
        terms = [(cy, cx) for cy in range(ny) for cx in range(nx) if (cy or cx) and cx * ny < nx * (ny - cy)]
        plane = np.full((height, width), mean)
        for (cy, cx), digit in zip(terms, digits[taken:], strict=False):
            fx = np.cos(np.pi / width * (np.arange(width) + 0.5) * cx)
            fy = np.cos(np.pi / height * (np.arange(height) + 0.5) * cy)
            plane += 2 * scale * (digit / 7.5 - 1) * np.outer(fy, fx)
        taken += len(terms)
        return plane

    lightness = channel((first & 63) / 63, (first >> 18 & 31) / 31, max(3, across), max(3, down))
    yellow = channel((first >> 6 & 63) / 31.5 - 1, 1.25 * (second >> 3 & 63) / 63, 3, 3)
    red = channel((first >> 12 & 63) / 31.5 - 1, 1.25 * (second >> 9 & 63) / 63, 3, 3)
    b = lightness - 2 / 3 * yellow
    r = (3 * lightness - b + red) / 2
    return np.clip(np.round(255 * np.stack([r, r - red, b], axis=2)), 0, 255).astype(np.uint8)
