"""Exchange: move points of a mask from where they help least to where the error is largest.

`nonlocal_pixel_exchange` judges every swap by what it changes around its two pixels, hundreds of swaps with one
inpainting. `exchange` moves the points that look cheapest without judging them one by one, and keeps a round that pays.
`global_exchange` is the search as it is published, with an inpainting of the whole image for each swap.
"""

import time

import numpy as np

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.binarise import point_count
from dinp.models.masks.densification import densified, densify
from dinp.models.masks.search import (
    Search,
    Wanted,
    checked_plane,
    finish,
    inpainted,
    mask_search,
    nearest,
    one_after_another,
    voronoi,
    with_count,
    worst_pixels,
)
from dinp.models.masks.sparsification import sparsify

CYCLES = 5  # swaps tried per point
TRIED = 0.08  # of the points in a batch: far enough from one another to be judged by themselves
ROUNDS_TO_SETTLE = ((0.03, 5), (0.01, 3))  # part of the points in a batch, cycles of a round
STILL = 0.002  # of the squared error: a round that gains less is the last of its kind
MOST = 100  # cycles
ROUNDS = 30
MOVED = 0.1  # of the points in the first round of `exchange`


@mask_search
def nonlocal_pixel_exchange(wanted: Wanted, *, start: np.ndarray | None = None, cycles: float = CYCLES) -> Search:
    """The mask of nonlocal pixel exchange on top of probabilistic sparsification.

    Called as `dinp.models.masks.search.mask_search` says. Its inpainting is at least as good as that of the start.

    Parameters
    ----------
    start : (H, W) bool, optional
        The mask to start from, with as many points. Default: probabilistic sparsification, with the same seed.
    cycles : float
        Swaps to try per point of the mask.

    Notes
    -----
    The published search tries swaps one by one: a random point leaves, and of a few random pixels the one with the
    largest error enters. Here a batch tries 8 % of the points and as many pixels at once, drawn at random, but rather
    points of little curvature and pixels in cells of large error. Inpainting with all of them changed tells, by the
    pixels nearest to each change, what it is worth. The cheapest removals are paired with the most valuable additions
    as long as they pay, and the resulting mask is kept if it is better indeed.

    References
    ----------
    M. Mainberger, S. Hoffmann, J. Weickert, C. H. Tang, D. Johannsen, F. Neumann, B. Doerr: Optimising spatial and
    tonal data for homogeneous diffusion inpainting. SSVM 2011.
    """
    if not cycles >= 0:
        raise DinpError(f"the number of cycles must not be negative, and is {cycles}")
    if start is not None:
        return swap_batches(wanted.plane, wanted.start(start), wanted.rng, cycles)
    first = sparsify(wanted.plane, wanted.points, wanted.rng)
    return one_after_another(first, 0.35, lambda mask: swap_batches(wanted.plane, mask, wanted.rng, cycles))


@mask_search
def densification_exchange(wanted: Wanted, *, rounds: int = ROUNDS) -> Search:
    """The mask of error-driven densification, improved by `exchange`, of which the `rounds` are.

    Called as `dinp.models.masks.search.mask_search` says.
    """
    first = densify(wanted.plane, wanted.points, wanted.rng)
    return one_after_another(first, 0.2, lambda mask: move_rounds(wanted.plane, mask, wanted.rng, rounds))


@mask_search
def exchange(wanted: Wanted, *, start: np.ndarray, rounds: int = ROUNDS) -> Search:
    """A mask improved in rounds: the cheapest points leave, as many enter where the error is largest, the better stays.

    Called as `dinp.models.masks.search.mask_search` says. Its inpainting is at least as good as that of the start.

    Parameters
    ----------
    start : (H, W) bool
        The mask to start from, with round(density * H * W) points.
    rounds : int
        Each takes two inpaintings.
    """
    return move_rounds(wanted.plane, wanted.start(start), wanted.rng, rounds)


@mask_search
def settled_pixel_exchange(
    wanted: Wanted, *, start: np.ndarray | None = None, still: float = STILL, most: float = MOST
) -> Search:
    """The mask of `nonlocal_pixel_exchange` where more of it gains nothing: the fair opponent of other masks.

    Called as `dinp.models.masks.search.mask_search` says. After five swaps a point it goes on in smaller batches, 3 %
    of the points and then 1 %, in rounds of five and of three swaps a point, until a round gains little.

    Parameters
    ----------
    start : (H, W) bool, optional
        The mask to start from, with as many points. Default: probabilistic sparsification, with the same seed.
    still : float
        Part of the squared error that a round has to gain, or it is the last.
    most : float
        Swaps to try per point of the mask, at most.
    """
    if not (0 <= still < 1 and most >= 0):
        raise DinpError("the least gain must be at least 0 and below 1, and the number of cycles not negative")
    plane, rng = wanted.plane, wanted.rng
    if start is not None:
        return _settled(plane, wanted.start(start), rng, still, most)
    first = sparsify(plane, wanted.points, rng)
    return one_after_another(first, 0.05, lambda mask: _settled(plane, mask, rng, still, most))


def _settled(plane: np.ndarray, mask: np.ndarray, rng: np.random.Generator, still: float, most: float) -> Search:
    for _, best in swap_batches(plane, mask, rng, min(CYCLES, most)):
        mask = best
        yield 0.0, mask
    cycles, before = float(CYCLES), float(np.sum((plane - inpainted(mask, plane)) ** 2))
    for share, length in ROUNDS_TO_SETTLE:
        while cycles < most:
            for _, best in swap_batches(plane, mask, rng, min(length, most - cycles), share):
                mask = best
                yield cycles / most, mask
            cycles += length
            now = float(np.sum((plane - inpainted(mask, plane)) ** 2))
            last, before = before, now
            if now >= (1 - still) * last:
                break
    yield 1.0, mask


def swap_batches(
    plane: np.ndarray, mask: np.ndarray, rng: np.random.Generator, cycles: float = CYCLES, share: float = TRIED
) -> Search:
    """The search of `nonlocal_pixel_exchange`, batch by batch, each of a share of the points."""
    points = np.count_nonzero(mask)
    batches = int(np.ceil(cycles / share))
    tried = max(1, round(share * points))
    if points == mask.size:
        batches = 0
    reconstruction = inpainted(mask, plane)
    cells = voronoi(mask) if batches else None
    for batch in range(batches):
        yield batch / batches, mask
        error = (plane - reconstruction) ** 2
        leaving = _drawn(removal_costs(mask, reconstruction, cells), -1.0, tried, rng)
        pixels, want = worst_pixels(error, mask, noise=rng.random(mask.shape) ** -0.6, cells=cells)
        entering = pixels[_drawn(want, 1.0, tried, rng)]
        leaving = np.flatnonzero(mask)[leaving]
        trial = _swapped(mask, leaving, entering)
        if not trial.any():
            continue
        changes = np.zeros_like(mask)
        changes.ravel()[leaving] = changes.ravel()[entering] = True
        change = (plane - inpainted(trial, plane, start=reconstruction)) ** 2 - error
        change = np.bincount(nearest(changes), change.ravel(), mask.size)
        leaving = leaving[np.argsort(change[leaving], kind="stable")]
        entering = entering[np.argsort(change[entering], kind="stable")]
        count = min(leaving.size, entering.size)
        worth = change[leaving[:count]] + change[entering[:count]] < 0
        count = int(np.count_nonzero(worth))  # the sums rise, so those below 0 come first
        while count:
            trial = _swapped(mask, leaving[:count], entering[:count])
            result = inpainted(trial, plane, start=reconstruction)
            if np.sum((plane - result) ** 2) < np.sum(error):
                mask, reconstruction = trial, result
                cells = voronoi(mask)
                break
            count //= 2
    yield 1.0, mask


def move_rounds(plane: np.ndarray, mask: np.ndarray, rng: np.random.Generator, rounds: int = ROUNDS) -> Search:
    """The search of `exchange`, round by round."""
    points = np.count_nonzero(mask)
    reconstruction = inpainted(mask, plane)
    best = float(np.sum((plane - reconstruction) ** 2))
    share = MOVED
    for round_ in range(rounds if points < mask.size else 0):
        yield round_ / rounds, mask
        moved = min(points - 1, max(1, round(share * points)))
        if moved < 1:
            break
        leaving = _drawn(removal_costs(mask, reconstruction), -1.0, moved, rng, spread=0.3)
        thinned = _swapped(mask, np.flatnonzero(mask)[leaving], np.zeros(0, dtype=np.int64))
        reduced = inpainted(thinned, plane, start=reconstruction)
        trial = with_count(densified(thinned, (plane - reduced) ** 2, points), points, rng)
        result = inpainted(trial, plane, start=reduced)
        energy = float(np.sum((plane - result) ** 2))
        if energy < best:
            mask, reconstruction, best = trial, result, energy
        else:
            share *= 0.7
    yield 1.0, mask


def removal_costs(
    mask: np.ndarray, reconstruction: np.ndarray, cells: tuple[np.ndarray, int] | None = None
) -> np.ndarray:
    """What removing each point would roughly cost: its cell's area times its curvature squared, (n,) in raster order.

    Removing a point changes the reconstruction there by its Laplacian times a factor that varies little, and changes
    all of the cell in proportion. `cells` is what `voronoi` gives for the mask, where it is known already.
    """
    cell, count = voronoi(mask) if cells is None else cells
    return np.bincount(cell, minlength=count) * curvature(reconstruction)[mask] ** 2


def curvature(plane: np.ndarray) -> np.ndarray:
    """The Laplacian (H, W) of a plane, its boundary reflecting."""
    u = np.pad(plane, 1, mode="edge")
    return u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * plane


@mask_search
def global_exchange(wanted: Wanted, *, start: np.ndarray, swaps: int, candidates: int = 10) -> Search:
    """Nonlocal pixel exchange as it is published: one inpainting of the whole image, to convergence, for every swap.

    Called as `dinp.models.masks.search.mask_search` says.

    Parameters
    ----------
    start : (H, W) bool
        The mask to start from, with round(density * H * W) points.
    swaps : int
        Swaps to try.
    candidates : int
        Unknown pixels drawn for each swap, of which the one with the largest error enters.
    """
    best = wanted.start(start)
    plane, points, rng = wanted.plane, wanted.points, wanted.rng
    result = Inpainter(best).solve(plane)
    for swap in range(swaps if points < best.size else 0):
        yield swap / swaps, best
        leaving = rng.choice(np.flatnonzero(best), 1)
        drawn = rng.choice(np.flatnonzero(~best), min(candidates, best.size - points), replace=False)
        entering = drawn[np.argmax(np.abs(plane - result).ravel()[drawn])]
        trial = _swapped(best, leaving, entering)
        changed = Inpainter(trial).solve(plane, start=result)
        if np.sum((plane - changed) ** 2) < np.sum((plane - result) ** 2):
            best, result = trial, changed
    yield 1.0, best


def global_exchange_seconds(
    image: np.ndarray, density: float, seed: int = 0, *, swaps: int = 20, cycles: float = CYCLES
) -> float:
    """Seconds that `global_exchange` would take for `cycles` swaps per point, from those of a few swaps.

    Parameters
    ----------
    image, density, seed
        As for all searches.
    swaps : int
        Swaps to measure, at least 1; from an error-driven mask, as a swap costs the same in all of them.
    cycles : float
        Swaps per point to extrapolate to.

    Raises
    ------
    DinpError
        The density or the number of swaps is out of range, or the image is no plane of finite values.
    """
    if swaps < 1:
        raise DinpError(f"the time of a swap needs at least one swap, not {swaps}")
    plane = checked_plane(image)
    points = point_count(density, plane.shape)
    rng = np.random.default_rng(seed)
    start = finish(densify(plane, points, rng), points, rng, None, False)

    def seconds(count: int) -> float:
        begin = time.perf_counter()
        global_exchange(plane, density, seed, start=start, swaps=count)
        return time.perf_counter() - begin

    first = seconds(0)  # the inpainting that it begins with
    return first + (seconds(swaps) - first) / swaps * cycles * points


def _drawn(weight: np.ndarray, sign: float, count: int, rng: np.random.Generator, spread: float = 1.0) -> np.ndarray:
    """Indices of `count` weights, the large ones (sign 1) or the small ones (-1) rather than others."""
    key = sign * np.log(weight + 1e-9) + spread * rng.gumbel(size=weight.shape)
    return np.argsort(-key, kind="stable")[:count]


def _swapped(mask: np.ndarray, leaving: np.ndarray, entering: np.ndarray) -> np.ndarray:
    mask = mask.copy()
    mask.ravel()[leaving] = False
    mask.ravel()[entering] = True
    return mask
