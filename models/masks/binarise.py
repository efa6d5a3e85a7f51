"""Binarisation: from confidences to an inpainting mask with exactly the wanted number of known pixels.

Taking the n most confident pixels clusters them, and drawing at random scatters them. Mass eating puts points where
confidence peaks and keeps them apart: best where values are tonally optimised. Error diffusion spreads them evenly at
the local density that the confidences ask for, and a few Lloyd steps even out what its raster order left: better where
known pixels keep the picture's own values, if all points are placed in one pass.
"""

import numpy as np
from scipy.ndimage import distance_transform_edt

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.mass_eating import mass_eating

LLOYD_STEPS = 4
MASS_EATING, ERROR_DIFFUSION = METHODS = ("mass eating", "error diffusion")
_TIE = 1e-9


def point_count(density: float, shape: tuple[int, int]) -> int:
    """Number of known pixels of a density: round(density * H * W), at least 1."""
    if not 0 < density <= 1:
        raise DinpError(f"density must be above 0 and at most 1, not {density!r}")
    return max(1, round(density * shape[0] * shape[1]))


def plane_of(image: np.ndarray) -> np.ndarray:
    """The image as (H, W) float64; DinpError if it is no plane."""
    plane = np.asarray(image, dtype=np.float64)
    if plane.ndim != 2 or plane.size == 0:
        raise DinpError(f"a plane must have two dimensions and at least one pixel, not the shape {plane.shape}")
    return plane


def binarise(
    confidence: np.ndarray,
    *,
    density: float | None = None,
    points: int | None = None,
    seed: int = 0,
    method: str = MASS_EATING,
    lloyd: int = LLOYD_STEPS,
) -> np.ndarray:
    """A mask from confidences: mass eating, or error diffusion and Lloyd steps; and a repair of the number of points.

    Parameters
    ----------
    confidence : (H, W) float
        Non-negative and finite, any size; scaled to the wanted number of points, at most 1 a pixel.
    density : float
        Wanted known pixels per pixel, in (0, 1]; the mask has round(density * H * W), at least 1. Or
    points : int
        their number, 1 to H * W.
    seed : int
        Seed of the tie-breaking noise in the repair.
    method : str
        "mass eating", or "error diffusion" (Floyd-Steinberg).
    lloyd : int
        Lloyd steps after error diffusion.

    Returns
    -------
    (H, W) bool, with exactly the wanted number of points.

    Raises
    ------
    DinpError
        The confidences are no plane of non-negative numbers, the number of points is impossible, or there is no such
        method.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    if confidence.ndim != 2 or confidence.size == 0 or not np.isfinite(confidence).all() or (confidence < 0).any():
        raise DinpError("confidences must be a plane of finite, non-negative numbers")
    if (density is None) == (points is None):
        raise DinpError("give either the density or the number of points")
    n = point_count(density, confidence.shape) if points is None else int(points)
    if not 1 <= n <= confidence.size:
        raise DinpError(f"{n} points do not fit a mask of {confidence.size} pixels")
    if method not in METHODS:
        raise DinpError(f"there is no binarisation {method!r}: choose one of {', '.join(METHODS)}")
    confidence = scaled(confidence, n)
    if method == MASS_EATING:
        mask = mass_eating(confidence, n)
    else:
        mask = error_diffusion(confidence)
        for _ in range(lloyd):
            mask = lloyd_step(mask, confidence)
    return repaired(mask, confidence, n, np.random.default_rng(seed))


def best_of_samples(
    confidence: np.ndarray, image: np.ndarray, density: float, n: int = 30, seed: int = 0
) -> np.ndarray:
    """The best, by the error of its inpainting, of `n` masks drawn at random from the confidences.

    Parameters
    ----------
    confidence : (H, W) float
        In [0, 1].
    image : (H, W) float
        Grey values 0-255.
    density : float
        Known pixels per pixel, in (0, 1]: each mask has round(density * H * W), at least 1.
    n : int
        Masks to draw, at least 1; each costs an inpainting.
    seed : int

    Returns
    -------
    (H, W) bool, with exactly the wanted number of points.

    Raises
    ------
    DinpError
        The confidences are no plane in [0, 1], the image is of another shape or not finite, or a number is impossible.

    Notes
    -----
    A pixel is known with the probability that its confidence gives, independently of the others, as in the paper; but
    where coin flips miss the number of points by a few, here all logits are shifted until it is right.

    References
    ----------
    T. Alt, P. Peter, J. Weickert: Learning sparse masks for diffusion-based image inpainting. IbPRIA 2022.
    """
    c = np.asarray(confidence, dtype=np.float64)
    plane = np.asarray(image, dtype=np.float64)
    if c.ndim != 2 or c.size == 0 or not (np.isfinite(c).all() and c.min() >= 0 and c.max() <= 1):
        raise DinpError("confidences must be a plane of numbers from 0 to 1")
    if plane.shape != c.shape or not np.isfinite(plane).all():
        raise DinpError(f"the image must be finite and of the confidences' shape {c.shape}")
    if n < 1:
        raise DinpError(f"at least one mask must be drawn, not {n}")
    points = point_count(density, c.shape)
    rng = np.random.default_rng(seed)
    logit = np.log(c + _TIE) - np.log1p(_TIE - c)
    best, least = None, np.inf
    for _ in range(n):
        score = (logit + rng.logistic(size=c.shape)).ravel()
        mask = np.zeros(c.size, dtype=bool)
        mask[np.argpartition(-score, points - 1)[:points]] = True
        mask = mask.reshape(c.shape)
        error = float(np.mean((Inpainter(mask).solve(plane) - plane) ** 2))
        if error < least:
            best, least = mask, error
    return best


def scaled(confidence: np.ndarray, points: int) -> np.ndarray:
    """Confidences times a factor, clipped to 1, whose sum is the number of points; uniform where they are all 0."""
    c = confidence / (float(confidence.max()) or 1.0)
    if np.count_nonzero(c) <= points:
        c = c + _TIE
    full = np.zeros(c.shape, dtype=bool)
    while True:
        rest = points - np.count_nonzero(full)
        factor = rest / float(c[~full].sum()) if rest else 0.0
        over = ~full & (c * factor > 1)
        if not over.any():
            break
        full |= over
    return np.where(full, 1.0, c * factor)


def error_diffusion(confidence: np.ndarray) -> np.ndarray:
    """Floyd-Steinberg error diffusion at threshold 1/2, (..., H, W) float64 to bool.

    Pixels with the same x + 2 y do not influence one another, so each such diagonal is one vector operation.

    References
    ----------
    R. W. Floyd, L. Steinberg: An adaptive algorithm for spatial grey scale. Proceedings of the SID 17(2), 1976.
    """
    height, width = confidence.shape[-2:]
    y = np.arange(height)
    mask = np.zeros(confidence.shape, dtype=bool)
    # error[t % 4][..., y + 1]: error of the pixel of row y on diagonal t; row -1 and pixels outside have none
    error = np.zeros((4, *confidence.shape[:-2], height + 1))
    for t in range(width + 2 * (height - 1)):
        first, last = max(0, -(-(t - width + 1) // 2)), min(height - 1, t // 2)
        rows = y[first : last + 1]
        columns = t - 2 * rows
        here, above = slice(first + 1, last + 2), slice(first, last + 1)
        value = (
            confidence[..., rows, columns]
            + (
                7 * error[(t - 1) % 4][..., here]
                + 3 * error[(t - 1) % 4][..., above]
                + 5 * error[(t - 2) % 4][..., above]
                + error[(t - 3) % 4][..., above]
            )
            / 16
        )
        known = value >= 0.5
        mask[..., rows, columns] = known
        error[t % 4] = 0
        error[t % 4][..., here] = value - known
    return mask


def lloyd_step(mask: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Move each point to the centroid of its Voronoi cell, weighted by the confidence; points may meet and merge.

    References
    ----------
    S. Lloyd: Least squares quantization in PCM. IEEE Transactions on Information Theory 28, 1982.
    """
    points = np.flatnonzero(mask)
    if points.size == 0:
        return mask
    _, width = mask.shape
    nearest_y, nearest_x = distance_transform_edt(~mask, return_distances=False, return_indices=True)
    label = np.empty(mask.size, dtype=np.int64)
    label[points] = np.arange(points.size)
    cell = label[(nearest_y.astype(np.int64) * width + nearest_x).ravel()]
    weight = confidence.ravel() + _TIE
    total = np.bincount(cell, weight)
    y, x = (
        np.rint(np.bincount(cell, weight * position.ravel()) / total).astype(np.int64)
        for position in np.indices(mask.shape)
    )
    moved = np.zeros_like(mask)
    moved[y, x] = True
    return moved


def repaired(mask: np.ndarray, confidence: np.ndarray, points: int, rng: np.random.Generator) -> np.ndarray:
    """The mask with points added or removed until there are `points`.

    Missing points go to the pixels that are farthest from known ones, in units of the spacing that the local confidence
    asks for (local maxima first, in rounds); superfluous ones leave in order of the lowest confidence.
    """
    mask = mask.copy()
    noise = 1 + 1e-6 * rng.random(mask.shape)
    while (missing := points - np.count_nonzero(mask)) > 0:
        distance = distance_transform_edt(~mask) if mask.any() else np.ones(mask.shape)
        score = np.where(mask, -1.0, distance**2 * (confidence + _TIE) * noise)
        peaks = _local_maxima(score) & ~mask
        peaks[np.unravel_index(np.argmax(score), score.shape)] = True
        candidates = np.flatnonzero(peaks)
        best = candidates[np.argsort(-score.ravel()[candidates], kind="stable")[:missing]]
        mask.ravel()[best] = True
    if missing < 0:
        known = np.flatnonzero(mask)
        score = (confidence * noise).ravel()[known]
        mask.ravel()[known[np.argsort(score, kind="stable")[:-missing]]] = False
    return mask


def _local_maxima(score: np.ndarray) -> np.ndarray:
    padded = np.pad(score, 1, constant_values=-np.inf)
    height, width = score.shape
    peak = np.ones(score.shape, dtype=bool)
    for dy in range(3):
        for dx in range(3):
            peak &= score >= padded[dy : dy + height, dx : dx + width]
    return peak
