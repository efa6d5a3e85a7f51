"""Whether a restoration makes a coded plane better: told by four windows of a large plane, or by all of it."""

from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dinp.bitstream.section import PlaneCode
from dinp.bitstream.structure import KnownData
from dinp.decoder import described
from dinp.encoder.placement import ROOT_LOG2
from dinp.encoder.reconstruction import Reconstruction
from dinp.restoration import Restoration
from dinp.threads import in_parallel

WINDOW = 128  # pixels
CELL = 1 << ROOT_LOG2
LEAST_WINDOWED = 4.0  # grey levels: at finer steps there is little to gain, and windows of a drawing may mislead
BAND = 256  # rows that are looked at together
LEAST_GAIN = 1e-3  # share of the squared error that restoration must remove to be asked for


def may_be_windowed(shape: tuple[int, int], step: float) -> bool:
    """Whether windows of a plane of this shape may speak for it, at a step in grey levels."""
    return step >= LEAST_WINDOWED and min(shape) >= 3 * WINDOW


def restoration_pays(
    plane: np.ndarray,
    code: PlaneCode,
    known: KnownData,
    reconstruction: Reconstruction,
    restoration: Restoration,
    *,
    windowed: bool,
) -> bool:
    """Whether restoration makes a coded plane better; if `windowed` in four windows of it, or in all of it.

    The windows' corners lie in the four quarters of where they can be, where a window has most points: there something
    is to be restored. In windows a draft is asked: the whole, a mean of two, is hardly ever worse.
    """
    if windowed:
        parts = fullest_windows(known, plane.shape)
        seen = described(code, known, reconstruction.windows(parts))
        better = in_parallel(lambda p: restoration(seen.window(p), draft=True), parts)
        original, decoded = ([u[p] for p in parts] for u in (plane, seen.reconstruction))
        if gain(_joined(original), _joined(better), _joined(decoded)) > LEAST_GAIN:
            return True
    seen = described(code, known, reconstruction())
    return gain(plane, restoration(seen), seen.reconstruction) > LEAST_GAIN


def fullest_windows(known: KnownData, shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Windows of most points, one for each quarter of the places that they can have in step with the plane's cells."""
    counts, _, _ = np.histogram2d(known.y, known.x, bins=[np.arange(0, side + CELL, CELL) for side in shape])
    sums = sliding_window_view(counts, (WINDOW // CELL, WINDOW // CELL)).sum(axis=(2, 3))
    parts = []
    halves = [((0, size // 2), (size // 2, size)) for size in sums.shape]
    for (y, bottom), (x, right) in product(*halves):
        quarter = sums[y:bottom, x:right]
        i, j = np.unravel_index(np.argmax(quarter), quarter.shape)
        top, left = CELL * (y + int(i)), CELL * (x + int(j))
        parts.append((slice(top, min(top + WINDOW, shape[0])), slice(left, min(left + WINDOW, shape[1]))))
    return parts


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Parts of a plane in one flat array: a window at the border of a plane may be cut."""
    return np.concatenate([part.ravel() for part in parts])


def gain(plane: np.ndarray, better: np.ndarray, decoded: np.ndarray) -> float:
    """The share of the squared error of `decoded` that `better` is without, both shown clipped to 0-255; at most 1.

    A grey picture is shown rounded, too: close to the original that may undo what restoration gains.
    """
    bands = [slice(first, first + BAND) for first in range(0, len(plane), BAND)] if plane.ndim == 2 else [slice(None)]
    grey = all(np.array_equal(plane[band], np.rint(plane[band])) for band in bands)
    left = error = 0.0
    for band in bands:
        shown = [np.clip(u[band], 0, 255) for u in (better, decoded)]
        after, before = (float(np.sum((plane[band] - (np.rint(u) if grey else u)) ** 2)) for u in shown)
        left, error = left + after, error + before
    return 1 - left / error if error else 0.0
