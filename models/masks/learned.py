"""Masks of the shipped mask network, without any inpainting: in several passes, or in one.

In each pass the network is told the points that are placed already, and says where the others should be; the most
confident of them are placed. So later points know what earlier ones left to do, which confidences of one pass cannot.
"""

from functools import cache

import numpy as np

from dinp.errors import DinpError
from dinp.models.masks.binarise import point_count, repaired, scaled
from dinp.models.masks.mass_eating import mass_eating
from dinp.models.weights.mask_model import MaskModel, load_mask_model

PASSES = 4
# of the mean confidence, added to all of them: in passes, in one pass, for plain values
EVEN, EVEN_ONE_PASS, EVEN_PLAIN = 0.25, 0.1, 0.8


@cache
def _shipped_mask_model() -> MaskModel:
    return load_mask_model()


def learned_mask(
    image: np.ndarray,
    density: float,
    seed: int = 0,
    *,
    passes: int = PASSES,
    even: float | None = None,
    model: MaskModel | None = None,
) -> np.ndarray:
    """The mask of the mask network in several passes, for known values that are tonally optimised.

    Parameters
    ----------
    image, density, seed
        As for `dinp.models.masks.analytic.random_mask`; the seed breaks ties only.
    passes : int
        Forward passes of the network, at least 1; each places as many points.
    even : float, optional
        At least 0: part of the mean confidence that is added to all of them, so that a few points are spread evenly. By
        default 0.25, in one pass 0.1.
    model : MaskModel, optional
        Default: the shipped one.

    Returns
    -------
    (H, W) bool, with exactly round(density * H * W) points, at least 1.

    Raises
    ------
    DinpError
        The image or the density is out of range, there are no passes, less than nothing is added, or the network can
        be told nothing.

    Notes
    -----
    A few points are spread evenly, since the network asks for too few where the picture is smooth, most of all under a
    wide sky. On 9 pictures for tuning 0.25 in place of 0.15 gains 0.06 / 0.04 / 0.02 / -0.01 dB at 1 / 2 / 5 / 10 % in
    512x512, 0.04 / 0.05 / 0.01 / 0.00 in 256x256 and nothing in 128x128, with four passes; with one pass, which does
    not see what its points leave empty, 0.1 in place of 0.05 gains 0.15 / 0.14 / 0.01 / -0.09 dB in 512x512.
    """
    if passes < 1:
        raise DinpError(f"a mask takes at least one pass, not {passes}")
    if even is None:
        even = EVEN_ONE_PASS if passes == 1 else EVEN
    if not 0 <= even < np.inf:
        raise DinpError(f"what is added to confidences must be at least 0, not {even}")
    confidences = (_shipped_mask_model() if model is None else model).of(image, density)
    shape = np.shape(image)
    points = point_count(density, shape)
    passes = min(passes, points)
    mask, placed = np.zeros(shape, dtype=bool), 0
    for k in range(passes):
        c = missing(confidences(mask if k else None), mask, points - placed, even)
        mask |= mass_eating(c, points - placed, round(points * (k + 1) / passes) - placed)
        placed = np.count_nonzero(mask)
    return repaired(mask, c, points, np.random.default_rng(seed))


def missing(confidence: np.ndarray, placed: np.ndarray, points: int, even: float = EVEN) -> np.ndarray:
    """What a pass places points by: confidences (H, W) float64 whose sum is the number of points, 0 where some are."""
    c = evened(confidence, even)
    c[placed] = 0
    c = scaled(c, points)
    c[placed] = 0  # not even a tie
    return c


def evened(confidence: np.ndarray, even: float) -> np.ndarray:
    """Confidences (H, W), float64, with so much of their mean added to all of them."""
    c = confidence.astype(np.float64)
    return c + even * c.mean()


def learned_mask_of_one_pass(image: np.ndarray, density: float, seed: int = 0) -> np.ndarray:
    """The mask of the mask network in one pass: a fourth of the time. As `learned_mask` otherwise."""
    return learned_mask(image, density, seed, passes=1)


def learned_mask_of_eight_passes(image: np.ndarray, density: float, seed: int = 0) -> np.ndarray:
    """The mask of the mask network in eight passes: twice the time. As `learned_mask` otherwise."""
    return learned_mask(image, density, seed, passes=8)


def learned_plain_mask(image: np.ndarray, density: float, seed: int = 0) -> np.ndarray:
    """The mask of the mask network for known pixels that keep the picture's own values; as `learned_mask` otherwise.

    More of the points are spread evenly: with such values 0.18 / 0.21 / 0.15 / 0.06 dB better than `learned_mask` on 9
    pictures for tuning at 1 / 2 / 5 / 10 %, and 0.2 / 0.7 / 0.8 / 0.7 dB better than error diffusion in one pass.
    """
    return learned_mask(image, density, seed, even=EVEN_PLAIN)
