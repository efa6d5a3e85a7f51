"""What limits the masks of a network: how many points there are where, or on which pixel each of them stands.

The confidences of two mask networks are exchanged in part: one gives the local density, the confidences' mean over
Gaussian surroundings, and the other how they vary about it. Besides, the points of the first network are moved to the
most confident pixel of the other near them. All confidences are binarised alike, by mass eating, in one pass.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from dinp.benchmarks.masks.measuring import central_crop, measure
from dinp.benchmarks.readme import markdown_table
from dinp.models.masks.binarise import binarise, repaired
from dinp.models.masks.learned import EVEN_ONE_PASS, evened
from dinp.models.weights.mask_model import MaskModel

DENSITIES = (0.02, 0.05, 0.1)
WIDTH = 4.0  # pixels: standard deviation of the surroundings
REACH = 1  # pixels that a point is moved at most, to each side
LITTLE = 1e-5  # confidence, where there would be none to divide by


def exchanged(density_of: np.ndarray, detail_of: np.ndarray, width: float = WIDTH) -> np.ndarray:
    """Confidences (H, W) in [0, 1] with the local density of the first and the variation about it of the second."""
    local = [gaussian_filter(np.asarray(c, dtype=np.float64), width) + LITTLE for c in (density_of, detail_of)]
    return np.minimum(detail_of * local[0] / local[1], 1.0)


def snapped(mask: np.ndarray, own: np.ndarray, other: np.ndarray, reach: int = REACH) -> np.ndarray:
    """The points of a mask, each on the free pixel near it where other confidences are highest.

    Parameters
    ----------
    mask : (H, W) bool
    own, other : (H, W) float
        Confidences: the points' own, whose most confident choose first, and those by which they are moved.
    reach : int
        Pixels to each side.

    Returns
    -------
    (H, W) bool, of as many points.
    """
    moved = np.zeros_like(mask)
    points = np.argwhere(mask)
    for y, x in points[np.argsort(-own[mask], kind="stable")]:
        top, left = max(0, y - reach), max(0, x - reach)
        near = np.s_[top : y + reach + 1, left : x + reach + 1]
        free = np.where(moved[near], -1.0, other[near])
        v, u = np.unravel_index(np.argmax(free), free.shape)
        moved[top + v, left + u] = True
    return repaired(moved, own, len(points), np.random.default_rng(0))  # where no pixel near it was free


def masks_of(plane: np.ndarray, density: float, one: MaskModel, other: MaskModel) -> dict[str, np.ndarray]:
    """Masks (H, W) bool, of two networks, and of what they make together, by name."""
    first, second = (np.asarray(network(plane, density), dtype=np.float64) for network in (one, other))

    def points(confidence: np.ndarray) -> np.ndarray:
        return binarise(evened(confidence, EVEN_ONE_PASS), density=density)

    own = points(first)
    return {
        "own": own,
        f"own, points moved by up to {REACH} pixel": snapped(own, first, second),
        "own density, the other's detail": points(exchanged(first, second)),
        "the other's density, own detail": points(exchanged(second, first)),
        "other": points(second),
    }


def measured(paths: Sequence[Path], one: MaskModel, other: MaskModel) -> Iterator[dict]:
    """A row for each density and mask: mean PSNR in dB after tonal optimisation, of the centres of pictures."""
    planes = [central_crop(path) for path in paths]
    for density in DENSITIES:
        found: dict[str, list[float]] = {}
        for plane in planes:
            for name, mask in masks_of(plane, density, one, other).items():
                found.setdefault(name, []).append(measure(plane, mask)[1])
        for name, worths in found.items():
            worth = round(float(np.mean(worths)), 3)
            yield {"pictures": len(planes), "density": density, "mask": name, "tonal_psnr": worth}


def limits_table(rows: Sequence[dict]) -> str:
    """Markdown: PSNR of each mask and density."""
    densities = list(dict.fromkeys(row["density"] for row in rows))
    names = list(dict.fromkeys(row["mask"] for row in rows))
    worth = {(row["mask"], row["density"]): f"{row['tonal_psnr']:.2f}" for row in rows}
    lines = [[name, *(worth[name, density] for density in densities)] for name in names]
    return markdown_table(["dB, tonally optimised", *(f"{100 * density:g} %" for density in densities)], lines)
