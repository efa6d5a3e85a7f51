"""Encoding: planes to sections.

The mask model says where most points go; everything after that is measured. For each plane: the quality gives the
quantisation step; the step and the plane's detail give the number of points; the mask model places the first share of
them; the others are added in stages where the error is largest, with the values tonally optimised throughout, and a
round moves the points that matter least; the values are rounded to levels and coded.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dinp.decoder import reconstruct
from dinp.entropy.tree import Tree, tree_from_scores
from dinp.errors import DinpError
from dinp.inpaint import Inpainter
from dinp.pyramid import detail_gains, leaf_count, pruned_tree, pruned_tree_of_size
from dinp.refine import grow, prune
from dinp.section import PlaneCode, encode_section, known_data_of
from dinp.steps import GREY, MAX_STEP_INDEX, STEP_TABLE, quantise, steps_of
from dinp.structure import KnownData
from dinp.tonal import tonal_optimisation

TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]
Progress = Callable[[float], None]

ROOT_LOG2 = 5
POINT_COST = 6.0  # squared error that a point must remove to be worth its bits, in squared steps
CHROMA_POINT_COST = 6.0
CHROMA_STEP_OFFSET = -16  # an octave finer: a value at half resolution stands for four pixels
FREE_MASK_SIDE_LOG2 = 3
SWAP_SHARE = 0.08  # of the points are added and removed in a swap round
SEARCH_TOLERANCE = 0.3  # grey levels: enough while points are being placed


@dataclass(frozen=True)
class Effort:
    """How a tree is made: the model places `share` of the points, `stages` of growth the rest; then `swaps` rounds."""

    share: float
    stages: int
    swaps: int


DEFAULT_EFFORT = Effort(0.6, 4, 1)


@dataclass(frozen=True)
class EncodedPicture:
    """Coded planes.

    Attributes
    ----------
    sections : list of bytes
        One a plane.
    reconstructions : list of (H, W) float64
        The planes that a decoder gets.
    density : float
        Values per pixel of plane 0.
    points : int
        Number of values of plane 0.
    information : list of dict
        Information content in bits by kind (`mask`, `values`), one dict a plane.
    """

    sections: list[bytes]
    reconstructions: list[np.ndarray]
    density: float
    points: int
    information: list[dict[str, float]]


def step_index_of(quality: float) -> int:
    """Step index of luma for a quality of 0-100: six octaves from 64 grey levels down to 1, at side 8."""
    if not 0 <= quality <= 100:
        raise DinpError(f"quality {quality:g} is out of range; choose one from 0 to 100")
    return round(16 + 16 * 6 * (1 - quality / 100))


def wanted_points(plane: np.ndarray, gains: list[np.ndarray], step_index: int, cost: float) -> int:
    """Number of values that a plane deserves at a step: as many leaves as its detail pays for."""
    step = float(STEP_TABLE[step_index]) / GREY
    return leaf_count(pruned_tree(gains, plane.shape, cost * step * step))


def first_tree(plane: np.ndarray, gains: list[np.ndarray], points: int, share: float, model: TreeModel | None) -> Tree:
    """A tree of `share` of the points, places chosen by the model (by the plane's detail, where there is none)."""
    first = max(int(share * points), gains[0].size)
    if model is None:
        return pruned_tree_of_size(gains, plane.shape, first)
    return tree_from_scores(model(plane.astype(np.float32), points / plane.size), plane.shape, first)


@dataclass
class _Trial:
    """A mask structure with tonally optimised values."""

    structure: Tree | np.ndarray
    known: KnownData
    values: np.ndarray
    reconstruction: np.ndarray

    def energy(self, plane: np.ndarray) -> float:
        error = plane - self.reconstruction
        return float(np.sum(error * error))


def _tune(
    plane: np.ndarray, structure: Tree | np.ndarray, side_log2: int, start: np.ndarray | None, steps: int
) -> _Trial:
    """Tonal optimisation on a structure, from the values and the reconstruction that `start` (H, W) suggests."""
    known = known_data_of(structure, side_log2)
    inpainter = Inpainter(known.mask)
    values = known.mean(plane if start is None else start)
    reconstruction = inpainter.solve(known.spread(values), start=start, tol=SEARCH_TOLERANCE)
    return _Trial(
        structure,
        known,
        *tonal_optimisation(inpainter, known, plane, values, steps=steps, cycles=1, reconstruction=reconstruction),
    )


def grow_tree(plane: np.ndarray, tree: Tree, points: int, effort: Effort, progress: Progress) -> _Trial:
    """Error-driven growth of a tree to `points` leaves, then rounds that move points; tonally optimised throughout."""
    side_log2 = len(tree.splits)
    total = effort.stages + 2 * effort.swaps + 1
    trial = _tune(plane, tree, side_log2, None, 2)
    first = leaf_count(tree)
    done = 1

    def step(structure: Tree, steps: int) -> _Trial:
        nonlocal done
        error = plane - trial.reconstruction
        done += 1
        progress(done / total)
        return _tune(plane, structure, side_log2, trial.reconstruction + 0.5 * error, steps)

    for stage in range(effort.stages):
        size = int(first * (points / first) ** ((stage + 1) / effort.stages))
        trial = step(grow(trial.structure, plane - trial.reconstruction, size), 2)
    excess = SWAP_SHARE
    for _ in range(effort.swaps):
        kept = trial
        trial = step(grow(trial.structure, plane - trial.reconstruction, int(points * (1 + excess))), 2)
        trial = step(prune(trial.structure, trial.reconstruction, points), 2)
        if trial.energy(plane) >= kept.energy(plane):
            trial, excess = kept, 0.6 * excess
    return trial


def encode_plane(
    plane: np.ndarray, step_index: int, trial: _Trial, side_log2: int
) -> tuple[bytes, np.ndarray, int, dict[str, float]]:
    """Section, reconstruction, number of points and information content of one plane."""
    levels = quantise(trial.values, steps_of(trial.known.side, step_index))
    code = PlaneCode(trial.structure, side_log2, step_index, levels)
    data, information = encode_section(code, trial.known)
    return data, reconstruct(code, trial.known), trial.known.y.size, information


def encode_planes(
    planes: list[np.ndarray],
    *,
    quality: float,
    tree_model: TreeModel | None = None,
    mask: np.ndarray | None = None,
    effort: Effort = DEFAULT_EFFORT,
    progress: Progress | None = None,
) -> EncodedPicture:
    """Code a picture's planes.

    Parameters
    ----------
    planes : list of (H, W) float arrays
        Grey values nominally 0-255: grey or luma first, then chroma at half resolution.
    quality : float
        0-100.
    tree_model : callable, optional
        (plane (H, W) float32, density) -> list of split scores for cells of side 32, 16, ..., 2. Without one, trees
        come from the pyramid of details.
    mask : (H, W) bool, optional
        A free inpainting mask for plane 0 in place of a tree.
    effort : Effort
        How trees are refined.
    progress : callable, optional
        Called with the fraction done, 0-1.

    Raises
    ------
    DinpError
        If the quality is out of range, or the mask is empty or of another shape.
    """
    luma_index = step_index_of(quality)
    if mask is not None and (mask.shape != planes[0].shape or not mask.any()):
        raise DinpError("the inpainting mask must be as large as the picture and hold at least one pixel")
    total = sum(plane.size for plane in planes)
    results = []
    done = 0
    for number, plane in enumerate(planes):
        offset, share = done / total, plane.size / total

        def report(fraction: float, offset: float = offset, share: float = share) -> None:
            if progress:
                progress(offset + share * fraction)

        index = min(luma_index + (CHROMA_STEP_OFFSET if number else 0), MAX_STEP_INDEX)
        if number == 0 and mask is not None:
            side_log2 = FREE_MASK_SIDE_LOG2
            trial = _tune(plane, mask, side_log2, None, 4)
        else:
            side_log2 = ROOT_LOG2
            gains = detail_gains(plane, side_log2)
            points = wanted_points(plane, gains, index, CHROMA_POINT_COST if number else POINT_COST)
            tree = first_tree(plane, gains, points, effort.share, tree_model)
            report(0.1)
            trial = grow_tree(plane, tree, points, effort, lambda f, report=report: report(0.1 + 0.8 * f))
        results.append(encode_plane(plane, index, trial, side_log2))
        done += plane.size
        report(1.0)
    sections, reconstructions, points, information = (list(column) for column in zip(*results, strict=True))
    return EncodedPicture(sections, reconstructions, points[0] / planes[0].size, points[0], information)
