"""Encoding: planes to sections. The mask model says where the points go; everything after that is measured, not learned.

For each plane: the quality gives the quantisation step; the step and the plane's detail give the number of points; the mask
model gives the tree; the values are tonally optimised; a few swap rounds move the points that matter least to where the error
is largest; levels are rounded and coded.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dinp.decoder import reconstruct
from dinp.entropy.tree import Tree, tree_from_scores
from dinp.errors import DinpError
from dinp.inpaint import Inpainter
from dinp.pyramid import detail_gains, leaf_count, pruned_tree
from dinp.refine import swap
from dinp.section import PlaneCode, encode_section, known_data_of
from dinp.steps import GREY, MAX_STEP_INDEX, STEP_TABLE, quantise, steps_of
from dinp.structure import KnownData
from dinp.tonal import tonal_optimisation

TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]
Progress = Callable[[float], None]

ROOT_LOG2 = 5
POINT_COST = 4.0  # squared error that a point must remove to be worth its bits, in squared steps
CHROMA_POINT_COST = 4.0
CHROMA_STEP_OFFSET = 8
FREE_MASK_SIDE_LOG2 = 3
SWAP_ROUNDS = 4
SWAP_SHARE = 0.1
TONAL_STEPS = 4


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


def choose_tree(plane: np.ndarray, step_index: int, tree_model: TreeModel | None, cost: float) -> Tree:
    """The tree of a plane: number of points by its detail, their places by the model (by the detail, where there is none)."""
    gains = detail_gains(plane, ROOT_LOG2)
    step = float(STEP_TABLE[step_index]) / GREY
    tree = pruned_tree(gains, plane.shape, cost * step * step)
    points = leaf_count(tree)
    if tree_model is None:
        return tree
    scores = tree_model(plane.astype(np.float32), points / plane.size)
    return tree_from_scores(scores, plane.shape, points)


def optimise(
    plane: np.ndarray, structure: Tree | np.ndarray, side_log2: int, rounds: int, progress: Progress
) -> tuple[Tree | np.ndarray, KnownData, np.ndarray]:
    """Tonal optimisation of the values and, for a tree, swap rounds: structure, known data and values (n,) float64."""
    known = known_data_of(structure, side_log2)
    inpainter = Inpainter(known.mask)
    values, reconstruction = tonal_optimisation(inpainter, known, plane, known.mean(plane), steps=TONAL_STEPS, cycles=1)
    progress(0.3)
    if isinstance(structure, Tree) and rounds:
        gains = detail_gains(plane, side_log2)
        share = SWAP_SHARE
        for number in range(rounds):
            error = plane - reconstruction
            candidate = swap(structure, error, gains, share)
            new_known = known_data_of(candidate, side_log2)
            new_inpainter = Inpainter(new_known.mask)
            start = new_known.mean(reconstruction + error * 0.5)
            new = tonal_optimisation(new_inpainter, new_known, plane, start, steps=3, cycles=1)
            if _energy(plane - new[1]) < _energy(error):
                structure, known, (values, reconstruction) = candidate, new_known, new
            else:
                share /= 2
            progress(0.3 + 0.6 * (number + 1) / rounds)
    return structure, known, values


def _energy(error: np.ndarray) -> float:
    return float(np.vdot(error, error))


def encode_plane(
    plane: np.ndarray,
    step_index: int,
    structure: Tree | np.ndarray,
    side_log2: int,
    rounds: int,
    progress: Progress,
) -> tuple[bytes, np.ndarray, int, dict[str, float]]:
    """Section, reconstruction, number of points and information content of one plane on a given mask structure."""
    structure, known, values = optimise(plane, structure, side_log2, rounds, progress)
    levels = quantise(values, steps_of(known.side, step_index))
    code = PlaneCode(structure, side_log2, step_index, levels)
    data, information = encode_section(code, known)
    return data, reconstruct(code, known), known.y.size, information


def encode_planes(
    planes: list[np.ndarray],
    *,
    quality: float,
    tree_model: TreeModel | None = None,
    mask: np.ndarray | None = None,
    rounds: int = SWAP_ROUNDS,
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
        (plane (H, W) float32, density) -> list of split scores for cells of side 32, 16, ..., 2. Without one, trees come from
        the pyramid of details.
    mask : (H, W) bool, optional
        A free inpainting mask for plane 0 in place of a tree.
    rounds : int
        Swap rounds.
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
        structure: Tree | np.ndarray
        if number == 0 and mask is not None:
            structure, side_log2 = mask, FREE_MASK_SIDE_LOG2
        else:
            cost = CHROMA_POINT_COST if number else POINT_COST
            structure, side_log2 = choose_tree(plane, index, tree_model, cost), ROOT_LOG2
        report(0.05)
        results.append(encode_plane(plane, index, structure, side_log2, rounds, report))
        done += plane.size
        report(1.0)
    sections, reconstructions, points, information = (list(column) for column in zip(*results, strict=True))
    return EncodedPicture(sections, reconstructions, points[0] / planes[0].size, points[0], information)
