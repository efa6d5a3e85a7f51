"""What the later passes of the mask network learn from: labels of which a part is placed already.

At test time the points that are placed are the network's own, the most confident first, and many stand a pixel beside
those of the teacher. So two kinds of parts are drawn: the points that a network would place first, in its passes, where
each stands for the teacher's nearest point, which is then no longer wanted; and the teacher's points for which they
stand, some of them moved by a pixel. The network is the one that the training begins with, or the shipped one.
"""

import numpy as np
from scipy.spatial import cKDTree

from dinp.models.masks.learned import missing
from dinp.models.masks.mass_eating import mass_eating
from dinp.models.training.data import Labelled, dihedral
from dinp.models.weights.mask_model import MaskModel

STAGES = 12
PASSES = (2, 3, 4, 6, 12)  # in which the network's points are placed, in one way for each crop; they divide the stages
NEVER = 127  # the stage of a pixel without a point
ONE_PASS = 0.25  # of the crops have no points placed
OWN = 0.5  # of the others have the network's points placed, not the teacher's
DISORDER = (0.0, 1.5, 6.0)  # stages by which the order of the teacher's points is disturbed
MOVED = 0.1  # of the teacher's points that are placed, by a pixel


class Staged:
    """Crops, and the stages in which their points are placed: of the network's and of the teacher's.

    Parameters
    ----------
    crops : Labelled
        With masks as labels.
    model : MaskModel
        The network whose points are placed, in several passes, where it can be told of points.
    """

    def __init__(self, crops: Labelled, model: MaskModel) -> None:
        self.crops, self.model = crops, model
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.crops)

    def stages(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Stages 0 to 11 of the network's points and of the teacher's, `NEVER` elsewhere, (n, n) int8 each; of a crop.

        They are found when they are first asked for.
        """
        if i not in self._known:
            passes = PASSES[i % len(PASSES)] if self.model.passes else 1
            self._known[i] = self._stages(self.crops.planes[i], self.crops.labels[0][i], passes)
        return self._known[i]

    def _stages(self, plane: np.ndarray, mask: np.ndarray, passes: int) -> tuple[np.ndarray, np.ndarray]:
        own, teacher = (np.full(plane.shape, NEVER, dtype=np.int8) for _ in range(2))
        points = np.count_nonzero(mask)
        confidences = self.model.of(plane, points / plane.size)
        before = np.zeros(plane.shape, dtype=bool)
        free = np.argwhere(mask)
        for stage in range(STAGES):
            if stage % (STAGES // passes) == 0:
                told = before
                placed = np.count_nonzero(told)
                c = missing(confidences(told if stage else None), told, points - placed)
            # the first points of a meal are those of a smaller one
            now = told | mass_eating(c, points - placed, round(points * (stage + 1) / STAGES) - placed)
            fresh = now & ~before
            own[fresh] = stage
            chosen = matched(np.argwhere(fresh), free)
            teacher[tuple(free[chosen].T)] = stage
            free = np.delete(free, chosen, axis=0)
            before = now
        teacher[tuple(free.T)] = STAGES - 1  # where the network's confidence was used up before
        return own, teacher


def matched(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of some points one of the others, near to it and not given to another: indices, in no order.

    Parameters
    ----------
    points, others : (n, 2) and (m, 2) integers, n <= m
    """
    left, waiting = np.arange(len(others)), np.arange(len(points))
    given = []
    while waiting.size and left.size:
        distance, nearest = cKDTree(others[left]).query(points[waiting])
        order = np.argsort(distance, kind="stable")
        _, first = np.unique(nearest[order], return_index=True)  # of those that want the same, the nearest has it
        served = order[first]
        given.append(left[nearest[served]])
        left = np.delete(left, nearest[served])
        waiting = np.delete(waiting, served)
    return np.concatenate(given) if given else np.zeros(0, dtype=np.int64)


def draw(staged: Staged, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """A batch: planes (size, n, n), densities (size,), and the points that are placed and those that are missing.

    Planes are flipped, rotated and changed affinely as by `dinp.models.training.data.augment`.
    """
    crops = staged.crops
    rows = rng.integers(len(crops), size=size)
    planes, placed, missing = [], [], []
    for i in rows:
        turn = int(rng.integers(8))
        gain = np.float32(np.exp(rng.uniform(-0.7, 0.2)) * rng.choice([-1, 1]))
        planes.append(np.rint(127.5 + gain * (dihedral(crops.planes[i], turn).astype(np.float32) - 127.5)))
        own, teacher = (dihedral(stages, turn) for stages in staged.stages(int(i)))
        one, other = parted(own, teacher, rng)
        placed.append(one)
        missing.append(other)
    return np.stack(planes), crops.density[rows], [np.stack(placed), np.stack(missing)]


def parted(own: np.ndarray, teacher: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points that are placed and points that are missing, (n, n) bool each, of the stages of a crop."""
    if rng.random() < ONE_PASS:
        return np.zeros(own.shape, dtype=bool), teacher < NEVER
    stages = int(rng.integers(1, STAGES))
    if rng.random() < OWN:
        placed = own < stages
        return placed, (teacher >= stages) & (teacher < NEVER) & ~placed
    points = np.flatnonzero(teacher < NEVER)
    order = teacher.ravel()[points] + rng.choice(DISORDER) * rng.normal(size=points.size)
    first = points[np.argsort(order, kind="stable")[: points.size * stages // STAGES]]
    missing = teacher < NEVER
    missing.ravel()[first] = False
    return _moved(first, missing, rng), missing


def _moved(points: np.ndarray, taken: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask of the points, some of which are moved by a pixel to where none is."""
    height, width = taken.shape
    y, x = np.divmod(points, width)
    some = rng.random(points.size) < MOVED
    v = np.clip(y + some * rng.integers(-1, 2, points.size), 0, height - 1)
    u = np.clip(x + some * rng.integers(-1, 2, points.size), 0, width - 1)
    free = ~taken[v, u]
    mask = np.zeros(taken.shape, dtype=bool)
    mask[np.where(free, v, y), np.where(free, u, x)] = True
    return mask
