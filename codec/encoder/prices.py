"""What a quality means: the step that values are quantised with, and the squared error that a bit is worth."""

import numpy as np

from dinp.errors import DinpError

BIT_COST = 1.5  # squared error that a bit must save, in squared steps
BIT_COST_AHEAD = 1.1  # the same where values look ahead to a restoration; 0.4 % of BD-rate on six tuning pictures
CHROMA_STEP = 0.5  # of luma's: a value at half resolution stands for four pixels
FULL_CHROMA_STEP = 0.7  # of luma's, where chroma is not halved


def step_of(quality: float, depth: int = 0) -> float:
    """Step of luma in grey levels, at side 8, for a quality of 0-100: six octaves from 64 down to 1; to 2^-depth.

    The step that values are quantised with is the nearest of the table; the number of points and the cost of bits
    follow the exact one, so that quality acts smoothly.
    """
    if not 0 <= quality <= 100:
        raise DinpError(f"quality {quality:g} is out of range; choose one from 0 to 100")
    return 2.0 ** (6 - (6 + depth) * quality / 100)


def cost_of(plane: np.ndarray, reconstruction: np.ndarray, size: int, bit_cost: float, depth: int = 0) -> float:
    """Squared error of what is shown (clipped, and rounded where the plane holds whole numbers) and cost of bytes."""
    shown = np.clip(reconstruction, 0, 255)
    if not depth and np.array_equal(plane, np.rint(plane)):
        shown = np.rint(shown)
    return float(np.sum((plane - shown) ** 2)) + bit_cost * 8 * size
