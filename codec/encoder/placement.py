"""Placement of points: how many a plane deserves, where the mask model puts the first, where the error puts the rest.

Error-driven growth in stages, each judged by one tonally optimised inpainting, is what densification is for free
masks; it is cheap here because each stage costs a set-up, a loose solve and two cycles per tonal step. On tuning
pictures, growing the last 40 % of the points gained 0.1 to 0.8 dB over placing all of them at once; the last quarter
does as well. A second stage gains little, a third nothing, as cells may be split more than once in one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from dinp.bitstream.section import known_data_of
from dinp.bitstream.structure import KnownData
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import Tuning
from dinp.encoder.pyramid import detail_gains, leaf_count, pruned_tree, pruned_tree_of_size
from dinp.encoder.refinement import grow, prune
from dinp.entropy.tree import Tree, tree_from_scores

TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]
Progress = Callable[[float], None]

POINT_COST = 6.0  # squared error that a point must remove to be worth its bits, in squared steps
SWAP_SHARE = 0.08  # of the points are added and removed in a swap round
ROOT_LOG2 = 5  # of trees
SEARCH_TOLERANCE = 0.3  # grey levels: enough while points are being placed


@dataclass(frozen=True)
class Effort:
    """How a tree is made: the model places `share` of the points, `stages` of growth the rest; then `swaps` rounds.

    With `anticipate` the last stage of growth looks at the error that a restoration leaves, and the values are then
    tuned to what it will add; with `foresight` the swaps look at that error and are judged by it, too. After that come
    `descents`, steps along the gradient through it, and `repeats` of the choice of levels along that gradient, see
    `dinp.encoder.anticipation`. With `windows` a part of the plane, or a clear gain before quantisation, may tell that
    restoration pays. Values are optimised anew while their levels are chosen, whenever `renewal` times as many are
    quantised as the time before. `restoration` is the version that the decoder may be asked for. With `lighter` a
    lighter model places the points of large pictures.
    """

    share: float
    stages: int
    swaps: int
    anticipate: bool = False
    foresight: bool = False
    windows: bool = False
    descents: int = 0
    repeats: int = 0
    renewal: float = 1.5
    restoration: int = 3
    lighter: bool = True


EFFORTS = {
    1: Effort(1.0, 0, 0, windows=True, renewal=2.5),
    2: Effort(0.75, 2, 1, anticipate=True, windows=True),
    3: Effort(0.75, 2, 6, anticipate=True, foresight=True, descents=2, repeats=2, restoration=1, lighter=False),
}
DEFAULT_EFFORT = EFFORTS[2]
SMALL = 10**6 // 3  # samples of a picture whose restoration is quick enough even where it is the heavier one
LARGE = 10**6  # pixels of a picture whose points a lighter model places
STAGE_GROWTH = 0.1  # what needs about a tenth more points than its start has deserves one more stage
REUSE = 2.0  # a tree with up to so many times as many points, or as few, is a start for another


def restoration_version(effort: Effort, samples: int) -> int:
    """The restoration for a picture of so many samples.

    Version 1 takes eight times the work of version 3. On 38 photographs for tuning it lowered the cost in error and
    bits by 2 % (0 to 4.6 %, at quality 35) from that with version 2, worth 3.6 % of their bytes, whatever they show: so
    what small pictures get of it is not taken from their bytes but from a time that nobody waits for.
    """
    return 1 if samples <= SMALL else effort.restoration


def is_for_lighter(effort: Effort, pixels: int) -> bool:
    """Whether a lighter model places the points of a picture of so many pixels.

    At 3840x2160 the tree network takes half of the time of effort 1; photographs of that size are smooth and want few
    leaves per pixel, which do not need it: see `dinp.models.weights.predictors.for_large_pictures`.
    """
    return effort.lighter and pixels >= LARGE


def wanted_points(plane: np.ndarray, gains: list[np.ndarray], step: float, cost: float = POINT_COST) -> int:
    """Number of values that a plane deserves at a step in grey levels: as many leaves as its detail pays for."""
    return leaf_count(pruned_tree(gains, plane.shape, cost * step * step))


def first_tree(plane: np.ndarray, gains: list[np.ndarray], points: int, share: float, model: TreeModel | None) -> Tree:
    """A tree of `share` of the points, places chosen by the model (by the plane's detail, where there is none)."""
    first = max(int(share * points), gains[0].size)
    if model is None:
        return pruned_tree_of_size(gains, plane.shape, first)
    return tree_from_scores(model(plane.astype(np.float32), points / plane.size), plane.shape, first)


@dataclass(frozen=True)
class Trial:
    """A mask structure with tonally optimised values.

    Attributes
    ----------
    structure : Tree or (H, W) bool
    known : KnownData
    values : (n,) float64
    reconstruction : (H, W) float64
        Their inpainting, to the accuracy of the search.
    inpainter : Inpainter, optional
        Of the mask, where it was kept: see `solver`.
    """

    structure: Tree | np.ndarray
    known: KnownData
    values: np.ndarray
    reconstruction: np.ndarray
    inpainter: Inpainter | None = field(default=None, repr=False, compare=False)

    def solver(self) -> Inpainter:
        """The inpainter of the mask."""
        return self.inpainter or Inpainter(self.known.mask)

    def without_solver(self) -> "Trial":
        """The trial without its inpainter, which takes more memory than all else."""
        return replace(self, inpainter=None)


def tune(
    plane: np.ndarray,
    structure: Tree | np.ndarray,
    side_log2: int,
    start: np.ndarray | None,
    steps: int,
    tolerance: float = SEARCH_TOLERANCE,
) -> Trial:
    """Tonal optimisation on a structure, from the values and the reconstruction that `start` (H, W) suggests."""
    known = known_data_of(structure, side_log2)
    inpainter = Inpainter(known.mask)
    values = known.mean(plane if start is None else start)
    reconstruction = inpainter.solve_known(known.at_mask(values), start=start, tol=tolerance)
    tuning = Tuning(inpainter, known, plane, values, reconstruction, cycles=1)
    del reconstruction, start  # in large pictures memory is short
    tuning.optimise(steps)
    return Trial(structure, known, tuning.values, tuning.reconstruction(), inpainter)


def grow_tree(
    plane: np.ndarray,
    start: Tree | Trial,
    points: int,
    effort: Effort,
    progress: Progress = lambda _: None,
    show: Callable[[Trial], np.ndarray] | None = None,
    tolerance: float = SEARCH_TOLERANCE,
) -> Trial:
    """Error-driven growth to `points` leaves, then rounds that move points; tonally optimised throughout.

    A start with too many leaves is pruned instead. The last stage of growth, and rounds with foresight, look at the
    errors of what `show` makes of a trial, where that is better than its inpainting.
    """
    trial = start if isinstance(start, Trial) else tune(plane, start, len(start.splits), None, 2, tolerance)
    side_log2 = len(trial.structure.splits)
    first = trial.known.y.size
    stages = effort.stages
    if isinstance(start, Trial):
        stages = min(stages, 1 + int(max(0.0, np.log(points / first) / STAGE_GROWTH)))
    total = stages + 2 * effort.swaps + 1
    done = 1

    def step(structure: Tree, steps: int) -> Trial:
        nonlocal done, trial
        trial = trial.without_solver()
        error = plane - trial.reconstruction
        done += 1
        progress(done / total)
        return tune(plane, structure, side_log2, trial.reconstruction + 0.5 * error, steps, tolerance)

    def error_of(trial: Trial, shown: bool) -> np.ndarray:
        errors = [plane - trial.reconstruction]
        if shown and show is not None:
            errors.append(plane - show(trial))
        return min(errors, key=_energy)

    if first > points:
        stages = 0
        trial = step(prune(trial.structure, trial.reconstruction, points), 2)
    for stage in range(stages):
        size = int(first * (points / first) ** ((stage + 1) / stages))
        trial = step(grow(trial.structure, error_of(trial, stage == stages - 1), size), 2)
    excess = SWAP_SHARE
    error = error_of(trial, effort.foresight) if effort.swaps else None
    for _ in range(effort.swaps):
        kept, least = trial, error
        trial = step(grow(trial.structure, error, int(points * (1 + excess))), 2)
        trial = step(prune(trial.structure, trial.reconstruction, points), 2)
        error = error_of(trial, effort.foresight)
        if _energy(error) >= _energy(least):
            trial, error, excess = kept, least, 0.6 * excess
    return trial


def _energy(error: np.ndarray) -> float:
    return float(np.sum(error * error))


def place_points(
    plane: np.ndarray,
    step: float,
    side_log2: int,
    model: TreeModel | None,
    effort: Effort,
    progress: Progress = lambda _: None,
    start: Trial | None = None,
    show: Callable[[Trial], np.ndarray] | None = None,
) -> Trial:
    """The tree for a plane at a quantisation step, with optimised values: all of the above in order.

    Parameters
    ----------
    plane : (H, W) float array
        Grey values nominally 0-255.
    step : float
        Quantisation step of cells of side 8, grey levels.
    side_log2 : int
        Logarithm of the side of the tree's roots.
    model : callable or None
        Mask model, see `dinp.encoder.planes.encode_planes`.
    effort : Effort
    progress : callable
        Called with the fraction done, 0-1.
    start : Trial, optional
        What this function returned for another step: where it is not too far off, its tree is grown or pruned, which
        takes less time than beginning anew.
    show : callable, optional
        See `grow_tree`.
    """
    gains = detail_gains(plane, side_log2)
    points = wanted_points(plane, gains, step)
    tolerance = SEARCH_TOLERANCE * min(1.0, step)
    if start is not None and effort.stages and 1 / REUSE <= points / start.known.y.size <= REUSE:
        return grow_tree(plane, start, points, effort, progress, show, tolerance)
    tree = first_tree(plane, gains, points, effort.share, model)
    del gains
    progress(0.1)
    return grow_tree(plane, tree, points, effort, lambda f: progress(0.1 + 0.9 * f), show, tolerance)
