"""What a mask network that completes is given: points of a mask, and what an inpainting from them leaves undone."""

from collections.abc import Sequence

import numpy as np

from dinp.models.mask_network import GIVEN, KNOWN, RESIDUAL, TOLD
from dinp.models.search import inpainted, voronoi

MEAN_STEP = 0.5  # of a cell's mean error, added to the value at its point
NOTHING = 0.35  # share of the crops of which nothing is given
UNTOLD = 0.2  # share of those of which there is no inpainting
SHARES = (0.4, 1.0)  # of the teacher's points that are given


def given_of(plane: np.ndarray, mask: np.ndarray, reconstruction: np.ndarray | None = None) -> np.ndarray:
    """Input of `MaskNetwork`, (3, H, W) float32, for known pixels (H, W) bool and their inpainting (H, W)."""
    given = np.zeros((GIVEN, *plane.shape), dtype=np.float32)
    given[KNOWN] = mask
    if reconstruction is not None:
        given[RESIDUAL] = plane - reconstruction
        given[TOLD] = 1
    return given


def corrected(plane: np.ndarray, mask: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Values (H, W) whose known ones are those of an inpainting plus a part of their Voronoi cells' mean errors.

    Masks are meant for tonal optimisation. This is the part of it that costs no inpainting.
    """
    cell, count = voronoi(mask)
    mean = np.bincount(cell, (plane - reconstruction).ravel(), count) / np.bincount(cell, minlength=count)
    values = reconstruction.copy()
    values[mask] += MEAN_STEP * mean
    return values


def drawn_given(
    planes: Sequence[np.ndarray], masks: Sequence[np.ndarray], rng: np.random.Generator, nothing: float = NOTHING
) -> np.ndarray:
    """For training: a random part of each teacher's mask, mostly with its inpainting; (B, 3, H, W) float32.

    Parameters
    ----------
    planes : B arrays (H, W), grey values
    masks : B arrays (H, W), 0 and 1
    rng : Generator
    nothing : float
        Share of the masks of which nothing is given.
    """
    out = []
    for plane, mask in zip(planes, masks, strict=True):
        known_none, untold, plain = rng.random(3) < (nothing, UNTOLD, 0.5)
        share, drawn = rng.uniform(*SHARES), rng.random(mask.shape)
        known = (mask > 0) & (drawn < share) & ~known_none
        reconstruction = None
        if not untold and known.any():
            plane = plane.astype(np.float64)
            reconstruction = inpainted(known, plane)
            if not plain:
                reconstruction = inpainted(known, corrected(plane, known, reconstruction), start=reconstruction)
        out.append(given_of(plane, known, reconstruction))
    return np.stack(out)
