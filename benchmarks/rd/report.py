"""The report on a run: one HTML page with curves, tables, and pictures of all codecs at equal bytes side by side."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dinp.benchmarks.rd import page, plots
from dinp.benchmarks.rd.codec import Codec, Coded
from dinp.benchmarks.rd.codecs import CODECS
from dinp.benchmarks.rd.curves import Measured, curve_of
from dinp.benchmarks.rd.metrics import METRICS, check_metrics, measure
from dinp.benchmarks.rd.runs import load_picture
from dinp.benchmarks.rd.tables import DIGITS, TITLES, provenance, tables
from dinp.bitstream.container import unpack
from dinp.bitstream.section import decode_section
from dinp.errors import DinpError

FINE_SETTINGS = {"dinp": np.arange(0, 100.01, 0.25), "jpeg2000": np.geomspace(0.01, 4, 400)}
NEAR = 1.05  # files within this factor of the wanted size count as equal
INTRODUCTION = (
    "dinp keeps a few pixels of a picture and rebuilds the others by homogeneous diffusion. It is compared here with "
    "the codecs that ship with Pillow. What counts is whole files, and decoded 8-bit pixels against the original's."
)


def chosen_pictures(paths: Sequence[Path], names: Sequence[str]) -> list[Path]:
    """The pictures of these names, with or without ending; the first three if there are no names.

    Raises
    ------
    DinpError
        There is no picture of a name.
    """
    by_name = {path.stem: path for path in paths} | {path.name: path for path in paths}
    for name in names:
        if name not in by_name:
            raise DinpError(f"there is no picture {name} in {paths[0].parent}")
    return [by_name[name] for name in names] or list(paths[:3])


def shown_codecs(measured: Measured, mode: str) -> list[Codec]:
    """The codecs that were measured in a mode.

    Raises
    ------
    DinpError
        None was.
    """
    found = {one.codec for one in measured.series if one.mode == mode}
    if not found:
        raise DinpError(f"nothing was measured in the mode {mode}: choose the other one with --mode")
    return [codec for name, codec in CODECS.items() if name in found]


def code_at(codec: Codec, picture: np.ndarray, bpp: float) -> Coded:
    """A picture coded to a file as near as possible to a rate, found by bisection over the codec's settings.

    Parameters
    ----------
    codec : Codec
    picture : (H, W) or (H, W, 3) uint8
    bpp : float
        Bits per pixel; where the codec's range ends before, its nearest end is taken.
    """
    wanted = bpp * picture.shape[0] * picture.shape[1] / 8
    settings = FINE_SETTINGS.get(codec.name, np.arange(codec.settings[0], codec.settings[-1] + 1))
    sizes: dict[int, int] = {}

    def size(index: int) -> int:
        if index not in sizes:
            sizes[index] = len(codec.encode(picture, float(settings[index])))
        return sizes[index]

    low, high = 0, len(settings) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < wanted else (low, middle)
    best = min({low, high, *sizes}, key=lambda index: abs(math.log(size(index) / wanted)))
    return codec.run(picture, float(settings[best]))


def inpainting_mask(data: bytes) -> np.ndarray:
    """The mask of the first plane of a dinp file as a picture (H, W) uint8: known pixels are white."""
    container = unpack(data)
    _, known, _ = decode_section(container.sections[0], (container.height, container.width))
    return np.where(known.mask, 255, 0).astype(np.uint8)


def shots_at(
    codecs: Sequence[Codec], picture: np.ndarray, bpp: float, metrics: Sequence[str], done: Callable[[], object]
) -> list[page.Shot]:
    """The original, what each codec makes of it at a rate, and the mask of dinp; `done` is called after each codec."""
    height, width = picture.shape[:2]
    shots = [page.Shot("Original", picture, (f"{width} × {height}",))]
    masks = []
    for codec in codecs:
        coded = code_at(codec, picture, bpp)
        values = measure(picture, coded.decoded, metrics)
        figures = [f"{TITLES[name]} {value:.{DIGITS[name]}f}" for name, value in values.items() if value is not None]
        size = f"{len(coded.data):,} bytes, {coded.bpp:.3f} bpp"
        if not 1 / NEAR <= coded.bpp / bpp <= NEAR:
            size += " (its nearest file)"
        shots.append(page.Shot(TITLES[codec.name], coded.decoded, (size, ", ".join(figures))))
        if codec.name == "dinp":
            mask = inpainting_mask(coded.data)
            share = f"{100 * np.count_nonzero(mask) / mask.size:.1f} % of the pixels are known (white)"
            plane = () if picture.ndim == 2 else ("of the luma plane",)
            masks = [page.Shot("Inpainting mask of dinp", mask, (share, *plane))]
        done()
    return shots + masks


def make_page(
    measured: Measured, paths: Sequence[Path], mode: str, rates: Sequence[float], done: Callable[[], object]
) -> str:
    """The page.

    Parameters
    ----------
    measured : Measured
    paths : sequence of Path
        Pictures to show.
    mode : str
        How to show them.
    rates : sequence of float
        At how many bits per pixel to show each.
    done : callable
        Called after each picture, codec and rate.

    Raises
    ------
    DinpError
        A picture cannot be read or has no such mode, or a library is missing.
    """
    metrics = [name for name in METRICS if any(name in row for one in measured.series for row in one.rows)]
    check_metrics(metrics)
    pictures = {path: load_picture(path, mode) for path in paths}
    for path, picture in pictures.items():
        if picture is None:
            raise DinpError(f"{path} is grey: show it with --mode grey")

    parts = [page.paragraph(INTRODUCTION, small=False), page.paragraph(provenance(measured))]
    drawn = [(group, plots.svg(figure)) for group, _, figure in plots.mean_plots(measured)]
    parts += [page.heading("Curves")]
    parts += [page.plots([svg for of, svg in drawn if of == group]) for group in measured.groups()]

    found = tables(measured)
    parts += [page.heading("Tables"), *map(page.table, found)]
    parts += [page.paragraph(note) for note in dict.fromkeys(one.note for one in found)]

    parts += [page.heading("Pictures at equal bytes")]
    parts.append(page.paragraph("Move the line to compare two of them; click a picture below to put it on the right."))
    codecs = shown_codecs(measured, mode)
    for path, picture in pictures.items():
        for bpp in rates:
            parts.append(
                page.viewer(f"{path.stem}, {bpp:g} bits per pixel", shots_at(codecs, picture, bpp, metrics, done))
            )
        curves = {one.codec: curve_of(one) for one in measured.series if (one.mode, one.picture) == (mode, path.name)}
        curves = {name: curves[name] for name in TITLES if curves.get(name)}
        if curves:
            figure = plots.draw(curves, "psnr", f"{path.stem}, {mode}", marks=rates, points=True)
            parts.append(page.plots([plots.svg(figure)]))
    sets = ", ".join(dict.fromkeys(one.set for one in measured.series))
    return page.page(f"dinp: rate and distortion, {sets}", parts)
