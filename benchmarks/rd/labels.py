"""Makes nine label maps, as data sets of segmentations have them: 21 classes, to be coded without loss.

    dinp bench labels --photographs KODAK --out labels

Four photographs of the Kodak suite, each segmented by Felzenszwalb's method and by SLIC (scikit-image), and its picture
`coins`, thresholded and labelled. The number of a segment becomes one of 21 classes by a hash, so that neighbours
seldom share one.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.runs import load_picture
from dinp.cli.options import PATH
from dinp.errors import DinpError

CLASSES = 21
HASH = 7919  # a prime: what each class has of the segments is spread over the picture
PHOTOGRAPHS = ("03", "05", "15", "20")


def classes(segments: np.ndarray) -> np.ndarray:
    """Segments by number (H, W) as classes (H, W) uint8, below 21."""
    return (segments.astype(np.int64) * HASH % CLASSES).astype(np.uint8)


def label_maps(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and maps (H, W) uint8 of the photographs in a folder, whose names end as Kodak's do, and of `coins`.

    Raises
    ------
    DinpError
        A photograph is missing or cannot be read.
    """
    segmentation, measure = library("skimage.segmentation"), library("skimage.measure")
    for number in PHOTOGRAPHS:
        found = sorted(folder.glob(f"*{number}.png"))
        if len(found) != 1:
            raise DinpError(f"{folder} has {len(found)} pictures *{number}.png: give the folder of the Kodak suite")
        picture = load_picture(found[0], "colour")
        felzenszwalb = segmentation.felzenszwalb(picture, scale=400, sigma=0.8, min_size=60)
        yield f"felz_{number}", classes(felzenszwalb)
        yield f"slic_{number}", classes(segmentation.slic(picture, n_segments=250, compactness=12))
    coins = library("skimage.data").coins()
    yield "coins", classes(measure.label(coins > library("skimage.filters").threshold_otsu(coins)))


@click.command()
@click.option("--photographs", type=PATH, required=True, help="Folder of the Kodak suite.")
@click.option("--out", type=PATH, required=True, help="Folder for the label maps.")
def labels(photographs: Path, out: Path) -> None:
    """Make nine label maps of 21 classes."""
    out.mkdir(parents=True, exist_ok=True)
    for name, labels in label_maps(photographs):
        Image.fromarray(labels).save(out / f"{name}.png")
        click.echo(out / f"{name}.png")
