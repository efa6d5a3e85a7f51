"""What the benchmark of many files codes: small pictures and label maps, made of the pictures of a folder."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.labels import classes
from dinp.benchmarks.rd.runs import pictures_in

SIZES = ((128, 128), (160, 128), (128, 160), (192, 128))  # width, height
SEGMENTS = 250 / (768 * 512)  # a pixel, of SLIC: as `dinp bench labels` has them
BAD = ("bad_empty.png", "bad_text.png", "bad_truncated.png")


def crops(folder: Path, count: int, seed: int = 1) -> Iterator[tuple[str, np.ndarray]]:
    """Names and crops (H, W, 3) uint8 of the pictures of a folder: as many of each, at places chosen by chance.

    Raises
    ------
    DinpError
        The folder has no pictures.
    """
    paths = pictures_in(folder)
    rng = np.random.default_rng(seed)
    made = 0
    for number, path in enumerate(paths):
        with Image.open(path) as opened:
            picture = np.asarray(opened.convert("RGB"))
        for _ in range(count * number // len(paths), count * (number + 1) // len(paths)):
            width, height = SIZES[made % len(SIZES)]
            top = int(rng.integers(max(1, picture.shape[0] - height + 1)))
            left = int(rng.integers(max(1, picture.shape[1] - width + 1)))
            yield f"{made:03}_{path.stem}", picture[top : top + height, left : left + width]
            made += 1


def label_map(picture: np.ndarray, number: int) -> np.ndarray:
    """Segments of a picture (H, W, 3) uint8 as 21 classes (H, W) uint8: Felzenszwalb's or SLIC's, by turns."""
    segmentation = library("skimage.segmentation")
    if number % 2 == 0:
        return classes(segmentation.felzenszwalb(picture, scale=400, sigma=0.8, min_size=60))
    wanted = max(2, round(SEGMENTS * picture.shape[0] * picture.shape[1]))
    return classes(segmentation.slic(picture, n_segments=wanted, compactness=12))


def make_inputs(source: Path, folder: Path, count: int) -> None:
    """Write `count` pictures into `folder`/pictures, label maps of them into labels, and three bad files into bad."""
    for name in ("pictures", "labels", "bad"):
        (folder / name).mkdir()
    truncated = b""
    for number, (name, picture) in enumerate(crops(source, count)):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        (folder / "pictures" / f"{name}.png").write_bytes(stream.getvalue())
        truncated = truncated or stream.getvalue()[: len(stream.getvalue()) // 2]
        Image.fromarray(label_map(picture, number)).save(folder / "labels" / f"{name}.png")
    for name, data in zip(BAD, (b"", b"no picture\n", truncated), strict=True):
        (folder / "bad" / name).write_bytes(data)
