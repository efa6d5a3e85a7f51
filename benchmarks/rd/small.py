"""Very small files: what is not picture in them, and PSNR of 200 and 500 bytes, against WebP, AVIF and JPEG XL.

    dinp bench small run --pictures KODAK --limit 8 --out small.json
    dinp bench small table small.json [--readme docs/benchmarks.md]

The middle square of each picture is reduced to 64 and to 128 pixels. Each codec gives its best picture in at most so
many bytes, by its quality from 0 to 100; null where it has no file as small.
"""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageCms

import dinp
from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.rd.runs import pictures_in
from dinp.benchmarks.rd.tables import DASH, Table, provenance_of
from dinp.benchmarks.readme import END, tell_table
from dinp.benchmarks.result_files import load_results
from dinp.cli.options import PATH
from dinp.cli.progress import counted

SIDES = (64, 128)
SIZES = (200, 500)
QUALITIES = range(101)
TOO_LARGE = 2  # times the largest size: from there on a codec's qualities are not tried
NAMES = {"dinp": "dinp", "webp": "WebP", "avif": "AVIF", "jpegxl": "JPEG XL"}
PACKAGES = ("dinp", "numpy", "pillow", "imagecodecs")
MARKER = "<!-- small tables -->"


def square(path: Path, side: int) -> Image.Image:
    """The middle square of a picture, in colour, reduced."""
    with Image.open(path) as image:
        whole = image.convert("RGB")
    edge = min(whole.size)
    left, top = (whole.width - edge) // 2, (whole.height - edge) // 2
    return whole.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.LANCZOS)


def _pillow(kind: str, **options: object) -> Callable[[Image.Image, int], tuple[bytes, np.ndarray]]:
    def run(image: Image.Image, quality: int) -> tuple[bytes, np.ndarray]:
        buffer = BytesIO()
        image.save(buffer, kind, quality=quality, **options)
        with Image.open(buffer) as shown:
            return buffer.getvalue(), np.asarray(shown.convert("RGB"))

    return run


def _jpegxl(image: Image.Image, quality: int) -> tuple[bytes, np.ndarray]:
    codecs = library("imagecodecs")
    data = codecs.jpegxl_encode(np.asarray(image), distance=15.0 * (1 - quality / 100) + 0.1, effort=9)
    return data, codecs.jpegxl_decode(data)


OTHERS = {"webp": _pillow("WEBP", method=6), "avif": _pillow("AVIF", speed=4), "jpegxl": _jpegxl}


def psnr(image: Image.Image, shown: np.ndarray) -> float:
    """In dB."""
    return float(10 * np.log10(255**2 / np.mean((np.asarray(image).astype(float) - shown) ** 2)))


def own(image: Image.Image, size: int) -> dict | None:
    """Bytes and PSNR of dinp's best file of at most `size` bytes."""
    try:
        encoding = dinp.encode_with_report(image, target_bytes=size)
    except dinp.DinpError:
        return None
    return {"bytes": len(encoding.data), "psnr": round(encoding.psnr, 3)}


def files_of(image: Image.Image, name: str) -> list[dict]:
    """Bytes and PSNR of another codec's files, by rising quality up to the first that is far too large."""
    found = []
    for quality in QUALITIES:
        data, shown = OTHERS[name](image, quality)
        found.append({"bytes": len(data), "psnr": round(psnr(image, shown), 3)})
        if len(data) > TOO_LARGE * max(SIZES):
            break
    return found


def best(files: list[dict], size: int) -> dict | None:
    """The best of at most `size` bytes."""
    return max((one for one in files if one["bytes"] <= size), key=lambda one: one["psnr"], default=None)


def overhead(image: Image.Image) -> dict[str, int]:
    """Bytes of files that are not sections, by kind."""
    grey, profiled = image.convert("L"), image.copy()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiled.info["icc_profile"] = profile.replace(b"rXYZ", b"zzzz").replace(b"bXYZ", b"rXYZ").replace(b"zzzz", b"bXYZ")
    result = {}
    for name, picture in (("grey", grey), ("colour", image), ("colour with ICC", profiled)):
        report = dinp.info(dinp.encode(picture, effort=1))
        result[name] = report["bytes"] - sum(plane["bytes"] for plane in report["planes"])
    result["the ICC profile"] = len(profile)
    return result


def small_table(content: dict) -> Table:
    """Mean PSNR by side and size of each codec, over the pictures of which all codecs have such a file."""
    lines = []
    for side in SIDES:
        for size in SIZES:
            rows = [row for row in content["rows"] if (row["side"], row["size"]) == (side, size)]
            cells = []
            for name in NAMES:
                found = [row[name]["psnr"] for row in rows if row[name] is not None]
                cells.append(f"{sum(found) / len(found):.2f} ({len(found)})" if found else DASH)
            lines.append((f"{side}x{side}", f"{size}", *cells))
    return Table(
        "very small files: mean PSNR in dB",
        ("pixels", "bytes", *NAMES.values()),
        tuple(lines),
        "In brackets: pictures that a codec has a file of at most so many bytes of, over which the mean is taken.",
    )


def overhead_table(content: dict) -> Table:
    """Bytes that are not the coded picture."""
    lines = tuple((name, str(size)) for name, size in content["overhead"].items())
    return Table("bytes of a file of 128x128 pixels that are not sections", ("file", "bytes"), lines, "")


@click.group()
def small() -> None:
    """Measure very small files."""


@small.command()
@click.option("--pictures", type=PATH, required=True, help="Folder of the pictures.")
@click.option("--out", type=PATH, required=True, help="JSON file.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take the first pictures only.")
def run(pictures: Path, out: Path, limit: int | None) -> None:
    """Measure, and write JSON."""
    rows, paths = [], pictures_in(pictures, limit)
    with counted("measuring", len(paths) * len(SIDES) * len(SIZES)) as done:
        for path in paths:
            for side in SIDES:
                image = square(path, side)
                files = {name: files_of(image, name) for name in OTHERS}
                for size in SIZES:
                    row = {"picture": path.stem, "side": side, "size": size, "dinp": own(image, size)}
                    rows.append(row | {name: best(found, size) for name, found in files.items()})
                    done()
    here = environment(PACKAGES)
    codecs = {name: f"{name} {found}" for name, found in here["versions"].items()}
    report = {"benchmark": "small", "runs": [here | {"jobs": 1, "codecs": codecs}]}
    report |= {"overhead": overhead(square(paths[0], max(SIDES)))}
    lines = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows)
    text = json.dumps(report, indent=1).removesuffix("\n}") + f',\n "rows": [\n{lines}\n ]\n}}\n'
    out.write_text(text, encoding="utf-8")


@small.command()
@click.argument("results", type=PATH)
@click.option("--readme", type=PATH, help=f"Write into this file, between {MARKER} and {END}.")
def table(results: Path, readme: Path | None) -> None:
    """Print the tables as Markdown."""
    content = load_results(results, "small")
    found = [small_table(content), overhead_table(content)]
    parts = [*(one.markdown() for one in found), found[0].note, provenance_of(content["runs"])]
    text = "\n\n".join(parts)
    tell_table(text, readme, MARKER)
