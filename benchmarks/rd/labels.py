"""Makes nine label maps, as data sets of segmentations have them: 21 classes, to be coded without loss.

    dinp bench labels --photographs KODAK --out labels [--times label_seconds.json]

Four photographs of the Kodak suite, each segmented by Felzenszwalb's method and by SLIC (scikit-image), and its picture
`coins`, thresholded and labelled. The number of a segment becomes one of 21 classes by a hash, so that neighbours
seldom share one. With --times each is coded and decoded in this process, by dinp and by crackle-codec (order 0;
"crackle + xz" is that and xz on top): the least of several CPU times, on one thread, in seconds.
"""

import json
import lzma
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.rd.lossless_codecs import XZ_PRESET
from dinp.benchmarks.rd.runs import load_picture
from dinp.cli.options import PATH
from dinp.errors import DinpError

CLASSES = 21
REPEATS = 7
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


def least_seconds(work: Callable[[], object]) -> float:
    """The least CPU time of several calls, after one that is not counted."""
    work()
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return round(min(found), 4)


def seconds(name: str, labels: np.ndarray) -> list[dict]:
    """Bytes, and seconds to code and decode, of a map by each codec; and that it comes back as it was."""
    import dinp

    crackle = library("crackle")
    volume = np.asfortranarray(labels.T[:, :, None])  # (x, y, z)

    def compress() -> bytes:
        return crackle.compress(volume, markov_model_order=0, parallel=1)

    codecs = {
        "dinp": (lambda: dinp.encode(labels, lossless=True), dinp.decode_array),
        "crackle": (compress, lambda data: crackle.decompress(data, parallel=1)),
        "crackle + xz": (
            lambda: lzma.compress(compress(), preset=XZ_PRESET),
            lambda data: crackle.decompress(lzma.decompress(data), parallel=1),
        ),
    }
    found = []
    for codec, (encode, decode) in codecs.items():
        data = encode()
        back = np.asarray(decode(data))
        if not np.array_equal(back if back.ndim == 2 else back[:, :, 0].T, labels):
            raise DinpError(f"{codec} does not give {name} back as it was")
        row = {"codec": codec, "picture": name, "pixels": labels.size, "bytes": len(data)}
        times = {"encode_s": least_seconds(encode), "decode_s": least_seconds(partial(decode, data))}
        found.append(row | times)
    return found


@click.command()
@click.option("--photographs", type=PATH, required=True, help="Folder of the Kodak suite.")
@click.option("--out", type=PATH, required=True, help="Folder for the label maps.")
@click.option("--times", type=PATH, help="JSON file for seconds next to crackle-codec's.")
def labels(photographs: Path, out: Path, times: Path | None) -> None:
    """Make nine label maps of 21 classes, and time their coding."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, labels in label_maps(photographs):
        Image.fromarray(labels).save(out / f"{name}.png")
        click.echo(out / f"{name}.png")
        if times is not None:
            rows += seconds(name, labels)
            for row in rows[-3:]:
                click.echo(f"  {row['codec']:<12} {row['bytes']:>7,} bytes, {row['encode_s']} s, {row['decode_s']} s")
    if times is not None:
        head = {"benchmark": "label seconds", "run": environment(["dinp", "numpy", "crackle-codec"])}
        times.write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n", encoding="utf-8")
