"""Learned and refined masks: the network places the points, a few inpaintings show where some should rather be."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from dinp.errors import DinpError
from dinp.models.masks.exchange import curvature
from dinp.models.masks.learned import learned_mask
from dinp.models.masks.search import Search, Wanted, inpainted, mask_search, voronoi, with_count, worst_pixels

SHARE = 1.0
MOVES = (0.035, 0.06, 0.01, 0.025, 0.0035)  # of the points, in each round, at 10 % density: few follow many, and mend
FEWER_MOVES = 0.25  # exponent: at a lower density the network's mask is farther from the best
FAST_MOVES = (0.04, 0.06, 0.01)  # of the points, in each of a few rounds, at 10 % density
LONG = 40  # rounds
LONG_MOVES = (0.084, 0.004)  # of the points, in the first round and after the last

# chosen, like those above, on pictures for tuning, by PSNR after tonal optimisation
MEAN_STEP = 0.5  # of a cell's mean error, added to the value at its point
SMOOTHED = 0.5  # part of the error in which to look for new points that is smoothed
SMOOTHING = 0.7  # pixels
AREA_EXPONENT = 0.45  # of a cell's area, by which its error is divided
PROTECTION = 4.0  # factor of the cost of removing a point whose cell is to get another


Start = Callable[[np.ndarray, float, int], np.ndarray]


@mask_search
def learned_refined_mask(
    wanted: Wanted, *, share: float = SHARE, moves: tuple[float, ...] | None = None, start: Start = learned_mask
) -> Search:
    """The mask of the network, completed and corrected by as many inpaintings as there are `moves`: by default five.

    Called as `dinp.models.masks.search.mask_search` says.

    Parameters
    ----------
    share : float
        Part of the points that the start places, in (0, 1].
    moves : tuple of float, optional
        For each round, which takes one inpainting, the part of the points that it moves, in [0, 1). By default as
        `default_moves` says.
    start : callable
        (image, density, seed) -> mask. Default: the shipped mask network.

    Notes
    -----
    A round inpaints, adds the worst pixel of the cells with the largest error, and removes the points that seem to
    matter least, by one and the same reconstruction. The masks are meant for tonal optimisation, and so the values are
    not the image's own: each round corrects the value at every point by a part of its cell's mean error, which costs no
    inpainting, and is worth 0.1 dB after tonal optimisation.
    """
    moves = default_moves(wanted.density) if moves is None else moves
    if not 0 < share <= 1 or not all(0 <= move < 1 for move in moves):
        raise DinpError("the share of the start must be above 0 and at most 1, moves at least 0 and below 1")
    mask = start(wanted.plane, max(share * wanted.density, 1 / wanted.plane.size), wanted.seed)
    return _rounds(wanted.plane, mask, wanted.points, moves, wanted.rng)


def default_moves(density: float) -> tuple[float, ...]:
    """What part of the points each of the five rounds of refinement moves, at a density in (0, 1].

    Chosen on 14 pictures for tuning, by PSNR after tonal optimisation: masks in passes are nearer to the best, and want
    half of the moves that those of one pass want, which is worth 0.02 dB at 1 and 2 %.
    """
    return tuple(_factor(density) * move for move in MOVES)


def _factor(density: float) -> float:
    return min(2.0, (0.1 / density) ** FEWER_MOVES)


def fast_refined_mask(image: np.ndarray, density: float, seed: int = 0, **options: object) -> np.ndarray:
    """The mask of the network, corrected by three inpaintings: the least that pays.

    Takes, returns and raises what `learned_refined_mask` does.
    """
    factor = _factor(density) if 0 < density <= 1 else 1.0
    return learned_refined_mask(image, density, seed, moves=tuple(factor * move for move in FAST_MOVES), **options)


def long_refined_mask(
    image: np.ndarray, density: float, seed: int = 0, *, rounds: int = LONG, **options: object
) -> np.ndarray:
    """The mask of the network, corrected in many rounds of an inpainting each, which move fewer and fewer points.

    A search: with tonally optimised values its masks are better than those of all others in this package, see
    docs/masks.md.

    Takes, returns and raises what `learned_refined_mask` does; `rounds`, one inpainting each, is at least 1.
    """
    if rounds < 1:
        raise DinpError(f"a long refinement needs at least one round, not {rounds}")
    moves = tuple(LONG_MOVES[0] + (LONG_MOVES[1] - LONG_MOVES[0]) * k / rounds for k in range(rounds))
    return learned_refined_mask(image, density, seed, moves=moves, **options)


def _rounds(
    plane: np.ndarray, mask: np.ndarray, points: int, moves: tuple[float, ...], rng: np.random.Generator
) -> Search:
    first = np.count_nonzero(mask)
    values, reconstruction = plane, None
    for k, move in enumerate(moves):
        yield k / len(moves), mask
        reconstruction = inpainted(mask, values, start=reconstruction)
        error = plane - reconstruction
        cell, count = voronoi(mask)
        area = np.bincount(cell, minlength=count)
        mean = np.bincount(cell, error.ravel(), count) / area

        leaving = min(round(move * points), count - 1)
        growth = first + round((points - first) * (k + 1) / len(moves)) - count
        searched = (1 - SMOOTHED) * error + SMOOTHED * gaussian_filter(error, SMOOTHING)
        pixels, want = worst_pixels(searched**2, mask, exponent=AREA_EXPONENT)
        entering = pixels[np.argsort(-want, kind="stable")[: max(0, growth + leaving)]]
        leaving = min(leaving, max(0, entering.size - growth))

        cost = area * curvature(reconstruction)[mask] ** 2
        cost[cell[entering]] *= PROTECTION
        known = np.flatnonzero(mask)
        values = reconstruction.copy()
        values[mask] += MEAN_STEP * mean
        values.ravel()[entering] = plane.ravel()[entering]
        mask = mask.copy()
        mask.ravel()[known[np.argsort(cost, kind="stable")[:leaving]]] = False
        mask.ravel()[entering] = True
    yield 1.0, with_count(mask, points, rng)
