"""Pictures decoded smaller, and larger: PSNR and seconds, beside other ways to the same size.

    dinp bench scale PICTURES... --out scale.json

Smaller, by 1/2, 1/4 and 1/8, against the original averaged over the same cells: `dinp.decode` at that scale, the same
with restoration, and the whole picture decoded (restored, and plainly), then averaged. Larger, by 2 and 4: the original
is averaged first, and coded; against it `dinp.decode` at that scale, and the whole picture decoded, then enlarged by
Lanczos's kernel. Grey pictures; each time is the least of some repeats. Of use on an idle machine only.
"""

import json
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from PIL import Image

import dinp
from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.metrics import psnr
from dinp.benchmarks.rd.runs import load_picture
from dinp.benchmarks.speed.decoding import timed
from dinp.cli.options import NUMBER_LIST, PATH
from dinp.cli.progress import counted
from dinp.pictures.files import check_output, write_output
from dinp.pictures.sizes import averaged

SMALLER, LARGER = (2, 4, 8), (2, 4)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


def _enlarged(picture: np.ndarray, factor: int) -> np.ndarray:
    image = Image.fromarray(picture)
    return np.asarray(image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS))


def ways(data: bytes, factor: int, *, larger: bool) -> dict[str, Callable[[], np.ndarray]]:
    """Ways from a file to a size, by name."""
    if larger:
        return {
            "scale": lambda: dinp.decode_array(data, scale=factor),
            "decode, then Lanczos": lambda: _enlarged(dinp.decode_array(data), factor),
        }
    return {
        "scale": lambda: dinp.decode_array(data, scale=1 / factor),
        "scale, restored": lambda: dinp.decode_array(data, scale=1 / factor, restore=True),
        "decode, then average": lambda: _rounded(averaged(dinp.decode_array(data), factor)),
        "decode plainly, then average": lambda: _rounded(averaged(dinp.decode_array(data, restore=False), factor)),
    }


def measure(name: str, picture: np.ndarray, quality: float, factor: int, repeats: int, *, larger: bool) -> list[dict]:
    """PSNR and seconds of each way, for a grey picture (H, W) uint8."""
    small = _rounded(averaged(picture, factor))
    if larger:
        picture = picture[: factor * (picture.shape[0] // factor), : factor * (picture.shape[1] // factor)]
        small = _rounded(averaged(picture, factor))
    coded, wanted = (small, picture) if larger else (picture, small)
    data = dinp.encode(coded, quality=quality)
    rows = []
    for way, run in ways(data, factor, larger=larger).items():
        found = [timed(run) for _ in range(repeats)]
        rows.append(
            {
                "picture": name,
                "quality": quality,
                "scale": f"{factor}" if larger else f"1/{factor}",
                "way": way,
                "bytes": len(data),
                "structure": dinp.info(data)["planes"][0]["structure"],
                "size": f"{wanted.shape[1]}x{wanted.shape[0]}",
                "psnr": round(psnr(wanted, found[0][0]), 3) if not np.array_equal(wanted, found[0][0]) else None,
                "seconds": round(min(seconds for _, seconds in found), 4),
            }
        )
    return rows


@click.command()
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--qualities", type=NUMBER_LIST, default="30,60", show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
def scale(pictures: tuple[Path, ...], out: Path, qualities: tuple[float, ...], repeats: int) -> None:
    """Measure pictures decoded smaller and larger."""
    check_output(str(out), *map(str, pictures), force=True)
    rows: list[dict] = []
    jobs = [(factor, False) for factor in SMALLER] + [(factor, True) for factor in LARGER]
    with counted("scale", len(pictures) * len(qualities) * len(jobs)) as one:
        for path in pictures:
            picture = load_picture(path, "grey")
            for quality in qualities:
                for factor, larger in jobs:
                    rows += measure(path.stem, picture, quality, factor, repeats, larger=larger)
                    one()
    head = {"benchmark": "scale", **environment(["dinp", "numpy", "scipy", "pillow", "pyamg"]), "repeats": repeats}
    write_output(str(out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
