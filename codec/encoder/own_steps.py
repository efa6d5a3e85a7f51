"""Steps of a plane's own: so that flat areas, and the few values of a drawing, lie on levels.

A step of the table makes a constant 3 levels off where quality is low, and which quality meets the values of a drawing
is luck. Where a good part of a plane is flat, cells of each side get the largest step, not above the table's, whose
levels meet their flat values; it costs a few bytes, in photographs none. Specified in `dinp.bitstream.sidecars`.
"""

import numpy as np

from dinp.bitstream.steps import GREY, SIDES, steps_of
from dinp.encoder.placement import Trial
from dinp.entropy.tree import Tree

LARGE = 3  # log2 of the side from which on cells must be met
FLAT_SHARE = 0.05  # of a plane in flat cells, from which on steps are looked for
MISS = 0.4  # grey levels that a flat value may be off its level
FEW = 48  # values that cover
MOST = 0.9  # of a drawing
FINEST = 0.25  # of the table's step, for small cells of drawings


def own_steps_of(plane: np.ndarray, trial: Trial, index: int, depth: int) -> tuple[int, ...]:
    """Steps by log2 of the side, 0 for those of the table; () where all are."""
    if not isinstance(trial.structure, Tree) or depth:
        return ()
    known = trial.known
    side_log2 = np.frexp(known.side.astype(np.float64))[1] - 1
    flat, value = _flat_cells(plane, trial)
    y, x = (known.y >> side_log2) << side_log2, (known.x >> side_log2) << side_log2
    area = np.minimum(known.side, plane.shape[0] - y) * np.minimum(known.side, plane.shape[1] - x)
    large = min(LARGE, (int(np.log2(plane.size)) - 3) // 2)  # in a tiny plane even small cells are large
    if area[flat & (side_log2 >= large)].sum() < FLAT_SHARE * plane.size:
        return ()
    table = steps_of(2 ** np.arange(SIDES), index)
    drawing = is_drawing(plane)
    own = [0] * SIDES
    for k in range(int(side_log2.max()) + 1):
        mine = side_log2 == k
        if k >= large and (mine & flat).any():
            own[k] = _largest_that_meets(np.unique(value[mine & flat]), int(table[k]))
        elif drawing and mine.any():
            chosen, weight = np.unique(np.rint(plane[known.y[mine], known.x[mine]]), return_counts=True)
            own[k] = _nearest(chosen, weight, int(table[k]))
    own = [0 if step == table[k] else step for k, step in enumerate(own)]
    while own and not own[-1]:
        own.pop()
    return tuple(own)


def is_drawing(plane: np.ndarray) -> bool:
    """Whether few values cover most of a plane."""
    _, counts = np.unique(np.rint(plane), return_counts=True)
    return np.sort(counts)[-FEW:].sum() >= MOST * plane.size


def _flat_cells(plane: np.ndarray, trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Which cells have one value in the plane, and which it is, (n,) each."""
    known = trial.known
    side_log2 = np.frexp(known.side.astype(np.float64))[1] - 1
    flat, value = np.zeros(known.y.size, dtype=bool), np.zeros(known.y.size)
    least = most = plane
    for k in range(int(side_log2.max()) + 1):
        if k:
            least, most = _halved(least, np.minimum), _halved(most, np.maximum)
        mine = np.flatnonzero(side_log2 == k)
        y, x = known.y[mine] >> k, known.x[mine] >> k
        flat[mine] = most[y, x] - least[y, x] < MISS
        value[mine] = (most[y, x] + least[y, x]) / 2
    return flat, value


def _halved(plane: np.ndarray, ufunc: np.ufunc) -> np.ndarray:
    rows = ufunc(plane[0::2][: -(-plane.shape[0] // 2)], np.pad(plane, [(0, 1), (0, 0)], mode="edge")[1::2])
    return ufunc(rows[:, 0::2], np.pad(rows, [(0, 0), (0, 1)], mode="edge")[:, 1::2])


def _misses(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Distance of each value to the nearest level of each step, grey levels, (steps, values)."""
    units = values[None] * GREY
    return np.abs(units - np.rint(units / steps[:, None]) * steps[:, None]) / GREY


def _largest_that_meets(values: np.ndarray, most: int) -> int:
    """The largest step, at most `most`, whose levels miss no value by more than MISS."""
    steps = np.arange(most, 0, -1)
    return int(steps[np.argmax(_misses(values, steps).max(axis=1) <= MISS)])


def _nearest(values: np.ndarray, weight: np.ndarray, most: int) -> int:
    """The step from a quarter of `most` up to it whose levels are nearest to the values; bits cost a little."""
    steps = np.arange(max(1, int(FINEST * most)), most + 1)
    error = (_misses(values, steps) ** 2 * weight).sum(axis=1) / weight.sum()
    return int(steps[np.argmin(error + 0.02 * (most / GREY) ** 2 * np.log2(most / steps))])
