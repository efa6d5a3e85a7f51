"""Piecewise smooth pictures to tune barriers on, so that they are not tuned on those that are reported.

    python -m dinp.benchmarks.rd.drawn PHOTOGRAPHS FOLDER

writes eight grey pictures of 384x288 to FOLDER, always the same ones for the same photographs, which should be for
tuning. Shapes come from segmentations of photographs (Felzenszwalb, SLIC), values do not:

`depth`     slanted planes in quarters of a disparity, with holes where something is occluded, like measured disparity
`levels`    a few whole disparities, like disparity of the early days
`leaves`    many small parts at different depths with ragged borders, in whole disparities, some wrong by one
`flow`      one component of a camera's motion and of moving parts, affine in each, steep in some that turn fast
`sway`      a smooth field with few edges, parts apart with fine hair: another kind of flow
`plot`      curves, axes, grid and letters, drawn with antialiasing on white
`comic`     parts of one value each with dark outlines, antialiased, some with gradients
`flattened` a photograph without its texture (bilateral filter), rounded: soft edges and hard ones
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, shift

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.runs import pictures_in
from dinp.cli.options import PATH
from dinp.errors import DinpError

HEIGHT, WIDTH = 288, 384
SEED = 18
FINER = 4  # drawings are drawn so many times larger


def _grey(path: Path) -> np.ndarray:
    """The middle of a photograph, (HEIGHT, WIDTH) float64; smaller ones are enlarged."""
    with Image.open(path) as image:
        grey = image.convert("L")
        factor = max(HEIGHT / grey.height, WIDTH / grey.width, 1.0)
        grey = grey.resize((round(grey.width * factor), round(grey.height * factor)), Image.Resampling.BICUBIC)
    top, left = (grey.height - HEIGHT) // 2, (grey.width - WIDTH) // 2
    return np.asarray(grey, dtype=np.float64)[top : top + HEIGHT, left : left + WIDTH]


def _parts(photograph: np.ndarray, scale: float, least: int) -> np.ndarray:
    """Segments of a photograph, (HEIGHT, WIDTH) int."""
    segmentation = library("skimage.segmentation")
    return segmentation.felzenszwalb(photograph / 255, scale=scale, sigma=0.8, min_size=least)


def _places() -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from -1 to 1."""
    y, x = np.indices((HEIGHT, WIDTH), dtype=np.float64)
    return 2 * y / (HEIGHT - 1) - 1, 2 * x / (WIDTH - 1) - 1


def _affine(parts: np.ndarray, random: np.random.Generator, offset: float, slope: float) -> np.ndarray:
    """An affine function for each part: a random value at its middle, random slopes."""
    y, x = _places()
    n = int(parts.max()) + 1
    area = np.maximum(np.bincount(parts.ravel(), minlength=n), 1)
    middle = [np.bincount(parts.ravel(), weights=c.ravel(), minlength=n) / area for c in (y, x)]
    a = random.normal(0, offset, n)
    b, c = random.normal(0, slope, (2, n))
    return a[parts] + b[parts] * (y - middle[0][parts]) + c[parts] * (x - middle[1][parts])


def depth(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    y, _ = _places()
    plane = 110 + 45 * y + _affine(_parts(photograph, 80, 150), random, 30, 25)
    plane = np.rint(plane / 4) * 4
    occluded = np.zeros(plane.shape, dtype=bool)
    for by in range(1, 7):  # what is behind a nearer thing is not seen on its left
        occluded |= np.roll(plane, -by, axis=1) > plane + 10 * by
    occluded |= gaussian_filter(random.normal(size=plane.shape), 1.2) > 0.85
    return np.where(occluded, 0, np.clip(plane, 4, 252))


def levels(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    parts = _parts(photograph, 300, 250)
    value = random.integers(5, 15, int(parts.max()) + 1)
    return 16.0 * value[parts]


def leaves(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    parts = _parts(photograph + random.normal(0, 3, photograph.shape), 60, 30)
    plane = 100 + 0.4 * (gaussian_filter(photograph, 20) - 128) + _affine(parts, random, 28, 30)
    ragged = gaussian_filter(random.normal(size=(2, HEIGHT, WIDTH)), (0, 1, 1)) * 3
    y, x = np.indices(plane.shape)
    y = np.clip(y + np.rint(ragged[0]).astype(int), 0, HEIGHT - 1)
    x = np.clip(x + np.rint(ragged[1]).astype(int), 0, WIDTH - 1)
    return np.clip(plane[y, x] + (random.random(plane.shape) < 0.01), 0, 255)


def flow(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    y, x = _places()
    parts = _parts(photograph, 150, 80)
    own = _affine(parts, random, 14, 22)
    fast = random.random(int(parts.max()) + 1) < 0.15
    own += np.where(fast[parts], _affine(parts, random, 0, 500), 0)
    still = random.random(int(parts.max()) + 1) < 0.6
    return np.clip(128 + 14 * x * y + 12 * x + np.where(still[parts], 0, own), 0, 255)


def sway(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    y, x = _places()
    waves = random.normal(0, (16, 2, 2, 3), (5, 4))
    field = sum(a * np.sin(b * y + c * x + d) for a, b, c, d in waves)
    parts = _parts(photograph, 150, 400)
    apart = random.random(int(parts.max()) + 1) < 0.4
    hair = _parts(photograph, 30, 10)
    fine = (np.bincount(hair.ravel())[hair] < 60) & apart[parts]
    return np.clip(120 + field + np.where(apart[parts], _affine(parts, random, 12, 25), 0) + 14 * fine, 0, 255)


def _canvas(grey: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (WIDTH * FINER, HEIGHT * FINER), grey)
    return image, ImageDraw.Draw(image)


def _shrunk(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX), dtype=np.float64)


def plot(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module; the photograph's rows are what is plotted."""
    image, draw = _canvas(255)
    left, top, right, bottom = 44, 20, WIDTH - 12, HEIGHT - 34
    font = ImageFont.load_default(10 * FINER)

    def line(points: Sequence[tuple[float, float]], grey: int, width: float) -> None:
        draw.line([(x * FINER, y * FINER) for x, y in points], fill=grey, width=round(width * FINER), joint="curve")

    for k in range(1, 6):
        y = top + (bottom - top) * k / 6
        line([(left, y), (right, y)], 215, 0.8)
        draw.text((12 * FINER, (y - 6) * FINER), f"{60 - 10 * k:d}.{k}", fill=0, font=font)
    for k in range(1, 8):
        x = left + (right - left) * k / 8
        line([(x, top), (x, bottom)], 215, 0.8)
        draw.text(((x - 8) * FINER, (bottom + 4) * FINER), f"{50 * k}", fill=0, font=font)
    for number, grey in enumerate((0, 70, 120, 165)):
        row = gaussian_filter(photograph[40 + 60 * number], 3 + 4 * number)
        xs = np.linspace(left, right, 120)
        heights = bottom - (bottom - top) * np.interp(xs, np.arange(WIDTH), row) / 260
        line(list(zip(xs, heights, strict=True)), grey, 1.4)
        draw.text(((right - 90) * FINER, (top + 8 + 12 * number) * FINER), f"series {number + 1}", fill=grey, font=font)
    draw.rectangle([left * FINER, top * FINER, right * FINER, bottom * FINER], outline=0, width=FINER)
    title = "".join(random.choice(list("density of known values")) for _ in range(24))
    draw.text((110 * FINER, 4 * FINER), title, fill=0, font=font)
    return _shrunk(image)


def comic(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    parts = _parts(gaussian_filter(photograph, 2), 400, 300)
    n = int(parts.max()) + 1
    value = random.choice([30, 70, 96, 140, 175, 200, 230, 255], n).astype(np.float64)
    y, _ = _places()
    slope = np.where(random.random(n) < 0.2, 40.0, 0.0)
    fields = [
        gaussian_filter(np.kron((parts == k).astype(np.float32), np.ones((FINER, FINER), np.float32)), 1.5 * FINER)
        for k in range(n)
    ]
    large = np.argmax(np.stack(fields), axis=0)
    grey = value[large] + slope[large] * np.kron(y, np.ones((FINER, FINER)))
    edge = np.zeros(large.shape, dtype=bool)
    edge[:, 1:] |= large[:, 1:] != large[:, :-1]
    edge[1:] |= large[1:] != large[:-1]
    grey[gaussian_filter(edge.astype(np.float32), 1.2) > 0.1] = 15
    return _shrunk(Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)))


def flattened(photograph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """See the module."""
    restoration = library("skimage.restoration")
    plane = shift(photograph, random.uniform(-0.5, 0.5, 2), order=1, mode="nearest") / 255
    for _ in range(3):
        plane = restoration.denoise_bilateral(plane, win_size=9, sigma_color=0.09, sigma_spatial=4)
    return 255 * plane


MAKERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    made.__name__: made for made in (depth, levels, leaves, flow, sway, plot, comic, flattened)
}


def drawn(name: str, photograph: np.ndarray) -> np.ndarray:
    """One of the pictures, (HEIGHT, WIDTH) uint8, from a photograph of that size in grey."""
    random = np.random.default_rng([SEED, list(MAKERS).index(name)])
    return np.clip(np.rint(MAKERS[name](photograph, random)), 0, 255).astype(np.uint8)


@click.command()
@click.argument("photographs", type=PATH)
@click.argument("folder", type=PATH)
def main(photographs: Path, folder: Path) -> None:
    """Write the pictures, each from a photograph of its own: every fifth one from the third on, by name."""
    paths = pictures_in(photographs)[2::5][: len(MAKERS)]
    if len(paths) < len(MAKERS):
        raise DinpError(f"{photographs} holds too few photographs: {5 * len(MAKERS) - 2} are needed")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in zip(MAKERS, paths, strict=True):
        Image.fromarray(drawn(name, _grey(path))).save(folder / f"{name}.png")
        click.echo(folder / f"{name}.png")


if __name__ == "__main__":
    main()
