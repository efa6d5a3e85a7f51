"""Quantisation steps: one table, shared by encoder, decoder and format.

Steps are integers in 1/16 grey level, STEP_TABLE[i] = round(16 * 2^((i - 16) / 16)): 16 entries an octave from 1/2
grey level. The step index of a file is the step of cells of side 8; halving the side of a cell raises its index by 8,
so that steps grow with the inverse square root of the side: a value that stands for few pixels matters less.
"""

import numpy as np

STEP_TABLE = np.array([round(16 * 2 ** ((i - 16) / 16)) for i in range(256)], dtype=np.int64)
MAX_STEP_INDEX = 175
GREY = 16  # units per grey level


def nearest_step_index(step: float) -> int:
    """Index whose step for cells of side 8 is the nearest, on a logarithmic scale, to `step` in grey levels."""
    return int(np.clip(round(16 + 16 * np.log2(step)), 0, MAX_STEP_INDEX))


def steps_of(side: np.ndarray, index: int) -> np.ndarray:
    """Step of each value in 1/16 grey level, (n,) int64, for cell sides (n,), powers of two up to 128."""
    side_log2 = np.frexp(side.astype(np.float64))[1].astype(np.int64) - 1
    return STEP_TABLE[np.clip(index + 8 * (3 - side_log2), 0, STEP_TABLE.size - 1)]


def quantise(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Nearest levels, (n,) int64, of grey values (n,) float64 for steps in 1/16 grey level."""
    return np.rint(values * GREY / steps).astype(np.int64)


def dequantise(levels: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Grey values (n,) float64 of levels: exact multiples of 1/16."""
    return levels * steps / GREY
