"""What barriers save on depth with holes and flow of 16 bits: the same pictures by diffusion with and without them.

    python -m dinp.benchmarks.rd.deep SMOOTH --output deep.json [--readme docs/benchmarks.md]

SMOOTH holds the pictures of `dinp.benchmarks.rd.samples`, which become 16 bits as told there. Each is coded by
diffusion, whether samples one by one would be smaller or not: with some qualities, each of which also bounds the error;
and for a largest error, with the quality that `dinp.encode` tries first for it. Beside it stand bytes of samples one by
one for that error, which is what `dinp.encode` takes where they are fewer; and what the format has no place for: a
section with barriers, and what is left, in steps of the error, by the coder of samples one by one. BD-rates are over
all rates of the files.
"""

import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

import dinp
from dinp.benchmarks.rd.curves import Series, bd_rate, curve_of
from dinp.benchmarks.rd.edges import without
from dinp.benchmarks.rd.samples import DEPTHS, FLOWS, sixteen_bits
from dinp.benchmarks.rd.tables import DASH, percent
from dinp.benchmarks.readme import markdown_table, tell_table
from dinp.benchmarks.result_files import keep_row
from dinp.bitstream.lossless import encode_lossless
from dinp.cli.options import NAME_LIST, NUMBER_LIST, PATH
from dinp.encoder import picture as coding
from dinp.encoder import planes
from dinp.encoder.coded import CodedPlanes
from dinp.encoder.lossless import encode_nearly
from dinp.encoder.placement import DEFAULT_EFFORT
from dinp.limits import MAX_PIXELS
from dinp.models import load_tree_model
from dinp.pictures.intake import picture_of
from dinp.pictures.picture import Picture, picture_psnr

QUALITIES = (20, 35, 50, 65)
ERRORS = (1, 4, 8)
REST_QUALITY = 50  # of the section that samples one by one are added to; 20 and 35 were worse on one picture
RATES = (1e-3, 32.0)  # bits per pixel: all
MARKER = "<!-- deep -->"


def by_diffusion(picture: Picture, quality: float, most: float | None, *, barriers: bool) -> dict:
    """Bytes, PSNR over seen samples and CPU seconds of a picture with a quality; whether barriers were taken."""
    wish = coding.Wish(DEFAULT_EFFORT, max_error=most)
    start = time.process_time()
    with without({} if barriers else {(planes, "may_pay"): lambda *_: False}):
        found = coding.encode_picture(picture, quality=quality, wish=wish, tree_model=load_tree_model())
    seconds = time.process_time() - start
    return {
        "bytes": len(found.data),
        "sections": sum(map(len, found.container.sections)),
        "psnr": round(picture_psnr(picture, found.decoded), 3),
        "seconds": round(seconds, 2),
        "barriers": all(plane.plain is None for plane in found.coded.planes),
    }


def first_quality(picture: Picture, most: float) -> float:
    """The quality that `dinp.encoder.picture.for_error` tries first for a largest error."""
    tried: list[float] = []

    def code(quality: float, _: object) -> coding.CodedPicture:
        tried.append(quality)
        return coding.CodedPicture(b"", None, CodedPlanes([], 0.0))

    coding.for_error(code, picture, most, -1.0)
    return tried[0]


def barriers_and_samples(picture: Picture, errors: tuple[float, ...]) -> list[int]:
    """Bytes of a section with barriers and of what is left, by the coder of samples, for each largest error."""
    found = coding.encode_picture(
        picture, quality=REST_QUALITY, wish=coding.Wish(DEFAULT_EFFORT), tree_model=load_tree_model()
    )
    shown = np.asarray(picture.format.from_axis(found.coded.planes[0].show())).astype(np.int64)
    unseen, sizes = picture.unseen(0), []
    for most in errors:
        rest = np.rint((picture.samples.astype(np.int64) - shown) / (2 * most + 1)).astype(np.int32)
        if unseen is not None:
            rest[unseen] = rest[~unseen].min() - 1
        sizes.append(len(found.container.sections[0]) + len(encode_lossless([rest])))
    return sizes


def rows_of(picture: Picture, qualities: tuple[float, ...], errors: tuple[float, ...]) -> list[dict]:
    """What is measured of a picture."""
    rows = []
    for quality in qualities:
        rows.append({"quality": quality})
        rows[-1] |= {name: by_diffusion(picture, quality, None, barriers=name == "with") for name in ("with", "plain")}
    for most, rest in zip(errors, barriers_and_samples(picture, errors), strict=True):
        quality = first_quality(picture, most)
        row = {"max_error": most, "quality": round(quality, 2)}
        row |= {name: by_diffusion(picture, quality, most, barriers=name == "with") for name in ("with", "plain")}
        row |= {"samples": len(encode_nearly(picture, most)[0]), "barriers and samples": rest}
        rows.append(row | {"dinp": len(dinp.encode(picture.samples, max_error=most))})
    return rows


def sizes_of(row: dict) -> tuple[int, ...]:
    """Bytes of a row for a largest error, by how it is coded."""
    return row["with"]["bytes"], row["plain"]["bytes"], row["samples"], row["barriers and samples"], row["dinp"]


def table(rows: list[dict]) -> str:
    """Markdown: of each picture BD-rate with barriers against without, and bytes for a largest error."""
    errors = sorted({row["max_error"] for row in rows if "max_error" in row})
    lines = []
    for name in dict.fromkeys(row["picture"] for row in rows):
        own = [row for row in rows if row["picture"] == name]
        free = [row for row in own if "max_error" not in row]
        taken = ", ".join(f"{row['quality']:g}" for row in free if row["with"]["barriers"])
        curves = []
        for kind in ("plain", "with"):
            points = [row[kind] | {"bpp": 8 * row[kind]["bytes"] / row["pixels"]} for row in free]
            curves.append(curve_of(Series("", "grey", kind, name, "", tuple(points))) if points else None)
        cells = [taken or "none", percent(bd_rate(*curves, *RATES))]
        for most in errors:
            found = [row for row in own if row.get("max_error") == most]
            told = (" / ".join(f"{size:,}" for size in sizes_of(row)) for row in found)
            cells.append(next(told, DASH))
        lines.append((name, *cells))
    heads = ("barriers at qualities", "BD-rate with barriers", *(f"bytes at error {most:g}" for most in errors))
    return markdown_table(("picture", *heads), lines)


@click.command()
@click.argument("folder", type=PATH)
@click.option("--output", type=PATH, required=True, help="Where the results go, as JSON.")
@click.option("--pictures", type=NAME_LIST, default=",".join((*DEPTHS, *FLOWS)), show_default=True)
@click.option("--qualities", type=NUMBER_LIST, default=",".join(map(str, QUALITIES)), show_default=True)
@click.option("--errors", type=NUMBER_LIST, default=",".join(map(str, ERRORS)), show_default=True)
@click.option("--readme", type=PATH, help="Write the table into this file.")
def main(
    folder: Path,
    output: Path,
    pictures: tuple[str, ...],
    qualities: tuple[float, ...],
    errors: tuple[float, ...],
    readme: Path | None,
) -> None:
    """Measure what barriers save on samples of 16 bits."""
    rows = []
    for name in pictures:
        with Image.open(folder / f"{name}.png") as image:
            values = sixteen_bits(np.asarray(image.convert("L")), depth=name in DEPTHS)
        picture = picture_of(values, max_pixels=MAX_PIXELS)
        holes = int(sum(np.count_nonzero(found.mask) for found in picture.holes))
        for row in rows_of(picture, qualities, errors):
            keep_row(output, rows, {"picture": name, "pixels": values.size, "holes": holes} | row)
    tell_table(table(rows), readme, MARKER)


if __name__ == "__main__":
    main()
