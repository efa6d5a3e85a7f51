"""Labels for the mask network: masks of crops of the training pictures, optimised for tonal optimisation.

    python -m dinp.models.training.mask_labels --data DATA --out runs/labels/masks_1.npz --count 1600 --seed 1

Each is the mask network's own, refined in forty rounds instead of five: with tonally optimised values such masks are
better than those of any search in this package (on pictures for tuning by 0.1 to 0.4 dB), though each takes only forty
inpaintings. The file is of the form that `dinp.models.training.data.load_masks` reads.
"""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.models.masks.binarise import binarise
from dinp.models.masks.learned import learned_mask
from dinp.models.masks.refinement import long_refined_mask
from dinp.models.training import data as labels
from dinp.models.training.data import dihedral, grey
from dinp.models.training.restoration_data import pictures
from dinp.models.weights.predictors import load_mask_model
from dinp.pictures.files import check_output, write_output

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

        def start(image: np.ndarray, density: float, seed: int = 0) -> np.ndarray:
            return binarise(model(image, density), density=density, seed=seed)

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


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dinp.models.training.mask_labels", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with train/bsds and train/cid22")
    parser.add_argument("--out", type=Path, required=True, help="file for the labels (.npz)")
    parser.add_argument("--count", type=int, default=1600, help="number of labels (default 1600)")
    parser.add_argument("--seed", type=int, default=1, help="of crops, densities and masks")
    parser.add_argument("--weights", type=Path, help="of the mask network to begin with (default: the shipped ones)")
    args = parser.parse_args(argv)

    def progress(done: int) -> None:
        if done % 50 == 0 or done == args.count:
            sys.stderr.write(f"{done} of {args.count} masks made\n")

    try:
        try:
            args.out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DinpError(f"{args.out.parent} cannot be made a folder: {error.strerror}") from None
        check_output(str(args.out), force=True, source=str(args.data))
        found = make(args.data, args.count, args.seed, progress, args.weights)
        buffer = io.BytesIO()
        np.savez(buffer, **found)
        write_output(str(args.out), buffer.getvalue(), force=True)
        if len(found["bits"]) < args.count:
            sys.stderr.write(f"interrupted: {len(found['bits'])} of {args.count} masks are in {args.out}\n")
    except DinpError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
