"""What the mask network is told of placed points, in numpy: `dinp.models.networks.mask` has the same in torch."""

import numpy as np

GAIN = 10.0  # of all of it: layers that begin at 0 learn so much faster than the others


def shares(placed: np.ndarray, density: float) -> list[np.ndarray]:
    """How many of the points that are expected in each cell of side 2, 4, ..., 32 are placed.

    Parameters
    ----------
    placed : (..., H, W) float32
        1 where a point is, 0 elsewhere; H and W multiples of 32.
    density : float
        Expected points per pixel.

    Returns
    -------
    list of (..., H / s, W / s) float32 arrays, s = 2, 4, ..., 32
        `GAIN` n / (1 + n), where n is the number of points over the expected one.
    """
    field = placed / np.float32(density)
    found = []
    for _ in range(5):
        field = (field[..., ::2, ::2] + field[..., 1::2, ::2] + field[..., ::2, 1::2] + field[..., 1::2, 1::2]) / 4
        found.append(np.float32(GAIN) * field / (1 + field))
    return found
