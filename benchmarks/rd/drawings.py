"""Makes and measures five drawings in colour: text, shapes, charts and maps, antialiased, red on blue among them.

    dinp bench drawings make --out DRAWINGS
    dinp bench drawings run --pictures DRAWINGS --out rd_drawings.json [--codecs dinp,webp] [--jobs N]
    dinp bench drawings table rd_drawings.json [--readme docs/benchmarks.md]
    dinp bench lossless run --pictures DRAWINGS --set "drawings in colour" --out lossless_drawings.json

Each is drawn by Pillow four times as large, with the font that comes with it, and averaged down to 640x480; random
numbers are numpy's, with a fixed seed. Rates, PSNR (of R, G and B together) and BD-rates are those of the piecewise
smooth pictures (`dinp.benchmarks.rd.smooth`).
"""

import math
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dinp.benchmarks.rd.codecs import codecs_named
from dinp.benchmarks.rd.curves import load_measured
from dinp.benchmarks.rd.headline import DRAWINGS as DRAWINGS_SET
from dinp.benchmarks.rd.runs import Results, measure_pending, pictures_in, tasks_of
from dinp.benchmarks.rd.smooth import HIGH, QUALITIES, smooth_table
from dinp.benchmarks.rd.tables import markdown
from dinp.benchmarks.readme import END, tell_table
from dinp.cli.options import NAME_LIST, NUMBER_LIST, PATH

WIDTH, HEIGHT = 640, 480
SCALE = 4
ANCHORS = ("avif-psnr", "avif", "jpegxl", "webp")
MARKER = "<!-- drawings -->"
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
TEXT = (
    "diffusion rebuilds a picture from a few known values wherever nothing is known and stops at edges that a contour "
    "draws once so that a region needs one value and a flat part none besides while text is small and sharp"
)
WORDS = TEXT.split()


class Canvas:
    """A drawing in units of pixels of the picture that becomes of it."""

    def __init__(self, ground: str) -> None:
        self._image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), ground)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: list[tuple[float, float]], colour: str) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        """A filled disc."""
        box = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
        self._draw.ellipse(box, fill=colour)

    def sector(self, x: float, y: float, radius: float, turn: tuple[float, float], colour: str) -> None:
        """A sector between two angles in degrees."""
        box = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
        self._draw.pieslice(box, *turn, fill=colour)

    def line(self, points: list[tuple[float, float]], colour: str, width: float = 1) -> None:
        """A line along points."""
        whole = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(whole, fill=colour, width=round(width * SCALE), joint="curve")

    def text(self, x: float, y: float, words: str, size: float, colour: str) -> None:
        """Words whose upper left corner is given."""
        self._draw.text((x * SCALE, y * SCALE), words, fill=colour, font=ImageFont.load_default(size * SCALE))

    def picture(self) -> Image.Image:
        """The picture, each pixel the mean of those that it covers."""
        return self._image.reduce(SCALE)


def page() -> Image.Image:
    """Text in sizes and colours, on white, grey and blue."""
    canvas = Canvas("white")
    canvas.polygon([(0, 0), (640, 0), (640, 60), (0, 60)], "#0000d0")
    canvas.text(20, 10, "Red on blue: contours", 32, "#ff0000")
    canvas.polygon([(400, 80), (640, 80), (640, 480), (400, 480)], "#eeeeee")
    for row in range(19):
        words = " ".join(WORDS[(5 * row + k) % len(WORDS)] for k in range(7))
        canvas.text(14, 72 + 21 * row, words[:46], 13, "black")
        canvas.text(412, 92 + 20 * row, words[:24], 11 + row % 5, COLOURS[row % len(COLOURS)])
    return canvas.picture()


def red_on_blue() -> Image.Image:
    """Red shapes, lines and words on blue, and blue ones on red."""
    canvas = Canvas("#0010c8")
    canvas.polygon([(320, 0), (640, 0), (640, 480), (320, 480)], "#d80010")
    for k in range(9):
        for side, colour in ((0, "#f01020"), (320, "#1020e0")):
            angle = 2 * math.pi * k / 9
            x, y = side + 160 + 105 * math.cos(angle), 200 + 105 * math.sin(angle)
            canvas.disc(x, y, 8 + 3 * k, colour)
            canvas.line([(side + 160, 200), (x, y)], colour, 1 + 0.5 * k)
            canvas.text(side + 20 + 32 * k, 400, str(k * 37 % 100), 20, colour)
            canvas.text(side + 12 + 33 * k, 440, WORDS[k][:5], 11, colour)
    return canvas.picture()


def shapes() -> Image.Image:
    """Discs, triangles and stars over one another."""
    canvas, random = Canvas("#fff8e8"), np.random.default_rng(1)
    for k in range(60):
        x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        radius, turn = random.uniform(12, 70), random.uniform(0, 2 * math.pi)
        corners = (0, 3, 4, 10)[k % 4]
        if not corners:
            canvas.disc(x, y, radius, COLOURS[k % len(COLOURS)])
            continue
        angles = [turn + 2 * math.pi * c / corners for c in range(corners)]
        radii = [radius * (0.45 if corners == 10 and c % 2 else 1) for c in range(corners)]
        points = [(x + r * math.cos(a), y + r * math.sin(a)) for a, r in zip(angles, radii, strict=True)]
        canvas.polygon(points, COLOURS[k % len(COLOURS)])
    return canvas.picture()


def charts() -> Image.Image:
    """Bars, a pie, curves and a scatter with axes and labels."""
    canvas, random = Canvas("white"), np.random.default_rng(2)
    for left, top in ((30, 30), (350, 30), (30, 260), (350, 260)):
        canvas.line([(left, top), (left, top + 180), (left + 260, top + 180)], "black", 1.2)
        for k in range(1, 6):
            canvas.line([(left, top + 180 - 30 * k), (left + 260, top + 180 - 30 * k)], "#dddddd", 0.7)
            canvas.text(left - 22, top + 172 - 30 * k, str(20 * k), 10, "#333333")
            canvas.text(left + 44 * k, top + 184, WORDS[k][:6], 10, "#333333")
    for k, height in enumerate(random.uniform(20, 160, 8)):
        canvas.polygon(
            [(40 + 30 * k, 210 - height), (60 + 30 * k, 210 - height), (60 + 30 * k, 210), (40 + 30 * k, 210)],
            COLOURS[k],
        )
    for k in range(5):
        values = 100 + np.cumsum(random.normal(0, 6, 53))
        canvas.line([(352 + 5 * i, 210 - min(max(v, 5), 175)) for i, v in enumerate(values)], COLOURS[k], 1.5)
    edges = np.concatenate([[0], np.cumsum(random.dirichlet(np.ones(8)) * 360)])
    for k in range(8):
        canvas.sector(160, 345, 80, (float(edges[k]), float(edges[k + 1])), COLOURS[k])
    for k in range(240):
        x, y = random.normal(480, 45), random.normal(350, 30)
        canvas.disc(min(max(x, 352), 605), min(max(y, 265), 438), 2.2, COLOURS[k % 3])
    return canvas.picture()


def town() -> Image.Image:
    """A map: land, water, roads of two widths, houses and names."""
    canvas, random = Canvas("#f2efe9"), np.random.default_rng(3)
    river = [(x, 250 + 60 * math.sin(x / 90) + 25 * math.sin(x / 31)) for x in range(-10, 660, 5)]
    canvas.polygon([(0, 0), (260, 0), (180, 140), (0, 190)], "#c8e6b0")
    canvas.line(river, "#a9d3f0", 26)
    for k in range(7):
        x, lean = 40 + 95 * k, float(random.uniform(-40, 40))
        road = [(x, -5), (x + lean / 2, 240), (x + lean, 485)]
        canvas.line(road, "#c9a227", 9 if k % 3 == 0 else 5)
        canvas.line(road, "#ffe08a" if k % 3 == 0 else "white", 7 if k % 3 == 0 else 3.5)
    for _ in range(90):
        x, y = random.uniform(10, 620), random.uniform(10, 460)
        width, height = random.uniform(6, 18, 2)
        if abs(y - 250 - 60 * math.sin(x / 90) - 25 * math.sin(x / 31)) > 30:
            canvas.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], "#d9c3b0")
    for k in range(14):
        x, y = 10 + 47 * (k * 5 % 13), 15 + 33 * k
        canvas.text(x, y, WORDS[2 * k].capitalize(), 10 + k % 4, ("#333333", "#7a1fa2", "#004d40")[k % 3])
    return canvas.picture()


DRAWINGS: dict[str, Callable[[], Image.Image]] = {
    "page": page,
    "red_on_blue": red_on_blue,
    "shapes": shapes,
    "charts": charts,
    "town": town,
}


@click.group()
def drawings() -> None:
    """Make and measure drawings in colour."""


@drawings.command()
@click.option("--out", type=PATH, required=True, help="Folder for the drawings.")
def make(out: Path) -> None:
    """Make five drawings."""
    out.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWINGS.items():
        draw().save(out / f"{name}.png")
        click.echo(out / f"{name}.png")


@drawings.command()
@click.option("--pictures", type=PATH, required=True, help="Folder of the drawings.")
@click.option("--out", type=PATH, required=True, help="JSON file; continued if it exists.")
@click.option("--codecs", type=NAME_LIST, default=",".join(("dinp", *ANCHORS)), show_default=True)
@click.option(
    "--qualities", type=NUMBER_LIST, default=",".join(map(str, QUALITIES)), show_default=True, help="Of dinp."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
def run(pictures: Path, out: Path, codecs: tuple[str, ...], qualities: tuple[float, ...], jobs: int) -> None:
    """Measure codecs in colour, and write JSON."""
    chosen = codecs_named(codecs)
    tasks = tasks_of(chosen, "colour", pictures_in(pictures), ("psnr",), qualities=qualities, max_bpp=2 * HIGH)
    results = Results(out, DRAWINGS_SET, chosen, jobs)
    measure_pending(tasks, results, jobs)


@drawings.command()
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--readme", type=PATH, help=f"Write into this file, between {MARKER} and {END}.")
def table(results: tuple[Path, ...], readme: Path | None) -> None:
    """Print the table of BD-rates as Markdown."""
    measured = load_measured(results)
    text = markdown([smooth_table(measured, "dinp", ANCHORS, mode="colour")], measured)
    tell_table(text, readme, MARKER)
