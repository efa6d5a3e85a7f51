"""Quantisation steps: one table, shared by encoder, decoder and format.

Steps are integers in 1/16 grey level, STEP_TABLE[i] = round(16 * 2^((i - 16) / 16)): 16 entries an octave from 1/2
grey level. The step index of a file is the step of cells of side 8; halving the side of a cell raises its index by 8,
so that steps grow with the inverse square root of the side: a value that stands for few pixels matters less. A file may
give cells of some sides other steps (chunk STEPS, `dinp.bitstream.sidecars`), and its sample format may make the unit
2^-depth times as large (`dinp.bitstream.samples`).
"""

import numpy as np

STEP_TABLE = np.array([round(16 * 2 ** ((i - 16) / 16)) for i in range(256)], dtype=np.int64)
MAX_STEP_INDEX = 175
GREY = 16  # units per grey level, at depth 0
SIDES = 8  # of cells: 1 to 128
MAX_STEP = (1 << 19) - 1


def nearest_step_index(step: float, depth: int = 0) -> int:
    """Index whose step for cells of side 8 is the nearest, on a logarithmic scale, to `step` in grey levels."""
    return int(np.clip(round(16 + 16 * (np.log2(step) + depth)), 0, MAX_STEP_INDEX))


def steps_of(side: np.ndarray, index: int, own: tuple[int, ...] = ()) -> np.ndarray:
    """Step of each value in units, (n,) int64, for cell sides (n,), powers of two up to 128.

    `own` are steps by log2 of the side in place of the table's, where they are not 0.
    """
    side_log2 = np.frexp(side.astype(np.float64))[1].astype(np.int64) - 1
    table = STEP_TABLE[np.clip(index + 8 * (3 - np.arange(SIDES)), 0, STEP_TABLE.size - 1)]
    given = np.array(own + (0,) * (SIDES - len(own)))
    return np.where(given > 0, given, table)[side_log2]


def grey_levels(units: np.ndarray, depth: int = 0) -> np.ndarray:
    """Units in grey levels, float64: exact multiples of 2^-depth / 16."""
    return units / (GREY << depth)


def quantise(values: np.ndarray, steps: np.ndarray, depth: int = 0) -> np.ndarray:
    """Nearest levels, (n,) int64, of grey values (n,) float64 for steps in units."""
    return np.rint(values * (GREY << depth) / steps).astype(np.int64)


def dequantise(levels: np.ndarray, steps: np.ndarray, depth: int = 0) -> np.ndarray:
    """Grey values (n,) float64 of levels: exact multiples of 2^-depth / 16."""
    return grey_levels(levels * steps, depth)
