"""Labels for the mask network: masks of crops of the training pictures, optimised for tonal optimisation.

    dinp train mask-labels --data DATA --out runs/labels/masks_1.npz --count 1600 --seed 1

Each is the mask network's own, refined in forty rounds instead of five: with tonally optimised values such masks are
better than those of any search in this package (on pictures for tuning by 0.1 to 0.4 dB), though each takes only forty
inpaintings. The file is of the form that `dinp.models.training.data.load_masks` reads.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.models.masks.learned import PASSES, learned_mask
from dinp.models.masks.refinement import long_refined_mask
from dinp.models.training import data as labels
from dinp.models.training.data import dihedral, grey
from dinp.models.training.restoration_data import pictures
from dinp.models.weights.mask_model import load_mask_model

DENSITIES = (0.008, 0.14)  # of the labels, log-uniform


def make(
    data: Path,
    count: int,
    seed: int,
    progress: Callable[[int], object] = lambda _: None,
    weights: Path | None = None,
) -> dict[str, np.ndarray]:
    """Masks of random crops, at random densities, fewer if it is interrupted.

    They begin as those of the shipped network, or of one with other `weights`.

    Returns
    -------
    dict of arrays
        picture (N,) str, paths below train/; y, x (N,) int64, upper left corner of the crop of 192 x 192 pixels;
        density (N,) float64, wanted; bits (N, 4608) uint8, masks packed in row order.
    """
    if count < 1 or seed < 0:
        raise DinpError(f"at least one label must be made, and the seed must not be negative: not {count} and {seed}")
    rng = np.random.default_rng(seed)
    start = learned_mask
    if weights is not None:
        model = load_mask_model(weights)
        start = partial(learned_mask, model=model, passes=PASSES if model.passes else 1)
    names = pictures(data, "train")
    planes = {}
    rows: list[tuple] = []
    side = labels.MASK_CROP
    low, high = np.log(DENSITIES)
    try:
        for label in range(count):
            name = names[int(rng.integers(len(names)))]
            plane = planes.setdefault(name, grey(data / name))
            if min(plane.shape) < side:
                raise DinpError(f"the picture {name} is smaller than {side} x {side} pixels: take it out")
            y, x = (int(rng.integers(length - side + 1)) for length in plane.shape)
            density, turn = float(np.exp(rng.uniform(low, high))), int(rng.integers(8))
            crop = plane[y : y + side, x : x + side].astype(np.float64)
            mask = long_refined_mask(dihedral(crop, turn), density, label, start=start)
            rows.append((name.removeprefix("train/"), y, x, density, np.packbits(turned_back(mask, turn))))
            progress(len(rows))
    except KeyboardInterrupt:
        if not rows:
            raise
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return dict(zip(("picture", "y", "x", "density", "bits"), columns, strict=True))


def turned_back(a: np.ndarray, k: int) -> np.ndarray:
    """What `dihedral` made of an array, as it was."""
    a = a[..., ::-1] if k & 1 else a
    a = a[..., ::-1, :] if k & 2 else a
    return a.swapaxes(-1, -2) if k & 4 else a
