"""Very small files: what is not picture in them, and PSNR of 200 and 500 bytes, against WebP, AVIF and JPEG XL.

    python -m dinp.benchmarks.rd.small PICTURE ... --output results.json

The middle square of each picture is reduced to 64 and to 128 pixels. Each codec gives its best picture in at most so
many bytes; null where it has no file as small.
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

SIDES = (64, 128)
SIZES = (200, 500)
QUALITIES = range(101)


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


def best(image: Image.Image, size: int, name: str) -> dict | None:
    """Bytes and PSNR of a codec's best file of at most `size` bytes."""
    if name == "dinp":
        try:
            encoding = dinp.encode_with_report(image, target_bytes=size)
        except dinp.DinpError:
            return None
        return {"bytes": len(encoding.data), "psnr": round(encoding.psnr, 3)}
    found = None
    for quality in QUALITIES:
        data, shown = OTHERS[name](image, quality)
        if len(data) <= size and (found is None or psnr(image, shown) > found["psnr"]):
            found = {"bytes": len(data), "psnr": round(psnr(image, shown), 3)}
    return found


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


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Where the results go, as JSON.")
def main(pictures: tuple[Path, ...], output: Path) -> None:
    """Compare very small files."""
    rows = []
    for path in pictures:
        for side in SIDES:
            image = square(path, side)
            for size in SIZES:
                row = {"picture": path.stem, "side": side, "size": size}
                row |= {name: best(image, size, name) for name in ("dinp", *OTHERS)}
                rows.append(row)
                click.echo(json.dumps(row))
    report = {"environment": environment(["dinp", "numpy", "pillow", "imagecodecs"])}
    report |= {"overhead": overhead(square(pictures[0], 128)), "rows": rows}
    output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
