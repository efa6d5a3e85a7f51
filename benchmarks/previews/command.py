"""Previews at equal bytes: dinp beside BlurHash, ThumbHash and a WebP of 16 pixels; PSNR, SSIM and decoding time.

    dinp bench previews PICTURES... --out previews.json --page previews.html

Each picture is reduced to 128 pixels on its longer side: that is the original. BlurHash (4 x 3 components, as its
manual advises, and 9 x 9, the most), ThumbHash (its only size), WebP of 16 pixels (the best within 200 and 500
bytes) and dinp's preview (60, 200 and 500 bytes) are made of it, and shown enlarged to its size. Bytes are those of
the preview itself: BlurHash is text, the others take a third more in base64.
"""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import click
import numpy as np
from PIL import Image

import dinp
from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.previews import thumbhash_decoder
from dinp.benchmarks.rd.metrics import psnr, ssim
from dinp.benchmarks.rd.page import Shot, heading, page, painted, paragraph, script_part, table, viewer
from dinp.benchmarks.rd.tables import Table
from dinp.benchmarks.speed.decoding import timed
from dinp.cli.options import PATH
from dinp.cli.progress import counted
from dinp.page.node import node, paint
from dinp.page.painter import gzipped_size, painter
from dinp.pictures.files import check_output, write_output
from dinp.previews import LEAST, reduced_to

SIDE, WEBP_SIDE, HASH_SIDE = 128, 16, 100
SIZES = (200, 500)
COMPONENTS = (4, 3)  # of BlurHash, as its manual advises; turned for upright pictures


class Preview(NamedTuple):
    """How many bytes a preview takes, what shows it, and itself if it is dinp's."""

    bytes: int
    show: Callable[[], np.ndarray]
    data: bytes | None = None


def _enlarged(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))


def _blurhash(image: Image.Image, components: tuple[int, int] = COMPONENTS) -> Preview:
    codec = library("blurhash")
    across, down = components if image.width >= image.height else components[::-1]
    small = np.asarray(reduced_to(image, 64))
    text = codec.encode(small, components_x=across, components_y=down)
    width, height = reduced_to(image, 32).size

    def show() -> np.ndarray:
        shown = np.array(codec.decode(text, width, height), dtype=np.uint8)
        return _enlarged(Image.fromarray(shown), image.size)

    return Preview(len(text), show)


def _thumbhash(image: Image.Image) -> Preview:
    codec = library("thumbhash")
    small = reduced_to(image, HASH_SIDE).convert("RGBA")
    data = codec.rgba_to_thumb_hash(small.width, small.height, list(small.tobytes()))

    return Preview(len(data), lambda: _enlarged(Image.fromarray(thumbhash_decoder.decode(data)), image.size))


def _webp(image: Image.Image, size: int) -> Preview | None:
    small = reduced_to(image, WEBP_SIDE)
    best = None
    for quality in range(0, 101, 5):
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=quality, method=6)
        if len(buffer.getvalue()) <= size:
            best = buffer.getvalue()
    if best is None:
        return None
    return Preview(len(best), lambda: _enlarged(Image.open(io.BytesIO(best)), image.size))


def _dinp(image: Image.Image, size: int) -> Preview | None:
    try:
        data = dinp.preview(image, max(size, LEAST))
    except dinp.DinpError:
        return None
    return Preview(len(data), lambda: _enlarged(dinp.decode(data), image.size), data)


def previews(image: Image.Image) -> dict[str, Preview | None]:
    """Previews by name."""
    found: dict[str, Preview | None] = {
        "BlurHash 4x3": _blurhash(image),
        "BlurHash 9x9": _blurhash(image, (9, 9)),
        "ThumbHash": _thumbhash(image),
        "dinp, 60 bytes": _dinp(image, LEAST),
    }
    for size in SIZES:
        found[f"WebP of 16 pixels, {size} bytes"] = _webp(image, size)
        found[f"dinp, {size} bytes"] = _dinp(image, size)
    return found


def measure(path: Path) -> tuple[list[dict], list[Shot], dict[str, bytes]]:
    """Rows of a picture's previews, what they show, the original first, and the files of dinp's by name."""
    with Image.open(path) as opened:
        original = reduced_to(opened.convert("RGB"), SIDE)
    wanted = np.asarray(original)
    rows, shots, files = [], [Shot("original", wanted, ())], {}
    for name, made in previews(original).items():
        row = {"picture": path.stem, "preview": name, "bytes": None, "psnr": None, "ssim": None, "seconds": None}
        row["script_ms"] = None
        if made is not None:
            size, show, data = made
            show()
            shown, seconds = timed(show)
            row |= {"bytes": size, "psnr": round(psnr(wanted, shown), 3), "seconds": round(seconds, 4)}
            row["ssim"] = None if (likeness := ssim(wanted, shown)) is None else round(likeness, 4)
            if data is not None:
                files[name] = data
            shots.append(Shot(name, shown, (f"{size} bytes, {row['psnr']:.2f} dB",)))
        rows.append(row)
    return rows, shots, files


def summary(rows: list[dict]) -> Table:
    """Means over the pictures that have each preview."""
    lines = []
    for name in dict.fromkeys(row["preview"] for row in rows):
        own = [row for row in rows if row["preview"] == name and row["bytes"] is not None]
        if not own:
            lines.append((name, "0", *["–"] * 5))
            continue
        script = [row["script_ms"] for row in own if row["script_ms"] is not None]
        means = [fmean(row[key] or 0 for row in own) for key in ("bytes", "psnr", "ssim", "seconds")]
        lines.append(
            (
                name,
                str(len(own)),
                f"{means[0]:.0f}",
                f"{means[1]:.2f}",
                f"{means[2]:.3f}",
                f"{1000 * means[3]:.1f}",
                f"{fmean(script):.1f}" if script else "–",
            )
        )
    head = ("preview", "pictures", "bytes", "PSNR", "SSIM", "decoding, ms", "script, ms")
    return Table(
        "Previews, enlarged to 128 pixels", head, tuple(lines), "Means over the pictures that have the preview."
    )


def add_script_times(rows: list[dict], files: dict[str, bytes]) -> None:
    """`script_ms` of dinp's previews: the script's milliseconds in Node, where there is one, after the first."""
    if node() is None:
        return
    for name, answer in zip(files, paint(list(files.values())), strict=True):
        next(row for row in rows if row["preview"] == name)["script_ms"] = round(answer["ms"], 2)


@click.command("previews")
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--page", "html", type=PATH, metavar="FILE", help="HTML page that shows the first ones side by side.")
@click.option("--shown", type=click.IntRange(min=1), default=8, show_default=True, help="Pictures on the page.")
def measure_previews(pictures: tuple[Path, ...], out: Path, html: Path | None, shown: int) -> None:
    """Compare previews of few bytes."""
    for file in (out, *([] if html is None else [html])):
        check_output(str(file), *map(str, pictures), force=True)
    rows, parts, load = [], [], round(os.getloadavg()[0], 1)
    with counted("previews", len(pictures)) as one:
        for path in pictures:
            found, shots, files = measure(path)
            add_script_times(found, files)
            rows += found
            if len(parts) < shown:
                parts += [viewer(path.stem, shots), painted(path.stem, files, shots[0].pixels.shape)]
            one()
    means = summary(rows)
    head = {
        "benchmark": "previews",
        "script_bytes": gzipped_size(),
        "load": load,
        **environment(["dinp", "numpy", "pillow", "blurhash", "thumbhash", "scikit-image"]),
    }
    write_output(str(out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
    click.echo(means.markdown())
    click.echo(f"\nThe script that paints them: {gzipped_size():,} bytes, gzipped, tables included.")
    if html is not None:
        whole = [paragraph(means.note), table(means), heading("Side by side"), *parts, script_part(painter())]
        write_output(str(html), page("Previews of few bytes", whole).encode(), force=True)
